package main

import (
	"strings"
	"testing"
)

func TestSettingsThatContradictEachOther(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]settings{
		"--own-logic and --rules":          {OwnLogic: "localhost:50051", Rules: "rules.yaml"},
		"--no-simulator needs --accounts":  {NoSimulator: true},
		"--callers needs --api-proxy-key-": {Callers: "callers.yaml"},
	} {
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q", err, want)
		}
	}
}
