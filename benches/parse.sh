#!/bin/sh
# How long the report parser takes for 1 MiB of every input that would be slow for a careless one, and of every saved log.
# It fails where one takes 100 ms or more, and on a slower machine (by 1 MiB of reports) as much more; the factor from
# 256 KiB to 1 MiB shows that time is linear (4).
set -eu
cd "$(dirname "$0")/.."
cargo test -q --release -p memoom --test reports -- --ignored --nocapture time_is_linear
