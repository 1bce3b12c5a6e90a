#!/bin/sh
# Makes sure that the named tools are there: installs their Debian packages where that is allowed, else names them.
#
#   .ci/packages.sh TOOL...
set -u
missing=
for tool in "$@"; do
    case $tool in
    gcc) command -v gcc >/dev/null && echo '#include <stdio.h>' | gcc -E -xc - >/dev/null 2>&1 || missing="$missing gcc libc6-dev" ;;
    g++) command -v g++ >/dev/null || missing="$missing g++" ;;
    clang) command -v clang >/dev/null || missing="$missing clang" ;;
    valgrind) command -v valgrind >/dev/null || missing="$missing valgrind" ;;
    pkg-config) command -v pkg-config >/dev/null || missing="$missing pkg-config" ;;
    python-venv) "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3 python3-venv" ;;
    cmake) command -v cmake >/dev/null || missing="$missing cmake make" ;;
    meson) command -v meson >/dev/null || missing="$missing meson" ;;
    autotools) command -v automake >/dev/null && command -v autoconf >/dev/null || missing="$missing autoconf automake" ;;
    abigail) command -v abidiff >/dev/null || missing="$missing abigail-tools" ;;
    mandoc) command -v mandoc >/dev/null || missing="$missing mandoc" ;;
    debhelper) command -v dh >/dev/null || missing="$missing debhelper dpkg-dev" ;;
    cmocka) [ -e /usr/include/cmocka.h ] || missing="$missing libcmocka-dev" ;;
    check) [ -e /usr/include/check.h ] || missing="$missing check" ;;
    criterion) [ -e /usr/include/criterion/criterion.h ] || missing="$missing libcriterion-dev" ;;
    gtest) [ -e /usr/include/gmock/gmock.h ] || missing="$missing libgtest-dev libgmock-dev" ;;
    redis) command -v redis-check-rdb >/dev/null && command -v redis-cli >/dev/null || missing="$missing redis-tools" ;;
    chromium) command -v chromium >/dev/null || missing="$missing chromium fonts-dejavu-core" ;;
    gdb) command -v gdb >/dev/null || missing="$missing gdb" ;;
    stress-ng) command -v stress-ng >/dev/null || missing="$missing stress-ng" ;;
    cgroup-tools) command -v cgexec >/dev/null || missing="$missing cgroup-tools" ;;
    doxygen) command -v doxygen >/dev/null || missing="$missing doxygen" ;;
    *) echo "packages.sh: unknown tool $tool" >&2; exit 2 ;;
    esac
done
[ -z "$missing" ] && exit 0

root=
if [ "$(id -u)" != 0 ]; then
    root="sudo -n"
    sudo -n true 2>/dev/null || root=no
fi
if [ "$root" = no ] || ! command -v apt-get >/dev/null; then
    echo "These packages are needed and cannot be installed from here:$missing" >&2
    exit 1
fi
echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# Words are meant to be split: a list of packages, and perhaps the two words of sudo.
# shellcheck disable=SC2086
$root apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 ||
    { $root apt-get update -qq && $root apt-get install -y -qq --no-install-recommends $missing >/dev/null; }
