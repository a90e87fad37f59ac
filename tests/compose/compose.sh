#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# compose.sh - docker compose up from a bare clone, for real.  Called by ./rl test compose; `--list` names the sentences.
#
# Uses the engine that answers `docker info`; else the one that the script named by RL_TEST_ENGINE brings (dk_install, dk_start,
# dk_base, dk_stop); else skips with one line.  Everything lives under a project name and ports of its own and is removed at
# the end.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
sentences="a_bare_clone_becomes_ready a_call_is_learned a_killed_service_comes_back_and_counts_once a_restart_keeps_everything
down_and_up_keep_the_data prometheus_scrapes_five_sidecars services_run_hardened the_demo_counts_each_call_once"

if [ "${1:-}" = --list ]; then for s in $sentences; do echo "compose.$s"; done; exit; fi

passed=0 failed=0
dir=$(mktemp -d "${TMPDIR:-/tmp}/rl-compose.XXXXXX")
project=rl-test-$$
dc() { docker compose -p "$project" "$@"; }
end() { echo "$passed passed, $failed failed, ${1:-0} skipped"; [ $failed = 0 ]; exit; }
clean() {
  if [ -n "${started:-}" ]; then dc --profile tools --profile demo down -v --remove-orphans >>"$dir/log" 2>&1; fi
  if [ -n "${engine:-}" ]; then dk_stop; fi
  rm -rf "$dir"
}
trap clean EXIT
trap 'exit 130' INT TERM

if ! docker info >/dev/null 2>&1; then
  if [ -z "${RL_TEST_ENGINE:-}" ] || [ "$(id -u)" != 0 ]; then
    echo "skipped compose: NO DOCKER ENGINE HERE, docker compose was not tried" \
      "(start one, or name a script that brings one in RL_TEST_ENGINE)"
    end 1
  fi
  # shellcheck disable=SC1090
  . "$RL_TEST_ENGINE"
  engine=1
  dk_install >"$dir/engine.log" 2>&1 # plain statements: elsewhere bash would ignore their set -e
  dk_start >>"$dir/engine.log" 2>&1
  dk_base >>"$dir/engine.log" 2>&1
  if ! docker image inspect debian:trixie-slim >/dev/null 2>&1; then
    echo "skipped compose: NO DOCKER ENGINE HERE, RL_TEST_ENGINE brought none: $(tail -1 "$dir/engine.log")"
    end 1
  fi
fi

free_port() { # one that nobody listens on
  while :; do
    p=$((12000 + RANDOM % 18000))
    ! (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null && echo $p && return
  done
}
export RL_NATS_PORT=$(free_port) PROMETHEUS_PORT=$(free_port)
for s in FEEDBACK REWARD BANDIT GUARD ROUTER; do export "RL_METRICS_PORT_$s=$(free_port)"; done

# What git would give to a stranger, and what is not committed yet.
mkdir "$dir/clone"
(cd "$root" && git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null | tar cf - -T -) |
  tar xf - -C "$dir/clone"
cd "$dir/clone" || exit 1

ctl() { dc run --rm -T ctl "$@" 2>>"$dir/log"; }
pulls() { ctl req bandit.stats '{}' --json | grep -o '"pulls":[0-9]*' | cut -d: -f2 | awk '{ n += $1 } END { print n + 0 }'; }
within() { # SECONDS COMMAND...
  n=$(($1 * 5)); shift
  while ! "$@"; do n=$((n - 1)); [ $n -gt 0 ] || return 1; sleep 0.2; done
}
learned() { [ "$(pulls)" = "$1" ]; }
healthy() { [ -z "$(dc ps --format '{{.Service}} {{.Health}}' | grep -vE ' healthy$')" ]; }

a_bare_clone_becomes_ready() { started=1; dc up -d --build --wait --wait-timeout 180 >>"$dir/log" 2>&1 && healthy; }
a_call_is_learned() {
  [ "$(ctl password voice | wc -c)" = 49 ] && ctl select --profile kfz c-1 --json | grep -q '"policy_variant":"v' &&
    ctl end c-1 --resolved --rating 4 >>"$dir/log" && within 10 learned 1
}
a_killed_service_comes_back_and_counts_once() {
  for s in feedback bandit router; do dc exec -T $s sh -c "kill -9 \$(cat /data/run/rl-$s.pid)"; done
  within 10 ctl end c-2 --variant v2a --resolved >>"$dir/log" && within 30 learned 2 && within 30 healthy &&
    ctl bandit rebuild --check | grep -q '^identical'
}
a_restart_keeps_everything() { dc restart >>"$dir/log" 2>&1 && within 60 healthy && within 10 learned 2; }
down_and_up_keep_the_data() {
  secret=$(ctl password voice)
  dc down >>"$dir/log" 2>&1 && dc up -d --wait --wait-timeout 90 >>"$dir/log" 2>&1 && within 10 learned 2 &&
    [ "$(ctl password voice)" = "$secret" ]
}
scraped() { [ "$(curl -sf "http://127.0.0.1:$PROMETHEUS_PORT/api/v1/query?query=sum(rl_service_up)" | grep -c '"5"\]')" = 1 ]; }
prometheus_scrapes_five_sidecars() { within 60 scraped; }
services_run_hardened() {
  [ "$(dc exec -T feedback id -u)" = 10001 ] && ! dc exec -T feedback touch /opt/tom-rl/x 2>>"$dir/log" &&
    ! dc exec -T feedback-metrics sh -c 'ls /data/secrets/* || touch /data/run/x' >>"$dir/log" 2>&1
}
the_demo_counts_each_call_once() {
  dc run --rm -T demo --calls 3000 --json 2>>"$dir/log" | grep -q '"learned":3000,.*"identical":true'
}

for sentence in $sentences; do
  if $sentence; then passed=$((passed + 1)); else
    failed=$((failed + 1))
    echo "FAILED compose.$sentence"
    tail -5 "$dir/log" | sed 's/^/  /'
    dc ps -a 2>/dev/null | grep -v healthy | sed 's/^/  /'
  fi
done
image_size() { docker image inspect "$1" --format '{{.Size}}' | awk '{ printf "%.0f MB", $1 / 1e6 }'; }
memory=$(dc ps -q | xargs docker stats --no-stream --format '{{.MemUsage}}' | awk '
  { v = $1; m = v ~ /KiB/ ? 1 / 1024 : v ~ /GiB/ ? 1024 : 1; sub(/[A-Za-z]+/, "", v); n += v * m }
  END { printf "%.0f MiB", n }')
echo "image $(image_size tom-rl:0.1), of that base $(image_size debian:trixie-slim); memory of the running stack $memory"
end
