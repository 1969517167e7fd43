# What a Debian package promises, in a clean root in which no systemd runs. Called with two packages, the second one newer. What is
# said begins with "· "; the last line is the summary.
set -euo pipefail
old=$1 new=$2
export DEBIAN_FRONTEND=noninteractive

fail() { echo "· failed: $*"; exit 1; }
now() { echo $((${EPOCHREALTIME/./} / 1000)); }
# Every file with mode, owner and, for what people and packages write, its content.
listing() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /packages -o -path /tmp -o -path /var/lib/dpkg \) -prune -o \
        -printf '%p %m %u:%g %y %l\n' | grep -Ev '^/(etc/(passwd|group|shadow|gshadow|subuid|subgid)-|var/log/dpkg.log|etc/.pwd.lock) '
    cat /etc/passwd /etc/group /etc/shadow /etc/gshadow
}
sorted() { listing | LC_ALL=C sort; }
version() { dpkg-query --show --showformat='${Version}' gdprport; }
same_as_before() { diff /tmp/before <(sorted) >/tmp/left || { cat /tmp/left; fail "a purge leaves something"; }; }

sorted >/tmp/before

# From nothing to the first verdict.
begun=$(now)
dpkg --install "$old" >/tmp/dpkg 2>&1 || { cat /tmp/dpkg; fail "it does not install"; }
installed=$(now)
perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 5432, Listen => 5, ReuseAddr => 1) or die;
    while (my $c = $s->accept) { print $c "hello\n"; close $c }' &
server=$!
gdprport daemon run --events /tmp/events.ndjson >/tmp/daemon 2>&1 &
daemon=$!
verdict() { grep -E '"kind":"flow.open".*"number":5432|"kind":"flow.open".*"port":5432' /tmp/events.ndjson 2>/dev/null | grep '"outcome"' | grep "$server" || true; }
while [ -z "$(verdict)" ]; do
    kill -0 $daemon 2>/dev/null || { cat /tmp/daemon; fail "the daemon ended"; }
    [ $(($(now) - begun)) -lt 90000 ] || { cat /tmp/daemon; head -c 2000 /tmp/events.ndjson; fail "no verdict in 90 s"; }
    { exec 3<>/dev/tcp/127.0.0.1/5432 && exec 3>&-; } 2>/dev/null || true
    sleep 0.02
done
seen=$(now)
first=$(verdict | sed -n 1p)
[[ $first == *undeclared-port* ]] || fail "the catalog's verdict is another: $first"
[[ $first == *'"user":"root"'* ]] || fail "the user has no name: $first"
kill $daemon $server
wait $daemon || fail "the daemon ended with $?"
rm -rf /run/gdprport/control.sock

# What is there after it.
[ -z "$(dpkg --verify gdprport)" ] || fail "dpkg --verify: $(dpkg --verify gdprport)"
getent group gdprport >/dev/null || fail "no group gdprport"
for user in gdprport-sensor gdprport-deliver; do getent passwd $user >/dev/null || fail "no user $user"; done
owner() { [ "$(stat --format='%U:%G %a' "$1")" = "$2" ] || fail "$1 is $(stat --format='%U:%G %a' "$1"), not $2"; }
owner /etc/gdprport 'root:root 755'
owner /var/lib/gdprport 'gdprport-sensor:gdprport 751'
owner /var/lib/gdprport/spool 'gdprport-sensor:gdprport-deliver 2750'
owner /var/lib/gdprport-deliver 'gdprport-deliver:gdprport-deliver 700'
owner /var/log/gdprport 'gdprport-sensor:gdprport 750'
[ -L /etc/systemd/system/multi-user.target.wants/gdprport.service ] || fail "the sensor is not enabled"
[ ! -e /etc/systemd/system/multi-user.target.wants/gdprport-deliver.service ] || fail "the deliverer is enabled"
[ ! -e /etc/systemd/system/timers.target.wants/gdprport-audit.timer ] || fail "the daily audit is enabled"
[ -d /var/lib/gdprport/spool ] && [ -d /etc/gdprport/policy.d ] || fail "directories are missing"
gdprport policy check /usr/share/doc/gdprport/policy.example.toml >/dev/null || fail "the example policy is invalid"

# An administrator's own files outlive an upgrade and a removal.
echo '# mine' >>/etc/logrotate.d/gdprport
printf 'version = 1\n' >/etc/gdprport/policy.toml
echo kept >/var/lib/gdprport/mine
dpkg --install "$new" >/tmp/dpkg 2>&1 </dev/null || { cat /tmp/dpkg; fail "it does not upgrade"; }
[ "$(version)" != "$(dpkg-deb --field "$old" Version)" ] || fail "it is still the older one"
grep -q mine /etc/logrotate.d/gdprport || fail "an upgrade overwrites what an administrator changed"
dpkg --remove gdprport >/tmp/dpkg 2>&1 || { cat /tmp/dpkg; fail "it cannot be removed"; }
[ ! -e /usr/bin/gdprport ] || fail "the program is still there"
for kept in /etc/logrotate.d/gdprport /etc/gdprport/policy.toml /var/lib/gdprport/mine; do
    [ -e $kept ] || fail "removing takes $kept"
done
getent group gdprport >/dev/null || fail "removing takes the group, to which files belong"
dpkg --purge gdprport >/tmp/dpkg 2>&1 || { cat /tmp/dpkg; fail "it cannot be purged"; }
same_as_before

# Purged at once, and with the deliverer enabled by hand.
dpkg --install "$new" >/tmp/dpkg 2>&1 || { cat /tmp/dpkg; fail "it does not install again"; }
systemctl enable gdprport-deliver.service gdprport-audit.timer >/dev/null 2>&1 || fail "they cannot be enabled"
dpkg --purge gdprport >/tmp/dpkg 2>&1 || { cat /tmp/dpkg; fail "it cannot be purged at once"; }
same_as_before

libc=$(ldd --version | sed -n 1p | grep -o '[0-9.]*$')
echo "· glibc $libc; installed in $((installed - begun)) ms, first verdict after $((seen - begun)) ms; nothing is left"
