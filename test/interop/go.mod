module github.com/wxstack/wxstack/test/interop

go 1.26.0

require (
	github.com/chanxuehong/wechat v0.0.0-20230222024006-36f0325263cd
	github.com/silenceper/wechat/v2 v2.1.10
	github.com/wxstack/wxstack/client v0.0.0
	github.com/wxstack/wxstack/simulator v0.0.0
	github.com/wxstack/wxstack/test v0.0.0
	github.com/wxstack/wxstack/wechat v0.0.0
)

require (
	github.com/HdrHistogram/hdrhistogram-go v1.1.2 // indirect
	github.com/alicebob/miniredis/v2 v2.40.0 // indirect
	github.com/bradfitz/gomemcache v0.0.0-20220106215444-fb4bf637b56d // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/chanxuehong/rand v0.0.0-20211009035549-2f07823e8e99 // indirect
	github.com/chanxuehong/util v0.0.0-20200304121633-ca8141845b13 // indirect
	github.com/dgryski/go-rendezvous v0.0.0-20200823014737-9f7001d12a5f // indirect
	github.com/fatih/structs v1.1.0 // indirect
	github.com/fsnotify/fsnotify v1.10.1 // indirect
	github.com/go-redis/redis/v8 v8.11.5 // indirect
	github.com/goccy/go-yaml v1.19.2 // indirect
	github.com/sirupsen/logrus v1.9.0 // indirect
	github.com/spf13/cast v1.4.1 // indirect
	github.com/tidwall/gjson v1.14.1 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.0 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	rsc.io/qr v0.2.0 // indirect
)

replace github.com/wxstack/wxstack/simulator => ../../simulator

replace github.com/wxstack/wxstack/wechat => ../../wechat

replace github.com/wxstack/wxstack/client => ../../client

replace github.com/wxstack/wxstack/test => ..

replace github.com/wxstack/wxstack/proto => ../../proto
