#!/bin/sh
# run.sh [TARGET]: fuzzes for FUZZ_SECONDS (60): the target alone, or every one for its share, the report parser for half of
# it. Begins with what the tests have of each kind; coverage guides it, on the stable compiler: the flags are those of
# cargo-fuzz without its sanitizer, which only nightly has. Where a nightly compiler is, FUZZ_SANITIZER=address adds that.
# A crash stays in fuzz/artifacts and fails the run; make it a test beside the code that it hits.
set -eu
cd "$(dirname "$0")"
all="reports reader files words wire recording trace records"
seconds=${FUZZ_SECONDS:-60}
case " $all " in
*" ${1:-$all} "*) ;;
*) [ -z "${1:-}" ] || { echo "run.sh: no target $1; there are $all" >&2; exit 2; } ;;
esac
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Ccodegen-units=1"
toolchain=
if [ -n "${FUZZ_SANITIZER:-}" ]; then
    RUSTFLAGS="$RUSTFLAGS -Zsanitizer=$FUZZ_SANITIZER"
    toolchain=+nightly CARGO_TARGET_DIR=target/$FUZZ_SANITIZER
    export CARGO_TARGET_DIR
fi
# With a target named, the flags are not those of build scripts.
target=$(rustc -vV | sed -n 's/^host: //p')
# shellcheck disable=SC2086 # no word where there is no toolchain
cargo $toolchain build -q --release --locked --target "$target"
for one in $all; do
    mkdir -p "corpus/$one"
done
mkdir -p artifacts
cp -n ../tests/logs/*.kmsg ../tests/logs/made/*.* corpus/reports/
cp -n ../tests/logs/*.kmsg corpus/records/
cp -n ../tests/logs/*.trace corpus/trace/
cp -n ../tests/signs/*.jsonl corpus/recording/
cp -n seeds/files/* corpus/files/
cp -n seeds/words/* corpus/words/
# The same logs as loggers, mail and pages dress them; messages of every kind.
(
    unset RUSTFLAGS CARGO_TARGET_DIR
    cd ..
    MEMOOM_SEEDS="$PWD/fuzz/corpus/reports" cargo test -q -p memoom --test reports the_same_document
    MEMOOM_SEEDS="$PWD/fuzz/corpus/wire" cargo test -q -p memoom --lib fuzzing
)
# $1: the target, $2: for how long. A long log is in no corpus of the small kinds.
fuzz() {
    case $1 in
    reports) length=16384 dictionary=-dict=reports.dict ;;
    reader) length=32768 dictionary=-dict=reports.dict ;;
    recording) length=65536 dictionary= ;;
    *) length=4096 dictionary= ;;
    esac
    echo "fuzz: $1 for $2 s"
    corpus="corpus/$1"
    [ "$1" = reader ] && corpus="corpus/reader corpus/reports"
    # shellcheck disable=SC2086 # words
    "${CARGO_TARGET_DIR:-target}/$target/release/$1" $corpus "-artifact_prefix=artifacts/$1-" $dictionary \
        "-max_total_time=$2" "-max_len=${FUZZ_LENGTH:-$length}" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1
}
if [ -n "${1:-}" ]; then
    fuzz "$1" "$seconds"
    exit
fi
fuzz reports $((seconds / 2))
for one in reader files words wire recording trace records; do
    fuzz "$one" $((seconds / 14 + 1))
done
