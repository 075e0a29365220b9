package logic

import (
	"net/http"
	"time"

	"github.com/wxstack/wxstack/chassis/egress"
)

const (
	// maxIdle is how many connections to one service that rules ask are kept for the next message, idleLife how long.
	maxIdle  = 64
	idleLife = time.Minute
	// handshakeTimeout bounds TLS alone; how long a service may take to answer is up to the rule.
	handshakeTimeout = 10 * time.Second
)

// outside makes the way to the services that rules ask.
func outside(c egress.Config) (*http.Transport, error) {
	way, err := c.Way()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: idleLife, TLSHandshakeTimeout: handshakeTimeout, ForceAttemptHTTP2: true,
	}
	way.Set(transport)

	return transport, nil
}
