#!/bin/sh
# rl - the one script people type.  ./rl help
set -eu
root=$(cd "$(dirname "$0")" && pwd)
here=$PWD
bin=$root/build/release/bin
data=${RL_DATA_DIR:-$root/data}
case $data in /*) ;; *) data=$here/$data ;; esac
port=${RL_NATS_PORT:-4222}
metrics=${RL_METRICS_PORT_BASE:-9101}
export RL_DATA_DIR="$data" RL_NATS_PORT="$port" RL_METRICS_PORT_BASE="$metrics"
services="feedback reward bandit guard router"
version=$(sed -n 's/^project(tom-rl VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")

help() {
  cat <<TXT
tom-rl $version - learns how your voice assistant should speak

  ./rl up [-d]             install what is missing, build, start everything; -d: in the background
  ./rl down                stop it; the data stays
  ./rl status              what runs, and whether it is ready
  ./rl test [RING] [NAME]  all tests, one ring (unit lint sim integration learning e2e asan tsan coverage), or those named
  ./rl test --list         every test by name
  ./rl demo [--chaos]      20,000 simulated callers on a stack of their own, under a minute; --chaos kills services, --drift turns
                           the best variant bad, --calls N, --seed N, --clean; ./rl demo stats asks that stack
  ./rl bench [loop|select] how fast, beside a relay that only moves the same messages
  ./rl bench learning      how well it learns, beside the literature: [--only B3] [--runs N] [--json] [--csv FILE] [--svg FILE]
  ./rl build [PRESET]      dev release asan tsan cov (release)
  ./rl deps                install what this machine needs

TXT
  if [ -x "$bin/rlctl" ]; then
    echo "Everything else goes to rlctl, which talks to the running system:"
    "$bin/rlctl" help | sed 's/^/  /'
  else
    echo "select, end, amend, stats, req, pub, dlq, replay, watch talk to the running system, once ./rl up has built it."
  fi
  cat <<TXT

Settings: config/rl.yaml, or the environment: RL_DATA_DIR ($data), RL_NATS_PORT ($port), RL_METRICS_PORT_BASE ($metrics), ...
TXT
}

die() { code=$1; shift; printf '%s\n' "$@" >&2; exit "$code"; }

now_ms() { date +%s%3N; }
took() { awk -v a="$1" -v b="$(now_ms)" 'BEGIN { printf "%.1f s", (b - a) / 1000 }'; }

# ---- packages ---------------------------------------------------------------------------------------------------------------------------------------

packages="build-essential cmake ninja-build pkg-config protobuf-c-compiler protobuf-compiler libprotobuf-c-dev libnats-dev nats-server
 libsqlite3-dev libyaml-dev libjansson-dev libssl-dev libcivetweb-dev tzdata ca-certificates"
test_packages="nodejs npm prometheus git"

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

have() { # a program that came from elsewhere (node) counts as installed
  case $1 in
  nodejs) command -v node >/dev/null || installed nodejs ;;
  npm) command -v npm >/dev/null || installed npm ;;
  *) installed "$1" ;;
  esac
}

missing() { for p in "$@"; do have "$p" || printf '%s ' "$p"; done; }

# Debian's packages would start their own servers on our ports: not here.
install_packages() {
  as=
  if [ "$(id -u)" != 0 ]; then
    as="sudo -n"
    $as true 2>/dev/null || die 3 "Some packages are missing and this user may not install them.  As root:" "  apt-get install --no-install-recommends $*"
  fi
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then # one that is there already is somebody's own, and stays
    trap '$as rm -f $policy' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as tee $policy >/dev/null && $as chmod 755 $policy
    ours=1
  fi
  $as apt-get update -qq >"$root/build/apt.log" 2>&1 || :
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive $as apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" >>"$root/build/apt.log" 2>&1 ||
    { tail -5 "$root/build/apt.log" >&2; die 1 "The packages could not be installed: $root/build/apt.log (another apt at work? try again)"; }
  if [ -n "${ours:-}" ]; then $as rm -f $policy; trap - EXIT INT TERM; fi
}

deps() {
  mkdir -p "$root/build"
  command -v apt-get >/dev/null || die 3 "This machine has no apt.  Needed, by their Debian names: $(echo $packages)"
  # shellcheck disable=SC2086
  need=$(missing $packages ${1:-})
  if [ -z "$need" ]; then say packages "all there"; return; fi
  t=$(now_ms)
  # shellcheck disable=SC2086
  install_packages $need
  say packages "$(echo $need | wc -w) installed, $(took "$t"); their own services were not started"
}

say() { printf '  %-10s %s\n' "$1" "$2"; }

build() { # PRESET, quiet
  preset=${1:-release}
  mkdir -p "$root/build"
  log=$root/build/$preset.log
  t=$(now_ms)
  (cd "$root" && cmake --preset "$preset" >"$log" 2>&1 && ninja -C "build/$preset" >>"$log" 2>&1) ||
    { grep -E 'error|FAILED' "$log" | head -20 >&2; die 1 "The $preset build failed: $log"; }
  say build "$preset, $(took "$t")"
}

# ---- running ------------------------------------------------------------------------------------------------------------------------------------------

supervisor_pid() { # of a supervisor that lives; it holds a lock on its pid file
  file=$data/run/rl-supervisor.pid
  [ -e "$file" ] && ! flock -n "$file" true && cat "$file"
}

port_holder() { ss -Hltnp "sport = :$1" 2>/dev/null | sed -n 's/.*users:((\("[^"]*"\),pid=\([0-9]*\).*/\1 pid \2/p' | head -1; }
port_taken() { [ -n "$(ss -Hltn "sport = :$1" 2>/dev/null)" ]; }

