#!/bin/sh
# bench.sh - the whole loop, and a decision, beside a relay that only moves the same messages; feedback with a million calls
# beside bare SQLite; and how well it learns.  Called by ./rl bench [loop|select|feedback|learning].
#
# Both sides run in one call on one machine: ours (five services with their databases) and the floor (five relays: same bus code,
# same subjects, streams and message sizes; no decoding, no store).  Rounds alternate; the best of each side counts.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=$root/build/release/bin
what=${1:-all}
calls=${RL_BENCH_CALLS:-40000}
rows=${RL_BENCH_ROWS:-1000000}
rounds=${RL_BENCH_ROUNDS:-3}
dir=$(mktemp -d "${TMPDIR:-/tmp}/rl-bench.XXXXXX")
pids=

stop_all() {
  for pid in $pids; do kill "$pid" 2>/dev/null || :; done
  for pid in $pids; do wait "$pid" 2>/dev/null || :; done
  pids=
}
trap 'stop_all; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

free_port() {
  node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'
}

start() { "$@" >>"$RL_DATA_DIR/log" 2>&1 & pids="$! $pids"; }

# A bus of its own with our streams; RL_DATA_DIR and RL_NATS_PORT say where.
start_bus() {
  RL_DATA_DIR=$dir/$1 RL_NATS_PORT=$(free_port)
  export RL_DATA_DIR RL_NATS_PORT
  mkdir -p "$RL_DATA_DIR"
  "$bin/rl-init" keys >/dev/null
  "$bin/rl-init" conf >/dev/null
  start nats-server -c "$RL_DATA_DIR/nats/nats.conf"
  "$bin/rl-init" streams >>"$RL_DATA_DIR/log"
}

ready() {
  i=0
  until "$bin/rlctl" req "$1" '{}' >/dev/null 2>&1; do
    i=$((i + 1))
    [ $i -lt 100 ] || { echo "bench: $1 does not answer; see" >&2; tail -5 "$RL_DATA_DIR/log" >&2; exit 1; }
    sleep 0.1
  done
}

start_ours() {
  start_bus "$1"
  cd "$root"
  for s in feedback reward bandit guard router; do start "$bin/rl-$s" -c config/rl.yaml; done
  for s in feedback.stats bandit.stats guard.status router.session; do ready $s; done
}

start_relay() {
  start_bus "$1"
  shift
  for s in feedback reward bandit guard router; do start "$bin/rl-bench" relay $s "$@"; done
  sleep 1
}

figure() { awk -v k="$1" '{ for (i = 1; i < NF; i++) if ($i == k) { sub("/s", "", $(i + 1)); print $(i + 1); exit } }'; }

best_loop() {
  ours=0 relay=0
  for round in $(seq "$rounds"); do
    start_ours "ours$round"
    out=$("$bin/rl-bench" load --calls "$calls")
    stop_all
    echo "ours  round $round: $(echo "$out" | head -1)"
    sizes=$(echo "$out" | sed -n 's/^sizes //p')
    ours=$(echo "$ours $(echo "$out" | figure load)" | awk '{ print ($1 > $2 ? $1 : $2) }')
    # shellcheck disable=SC2086
    start_relay "relay$round" $sizes
    out=$("$bin/rl-bench" load --calls "$calls")
    stop_all
    echo "relay round $round: $(echo "$out" | head -1)"
    relay=$(echo "$relay $(echo "$out" | figure load)" | awk '{ print ($1 > $2 ? $1 : $2) }')
    rm -rf "$dir/ours$round" "$dir/relay$round"
  done
  echo "sizes $sizes"
  awk -v o="$ours" -v r="$relay" 'BEGIN { printf "ratio loop %.2f (ours %.0f/s, relay %.0f/s)\n", o / r, o, r }'
}

best_select() {
  start_ours ours-select
  ours=$("$bin/rl-bench" select --calls 20000)
  stop_all
  sizes=$(echo "$ours" | sed -n 's/^sizes //p')
  # shellcheck disable=SC2086
  start_relay echo-record $sizes
  record=$("$bin/rl-bench" select --calls 20000)
  stop_all
  # shellcheck disable=SC2086
  start_relay echo-bare --no-record $sizes
  bare=$("$bin/rl-bench" select --calls 20000)
  stop_all
  echo "ours                  $(echo "$ours" | head -1)"
  echo "echo with a record    $(echo "$record" | head -1)"
  echo "bare echo             $(echo "$bare" | head -1)"
  set -- "$(echo "$ours" | figure p50)" "$(echo "$ours" | figure p99)" "$(echo "$record" | figure p50)" \
    "$(echo "$record" | figure p99)" "$(echo "$bare" | figure p50)" "$(echo "$bare" | figure p99)"
  awk -v a="$1" -v b="$2" -v c="$5" -v d="$6" 'BEGIN { printf "ratio select-bare p50 %.2f p99 %.2f\n", a / c, b / d }'
  awk -v a="$1" -v b="$2" -v c="$3" -v d="$4" 'BEGIN { printf "ratio select p50 %.2f p99 %.2f\n", a / c, b / d }'
}

# A database of so many calls, and a rl-feedback on it that is asked.
ask_feedback() { # NAME ROWS
  start_bus "$1"
  "$bin/rl-bench" fill --calls "$2"
  cd "$root"
  start "$bin/rl-feedback" -c config/rl.yaml
  ready feedback.stats
  "$bin/rl-bench" feedback
  stop_all
  rm -rf "${dir:?}/$1"
}

row() { sed -n "s/^$1 //p" "$2"; }

best_feedback() {
  ask_feedback few 20000 >"$dir/few.txt"
  ask_feedback many "$rows" >"$dir/many.txt"
  for f in few many; do sed "s/^/$(printf '%-5s' $f)/" "$dir/$f.txt"; done
  set -- "$(row fill "$dir/many.txt" | figure ours)" "$(row fill "$dir/many.txt" | figure bare)" \
    "$(row stats "$dir/many.txt" | figure p50)" "$(row stats "$dir/few.txt" | figure p50)" \
    "$(row page "$dir/many.txt" | figure p50)" "$(row page "$dir/few.txt" | figure p50)" \
    "$(row cleanup "$dir/many.txt" | figure chunk)" "$(row fill "$dir/many.txt" | figure chunk)"
  tenths=$(row "tenths ours" "$dir/many.txt" | figure last/first) bare=$(row "tenths bare" "$dir/many.txt" | figure last/first)
  worst=$(sed -n 's/^query[a-z_]* .* p99 \([0-9.]*\) us.*/\1/p' "$dir/many.txt" | sort -n | tail -1)
  awk -v a="$1" -v b="$2" -v c="$3" -v d="$4" -v e="$5" -v f="$6" -v g="$7" -v h="$8" \
    -v t="$tenths" -v u="$bare" -v w="$worst" 'BEGIN {
    printf "ratio feedback insert/bare %.2f  stats many/few %.2f  page many/few %.2f  " \
      "cleanup chunk/bare %.2f  last/first tenth %.2f (bare %.2f)  worst query p99 %.2f ms\n",
      a / b, c / d, e / f, g / h, t, u, w / 1000 }'
}

case $what in
feedback) best_feedback ;;
loop) best_loop ;;
select) best_select ;;
all) best_select; best_loop; best_feedback ;;
*) echo "usage: ./rl bench [loop|select|feedback|learning]" >&2; exit 64 ;;
esac
