#!/bin/sh
# run.sh STAGE BUILDDIR: builds one example project for each test framework by its usual build system, against the library
# installed in STAGE, and runs it in the framework's own runner: its tests pass; a failure prints the whole account; where
# no lab can be made the framework reports a skip; and when its timeout strikes nothing is left.
# One line "ok ..." or "not ok ..." for each step; exits 1 if any failed. A framework that is not installed is skipped,
# and fails with MEMOOM_REQUIRE=1.
set -u
stage=$(cd "$1" && pwd) || exit 2
mkdir -p "$2" && build=$(cd "$2" && pwd) || exit 2
cd "$(dirname "$0")" || exit 2
here=$PWD
export PKG_CONFIG_PATH="$stage/lib/pkgconfig" LD_LIBRARY_PATH="$stage/lib" CMAKE_PREFIX_PATH="$stage"
# shellcheck source=../step.sh
. "$here/../step.sh"

have() { # $1: framework, $2: its header, $3...: programs
    framework=$1 header=$2
    shift 2
    for program in "$@"; do
        command -v "$program" >/dev/null || header=/nowhere
    done
    [ -e "$header" ] && return 0
    echo "ok $framework # SKIP not installed"
    [ "${MEMOOM_REQUIRE:-0}" != 1 ] || failed=1
    return 1
}