check_ports() {
  if port_taken "$port"; then
    holder=$(port_holder "$port")
    die 1 "Port $port is taken${holder:+ by $holder}.  Another one:  RL_NATS_PORT=4333 RL_METRICS_PORT_BASE=9301 ./rl up"
  fi
  i=0
  for s in $services; do
    p=$((metrics + i)) i=$((i + 1))
    ! port_taken $p || die 1 "Port $p (metrics of $s) is taken$(h=$(port_holder $p); echo "${h:+ by $h}").  Others:  RL_METRICS_PORT_BASE=9301 ./rl up"
  done
}

# Mapped pages on a disk block their writer during write-back: the metrics live in memory.
metrics_in_memory() {
  mkdir -p "$data/run"
  [ -e "$data/run/metrics" ] && [ -d "$data/run/metrics/." ] && return
  rm -f "$data/run/metrics"
  if [ -d /dev/shm ] && [ -w /dev/shm ]; then
    folder=/dev/shm/rl-$(printf '%s' "$data" | cksum | cut -d' ' -f1)
    mkdir -p "$folder" && chmod 750 "$folder" && ln -s "$folder" "$data/run/metrics"
  else
    mkdir -p "$data/run/metrics"
  fi
}

not_ready() { # names what is not ready and why; empty: all is
  i=0
  for s in $services; do
    why=$("$bin/rl-sidecar" --probe --ready --port $((metrics + i)) 2>&1) || echo "$s: ${why:-not ready}"
    i=$((i + 1))
  done
}

wait_ready() {
  n=0
  while waiting=$(not_ready); [ -n "$waiting" ]; do
    n=$((n + 1))
    [ -n "$(supervisor_pid)" ] || return 1
    [ $n -lt 200 ] || return 1
    sleep 0.15
  done
}

print_services() {
  i=0
  for s in $services; do
    p=$((metrics + i)) i=$((i + 1))
    state=ready
    why=$("$bin/rl-sidecar" --probe --ready --port $p 2>&1) || state="NOT READY"
    pid=$(cat "$data/run/rl-$s.pid" 2>/dev/null || echo -)
    printf '  %-10s %-9s pid %-7s http://127.0.0.1:%s/metrics%s\n' "$s" "$state" "$pid" "$p" "$([ "$state" = ready ] || echo "   $why")"
  done
}

