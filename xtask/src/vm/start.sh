# The second program of a machine: what every program expects of a Linux, then the command. Port 1 carries what the
# command says, port 2 its status.
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

# Its own modules, loaded on demand by the unpacked program.
. /run/settings
mkdir -p "/lib/modules/$(uname -r)"
mount --bind "$MODULES" "/lib/modules/$(uname -r)"
printf '#!/bin/bash\nexport LD_LIBRARY_PATH=%s\nexec -a modprobe %s "$@"\n' "$LIBRARIES" "$KMOD" >/run/modprobe
chmod +x /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe

# The name of a port's node depends on the kernel.
port=$(ls /dev/vport*p1)
echo 'gdprport-vm: up' >"$port"
mkfifo /run/said
cat /run/said >"$port" &
carrier=$!
/bin/bash /run/command </dev/null >/run/said 2>&1
status=$?
# Whatever the command left behind may hold the pipe open.
timeout 5 tail --pid=$carrier -f /dev/null
echo $status >"${port%1}2"
sleep 0.2
echo o >/proc/sysrq-trigger
sleep 60
