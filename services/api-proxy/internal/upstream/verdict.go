package upstream

import (
	"bytes"
	"io"
	"net/http"

	"github.com/wxstack/wxstack/wechat/errcode"
)

// maxVerdict is how much of an answer with HTTP 5xx is looked at for an errcode, which WeChat writes first.
const maxVerdict = 1 << 10

// brokenDown reports whether an answer shows that the host does not work: HTTP 5xx by something in front
// of WeChat's API. A 5xx with an errcode is WeChat's verdict. The body of the answer can be read as before.
func brokenDown(resp *http.Response) bool {
	if resp.StatusCode < http.StatusInternalServerError {
		return false
	}
	// An error of reading shows again where the body is read on.
	head, _ := io.ReadAll(io.LimitReader(resp.Body, maxVerdict))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	code, _ := errcode.Parse(head)
	return code == errcode.Success
}
