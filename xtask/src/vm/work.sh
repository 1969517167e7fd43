# The third program of a machine: runs the command and powers off. Port 1 carries the command's output, port 2 its
# status.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
# The name of a port's node depends on the kernel.
port=$(ls /dev/vport*p1)
echo 'gdprport-vm: up' >"$port"
mkfifo /run/output
cat /run/output >"$port" &
carrier=$!
/bin/bash /run/command </dev/null >/run/output 2>&1
status=$?
# Processes that the command left behind may hold the pipe open.
timeout 5 tail --pid=$carrier -f /dev/null
echo $status >"${port%1}2"
sleep 0.2
echo o >/proc/sysrq-trigger
sleep 60
