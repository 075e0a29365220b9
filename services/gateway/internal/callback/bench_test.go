package callback_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/message"
)

// BenchmarkDeliver is the way of a message through the callback URL, with a store and a logic that cost
// next to nothing and without net/http around it.
func BenchmarkDeliver(b *testing.B) {
	for _, mode := range []account.Encryption{account.EncryptionPlain, account.EncryptionSafe} {
		b.Run(string(mode), func(b *testing.B) {
			r := newReplica(b, directory(b, mode), dedupe.NewMemory(), &quick{message.TextReply{Content: strings.Repeat("x", 100)}})
			requests, bodies := make([]*http.Request, 1<<12), make([][]byte, 1<<12)
			w := discard{http.Header{}}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i%len(requests) == 0 { // each message is delivered once
					b.StopTimer()
					for j := range requests {
						requests[j] = push(b, mode, "/wx/"+testAppID, text(i+j, "hello "+strconv.Itoa(i+j)))
						bodies[j], _ = io.ReadAll(requests[j].Body)
					}
					b.StartTimer()
				}
				request := requests[i%len(requests)]
				request.Body = io.NopCloser(bytes.NewReader(bodies[i%len(requests)]))
				r.ServeHTTP(w, request)
				i++
			}
		})
	}
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// quick is a logic that answers at once.
type quick struct{ reply message.Reply }

func (q *quick) Reply(context.Context, string, message.Message, time.Time, time.Time) (message.Reply, string, error) {
	return q.reply, "rule", nil
}

// Begin answers at once, as a line to logic does.
func (q *quick) Begin(_ string, _ message.Message, _, _, _ time.Time, done func(message.Reply, string, bool, error)) func() {
	done(q.reply, "rule", false, nil)
	return func() {}
}
