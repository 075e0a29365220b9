package menu

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

// Step is one call to WeChat that changes the menu.
type Step struct {
	// Does says what the call does, in the imperative.
	Does         string
	Method, Path string
	// Body is JSON; empty for calls without one.
	Body []byte
	// Buttons are what WeChat may refuse about it.
	Buttons []Button
}

func create(buttons []Button) Step {
	return Step{
		Does: "create the default menu", Method: http.MethodPost, Path: "/cgi-bin/menu/create",
		Body: encode(map[string]any{"button": buttons}), Buttons: buttons,
	}
}

func deleteAll() Step {
	return Step{Does: "delete the menu, with all conditional ones", Method: http.MethodGet, Path: "/cgi-bin/menu/delete"}
}

func addConditional(c *Conditional) Step {
	return Step{
		Does: fmt.Sprintf("add the conditional menu for %s", c.Match), Method: http.MethodPost, Path: "/cgi-bin/menu/addconditional",
		Body: encode(map[string]any{"button": c.Buttons, "matchrule": c.Match}), Buttons: c.Buttons,
	}
}

func deleteConditional(c *Conditional) Step {
	return Step{
		Does: fmt.Sprintf("delete the conditional menu for %s", c.Match), Method: http.MethodPost, Path: "/cgi-bin/menu/delconditional",
		Body: encode(map[string]any{"menuid": c.ID}),
	}
}

// encode writes JSON without the \u escapes that WeChat refuses (40033).
func encode(body map[string]any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) //nolint:errchkjson // texts, lists and maps of them always encode.

	return bytes.TrimSpace(text.Bytes())
}
