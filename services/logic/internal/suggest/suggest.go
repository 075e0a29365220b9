// Package suggest finds the name that somebody who mistyped probably meant.
package suggest

import (
	"fmt"
	"strings"
)

// maxDistance is how many slips of the finger are still recognised.
const maxDistance = 2

// Nearest returns the known name that is closest to the given one, upper and lower case aside, or
// empty when none is close.
func Nearest(given string, known []string) string {
	best, bestDistance := "", 2*maxDistance+2
	folded := strings.ToLower(given)
	for _, name := range known {
		// A short name is within two slips of anything; it gets one.
		d := distance(folded, strings.ToLower(name))
		if d > maxDistance || d*2 >= len(name) {
			continue
		}
		// Of equally close ones the one of the same length is likelier: fingers swap more than they drop.
		d *= 2
		if len(name) != len(given) {
			d++
		}
		if d < bestDistance {
			best, bestDistance = name, d
		}
	}

	return best
}

// DidYouMean is the end of an error message about an unknown name: a suggestion where one is close,
// otherwise the list of what is known.
func DidYouMean(given string, known []string) string {
	if nearest := Nearest(given, known); nearest != "" {
		return fmt.Sprintf("; did you mean %q?", nearest)
	}

	return "; known are: " + strings.Join(known, ", ")
}

// distance is how many insertions, deletions, replacements and swaps of neighbours turn a into b
// (optimal string alignment).
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	if d := len(from) - len(to); d > maxDistance || -d > maxDistance {
		return maxDistance + 1
	}
	before, last := make([]int, len(to)+1), make([]int, len(to)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(from); i++ {
		current := make([]int, len(to)+1)
		current[0] = i
		for j := 1; j <= len(to); j++ {
			cost := 1
			if from[i-1] == to[j-1] {
				cost = 0
			}
			current[j] = min(last[j]+1, current[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, last = last, current
	}

	return last[len(to)]
}
