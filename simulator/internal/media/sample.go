package media

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
)

// Sample is the file of a push that brings none.
func Sample(kind string) []byte {
	const frames, frame = 50, 32 // One second of AMR-NB at 12.2 kbit/s.
	switch kind {
	case Image:
		return SamplePicture()
	case Thumb:
		var encoded bytes.Buffer
		_ = jpeg.Encode(&encoded, image.NewGray(image.Rect(0, 0, 16, 16)), nil) // A buffer takes everything.

		return encoded.Bytes()
	case Voice:
		return append([]byte(openings[Voice].bytes), bytes.Repeat(append([]byte{0x3c}, make([]byte, frame-1)...), frames)...)
	default:
		return append([]byte(openings[kind].bytes), make([]byte, 1<<10)...)
	}
}

// SamplePicture paints the picture of an image push that brings none.
func SamplePicture() []byte {
	const width, height, scale = 240, 160, 255
	canvas := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			shade := color.RGBA{R: uint8(x * scale / width), G: 0xC1, B: uint8(y * scale / height), A: scale}
			canvas.SetRGBA(x, y, shade)
		}
	}
	var encoded bytes.Buffer
	_ = png.Encode(&encoded, canvas) // A buffer takes everything.

	return encoded.Bytes()
}
