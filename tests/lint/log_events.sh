#!/bin/sh
# log_events.sh - every event of the log stands in HACKING.md, and nothing else does.
set -eu
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
grep -rhoE 'log_(debug|info|warning|error|event)\([^"]*"[a-z_]+\.[a-z_]+"' common services tools sidecar |
  grep -oE '"[a-z_.]+"' | tr -d '"' | sort -u >"$dir/code"
sed -n '/^## Log lines/,$p' HACKING.md | grep '^| `' | cut -d'|' -f2 | grep -oE '[a-z_]+\.[a-z_]+' | sort -u >"$dir/page"
diff "$dir/code" "$dir/page" || { echo "HACKING.md (>) and the code (<) name different log events"; exit 1; }
