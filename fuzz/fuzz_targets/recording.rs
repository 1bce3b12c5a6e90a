//! Recordings, replayed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| memoom::fuzzing::recording(bytes));
