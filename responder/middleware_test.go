package responder_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/responder"
)

// both lets a handler answer in both ways alike: what is decided at once must not differ.
func both(handler responder.Handler) map[string]responder.HandlerFunc {
	prompt, ok := handler.(responder.PromptHandler)
	if !ok {
		return map[string]responder.HandlerFunc{"Reply": handler.Reply}
	}
	return map[string]responder.HandlerFunc{
		"Reply": handler.Reply,
		"ReplyAtOnce": func(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
			resp, ok, err := prompt.ReplyAtOnce(ctx, req)
			if !ok {
				return nil, errNotAtOnce
			}
			return resp, err
		},
	}
}

var errNotAtOnce = errors.New("not answered at once")

func about(kind string) *logicv1.ReplyRequest {
	return &logicv1.ReplyRequest{Message: &messagev1.Message{FromUserName: "o", MsgType: kind}}
}

func fails(err error) func(context.Context) (*logicv1.ReplyResponse, error) {
	return func(context.Context) (*logicv1.ReplyResponse, error) { return nil, err }
}

// TestMiddlewareKeepsAHandlerPrompt: what is behind it answers at once what it answered at once before.
func TestMiddlewareKeepsAHandlerPrompt(t *testing.T) {
	t.Parallel()
	for name, middleware := range map[string]responder.Middleware{
		"Named":           responder.Named("x"),
		"Fallback":        responder.Fallback(responder.Silence(), telemetry.Discard().Log),
		"Timeout":         responder.Timeout(time.Second, responder.Silence()),
		"DeliveryTimeout": responder.DeliveryTimeout(time.Second, responder.Silence()),
		"Metrics":         responder.Metrics(prometheus.NewRegistry()),
		"ByAccount": func(next responder.Handler) responder.Handler {
			return responder.ByAccount(nil, next)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			subject := responder.Chain(promptly{byType{"text": answers("x"), "image": answers("later")}}, middleware)
			for way, ask := range both(subject) {
				if resp, err := ask(t.Context(), about("text")); err != nil || resp.GetReply().GetText().GetContent() != "x" {
					t.Errorf("%s gave %v, %v", way, resp, err)
				}
			}
			if _, err := both(subject)["ReplyAtOnce"](t.Context(), about("image")); !errors.Is(err, errNotAtOnce) {
				t.Errorf("a message that must wait gave %v at once", err)
			}
			if resp, err := subject.Reply(t.Context(), about("image")); err != nil || resp.GetReply().GetText().GetContent() != "later" {
				t.Errorf("and later %v, %v", resp, err)
			}
			// Of a handler that is not prompt nothing is known at once.
			waits := responder.Chain(byType{"text": answers("x")}, middleware)
			if _, err := both(waits)["ReplyAtOnce"](t.Context(), about("text")); !errors.Is(err, errNotAtOnce) {
				t.Errorf("a handler that may wait was asked at once and gave %v", err)
			}
		})
	}
}

func TestFallback(t *testing.T) {
	t.Parallel()
	unavailable := fault.New(fault.Unavailable, "come back")
	var log bytes.Buffer
	subject := responder.Chain(promptly{byType{
		"text": answers("fine"), "link": panics, "voice": fails(errors.New("no luck")),
		"video": fails(unavailable), "location": fails(fault.New(fault.Throttled, "slow down")),
	}}, responder.Fallback(responder.Text("instead"), telemetry.ForTest(&log).Log))
	for kind, want := range map[string]string{
		"text": "fine", "link": "instead", "voice": "instead", "video": "UNAVAILABLE", "location": "THROTTLED",
	} {
		for way, ask := range both(subject) {
			resp, err := ask(t.Context(), about(kind))
			got := resp.GetReply().GetText().GetContent()
			if err != nil {
				got = string(fault.KindOf(err))
			}
			if got != want {
				t.Errorf("%s of %s gave %q, want %q", way, kind, got, want)
			}
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 4 {
		t.Errorf("%d lines in the log, want one for each of 4 fallbacks:\n%s", n, log.String())
	}
	if !strings.Contains(log.String(), "secret detail") || !strings.Contains(log.String(), "responder_test.panics") {
		t.Errorf("the log does not tell the panic and where it happened:\n%s", log.String())
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if resp, err := subject.Reply(ended, about("voice")); err == nil {
		t.Errorf("when nobody waits any more the answer is %v, want the error", resp)
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	instead := responder.Text("instead")
	tests := map[string]struct {
		middleware responder.Middleware
		left       time.Duration // of the delivery
		works      time.Duration
		want       string
		after      time.Duration
	}{
		"in time":                   {responder.Timeout(3*time.Second, instead), 5 * time.Second, 2 * time.Second, "done", 2 * time.Second},
		"too slow":                  {responder.Timeout(3*time.Second, instead), 5 * time.Second, 4 * time.Second, "instead", 3 * time.Second},
		"longer than all":           {responder.Timeout(time.Minute, instead), 5 * time.Second, 20 * time.Second, "DEADLINE", 14 * time.Second},
		"in the delivery":           {responder.DeliveryTimeout(time.Second, instead), 5 * time.Second, 3 * time.Second, "done", 3 * time.Second},
		"too slow for the delivery": {responder.DeliveryTimeout(time.Second, instead), 5 * time.Second, 6 * time.Second, "instead", 4 * time.Second},
		"less left than the margin": {responder.DeliveryTimeout(time.Second, instead), 900 * time.Millisecond, time.Second, "instead", 0},
		"no delivery under way":     {responder.DeliveryTimeout(time.Second, instead), 0, 6 * time.Second, "done", 6 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				works := responder.HandlerFunc(func(ctx context.Context, _ *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
					select {
					case <-time.After(tt.works):
						return responder.Text("done"), nil
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				})
				req := about("text")
				req.DeliveryTimeLeft = durationpb.New(tt.left)
				ctx, cancel := context.WithTimeout(t.Context(), 14*time.Second)
				defer cancel()
				start := time.Now()
				resp, err := responder.Chain(works, tt.middleware).Reply(ctx, req)
				got := resp.GetReply().GetText().GetContent()
				if err != nil {
					got = string(fault.KindOf(err))
				}
				if took := time.Since(start); got != tt.want || took != tt.after {
					t.Errorf("%q after %v, want %q after %v", got, took, tt.want, tt.after)
				}
			})
		})
	}
}

// TestALateAnswerOfADeafHandlerCounts: it is there, and better than what stands in for it.
func TestALateAnswerOfADeafHandlerCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		deaf := responder.HandlerFunc(func(context.Context, *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
			time.Sleep(2 * time.Second)
			return responder.Text("done"), nil
		})
		resp, err := responder.Chain(deaf, responder.Timeout(time.Second, responder.Silence())).Reply(t.Context(), about("text"))
		if err != nil || resp.GetReply().GetText().GetContent() != "done" {
			t.Errorf("%v, %v", resp, err)
		}
	})
}

