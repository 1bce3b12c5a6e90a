#!/bin/sh
# The first program of ours inside a guest: sets the memory hierarchy up and runs the planned suites.
#
#   guest-init.sh HIERARCHY CHECKOUT RESULTS [shell]
#
# RESULTS is the one writable folder that the host sees. Read from it: `environment` (sourced) and
# `plan` (lines NAME<tab>SECONDS<tab>COMMAND). Written: `release`, per suite NAME.stdout,
# NAME.stderr, NAME.left (groups that it left behind) and NAME.status ("STATUS SECONDS"), `dmesg`,
# and last `done` with the number of suites run. Whoever judges needs these files only.
set -u
hierarchy=$1 checkout=$2 results=$3 mode=${4:-suites}
cgroup=/sys/fs/cgroup

fail() {
    echo "guest-init: $*" >>"$results/init.error"
    echo "guest-init: $*" >&2
    exit 1
}

# A report of an OOM on the emulated serial line would take longer than the OOM.
dmesg -n 1

uname -r >"$results/release" || exit 1
. "$results/environment"
# Where a whole system is the guest, its init has set up what is set up here otherwise.
init=${MEMOOM_INIT:-}

# $1: a controller to mount in v1, or nothing happens where the kernel has it no longer.
mount_v1() {
    mkdir "$cgroup/$1" && mount -t cgroup -o "$1" none "$cgroup/$1"
}

# A controller that has been enabled in v2 cannot go to v1: unmount before anything else.
leave_v2() {
    umount "$cgroup" || fail "cannot unmount $cgroup"
    mount -t tmpfs -o mode=755,nosuid,nodev,noexec tmpfs "$cgroup" || fail "no tmpfs on $cgroup"
    mount_v1 memory || fail "this kernel has no memory controller for v1"
    mount_v1 freezer && mount_v1 pids
}

set_up_hierarchy() {
    memory_root=$cgroup/memory
    case $hierarchy in
    v1) leave_v2 ;;
    hybrid)
        leave_v2
        mkdir "$cgroup/unified" && mount -t cgroup2 none "$cgroup/unified" ||
            fail "no cgroup2 on $cgroup/unified"
        ;;
    v2)
        memory_root=$cgroup
        grep -qw memory "$cgroup/cgroup.controllers" || fail "no memory controller in $cgroup"
        if [ -n "${MEMOOM_ENABLE:-}" ]; then
            echo "$MEMOOM_ENABLE" >"$cgroup/cgroup.subtree_control" || fail "cannot enable $MEMOOM_ENABLE"
        fi
        ;;
    *) fail "unknown hierarchy $hierarchy" ;;
    esac
}

# Below the root file system everything is read-only or an overlay: give the programs a real
# tmpfs for /tmp and for the home. The checkout and the host's Python stand at their own places,
# read-only, through a mount that caches; what changes on the host meanwhile may not be seen.
# On a root of its own guest-boot.sh has made that mount already.
set_up_files() {
    mkdir -p /run/memoom/root
    mountpoint -q /run/memoom/root ||
        mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose memoom.root /run/memoom/root ||
        fail "the host's root cannot be mounted"
    [ "$init" ] || mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /tmp || fail "no tmpfs on /tmp"
    if [ -n "${MEMOOM_CHECKOUT:-}" ]; then
        mkdir -p "$MEMOOM_CHECKOUT"
        mount --bind "/run/memoom/root$checkout" "$MEMOOM_CHECKOUT" || fail "the checkout cannot be shown"
        checkout=$MEMOOM_CHECKOUT
    fi
    for place in "$checkout" "$MEMOOM_PYTHON_HOME"; do
        [ -d "$place" ] || mkdir -p "$place"
        case $place in
        /usr | / | "${MEMOOM_CHECKOUT:-/}") ;;
        *) mount --bind "/run/memoom/root$place" "$place" || fail "$place cannot be shown" ;;
        esac
    done
    mkdir -p /tmp/home
    export HOME=/tmp/home TMPDIR=/tmp
    for place in /proc/self/status /sys/kernel /dev/kmsg /dev/shm /dev/pts /dev/ptmx; do
        [ -e "$place" ] || fail "$place is missing"
    done
    [ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing
    ip link set lo up || fail "the loopback cannot be brought up"
    cd "$checkout" || fail "cannot enter $checkout"
}

# $1: the name of a disk; prints its device.
disk() {
    grep -lx "$1" /sys/block/vd*/serial 2>/dev/null | sed -n '1s|^/sys/block/\(.*\)/serial$|/dev/\1|p'
}

# A real file system, with a page cache that is charged to groups, and swap where the run asks for it.
set_up_disks() {
    modprobe virtio_blk 2>/dev/null
    modprobe ext4 2>/dev/null
    files=$(disk files) swap=$(disk swap)
    # Without it a guest can do the rest all the same; what needs it says so.
    if [ -n "$files" ] && mount -t ext4 "$files" /var/tmp; then
        chmod 1777 /var/tmp
    else
        echo "guest-init: no file system on a disk" >&2
    fi
    if [ -n "${MEMOOM_SWAP:-}" ]; then
        mkswap "$swap" >/dev/null && swapon "$swap" || fail "no swap on a disk"
    fi
}

set_up_sysctls() {
    for setting in ${MEMOOM_SYSCTLS:-}; do
        file=/proc/sys/$(echo "${setting%%=*}" | tr . /)
        echo "${setting#*=}" >"$file" || fail "cannot set $setting"
    done
}

uptime_seconds() {
    cut -d ' ' -f 1 /proc/uptime
}

# In a whole system the rest is its own.
groups_left() {
    find "$memory_root" -mindepth 1 -type d | grep -v "^$cgroup/unified" | grep "${init:+/memoom-[0-9]}" | sort
}

# A status appears in one step, so that the host never reads half of it.
run_suite() {
    before=$(uptime_seconds)
    timeout -k 10 "$2" sh -c "$3" >"$results/$1.stdout" 2>"$results/$1.stderr" </dev/null
    status=$?
    seconds=$(echo "$before $(uptime_seconds)" | awk '{ printf "%.1f", $2 - $1 }')
    groups_left >"$results/$1.left"
    echo "$status $seconds" >"$results/$1.status.new"
    mv "$results/$1.status.new" "$results/$1.status"
}

set_up_hierarchy
set_up_files
set_up_disks
set_up_sysctls
export MEMOOM_HIERARCHY=$hierarchy MEMOOM_RESULTS=$results

if [ "$mode" = shell ]; then
    exec bash -i
fi

count=0
tab=$(printf '\t')
while IFS=$tab read -r name deadline command <&3; do
    run_suite "$name" "$deadline" "$command"
    count=$((count + 1))
done 3<"$results/plan"
dmesg >"$results/dmesg"
echo "$count" >"$results/done"
