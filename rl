#!/bin/sh
# rl - the one script people type.  ./rl help
set -eu
root=$(cd "$(dirname "$0")" && pwd)
here=$PWD
bin=$root/build/release/bin
[ ! -x "$root/bin/rlctl" ] || bin=$root/bin # an installed tree: nothing to build
home=${RL_DATA_DIR:-$root/data} # of production; data: of the loop that is meant
case $home in /*) ;; *) home=$here/$home ;; esac
data=$home
port=${RL_NATS_PORT:-4222}
metrics=${RL_METRICS_PORT_BASE:-9101}

# --sandbox, wherever it stands, means the second loop: own data, ports, subjects and users; the bus is the same.
sandbox=
if [ "${RL_SUBJECT_PREFIX:-}" = sandbox. ]; then sandbox=1; unset RL_SUBJECT_PREFIX; fi
for a in "$@"; do
  shift
  if [ "$a" = --sandbox ]; then sandbox=1; else set -- "$@" "$a"; fi
done
prefix=${RL_SUBJECT_PREFIX:-} # of production
if [ -n "$sandbox" ]; then
  data=$home/sandbox metrics=${RL_SANDBOX_METRICS_PORT_BASE:-$((metrics + 100))}
  unset RL_NATS_USER RL_NATS_PASSWORD_FILE RL_BANDIT_PRIOR_PATH
  export RL_SUBJECT_PREFIX=sandbox. RL_FEEDBACK_DB_PATH="$data/rl/feedback.db" RL_BANDIT_STATE_PATH="$data/rl/bandit_state.json" \
    RL_PSEUDONYM_KEY_FILE="$data/secrets/pseudonym.keys"
fi
export RL_DATA_DIR="$data" RL_NATS_PORT="$port" RL_METRICS_PORT_BASE="$metrics"
services="feedback reward bandit guard router"
version=$(sed -n 's/^project(tom-rl VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")

help() {
  cat <<TXT
tom-rl $version - learns how your voice assistant should speak

  ./rl up [-d]             install what is missing, build, start everything; -d: in the background
  ./rl up --prometheus     with a Prometheus that scrapes it, records and alerts (deploy/prometheus/rules.yml)
  ./rl up --sandbox        a second loop on the same bus, which learns for itself; --sandbox turns every other verb to it
  ./rl down                stop it; the data stays
  ./rl status              what runs, and whether it is ready
  ./rl doctor              is all well, and if not, what to do
  ./rl test [RING] [NAME]  all tests, one ring (unit lint sim integration learning e2e compose asan tsan coverage), or those named
  ./rl test --list         every test by name
  ./rl demo [--chaos]      20,000 simulated callers on a stack of their own, under a minute; --chaos kills services, --drift turns
                           the best variant bad, --calls N, --seed N, --clean; ./rl demo stats asks that stack
  ./rl bench [NAME]        how fast: loop, select beside a relay that only moves the same messages; feedback at a million calls
  ./rl bench learning      how well it learns, beside the literature (docs/learning.md); --only B3, --runs N, --json, --svg FILE
  ./rl install             as systemd units: programs in /opt/tom-rl, settings in /etc/tom-rl, data in /var/lib/tom-rl
  ./rl build [PRESET]      dev release asan tsan cov (release)
  ./rl docs                print the reference pages (docs/reference) from the programs' tables
  ./rl deps                install what this machine needs

TXT
  if [ -x "$bin/rlctl" ]; then
    echo "Everything else goes to rlctl, which talks to the running system:"
    "$bin/rlctl" help | sed 's/^/  /'
  else
    echo "select, explain, event, session, end, amend, reward, stats, req, pub, dlq, replay, watch talk to" \
      "the running system, once ./rl up has built it."
  fi
  cat <<TXT

Settings: config/rl.yaml, or the environment: RL_DATA_DIR ($data), RL_NATS_PORT ($port), RL_METRICS_PORT_BASE ($metrics),
RL_SANDBOX_METRICS_PORT_BASE (100 higher), PROMETHEUS_ENABLED (false), PROMETHEUS_PORT (9090), PROMETHEUS_INTERVAL (15s), ...
TXT
}

die() { code=$1; shift; printf '%s\n' "$@" >&2; exit "$code"; }

now_ms() { date +%s%3N; }
took() { awk -v a="$1" -v b="$(now_ms)" 'BEGIN { printf "%.1f s", (b - a) / 1000 }'; }

# ---- packages ------------------------------------------------------------------------------------------------------------------

packages="build-essential cmake ninja-build pkg-config protobuf-c-compiler protobuf-compiler libprotobuf-c-dev libnats-dev
 nats-server libsqlite3-dev libyaml-dev libjansson-dev libssl-dev libcivetweb-dev tzdata ca-certificates"
test_packages="nodejs npm prometheus git lua5.4 lua-cjson"

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

have() { # a program that came from elsewhere (node) counts as installed
  case $1 in
  nodejs) command -v node >/dev/null || installed nodejs ;;
  npm | prometheus) command -v "$1" >/dev/null || installed "$1" ;;
  *) installed "$1" ;;
  esac
}

missing() { for p in "$@"; do have "$p" || printf '%s ' "$p"; done; }

# Debian's packages would start their own servers on our ports: not here.
install_packages() {
  as=
  if [ "$(id -u)" != 0 ]; then
    as="sudo -n"
    $as true 2>/dev/null || die 3 "Some packages are missing, and $(id -un) may not install them.  As root, once:" \
      "  cd $root && ./rl deps" \
      "(or apt-get install --no-install-recommends $* ; Debian then starts a nats-server on 4222: stop it)" \
      "Then ./rl $verb needs no root any more."
  fi
  other=$(pgrep -x -d ' ' 'apt|apt-get|dpkg|unattended-upgr' 2>/dev/null || :)
  [ -z "$other" ] || say packages "waiting for another apt (pid $other), two minutes at most"
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then # one that is there already is somebody's own, and stays
    trap '$as rm -f $policy' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as tee $policy >/dev/null && $as chmod 755 $policy
    ours=1
  fi
  $as apt-get update -qq >"$root/build/apt.log" 2>&1 || :
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive $as apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" \
    >>"$root/build/apt.log" 2>&1 ||
    { tail -5 "$root/build/apt.log" >&2
      die 1 "The packages could not be installed: $root/build/apt.log (another apt at work? try again)"; }
  if [ -n "${ours:-}" ]; then $as rm -f $policy; trap - EXIT INT TERM; fi
  for p in "$@"; do # they would start at the next boot, too; only what we brought
    case $p in nats-server | prometheus)
      ! command -v systemctl >/dev/null || $as systemctl disable --quiet $p.service 2>/dev/null || : ;;
    esac
  done
}

deps() {
  [ "$bin" != "$root/bin" ] || return 0
  mkdir -p "$root/build"
  command -v apt-get >/dev/null ||
    die 3 "This machine has no apt and no docker compose.  Either will do; or build it yourself, with these Debian packages:" \
      "  $(echo $packages)"
  # shellcheck disable=SC2086
  need=$(missing $packages ${1:-})
  if [ -z "$need" ]; then say packages "all there"; return; fi
  t=$(now_ms)
  # shellcheck disable=SC2086
  install_packages $need
  [ "$(id -u)" != 0 ] || chown -R "$(stat -c %u:%g "$root")" "$root/build" # root helped once; the owner goes on
  say packages "$(echo $need | wc -w) installed, $(took "$t"); their own services were not started"
}

say() { printf '  %-10s %s\n' "$1" "$2"; }

build() { # PRESET, quiet
  preset=${1:-release}
  [ "$bin" != "$root/bin" ] || return 0
  mkdir -p "$root/build"
  log=$root/build/$preset.log
  t=$(now_ms)
  (cd "$root" && cmake --preset "$preset" >"$log" 2>&1 && ninja -C "build/$preset" >>"$log" 2>&1) ||
    { grep -EA3 '[eE]rror|FAILED' "$log" | head -20 >&2; die 1 "The $preset build failed: $log"; }
  say build "$preset, $(took "$t")"
}

# ---- running -------------------------------------------------------------------------------------------------------------------

holder_of() { [ -e "$1" ] && ! flock -n "$1" true && cat "$1"; } # who lives holds a lock on its pid file

supervisor_pid() { holder_of "${1:-$data}/run/rl-supervisor.pid"; }
bus_pid() { holder_of "$home/nats/nats.pid"; } # whichever loop's supervisor started it

production() { RL_DATA_DIR=$home RL_SUBJECT_PREFIX=$prefix "$@"; }

# A bus that runs reads its configuration again when there is another one.
configure_bus() {
  conf=$home/nats/nats.conf
  old=$(cksum "$conf" 2>/dev/null || :)
  [ -z "$sandbox" ] || production "$bin/rl-init" keys >/dev/null
  production "$bin/rl-init" conf >/dev/null
  bus=$(bus_pid || :)
  [ -z "$bus" ] || [ "$old" = "$(cksum "$conf")" ] || kill -HUP "$bus"
}

port_holder() { ss -Hltnp "sport = :$1" 2>/dev/null | sed -n 's/.*users:((\("[^"]*"\),pid=\([0-9]*\).*/\1 pid \2/p' | head -1; }
port_taken() { [ -n "$(ss -Hltn "sport = :$1" 2>/dev/null)" ]; }

