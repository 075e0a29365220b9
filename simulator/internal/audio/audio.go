// Package audio tells how long voices play. It reads the frames' headers and decodes nothing.
package audio

import (
	"bytes"
	"time"
)

// Playtime is how long a voice in AMR, AMR-WB or MP3 plays. It counts the whole frames up to the first that is none, so that
// of anything else it is 0.
func Playtime(data []byte) time.Duration {
	if frames, ok := bytes.CutPrefix(data, []byte("#!AMR-WB\n")); ok {
		return amrTime(frames, &wideBand)
	}
	if frames, ok := bytes.CutPrefix(data, []byte("#!AMR\n")); ok {
		return amrTime(frames, &narrowBand)
	}

	return mp3Time(data)
}

// The sizes of AMR frames in bytes after the frame's first, by the type that it names; -1 are types that there aren't.
// Source: RFC 4867, section 5.3, and the codecs' tables (3GPP TS 26.101 and 26.201).
var (
	narrowBand = [16]int{12, 13, 15, 17, 19, 20, 26, 31, 5, -1, -1, -1, -1, -1, -1, 0}
	wideBand   = [16]int{17, 23, 32, 36, 40, 46, 50, 58, 60, 5, -1, -1, -1, -1, 0, 0}
)

func amrTime(frames []byte, sizes *[16]int) time.Duration {
	const each = 20 * time.Millisecond
	var total time.Duration
	for len(frames) > 0 {
		size := 1 + sizes[frames[0]>>3&0xF]
		if size == 0 || size > len(frames) {
			break
		}
		total += each
		frames = frames[size:]
	}

	return total
}

// The tables of MPEG audio layer III (ISO/IEC 11172-3 and 13818-3): kbit/s by index, and samples a second by version and index.
var (
	bitRates1   = [16]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}
	bitRates2   = [16]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}
	sampleRates = map[byte][4]int{3: {44100, 48000, 32000}, 2: {22050, 24000, 16000}, 0: {11025, 12000, 8000}}
)

// frame is one of an MP3.
type frame struct {
	size int // Bytes, the header included.
	time time.Duration
}

// mp3Frame reads the header of a frame; the size is 0 if there is none.
func mp3Frame(data []byte) frame {
	const headerSize, version1, layer3 = 4, 3, 1
	if len(data) < headerSize || data[0] != 0xFF || data[1]&0xE0 != 0xE0 || data[1]>>1&3 != layer3 {
		return frame{}
	}
	version := data[1] >> 3 & 3
	rates, slots, samples := &bitRates2, 72, 576
	if version == version1 {
		rates, slots, samples = &bitRates1, 144, 1152
	}
	bitRate, sampleRate := rates[data[2]>>4], sampleRates[version][data[2]>>2&3]
	if bitRate == 0 || sampleRate == 0 {
		return frame{}
	}

	return frame{
		size: slots*bitRate*1000/sampleRate + int(data[2]>>1&1),
		time: time.Duration(samples) * time.Second / time.Duration(sampleRate),
	}
}

func mp3Time(data []byte) time.Duration {
	data = data[tagSize(data):]
	var total time.Duration
	for {
		next := mp3Frame(data)
		if next.size == 0 || next.size > len(data) {
			return total
		}
		total += next.time
		data = data[next.size:]
	}
}

// tagSize is the size of the tag (ID3v2) before the frames.
func tagSize(data []byte) int {
	const header = 10
	if len(data) < header || !bytes.HasPrefix(data, []byte("ID3")) {
		return 0
	}
	size := 0
	for _, part := range data[6:header] {
		size = size<<7 | int(part&0x7F)
	}

	return min(header+size, len(data))
}
