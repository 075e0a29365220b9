#!/usr/bin/env bash
# Builds the images that docker-compose.yml names, on a machine with or without an image registry.
#
# The base images (Go, distroless, Redis, HAProxy) are pulled as usual. Where a pull fails, a stand-in with the same tag is
# made on this machine from Debian packages and Go modules, so that the Dockerfile and the compose file stay as they are.
# A stand-in carries a label with the hash of what it was made from: it is made anew when that changes, and an image that
# was pulled is never replaced. The stand-in for Go brings the modules along as a file-system GOPROXY and a warm build
# cache, because a build has no network there.
#
# Needs: docker and its engine; for stand-ins also go, tar, busybox (static), redis-server, redis-cli and haproxy.
#
#	deploy/images/stand-ins.sh            base images, then the five images of wxstack
#	deploy/images/stand-ins.sh --bases    base images only
#	WXSTACK_OFFLINE=1 …                   no attempt to pull
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

GO_IMAGE=${GO_IMAGE:-golang:1.26}
BASE_IMAGE=${BASE_IMAGE:-gcr.io/distroless/static-debian12:nonroot}
REDIS_IMAGE=${REDIS_IMAGE:-redis:7.2-alpine}
HAPROXY_IMAGE=${HAPROXY_IMAGE:-haproxy:3.2-alpine}
VERSION=${WXSTACK_VERSION:-dev}
TARGETS=(token-center api-proxy logic gateway simulator)
LABEL=wxstack.stand-in
PULL_SECONDS=${PULL_SECONDS:-600}
# The same words as in deploy/Dockerfile, or the warm cache would not be hit.
BUILD_FLAGS=(-trimpath -buildvcs=false "-ldflags=-s -w")
BINARIES=(./services/{api-proxy/cmd/api-proxy,gateway/cmd/gateway,logic/cmd/logic,token-center/cmd/token-center} ./simulator/cmd/simulator)

