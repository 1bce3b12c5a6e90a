#!/bin/sh
# install.sh install|uninstall|list: puts the C library where PREFIX, LIBDIR, INCLUDEDIR, MANDIR and DESTDIR say, takes
# exactly that away again, or names it. VERSION is the library's; LIBRARIES has libmemoom_capi.so and .a.
# One list serves all three, so nothing can be installed that is not removed.
set -eu
cd "$(dirname "$0")/.."
what=$1
: "${VERSION:?}" "${PREFIX:?}" "${LIBDIR:?}" "${INCLUDEDIR:?}" "${MANDIR:?}" "${PYTHON:=python3}" "${DESTDIR=}"
: "${LIBRARIES:=target/capi}"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

# $1: mode or "link", $2: the source or the target of the link, $3: where it goes.
file() {
    case $what in
    install)
        install -d "$DESTDIR$(dirname "$3")"
        if [ "$1" = link ]; then ln -sf "$2" "$DESTDIR$3"; else install -m "$1" "$2" "$DESTDIR$3"; fi
        ;;
    uninstall) rm -f "$DESTDIR$3" ;;
    list) echo "$3" ;;
    *) echo "usage: $0 install|uninstall|list" >&2; exit 2 ;;
    esac
}

# $1: a file with @NAMES@ in it, $2: where it goes.
filled() {
    sed -e "s|@PREFIX@|$PREFIX|; s|@LIBDIR@|$LIBDIR|; s|@INCLUDEDIR@|$INCLUDEDIR|; s|@VERSION@|$VERSION|" "$1" \
        >"$made/filled"
    file 644 "$made/filled" "$2"
}

file 755 "$LIBRARIES/libmemoom_capi.so" "$LIBDIR/libmemoom.so.$VERSION"
file link "libmemoom.so.$VERSION" "$LIBDIR/libmemoom.so.0"
file link libmemoom.so.0 "$LIBDIR/libmemoom.so"
file 644 "$LIBRARIES/libmemoom_capi.a" "$LIBDIR/libmemoom.a"
file 644 include/memoom.h "$INCLUDEDIR/memoom.h"
file 644 include/memoom.hpp "$INCLUDEDIR/memoom.hpp"
for header in include/memoom/*.h include/memoom/*.hpp; do
    [ -e "$header" ] && file 644 "$header" "$INCLUDEDIR/memoom/$(basename "$header")"
done
filled capi/memoom.pc.in "$LIBDIR/pkgconfig/memoom.pc"
filled packaging/cmake/memoom-config.cmake.in "$LIBDIR/cmake/memoom/memoom-config.cmake"
filled packaging/cmake/memoom-config-version.cmake.in "$LIBDIR/cmake/memoom/memoom-config-version.cmake"
"$PYTHON" packaging/man/pages.py "$made/man"
for page in "$made"/man/man[137]/*; do
    section=$(basename "$(dirname "$page")")
    file 644 "$page" "$MANDIR/$section/$(basename "$page")"
done
# The directories that are ours alone.
if [ "$what" = uninstall ]; then
    rmdir "$DESTDIR$LIBDIR/cmake/memoom" "$DESTDIR$INCLUDEDIR/memoom" 2>/dev/null || true
fi
