#!/bin/sh
# Fuzzes the report parser for FUZZ_SECONDS (60), beginning with the logs of tests/logs; with coverage as a guide, on the
# stable compiler: the flags are those of cargo-fuzz without its sanitizer, which only nightly has.
# A crash stays in fuzz/artifacts and fails the run; make it a test in core/tests/reports/damage.rs.
set -eu
cd "$(dirname "$0")"
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Ccodegen-units=1"
# With a target named, the flags are not those of build scripts.
target=$(rustc -vV | sed -n 's/^host: //p')
cargo build -q --release --locked --target "$target"
mkdir -p corpus/reports artifacts
cp -n ../tests/logs/*.kmsg ../tests/logs/made/*.* corpus/reports/
# The same logs as loggers, mail and pages dress them.
(unset RUSTFLAGS; cd .. && MEMOOM_SEEDS="$PWD/fuzz/corpus/reports" cargo test -q -p memoom --test reports the_same_document)
exec "target/$target/release/reports" corpus/reports -artifact_prefix=artifacts/ -dict=reports.dict \
    -max_total_time="${FUZZ_SECONDS:-60}" -max_len="${FUZZ_LENGTH:-16384}" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1
