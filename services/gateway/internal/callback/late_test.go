package callback_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/services/gateway/internal/accounts"
	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/message"
)

// The policies of the account, as its owner writes them.
const (
	byCustomerService = "{policy: customer_service}"
	byPickup          = "{policy: pickup, placeholder: 请稍候}"
)

// street is some replicas over common stores.
type street struct {
	house

	logic    *logic
	proxy    *proxy
	replicas []*replica
	handlers []http.Handler
}

func newStreet(t *testing.T, d *accounts.Directory, l *logic, replicas int) *street {
	t.Helper()
	s := &street{logic: l, proxy: &proxy{}}
	s.house = house{accounts: func() *accounts.Directory { return d }, store: dedupe.NewMemory(), late: late.NewMemory(), replier: l, proxy: s.proxy}
	for range replicas {
		s.add(t)
	}
	return s
}

func (s *street) add(t *testing.T) {
	t.Helper()
	r := newReplicaOf(t, s.house)
	s.replicas, s.handlers = append(s.replicas, r), append(s.handlers, r)
}

func TestALateAnswerIsSentAsACustomerServiceMessage(t *testing.T) {
	t.Parallel()
	for _, delay := range []float64{14.6, 20, 300} {
		for _, replicas := range []int{1, 2, 3} {
			t.Run(fmt.Sprintf("%v s, %d replicas", delay, replicas), func(t *testing.T) {
				t.Parallel()
				d := directoryFor(t, account.EncryptionPlain, byCustomerService)
				synctest.Test(t, func(t *testing.T) {
					s := newStreet(t, d, &logic{delay: seconds(delay), reply: message.TextReply{Content: "test"}}, replicas)
					start := time.Now()
					got := tell(t, text(1, "你好"), s.handlers...)
					if got.body != message.Success || len(got.got) != deliveries {
						t.Errorf("WeChat got %q in %d deliveries", got.body, len(got.got))
					}
					time.Sleep(time.Until(start.Add(seconds(delay + 0.5))))
					synctest.Wait()
					if diff := cmp.Diff([]string{"test"}, s.proxy.texts()); diff != "" || s.logic.times("m1") != 1 {
						t.Errorf("logic was asked %d times, the follower got %s", s.logic.times("m1"), diff)
					}
					// The fourth delivery, by the book, and one long after.
					for range 2 {
						if again := serve(s.handlers[0], push(t, account.EncryptionPlain, "/wx", text(1, "你好"))); again.body != message.Success {
							t.Errorf("a further delivery got %+v", again)
						}
						time.Sleep(time.Minute)
					}
					if diff := cmp.Diff([]string{"test"}, s.proxy.texts()); diff != "" {
						t.Error(diff)
					}
				})
			})
		}
	}
}

// A delivery that waited at the edge, because the replica that it was for had died, is older than any replica knows. An
// answer that comes after WeChat's last delivery must not be taken for one that a delivery still collects.
func TestAnAnswerToADeliveryThatWaitedAtTheEdgeIsNotLost(t *testing.T) {
	t.Parallel()
	for _, waited := range []float64{0.5, 1.5, 2.5, 3.2, 4.5} {
		t.Run(fmt.Sprintf("%v s", waited), func(t *testing.T) {
			t.Parallel()
			d := directoryFor(t, account.EncryptionPlain, byCustomerService)
			synctest.Test(t, func(t *testing.T) {
				s := newStreet(t, d, &logic{delay: seconds(12), reply: message.TextReply{Content: "test"}}, 1)
				edge := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(seconds(waited))
					s.handlers[0].ServeHTTP(w, r)
				})
				dated := strings.Replace(text(1, "你好"), "1700000000", strconv.FormatInt(time.Now().Unix(), 10), 1)
				got := tell(t, dated, edge, s.handlers[0], s.handlers[0])
				time.Sleep(time.Minute)
				synctest.Wait()
				passive := strings.Count(got.body, "test")
				if late := len(s.proxy.texts()); passive+late != 1 || s.logic.times("m1") != 1 {
					t.Errorf("the follower saw %d replies and %d messages, logic was asked %d times", passive, late, s.logic.times("m1"))
				}
			})
		})
	}
}

