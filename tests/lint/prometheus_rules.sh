#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# prometheus_rules.sh - the rules are valid and do what their cases say, and each alert has a case that fires and one that
# stays quiet.
set -eu
cd "$(dirname "$0")/../../deploy/prometheus"
command -v promtool >/dev/null || { echo "there is no promtool (Debian package prometheus): ./rl deps-test"; exit 1; }
promtool check rules rules.yml
promtool test rules rules_test.yml
for alert in $(sed -n 's/^ *- alert: //p' rules.yml); do
  grep -q "{alertname: $alert, .*exp_alerts: \[\]}" rules_test.yml ||
    { echo "$alert has no case in which it stays quiet"; exit 1; }
  grep -q "^| $alert (" ../../docs/operate.md || { echo "docs/operate.md does not say what to do about $alert"; exit 1; }
  grep -A3 "^ *- alertname: $alert$" rules_test.yml | grep -q exp_labels ||
    { echo "$alert has no case in which it fires"; exit 1; }
done
