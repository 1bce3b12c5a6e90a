//! Messages between host, supervisor and worker.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| memoom::fuzzing::wire(bytes));
