#!/usr/bin/env bash
# Runs every fuzz target of the workspace for the time given (default 20s), one after the other.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=${1:-20s}
for package in $(go list work); do
	# A package without fuzz targets, or without tests at all, lists none.
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "fuzz: $package $target"
		# Minimising is bounded by count: bounded by time it can outlive the run, which then counts as failed.
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 20x "$package"
	done
done
