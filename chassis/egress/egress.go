// Package egress is the way out to the internet: straight, or through a forward proxy whose address the
// other side knows (固定出口). Processes that must appear under one address use the same settings.
//
// The variables HTTP_PROXY and HTTPS_PROXY have no say: they are set for whole machines, and a proxy that
// sees every request should be somebody's decision.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/chassis/config"
)

// Config says by which proxy to leave. The zero value is the straight way.
type Config struct {
	ProxyURL        string `name:"egress-proxy" env:"WX_EGRESS_PROXY" help:"Forward proxy by which calls leave for the internet (固定出口): http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, the same for all that must leave by one address. Empty: none; HTTP_PROXY and HTTPS_PROXY are ignored."`
	CredentialsFile string `name:"egress-proxy-credentials-file" env:"WX_EGRESS_PROXY_CREDENTIALS_FILE" help:"File with USER:PASSWORD for the forward proxy, read at the start. Empty: it asks for none."`
}

const (
	proxySetting       = "WX_EGRESS_PROXY"
	credentialsSetting = "WX_EGRESS_PROXY_CREDENTIALS_FILE" //nolint:gosec // a name, not a credential.
	// maxCredential is the most that SOCKS5 carries of user or password, in bytes. Source: RFC 1929.
	maxCredential = 255
)

// Way is how requests leave. The zero value is the straight way.
//
// It serves every host alike, loopback included. HTTPS goes through a tunnel (CONNECT), in which the proxy
// sees the host's name and nothing else.
type Way struct{ proxy *url.URL }

// Check reads the credentials and parses the URL without connecting.
func (c Config) Check() error {
	_, err := c.Way()
	return err
}

// Way reads the credentials and returns the configured way. Its errors show neither the URL, in which
// somebody may have written a password, nor what the file holds.
func (c Config) Way() (Way, error) {
	if c.ProxyURL == "" {
		if c.CredentialsFile != "" {
			return Way{}, errors.New(credentialsSetting + ": set without " + proxySetting + ", which names the proxy; set both or none")
		}
		return Way{}, nil
	}
	proxy, err := parse(c.ProxyURL)
	if err != nil {
		return Way{}, err
	}
	if proxy.User, err = c.credentials(); err != nil {
		return Way{}, err
	}
	return Way{proxy: proxy}, nil
}

// Set makes the requests of a transport leave by this way. Call it before the transport's first request.
func (w Way) Set(t *http.Transport) {
	t.Proxy, t.OnProxyConnectResponse = nil, nil
	if w.proxy != nil {
		t.Proxy, t.OnProxyConnectResponse = http.ProxyURL(w.proxy), refusal
	}
}

// RefusedError is the error of a request for which the proxy made no tunnel. The request was not sent.
type RefusedError struct {
	// Status is the proxy's HTTP status, such as 407 when it does not accept the credentials.
	Status int
}

// Error implements error. It shows nothing that the proxy said.
func (e *RefusedError) Error() string {
	remedy := "see the log of the proxy"
	if e.Status == http.StatusProxyAuthRequired {
		remedy = "check " + credentialsSetting
	}
	return fmt.Sprintf("the forward proxy of %s refuses with HTTP status %d; %s", proxySetting, e.Status, remedy)
}

// refusal replaces net/http's own error, which is the proxy's words.
func refusal(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &RefusedError{Status: answer.StatusCode}
}

// parse does not pass on the error of url.Parse: for http://USER:PASSWORD it quotes the password as a port.
func parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) || u.Hostname() == "" || u.Port() == "" {
		return nil, errors.New(proxySetting + ": is not of the form http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT")
	}
	if u.User != nil {
		return nil, errors.New(proxySetting + ": holds a user or password, which would show in process lists; write USER:PASSWORD into a file and name it in " + credentialsSetting)
	}
	if plain := (url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}); *u != plain || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New(proxySetting + ": has something after HOST:PORT; write scheme, host and port only")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// credentials returns nil if the proxy asks for none.
func (c Config) credentials() (*url.Userinfo, error) {
	if c.CredentialsFile == "" {
		return nil, nil //nolint:nilnil // net/url takes nil for none.
	}
	secret, err := config.ReadSecret(credentialsSetting, c.CredentialsFile)
	if err != nil {
		return nil, err
	}
	user, password, ok := strings.Cut(secret.Reveal(), ":")
	if !ok || user == "" || password == "" || strings.ContainsAny(secret.Reveal(), "\r\n") {
		return nil, errors.New(credentialsSetting + ": the file does not hold one line of the form USER:PASSWORD")
	}
	if max(len(user), len(password)) > maxCredential {
		return nil, errors.New(credentialsSetting + ": user or password is longer than 255 bytes; give the proxy's user a shorter one")
	}
	return url.UserPassword(user, password), nil
}
