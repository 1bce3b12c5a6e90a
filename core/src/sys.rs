//! Every system call that nix does not wrap safely; the only unsafe code of the crate.
#![allow(unsafe_code)]

pub(crate) mod spawn;
