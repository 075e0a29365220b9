package recording

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
)

// maxLine is more than any message has; WeChat's have a few thousand bytes.
const maxLine = 4 << 20

// Line is one line of a recording.
type Line struct {
	// Number counts from 1.
	Number int
	// Question is nil if Err is not.
	Question *logicv1.ReplyRequest
	// Err says what is wrong with this line; the next one may be right.
	Err error
}

// Read yields the lines of a recording. Empty ones are passed over. Fields of a newer version are not known and
// passed over too.
func Read(from io.Reader) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		in := bufio.NewReader(from)
		for number := 1; ; number++ {
			text, err := readLine(in)
			last := errors.Is(err, io.EOF)
			if last && text == "" {
				return
			}
			line := Line{Number: number}
			switch {
			case err != nil && !last:
				line.Err = err
			case strings.TrimSpace(text) == "":
				continue
			default:
				line.Question, line.Err = decode(text)
			}
			if !yield(line) || last || err != nil && !errors.Is(err, errTooLong) {
				return
			}
		}
	}
}

func decode(text string) (*logicv1.ReplyRequest, error) {
	question := &logicv1.ReplyRequest{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(text), question); err != nil {
		// The library's reason quotes what a follower may have written.
		return nil, errors.New("no wxstack.logic.v1.ReplyRequest as JSON; take the line out, or record anew")
	}
	if question.GetMessage() == nil {
		return nil, errors.New("there is no message in it; take the line out, or record anew")
	}
	return question, nil
}

var errTooLong = fmt.Errorf("longer than %d MiB, which no message is; is it a recording?", maxLine>>20)

// readLine returns the next line, without its end. Of one that is too long it returns errTooLong, and is at the
// one behind it then.
func readLine(in *bufio.Reader) (string, error) {
	var line []byte
	tooLong := false
	for {
		part, err := in.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > maxLine; tooLong {
			line = nil
		} else {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case tooLong && (err == nil || errors.Is(err, io.EOF)):
			return "", errTooLong
		default:
			return strings.TrimSuffix(string(line), "\n"), err
		}
	}
}
