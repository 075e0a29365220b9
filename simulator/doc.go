// Package simulator plays the WeChat platform (微信公众平台) for tests, load runs
// and the first evening with wxstack: it pushes what followers do to an account's
// callback URL, judges the answers as WeChat does, serves the account's API, and
// shows everything in a chat page.
//
// It is a library first. A test starts it on a free port, acts as a follower, and
// looks inside:
//
//	platform := simulator.Start(t)
//	platform.SetCallback(simulator.DefaultAppID, gatewayURL, "")
//	result, err := platform.Push(ctx, simulator.Push{Type: simulator.TypeText, Content: "你好"})
//
// The levers for time and failure are AdvanceClock, SetFault, SetQuota, RotateToken
// and ExpireToken. The same levers are reachable over HTTP under /sim/v1/, for
// processes that are tested from outside.
//
// The simulator shares no message code with the stack that it tests. Pushes and
// replies go through a small codec of its own that is pinned to recorded samples,
// so that one mistake can't hide on both sides.
//
// What is known to differ from the real platform is listed in docs/simulator-divergences.md.
package simulator
