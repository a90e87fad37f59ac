#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# doctor.sh - is all well, and if not, what to do?
# Called by ./rl doctor with: root, programs, data folder, bus port, first metrics port.
#
# One line a finding: ok, warn or FAIL.  Ends with 1 when something failed.  Changes nothing.
set -u
root=$1 bin=$2 data=$3 port=$4 metrics=$5
services="feedback reward bandit guard router"
failed=0 warned=0
cd "$root" || exit 1

ok() { printf '  ok    %-12s %s\n' "$1" "$2"; }
warn() { warned=$((warned + 1)); printf '  warn  %-12s %s\n        %-12s -> %s\n' "$1" "$2" '' "$3"; }
fail() { failed=$((failed + 1)); printf '  FAIL  %-12s %s\n        %-12s -> %s\n' "$1" "$2" '' "$3"; }
end() {
  echo
  if [ $failed = 0 ] && [ $warned = 0 ]; then echo "All is well."; else echo "$failed failed, $warned to look at."; fi
  [ $failed = 0 ]
  exit
}

programs() {
  if [ ! -x "$bin/rlctl" ]; then
    fail programs "not built yet" "./rl up"
    end
  fi
  built=$("$bin/rl-feedback" -v)
  server=$(nats-server --version 2>/dev/null | sed 's/^nats-server: v//')
  ok programs "version $built in ${bin#"$root"/}, nats-server ${server:-from elsewhere}"
}

config() {
  bad=0
  for s in $services; do
    why=$("$bin/rl-$s" -n 2>&1) && continue
    bad=1
    fail config "$(echo "$why" | sed 's/.*status=config //' | tail -1)" "correct that line; ./rl doctor again"
    break
  done
  [ $bad = 1 ] || ok config "config/rl.yaml, the environment and the variants are valid for all five services"
}

secrets() {
  if [ ! -d "$data/secrets" ]; then
    warn secrets "no $data/secrets yet" "./rl up makes them"
    return
  fi
  loose=$(find "$data/secrets" -type f -perm /077 | head -1)
  unreadable=$(find "$data/secrets" -type f ! -readable | head -1)
  if [ -n "$unreadable" ]; then
    fail secrets "$unreadable belongs to $(stat -c %U "$unreadable"), you are $(id -un)" \
      "run as that user, or chown -R $(id -un) $data"
  elif [ -n "$loose" ]; then
    fail secrets "$loose can be read by others" "chmod 600 $data/secrets/*"
  else
    ok secrets "$(find "$data/secrets" -name '*.password' | wc -l) passwords and the pseudonym key, only for $(id -un)"
  fi
  [ -w "$data" ] || fail permissions "$data is not writable for $(id -un)" "chown -R $(id -un) $data"
}

disk() {
  place=$data
  while [ ! -e "$place" ]; do place=$(dirname "$place"); done
  set -- $(df -Pk "$place" | tail -1)
  inodes=$(df -Pi "$place" | tail -1 | awk '{ print $5 }')
  free=$(($4 / 1024))
  if [ "$free" -lt 512 ]; then fail disk "$free MB free on $6" "make room: below 512 MB the bus may refuse calls"
  elif [ "${5%\%}" -ge 90 ] || [ "${inodes%\%}" -ge 95 ] 2>/dev/null; then
    warn disk "$5 of $6 used, inodes $inodes" "make room before it is full"
  else ok disk "$free MB free on $6"; fi
  case $(stat -f -c %T "$place") in nfs* | cifs | smb* | fuseblk)
    fail disk "$place is a network file system" "SQLite needs a local disk: RL_DATA_DIR=/var/lib/tom-rl" ;;
  esac
}

clocks() {
  year=$(date +%Y)
  if [ "$year" -lt 2025 ]; then fail clocks "it is $(date -u +%FT%TZ) here" "set the clock"; return; fi
  synced=$(timedatectl show -p NTPSynchronized --value 2>/dev/null || :)
  if [ "$synced" = no ]; then
    warn clocks "not synchronised" "timedatectl set-ntp true: a call dated more than a day ahead is refused"
  else ok clocks "$(date -u +%FT%TZ)${synced:+, synchronised}"; fi
  ahead=$(find "$data/rl" -name '*.db' -newermt '+1 hour' 2>/dev/null | head -1)
  [ -z "$ahead" ] || warn clocks "$ahead was written in the future" \
    "the clock was set back: rewards of that time count in later hours"
}

bus() {
  if ! why=$("$bin/rlctl" req guard.status '{}' 2>&1 >/dev/null | head -1) || [ -n "$why" ]; then
    holder=$(ss -Hltnp "sport = :$port" 2>/dev/null | sed -n 's/.*users:((\("[^"]*"\),pid=\([0-9]*\).*/\1 pid \2/p' | head -1)
    case $why in
    *uthoriz*)
      fail bus "port $port is served by ${holder:-another program}, which refuses our password" \
        "another NATS? RL_NATS_PORT=4333 ./rl up" ;;
    *) fail bus "${why:-nobody answers on port $port}" "./rl up; if it runs: tail $data/log/nats.log $data/log/guard.log" ;;
    esac
    return 1
  fi
  ok bus "answers on 127.0.0.1:$port, user operator may ask"
  refused=$("$bin/rlctl" req router.session '{}' --as voice 2>&1 >/dev/null | head -1)
  [ -z "$refused" ] || fail permissions "user voice: $refused" "./rl down; ./rl up writes the bus's users again"
}

metric() { # SERVICE-INDEX NAME: sum of its samples
  curl -s "http://127.0.0.1:$((metrics + $1))/metrics" 2>/dev/null |
    awk -v n="$2" '$1 ~ "^" n "({|$)" { s += $2 } END { printf "%.0f", s }'
}

running() {
  i=0
  for s in $services; do
    why=$("$bin/rl-sidecar" --probe --ready --port $((metrics + i)) 2>&1) ||
      fail services "$s: ${why:-not ready}" "tail $data/log/$s.log; a dead service is started again within 2 s"
    i=$((i + 1))
  done
  [ $failed = 0 ] || return
  ok services "all five are ready"
  command -v curl >/dev/null || return
  i=0 letters=0 lag=0 old=
  for s in $services; do
    letters=$((letters + $(metric $i rl_dead_letters_total))) lag=$((lag + $(metric $i rl_consumer_lag)))
    curl -s "http://127.0.0.1:$((metrics + i))/metrics" | grep -q "rl_build_info{version=\"$built\"" || old="$old $s"
    i=$((i + 1))
  done
  [ -z "$old" ] || warn versions "running with another version than the one on disk:$old" "./rl down; ./rl up"
  [ "$letters" = 0 ] || warn "dead letters" "$letters messages were refused since the start" \
    "./rl dlq list says why; ./rl dlq replay SEQ tries again"
  [ "$lag" -lt 10000 ] || warn lag "$lag messages wait" "which service: rl_consumer_lag on ports $metrics to $((metrics + 4))"
}

programs
config
secrets
disk
clocks
if bus; then running; fi
end
