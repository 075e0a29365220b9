module github.com/wxstack/wxstack/client

go 1.26.0
