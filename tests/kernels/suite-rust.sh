#!/bin/sh
# The live Rust tests and the Rust example, built outside by build.py and run inside as they are.
set -u
cd "$(dirname "$0")/../.." || exit 2
programs=${MEMOOM_PROGRAMS:-target/guest}
# Nothing in a guest may depend on a duration: what must be gone within 2 s elsewhere has longer here. Fewer runs do.
export MEMOOM_SLOW=1 MEMOOM_RUNS="${MEMOOM_RUNS:-20}" RUST_BACKTRACE=0
# The same runs every time, as in .ci/run; many new ones: --command 'env MEMOOM_RUNS=1000 target/guest/core-scenarios'.
export MEMOOM_SEED="${MEMOOM_SEED:-20261122}"
status=0
# core-victims is not among them: its processes are the test's own, which nobody keeps from being killed together where a
# machine is slow (and on 7.2 always). Run one check of it by hand: target/guest/core-victims NAME.
# Nor is core-unkillable: for seconds the kernel spins and floods its log, which a busy emulated machine pays for. By hand:
# --command 'target/guest/core-unkillable --test-threads=1'.
# For the hogs of reserved huge pages; a guest is thrown away.
echo 16 >/proc/sys/vm/nr_hugepages
# And of transparent ones of 2 MiB, which are not the usual ones where pages have more than 4 KiB.
# Those that are make room for themselves: khugepaged puts one of 32 MiB in the place of several, and the hog has more.
thp=/sys/kernel/mm/transparent_hugepage
if grep -q '\[never\]' "$thp/hugepages-2048kB/enabled" 2>/dev/null; then
    echo never >"$thp/hugepages-$(($(cat "$thp/hpage_pmd_size") / 1024))kB/enabled"
    echo madvise >"$thp/hugepages-2048kB/enabled"
fi
for program in core-bad_input core-at_limit core-outcomes core-accounts core-leftovers core-control core-trigger core-kinds_blocked core-kinds \
    core-prediction core-functions core-adopt core-nested core-side_by_side core-pods core-whose core-samples core-scenarios; do
    echo "== $program"
    case $program in
    # Stall triggers did not ring on 6.1 under emulation; on 5.10, 6.12 and 7.2 they did.
    core-control) set -- --skip alarms_are_events_of_the_watch ;;
    *) set -- ;;
    esac
    "$programs/$program" --test-threads=1 --nocapture "$@" || status=1
done
echo "== experiments"
"$programs/core-experiments" || status=1
exit $status
