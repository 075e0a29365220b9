// Package condition evaluates the expressions of rules: what must hold of a message, where lists of words and
// patterns are not enough. The language is that of expr-lang.org without what depends on the moment; the names
// are those of package fields.
package condition

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/wxstack/wxstack/services/logic/internal/fields"
	"github.com/wxstack/wxstack/services/logic/internal/suggest"
)

// MaxBytes bounds an expression, and with it what it costs to evaluate one.
const MaxBytes = 1000

// Expression is a condition that was compiled. It is safe for concurrent use.
type Expression struct{ program *vm.Program }

// ErrExpression is what every error of Compile wraps.
var ErrExpression = errors.New("expression")

// Compile reads an expression. It must be a yes or no, and is tried on a sample, so that a mistake shows when
// rules are loaded and not when a follower writes.
func Compile(source string) (*Expression, error) {
	if len(source) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes long; %d is the most: make several rules", ErrExpression, len(source), MaxBytes)
	}
	program, err := expr.Compile(source, expr.Env(fields.Message{}), expr.AsBool(),
		// The same message must be decided the same by every replica and at every delivery.
		expr.DisableBuiltin("now"))
	if err != nil {
		return nil, explain(source, err)
	}
	e := &Expression{program: program}
	sample := fields.Sample()
	if _, err := e.Holds(&sample); err != nil {
		return nil, fmt.Errorf("%w: tried on a sample message: %w", ErrExpression, err)
	}

	return e, nil
}

// Holds reports whether the expression is true of a message. It fails when the expression does, such as on an
// index that the message is too short for, or when it would take too much memory.
func (e *Expression) Holds(msg *fields.Message) (holds bool, err error) {
	result, err := expr.Run(e.program, *msg)
	if err != nil {
		return false, errors.New(oneLine(err))
	}
	holds, _ = result.(bool) // AsBool has seen to it.

	return holds, nil
}

// unknownName finds the name in the compiler's complaint about one that it does not know.
var unknownName = regexp.MustCompile(`unknown name ([\pL_][\pL\pN_]*)`)

// explain adds what people most often meant.
func explain(source string, err error) error {
	reason := oneLine(err)
	if at, ok := errors.AsType[*file.Error](err); ok {
		reason = fmt.Sprintf("%s (character %d)", at.Message, at.Column+1)
	}
	switch unknown := unknownName.FindStringSubmatch(reason); {
	case unknown != nil:
		return fmt.Errorf("%w: %s%s", ErrExpression, reason, suggest.DidYouMean(unknown[1], fields.Names()))
	case strings.Contains(source, "{{"):
		return fmt.Errorf("%w: %s; an expression has no braces: write Content == \"…\", not {{ .Content }}", ErrExpression, reason)
	case strings.Contains(reason, "expected bool"):
		return fmt.Errorf("%w: %s; compare with something, as in Content contains \"…\"", ErrExpression, reason)
	}

	return fmt.Errorf("%w: %s; the language is described at https://expr-lang.org/docs/language-definition", ErrExpression, reason)
}

// oneLine leaves out the excerpt of the source that errors carry.
func oneLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")

	return line
}
