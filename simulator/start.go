package simulator

import "context"

// TB is what Start needs of a *testing.T or *testing.B.
type TB interface {
	Helper()
	Cleanup(f func())
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// Start runs a platform on a free port for the length of a test. The functions
// change the options first; without any there is one account, DefaultAccount,
// whose callback URL is given later with SetCallback.
func Start(t TB, configure ...func(*Options)) *Platform {
	t.Helper()
	var options Options
	for _, change := range configure {
		change(&options)
	}
	platform, err := New(options)
	if err != nil {
		t.Fatalf("start simulator: %v", err)

		return nil // A TB that isn't of package testing may come back.
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- platform.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Logf("stop simulator: %v", err)
		}
	})

	return platform
}
