package media

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/audio"
	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// The kinds of material, which are also types of messages.
const (
	Image = "image"
	Thumb = "thumb"
	Voice = "voice"
	Video = "video"
	News  = "news" // Permanent material only.
)

// The content types of material.
const (
	TypePNG  = "image/png"
	TypeJPEG = "image/jpeg"
	TypeGIF  = "image/gif"
	typeAMR  = "audio/amr"
	typeMP4  = "video/mp4"
)

// MaxPermanentVideo is the limit of a permanent video. The real limits differ: the
// documents say 10 MB, the console takes more. The simulator's is high, so that
// large uploads can be tested.
const MaxPermanentVideo = 32 << 20

// Rule is what WeChat takes of one kind of material.
type Rule struct {
	MaxBytes int
	prefixes []string      // Of the content type that the bytes look like; none means any.
	playtime time.Duration // That a voice may have; 0 means any.
}

// maxPlaytime is how long a voice (语音) may play.
const maxPlaytime = time.Minute

// Temporary are the limits of temporary material (新增临时素材).
var Temporary = map[string]Rule{
	Image: {MaxBytes: 10 << 20, prefixes: []string{TypePNG, TypeJPEG, TypeGIF}},
	Thumb: {MaxBytes: 64 << 10, prefixes: []string{TypeJPEG}},
	Voice: {MaxBytes: 2 << 20, prefixes: []string{typeAMR, "audio/mpeg"}, playtime: maxPlaytime},
	Video: {MaxBytes: 10 << 20, prefixes: []string{typeMP4}},
}

// ContentTypeOf tells a file's type by its first bytes; the standard library knows no AMR, and MP3 only with a tag.
func ContentTypeOf(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("#!AMR")):
		return typeAMR
	case len(data) > 1 && data[0] == 0xFF && data[1]&0xE6 == 0xE2: // The sync of a frame of layer III.
		return "audio/mpeg"
	default:
		return http.DetectContentType(data)
	}
}

// Check returns the content type of a file that the rules allow for a kind, or
// WeChat's refusal.
func Check(rules map[string]Rule, kind string, data []byte) (string, errcode.Code) {
	rule, known := rules[kind]
	switch {
	case !known:
		return "", errcode.MediaType
	case len(data) == 0:
		return "", errcode.MediaMissing
	case len(data) > rule.MaxBytes:
		return "", errcode.FileSize
	}
	contentType := ContentTypeOf(data)
	matches := len(rule.prefixes) == 0
	for _, prefix := range rule.prefixes {
		matches = matches || strings.HasPrefix(contentType, prefix)
	}
	switch {
	case !matches:
		return "", errcode.FileType
	case rule.playtime > 0 && audio.Playtime(data) > rule.playtime:
		return "", errcode.Playtime
	default:
		return contentType, errcode.OK
	}
}

// Permanent are the limits of permanent material (新增永久素材).
var Permanent = map[string]Rule{
	Image: {MaxBytes: 10 << 20, prefixes: []string{TypePNG, TypeJPEG, TypeGIF, "image/bmp"}},
	Thumb: {MaxBytes: 64 << 10, prefixes: []string{TypeJPEG}},
	Voice: {MaxBytes: 2 << 20, prefixes: []string{typeAMR, "audio/mpeg", "audio/wave"}, playtime: maxPlaytime},
	Video: {MaxBytes: MaxPermanentVideo, prefixes: []string{typeMP4}},
}
