#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install.sh - programs to /opt/tom-rl, settings to /etc/tom-rl (never overwritten), units to /etc/systemd/system.
# Called by ./rl install.
set -eu
root=$1
to=${DESTDIR:-}
[ -n "$to" ] || [ "$(id -u)" = 0 ] || { echo "As root:  sudo ./rl install" >&2; exit 3; }
env -u DESTDIR cmake --install "$root/build/release" --prefix "$to/opt/tom-rl" --strip >/dev/null
install -d "$to/opt/tom-rl/docs" "$to/etc/tom-rl" "$to/etc/systemd/system"
install -m 755 "$root/rl" "$to/opt/tom-rl/rl"
install -m 644 "$root/CMakeLists.txt" "$root/README.md" "$to/opt/tom-rl/"
install -d "$to/opt/tom-rl/tools" && install -m 755 "$root/tools/doctor.sh" "$to/opt/tom-rl/tools/"
cp -R "$root/config" "$to/opt/tom-rl/" && cp -R "$root/docs/policies" "$to/opt/tom-rl/docs/"
keep() { [ -e "$to/etc/tom-rl/$2" ] || install -m 644 "$1" "$to/etc/tom-rl/$2"; }
keep "$root/config/rl.yaml" rl.yaml
keep "$root/docs/policies/prompt_variants.yaml" prompt_variants.yaml
keep "$root/deploy/systemd/environment" environment
install -m 644 "$root"/deploy/systemd/tom-rl*.service "$root"/deploy/systemd/tom-rl.target "$to/etc/systemd/system/"
if [ -z "$to" ]; then
  id tom-rl >/dev/null 2>&1 || useradd --system --home-dir /var/lib/tom-rl --shell /usr/sbin/nologin tom-rl
  systemctl daemon-reload
fi
cat <<TXT
Installed: programs /opt/tom-rl, settings /etc/tom-rl, data /var/lib/tom-rl, units tom-rl*.

  systemctl enable --now tom-rl.target       start it, also after a reboot
  systemctl status 'tom-rl*'                 how it is; journalctl -u 'tom-rl*' -f follows its log
  sudo -u tom-rl RL_DATA_DIR=/var/lib/tom-rl /opt/tom-rl/rl doctor
TXT