func TestALateAnswerOutlivesEveryReplica(t *testing.T) {
	t.Parallel()
	d := directoryFor(t, account.EncryptionPlain, byCustomerService)
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t, d, &logic{delay: seconds(60), reply: message.TextReply{Content: "test"}}, 3)
		tell(t, text(1, "你好"), s.handlers...)
		at := time.Now()
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for _, r := range s.replicas {
			r.Drain(over)
		}
		s.add(t)
		time.Sleep(seconds(62))
		synctest.Wait()
		if diff := cmp.Diff([]string{"test"}, s.proxy.texts()); diff != "" || s.logic.times("m1") != 2 {
			t.Errorf("after %v: logic was asked %d times, the follower got %s", time.Since(at), s.logic.times("m1"), diff)
		}
	})
}

func TestALateAnswerIsWaitedForBeforeTheReplicaStops(t *testing.T) {
	t.Parallel()
	d := directoryFor(t, account.EncryptionPlain, byCustomerService)
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t, d, &logic{delay: seconds(20), reply: message.TextReply{Content: "test"}}, 1)
		tell(t, text(1, "你好"), s.handlers...)
		limit, cancel := context.WithTimeout(t.Context(), seconds(10))
		defer cancel()
		s.replicas[0].Drain(limit)
		if diff := cmp.Diff([]string{"test"}, s.proxy.texts()); diff != "" || s.logic.times("m1") != 1 {
			t.Errorf("logic was asked %d times, the follower got %s", s.logic.times("m1"), diff)
		}
	})
}

func TestTheNextTextPicksUpALateAnswer(t *testing.T) {
	t.Parallel()
	d := directoryFor(t, account.EncryptionPlain, byPickup)
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t, d, &logic{delay: seconds(20), reply: message.TextReply{Content: "迟到的回答"}}, 2)
		says := func(id int, want string) {
			t.Helper()
			got := tell(t, text(id, "好了吗"), s.handlers[id%2])
			if !strings.Contains(got.body, want) || len(got.got) != 1 || s.logic.times(fmt.Sprintf("m%d", id)) != 0 {
				t.Errorf("text %d got %q in %d deliveries, logic was asked %d times", id, got.body, len(got.got), s.logic.times(fmt.Sprintf("m%d", id)))
			}
		}
		start := time.Now()
		if got := tell(t, text(1, "你好"), s.handlers...); !strings.Contains(got.body, "请稍候") {
			t.Errorf("the last delivery got %q", got.body)
		}
		says(2, "请稍候")
		time.Sleep(time.Until(start.Add(seconds(20.5))))
		says(3, "迟到的回答")
		says(3, "迟到的回答") // delivered again, because WeChat missed it
		// What was picked up is over: the next text is a question of its own.
		if got := tell(t, text(4, "下一个问题"), s.handlers...); !strings.Contains(got.body, "请稍候") || s.logic.times("m4") != 1 {
			t.Errorf("the next question got %q, logic was asked %d times", got.body, s.logic.times("m4"))
		}
		if texts := s.proxy.texts(); len(texts) != 0 {
			t.Errorf("sent as customer-service messages: %q", texts)
		}
		if n := s.replicas[0].count(t, "gateway_late_answers_total", "picked") + s.replicas[1].count(t, "gateway_late_answers_total", "picked"); n != 1 {
			t.Errorf("picked counted %v times", n)
		}
	})
}

func TestALateAnswerThatNobodyPicksUpIsTold(t *testing.T) {
	t.Parallel()
	d := directoryFor(t, account.EncryptionPlain, "{policy: pickup, ttl: 1m}")
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t, d, &logic{delay: seconds(20), reply: message.TextReply{Content: "迟到的回答"}}, 1)
		tell(t, text(1, "你好"), s.handlers...)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := s.replicas[0].count(t, "gateway_late_answers_total", "expired"); n != 1 {
			t.Errorf("expired counted %v times", n)
		}
		if log := s.replicas[0].log.String(); !strings.Contains(log, `"m1"`) || !strings.Contains(log, "late_answer.ttl") || strings.Contains(log, "迟到") {
			t.Errorf("the log must name the key and the setting, and nothing of the answer:\n%s", log)
		}
	})
}

