//! A log in pieces, looked at in between.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| memoom::fuzzing::reader(bytes));
