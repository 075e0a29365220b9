package logic_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/services/logic"
)

// TestMenuCommandsNameWhatTheyLack: they run although the settings of the service are wrong, and say what is wrong
// with their own.
func TestMenuCommandsNameWhatTheyLack(t *testing.T) {
	t.Parallel()
	cfg := &logic.Config{RulesFile: "/nonexistent.yaml", APIProxyAddr: "localhost:1", APIProxyKeyFile: "/nonexistent"}
	commands := logic.MenuCommands(cfg)
	for _, name := range []string{"menu diff", "menu apply", "menu pull"} {
		i := slices.IndexFunc(commands, func(c lifecycle.Command) bool { return c.Name == name })
		if i < 0 || !commands[i].Unchecked {
			t.Fatalf("%s is missing, or needs all settings", name)
		}
		if err := commands[i].Run(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "API_PROXY_KEY_FILE") {
			t.Errorf("%s: %v, want an error that names API_PROXY_KEY_FILE", name, err)
		}
	}
}
