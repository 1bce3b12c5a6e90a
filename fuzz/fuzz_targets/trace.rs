//! The text of a trace pipe.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| memoom::fuzzing::trace(bytes));
