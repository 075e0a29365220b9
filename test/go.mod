module github.com/wxstack/wxstack/test

go 1.26.0

require github.com/wxstack/wxstack/simulator v0.0.0

require github.com/wxstack/wxstack/proto v0.0.0

require github.com/wxstack/wxstack/wechat v0.0.0

replace github.com/wxstack/wxstack/simulator => ../simulator

replace github.com/wxstack/wxstack/proto => ../proto

replace github.com/wxstack/wxstack/wechat => ../wechat

require (
	github.com/chromedp/chromedp v0.23.0
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260928230214-8a89bd6388cc
	google.golang.org/grpc v1.85.0
)

require (
	github.com/HdrHistogram/hdrhistogram-go v1.1.2 // indirect
	github.com/chromedp/cdproto v0.159.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/goccy/go-yaml v1.19.2 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	rsc.io/qr v0.2.0 // indirect
)
