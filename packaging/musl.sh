#!/bin/sh
# musl.sh BUILDDIR: builds libmemoom.a for musl, links the example of each page of the manual with it, fully static and
# without a warning, and runs them. It needs `rustup target add x86_64-unknown-linux-musl` and musl-gcc (Debian:
# musl-tools), and exits with 77 where one of them is not there. One line "ok ..." or "not ok ..." for each step.
set -u
cd "$(dirname "$0")/.." || exit 2
mkdir -p "$1" && build=$(cd "$1" && pwd) || exit 2
# shellcheck source=../tests/step.sh
. tests/step.sh
target=$(uname -m)-unknown-linux-musl
# Debian's musl-gcc would take the unwinder of a gcc that is made for glibc; Rust brings one for musl.
unwind=$(rustc --print sysroot)/lib/rustlib/$target/lib/self-contained/libunwind.a
[ -e "$unwind" ] || { echo "rustup target add $target"; exit 77; }
command -v musl-gcc >/dev/null || { echo "musl-gcc is not installed (Debian: musl-tools)"; exit 77; }

library() {
    CARGO_TARGET_DIR="$PWD/target" "${CARGO:-cargo}" rustc --quiet --profile capi --package memoom-capi --lib \
        --crate-type staticlib --target "$target"
}
example() {
    cd "$build" || return 1
    case $1 in
    report | postmortem) ./"$1" "$logs" ;;
    *) ./"$1" </dev/null ;;
    esac
}
logs=$PWD/tests/logs/v2-6.1.kmsg
step "libmemoom.a for $target" library || exit 1
for source in examples/c/pages/*.c; do
    name=$(basename "$source" .c)
    step "compile the example of memoom_$name(3), static" musl-gcc -std=c99 -static -O2 -Wall -Wextra -Wpedantic \
        -Wconversion -Werror -Iinclude "$source" "target/$target/capi/libmemoom_capi.a" "$unwind" -o "$build/$name"
    step "the example of memoom_$name(3), on musl" example "$name"
done
exit $failed
