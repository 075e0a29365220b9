// Command silenceper is a callback server on github.com/silenceper/wechat, made as cheap as its right use
// allows: what the bench compares the chain with. It is a module of its own so that its dependencies stay
// out of the others.
package main

import (
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/silenceper/wechat/v2"
	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/officialaccount/config"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/sirupsen/logrus"
)

func main() {
	var cfg config.Config
	addr := flag.String("addr", "", "listen address")
	flag.StringVar(&cfg.AppID, "app-id", "", "AppID")
	flag.StringVar(&cfg.Token, "token", "", "callback Token")
	flag.StringVar(&cfg.EncodingAESKey, "aes-key", "", "EncodingAESKey")
	flag.Parse()
	wc := wechat.NewWechat()
	logrus.SetLevel(logrus.ErrorLevel) // the library logs every message otherwise.
	cfg.Cache = cache.NewMemory()
	account := wc.GetOfficialAccount(&cfg)
	server := http.Server{
		Addr: *addr, ReadHeaderTimeout: 3 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 15 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			call := account.GetServer(r, w)
			call.SetMessageHandler(func(in *message.MixMessage) *message.Reply {
				return &message.Reply{MsgType: message.MsgTypeText, MsgData: message.NewText("你说：" + in.Content)}
			})
			if err := call.Serve(); err != nil {
				logrus.Error(err)
				return
			}
			if err := call.Send(); err != nil {
				logrus.Error(err)
			}
		}),
	}
	log.Fatal(server.ListenAndServe())
}
