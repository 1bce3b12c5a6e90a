//! Who sent the signal that ended a process.

use std::ffi::c_char;
use std::mem::size_of;

use memoom::KilledBy;

use crate::ffi::{self, known};
use crate::list::Rows;

/// Who sent the signal that ended a process.
///
/// Ownership: borrowed from the outcome.
/// Since 0.1.
#[repr(C)]
pub struct memoom_killed_by {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// What kind of author it was: "kernel-oom", "kernel" (a fault, RLIMIT_CPU, the end of a pid namespace), "process",
    /// "cgroup.kill", "systemd", "systemd-oomd", "earlyoom", "kubelet", "container-runtime", "memoom" (it was asked to:
    /// a kill or a timeout), "self", "unknown". Later versions may know more.
    pub by: *const c_char,
    /// The name (comm) of the process that sent it, escaped; NULL where it could not be read.
    pub comm: *const c_char,
    /// Its group, as the kernel writes its path; NULL where it could not be read.
    pub group: *const c_char,
    /// The systemd unit in which it stood; NULL for none.
    pub unit: *const c_char,
    /// Who says so: "tracefs", "kernel-log", "counters", "procfs", "memoom"; NULL where nobody does.
    pub source: *const c_char,
    /// What it was for, or why it is unknown; NULL where there is no more to say.
    pub reason: *const c_char,
    /// All of it in a few words, such as "bash (pid 7, uid 0, unit ssh.service)".
    pub text: *const c_char,
    /// When it was sent, in nanoseconds of CLOCK_MONOTONIC; MEMOOM_UNKNOWN where no source tells.
    pub at_ns: u64,
    /// The user of the process that sent it; -1 where it could not be read.
    pub uid: i64,
    /// The process that sent it, or in whose context the kernel did; 0 where no source tells.
    pub pid: i32,
    /// The number of the signal.
    pub signal: i32,
}

pub(crate) fn killed_by(item: Option<&KilledBy>) -> Rows<memoom_killed_by> {
    Rows::of(item, |texts, one| memoom_killed_by {
        struct_size: size_of::<memoom_killed_by>(),
        by: texts.keep(one.by.name()),
        comm: texts.maybe(one.comm.as_deref().map(ffi::escape)),
        group: texts.maybe(one.group.as_ref()),
        unit: texts.maybe(one.unit.as_ref()),
        source: texts.maybe(one.source),
        reason: texts.maybe(one.reason.as_ref()),
        text: texts.keep(one.to_text()),
        at_ns: known(one.at_ns),
        uid: one.uid.map_or(-1, i64::from),
        pid: one.pid.unwrap_or(0),
        signal: one.signal,
    })
}
