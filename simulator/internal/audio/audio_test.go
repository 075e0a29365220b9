package audio

import (
	"bytes"
	"testing"
	"time"
)

// frames are so many frames after an opening, each with that header and of that size.
func frames(opening string, count, size int, header ...byte) []byte {
	one := make([]byte, size)
	copy(one, header)

	return append([]byte(opening), bytes.Repeat(one, count)...)
}

func TestPlaytime(t *testing.T) {
	t.Parallel()
	const tag = "ID3\x04\x00\x00\x00\x00\x01\x05" // Of 133 bytes.
	for name, test := range map[string]struct {
		data []byte
		want time.Duration
	}{
		"AMR at 12.2 kbit/s":           {frames("#!AMR\n", 50, 32, 0x3C), time.Second},
		"AMR at 4.75 kbit/s":           {frames("#!AMR\n", 3000, 13, 0x04), time.Minute},
		"AMR without a sound":          {frames("#!AMR\n", 50, 6, 0x44), time.Second},
		"AMR with nothing":             {[]byte("#!AMR\n"), 0},
		"AMR, the last frame cut off":  {frames("#!AMR\n", 50, 32, 0x3C)[:6+49*32+5], 49 * 20 * time.Millisecond},
		"AMR, then something else":     {append(frames("#!AMR\n", 50, 32, 0x3C), "\x4Cjunk"...), time.Second},
		"AMR-WB at 23.85 kbit/s":       {frames("#!AMR-WB\n", 50, 61, 0x44), time.Second},
		"MP3, 320 kbit/s at 48 kHz":    {frames("", 1000, 960, 0xFF, 0xFB, 0xE4), 24 * time.Second},
		"MP3, 8 kbit/s at 16 kHz":      {frames("", 500, 36, 0xFF, 0xF3, 0x18), 18 * time.Second},
		"MP3 of version 2.5 at 8 kHz":  {frames("", 500, 72, 0xFF, 0xE3, 0x18), 36 * time.Second},
		"MP3 with padding":             {frames("", 1000, 961, 0xFF, 0xFB, 0xE6), 24 * time.Second},
		"MP3 after a tag":              {append([]byte(tag), append(make([]byte, 133), frames("", 1000, 960, 0xFF, 0xFB, 0xE4)...)...), 24 * time.Second},
		"a tag alone":                  {[]byte(tag), 0},
		"a bit rate that there isn't":  {frames("", 10, 960, 0xFF, 0xFB, 0xF4), 0},
		"a frequency that there isn't": {frames("", 10, 960, 0xFF, 0xFB, 0xEC), 0},
		"a version that there isn't":   {frames("", 10, 960, 0xFF, 0xEB, 0xE4), 0},
		"layer II":                     {frames("", 10, 960, 0xFF, 0xFD, 0xE4), 0},
		"text":                         {[]byte("no voice at all"), 0},
		"nothing":                      {nil, 0},
	} {
		if got := Playtime(test.data); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func FuzzPlaytime(f *testing.F) {
	f.Add(frames("#!AMR\n", 2, 32, 0x3C))
	f.Add(frames("", 2, 960, 0xFF, 0xFB, 0xE4))
	f.Add([]byte("ID3\x04\x00\x00\x7F\x7F\x7F\x7F"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := Playtime(data); got < 0 || got > time.Duration(len(data))*144*time.Millisecond {
			t.Errorf("%d bytes play %s", len(data), got)
		}
	})
}
