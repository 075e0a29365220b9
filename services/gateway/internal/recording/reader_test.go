package recording

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRead(t *testing.T) {
	t.Parallel()
	const good = `{"message":{"app_id":"wxA"},"message_key":"k","field_of_a_newer_version":1}`
	tests := map[string]struct{ in, want string }{
		"empty":                    {"", ""},
		"one":                      {good + "\n", "1 ok"},
		"without an end":           {good, "1 ok"},
		"empty lines":              {"\n" + good + "\r\n \n" + good + "\n", "2 ok, 4 ok"},
		"a broken one":             {good + "\n{\"message\":SENTINEL\n" + good + "\n", "1 ok, 2 no wxstack.logic.v1.ReplyRequest as JSON, 3 ok"},
		"no message":               {"{}\n" + good + "\n", "1 there is no message in it, 2 ok"},
		"one that is far too long": {strings.Repeat("x", maxLine+1) + "\n" + good + "\n", "1 longer than 4 MiB, 2 ok"},
		"that one at the end":      {good + "\n" + strings.Repeat("x", maxLine+1), "1 ok, 2 longer than 4 MiB"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for line := range Read(strings.NewReader(tt.in)) {
				said := "ok"
				if line.Err != nil {
					said, _, _ = strings.Cut(strings.ReplaceAll(line.Err.Error(), ";", ","), ",")
				} else if line.Question.GetMessage().GetAppId() != "wxA" {
					t.Errorf("read %v", line.Question)
				}
				got = append(got, strings.TrimSpace(string(rune('0'+line.Number)))+" "+said)
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("read %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReadEndsWithTheReader(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	lines := 0
	for line := range Read(iotest.ErrReader(broken)) {
		if lines++; !errors.Is(line.Err, broken) {
			t.Errorf("error %v", line.Err)
		}
	}
	if lines != 1 {
		t.Errorf("%d lines", lines)
	}
	for range Read(strings.NewReader("{}\n{}\n")) {
		break // which must end it.
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"message\":{\"app_id\":\"wxA\"}}\n\n{}"))
	f.Add([]byte("\x00\xff\n{{{{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		number := 0
		for line := range Read(strings.NewReader(string(data))) {
			if line.Number <= number || (line.Question == nil) != (line.Err != nil) {
				t.Errorf("line %d after %d: %v, %v", line.Number, number, line.Question, line.Err)
			}
			number = line.Number
		}
		if number > strings.Count(string(data), "\n")+1 {
			t.Errorf("%d lines", number)
		}
	})
}
