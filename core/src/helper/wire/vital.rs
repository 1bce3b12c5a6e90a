//! What the supervisor cannot do without: it tries each call before its first word, and exits with a status that says
//! which of them was refused.

/// The status of the first call.
pub(crate) const FIRST: usize = 64;
pub(crate) const RT_SIGPROCMASK: usize = 0;
pub(crate) const FCNTL: usize = 1;
pub(crate) const OPENAT: usize = 2;
pub(crate) const DUP3: usize = 3;
pub(crate) const MMAP: usize = 4;
pub(crate) const PRCTL: usize = 5;
pub(crate) const SIGNALFD4: usize = 6;
pub(crate) const PPOLL: usize = 7;
pub(crate) const WAIT4: usize = 8;
pub(crate) const KILL: usize = 9;
pub(crate) const FSTAT: usize = 10;
pub(crate) const GETDENTS64: usize = 11;
pub(crate) const UNLINKAT: usize = 12;
pub(crate) const RECVMSG: usize = 13;
pub(crate) const SENDMSG: usize = 14;

/// Their names, in that order.
#[allow(dead_code)] // the host's alone
pub(crate) const NAMES: [&str; 15] = [
    "rt_sigprocmask",
    "fcntl",
    "openat",
    "dup3",
    "mmap",
    "prctl",
    "signalfd4",
    "ppoll",
    "wait4",
    "kill",
    "fstat",
    "getdents64",
    "unlinkat",
    "recvmsg",
    "sendmsg",
];
