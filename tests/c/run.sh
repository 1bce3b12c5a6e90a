#!/bin/sh
# run.sh LIBDIR INCLUDEDIR BUILDDIR: compiles the C tests and examples against a built or installed libmemoom, shared
# and static, and runs them plain, under the sanitizers and under valgrind.
# One line "ok ..." or "not ok ..." for each step; exits 1 if any failed. MEMOOM_REQUIRE=1: a skipped live test fails.
set -u

if [ $# -ne 3 ]; then
    echo "usage: $0 LIBDIR INCLUDEDIR BUILDDIR" >&2
    exit 2
fi
mkdir -p "$3" || exit 2
libdir=$(cd "$1" && pwd) && include=$(cd "$2" && pwd) && build=$(cd "$3" && pwd) || exit 2
here=$(cd "$(dirname "$0")" && pwd)
examples=$here/../../examples/c
# What libmemoom.a needs beside itself (Libs.private of memoom.pc).
private="-lutil -lrt -lpthread -lm -ldl -lc"
tests="nulls null forked layout contract control pods reader record closed"
# Every function of the header as it is now, so that a new one needs no line.
python3 "$here/../abi/stub.py" null >"$build/nulls.c" && python3 "$here/../abi/stub.py" forked >"$build/forked.c" || exit 2
programs="quickstart run experiments hand_back reports"
# shellcheck source=../step.sh
. "$here/../step.sh"

# A program that says TAP: a line "not ok" is a failure, whatever its status. $build/log is where step writes what it says.
tap() {
    timeout 300 "$@" && ! grep -q '^not ok' "$build/log"
}

# $1: compiler, $2: a mark for the program's name, $3: how it is linked, the rest: more options.
compile() {
    compiler=$1 mark=$2 link=$3
    shift 3
    case $link in
    shared) libraries="-L$libdir -lmemoom -Wl,-rpath,$libdir" ;;
    static) libraries="$libdir/libmemoom.a $private" ;;
    esac
    for name in $tests $programs; do
        case " $tests " in
        *" $name "*) source=$here/$name.c && [ -e "$source" ] || source=$build/$name.c ;;
        *) source=$examples/$name.c ;;
        esac
        # shellcheck disable=SC2086 # the libraries are words
        step "compile $name: $compiler, $link $*" "$compiler" -std=gnu99 -Wall -Wextra -Wpedantic -Werror -g "$@" \
            "-I$include" "-I$here" "$source" -o "$build/$name$mark" $libraries
    done
}

# $1: a word for the way, $2: the mark of the programs; the rest: what they run under.
run_all() {
    way=$1 mark=$2
    shift 2
    for name in $tests quickstart experiments hand_back; do
        step "$name: $way" tap "$@" "$build/$name$mark"
    done
    step "run: $way" tap sh -c '"$@"; test $? -eq 6' sh "$@" "$build/run$mark" 64M /bin/sh -c 'exit 6'
    step "reports: $way" tap sh -c '"$@" | grep -q "grouphog, killed"' sh "$@" "$build/reports$mark" "$here/../logs/v2-6.1.kmsg"
}

for compiler in gcc clang; do
    if ! command -v $compiler >/dev/null; then
        echo "ok $compiler # SKIP not installed"
        continue
    fi
    for link in shared static; do
        compile $compiler "-$compiler-$link" $link
        run_all "$compiler, $link" "-$compiler-$link"
    done
done

