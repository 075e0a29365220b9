package menu

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/wechat/errcode"
)

// Caller makes calls to WeChat. WeChat's refusal is data (an errcode); an error means that api-proxy could not do
// it.
type Caller interface {
	Call(ctx context.Context, req *apiproxyv1.CallRequest, opts ...grpc.CallOption) (*apiproxyv1.CallResponse, error)
}

// Account is the account whose menu it is.
type Account struct {
	Caller Caller
	// AppID may be empty where api-proxy has one account only.
	AppID string
}

// Menu asks WeChat for the menu. An account without one has an empty menu, not an error; so has one whose menu was
// made in the console (微信公众平台) instead of by interface.
func (a Account) Menu(ctx context.Context) (Menu, error) {
	const does = "read the menu"
	answer, err := a.call(ctx, Step{Does: does, Method: http.MethodGet, Path: "/cgi-bin/menu/get"})
	switch {
	case err != nil:
		return Menu{}, err
	case errcode.Code(answer.GetErrcode()) == errcode.NoMenu:
		return Menu{}, nil
	case answer.GetErrcode() != 0:
		return Menu{}, &RefusedError{Does: does, Code: errcode.Code(answer.GetErrcode()), RequestID: errcode.RequestID(answer.GetErrmsg())}
	}

	return parse(answer.GetBody())
}

// Apply makes the calls one after the other and tells done after each that WeChat carried out. It stops at the
// first that it did not. Making a new plan and applying it does only what is left then.
func (a Account) Apply(ctx context.Context, steps []Step, done func(Step)) error {
	for _, step := range steps {
		answer, err := a.call(ctx, step)
		if err != nil {
			return err
		}
		if code := errcode.Code(answer.GetErrcode()); code != errcode.Success {
			return &RefusedError{
				Does: step.Does, Code: code, RequestID: errcode.RequestID(answer.GetErrmsg()), Buttons: concerned(code, step.Buttons),
			}
		}
		done(step)
	}

	return nil
}

// callTimeout is for one call, over which api-proxy may try several hosts of WeChat's.
const callTimeout = 15 * time.Second

func (a Account) call(ctx context.Context, step Step) (*apiproxyv1.CallResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := a.Caller.Call(ctx, &apiproxyv1.CallRequest{AppId: a.AppID, Method: step.Method, Path: step.Path, Body: step.Body})
	switch {
	case err != nil:
		return nil, notMade(step, err)
	case answer.GetHttpStatus() != http.StatusOK:
		return nil, fmt.Errorf("%s: WeChat answered with HTTP status %d", step.Does, answer.GetHttpStatus())
	}

	return answer, nil
}

// notMade says that api-proxy could not make a call, or that nobody knows whether it did.
func notMade(step Step, err error) error {
	kind, message := fault.KindOf(err), err.Error()
	if said, ok := errors.AsType[*fault.Error](err); ok {
		message = said.Message() // without its cause, which repeats it.
	}
	if kind == fault.Deadline {
		message = "no answer by way of api-proxy (API_PROXY_ADDR), so whether WeChat did it is not known: " + message
	}

	return fault.New(kind, "%s: %s", step.Does, message)
}

// RefusedError says that WeChat refused a call.
type RefusedError struct {
	// Does is what the call was to do.
	Does string
	Code errcode.Code
	// RequestID is WeChat's rid, by which it finds the call again; empty if it gave none.
	RequestID string
	// Buttons are the names of those that the code is about, as far as it tells.
	Buttons []string
}

// Error names the code, the buttons and the remedy, never WeChat's own words, which may hold a secret.
func (e *RefusedError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: WeChat refused it with errcode %d", e.Does, e.Code)
	if len(e.Buttons) > 0 {
		fmt.Fprintf(&text, ", which is about %s", strings.Join(e.Buttons, ", "))
	}
	fmt.Fprintf(&text, ": %s", e.Code.Remedy())
	if e.RequestID != "" {
		fmt.Fprintf(&text, " (rid %s)", e.RequestID)
	}

	return text.String()
}

// concerned names the buttons that a refusal can be about. The codes do not say which of several it is.
func concerned(code errcode.Code, buttons []Button) []string {
	about, known := subjects[code]
	if !known {
		return nil
	}
	var names []string
	for i := range buttons {
		top := &buttons[i]
		if about(top, false) {
			names = append(names, fmt.Sprintf("%q", top.Name))
		}
		for j := range top.Buttons {
			if about(&top.Buttons[j], true) {
				names = append(names, fmt.Sprintf("%q below %q", top.Buttons[j].Name, top.Name))
			}
		}
	}

	return names
}

// subjects tells which buttons of the upper or the lower level a refusal can be about (微信公众平台
// “全局返回码说明”).
var subjects = map[errcode.Code]func(b *Button, lower bool) bool{
	40007: func(b *Button, _ bool) bool { return b.MediaID != "" },
	40018: func(b *Button, lower bool) bool { return !lower && len(b.Name) > nameBytes },
	40019: func(b *Button, lower bool) bool { return !lower && b.Key != "" },
	40020: func(b *Button, lower bool) bool { return !lower && b.URL != "" },
	40025: func(b *Button, lower bool) bool { return lower && len(b.Name) > nameBytesBelow },
	40026: func(b *Button, lower bool) bool { return lower && b.Key != "" },
	40027: func(b *Button, lower bool) bool { return lower && b.URL != "" },
	40054: func(b *Button, lower bool) bool { return lower && b.URL != "" },
	40055: func(b *Button, lower bool) bool { return !lower && b.URL != "" },
	40165: func(b *Button, _ bool) bool { return b.Type == miniProgram },
	40166: func(b *Button, _ bool) bool { return b.Type == miniProgram },
	53600: func(b *Button, _ bool) bool { return b.ArticleID != "" },
	65316: func(b *Button, _ bool) bool { return b.URL != "" },
	65317: func(b *Button, _ bool) bool { return b.URL != "" },
}