say() { printf 'images: %s\n' "$*"; }
fail() {
	printf 'images: %s\n' "$1" >&2
	shift
	if [ $# -gt 0 ]; then printf '        %s\n' "$@" >&2; fi
	exit 1
}

command -v docker >/dev/null || fail "no docker client found" "install Docker (https://docs.docker.com/engine/install/), on Debian: apt-get install docker.io"
docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || fail "no Docker engine answers at ${DOCKER_HOST:-the default socket}" \
	"start it (systemctl start docker, or Docker Desktop), or name it in DOCKER_HOST" \
	"may this user reach it? groups must show docker, or use sudo"

W=$(mktemp -d)
trap 'chmod -R u+w "$W"; rm -rf "$W"' EXIT

need() { # PROGRAM PACKAGE
	command -v "$1" >/dev/null || fail "$1 is missing: the registry does not answer and a stand-in needs it" "on Debian: apt-get install $2"
}

# ready TAG HASH: is there an image under TAG that may be used as it is?
ready() {
	local made
	docker image inspect "$1" >/dev/null 2>&1 || return 1
	made=$(docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null || true)
	[ -z "$made" ] || [ "$made" = "<no value>" ] || [ "$made" = "$2" ]
}

# obtain TAG HASH MAKE: uses what is there, else pulls, else calls MAKE.
obtain() {
	if ready "$1" "$2"; then
		say "$1 is here"
		return
	fi
	# A stand-in that is out of date is made anew at once; it exists because there is no registry.
	if [ -z "${WXSTACK_OFFLINE:-}" ] && ! docker image inspect "$1" >/dev/null 2>&1; then
		say "pulling $1"
		if timeout "$PULL_SECONDS" docker pull -q "$1" >"$W/pull" 2>&1; then return; fi
		say "no registry for $1 ($(tail -n 1 "$W/pull" | cut -c -120))"
	fi
	say "making a stand-in for $1"
	local old
	old=$(docker image inspect --format '{{.Id}}' "$1" 2>/dev/null || true)
	"$3" "$1" "$2"
	if [ -n "$old" ]; then docker image rm "$old" >/dev/null 2>&1 || true; fi
}

# root DIR: users, CA certificates, time zones
root() {
	mkdir -p "$1"/{bin,etc/ssl/certs,tmp,usr/share,usr/local/bin}
	chmod 1777 "$1/tmp"
	[ -r /etc/ssl/certs/ca-certificates.crt ] || fail "/etc/ssl/certs/ca-certificates.crt is missing" "on Debian: apt-get install ca-certificates"
	cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
	printf '%s\n' root:x:0:0::/root:/bin/sh redis:x:999:1000::/data:/bin/sh haproxy:x:99:99::/tmp:/bin/sh nonroot:x:65532:65532::/tmp:/bin/sh >"$1/etc/passwd"
	printf '%s\n' root:x:0: redis:x:1000: haproxy:x:99: nonroot:x:65532: >"$1/etc/group"
}

# shell DIR: busybox under all its names
shell() {
	need busybox busybox-static
	if ldd "$(command -v busybox)" >/dev/null 2>&1; then fail "busybox is not static" "on Debian: apt-get install busybox-static"; fi
	cp -L "$(command -v busybox)" "$1/bin/busybox"
	local applet
	for applet in $(busybox --list); do [ "$applet" = busybox ] || ln -sf busybox "$1/bin/$applet"; done
}

# programs DIR PROGRAM…: each with the libraries that it loads
programs() {
	local dir=$1 program library
	shift
	for program in "$@"; do
		program=$(command -v "$program")
		cp -L "$program" "$dir/usr/local/bin/"
		for library in $(ldd "$program" | grep -o '/[^ )]*'); do
			mkdir -p "$dir$(dirname "$library")"
			cp -Ln "$library" "$dir$library"
		done
	done
}

# load DIR TAG HASH [INSTRUCTION…]
load() {
	local dir=$1 tag=$2 hash=$3 args=() line
	shift 3
	for line in "ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin" "LABEL $LABEL=$hash" "$@"; do args+=(-c "$line"); done
	tar -C "$dir" --owner=0 --group=0 -cf - . | docker import "${args[@]}" - "$tag" >/dev/null
	rm -rf "$dir"
}

digest() { sha256sum | cut -c -16; }

make_go() {
	need go golang
	root "$W/go-root"
	shell "$W/go-root"
	mkdir -p "$W/go-root"/{opt,go}
	say "  downloading modules"
	GOMODCACHE=$W/mod GOFLAGS=-modcacherw go mod download
	mkdir -p "$W/go-root/opt/goproxy"
	cp -r "$W/mod/cache/download/." "$W/go-root/opt/goproxy/"
	rm -rf "$W/go-root/opt/goproxy/sumdb"
	say "  warming the build cache"
	# A binary that does not compile yet must not stop the others: the image build reports it.
	GOMODCACHE=$W/mod GOFLAGS=-modcacherw GOCACHE=$W/go-root/opt/gocache CGO_ENABLED=0 \
		go build "${BUILD_FLAGS[@]}" -o "$W/bin/" "${BINARIES[@]}" || say "  (the sources do not compile: the cache stays incomplete)"
	cp -r "$(go env GOROOT)" "$W/go-root/usr/local/go"
	load "$W/go-root" "$1" "$2" "ENV GOPATH=/go GOTOOLCHAIN=local GOPROXY=file:///opt/goproxy GOSUMDB=off GOFLAGS= GOCACHE=/opt/gocache" "WORKDIR /go"
}

make_base() {
	root "$W/base"
	[ ! -d /usr/share/zoneinfo ] || cp -r /usr/share/zoneinfo "$W/base/usr/share/"
	load "$W/base" "$1" "$2" "USER 65532"
}

make_redis() {
	need redis-server redis-server
	need redis-cli redis-tools
	root "$W/redis"
	shell "$W/redis"
	programs "$W/redis" redis-server redis-cli
	mkdir -p "$W/redis/data"
	chmod 1777 "$W/redis/data"
	load "$W/redis" "$1" "$2" "USER redis" "WORKDIR /data" "VOLUME /data" "EXPOSE 6379" 'CMD ["redis-server"]'
}

make_haproxy() {
	need haproxy haproxy
	root "$W/haproxy"
	shell "$W/haproxy"
	programs "$W/haproxy" haproxy
	mkdir -p "$W/haproxy/usr/local/etc/haproxy"
	load "$W/haproxy" "$1" "$2" "USER haproxy" 'CMD ["haproxy","-W","-db","-f","/usr/local/etc/haproxy/haproxy.cfg"]'
}

# What each stand-in is made of: this script, and the versions of what goes in.
recipe=$(digest <deploy/images/stand-ins.sh)
version_of() { { "$@" 2>/dev/null || true; } | head -n 1; }
sums() { # the Go version and the content of every dependency
	go env GOVERSION
	go list -m -f '{{.Dir}}' | while read -r dir; do cat "$dir/go.mod" "$dir/go.sum" 2>/dev/null || true; done
}

obtain "$BASE_IMAGE" "$(echo "$recipe" | digest)" make_base
obtain "$REDIS_IMAGE" "$(echo "$recipe $(version_of redis-server --version)" | digest)" make_redis
obtain "$HAPROXY_IMAGE" "$(echo "$recipe $(version_of haproxy -v)" | digest)" make_haproxy
obtain "$GO_IMAGE" "$(if command -v go >/dev/null; then echo "$recipe $(sums)"; fi | digest)" make_go
if [ "${1:-}" = --bases ]; then exit; fi

build() { # TARGET
	docker build -q -f deploy/Dockerfile --target "$1" -t "wxstack/$1:$VERSION" \
		--build-arg GO_IMAGE="$GO_IMAGE" --build-arg BASE_IMAGE="$BASE_IMAGE" .
}
# BuildKit where the client has it; else the classic builder, which needs no plugin.
if docker buildx version >/dev/null 2>&1; then export DOCKER_BUILDKIT=1; else export DOCKER_BUILDKIT=0; fi
for target in "${TARGETS[@]}"; do
	say "building wxstack/$target:$VERSION"
	build "$target" >"$W/build" 2>&1 || {
		cat "$W/build" >&2
		fail "wxstack/$target:$VERSION did not build"
	}
done
say "done: $(printf "wxstack/%s:$VERSION " "${TARGETS[@]}")"
