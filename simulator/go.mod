module github.com/wxstack/wxstack/simulator

go 1.26.0

require (
	github.com/HdrHistogram/hdrhistogram-go v1.1.2
	github.com/alecthomas/kong v1.17.0
	github.com/goccy/go-yaml v1.19.2
	github.com/google/go-cmp v0.7.0
	github.com/wxstack/wxstack/wechat v0.0.0
	go.uber.org/goleak v1.3.0
	rsc.io/qr v0.2.0
)

require (
	github.com/stretchr/testify v1.12.1 // indirect
	gonum.org/v1/gonum v0.17.0 // indirect
)

replace github.com/wxstack/wxstack/wechat => ../wechat
