//! Records of /dev/kmsg.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| memoom::fuzzing::records(bytes));