func TestMetricsCountByRuleAndOutcome(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	subject := responder.Chain(promptly{byType{
		"text": answers("x"), "image": answers("x"), "link": panics, "voice": fails(errors.New("no luck")),
	}}, responder.Metrics(registry), responder.Named("all"))
	ask := func(way responder.HandlerFunc, kind string) {
		defer func() { _ = recover() }()
		_, _ = way(t.Context(), about(kind))
	}
	for _, kind := range []string{"text", "link", "voice", "event"} {
		for _, way := range both(subject) {
			ask(way, kind)
		}
	}
	ask(both(subject)["ReplyAtOnce"], "image") // is left to Reply, and not counted
	want := `# HELP responder_replies_total Answers by the rule that decided and by outcome: replied, silent, failed.
# TYPE responder_replies_total counter
responder_replies_total{outcome="failed",rule=""} 4
responder_replies_total{outcome="replied",rule="all"} 2
responder_replies_total{outcome="silent",rule="all"} 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "responder_replies_total"); err != nil {
		t.Error(err)
	}
	const answered = 8
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if h := family.GetMetric()[0].GetHistogram(); h != nil && h.GetSampleCount() != answered {
			t.Errorf("%s has %d samples, want %d", family.GetName(), h.GetSampleCount(), answered)
		}
	}
}

func TestByAccount(t *testing.T) {
	t.Parallel()
	subject := responder.ByAccount(map[string]responder.Handler{
		"wx1": responder.Always(responder.Text("by AppID")), "gh_2": responder.Always(responder.Text("by original id")),
	}, responder.Always(responder.Text("other")))
	for _, tt := range []struct{ appID, originalID, want string }{
		{"wx1", "gh_1", "by AppID"}, {"wx2", "gh_2", "by original id"}, {"wx3", "gh_3", "other"}, {"", "", "other"},
	} {
		req := about("text")
		req.Message.AppId, req.Message.ToUserName = tt.appID, tt.originalID
		for way, ask := range both(subject) {
			if resp, err := ask(t.Context(), req); err != nil || resp.GetReply().GetText().GetContent() != tt.want {
				t.Errorf("%s for %s, %s gave %v, %v, want %q", way, tt.appID, tt.originalID, resp, err, tt.want)
			}
		}
	}
}

func TestNamedLeavesNamesAndSharedResponsesAlone(t *testing.T) {
	t.Parallel()
	shared := responder.Text("x")
	for want, resp := range map[string]*logicv1.ReplyResponse{"inner": {Rule: "inner"}, "outer": shared} {
		for way, ask := range both(responder.Chain(responder.Always(resp), responder.Named("outer"))) {
			if got, err := ask(t.Context(), about("text")); err != nil || got.GetRule() != want {
				t.Errorf("%s gave %v, %v, want rule %q", way, got, err, want)
			}
		}
	}
	if shared.GetRule() != "" {
		t.Error("a response that others hold as well was changed")
	}
}

func TestResponses(t *testing.T) {
	t.Parallel()
	article := &messagev1.Article{Title: "t", Url: "u"}
	for want, got := range map[string]*messagev1.Reply{
		"<nil>":                                        responder.Silence().GetReply(),
		`text:{content:"c"}`:                           responder.Text("c").GetReply(),
		`image:{media_id:"m"}`:                         responder.Image("m").GetReply(),
		`voice:{media_id:"m"}`:                         responder.Voice("m").GetReply(),
		`video:{media_id:"m" title:"t"}`:               responder.Video(&messagev1.VideoReply{MediaId: "m", Title: "t"}).GetReply(),
		`music:{thumb_media_id:"m"}`:                   responder.Music(&messagev1.MusicReply{ThumbMediaId: "m"}).GetReply(),
		`news:{articles:{title:"t" url:"u"}}`:          responder.News(article).GetReply(),
		`transfer_customer_service:{kf_account:"a@b"}`: responder.Transfer("a@b").GetReply(),
		`transfer_biz_ai_ivr:{}`:                       responder.TransferAI().GetReply(),
	} {
		// The library varies the white space on purpose.
		if diff := cmp.Diff(want, strings.ReplaceAll(got.String(), "  ", " ")); diff != "" {
			t.Error(diff)
		}
	}
}
