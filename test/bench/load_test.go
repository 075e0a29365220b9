package bench

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
	"github.com/wxstack/wxstack/wechat/signature"
)

// What the load is made of.
const (
	connections = 64
	// pushLength is the length of a push in clear, in bytes; sealed it has about 700.
	pushLength = 384
	// checkEvery is how often a reply is looked at in full. All are looked at for their status.
	checkEvery = 64
)

// traffic is a number of pushes, each a message of its own, as bytes of HTTP, signed and, in safe mode,
// sealed before any clock starts.
type traffic struct {
	requests [][]byte
	cipher   *msgcrypt.Cipher // nil in plaintext mode
	first    int
}

// newTraffic makes n pushes to path whose MsgIds begin at first.
func newTraffic(path string, safe bool, first, n int) (*traffic, error) {
	t := &traffic{first: first}
	if safe {
		cipher, err := msgcrypt.New(account.DevelopmentAppID, account.DevelopmentCallbackToken, account.DevelopmentEncodingAESKey)
		if err != nil {
			return nil, err
		}
		t.cipher = cipher
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	for id := first; id < first+n; id++ {
		nonce := strconv.Itoa(1000000 + id)
		query := "signature=" + signature.Sign(account.DevelopmentCallbackToken, timestamp, nonce) +
			"&timestamp=" + timestamp + "&nonce=" + nonce + "&openid=" + follower(id)
		body := pushOf(id)
		if safe {
			sealed, err := t.cipher.Seal([]byte(body), timestamp, nonce)
			if err != nil {
				return nil, err
			}
			query += "&encrypt_type=aes&msg_signature=" + sealed.MsgSignature
			body = "<xml><ToUserName><![CDATA[" + account.DevelopmentOriginalID + "]]></ToUserName><Encrypt><![CDATA[" +
				sealed.Encrypt + "]]></Encrypt></xml>"
		}
		t.requests = append(t.requests, fmt.Appendf(nil,
			"POST %s?%s HTTP/1.1\r\nHost: bench\r\nUser-Agent: Mozilla/4.0\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s",
			path, query, len(body), body))
	}
	return t, nil
}

func follower(id int) string { return fmt.Sprintf("oBENCH%022d", id) }

// pushOf is a text message of pushLength bytes.
func pushOf(id int) string {
	frame := "<xml><ToUserName><![CDATA[" + account.DevelopmentOriginalID + "]]></ToUserName><FromUserName><![CDATA[" + follower(id) +
		"]]></FromUserName><CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%s]]></Content><MsgId>%020d</MsgId></xml>"
	return fmt.Sprintf(frame, contentOf(id, pushLength-len(frame)-len("%020d")+len("00000000")-1), id)
}

// contentOf is the text of a message: length bytes that occur in no other message.
func contentOf(id, length int) string {
	text := "message " + strconv.Itoa(id) + " "
	return text + strings.Repeat("x", max(0, length-len(text)))
}

// check looks at the reply to the push of that index as a follower would.
func (t *traffic) check(index int, body []byte) error {
	if t.cipher != nil {
		var envelope struct{ Encrypt, MsgSignature, TimeStamp, Nonce string }
		if err := xml.Unmarshal(body, &envelope); err != nil {
			return err
		}
		plain, err := t.cipher.Open(envelope.MsgSignature, envelope.TimeStamp, envelope.Nonce, envelope.Encrypt)
		if err != nil {
			return err
		}
		body = plain
	}
	var reply struct{ ToUserName, FromUserName, MsgType, Content string }
	if err := xml.Unmarshal(body, &reply); err != nil {
		return err
	}
	id := t.first + index
	if reply.ToUserName != follower(id) || reply.FromUserName != account.DevelopmentOriginalID || reply.MsgType != "text" ||
		!strings.Contains(reply.Content, "message "+strconv.Itoa(id)+" ") {
		return fmt.Errorf("wrong reply to message %d: %s", id, body)
	}
	return nil
}

// latencies are how long answers took, sorted.
type latencies []time.Duration

func (l latencies) quantile(q float64) time.Duration { return l[int(q*float64(len(l)-1))] }

// send delivers all pushes to addr over keep-alive connections, one at a time on each: as fast as answers
// come, or at rate pushes a second in all if that is not 0.
func (t *traffic) send(addr string, rate int) (latencies, error) {
	took := make(latencies, len(t.requests))
	var next atomic.Int64
	var workers sync.WaitGroup
	failures := make(chan error, connections)
	start := time.Now()
	for range connections {
		workers.Go(func() {
			failures <- t.work(addr, func() (int, bool) {
				i := int(next.Add(1)) - 1
				if i >= len(t.requests) {
					return 0, false
				}
				if rate > 0 {
					time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / time.Duration(rate))))
				}
				return i, true
			}, took)
		})
	}
	workers.Wait()
	close(failures)
	var faults []error
	for err := range failures {
		faults = append(faults, err)
	}
	slices.Sort(took)
	return took, errors.Join(faults...)
}

// answerTimeout bounds the wait for one answer.
const answerTimeout = 10 * time.Second

// work delivers on one connection what next gives it.
func (t *traffic) work(addr string, next func() (int, bool), took latencies) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	in, buffer := bufio.NewReader(conn), []byte(nil)
	for i, ok := next(); ok; i, ok = next() {
		began := time.Now()
		if err := conn.SetDeadline(began.Add(answerTimeout)); err != nil {
			return err
		}
		if _, err := conn.Write(t.requests[i]); err != nil {
			return err
		}
		if buffer, err = readAnswer(in, buffer); err != nil {
			return err
		}
		took[i] = time.Since(began)
		if i%checkEvery == 0 {
			if err := t.check(i, buffer); err != nil {
				return err
			}
		}
	}
	return nil
}

// readAnswer reads one answer of HTTP/1.1, which must be a 200 of known length, into buffer.
func readAnswer(in *bufio.Reader, buffer []byte) ([]byte, error) {
	status, err := in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return nil, fmt.Errorf("answered %q", status)
	}
	length := -1
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if len(line) <= len("\r\n") {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return nil, err
			}
		}
	}
	if length <= 0 {
		return nil, fmt.Errorf("an answer of length %d", length)
	}
	buffer = slices.Grow(buffer[:0], length)[:length]
	_, err = io.ReadFull(in, buffer)
	return buffer, err
}
