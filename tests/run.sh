#!/bin/sh
# run.sh - runs the rings of tests and adds up their last lines.  Called by ./rl test [RING] [NAME] [--list].
#
# Rings of one build: unit lint sim integration e2e.  learning: short experiments, with the release build.  compose: docker
# compose up from a bare clone.  asan (with undefined), tsan: unit, sim and integration again under sanitizers.
# coverage: the same rings instrumented; fails below 80 % of lines in common/ and services/.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
logs=$root/build/test-logs
passed=0 failed=0 skipped=0
mkdir -p "$logs"
# A test stack is never the user's: nothing of their settings reaches it.
unset RL_DATA_DIR RL_NATS_PORT RL_METRICS_PORT_BASE RL_CONFIG RL_SUBJECT_PREFIX RL_NATS_URL RL_NATS_USER \
  RL_VARIANTS_PATH RL_ENABLED RL_TIMEZONE

build() {
  out=$(./rl build "$1" 2>&1) || { echo "$out"; failed=$((failed + 1)); return 1; }
}

# Adds "N passed, N failed, N skipped" of a log; a program that ended without that line has failed.
count() { # NAME STATUS LOG
  last=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$3" | tail -1)
  if [ -z "$last" ]; then
    echo "FAILED $1 ended with code $2 and no result: $3"
    grep -E 'ERROR|SUMMARY|WARNING: ThreadSanitizer|runtime error|Assertion' "$3" | head -5
    tail -5 "$3"
    failed=$((failed + 1))
    return
  fi
  set -- "$1" "$2" "$3" $(echo "$last" | tr -d ',a-z')
  passed=$((passed + $4)) failed=$((failed + $5)) skipped=$((skipped + $6))
  grep -A6 '^FAILED' "$3" | grep -vE '^[0-9]+ passed' || :
  grep '^skipped' "$3" || :
  if [ "$2" != 0 ] && [ "$5" = 0 ]; then
    echo "FAILED $1 ended with code $2: $3"
    grep -E 'ERROR|SUMMARY|WARNING: ThreadSanitizer|runtime error' "$3" | head -5
    failed=$((failed + 1))
  fi
}

run() { # LABEL COMMAND...
  label=$1
  shift
  "$@" >"$logs/$label.log" 2>&1
  count "$label" $? "$logs/$label.log"
}

ring() { # PRESET RING NAME
  program=build/$1/bin/rl-test-$2
  if [ -x "$program" ]; then
    # shellcheck disable=SC2086
    run "$1-$2" "$program" $3
  fi
}

lint() {
  : >"$logs/lint.log"
  ok=0 bad=0
  for l in "sh tests/lint/pure_symbols.sh build/dev/librl_pure.a" "sh tests/lint/log_events.sh" \
    "sh tests/lint/prometheus_rules.sh" "sh tests/lint/reference_pages.sh build/dev/bin" "sh tests/lint/links.sh" \
    "sh tests/lint/verbs.sh build/dev/bin" "sh tests/lint/line_length.sh"; do
    if out=$($l 2>&1); then
      ok=$((ok + 1))
    else
      bad=$((bad + 1))
      printf 'FAILED lint: %s\n%s\n' "$l" "$out" >>"$logs/lint.log"
    fi
  done
  echo "$ok passed, $bad failed, 0 skipped" >>"$logs/lint.log"
  count lint 0 "$logs/lint.log"
}

e2e_ready() {
  [ -d tests/e2e/node_modules/nats ] && return
  (cd tests/e2e && npm install --omit=optional --no-audit --no-fund --no-package-lock) >"$logs/npm.log" 2>&1 ||
    { echo "FAILED e2e: npm install: $logs/npm.log"; tail -3 "$logs/npm.log"; failed=$((failed + 1)); return 1; }
}

e2e() {
  ./rl build release >"$logs/release.log" 2>&1 || { tail -3 "$logs/release.log"; failed=$((failed + 1)); return; }
  # shellcheck disable=SC2086
  e2e_ready && run e2e node tests/e2e/e2e.mjs $1
}

learning() {
  ./rl build release >"$logs/release.log" 2>&1 || { tail -3 "$logs/release.log"; failed=$((failed + 1)); return; }
  ring release learning "$1"
}

# docker compose, for real: skipped in one line where no engine is.
compose() { run compose bash tests/compose/compose.sh; grep '^image' "$logs/compose.log" || :; }

sanitized() { # PRESET NAME
  build "$1" || return
  ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=0
  export ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
  for r in unit sim integration; do ring "$1" $r "$2"; done
}

coverage() {
  build cov || return
  find build/cov -name '*.gcda' -delete
  for r in unit sim integration; do ring cov $r "$1"; done
  sh tests/coverage.sh build/cov >"$logs/coverage.log" 2>&1
  code=$?
  tail -1 "$logs/coverage.log" | grep -qE 'passed' || cat "$logs/coverage.log"
  sed -n '/^ *[0-9.]* %/p' "$logs/coverage.log" | tail -3
  count coverage $code "$logs/coverage.log"
}

list() {
  build dev || exit 1
  for r in unit sim integration learning; do [ -x build/dev/bin/rl-test-$r ] && build/dev/bin/rl-test-$r --list; done
  printf 'lint.%s\n' pure_symbols log_events prometheus_rules reference_pages links verbs line_length
  node tests/e2e/e2e.mjs --list
  bash tests/compose/compose.sh --list
}

name=
case ${1:-all} in
--list) list; exit ;;
unit | sim | integration) ring_only=$1; name=${2:-}; build dev && ring dev "$ring_only" "$name" ;;
lint) build dev && lint ;;
e2e) e2e "${2:-}" ;;
learning) learning "${2:-}" ;;
asan | tsan) sanitized "$1" "${2:-}" ;;
coverage) coverage "${2:-}" ;;
compose) compose ;;
all)
  ./rl deps-test >"$logs/deps.log" 2>&1 || { cat "$logs/deps.log"; exit 1; }
  build dev && ring dev unit "" && lint && ring dev sim "" && ring dev integration ""
  learning ""
  e2e ""
  compose
  sanitized asan ""
  sanitized tsan ""
  ;;
*) # a name or a part of one, in every ring
  name=$1
  build dev && for r in unit sim integration; do ring dev $r "$name"; done
  case $name in e2e*) e2e "$name" ;; learning*) learning "$name" ;; esac
  ;;
esac
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
