#!/bin/sh
# run.sh STAGE BUILDDIR: the installed tree is what a distribution would ship. STAGE is a tree of `make install` with
# PREFIX=STAGE. One line "ok ..." or "not ok ..." for each step; exits 1 if any failed.
set -u
stage=$(cd "$1" && pwd) || exit 2
mkdir -p "$2" && build=$(cd "$2" && pwd) || exit 2
cd "$(dirname "$0")/../.." || exit 2
rm -rf "${build:?}"/*
# shellcheck source=../step.sh
. tests/step.sh

tree() { (cd "$1" && find . ! -type d -printf '%p %l\n' | sort); }
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version *= *"\(.*\)"/\1/p' Cargo.toml)
library=$stage/lib/libmemoom.so.$version

# ---- build
here() { CARGO_TARGET_DIR="$build/elsewhere" packaging/library.sh --quiet && test ! -e "$build/elsewhere"; }
step "the library is built where install looks for it, also where cargo builds elsewhere" here

# ---- install and uninstall
there=$build/dest
directories="PREFIX=/opt/m LIBDIR=/opt/m/lib/multi INCLUDEDIR=/opt/m/inc MANDIR=/opt/m/man"
# What others have in the same directories stays.
others() {
    mkdir -p "$there/opt/m/lib/multi/pkgconfig" "$there/opt/m/lib/multi/cmake/other" "$there/opt/m/inc" "$there/opt/m/man/man3" &&
        touch "$there/opt/m/lib/multi/libother.so" "$there/opt/m/lib/multi/pkgconfig/other.pc" "$there/opt/m/inc/other.h" \
            "$there/opt/m/lib/multi/cmake/other/x.cmake" "$there/opt/m/man/man3/memoom_other.3" && find "$there" | sort >"$build/before"
}
# shellcheck disable=SC2086 # words
installed() { env VERSION="$version" $directories DESTDIR="$there" packaging/install.sh "$1"; }
listed() {
    installed list | sort >"$build/list" || return 1
    (cd "$there" && find opt ! -type d | sed 's|^|/|' | grep -v other | sort) | diff "$build/list" -
}
chain() {
    cd "$there/opt/m/lib/multi" && test "$(readlink libmemoom.so)" = libmemoom.so.0 &&
        test "$(readlink libmemoom.so.0)" = "libmemoom.so.$version" && test -f "libmemoom.so.$version" -a ! -L "libmemoom.so.$version"
}
modes() { ! find "$there/opt/m" -type f ! -name 'libmemoom.so.*' ! -perm 644 ! -name '*other*' ! -name x.cmake | grep . ; }
left() { find "$there" | sort | diff "$build/before" - | grep '^[<>]' | grep -v "/man[17]\$" ; }
step "make install with DESTDIR, PREFIX, LIBDIR, INCLUDEDIR and MANDIR" eval "others && installed install"
step "it installs the files of its list and no other" listed
step "the chain of links to the soname" chain
step "what is installed can be read by all" modes
step "make uninstall removes them" installed uninstall
step "and leaves what others have" eval '! left'

# ---- the library
needed() {
    readelf -d "$library" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' >"$build/needed"
    test -s "$build/needed" && ! grep -vE '^(libc\.so\.6|libgcc_s\.so\.1|ld-linux-.*)$' "$build/needed"
}
# What keeps it so small: docs/c-api.md, "Size".
small() {
    strip -o "$build/stripped.so" "$library" && size=$(stat -c %s "$build/stripped.so") && echo "$size bytes" && test "$size" -le 2306867
}
soname() { readelf -d "$library" | grep -q 'SONAME.*\[libmemoom.so.0\]'; }
step "its soname" soname
step "it needs nothing but the C library and libgcc_s at run time" needed
step "stripped it takes no more than 2.2 MiB" small

# ---- pkg-config and CMake
export PKG_CONFIG_PATH="$stage/lib/pkgconfig"
examples() { # $1: words for pkg-config, the rest: more for the compiler
    words=$1
    shift
    for source in examples/c/*.c; do
        # shellcheck disable=SC2046 # words
        gcc -std=gnu99 -Wall -Wextra -Wpedantic -Werror "$source" -o "$build/$(basename "$source" .c)" "$@" \
            $(pkg-config $words memoom) || return 1
    done
}
runs() { LD_LIBRARY_PATH="$1" "$build/run" 64M /bin/sh -c 'exit 5'; test $? -eq 5; }
step "pkg-config: version" test "$(pkg-config --modversion memoom)" = "$version"
step "pkg-config --cflags --libs: every example, shared" examples "--cflags --libs"
step "they need libmemoom.so.0" eval 'readelf -d "$build/run" | grep -q "NEEDED.*libmemoom.so.0"'
step "and run" runs "$stage/lib"
step "pkg-config --static: every example, linked with -static" examples "--static --cflags --libs" -static
step "they need no library at all" eval 'readelf -h "$build/run" && ! readelf -d "$build/run" | grep NEEDED'
step "and run" runs /nowhere
only_static() {
    mkdir -p "$build/static/lib" && cp -r "$stage/lib/pkgconfig" "$stage/lib/libmemoom.a" "$build/static/lib" &&
        sed -i "s|^libdir=.*|libdir=$build/static/lib|" "$build/static/lib/pkgconfig/memoom.pc" &&
        PKG_CONFIG_PATH="$build/static/lib/pkgconfig" examples "--static --cflags --libs" &&
        readelf -d "$build/run" | grep NEEDED && ! readelf -d "$build/run" | grep -q libmemoom
}
step "pkg-config --static: every example, where only libmemoom.a is installed" only_static
step "and run" runs /nowhere
cmake_project() {
    mkdir -p "$build/cmake" && cat >"$build/cmake/CMakeLists.txt" <<'END' &&
cmake_minimum_required(VERSION 3.16)
project(uses C)
find_package(memoom 0.1 REQUIRED CONFIG)
add_executable(shared ${EXAMPLE})
target_link_libraries(shared PRIVATE memoom::memoom)
add_executable(static ${EXAMPLE})
target_link_libraries(static PRIVATE memoom::static)
END
        cmake -S "$build/cmake" -B "$build/cmake/out" -DEXAMPLE="$PWD/examples/c/run.c" -DCMAKE_PREFIX_PATH="$1" &&
        cmake --build "$build/cmake/out" && ls "$build/cmake/out" || return 1
    for program in shared static; do
        "$build/cmake/out/$program" 64M /bin/sh -c 'exit 6'
        test $? -eq 6 || return 1
    done
}
step "CMake: memoom::memoom and memoom::static" cmake_project "$stage"
refuses() {
    mkdir -p "$build/newer" && sed 's/memoom 0.1/memoom 0.9/' "$build/cmake/CMakeLists.txt" >"$build/newer/CMakeLists.txt" &&
        ! cmake -S "$build/newer" -B "$build/newer/out" -DEXAMPLE="$PWD/examples/c/run.c" -DCMAKE_PREFIX_PATH="$stage" &&
        cmake -S "$build/newer" -B "$build/newer/out" -DEXAMPLE="$PWD/examples/c/run.c" -DCMAKE_PREFIX_PATH="$stage" 2>&1 | grep -q "0.1"
}
step "CMake: a newer version than the installed one is refused" refuses

# ---- the first page of the header, and the project to copy
export LD_LIBRARY_PATH="$stage/lib"
first_page() { # the program of the first 100 lines, by the command that stands beside it
    head -n 100 "$stage/include/memoom.h" | sed -n '/^ \*     #include/,/^ \*     }$/s/^ \*     //p' >"$build/program.c"
    how=$(sed -n '1s|.*// ||p' "$build/program.c")
    (cd "$build" && eval "$how" && ./a.out 2>said; cat said; grep -q 'tail (pid [0-9]*) was killed in an OOM' said && grep -q ' victim ' said)
}
readme() { # the C of the first screen
    sed -n '/^```c$/,/^```$/p' README.md | grep -v '^```' >"$build/readme.c" &&
        gcc -std=c99 -Wall -Wextra -Werror "$build/readme.c" -o "$build/readme" $(pkg-config --cflags --libs memoom) &&
        "$build/readme" | tee "$build/said" && grep -q 'tail (pid [0-9]*) was killed in an OOM' "$build/said"
}
project() { # $1: a build system; the rest: how it is built and tested there
    rm -rf "$build/project" && cp -r examples/c/project "$build/project" && cd "$build/project" && shift && sh -ec "$*"
}
step "the program of the header's first 100 lines, by the command beside it" first_page
step "the C of README.md" readme
step "examples/c/project: make" project make "make check"
step "examples/c/project: Meson" project meson "meson setup build && meson test -C build --print-errorlogs"
step "examples/c/project: CMake" project cmake "cmake -B build -DCMAKE_PREFIX_PATH='$stage' && cmake --build build &&
    ctest --test-dir build --output-on-failure"
