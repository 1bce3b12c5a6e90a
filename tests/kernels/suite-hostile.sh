#!/bin/sh
# Surroundings that hide, refuse or lie (core/tests/hostile.rs), built outside and run inside as they are. The check that
# refuses each system call in turn lives through 70 labs, up to 20 s each, so it is a suite of its own: refused.
set -u
cd "$(dirname "$0")/../.." || exit 2
export MEMOOM_SLOW=1 RUST_BACKTRACE=0
# Each group and lab takes many times longer here.
export MEMOOM_CROWD="${MEMOOM_CROWD:-100}" MEMOOM_LABS="${MEMOOM_LABS:-10}"
# Left out: the root of a guest on this machine's own files shows this machine's /proc where none is mounted, so that a
# chroot without mounts is another place there. And on v2 a lab in one's own group is refused for the processes that stand
# in it, before its room is looked at.
set -- --skip=another_root "$@"
[ "$MEMOOM_HIERARCHY" != v2 ] || set -- --skip=a_group_that_is_nearly_full "$@"
exec "${MEMOOM_PROGRAMS:-target/guest}/core-hostile" "$@"
