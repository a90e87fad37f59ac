#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# line_length.sh - no line of code is longer than 130 characters, however many bytes they take.
set -eu
cd "$(dirname "$0")/../.."
most=130
code=$(find rl common services sidecar tools tests examples deploy -name node_modules -prune -o -type f \
  \( -name '*.c' -o -name '*.h' -o -name '*.sh' -o -name '*.mjs' -o -name rl \) -print)
seen=$(echo "$code" | wc -l)
[ "$seen" -gt 300 ] || { echo "only $seen files were found: this test does not see them all"; exit 1; }
long=$(echo "$code" | LC_ALL=C.UTF-8 xargs grep -anE "^.{$((most + 1))}" /dev/null | cut -d: -f1,2) || :
[ -z "$long" ] || { echo "lines of more than $most characters:"; echo "$long"; exit 1; }