print_screen() {
  print_services
  rel=${data#"$here"/}
  cat <<TXT

Try, in another terminal:
  ./rl select --profile kfz                    what would the next caller hear, and why
  ./rl end call-1 --resolved --rating 4        tell how that call went
  ./rl stats                                   what has been learned from it
  ./rl demo                                    20,000 simulated callers beside this, under a minute
  ./rl watch                                   follow along
Connect a voice stack (any language, JSON or protobuf, no library of ours):
  nats://127.0.0.1:$port   user voice   password in $rel/secrets/voice.password   inbox prefix _INBOX_voice
TXT
}

start_supervisor() {
  mkdir -p "$data/log"
  (cd "$root" && setsid "$bin/rl-supervisor" >>"$data/log/supervisor.log" 2>&1 </dev/null &)
  n=0
  while [ -z "$(supervisor_pid)" ] && [ $n -lt 50 ]; do n=$((n + 1)); sleep 0.1; done
  [ -n "$(supervisor_pid)" ] || { tail -3 "$data/log/supervisor.log" >&2; die 1 "The supervisor did not start: $data/log/supervisor.log"; }
}

prepare() { # what the programs find on their disk; says what became of the secrets
  mkdir -p "$data"
  "$bin/rl-init" keys
  (cd "$root" && "$bin/rl-init" conf) >/dev/null
  metrics_in_memory
  (cd "$root" && for s in $services; do "$bin/rl-$s" -n >/dev/null; done)
}

up() {
  detach=
  for a in "$@"; do case $a in -d) detach=1 ;; *) die 64 "usage: ./rl up [-d]" ;; esac; done
  if [ -d "$data/rl" ]; then found=existing; else found=new; fi
  # shellcheck disable=SC1091
  echo "tom-rl $version  $(. /etc/os-release 2>/dev/null; echo "${PRETTY_NAME:-unknown system}"), $(nproc) cores, data in $data ($found)"
  pid=$(supervisor_pid || :)
  if [ -n "$pid" ]; then
    say running "since $(ps -o lstart= -p "$pid"), supervisor pid $pid; what is missing is started, what runs is left alone"
    wait_ready || die 1 "Not ready:" "$(not_ready)"
    print_screen
    return
  fi
  deps
  build release
  check_ports
  say secrets "$(prepare)"
  t=$(now_ms)
  start_supervisor
  trap 'echo; down; exit 130' INT TERM
  if ! wait_ready; then
    why=$(not_ready)
    tail -n 2 "$data"/log/*.log >&2
    down >/dev/null
    die 1 "Not ready after $(took "$t"):" "$why"
  fi
  say started "bus, $(echo "$services" | wc -w) services and their sidecars ready in $(took "$t")"
  echo
  print_screen
  echo
  if [ -n "$detach" ]; then trap - INT TERM; echo "Running in the background.  ./rl status, ./rl down.  Log: ${data#"$here"/}/log/"; return; fi
  echo "Running.  A service that dies is started again.  Ctrl-C stops all; the data stays.  Log: ${data#"$here"/}/log/"
  trap 'echo; down; exit 0' INT TERM
  pid=$(supervisor_pid)
  tail -q -n 0 -F "$data"/log/feedback.log "$data"/log/reward.log "$data"/log/bandit.log "$data"/log/guard.log "$data"/log/router.log \
    "$data"/log/supervisor.log --pid="$pid" 2>/dev/null &
  wait $! || :
}

down() {
  pid=$(supervisor_pid || :)
  [ -n "$pid" ] || { echo "Nothing runs on $data."; return 0; }
  kill "$pid"
  n=0
  while [ -n "$(supervisor_pid || :)" ] && [ $n -lt 200 ]; do n=$((n + 1)); sleep 0.1; done
  [ -z "$(supervisor_pid || :)" ] || die 1 "The supervisor (pid $pid) did not stop within 20 s."
  echo "Stopped; the data is in $data."
}

status() {
  pid=$(supervisor_pid || :)
  if [ -z "$pid" ]; then echo "Nothing runs on $data.  ./rl up starts it."; return 3; fi
  echo "tom-rl $version on $data, supervisor pid $pid, bus on 127.0.0.1:$port"
  print_services
  [ -z "$(not_ready)" ]
}

# ---- demo ---------------------------------------------------------------------------------------------------------------------------------------------

block_taken() { for i in 0 1 2 3 4; do ! port_taken $(($1 + i)) || return 0; done; return 1; }

free_ports() { # the first ones at or above $port and $metrics
  while port_taken "$port"; do port=$((port + 10)); done
  while block_taken "$metrics"; do metrics=$((metrics + 10)); done
}

demo_settings() { # a stack of its own, beside the user's
  port=$((port + 100)) metrics=$((metrics + 200)) data=$data/demo
  export RL_DATA_DIR="$data" RL_NATS_PORT="$port" RL_METRICS_PORT_BASE="$metrics"
  unset RL_FEEDBACK_DB_PATH RL_BANDIT_STATE_PATH RL_PSEUDONYM_KEY_FILE RL_NATS_URL RL_NATS_USER RL_NATS_PASSWORD_FILE RL_SUBJECT_PREFIX RL_ENABLED
}

demo_start() {
  free_ports
  export RL_NATS_PORT="$port" RL_METRICS_PORT_BASE="$metrics"
  prepare >/dev/null
  touch "$data/.demo"
  trap 'down >/dev/null; exit 130' INT TERM
  start_supervisor
  wait_ready || { why=$(not_ready); tail -n 2 "$data"/log/*.log >&2; down >/dev/null; die 1 "The demo's stack is not ready:" "$why"; }
}

demo_clean() { # only what a demo made
  [ -e "$data" ] || return 0
  [ -e "$data/.demo" ] || die 1 "$data was not made by a demo: not touched."
  [ -z "$(supervisor_pid || :)" ] || die 1 "A demo runs on $data."
  memory=$(readlink "$data/run/metrics" || :)
  case $memory in /dev/shm/rl-*) rm -rf "$memory" ;; esac
  rm -rf "$data"
}

demo_ask() { # VERB ...: of the demo's stack, which is started for it and stopped again
  [ -e "$data/.demo" ] || die 1 "There was no demo yet: ./rl demo"
  if [ -n "$(supervisor_pid || :)" ]; then die 1 "A demo runs on $data; ask when it is done."; fi
  demo_start
  code=0
  "$bin/rlctl" "$@" || code=$?
  down >/dev/null
  return $code
}

demo() {
  demo_settings
  case ${1:-} in
  --clean) demo_clean; echo "The demo's data is gone."; return ;;
  -h | --help) die 64 "usage: ./rl demo [--chaos] [--drift] [--calls N] [--rate N] [--seed N] [--json] | --clean | VERB ..." ;;
  -* | "") ;;
  *) demo_ask "$@"; return ;;
  esac
  t=$(now_ms)
  deps >/dev/null
  build release >/dev/null
  demo_clean
  rel=${data#"$here"/}
  case " $* " in *" --json "*) quiet=1 ;; *) quiet= ;; esac
  [ -n "$quiet" ] || echo "A demo on its own stack in $rel; yours is untouched."
  demo_start
  code=0
  (cd "$root" && "$bin/rl-sim" "$@") || code=$?
  down >/dev/null
  trap - INT TERM
  [ -z "$quiet" ] && [ $code = 0 ] || return $code
  cat <<TXT

 Ask why:          ./rl explain demo-19999
 Pull the plug:    ./rl demo --chaos     kills a service every 3 s; the last line must not change
 Change the world: ./rl demo --drift     the best variant turns bad halfway
 $(took "$t").  The demo's stack is stopped; its data is in $rel (./rl demo --clean removes it).
TXT
}

# ---- tests --------------------------------------------------------------------------------------------------------------------------------------------

test_main() { exec "$root/tests/run.sh" "$@"; }

verb=${1:-help}
[ $# -eq 0 ] || shift
case $verb in
help | -h | --help) help ;;
deps) deps "${1:-}" ;;
deps-test) deps "$test_packages" ;;
build) build "${1:-release}" ;;
up) up "$@" ;;
down) down ;;
status) status ;;
demo) demo "$@" ;;
test) test_main "$@" ;;
bench)
  [ -x "$bin/rl-bench" ] || { deps; build release; }
  build release >/dev/null
  case ${1:-} in learning) shift; exec "$bin/rl-lab" "$@" ;; *) exec "$root/tools/bench/bench.sh" "$@" ;; esac
  ;;
*)
  [ -x "$bin/rlctl" ] || die 1 "Not built yet: ./rl up"
  case "$verb ${1:-}" in "explain demo-"*) if [ -e "$data/demo/.demo" ]; then demo_settings; demo_ask "$verb" "$@"; exit; fi ;; esac
  exec "$bin/rlctl" "$verb" "$@"
  ;;
esac
