// Package rpc builds gRPC servers and clients the one way this house does it: deadlines that shrink
// at every hop, faults that keep their kind, recovered panics, metrics, traces, health, reflection,
// round-robin over DNS, keepalive, and mutual TLS where certificates are configured.
package rpc

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/credentials/tls/certprovider"
	"google.golang.org/grpc/credentials/tls/certprovider/pemfile"
	"google.golang.org/grpc/security/advancedtls"
)

// TLS names the files of mutual TLS. All three or none: none means plaintext, which is warned about.
type TLS struct {
	CertFile string `name:"tls-cert-file" env:"TLS_CERT_FILE" help:"Certificate (PEM) of this service; with key and CA it makes mutual TLS required. Changed files are picked up."`
	KeyFile  string `name:"tls-key-file" env:"TLS_KEY_FILE" help:"Private key (PEM) of this service."`
	CAFile   string `name:"tls-ca-file" env:"TLS_CA_FILE" help:"Certificates (PEM) that sign the other services' certificates."`
}

// certificateRefresh is how often changed certificate files are looked for.
const certificateRefresh = time.Minute

// Check reads the files and returns what is wrong with them.
func (t TLS) Check() error {
	switch {
	case !t.Enabled() && t.KeyFile == "" && t.CAFile == "":
		return nil
	case t.CertFile == "" || t.KeyFile == "" || t.CAFile == "":
		return errors.New("TLS_CERT_FILE, TLS_KEY_FILE and TLS_CA_FILE: set all three for mutual TLS, or none")
	}
	if _, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile); err != nil {
		return fmt.Errorf("TLS_CERT_FILE and TLS_KEY_FILE: %w", err)
	}
	return nil
}

// Enabled reports whether mutual TLS is configured.
func (t TLS) Enabled() bool { return t.CertFile != "" }

func (t TLS) server() (credentials.TransportCredentials, error) {
	if !t.Enabled() {
		return insecure.NewCredentials(), nil
	}
	identity, roots, err := t.providers()
	if err != nil {
		return nil, err
	}
	creds, err := advancedtls.NewServerCreds(&advancedtls.Options{
		IdentityOptions:   advancedtls.IdentityCertificateOptions{IdentityProvider: identity},
		RootOptions:       advancedtls.RootCertificateOptions{RootProvider: roots},
		RequireClientCert: true,
		VerificationType:  advancedtls.CertVerification,
		MinTLSVersion:     tls.VersionTLS13,
		MaxTLSVersion:     tls.VersionTLS13,
	})
	if err != nil {
		return nil, fmt.Errorf("mutual TLS of the server: %w", err)
	}
	return creds, nil
}

// HTTP returns what an HTTP server beside the gRPC server needs to demand the same certificates, and to pick
// up changed files as it does; nil without TLS files.
func (t TLS) HTTP() (*tls.Config, error) {
	if !t.Enabled() {
		return nil, nil //nolint:nilnil // net/http takes nil for plaintext.
	}
	identity, roots, err := t.providers()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			own, err := identity.KeyMaterial(hello.Context())
			if err != nil {
				return nil, fmt.Errorf("TLS_CERT_FILE and TLS_KEY_FILE: %w", err)
			}
			trusted, err := roots.KeyMaterial(hello.Context())
			if err != nil {
				return nil, fmt.Errorf("TLS_CA_FILE: %w", err)
			}
			return &tls.Config{
				MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"},
				Certificates: own.Certs, ClientCAs: trusted.Roots, ClientAuth: tls.RequireAndVerifyClientCert,
			}, nil
		},
	}, nil
}

func (t TLS) client() (credentials.TransportCredentials, error) {
	if !t.Enabled() {
		return insecure.NewCredentials(), nil
	}
	identity, roots, err := t.providers()
	if err != nil {
		return nil, err
	}
	creds, err := advancedtls.NewClientCreds(&advancedtls.Options{
		IdentityOptions:  advancedtls.IdentityCertificateOptions{IdentityProvider: identity},
		RootOptions:      advancedtls.RootCertificateOptions{RootProvider: roots},
		VerificationType: advancedtls.CertAndHostVerification,
		MinTLSVersion:    tls.VersionTLS13,
		MaxTLSVersion:    tls.VersionTLS13,
	})
	if err != nil {
		return nil, fmt.Errorf("mutual TLS of the client: %w", err)
	}
	return creds, nil
}

func (t TLS) providers() (identity, roots certprovider.Provider, err error) {
	identity, err = pemfile.NewProvider(pemfile.Options{CertFile: t.CertFile, KeyFile: t.KeyFile, RefreshDuration: certificateRefresh})
	if err != nil {
		return nil, nil, fmt.Errorf("TLS_CERT_FILE and TLS_KEY_FILE: %w", err)
	}
	roots, err = pemfile.NewProvider(pemfile.Options{RootFile: t.CAFile, RefreshDuration: certificateRefresh})
	if err != nil {
		return nil, nil, fmt.Errorf("TLS_CA_FILE: %w", err)
	}
	return identity, roots, nil
}
