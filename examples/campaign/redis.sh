#!/bin/sh
# A server of Redis in this directory, with a client beside it. Debian's redis-tools has the program under the name of
# redis-check-rdb; what it is called is what it does.
here=$(dirname "$0")
program=$(command -v redis-server || command -v redis-check-rdb) || exit 1
[ -e redis-server ] || ln -s "$program" redis-server
[ "${1:-}" = alone ] || python3 "$here/redis.py" client &
exec ./redis-server --port 0 --unixsocket redis.sock --save '' --appendonly "${APPENDONLY:-yes}" \
    --appendfsync "${FSYNC:-always}"
