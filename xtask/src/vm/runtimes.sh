# Part of the second program of a machine with container runtimes: what their packages' scripts would have done, and
# file systems for their state, since overlayfs does not lie on overlayfs.
for name in iptables ip6tables; do
    for part in "" -save -restore; do ln -sf "$name-nft$part" "/usr/sbin/$name$part"; done
done
for dir in docker containers containerd cni; do
    mkdir -p "/var/lib/$dir"
    mount -t tmpfs -o mode=755 "$dir" "/var/lib/$dir"
done
mkdir -p /etc/containers /etc/cni/net.d /etc/containerd
# As for a kubelet with systemd's cgroups. The sandboxes of pods are made of the tests' own image.
cat >/etc/containerd/config.toml <<'TOML'
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.example/shop/orders:1.4"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
TOML
ln -sf /run/modprobe /usr/local/sbin/modprobe
# Whoever unpacked them need not have been root.
chown root:root /usr/bin/newuidmap /usr/bin/newgidmap
chmod 4755 /usr/bin/newuidmap /usr/bin/newgidmap
# A user of containers of their own, whose subordinate ids are like those that Debian gives the first user.
echo 'rootless:x:1500:1500::/home/rootless:/bin/sh' >>/etc/passwd
echo 'rootless:x:1500:' >>/etc/group
echo 'rootless:100000:65536' >>/etc/subuid
echo 'rootless:100000:65536' >>/etc/subgid
mkdir -p /home/rootless
mount -t tmpfs -o mode=755,uid=1500,gid=1500 home /home/rootless
mkdir -p /run/user/1500
mount -t tmpfs -o mode=700,uid=1500,gid=1500 user /run/user/1500
unit() { # FILE LINE...
    file=$1
    shift
    printf '%s\n' '[Unit]' 'DefaultDependencies=no' "$@" >"$file"
}
if [ -n "$SYSTEMD" ]; then
    # As the packages' units, but without the dependencies that would start the host's services. Runtimes ask systemd for
    # scopes over the message bus: the system's, and the one of the user's own systemd.
    units=/run/systemd/system users=/run/systemd/user
    mkdir -p $units $users /run/dbus
    # What is started over the bus, such as logind, would else start the host's services, and empty /tmp first.
    for name in sysinit.target systemd-tmpfiles-setup.service systemd-logind.service; do
        ln -sf /dev/null "$units/$name"
    done
    ln -sf /dev/null "$units/dbus-org.freedesktop.login1.service"
    bus='ExecStart=/usr/bin/dbus-daemon --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only'
    unit $units/dbus.socket '[Socket]' ListenStream=/run/dbus/system_bus_socket
    unit $units/dbus.service Requires=dbus.socket '[Service]' Type=notify "$bus --system"
    unit $users/dbus.socket '[Socket]' ListenStream=%t/bus
    unit $users/dbus.service Requires=dbus.socket '[Service]' Type=notify "$bus --session"
    unit $users/machine.target Requires=dbus.socket After=dbus.socket
    unit $units/user@1500.service '[Service]' Type=notify User=rootless Slice=user-1500.slice Delegate=yes \
        Environment=XDG_RUNTIME_DIR=/run/user/1500 'ExecStart=/usr/lib/systemd/systemd --user --unit=machine.target'
    unit $units/containerd.service '[Service]' Type=notify Delegate=yes KillMode=process ExecStart=/usr/bin/containerd
    unit $units/docker.service Requires=containerd.service After=containerd.service '[Service]' Type=notify Delegate=yes \
        KillMode=process 'ExecStart=/usr/sbin/dockerd --host=unix:///run/docker.sock --containerd=/run/containerd/containerd.sock'
fi
# What udev would have done.
modprobe -a tun fuse
chmod 666 /dev/net/tun /dev/fuse
mount --make-rshared /
