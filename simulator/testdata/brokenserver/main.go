// Command brokenserver is an account's server with one planted fault, on which the simulator's load mode is judged. Without
// a fault it is right: it echoes texts and pictures, in one of several ways that are all allowed.
package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// push is what WeChat sends, so far as it matters here.
type push struct {
	ToUserName, FromUserName, MsgType, Content, MediaId, MsgId, Event, EventKey string
}

type server struct {
	way, api, appID, secret string
	patience                time.Duration // Longer than a delivery.

	mu       sync.Mutex
	seen     map[string]int // Deliveries by message.
	messages int
	former   string // What the message before was answered with.
	token    string
}

func main() {
	var s server
	flag.StringVar(&s.way, "way", "right", "right, late or second; or a fault: duplicate, loss, wrong, twice, forgetful")
	flag.StringVar(&s.api, "api", "", "base URL of WeChat's API")
	flag.StringVar(&s.appID, "app-id", "", "AppID")
	flag.StringVar(&s.secret, "app-secret", "", "AppSecret")
	flag.DurationVar(&s.patience, "patience", time.Second, "how long a delivery hangs that is not to be answered")
	flag.Parse()
	s.seen = make(map[string]int)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("http://" + listener.Addr().String() + "/")
	log.Fatal(http.Serve(listener, &s))
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in push
	if err := xml.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key := in.MsgId
	if key == "" {
		key = in.FromUserName + in.Event + in.EventKey
	}
	s.mu.Lock()
	s.seen[key]++
	delivery := s.seen[key]
	if delivery == 1 {
		s.messages++
	}
	tenth := s.messages%10 == 0
	former := s.former
	s.former = in.Content
	s.mu.Unlock()

	switch s.way {
	case "late": // Right: success, and the answer by a customer-service message, once.
		if delivery == 1 {
			s.send(in.FromUserName, in.Content)
		}
		success(w)
	case "second": // Right: it takes longer than one delivery, and the next one gets the answer.
		if delivery == 1 && tenth {
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
			case <-time.After(s.patience):
			}
			return
		}
		reply(w, in, in.Content)
	case "duplicate": // The answer comes twice.
		if tenth {
			s.send(in.FromUserName, in.Content)
		}
		reply(w, in, in.Content)
	case "loss": // The message is taken and forgotten.
		if tenth {
			success(w)
			return
		}
		reply(w, in, in.Content)
	case "wrong": // The answer is that of the message before.
		if tenth {
			reply(w, in, former)
			return
		}
		reply(w, in, in.Content)
	case "twice": // Every delivery is worked on anew: no deduplication (排重).
		s.send(in.FromUserName, in.Content)
		success(w)
	case "forgetful": // A repeated delivery is answered otherwise than the first.
		if delivery > 1 {
			success(w)
			return
		}
		reply(w, in, in.Content)
	default:
		reply(w, in, in.Content)
	}
}

func success(w http.ResponseWriter) { _, _ = io.WriteString(w, "success") }

func reply(w http.ResponseWriter, in push, content string) {
	body := fmt.Sprintf("<MsgType>text</MsgType><Content><![CDATA[你说：%s]]></Content>", content)
	switch in.MsgType {
	case "image":
		body = "<MsgType>image</MsgType><Image><MediaId>" + in.MediaId + "</MediaId></Image>"
	case "event":
		body = "<MsgType>text</MsgType><Content>收到</Content>"
	}
	_, _ = fmt.Fprintf(w, "<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>1</CreateTime>%s</xml>", in.FromUserName, in.ToUserName, body)
}

// send sends a customer-service message (客服消息).
func (s *server) send(openID, content string) {
	body, _ := json.Marshal(map[string]any{"touser": openID, "msgtype": "text", "text": map[string]string{"content": "你说：" + content}})
	answer := s.post("/cgi-bin/message/custom/send?access_token="+s.accessToken(), body)
	if answer["errcode"] != 0.0 {
		log.Printf("customer-service message: %v", answer)
	}
}

func (s *server) accessToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == "" {
		body, _ := json.Marshal(map[string]string{"grant_type": "client_credential", "appid": s.appID, "secret": s.secret})
		s.token, _ = s.post("/cgi-bin/stable_token", body)["access_token"].(string)
	}
	return s.token
}

func (s *server) post(path string, body []byte) map[string]any {
	resp, err := http.Post(s.api+path, "application/json", bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		log.Fatal(err)
	}
	return answer
}
