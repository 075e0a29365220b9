package tokens

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ages is the metric of how old the tokens in memory are, computed when it is read.
type ages struct {
	cache *Cache
	desc  *prometheus.Desc
}

func newAges(c *Cache) *ages {
	return &ages{cache: c, desc: prometheus.NewDesc("apiproxy_token_age_seconds",
		"Time since the account's access token in memory came from token-center.", []string{"app_id"}, nil)}
}

// Describe implements prometheus.Collector.
func (a *ages) Describe(out chan<- *prometheus.Desc) { out <- a.desc }

// Collect implements prometheus.Collector.
func (a *ages) Collect(out chan<- prometheus.Metric) {
	now := time.Now()
	a.cache.mu.RLock()
	defer a.cache.mu.RUnlock()
	for appID, known := range a.cache.accounts {
		if known.token.Generation != 0 {
			out <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, now.Sub(known.arrived).Seconds(), appID)
		}
	}
}
