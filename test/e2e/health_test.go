package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// expectDown returns nil when the process's readiness says that the component is down.
func expectDown(debugURL, component string) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, debugURL+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var report struct {
		Status     string            `json:"status"`
		Components map[string]string `json:"components"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil {
		return err
	}
	if !strings.HasPrefix(report.Components[component], "down") {
		return fmt.Errorf("components %v", report.Components)
	}
	return nil
}
