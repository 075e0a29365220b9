package rpc_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/wxstack/wxstack/chassis/rpc"
)

func TestAnHTTPServerDemandsTheSameCertificates(t *testing.T) {
	t.Parallel()
	house, stranger := newCA(t), newCA(t)
	own := house.issue(t, "server")
	config, err := own.HTTP()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	server.Listener = tls.NewListener(server.Listener, config)
	server.Start()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	if pem, err := os.ReadFile(own.CAFile); err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatal("the CA cannot be read")
	}
	for name, files := range map[string]rpc.TLS{"client": house.issue(t, "client"), "": stranger.issue(t, "client")} {
		pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}
		t.Cleanup(transport.CloseIdleConnections)
		resp, err := (&http.Client{Transport: transport}).Get("https://" + server.Listener.Addr().String())
		if err != nil {
			if name != "" {
				t.Errorf("a client of the house: %v", err)
			}
			continue
		}
		got, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(got) != name {
			t.Errorf("the server saw %q, want %q", got, name)
		}
	}
}

func TestWithoutFilesHTTPIsPlain(t *testing.T) {
	t.Parallel()
	if config, err := (rpc.TLS{}).HTTP(); config != nil || err != nil {
		t.Errorf("config %v, error %v", config, err)
	}
}
