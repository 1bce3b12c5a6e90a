#!/bin/sh
# How long a worker takes to be ready, beside the floor measured in the same run: vfork, join through `tasks`, exec.
# Prints medians in microseconds and their ratios; a benchmark, not a test. ROUNDS=N rounds (default 3), taken in turn.
set -eu
cd "$(dirname "$0")/.."
memory=/sys/fs/cgroup/memory
[ -w "$memory/tasks" ] || { echo "the floor is that of cgroup v1, and $memory/tasks cannot be written here"; exit 0; }
cc -O2 -o target/floor benches/floor/start.c
group=$memory/memoom-dev-floor-$$
trap 'rmdir "$group" 2>/dev/null || true' EXIT
mkdir "$group"

# $1: MiB resident in the host; sets floor_b, floor_i, ours_b, ours_i.
round() {
    # shellcheck disable=SC2046 # words are meant
    set -- "$1" $(target/floor "$group" "$1" 300 | sed 's/.*median \([0-9.]*\) us.*/\1/') \
        $(target/release/examples/start "$1")
    echo "$1 $2 $3 $4 $5 $6" |
        awk '{ printf "%4s MiB resident: back to back %7.1f / %7.1f us = %.2f   after 50 ms %7.1f / %7.1f us = %.2f   four at once %7.1f us\n", $1, $4, $2, $4 / $2, $5, $3, $5 / $3, $6 }'
}

echo "memoom / floor; to hold: 2.0 back to back, 1.3 after 50 ms of idleness"
for _ in $(seq "${ROUNDS:-3}"); do
    round 0
    round 1024
done
