# What the package with RPM promises, in a root of Debian that has rpm, and a preset that enables nothing, as RHEL's. What is said
# begins with "· "; the last line is the summary.
set -euo pipefail
old=$1 new=$2

fail() { echo "· failed: $*"; exit 1; }
# rpm knows nothing of Debian's packages, so dependencies are not checked; those on the C library are shown instead.
rpm() { command rpm --force-debian --nodeps "$@"; }

mkdir -p /etc/systemd/system-preset
echo 'disable *' >/etc/systemd/system-preset/99-default-disable.preset

rpm --install "$old" || fail "it does not install"
gdprport --version >/dev/null || fail "it does not run"
[ -z "$(rpm --verify gdprport)" ] || fail "rpm --verify: $(rpm --verify gdprport)"
getent group gdprport >/dev/null || fail "no group gdprport"
for user in gdprport-sensor gdprport-deliver; do getent passwd $user >/dev/null || fail "no user $user"; done
[ -d /var/lib/gdprport/spool ] || fail "directories are missing"
[ ! -e /etc/systemd/system/multi-user.target.wants/gdprport.service ] || fail "it is enabled against the preset"
systemctl enable gdprport.service >/dev/null 2>&1 || fail "it cannot be enabled"

echo '# mine' >>/etc/logrotate.d/gdprport
printf 'version = 1\n' >/etc/gdprport/policy.toml
rpm --upgrade "$new" || fail "it does not upgrade"
grep -q mine /etc/logrotate.d/gdprport || fail "an upgrade overwrites what an administrator changed"
[ -L /etc/systemd/system/multi-user.target.wants/gdprport.service ] || fail "an upgrade disables it"
[ "$(command rpm --force-debian --query --all gdprport | wc -l)" = 1 ] || fail "both versions are installed"

rpm --erase gdprport || fail "it cannot be removed"
[ ! -e /usr/bin/gdprport ] || fail "the program is still there"
[ ! -e /etc/systemd/system/multi-user.target.wants/gdprport.service ] || fail "it is still enabled"
[ -e /etc/gdprport/policy.toml ] && [ -e /etc/logrotate.d/gdprport.rpmsave ] || fail "removing takes what is an administrator's"
[ -z "$(find /usr -name '*gdprport*')" ] || fail "removing leaves $(find /usr -name '*gdprport*')"

libc=$(command rpm --force-debian --query --package --requires "$new" | grep -o 'GLIBC_[0-9.]*' | sort -V | tail -1)
echo "· needs $libc; installed, upgraded, removed"
