module github.com/wxstack/wxstack/tools/testcount

go 1.26.0
