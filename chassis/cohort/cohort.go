// Package cohort chooses a share of many by their names alone, so that every process chooses the same ones,
// and those who are chosen stay so when the share grows.
package cohort

import (
	"hash/fnv"
	"io"
)

// places is how finely the many are divided: a hundredth of a percent.
const places = 10_000

// Includes reports whether the one of that name is in a share of so many percent. Shares of one seed choose the
// same ones, those of different seeds independently of each other.
func Includes(percent float64, seed, name string) bool {
	h := fnv.New64a()
	_, _ = io.WriteString(h, seed+"/"+name) // a hash never fails to be written to.
	return float64(mix(h.Sum64())%places) < percent*places/100
}

// mix spreads a hash over all bits: those of FNV that a remainder looks at hang too much on the last letters.
// The constants are those of MurmurHash3's finalizer.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