# The example of each page of the manual, as strict as compilers are, by what each is given. The group that group.c
# borrows is made and removed here.
signs=$here/../signs logs=$here/../logs
given=$(for top in /sys/fs/cgroup/memory /sys/fs/cgroup; do [ -w "$top/cgroup.procs" ] && echo "$top/memoom-given-$$" && break; done)
page() {
    cd "$build" || return 1
    case $1 in
    group) [ -n "$given" ] && mkdir "$given" && { "$2" "$given"; status=$?; rmdir "$given" && return $status; } ;;
    oom) "$2" "$signs/$(ls "$signs" | grep 'jsonl$' | head -n 1)" ;;
    watch) rm -rf "$build/record" && "$2" "$build/record" ;;
    report | postmortem) "$2" "$logs/v2-6.1.kmsg" ;;
    *) "$2" ;;
    esac
}
strict="-O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
for source in "$examples"/pages/*.c; do
    name=$(basename "$source" .c)
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        # shellcheck disable=SC2086 # the options are words
        step "compile the example of memoom_$name(3): $compiler" $compiler -std=c99 $strict -g "-I$include" "$source" \
            -o "$build/page-$name" "-L$libdir" -lmemoom "-Wl,-rpath,$libdir"
    done
    step "the example of memoom_$name(3)" page "$name" "$build/page-$name"
done

# memoom.hpp in the oldest and the newest C++ that the compilers know.
for compiler in g++ clang++; do
    for standard in 11 2b; do
        command -v $compiler >/dev/null || continue
        step "compile quickstart.cc: $compiler, C++$standard" $compiler -std=c++$standard -Wall -Wextra -Wpedantic -Werror -g \
            "-I$include" "$here/../../examples/cpp/quickstart.cc" -o "$build/quickstart-$compiler-$standard" \
            "-L$libdir" -lmemoom "-Wl,-rpath,$libdir"
        step "quickstart.cc: $compiler, C++$standard" tap "$build/quickstart-$compiler-$standard"
        step "compile objects.cc: $compiler, C++$standard" $compiler -std=c++$standard -Wall -Wextra -Wpedantic -Werror -g \
            "-I$include" "-I$here" "$here/objects.cc" -o "$build/objects-$compiler-$standard" "-L$libdir" -lmemoom \
            "-Wl,-rpath,$libdir"
        step "objects.cc: $compiler, C++$standard" tap "$build/objects-$compiler-$standard"
    done
done

# Memory that must not grow is looked at plain: the sanitizers and valgrind keep what is freed.
step "compile soak" gcc -std=gnu99 -Wall -Wextra -Wpedantic -Werror -g "-I$include" "-I$here" "$here/soak.c" \
    -o "$build/soak" "-L$libdir" -lmemoom "-Wl,-rpath,$libdir"
step "soak: gcc, shared" tap "$build/soak"

# Many threads on the same objects, and random sequences of calls; MEMOOM_RANDOM_CALLS and MEMOOM_THREADS_HOGS make them long.
for name in threads random; do
    step "compile $name" gcc -std=gnu99 -Wall -Wextra -Wpedantic -Werror -g "-I$include" "-I$here" "$here/$name.c" \
        -o "$build/$name" "-L$libdir" -lmemoom -lpthread "-Wl,-rpath,$libdir"
    step "$name: gcc, shared" tap "$build/$name"
    step "compile $name: sanitizers" gcc -std=gnu99 -g -fsanitize=address,undefined -fno-sanitize-recover=all "-I$include" \
        "-I$here" "$here/$name.c" -o "$build/$name-asan" "-L$libdir" -lmemoom -lpthread "-Wl,-rpath,$libdir"
    step "$name: AddressSanitizer and UBSan" tap env ASAN_OPTIONS=detect_leaks=0 MEMOOM_RANDOM_LABS=1 "$build/$name-asan"
done

# LeakSanitizer needs ptrace of its own process; where that is forbidden it says so and fails, so it is asked first.
compile gcc -asan shared -fsanitize=address,undefined -fno-sanitize-recover=all
if [ -x "$build/layout-asan" ] && ASAN_OPTIONS=detect_leaks=1 "$build/layout-asan" >/dev/null 2>&1; then
    leaks=1
else
    leaks=0
    echo "ok LeakSanitizer # SKIP ptrace is not permitted; valgrind looks for leaks"
fi
ASAN_OPTIONS=detect_leaks=$leaks run_all "AddressSanitizer and UBSan, leaks $leaks" -asan

# Where Valgrind cannot run a lab, what needs none is looked at in any case; a required run fails there.
if command -v valgrind >/dev/null; then
    under="valgrind -q --error-exitcode=99 --suppressions=$here/valgrind.supp --leak-check=full --show-leak-kinds=definite,indirect,possible
        --errors-for-leak-kinds=definite,indirect,possible --child-silent-after-fork=yes"
    if valgrind -q "$build/quickstart-gcc-shared" >"$build/log" 2>&1; then
        # shellcheck disable=SC2086 # the options are words
        run_all valgrind -gcc-shared $under
    else
        echo "ok live under valgrind # SKIP $(valgrind --version) cannot run a lab: $(tail -n 1 "$build/log")"
        [ "${MEMOOM_REQUIRE:-0}" = 1 ] && failed=1
        for name in $tests; do
            # shellcheck disable=SC2086 # the options are words
            step "$name: valgrind, without a lab" tap env MEMOOM_REQUIRE=0 $under "$build/$name-gcc-shared"
        done
    fi
else
    echo "ok valgrind # SKIP not installed"
fi
exit $failed
