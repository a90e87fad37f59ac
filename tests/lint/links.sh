#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# links.sh - every relative link of a page leads to a file that is there, and to a heading when it names one.
set -eu
cd "$(dirname "$0")/../.."

anchors() { # the headings of a page, as the address bar writes them
  grep -E '^#+ ' "$1" | sed 's/^#* //' | tr '[:upper:]' '[:lower:]' | sed 's/[^[:alnum:] _-]//g; s/ /-/g'
}

bad=0 seen=0
for page in $(find . -name '*.md' -not -path './build/*' -not -path './data/*' -not -path '*/node_modules/*'); do
  folder=$(dirname "$page")
  for link in $(sed 's/`[^`]*`//g' "$page" |
    grep -oE '\]\([^) ]+\)|(src|href)="[^"]+"' | sed -E 's/^\]\(//; s/\)$//; s/^(src|href)="//; s/"$//'); do
    case $link in *://* | mailto:*) continue ;; esac
    seen=$((seen + 1))
    file=${link%%#*} heading=
    case $link in *\#*) heading=${link#*#} ;; esac
    target=$page
    [ -z "$file" ] || target=$folder/$file
    if [ ! -e "$target" ]; then
      echo "$page: $link: there is no $target"
      bad=1
    elif [ -n "$heading" ] && ! anchors "$target" | grep -Fqx "$heading"; then
      echo "$page: $link: $target has no such heading"
      bad=1
    fi
  done
done
[ "$seen" -gt 20 ] || { echo "only $seen links were found: this test reads the pages wrongly"; exit 1; }
exit $bad
