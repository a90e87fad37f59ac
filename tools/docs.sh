#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# docs.sh - prints the reference pages from the tables of the programs and from proto/.  Called by ./rl docs; tests/lint compares.
#
#     tools/docs.sh BIN TO        BIN: folder of the programs; TO: where config.md, metrics.md and messages.md go
set -eu
export LC_ALL=C
root=$(cd "$(dirname "$0")/.." && pwd)
bin=$1 to=$2
services="feedback reward bandit guard router"
mkdir -p "$to"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One table of what all five print, then each service's own rows.
tables() { # OPTION TITLE
  for s in $services; do "$bin/rl-$s" "$1" >"$work/$s"; done
  cat "$work"/* | sort | uniq -c | awk '$1 == 5 { sub(/^ *5 /, ""); print }' >"$work/.common"
  printf '\n## %s\n\n' "$2"
  head -2 "$work/feedback"
  sed 1,2d "$work/feedback" | grep -Fxf "$work/.common"
  for s in $services; do
    printf '\n## %s\n\n' "$s"
    head -2 "$work/$s"
    sed 1,2d "$work/$s" | grep -Fxvf "$work/.common" || :
  done
}

# A message or an enum of a .proto file as a table: its comment, then field, type and the comment of the field.
fields() {
  awk '
    BEGIN {
      head["enum"] = "| value | meaning |\n| --- | --- |\n"
      head["message"] = "| field | type | meaning |\n| --- | --- | --- |\n"
    }
    function cell(text) { gsub(/</, "\\&lt;", text); gsub(/\|/, "\\|", text); return text }
    /^\/\/ SPDX/ { next }
    /^\/\// { about = about (about ? " " : "") substr($0, 4); next }
    /^ *\/\/ / { sub(/^ *\/\/ /, ""); inner = inner (inner ? " " : "") $0; next }
    /^ *(message|enum) / {
      if (!depth && !begun++) top = ""
      name = $2; kind = $1
      path = depth ? owner "." name : name
      if (!depth) owner = name
      inside = depth
      if (index($0, "}")) { printf "\n### %s\n\n%s\n", path, cell(about); about = ""; next }
      text = "\n### " path "\n\n" cell(inside ? inner : about) "\n\n" head[kind]
      level++; page[level] = text; kinds[level] = kind
      about = ""; inner = ""; depth++; next
    }
    /^ *oneof / { choice = $2; depth++; next }
    /^ *}/ {
      depth--
      if (choice) { choice = ""; next }
      done = page[level] done
      level--
      if (!depth) { printf "%s", done; done = "" }
      next
    }
    level && / = [0-9]+;/ {
      comment = ""
      if ((at = index($0, "//"))) { comment = substr($0, at + 3); $0 = substr($0, 1, at - 1) }
      sub(/ = [0-9]+; *$/, ""); sub(/^ */, "")
      if (kinds[level] == "enum") { page[level] = page[level] "| " $0 " | " cell(comment) " |\n"; next }
      field = $NF; type = $0; sub(/ [^ ]*$/, "", type)
      if (choice) type = type (choice ~ /^has_/ ? ", may be absent" : ", one of them")
      page[level] = page[level] "| `" field "` | " cell(type) " | " cell(comment) " |\n"
      next
    }
    /^ *$/ { about = "" }
  ' "$root/proto/tom/rl/v1/$1.proto"
}

# What clients may say or ask and no table of handlers names.
unanswered() {
  "$bin/rl-init" wiring | sed -n 's/^| `\([a-z_.]*\)` | .*operator.*/\1/p' | while read -r subject; do
    name=SUBJECT_$(echo "$subject" | tr a-z. A-Z_)
    grep -qE "\{ *$name, *[a-z_]*on_" "$root"/services/*/*.c || printf '`%s` ' "$subject"
  done | sed 's/ $//; s/ /, /g'
}

# A text; a line that ends with a backslash goes on in the next one.
joined() { sed -e :a -e '/\\$/{' -e N -e 's/\\\n//' -e ta -e '}'; }

made='This page is printed from the tables of the programs by `./rl docs`; a test fails when it is not what they say.'

{
  printf '# Settings\n\n%s\n\n' "$made"
  joined <<'TXT'
All of them stand in [`config/rl.yaml`](../../config/rl.yaml) at their default. The environment wins over the file, where a \
variable is named. A key that nobody
knows is an error, and so is a value out of range. `rl-<service> -n` checks, `rl-<service> -p` prints what is in force. \
Prior, traffic caps and blacklist belong to
the variants and stand in [`docs/policies/prompt_variants.yaml`](../policies/prompt_variants.yaml) ([what they \
mean](../variants.md)).
TXT
  tables -m "Every program"
} >"$to/config.md"

{
  printf '# Metrics\n\n%s\n\n' "$made"
  joined <<'TXT'
Each service has a sidecar that serves them: feedback on 127.0.0.1:9101, reward 9102, bandit 9103, guard 9104, router 9105 \
(`RL_METRICS_PORT_BASE`), at `/metrics`; `/healthz`
says that the sidecar lives, `/readyz` that its service is ready. A sidecar adds one metric of its own, `rl_service_up`: 1 \
when the service is ready and gave a sign of life within
the last 5 s. Every series exists from the start at 0. *Cell*: tells of callers, and is left out while its cell counts fewer \
than `rl.min_cell_size` calls
([why](../privacy.md#what-reports-leave-out), [what that means for queries](../operate.md#alerts)). What the sandbox counts \
begins with `sandbox_rl_`. Recorded rules and alerts:
[`deploy/prometheus/rules.yml`](../../deploy/prometheus/rules.yml), [what to do about them](../operate.md#alerts).
TXT
  tables -M "Every service"
} >"$to/metrics.md"

{
  printf '# Messages\n\n%s\n\n' "$made"
  joined <<'TXT'
A payload that begins with `{` is JSON, anything else protobuf ([`proto/`](../../proto/tom/rl/v1)); a reply comes in the \
encoding of its request. JSON uses the field names below;
lowerCamelCase is understood, too. An unknown field, a duplicate or a value out of range is refused by name. Enums lose \
their prefix in JSON: `DECISION_SOURCE_LEARNED` is `"LEARNED"`.
How to use them from a voice stack: [connect](../connect.md). Every reply has `error` when it failed, and only then.

TXT
  "$bin/rl-init" wiring
  waiting=$(unanswered)
  [ -z "$waiting" ] || printf '\nDescribed here, and not yet handled by any service: %s.\n' "$waiting"
  printf '\n## Fields\n'
  for f in call policy feedback reward bandit guard dlq common; do fields $f; done | cat -s
} >"$to/messages.md"
