#!/bin/busybox sh
# The first program of a machine: mounts the host's root read-only, under a tmpfs layer.
/bin/busybox --install /bin
export PATH=/bin
while read -r module; do insmod "/modules/$module"; done </modules.list
mkdir /lower /layer /new
mount -t virtiofs -o ro host /lower
mount -t tmpfs layer /layer
mkdir /layer/upper /layer/work
# Container runtimes lie over the host's root where they are asked for.
. /settings
if [ -n "$LAYER" ]; then
    mkdir /over
    mount -t virtiofs -o ro "$LAYER" /over
fi
mount -t overlay -o lowerdir="${LAYER:+/over:}/lower",upperdir=/layer/upper,workdir=/layer/work root /new
mount -t devtmpfs dev /new/dev
mount -t tmpfs run /new/run
cp /start /work /settings /command /new/run
[ -z "$LAYER" ] || cp /runtimes /new/run
exec switch_root /new /bin/sh /run/start