check_ports() {
  if [ -z "$(bus_pid || :)" ] && port_taken "$port"; then
    holder=$(port_holder "$port")
    die 1 "Port $port is taken${holder:+ by $holder}.  On other ports, with data of its own if another of these runs already:" \
      "  RL_NATS_PORT=4333 RL_METRICS_PORT_BASE=9301 RL_DATA_DIR=data2 ./rl up"
  fi
  i=0
  for s in $services; do
    p=$((metrics + i)) i=$((i + 1))
    ! port_taken $p ||
      die 1 "Port $p (metrics of $s) is taken$(h=$(port_holder $p); echo "${h:+ by $h}").\
  Others:  RL_METRICS_PORT_BASE=9301 ./rl up"
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

refused() { # why a service will not start, however often it is tried: its settings or its data; empty: none of these
  for s in $services; do
    log=$data/log/$s.log
    [ "$log" -nt "$data/run/.start" ] || continue
    tail -n 2 "$log" | sed -n "s/.* service\.failed  status=\(config\|corrupt\|locked\) \(.*\)/$s: \2/p" | tail -1
  done
}

not_ready() { # names what is not ready and why; empty: all is
  i=0
  for s in $services; do
    why=$("$bin/rl-sidecar" --probe --ready --port $((metrics + i)) 2>&1) || echo "$s: ${why:-not ready}"
    i=$((i + 1))
  done
}

# A service brings a large database up to date: its name and what it said; to stop it now would only make it begin again.
migrating() {
  for s in $services; do
    log=$data/log/$s.log
    [ ! "$log" -nt "$data/run/.start" ] || tail -n 1 "$log" | sed -n "s/.* store\.migrating  /$s: /p"
  done
}

wait_ready() {
  n=0 told=
  while waiting=$(not_ready); [ -n "$waiting" ]; do
    why=$(migrating)
    if [ -z "$why" ]; then
      n=$((n + 1))
    elif [ "$why" != "$told" ]; then
      say migrating "$why"
      told=$why
    fi
    [ -n "$(supervisor_pid)" ] || return 1
    [ $n -lt 200 ] || return 1
    [ -z "$(refused)" ] || return 1
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
    printf '  %-10s %-9s pid %-7s http://127.0.0.1:%s/metrics%s\n' "$s" "$state" "$pid" "$p" \
      "$([ "$state" = ready ] || echo "   $why")"
  done
}

hint() { printf "  %-${hint_width}s %s\n" "./rl $1${sandbox:+ --sandbox}" "$2"; }

print_screen() {
  print_services
  print_prometheus
  rel=${data#"$here"/} voice=${sandbox:+sandbox_}voice hint_width=44
  [ -z "$sandbox" ] || hint_width=54
  printf '\nTry, in another terminal:\n'
  hint "select call-1 --profile kfz" "a call comes: what does it hear, and why"
  hint "end call-1 --resolved --rating 4" "tell how that call went"
  hint stats "what has been learned from it"
  [ -n "$sandbox" ] || hint demo "20,000 simulated callers beside this, under a minute"
  hint watch "follow along"
  cat <<TXT
Connect a voice stack (any language, JSON or protobuf, no library of ours):
  nats://127.0.0.1:$port   user $voice   password in $rel/secrets/$voice.password   inbox prefix _INBOX_$voice
TXT
  [ -n "$sandbox" ] || echo "  examples/node/voice.mjs: 39 lines to start from; docs/connect.md says the rest"
  [ -z "$sandbox" ] || echo "  Subjects begin with sandbox. (sandbox.policy.select); this user can reach no other," \
    "and production's users cannot reach these."
}

# ---- Prometheus ----------------------------------------------------------------------------------------------------------------

# The supervisor runs what stands in this file, as long as it is there.
prometheus_script() { echo "$home/run/prometheus.sh"; }
prometheus_address() { sed -n 's/.*listen-address=\([0-9.:]*\).*/\1/p' "$(prometheus_script)" 2>/dev/null || :; }
prometheus_ready() { promtool query instant "http://$(prometheus_address)" 'vector(1)' >/dev/null 2>&1; }

# Where this loop's sidecars are; Prometheus notices by itself.
write_targets() {
  mkdir -p "$home/run/scrape"
  i=0
  for s in $services; do
    echo "- {targets: [\"127.0.0.1:$((metrics + i))\"], labels: {service: $s}}"
    i=$((i + 1))
  done >"$home/run/scrape/${sandbox:+sandbox-}loop.yml.new"
  mv "$home/run/scrape/${sandbox:+sandbox-}loop.yml.new" "$home/run/scrape/${sandbox:+sandbox-}loop.yml"
}

# What the sandbox counts gets other names (sandbox_rl_...): no query or alert on production ever sees it.
write_prometheus() {
  mkdir -p "$home/prometheus"
  cat >"$home/run/prometheus.yml" <<YML
# Made by ./rl up --prometheus; changes here are overwritten.
global: {scrape_interval: ${PROMETHEUS_INTERVAL:-15s}, evaluation_interval: ${PROMETHEUS_INTERVAL:-15s}}
rule_files: ["$root/deploy/prometheus/rules.yml"]
scrape_configs:
  - job_name: tom-rl
    honor_labels: true
    file_sd_configs: [{files: ["$home/run/scrape/loop.yml"]}]
  - job_name: tom-rl-sandbox
    honor_labels: true
    file_sd_configs: [{files: ["$home/run/scrape/sandbox-loop.yml"]}]
    metric_relabel_configs: [{source_labels: [__name__], regex: "rl_(.*)", target_label: __name__, replacement: "sandbox_rl_\$1"}]
YML
  cat >"$(prometheus_script).new" <<SH
exec prometheus --config.file='$home/run/prometheus.yml' --storage.tsdb.path='$home/prometheus' \
--storage.tsdb.retention.size=2GB \\
  --log.level=warn --web.listen-address=127.0.0.1:${PROMETHEUS_PORT:-9090}
SH
  mv "$(prometheus_script).new" "$(prometheus_script)"
}

check_prometheus_port() {
  ! port_taken "${PROMETHEUS_PORT:-9090}" ||
    die 1 "Port ${PROMETHEUS_PORT:-9090} is taken$(h=$(port_holder "${PROMETHEUS_PORT:-9090}"); echo "${h:+ by $h}").\
  Another one:  PROMETHEUS_PORT=9191 ./rl up --prometheus"
}

start_prometheus() {
  if [ -n "$(prometheus_address)" ] && prometheus_ready; then return; fi
  check_prometheus_port
  t=$(now_ms)
  write_prometheus
  n=0
  until prometheus_ready; do
    n=$((n + 1))
    if [ $n -gt 150 ]; then
      rm -f "$(prometheus_script)"
      tail -3 "$data/log/prometheus.log" >&2
      die 1 "Prometheus is not ready: $data/log/prometheus.log"
    fi
    sleep 0.2
  done
  say prometheus "ready in $(took "$t")"
}

print_prometheus() {
  [ -z "$sandbox" ] || return 0
  at=$(prometheus_address) state="NOT READY"
  if [ -z "$at" ]; then
    printf '  %-10s %-9s ./rl up --prometheus adds it on 127.0.0.1:%s\n' prometheus off "${PROMETHEUS_PORT:-9090}"
    return
  fi
  ! prometheus_ready || state=ready
  pid=$(cat "$data/run/rl-prometheus.pid" 2>/dev/null || echo -)
  printf '  %-10s %-9s pid %-7s http://%s\n' prometheus "$state" "$pid" "$at"
}

# ---- up and down ---------------------------------------------------------------------------------------------------------------

start_supervisor() {
  mkdir -p "$data/log" "$data/run"
  touch "$data/run/.start"
  (cd "$root" && setsid "$bin/rl-supervisor" "$home/nats" >>"$data/log/supervisor.log" 2>&1 </dev/null &)
  n=0
  while [ -z "$(supervisor_pid)" ] && [ $n -lt 50 ]; do n=$((n + 1)); sleep 0.1; done
  [ -n "$(supervisor_pid)" ] ||
    { tail -3 "$data/log/supervisor.log" >&2; die 1 "The supervisor did not start: $data/log/supervisor.log"; }
}

prepare() { # what the programs find on their disk; says what became of the secrets
  mkdir -p "$home" "$data"
  "$bin/rl-init" keys
  (cd "$root" && configure_bus)
  metrics_in_memory
  write_targets
  [ -n "$sandbox" ] || rm -f "$(prometheus_script)"
  (cd "$root" && for s in $services; do "$bin/rl-$s" -n >/dev/null; done)
}

field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; } # of one line of JSON

what_is_there() { # on data that was there before
  heard=$("$bin/rlctl" req feedback.stats --json 2>/dev/null | field total_events)
  learned=$("$bin/rlctl" req bandit.stats --json 2>/dev/null | field version)
  key=$(sed -n 's/^\([^ #]*\)[ =:].*/\1/p' "$data/secrets/pseudonym.keys" 2>/dev/null | head -1)
  echo "${heard:-no} calls, pseudonym key ${key:-none}, policy ${learned:-none yet}"
}

up() {
  detach='' prometheus=''
  [ "${PROMETHEUS_ENABLED:-false}" != true ] || [ -n "$sandbox" ] || prometheus=prometheus
  for a in "$@"; do
    case $a in
    -d) detach=1 ;;
    --prometheus) prometheus=prometheus ;;
    *) die 64 "usage: ./rl up [-d] [--prometheus | --sandbox]" ;;
    esac
  done
  [ "$sandbox$prometheus" != 1prometheus ] ||
    die 64 "Prometheus belongs to production and scrapes the sandbox too:  ./rl up --prometheus"
  if [ -d "$data/rl" ]; then found=existing; else found=new; fi
  # shellcheck disable=SC1091
  system=$(. /etc/os-release 2>/dev/null; echo "${PRETTY_NAME:-unknown system}") || :
  echo "tom-rl $version  $system, $(nproc) cores, data in $data ($found)"
  pid=$(supervisor_pid || :)
  if [ -n "$pid" ]; then
    say running "since $(ps -o lstart= -p "$pid"), supervisor pid $pid; what is missing is started, what runs is left alone"
    wait_ready || die 1 "Not ready:" "$(not_ready)"
    [ -z "$prometheus" ] || { deps prometheus; write_targets; start_prometheus; }
    print_screen
    return
  fi
  deps "$prometheus"
  build release
  check_ports
  [ -z "$prometheus" ] || check_prometheus_port
  made=$(prepare)
  say secrets "$made"
  t=$(now_ms)
  start_supervisor
  trap 'echo; down_loop; exit 130' INT TERM
  if ! wait_ready; then
    why=$(refused)
    [ -n "$why" ] || { why=$(not_ready); tail -n 2 "$data"/log/*.log >&2; }
    down_loop >/dev/null
    die 1 "Not ready after $(took "$t"):" "$why"
  fi
  say started "${sandbox:+under sandbox.: }bus, $(echo "$services" | wc -w) services and their sidecars ready in $(took "$t")"
  [ "$found" = new ] || say found "$(what_is_there)"
  [ -z "$prometheus" ] || start_prometheus
  echo
  print_screen
  echo
  if [ -n "$detach" ]; then
    trap - INT TERM
    echo "Running in the background.  ./rl status${sandbox:+ --sandbox}, ./rl down${sandbox:+ --sandbox}." \
      " Log: ${data#"$here"/}/log/"
    return
  fi
  echo "Running.  A service that dies is started again.  Ctrl-C stops all; the data stays.  Log: ${data#"$here"/}/log/"
  trap 'echo; down_loop; exit 0' INT TERM
  pid=$(supervisor_pid)
  tail -q -n 0 -F "$data"/log/feedback.log "$data"/log/reward.log "$data"/log/bandit.log "$data"/log/guard.log \
    "$data"/log/router.log "$data"/log/supervisor.log --pid="$pid" 2>/dev/null &
  wait $! || :
}

sandbox_runs() { [ -n "$(supervisor_pid "$home/sandbox" || :)" ]; }

down() { # production takes its sandbox along
  if [ -z "$sandbox" ] && sandbox_runs; then "$root/rl" down --sandbox; fi
  down_loop
}

down_loop() {
  pid=$(supervisor_pid || :)
  [ -n "$pid" ] || { echo "Nothing runs on $data."; return 0; }
  kill "$pid"
  n=0
  while [ -n "$(supervisor_pid || :)" ] && [ $n -lt 200 ]; do n=$((n + 1)); sleep 0.1; done
  [ -z "$(supervisor_pid || :)" ] || die 1 "The supervisor (pid $pid) did not stop within 20 s."
  [ -z "$sandbox" ] || rm -f "$home/run/scrape/sandbox-loop.yml"
  echo "Stopped; the data is in $data."
}

status() { # 0: this loop, and its sandbox if there is one, are ready
  code=0
  loop_status || code=$?
  if [ -z "$sandbox" ] && sandbox_runs; then echo; "$root/rl" status --sandbox || code=$?; fi
  return $code
}

loop_status() {
  pid=$(supervisor_pid || :)
  if [ -z "$pid" ]; then echo "Nothing runs on $data.  ./rl up${sandbox:+ --sandbox} starts it."; return 3; fi
  echo "tom-rl $version on $data, supervisor pid $pid, bus on 127.0.0.1:$port${sandbox:+, under sandbox.}"
  print_services
  print_prometheus
  [ -z "$(not_ready)" ]
}

# ---- demo ----------------------------------------------------------------------------------------------------------------------

block_taken() { for i in 0 1 2 3 4; do ! port_taken $(($1 + i)) || return 0; done; return 1; }

free_ports() { # the first ones at or above $port and $metrics
  while port_taken "$port"; do port=$((port + 10)); done
  while block_taken "$metrics"; do metrics=$((metrics + 10)); done
}

demo_settings() { # a stack of its own, beside the user's
  port=$((port + 100)) metrics=$((metrics + 200)) data=$home/demo home=$home/demo sandbox='' prefix=''
  export RL_DATA_DIR="$data" RL_NATS_PORT="$port" RL_METRICS_PORT_BASE="$metrics"
  unset RL_FEEDBACK_DB_PATH RL_BANDIT_STATE_PATH RL_BANDIT_PRIOR_PATH RL_PSEUDONYM_KEY_FILE RL_NATS_URL \
    RL_NATS_USER RL_NATS_PASSWORD_FILE RL_SUBJECT_PREFIX RL_ENABLED
}

demo_start() {
  free_ports
  export RL_NATS_PORT="$port" RL_METRICS_PORT_BASE="$metrics"
  prepare >/dev/null
  touch "$data/.demo"
  trap 'down >/dev/null; exit 130' INT TERM
  start_supervisor
  wait_ready && return
  why=$(not_ready)
  tail -n 2 "$data"/log/*.log >&2
  down >/dev/null
  die 1 "The demo's stack is not ready:" "$why"
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
  -h | --help) die 64 "usage: ./rl demo [--chaos] [--drift] [--calls N] [--rate N] [--seed N] [--json] \
[--environment NAME] [--csv FILE] [--svg FILE] ... | --clean | VERB ...
  the rest: rl-sim --help" ;;
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
  code=0 n=$# last=''
  while [ "$n" -gt 0 ]; do # a file is named from where the caller is
    arg=$1 n=$((n - 1))
    shift
    case $last=$arg in --csv=/* | --svg=/*) ;; --csv=* | --svg=*) arg=$here/$arg ;; esac
    set -- "$@" "$arg"
    last=$arg
  done
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

# ---- without apt: docker compose -----------------------------------------------------------------------------------------------

by_compose() { ! command -v apt-get >/dev/null && [ ! -x "$bin/rlctl" ] && docker compose version >/dev/null 2>&1; }

compose() { (cd "$root" && docker compose "$@"); }

compose_verb() { # VERB ...: the same words, inside containers
  do=$1
  shift
  case $do in
  up)
    echo "tom-rl $version  no apt here: docker compose builds and starts it; the first time takes two minutes"
    mkdir -p "$root/build"
    compose up -d --build --wait >"$root/build/compose.log" 2>&1 ||
      { tail -15 "$root/build/compose.log" >&2
        die 1 "It is not ready: build/compose.log, docker compose ps -a, docker compose logs"; }
    compose ps --format 'table {{.Service}}\t{{.Status}}\t{{.Ports}}'
    password=$(compose run --rm ctl password voice 2>/dev/null)
    cat <<TXT

Try:
  ./rl select call-1 --profile kfz             a call comes: what does it hear, and why
  ./rl end call-1 --resolved --rating 4        tell how that call went
  ./rl stats                                   what has been learned from it
  ./rl demo                                    20,000 simulated callers beside this, under a minute
Connect a voice stack (any language, JSON or protobuf, no library of ours):
  nats://127.0.0.1:$port   user voice   password $password   inbox prefix _INBOX_voice
TXT
    ;;
  down) compose down ;;
  status) compose ps ;;
  demo) compose run --rm demo "$@" ;;
  *) compose run --rm ctl "$do" "$@" ;;
  esac
}

# ---- tests ---------------------------------------------------------------------------------------------------------------------

test_main() { exec "$root/tests/run.sh" "$@"; }

verb=${1:-help}
[ $# -eq 0 ] || shift
case $verb in up | down | status | demo | select | explain | end | amend | reward | event | session | stats | req | pub | \
  guard | dlq | replay | versions | switch | bandit | password)
  if by_compose; then compose_verb "$verb" "$@"; exit; fi ;;
esac
case $verb in
help | -h | --help) help ;;
deps) deps "${1:-}" ;;
deps-test) deps "$test_packages" ;;
build) build "${1:-release}" ;;
up) up "$@" ;;
down) down ;;
status) status ;;
install) deps; build release; exec sh "$root/deploy/systemd/install.sh" "$root" ;;
doctor) exec sh "$root/tools/doctor.sh" "$root" "$bin" "$data" "$port" "$metrics" ;;
demo) demo "$@" ;;
docs) deps; build release; "$root/tools/docs.sh" "$bin" "$root/docs/reference" ;;
test) test_main "$@" ;;
bench)
  [ -x "$bin/rl-bench" ] || { deps; build release; }
  build release >/dev/null
  case ${1:-} in learning) shift; exec "$bin/rl-lab" "$@" ;; *) exec "$root/tools/bench/bench.sh" "$@" ;; esac
  ;;
*)
  [ -x "$bin/rlctl" ] || die 1 "Not built yet: ./rl up"
  case "$verb ${1:-}" in "explain demo-"*)
    if [ -e "$data/demo/.demo" ]; then demo_settings; demo_ask "$verb" "$@"; exit; fi ;;
  esac
  exec "$bin/rlctl" "$verb" "$@"
  ;;
esac
