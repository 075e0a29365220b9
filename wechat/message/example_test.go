package message_test

import (
	"fmt"

	"github.com/wxstack/wxstack/wechat/message"
)

// A follower's text is parsed, and a greeting goes back.
func Example() {
	in, err := message.Parse([]byte(`<xml>
  <ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>
  <FromUserName><![CDATA[oABCDEFG]]></FromUserName>
  <CreateTime>1700000000</CreateTime>
  <MsgType><![CDATA[text]]></MsgType>
  <Content><![CDATA[你好]]></Content>
  <MsgId>24300000000000001</MsgId>
</xml>`))
	if err != nil {
		fmt.Println(err)

		return
	}
	fmt.Println(in.Key(), in.Text.Content)

	out, err := message.Render(message.TextReply{Content: "欢迎"}, in, 1700000001)
	if err != nil {
		fmt.Println(err)

		return
	}
	fmt.Println(string(out))

	// Output:
	// m24300000000000001 你好
	// <xml><ToUserName><![CDATA[oABCDEFG]]></ToUserName><FromUserName><![CDATA[gh_0123456789ab]]></FromUserName><CreateTime>1700000001</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[欢迎]]></Content></xml>
}

// What is too long for one message is cut where a reader pauses.
func ExampleSplitText() {
	for _, part := range message.SplitText("春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。", 42) {
		fmt.Println(part)
	}

	// Output:
	// 春眠不觉晓，处处闻啼鸟。
	// 夜来风雨声，花落知多少。
}
