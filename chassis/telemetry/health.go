package telemetry

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Health is the state of the process's components. Each change of state is one log line and shows in
// the metric component_up; the whole shows at /readyz.
//
// A component that is down leaves the process degraded but ready: it goes on serving and names the
// failure to its callers. Were it not ready, what brought one replica down would take all of them out
// of the load balancer together, and callers would get its bare 503 instead.
type Health struct {
	log *slog.Logger
	up  *prometheus.GaugeVec

	mu         sync.Mutex
	components map[string]*Component
	draining   bool
}

// NewHealth makes a Health without components, which is ready.
func NewHealth(log *slog.Logger, registry *prometheus.Registry) *Health {
	up := Register(registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "component_up",
		Help: "1 while the component that the process leans on works, 0 while it does not.",
	}, []string{"component"}))
	return &Health{log: log, up: up, components: map[string]*Component{}}
}

// Component is one thing the process leans on, such as Redis.
type Component struct {
	health  *Health
	name    string
	err     error
	pending bool
}

// Component adds a component, which counts as up until reported otherwise. The same name again
// returns the same component, so that parts in one process can share one.
func (h *Health) Component(name string) *Component {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, ok := h.components[name]; ok {
		return c
	}
	c := &Component{health: h, name: name}
	h.components[name] = c
	h.up.WithLabelValues(name).Set(1)
	return c
}

// Pending says that the component has not come up yet, for the given reason. It counts as down, but a
// start that takes its normal course is no line in the log.
func (c *Component) Pending(reason error) {
	h := c.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.components[c.name] != c {
		return
	}
	c.err, c.pending = reason, true
	h.up.WithLabelValues(c.name).Set(0)
}

// Report tells the present state: nil for up, otherwise why it is down. Only a change is logged.
func (c *Component) Report(err error) {
	h := c.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.components[c.name] != c {
		return
	}
	changed := c.pending || (err == nil) != (c.err == nil)
	c.err, c.pending = err, false
	switch {
	case !changed:
	case err != nil:
		h.up.WithLabelValues(c.name).Set(0)
		h.log.Warn("component down", "component", c.name, "error", err)
	default:
		h.up.WithLabelValues(c.name).Set(1)
		h.log.Info("component up", "component", c.name)
	}
}

// Remove takes the component out: the process leans on it no more. What is reported of it later does not count,
// and the same name again is a new component.
func (c *Component) Remove() {
	h := c.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.components[c.name] == c {
		delete(h.components, c.name)
		h.up.DeleteLabelValues(c.name)
	}
}

// Drain makes the process not ready for good: it is about to stop.
func (h *Health) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// Report is the state of a process at one moment, as /readyz shows it.
type Report struct {
	// Status is ready, degraded or draining.
	Status     string            `json:"status"`
	Components map[string]string `json:"components,omitempty"`
}

// Report returns the present state and whether the process should get work.
func (h *Health) Report() (Report, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	report := Report{Status: "ready", Components: map[string]string{}}
	for name, c := range h.components {
		report.Components[name] = "up"
		if c.err == nil {
			continue
		}
		report.Components[name] = "down: " + c.err.Error()
		report.Status = "degraded"
	}
	if h.draining {
		report.Status = "draining"
	}
	return report, !h.draining
}

// Down lists the names of components that are down, sorted.
func (r Report) Down() []string {
	var down []string
	for name, state := range r.Components {
		if strings.HasPrefix(state, "down") {
			down = append(down, name)
		}
	}
	slices.Sort(down)
	return down
}

// ServeHTTP answers 200 when the process should get work and 503 otherwise, with the Report as JSON.
func (h *Health) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	report, ready := h.Report()
	w.Header().Set("Content-Type", "application/json")
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(report) //nolint:errchkjson // whoever asked may be gone.
}
