#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# reference_pages.sh - docs/reference says what the programs' tables and proto/ say.
#
#     tests/lint/reference_pages.sh build/dev/bin
set -eu
bin=${1:?usage: reference_pages.sh FOLDER OF THE PROGRAMS}
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$root/tools/docs.sh" "$bin" "$dir"
[ "$(grep -c '^|' "$dir/messages.md")" -gt 200 ] || { echo "the page of messages is nearly empty"; exit 1; }
diff -r "$root/docs/reference" "$dir" ||
  { echo "docs/reference (<) is not what the programs say (>).  Write the pages again:  ./rl docs"; exit 1; }
