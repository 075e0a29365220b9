#!/usr/bin/env bash
# Everything that CI checks besides the tests. Runs all checks, changes no file, and names those that failed at the end.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH=$PWD/tools/bin:$PATH
W=$(mktemp -d)
trap 'chmod -R u+w "$W"; rm -rf "$W"' EXIT
mapfile -t DIRS < <(go list -m -f '{{.Dir}}')
failed=()

check() { # NAME FUNCTION
	local start=$SECONDS
	if "$2" >"$W/out" 2>&1; then
		printf 'ok    %s (%ds)\n' "$1" $((SECONDS - start))
	else
		printf 'FAIL  %s\n' "$1"
		sed 's/^/      /' "$W/out"
		failed+=("$1")
	fi
}

formatted() {
	local files
	files=$(gofmt -l "${DIRS[@]}" tools/testcount) && [ -z "$files" ] || {
		echo "not formatted, run make fmt:"
		echo "$files"
		return 1
	}
}

lint() { golangci-lint run "${DIRS[@]/%//...}"; }

proto_lint() (cd proto && buf lint)

proto_breaking() (cd proto && buf breaking --against baseline.binpb)

# Generates into another folder and compares, both ways: a file whose .proto is gone is a difference too.
proto_generated() {
	mkdir -p "$W/proto"
	(cd proto && buf generate -o "$W/proto") || return
	local file rc=0
	while read -r file; do
		diff -u "proto/$file" "$W/proto/$file" || rc=1
	done < <({ cd "$W/proto" && find . -name '*.go'; cd "$OLDPWD/proto" && find . -name '*.pb.go'; } | sort -u)
	[ $rc -eq 0 ] || echo "generated code differs, run make proto"
	return $rc
}

# In workspace mode a module may use what it never required; only this proves a go.mod honest.
alone() {
	local dir rc=0
	for dir in "${DIRS[@]}"; do
		(cd "$dir" && export GOWORK=off && go mod tidy -diff && go build -o /dev/null ./... && go vet ./...) || {
			echo "in $dir"
			rc=1
		}
	done
	return $rc
}

# Compares on a copy: the files of the work tree stay as they are.
synced() {
	mkdir -p "$W/sync"
	{ git ls-files -co --exclude-standard 2>/dev/null || find . -type f -not -path './.git/*'; } |
		while read -r file; do [ ! -e "$file" ] || echo "$file"; done | tar -cf - -T - | tar -xf - -C "$W/sync" || return
	(cd "$W/sync" && go work sync) || return
	local dir rc=0
	for dir in "${DIRS[@]#"$PWD"/}"; do diff -u "$dir/go.mod" "$W/sync/$dir/go.mod" || rc=1; done
	[ $rc -eq 0 ] || echo "go work sync would change these, run make tidy"
	return $rc
}

equal_versions() {
	local twice
	twice=$(cat "${DIRS[@]/%//go.mod}" | awk '
		$1 == "require" && $2 != "(" {print $2, $3}
		$1 ~ /\./ && $2 ~ /^v/ {print $1, $2}' | sort -u | awk '{n[$1]++; v[$1] = v[$1] " " $2} END {for (m in n) if (n[m] > 1) print m v[m]}')
	[ -z "$twice" ] || {
		echo "one dependency, several versions:"
		echo "$twice"
		return 1
	}
}

shell_syntax() {
	local file rc=0
	for file in .ci/run tools/*.sh deploy/*/*.sh; do bash -n "$file" || rc=1; done
	return $rc
}

# compose FILE…: valid for whichever Compose is there, v1 and the plugin alike
compose() {
	local program file args=() rc=0
	for file in "$@"; do args+=(-f "$file"); done
	for program in tools/bin/docker-compose "$(PATH=${PATH#*:} command -v docker-compose)"; do
		[ -z "$program" ] || [ ! -x "$program" ] || "$program" "${args[@]}" config -q || rc=1
	done
	return $rc
}
compose_development() { compose docker-compose.yml; }
compose_production() { compose docker-compose.yml deploy/compose.production.yml; }
# Operators keep their files elsewhere.
compose_production_elsewhere() { WXSTACK_PRODUCTION_DIR=/etc/wxstack compose docker-compose.yml deploy/compose.production.yml; }

haproxy_configs() {
	haproxy -c -q -f deploy/haproxy/haproxy.cfg || return
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$W/key" -out "$W/cert" -days 1 -subj /CN=wxstack 2>/dev/null || return
	cat "$W/cert" "$W/key" >"$W/edge.pem"
	sed "s#/run/secrets/edge_certificate#$W/edge.pem#" deploy/haproxy/haproxy.production.cfg >"$W/haproxy.cfg"
	haproxy -c -q -f "$W/haproxy.cfg"
}

# The module outside go.work has a go.work of its own.
interop() (cd test/interop && GOWORK=off go mod tidy -diff && GOWORK=off go vet ./... && golangci-lint run ./...)

tools_tests() (export GOWORK=off && go -C tools/testcount vet ./... && go -C tools/testcount test ./...)

check "gofmt" formatted
check "shell syntax" shell_syntax
check "tools" tools_tests
check "buf lint" proto_lint
check "buf breaking" proto_breaking
check "generated code" proto_generated
check "equal versions" equal_versions
check "each module alone: tidy, build, vet" alone
check "go work sync" synced
check "golangci-lint" lint
check "test/interop: tidy, vet, lint" interop
check "compose" compose_development
check "compose, production" compose_production
check "compose, production elsewhere" compose_production_elsewhere
if command -v haproxy >/dev/null; then check "haproxy" haproxy_configs; else echo "skip  haproxy: not installed"; fi

if [ ${#failed[@]} -gt 0 ]; then
	printf '\nfailed: %s\n' "$(IFS=,; echo "${failed[*]}")"
	exit 1
fi
