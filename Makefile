# `make` alone prints what there is. Modules come from go.work, tools from tools/versions.env; neither is listed here.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export PATH := $(CURDIR)/tools/bin:$(PATH)

MODULE_DIRS = $(shell go list -m -f '{{.Dir}}')
MODULE_PATTERNS = $(addsuffix /...,$(MODULE_DIRS))
COMPOSE ?= docker compose
FUZZTIME ?= 20s
ROUNDS ?= 3

# The race detector needs a C compiler.
ifeq ($(shell command -v $$(go env CC 2>/dev/null) 2>/dev/null),)
RACE :=
else
RACE := -race
endif

# These have the machine to themselves, one after the other: beside others their replicas would stall and take each other
# for dead, clients would ask less often than a limit lets them, and browsers drop what is under way when containers start.
ALONE = ./test/compose ./test/chaos ./test/proxies
E2E = go test -count=1 -timeout=15m $$(go list ./test/... | grep -Ev '/test/(compose|chaos|proxies)') + go test -count=1 -p 1 -timeout=15m $(ALONE)

# A module outside go.work, with a go.work of its own: what others' SDKs require must not choose the versions of ours.
INTEROP = go test -C test/interop ./...

##@ Run
.PHONY: run
run: ## everything in one process, with an embedded Redis and the simulator as WeChat
	go run ./standalone

.PHONY: up
up: images ## the stack in containers, in the background; SCALE="--scale gateway=3" adds replicas
	$(COMPOSE) up -d $(SCALE)

.PHONY: simulator
simulator: ## bin/simulator, one static binary: the pretended WeChat for any other project's desk and CI
	CGO_ENABLED=0 go build -trimpath -o bin/simulator ./simulator/cmd/simulator

.PHONY: down
down: ## stop the containers; the volumes stay
	$(COMPOSE) down

.PHONY: images
images: ## build the images; without a registry the base images are made from Debian packages
	deploy/images/stand-ins.sh

##@ Test
.PHONY: test
test: tools/bin/testcount race-notice images-if-engine ## every test: unit (-race), real Redis, end to end; ends with the counts
	testcount go test $(RACE) $$(go list work | grep -v '/wxstack/test/') + $(INTEROP) + $(E2E)

.PHONY: unit
unit: tools/bin/testcount race-notice ## the tests without the end-to-end ones
	testcount go test $(RACE) $$(go list work | grep -v '/wxstack/test/') + $(INTEROP)

.PHONY: e2e
e2e: tools/bin/testcount images-if-engine ## the end-to-end tests: standalone with a browser, and compose where an engine answers
	testcount $(E2E)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (20s) each
	tools/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: ## measure the real processes: start, memory, a message's way, also against a peer; ROUNDS=7 to quote a figure
	go test ./test/bench -run '^$$' -bench . -benchtime 3s -timeout 30m -rounds=$(ROUNDS)

.PHONY: race-notice
race-notice:
ifeq ($(RACE),)
	@echo '*** NO C COMPILER: the tests run WITHOUT the race detector. On Debian: apt-get install gcc libc6-dev ***' >&2
endif

# The compose test runs on prebuilt images; without an engine it is skipped and says so.
.PHONY: images-if-engine
images-if-engine:
	@if docker version --format '{{.Server.Version}}' >/dev/null 2>&1; then deploy/images/stand-ins.sh; \
	else echo 'no Docker engine answers: the compose test cannot run' >&2; fi

##@ Check
.PHONY: verify
verify: tools ## everything that CI checks besides the tests
	tools/verify.sh

.PHONY: lint
lint: tools/bin/golangci-lint ## golangci-lint over every module
	golangci-lint run $(MODULE_PATTERNS)
	cd test/interop && golangci-lint run ./...

##@ Write
.PHONY: fmt
fmt: ## gofmt
	gofmt -w $(MODULE_DIRS)

.PHONY: proto
proto: tools ## generate Go from the .proto files
	cd proto && buf lint && buf generate

.PHONY: proto-baseline
proto-baseline: tools/bin/buf ## accept today's .proto files as what later ones must stay compatible with
	cd proto && buf build -o baseline.binpb

.PHONY: docs
docs: ## regenerate docs/metrics.md and the screenshots
	go test ./standalone -run TestTheMetricsDocumentIsUpToDate -update
	SCREENSHOT_DIR=$(CURDIR)/docs/images go test -count=1 ./test/e2e -run 'TestTheChatPage$$|ThePage|Screenshots'

.PHONY: tidy
tidy: ## go mod tidy in every module, and equal versions in all of them
	go work sync
	for dir in $(MODULE_DIRS) test/interop; do (cd "$$dir" && GOWORK=off go mod tidy); done

##@ Tools
.PHONY: tools
tools: ## install the pinned tools into tools/bin
	tools/install.sh

tools/bin/%:
	tools/install.sh $*

tools/bin/testcount: $(wildcard tools/testcount/*.go)
	tools/install.sh testcount

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
