package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	// maxControlBody leaves room for a picture of 10 MB in base64.
	maxControlBody = 16 << 20
	// defaultListLength is how many records a list shows when not told.
	defaultListLength = 50
	// maxChatWait is how long a request may wait for a chat to grow.
	maxChatWait = 60 * time.Second
)

// handler is everything that the platform serves.
func (p *Platform) handler() http.Handler {
	mux := http.NewServeMux()
	p.routeControl(mux)
	p.routePage(mux)
	p.routeLoad(mux)
	p.routeJSSDK(mux)
	p.routeOAuthPage(mux)
	p.routeLoginPage(mux)
	mux.Handle("/", p.apiHandler())

	return mux
}

// routeControl registers the control API. Its JSON is the levers of this package,
// one path for each.
func (p *Platform) routeControl(mux *http.ServeMux) {
	get := map[string]controlFunc{
		"health":                  func(http.ResponseWriter, *http.Request) (any, error) { return done{OK: true}, nil },
		"accounts":                p.listAccounts,
		"types":                   p.listTypes,
		"menu":                    p.showMenu,
		"followers":               p.listFollowers,
		"followers/{openid}/chat": p.showChat,
		"pushes":                  p.listPushes,
		"pushes/{id}/explain":     p.explainPush,
		"calls":                   p.listCalls,
		"tokens":                  p.listTokens,
		"faults":                  p.listFaults,
	}
	for path, serve := range get {
		mux.Handle("GET /sim/v1/"+path, control(serve))
	}
	post := map[string]controlFunc{
		"push":     p.controlPush,
		"accounts": p.controlAccount,

		"scan":                   p.controlScan,
		"followers/refuse":       p.controlRefusal,
		"accounts/condition":     p.controlCondition,
		"accounts/ip_allow_list": p.controlIPAllowList,

		"verify":        p.controlVerify,
		"examine":       p.controlExamine,
		"callback":      p.controlCallback,
		"tokens/rotate": p.controlRotate,
		"tokens/expire": p.controlExpire,
		"faults":        p.controlFault,
		"clock/advance": p.controlClock,
		"reset":         p.controlReset,
		"media":         p.controlMedia,
		"quotas":        p.controlQuota,
		"oauth/code":    p.controlOAuthCode,
		"oauth/revoke":  p.controlOAuthRevoke,

		"component/ticket":      p.controlTicket,
		"component/authorize":   p.controlAuthorize,
		"component/unauthorize": p.controlUnauthorize,
	}
	for path, serve := range post {
		mux.Handle("POST /sim/v1/"+path, control(serve))
	}
	mux.HandleFunc("DELETE /sim/v1/faults", func(w http.ResponseWriter, _ *http.Request) {
		p.ClearFaults()
		writeJSON(w, http.StatusOK, done{OK: true})
	})
	mux.HandleFunc("GET /sim/v1/media/{id}", p.servePicture)
	mux.HandleFunc("GET /sim/v1/events", p.serveEvents)
	mux.HandleFunc("/sim/", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusNotFound, failure{Error: "no such control path: " + r.Method + " " + r.URL.Path})
	})
}

// done is the answer of levers that have nothing to tell.
type done struct {
	OK bool `json:"ok"`
}

// failure is every error of the control API.
type failure struct {
	Error string `json:"error"`
}

// controlFunc serves one control path. An error that wraps ErrInvalid is the
// caller's fault.
type controlFunc func(http.ResponseWriter, *http.Request) (any, error)

func control(serve controlFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value, err := serve(w, r)
		switch {
		case errors.Is(err, ErrInvalid):
			writeJSON(w, http.StatusBadRequest, failure{Error: err.Error()})
		case err != nil:
			writeJSON(w, http.StatusInternalServerError, failure{Error: err.Error()})
		default:
			writeJSON(w, http.StatusOK, value)
		}
	})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) //nolint:errchkjson // The caller may be gone, and nobody else would care.
}

// readControl decodes a request. Unknown fields are refused, because a misspelt
// lever that does nothing costs an evening. An absent body leaves everything empty.
func readControl(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the body must be a JSON object with the documented fields: %w", ErrInvalid, err)
	}
	if err := decoder.Decode(new(json.RawMessage)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows after the JSON object", ErrInvalid)
	}

	return nil
}

// limitOf reads how many records a list shall show.
func limitOf(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return defaultListLength, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 {
		return 0, fmt.Errorf("%w: limit %q must be a positive number", ErrInvalid, text)
	}

	return limit, nil
}