# In a mount namespace without any cgroup hierarchy: no lab can be made.
without_cgroups() { MEMOOM_REQUIRE=0 unshare -m sh -c 'umount -R -l /sys/fs/cgroup && exec "$@"' sh "$@"; }
# $1: exit status that is wanted ("any" failure, or a number), $2: words that the output has, the rest: a command
says() {
    wanted=$1 words=$2
    shift 2
    "$@" >"$build/said" 2>&1
    got=$?
    cat "$build/said"
    echo "status $got"
    { [ "$wanted" = any ] && [ $got -ne 0 ] || [ "$got" = "$wanted" ]; } && grep -q -e "$words" "$build/said"
}
account() { # a command that fails, and prints the account of the OOM
    says any 'expected: exited by itself with 0' "$@" && grep -q 'was killed in an OOM' "$build/said" && grep -q '^.* victim ' "$build/said"
}
alive() { [ -e "/proc/$1" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }
# A command in a process group of its own, whose parent is in the same session. CTest stops what it kills. When the
# supervisor of the test dies its workers lose their parent, and where nobody else of the session holds their group (a
# continuous run, a shell that has gone) the group is orphaned then: with a stopped process in it, the kernel sends SIGHUP to
# all of it, that is to whoever called this script.
own_job() {
    # shellcheck disable=SC2016 # for the inner shell
    bash -c 'set -m; "$@" & wait "$!"' bash "$@"
}
# A command whose test hangs, and which ends by its own timeout: the lab and its processes go.
killed() {
    export PROMISE_HANG="$build/hang"
    rm -f "$PROMISE_HANG"
    if "$@"; then echo "it did not time out"; return 1; fi
    read -r lab pids <"$PROMISE_HANG" || return 1
    echo "lab $lab, workers $pids"
    # Nothing tells of the end of what others clean up; it is looked at again and again.
    tries=0
    while :; do
        left=
        for pid in $pids; do ! alive "$pid" || left="$left $pid"; done
        [ ! -e "$lab" ] || left="$left $lab"
        [ -n "$left" ] || return 0
        tries=$((tries + 1))
        if [ $tries -gt 600 ]; then echo "left: $left"; return 1; fi
        # A supervisor that was killed too has its groups removed by the next lab.
        [ $tries -ne 20 ] || "$build/next" 16M /bin/true
        sleep 0.05
    done
}
# shellcheck disable=SC2046 # words
gcc -std=gnu99 "$here/../../examples/c/run.c" -o "$build/next" $(pkg-config --cflags --libs memoom) || exit 2

if have cmocka /usr/include/cmocka.h meson; then
    b=$build/cmocka
    rm -rf "$b"
    step "cmocka: meson setup and compile" sh -c 'meson setup "$1" cmocka && meson compile -C "$1"' sh "$b"
    step "cmocka: meson test" says 0 'Ok: *1' meson test -C "$b" --no-suite by-hand --print-errorlogs
    step "cmocka: a failure prints the account" account "$b/suite" fail
    step "cmocka: a skip" says 0 'SKIPPED' without_cgroups "$b/suite"
    step "cmocka: meson's timeout leaves nothing" killed meson test -C "$b" hangs
fi
if have Check /usr/include/check.h autoconf automake; then
    b=$build/check
    rm -rf "$b" && mkdir "$b" && cp check/* shared_tests.h cases.h promises.h "$b" && mkdir "$b/out"
    step "Check: autoreconf, configure, make" sh -c 'cd "$1" && autoreconf -i && cd out && CPPFLAGS=-I"$2" ../configure && make check TESTS=' sh "$b" "$here"
    step "Check: make check" says 0 '# PASS:  1' make -C "$b/out" check
    step "Check: a failure prints the account" account "$b/out/suite" fail
    step "Check: a skip is 77" says 77 'skipped:' without_cgroups "$b/out/suite"
    step "Check: Automake takes it for a skip" says 0 '# SKIP:  1' without_cgroups make -C "$b/out" check
    step "Check: its timeout leaves nothing" killed "$b/out/suite" hang
fi
if have Criterion /usr/include/criterion/criterion.h cmake; then
    b=$build/criterion
    rm -rf "$b"
    step "Criterion: cmake and build" sh -c 'cmake -S criterion -B "$1" && cmake --build "$1"' sh "$b"
    step "Criterion: ctest" says 0 '100% tests passed' ctest --test-dir "$b" --output-on-failure
    step "Criterion: a failure prints the account" account "$b/fails"
    step "Criterion: a skip" says 0 'SKIP' without_cgroups "$b/suite" -j1 --verbose
    step "Criterion: its timeout leaves nothing" killed "$b/hangs"
fi
if have GoogleTest /usr/include/gmock/gmock.h cmake; then
    b=$build/gtest
    rm -rf "$b"
    step "GoogleTest: cmake and build" sh -c 'cmake -S gtest -B "$1" && cmake --build "$1"' sh "$b"
    step "GoogleTest: ctest" says 0 '100% tests passed' ctest --test-dir "$b" --output-on-failure -R suite
    step "GoogleTest: a failure prints the account" account "$b/suite" --gtest_also_run_disabled_tests --gtest_filter=*Fails
    step "GoogleTest: a skip" says 0 'SKIPPED' without_cgroups "$b/suite"
    step "GoogleTest: CTest takes it for a skip" says 0 'Skipped' without_cgroups ctest --test-dir "$b" -R suite
    step "GoogleTest: CTest's timeout leaves nothing" killed own_job ctest --test-dir "$b" -R hangs
fi
for style in kselftest ltp; do
    b=$build/$style
    rm -rf "$b" && mkdir "$b"
    step "$style: make" make -C "$b" -f "$here/$style/Makefile"
    case $style in
    kselftest) passes='# Totals: pass:13 fail:0 skip:0' skip=4 said='# SKIP' ;;
    ltp) passes='passed   13' skip=32 said='TCONF' ;;
    esac
    step "$style: make run_tests" says 0 "$passes" make -C "$b" -f "$here/$style/Makefile" run_tests
    step "$style: a failure prints the account" account "$b/fails"
    step "$style: a skip is $skip" says $skip "$said" without_cgroups "$b/suite"
    case $style in
    kselftest) step "kselftest: the runner's timeout leaves nothing" killed timeout --foreground -k 1 8 "$b/hangs" ;;
    ltp) step "ltp: its timeout leaves nothing" killed "$b/hangs" ;;
    esac
done
command -v prove >/dev/null && step "kselftest: prove understands its TAP" says 0 'PASS' prove "$build/kselftest/suite"
exit $failed
