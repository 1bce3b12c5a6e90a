#!/bin/sh
# measure.sh STAGE BUILDDIR [RUNS]: three tests of memory cgroups in the style of the LTP, written without memoom (before)
# and with it (after): how many lines they are (without comments and empty lines), how long a run takes (the median of RUNS,
# 5), and how many runs fail. The table stands in docs/adopting.md. After must pass each time. Before cannot keep the kernel
# from killing a second process while the first one dies, so of it each run is counted, and one must pass.
set -u
stage=$(cd "$1" && pwd) || exit 2
mkdir -p "$2" && build=$(cd "$2" && pwd) || exit 2
runs=${3:-5}
cd "$(dirname "$0")" || exit 2
export PKG_CONFIG_PATH="$stage/lib/pkgconfig" LD_LIBRARY_PATH="$stage/lib"
failed=0
lines() { gcc -fpreprocessed -dD -E -P -x c "$@" 2>/dev/null | grep -c '[^[:space:]]'; }
for way in before after; do
    for name in usage oom neighbour; do
        # shellcheck disable=SC2046 # words
        gcc -std=gnu99 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -I../frameworks/ltp "$way/$name.c" -o "$build/$way-$name" \
            $([ $way = before ] || pkg-config --cflags --libs memoom) || exit 2
        times=
        bad=0
        i=0
        while [ $i -lt "$runs" ]; do
            start=$(date +%s%N)
            if ! "$build/$way-$name" >"$build/log" 2>&1; then
                sed "s/^/# $way: /" "$build/log"
                bad=$((bad + 1))
            fi
            times="$times $((($(date +%s%N) - start) / 10000))"
            i=$((i + 1))
        done
        median=$(echo "$times" | tr ' ' '\n' | grep . | sort -n | sed -n "$(((runs + 1) / 2))p")
        result=ok
        if [ $bad -gt 0 ] && { [ $way = after ] || [ "$bad" = "$runs" ]; }; then
            result="not ok"
            failed=1
        fi
        echo "$result $way/$name: $bad of $runs failed, $(lines "$way/$name.c") lines, $((median / 100)).$((median % 100 / 10)) ms"
    done
done
echo "# before: and $(lines before/memcg.h) lines of memcg.h, which all three share"
exit $failed
