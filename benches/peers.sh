#!/bin/sh
# The whole cycle with other tools: a group of 16 MiB, a program in it until the kernel kills it, the group's removal.
#   peers.sh PARENT_GROUP tail|stress-ng|cgexec COUNT
# Prints the microseconds of each, one a line.
set -eu
parent=$1 tool=$2 count=$3
group=$parent/peer
for _ in $(seq "$count"); do
    begin=$(date +%s%N)
    mkdir "$group"
    echo 16M >"$group/memory.limit_in_bytes"
    case $tool in
    tail) sh -c "echo 0 >'$group/tasks'; exec tail /dev/zero" >/dev/null 2>&1 || true ;;
    stress-ng) sh -c "echo 0 >'$group/tasks'; exec stress-ng --quiet --oomable --vm 1 --vm-bytes 64M --vm-keep --timeout 10" \
        >/dev/null 2>&1 || true ;;
    cgexec) cgexec -g "memory:${group#/sys/fs/cgroup/memory/}" tail /dev/zero >/dev/null 2>&1 || true ;;
    esac
    grep -q '^oom_kill [1-9]' "$group/memory.oom_control" || { echo "no OOM with $tool" >&2; exit 1; }
    rmdir "$group"
    end=$(date +%s%N)
    echo $(((end - begin) / 1000))
done
