#!/bin/sh
# library.sh [ARGUMENT of cargo]...: builds the C library that is installed and packaged, libmemoom_capi.so and .a, into
# target/capi. Everything that ships or tests it comes here, so what is tested is what ships. How each setting
# earns its place is in docs/c-api.md, "Size".
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="$PWD/target"
# A frame pointer in each function: the unwind tables need not follow every push then, which saves twice what it costs.
export RUSTFLAGS="${RUSTFLAGS:-} -C force-frame-pointers=yes"
# --crate-type: with the rlib that the tests use among them, cargo would leave out the link-time optimization.
set -- rustc --profile capi --package memoom-capi --lib --crate-type cdylib,staticlib "$@" --
# Relocations take a bit instead of 24 bytes. Only a C library that says so can load them (glibc does from 2.36).
if libc=$(cc -print-file-name=libc.so.6 2>/dev/null) && grep -qs GLIBC_ABI_DT_RELR "$libc"; then
    set -- "$@" -C link-arg=-Wl,-z,pack-relative-relocs
fi
exec "${CARGO:-cargo}" "$@"
