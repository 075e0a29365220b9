package condition_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/condition"
	"github.com/wxstack/wxstack/services/logic/internal/fields"
)

func message(content string) *fields.Message {
	made := fields.Of(&messagev1.Message{
		FromUserName: "o1", MsgType: "text", MsgId: 7, Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: content}},
	}, time.Date(2026, 11, 25, 1, 30, 0, 0, time.UTC))

	return &made
}

func TestHolds(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]bool{
		`Content contains "订单" and len(Content) < 10`:                true,
		`Content matches "^订单[0-9]{4}$"`:                             true,
		`Content startsWith "退款" or MsgType == "image"`:              false,
		`Content in ["订单1234", "x"]`:                                 true,
		`not (Content endsWith "4")`:                                 false,
		`Time.Hour() == 9 && Time.Weekday().String() == "Wednesday"`: true, // 01:30 UTC is 09:30 in China
		`MsgID % 2 == 1`: true,
		`lower("AbC") == "abc" && int(Content[2:] == "1234" ? 1 : 0) == 0`: true, // strings are indexed by bytes
		`any(split(Content, ""), # == "4")`:                                true,
		`Latitude > 30 && Longitude < 120`:                                 false,
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			e, err := condition.Compile(source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.Holds(message("订单1234"))
			if err != nil || got != want {
				t.Errorf("want %v, got %v, %v", want, got, err)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`Contnet == "x"`:                `unknown name Contnet (character 1); did you mean "Content"?`,
		`Quux == "x"`:                   `unknown name Quux (character 1); known are: AppID, ToUserName`,
		`Content`:                       `compare with something`,
		`Content == 1`:                  `mismatched types string and int`,
		`{{ .Content }} == "x"`:         `an expression has no braces`,
		`Content == `:                   `expr-lang.org`,
		`now().Hour() > 3`:              `unknown name now`,
		``:                              `expr-lang.org`,
		`split(Content, " ")[9] == "x"`: `tried on a sample message`,
		`len(map(1..100000000, #)) > 1`: `memory budget exceeded`,
		strings.Repeat("x", 1001):       `1001 bytes long; 1000 is the most`,
	} {
		t.Run(source[:min(len(source), 40)], func(t *testing.T) {
			t.Parallel()
			_, err := condition.Compile(source)
			if !errors.Is(err, condition.ErrExpression) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("want one line with %q, got %v", want, err)
			}
		})
	}
}

func TestHoldsFails(t *testing.T) {
	t.Parallel()
	e, err := condition.Compile(`split(Content, " ")[1] == "x"`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Holds(message("短")); err == nil || strings.Contains(err.Error(), "短") || strings.Contains(err.Error(), "\n") {
		t.Errorf("want an error of one line without the content, got %v", err)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`Content contains "订单"`, "订单")
	f.Add(`all(1..10, # > 0) && Time.Hour() >= 9`, "")
	f.Add(`Content matches Content`, "(")
	f.Fuzz(func(t *testing.T, source, content string) {
		e, err := condition.Compile(source)
		if err != nil {
			if !errors.Is(err, condition.ErrExpression) {
				t.Errorf("%v is no ErrExpression", err)
			}

			return
		}
		_, _ = e.Holds(message(content))
	})
}

func BenchmarkHolds(b *testing.B) {
	e, err := condition.Compile(`Content contains "订单" and len(Content) < 20`)
	if err != nil {
		b.Fatal(err)
	}
	msg := message("订单1234")
	b.ReportAllocs()
	for b.Loop() {
		if holds, _ := e.Holds(msg); !holds {
			b.Fatal("does not hold")
		}
	}
}
