#!/bin/busybox sh
# shellcheck shell=dash
# /init of a guest that has a root file system of its own: mounts it, and what belongs on it, and becomes its process 1.
#
# Beside it in the initial RAM disk: /bin/busybox, /modules (and their order), and /settings, sourced:
# `modules`, the folder of the kernel's modules on the host, `command`, what to run before the power-off, and `init`:
# empty, or systemd, which then is process 1 and runs the command as a service.
/bin/busybox mkdir /proc
/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s /bin
export PATH=/bin
modules='' command='' init=''
# shellcheck source=/dev/null
. /settings

fail() {
    echo "guest-boot: $*"
    poweroff -f
}

while read -r module; do
    insmod "/modules/$module" || fail "cannot load $module"
done </modules/order

mkdir -p /sys /dev /new
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
disk=$(grep -lx root /sys/block/vd*/serial | sed -n '1s|^/sys/block/\(.*\)/serial$|/dev/\1|p')
# Whoever unpacked the packages owns the files: a setuid program would take its rights away from root. Where they were
# installed, they are their owners'.
[ "$init" ] && rights=suid || rights=nosuid
mount -t ext4 -o $rights "$disk" /new || fail "no root on ${disk:-any disk}"
for place in /proc /sys /dev; do
    mount --move "$place" "/new$place"
done

cd /new || fail "no root"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run

# What an init makes before anything else, and what virtme-ng gives the other guests.
lay_out() {
    mkdir -p dev/pts dev/shm
    mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts dev/pts
    mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
    ln -s /proc/self/fd dev/fd
    ln -s fd/0 dev/stdin
    ln -s fd/1 dev/stdout
    ln -s fd/2 dev/stderr
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t debugfs debugfs sys/kernel/debug
    mount -t tracefs tracefs sys/kernel/tracing
}

# The command as a unit that the boot wants, and that ends it.
write_unit() {
    units=run/systemd/system
    mkdir -p "$units/multi-user.target.wants"
    echo "$command" >run/memoom/command
    cat >"$units/memoom-suites.service" <<'UNIT'
[Unit]
Description=The planned suites
After=multi-user.target systemd-user-sessions.service dbus.service systemd-logind.service
[Service]
Type=exec
ExecStart=/bin/sh /run/memoom/command
ExecStopPost=/bin/systemctl poweroff --force --force
StandardInput=tty-force
StandardOutput=tty
TTYPath=/dev/console
OOMPolicy=continue
UNIT
    ln -s ../memoom-suites.service "$units/multi-user.target.wants/"
}

[ "$init" ] || lay_out

# The host's root, cached and read-only, and the folder that is written through to it.
mkdir -p run/memoom/root run/memoom/results
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose memoom.root run/memoom/root ||
    fail "the host's root cannot be mounted"
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 memoom.results run/memoom/results ||
    fail "the folder of the results cannot be mounted"
mkdir -p "usr/lib/modules/$(uname -r)"
mount --bind "run/memoom/root$modules" "usr/lib/modules/$(uname -r)"

if [ "$init" ]; then
    write_unit
    exec switch_root /new "/lib/systemd/$init"
fi

# A session of its own on the console, for the interactive shell. Process 1 waits, and so reaps what loses its parent.
console=$(sed 's/.*console=\([^ ,]*\).*/\1/' proc/cmdline)
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=vt220
# $1 and $2 are the inner shell's.
# shellcheck disable=SC2016
exec switch_root /new /bin/sh -c \
    'setsid --ctty --wait sh -c "$1" <"$2" >"$2" 2>&1; mount -o remount,ro /; exec busybox poweroff -f' sh "$command" "/dev/$console"
