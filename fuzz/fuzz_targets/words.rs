//! Sizes, limits and alarms as people write them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| memoom::fuzzing::words(bytes));