func TestTheRestOfALongTextFollows(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("一二三四五六七八九。", 150) // 4,500 bytes
	for policy, want := range map[string]int{byCustomerService: 2, byPickup: 0, "{policy: drop}": 0} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			d := directoryFor(t, account.EncryptionPlain, policy)
			synctest.Test(t, func(t *testing.T) {
				s := newStreet(t, d, &logic{reply: message.TextReply{Content: long}}, 1)
				content := func(body string) string {
					_, rest, _ := strings.Cut(body, "<Content><![CDATA[")
					content, _, _ := strings.Cut(rest, "]]>")
					if len(content) > message.MaxTextBytes {
						t.Errorf("a text of %d bytes was shown", len(content))
					}
					return content
				}
				shown := content(tell(t, text(1, "你好"), s.handlers...).body)
				if len(s.proxy.texts()) != 0 {
					t.Error("the rest was sent before the reply was there")
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if len(s.proxy.texts()) != want {
					t.Errorf("%d customer-service messages, want %d", len(s.proxy.texts()), want)
				}
				switch policy {
				case byCustomerService:
					shown += strings.Join(s.proxy.texts(), "")
				case byPickup:
					for id := 2; strings.HasSuffix(shown, "（回复任意内容查看余下部分）"); id++ {
						shown = strings.TrimSuffix(shown, "\n（回复任意内容查看余下部分）") + content(tell(t, text(id, "继续"), s.handlers...).body)
					}
				default:
					if cut, ok := strings.CutSuffix(shown, "…"); ok && strings.HasPrefix(long, cut) {
						shown = long
					}
				}
				if shown != long {
					t.Errorf("the follower read %d of %d bytes", len(shown), len(long))
				}
			})
		})
	}
}

func TestLateAnswersKeepTheOrderOfTheirMessages(t *testing.T) {
	t.Parallel()
	d := directoryFor(t, account.EncryptionPlain, byCustomerService)
	synctest.Test(t, func(t *testing.T) {
		slow, quick := &logic{delay: seconds(60), reply: message.TextReply{Content: "first"}}, &logic{delay: seconds(16), reply: message.TextReply{Content: "second"}}
		s := newStreet(t, d, slow, 1)
		s.replier = quick
		s.add(t) // another replica, whose logic is quicker
		told := make(chan told, 2)
		go func() { told <- tell(t, text(1, "一"), s.handlers[0]) }()
		time.Sleep(seconds(1))
		go func() { told <- tell(t, text(2, "二"), s.handlers[1]) }()
		<-told
		<-told
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"first", "second"}, s.proxy.texts()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestADeathBeforeTheLastDeliveryEnds is about a replica that dies while another one holds the last delivery,
// so late that its claim outlives the budget. The message is stored before the delivery is closed: nobody
// would deliver it again.
func TestADeathBeforeTheLastDeliveryEnds(t *testing.T) {
	t.Parallel()
	d := directoryFor(t, account.EncryptionPlain, byCustomerService)
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t, d, &logic{delay: seconds(1), reply: message.TextReply{Content: "test"}}, 1)
		dead := dedupe.Key{AppID: testAppID, Message: "m1"}
		go func() {
			for range 14 { // dies 14 s after the first delivery
				if _, err := s.store.Claim(t.Context(), dead, "dead"); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second)
			}
		}()
		synctest.Wait()
		if got := tell(t, text(1, "你好"), s.handlers...); got.body != message.Success || got.after > seconds(14.7) {
			t.Errorf("WeChat got %q after %v", got.body, got.after)
		}
		time.Sleep(seconds(5))
		synctest.Wait()
		if diff := cmp.Diff([]string{"test"}, s.proxy.texts()); diff != "" || s.logic.times("m1") != 1 {
			t.Errorf("logic was asked %d times, the follower got %s", s.logic.times("m1"), diff)
		}
	})
}
