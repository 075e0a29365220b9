#!/usr/bin/env bash
# Installs the pinned tools into tools/bin: those of versions.env, and those with a module of their own beside this file.
#
#	tools/install.sh              all that are missing or of another version
#	tools/install.sh buf …        only these
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export GOWORK=off GOBIN=$PWD/bin CGO_ENABLED=0
mkdir -p bin

wanted() { # NAME
	local name=$1 only
	shift
	[ $# -eq 0 ] && return
	for only in "$@"; do [ "$only" = "$name" ] && return; done
	return 1
}

# current NAME PACKAGE@VERSION: does bin/NAME say that it is this?
current() {
	[ -x "bin/$1" ] && go version -m "bin/$1" 2>/dev/null | awk -v want="${2##*@}" '$1 == "mod" && $3 == want {found = 1} END {exit !found}'
}

while IFS='=' read -r key package; do
	case $key in '' | \#*) continue ;; esac
	name=${package%@*}
	name=${name##*/}
	wanted "$name" "$@" || continue
	current "$name" "$package" && continue
	echo "tools: installing $package"
	go install -trimpath -ldflags='-s -w' "$package"
done <versions.env

if wanted docker-compose "$@"; then
	version=$(awk '$1 == "github.com/docker/compose/v5" {print $2}' compose/go.mod)
	if ! { [ -x bin/docker-compose ] && [ "$(bin/docker-compose version --short 2>/dev/null)" = "${version#v}" ]; }; then
		echo "tools: building Docker Compose $version"
		go -C compose build -trimpath -ldflags "-s -w -X github.com/docker/compose/v5/internal.Version=$version" \
			-o ../bin/docker-compose github.com/docker/compose/v5/cmd
	fi
fi

if wanted testcount "$@"; then go -C testcount build -trimpath -o ../bin/testcount .; fi
