# The second program of a machine: sets up what programs expect of a Linux, then runs the command, directly or as the
# only service of systemd.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracing /sys/kernel/tracing
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=666 pts /dev/pts
mount -t tmpfs shm /dev/shm
ln -sf /proc/self/fd /dev/fd
ln -sf fd/0 /dev/stdin
ln -sf fd/1 /dev/stdout
ln -sf fd/2 /dev/stderr
ip link set lo up
hostname vm

# The modules of this kernel, loaded on demand by the unpacked kmod.
. /run/settings
mkdir -p "/lib/modules/$(uname -r)"
mount --bind "$MODULES" "/lib/modules/$(uname -r)"
printf '#!/bin/bash\nexport LD_LIBRARY_PATH=%s\nexec -a modprobe %s "$@"\n' "$LIBRARIES" "$KMOD" >/run/modprobe
chmod +x /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe

[ -z "$LAYER" ] || . /run/runtimes
if [ -n "$SYSTEMD" ]; then
    # Nothing of the host must be started: a separate target, with the command alone.
    mkdir -p /run/systemd/system
    printf '[Unit]\nDefaultDependencies=no\nRequires=machine.service\n' >/run/systemd/system/machine.target
    printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=exec\nEnvironment=HOME=/root\nExecStart=/bin/sh /run/work\n' \
        >/run/systemd/system/machine.service
    exec "$SYSTEMD" --unit=machine.target --show-status=no --log-target=kmsg
fi
exec /bin/sh /run/work