tells() { # a test of it that fails prints the whole account
    rm -rf "$build/project" && cp -r examples/c/project "$build/project" && cd "$build/project" &&
        sed -i 's/VERDICT_OOM_KILLED);/VERDICT_EXITED);/' oom_test.c && ! make check >said 2>&1 && grep -q ' victim ' said
}
step "examples/c/project: a failure prints the account" tells

# ---- cargo-c's table
table() { grep -A3 '^\[package.metadata.capi.library\]' capi/Cargo.toml | grep -q "^version = \"$version\""; }
step "the table for cargo-c has the version of the workspace" table

# ---- manual pages
step "manual pages: every function in exactly one page, nothing for mandoc to say" python3 packaging/man/pages.py --check
step "man finds memoom_lab_create(3) in the page of its noun" eval \
    'mandoc -T ascii "$stage/share/man/man3/memoom_lab.3" | sed "s|.\x08||g" | grep -q "memoom_lab_create"'

# ---- Debian packages
debs() {
    LIBRARIES=target/capi packaging/deb.sh "$build/deb" && mkdir "$build/root" || return 1
    for package in "$build"/deb/*.deb; do dpkg -x "$package" "$build/root" || return 1; done
    dpkg -I "$build"/deb/libmemoom0_*.deb | grep '^ Depends:.*libc6' && ! dpkg -I "$build"/deb/libmemoom0_*.deb | grep 'Depends:.*python'
}
from_debs() {
    pc=$(dirname "$(find "$build/root" -name memoom.pc)") && libs=$(dirname "$pc") &&
        export PKG_CONFIG_PATH="$pc" PKG_CONFIG_SYSROOT_DIR="$build/root" && examples "--cflags --libs" && runs "$libs" &&
        unset PKG_CONFIG_SYSROOT_DIR && LD_LIBRARY_PATH="$libs" cmake_project "$build/root/usr"
}
if command -v dh >/dev/null; then
    step "the Debian packages are built" debs
    step "what they unpack builds and runs the examples, by pkg-config and CMake" from_debs
else
    echo "ok the Debian packages # SKIP debhelper is not installed"
fi
exit $failed
