# step.sh: sourced by the scripts that report in lines "ok ..." and "not ok ...". They set `build`, a directory for the
# log, and end with `exit $failed`. MEMOOM_REQUIRE=1: a skip is a failure.
# shellcheck shell=sh
: "${build:?}"
failed=0

# $1: what it is; the rest: a command or function. 77 is a skip, with the reason in the last line it printed.
step() {
    what=$1
    shift
    ("$@") >"$build/log" 2>&1
    status=$?
    if [ $status -eq 0 ]; then
        echo "ok $what"
    elif [ $status -eq 77 ] && [ "${MEMOOM_REQUIRE:-0}" != 1 ]; then
        echo "ok $what # SKIP $(tail -n 1 "$build/log")"
    else
        echo "not ok $what (status $status)"
        grep -v '^ok ' "$build/log" | tail -n 60 | sed 's/^/# /'
        failed=1
    fi
    return $status
}
