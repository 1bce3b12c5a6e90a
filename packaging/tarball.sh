#!/bin/sh
# tarball.sh DIRECTORY: writes memoom-VERSION.tar.xz there, the committed sources with the sources of every crate of the lock
# file, for who builds without a network: cargo is told in .cargo/config.toml to look nowhere else.
set -eu
mkdir -p "$1" && out=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version *= *"\(.*\)"/\1/p' Cargo.toml)
name=memoom-$version
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
mkdir "$made/$name"
git archive HEAD | tar x -C "$made/$name"
cd "$made/$name"
mkdir -p .cargo
cargo vendor --quiet --locked vendor >/dev/null
cat >.cargo/config.toml <<'END'
[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "vendor"
END
# The same commit gives the same bytes.
date=$(git -C "$OLDPWD" log -1 --format=%cI 2>/dev/null || date -I)
tar c --sort=name --owner=0 --group=0 --numeric-owner --mtime="$date" -C "$made" "$name" | xz -T1 >"$out/$name.tar.xz"
ls -l "$out/$name.tar.xz"
