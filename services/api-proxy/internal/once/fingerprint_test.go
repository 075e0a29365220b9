package once

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
	"github.com/wxstack/wxstack/services/api-proxy/internal/spool"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
)

// form writes a form with a file and a description.
func form(boundary, file, description string) string {
	return strings.ReplaceAll("--B\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"+file+
		"\r\n--B\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\n"+description+"\r\n--B--\r\n", "--B", "--"+boundary)
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	const path, ours = "/cgi-bin/material/add_material", "multipart/form-data; boundary=ours"
	whole := form("ours", "file", "text")
	for name, tt := range map[string]struct {
		path, contentType, body string
		same                    bool
	}{
		"again":               {path, ours, whole, true},
		"another boundary":    {path, "multipart/form-data; boundary=theirs", form("theirs", "file", "text"), true},
		"another token":       {path + "?access_token=x", ours, whole, true},
		"another file":        {path, ours, form("ours", "FILE", "text"), false},
		"another description": {path, ours, form("ours", "file", "TEXT"), false},
		"moved":               {path, ours, form("ours", "filet", "ext"), false},
		"another name":        {path, ours, strings.ReplaceAll(whole, "a.jpg", "b.jpg"), false},
		"another kind":        {path, ours, strings.ReplaceAll(whole, "image/jpeg", "image/png"), false},
		"another field":       {path, ours, strings.ReplaceAll(whole, "description", "explanation"), false},
		"nothing of it":       {path, ours, "", false},
		"without its end":     {path, ours, strings.TrimSuffix(whole, "--ours--\r\n"), false},
		"no form":             {path, "application/octet-stream", whole, false},
		"no boundary":         {path, "multipart/form-data", whole, false},
		"another path":        {"/cgi-bin/media/upload", ours, whole, false},
	} {
		base := call(t, path, ours, whole)
		got := call(t, tt.path, tt.contentType, tt.body)
		if (base == got) != tt.same {
			t.Errorf("%s: the same %v, want %v", name, base == got, tt.same)
		}
	}
}

func TestFingerprintOfWhatIsNoForm(t *testing.T) {
	t.Parallel()
	for name, contentType := range map[string]string{
		"JSON": "application/json", "nothing said": "", "broken form": "multipart/form-data; boundary=B", "mixed": "multipart/mixed; boundary=B",
	} {
		one := call(t, "/p", contentType, "one")
		if again := call(t, "/p", contentType, "one"); one != again {
			t.Errorf("%s: the same body has two fingerprints", name)
		}
		if one == call(t, "/p", contentType, "two") {
			t.Errorf("%s: two bodies have the same fingerprint", name)
		}
	}
}

// call returns the fingerprint of a call.
func call(t *testing.T, uri, contentType, body string) [32]byte {
	t.Helper()
	to, err := target.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	got, err := fingerprint(forward.Call{
		Method: http.MethodPost, Target: to, Header: http.Header{"Content-Type": {contentType}}, Body: spool.Bytes([]byte(body)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func FuzzFingerprint(f *testing.F) {
	f.Add("multipart/form-data; boundary=B", form("B", "file", "text"))
	f.Add("multipart/form-data; boundary=B", "--B\r\n\r\n")
	f.Add("application/json", "{}")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		got := call(t, "/p", contentType, body)
		if again := call(t, "/p", contentType, body); got != again {
			t.Error("the same call has two fingerprints")
		}
		if got == call(t, "/p", "", body+"x") {
			t.Error("two calls have the same fingerprint")
		}
	})
}
