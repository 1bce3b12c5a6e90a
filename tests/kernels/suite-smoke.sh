#!/bin/sh
# One OOM with nothing but the kernel's own files: a 32M group, a process that takes more, and
# then exactly one kill counted, the kill in /dev/kmsg, and tracefs within reach.
set -u
group_name=memoom-smoke
checks=0

ok() {
    checks=$((checks + 1))
    echo "ok $1"
}

fail() {
    echo "not ok $*" >&2
    rmdir "$group" 2>/dev/null
    exit 1
}

# $1: file, $2: key. The value of a line "key value"; empty where the kernel has no such line.
value() {
    awk -v key="$2" '$1 == key { print $2 }' "$1"
}

case $MEMOOM_HIERARCHY in
v2)
    root=/sys/fs/cgroup
    # The root's switch is put back at the end; a guest is left as it was found.
    if ! grep -qw memory $root/cgroup.subtree_control; then
        echo +memory >$root/cgroup.subtree_control || exit 1
        trap 'echo -memory >$root/cgroup.subtree_control' EXIT
    fi
    limit=memory.max counters=memory.events join=cgroup.procs swap=memory.swap.max swap_value=0
    ;;
*)
    root=/sys/fs/cgroup/memory
    limit=memory.limit_in_bytes counters=memory.oom_control join=tasks
    swap=memory.memsw.limit_in_bytes swap_value=33554432
    ;;
esac

group=$root/$group_name
mkdir "$group" || exit 1
echo 33554432 >"$group/$limit" || fail "cannot set $limit"
[ ! -e "$group/$swap" ] || echo $swap_value >"$group/$swap" || fail "cannot set $swap"
[ "$(value "$group/$counters" oom_kill)" = 0 ] || fail "a fresh group counts kills already"
ok "a fresh group with a limit of 32M"

# The shell joins itself, then becomes the process that goes over the limit: tail keeps a line
# that never ends.
mark=memoom-smoke-$$
echo "$mark" >/dev/kmsg
sh -c 'echo 0 >"$1" && exec tail /dev/zero' sh "$group/$join"
status=$?
[ $status -eq 137 ] || fail "the process ended with $status, not with SIGKILL"
ok "the process over the limit got SIGKILL"

kills=$(value "$group/$counters" oom_kill)
[ "$kills" = 1 ] || fail "oom_kill is $kills"
ok "oom_kill is 1"

dmesg | awk -v mark="$mark" 'index($0, mark) { seen = 1 } seen' >"${TMPDIR:-/tmp}/smoke.kmsg"
reported=$(grep -c "Memory cgroup out of memory: Killed process .*(tail)" "${TMPDIR:-/tmp}/smoke.kmsg")
[ "$reported" = 1 ] || fail "$reported kills in the kernel's log"
grep -q "oom-kill:.*oom_memcg=/$group_name,.*task=tail" "${TMPDIR:-/tmp}/smoke.kmsg" ||
    fail "no report of the kill"
ok "the kernel's log shows the kill and its report"

format=/sys/kernel/tracing/events/oom/mark_victim/format
grep -q 'field:int pid' $format || fail "$format cannot be read"
ok "tracefs is within reach"

rmdir "$group" || fail "cannot remove $group"
ok "the group is removed"
echo "$checks checks"
