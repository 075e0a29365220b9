package chaos

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/signature"
)

// WeChat delivers a message again only when it has dropped the delivery before. What lies between it and
// the gateways may see to it that deliveries overlap, change places, or are more than three.
func TestDeliveriesThatOverlap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const slow = 1500 * time.Millisecond
	tests := map[string]func(m *rawMessage){
		"all three at once": func(m *rawMessage) {
			m.expectSame(m.deliver(0), m.deliver(1), m.deliver(2))
		},
		"two at once to one gateway": func(m *rawMessage) {
			m.expectSame(m.deliver(1), m.deliver(1))
		},
		"the newer one outlives the older": func(m *rawMessage) {
			older := m.deliver(0)
			m.eventuallyAsked()
			newer := m.deliver(1)
			older.drop()
			m.expectSame(newer)
		},
		"the older one outlives the newer": func(m *rawMessage) {
			older := m.deliver(0)
			m.eventuallyAsked()
			newer := m.deliver(1)
			newer.drop()
			m.expectSame(older)
		},
		"the one signed last arrives first": func(m *rawMessage) {
			last := m.deliver(2)
			m.eventuallyAsked()
			m.signedEarlier(5 * time.Second)
			m.expectSame(m.deliver(0), last)
		},
		"a fourth gets what three did not wait for, and so does a fifth": func(m *rawMessage) {
			for gateway := range replicas {
				d := m.deliver(gateway)
				m.eventuallyAsked()
				d.drop()
			}
			fourth := m.deliver(0)
			m.expectSame(fourth)
			m.expectSame(m.deliver(1), fourth)
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newRawMessage(t, w, instruct(slow, strings.ReplaceAll(name, " ", "-")))
			test(m)
			asked := w.logic.asked()[m.text]
			if len(asked) != 1 || len(asked[0].asks) != 1 {
				t.Errorf("logic was asked: %v", asked)
			}
		})
	}
}

// rawMessage is a message in clear text whose deliveries the test makes itself.
type rawMessage struct {
	t      *testing.T
	world  *world
	text   string
	body   string
	signed time.Time
	nonce  int
}

func newRawMessage(t *testing.T, w *world, text string) *rawMessage {
	t.Helper()
	now := time.Now()
	body := fmt.Sprintf("<xml><ToUserName><![CDATA[%s]]></ToUserName><FromUserName><![CDATA[oRAW000000000000000000000001]]></FromUserName>"+
		"<CreateTime>%d</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%s]]></Content><MsgId>%d</MsgId></xml>",
		account.DevelopmentOriginalID, now.Unix(), text, now.UnixNano())
	return &rawMessage{t: t, world: w, text: text, body: body, signed: now}
}

// rawDelivery is one request and what came back.
type rawDelivery struct {
	drop func()
	done chan struct{}
	body string
	err  error
}

// deliver delivers the message to a gateway, signed anew, and doesn't wait.
func (m *rawMessage) deliver(gateway int) *rawDelivery {
	m.nonce++
	timestamp, nonce := strconv.FormatInt(m.signed.Unix(), 10), strconv.Itoa(m.nonce)
	query := url.Values{
		"timestamp": {timestamp}, "nonce": {nonce},
		"signature": {signature.Sign(account.DevelopmentCallbackToken, timestamp, nonce)},
	}
	ctx, cancel := context.WithCancel(m.t.Context())
	m.t.Cleanup(cancel)
	d := &rawDelivery{drop: cancel, done: make(chan struct{})}
	target := "http://" + m.world.gateways[gateway].Addr + "/wx/" + account.DevelopmentAppID + "?" + query.Encode()
	go func() {
		defer close(d.done)
		d.body, d.err = postXML(ctx, target, m.body)
	}()
	return d
}

func postXML(ctx context.Context, target, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "text/xml")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return string(answer), err
}

// signedEarlier makes further deliveries look older.
func (m *rawMessage) signedEarlier(by time.Duration) { m.signed = m.signed.Add(-by) }

var errNotAsked = errors.New("logic was not asked")

// eventuallyAsked waits until the message has reached logic, so that a delivery is certainly held.
func (m *rawMessage) eventuallyAsked() {
	m.t.Helper()
	harness.Eventually(m.t, m.text, func() error {
		if len(m.world.logic.asked()[m.text]) == 0 {
			return errNotAsked
		}
		return nil
	})
}

// expectSame waits for the deliveries: all got the message's answer, in the same bytes.
func (m *rawMessage) expectSame(deliveries ...*rawDelivery) {
	m.t.Helper()
	var all sync.WaitGroup
	for _, d := range deliveries {
		all.Go(func() { <-d.done })
	}
	all.Wait()
	for i, d := range deliveries {
		if d.err != nil {
			m.t.Fatalf("delivery %d of those compared: %v", i+1, d.err)
		}
		var reply struct{ Content string }
		if err := xml.Unmarshal([]byte(d.body), &reply); err != nil || reply.Content != answerTo(m.text) {
			m.t.Errorf("delivery %d of those compared got %q, want %q; %v", i+1, d.body, answerTo(m.text), err)
		}
		if d.body != deliveries[0].body {
			m.t.Errorf("delivery %d got %q, another one %q", i+1, d.body, deliveries[0].body)
		}
	}
}
