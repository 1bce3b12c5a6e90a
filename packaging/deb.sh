#!/bin/sh
# deb.sh DIRECTORY: builds the Debian packages of debian/ into DIRECTORY, from a copy of the sources there, so that
# nothing is written beside the checkout. The libraries of LIBRARIES are taken if it is set, else they are built.
set -eu
cd "$(dirname "$0")/.."
mkdir -p "$1"
to=$(cd "$1" && pwd)
rm -rf "$to/memoom" "$to"/*.deb
mkdir "$to/memoom"
{ git ls-files -z -co --exclude-standard 2>/dev/null || find . -path ./target -prune -o -path ./.venv -prune -o -type f -print0; } |
    xargs -0 -I{} sh -c '[ ! -e "$1" ] || { mkdir -p "$2/$(dirname "$1")" && cp -p "$1" "$2/$1"; }' sh {} "$to/memoom"
if [ -n "${LIBRARIES:-}" ]; then LIBRARIES=$(cd "$LIBRARIES" && pwd) && export LIBRARIES; fi
cd "$to/memoom"
# -d: Rust is mostly not a Debian package where this is developed.
dpkg-buildpackage -b -us -uc -d >"$to/log" 2>&1 || { tail -n 40 "$to/log" >&2; exit 1; }
rm -rf "$to/memoom"
ls "$to"/*.deb
