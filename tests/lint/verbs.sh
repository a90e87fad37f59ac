#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# verbs.sh - every `./rl VERB` that a page tells people to type is one that ./rl or rlctl has.
#
#     tests/lint/verbs.sh build/dev/bin
set -eu
bin=${1:?usage: verbs.sh FOLDER OF THE PROGRAMS}
cd "$(dirname "$0")/../.."
known=$({ echo "  help "; ./rl help; "$bin/rlctl" help; } | sed -nE 's/^ +(\.\/rl )?([a-z]+) .*/\2/p' | sort -u)
told=$(grep -rhoE '\./rl [a-z]+' README.md README.de.md ARCHITECTURE.md HACKING.md docs examples deploy .github \
  --include=*.md --include=*.yml | cut -d' ' -f2 | sort -u)
[ "$(echo "$told" | wc -l)" -gt 15 ] || { echo "only these verbs were found in the pages:" $told; exit 1; }
bad=0
for verb in $told; do
  echo "$known" | grep -qx "$verb" && continue
  echo "./rl $verb is told on a page ($(grep -rl "\./rl $verb" README* docs ./*.md | head -1)), and there is no such verb"
  bad=1
done
exit $bad
