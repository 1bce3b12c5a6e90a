//! The processes of an account: who asked, who was predicted, who died, who waits.

use std::ffi::c_char;
use std::mem::size_of;

use memoom::{Blocked, Cause, Disagreement, Victim};

use crate::ffi::{self, known};
use crate::list::Rows;

/// A process by pid and name.
///
/// Ownership: borrowed from the account.
/// Since 0.1.
#[repr(C)]
pub struct memoom_process {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// Its name (comm), escaped.
    pub comm: *const c_char,
    /// Its pid.
    pub pid: i32,
    /// 0.
    pub reserved: u32,
}

/// Who would be killed, computed before the kernel chose.
///
/// Ownership: borrowed from the account.
/// Since 0.1.
#[repr(C)]
pub struct memoom_predicted {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// Its name (comm), escaped.
    pub comm: *const c_char,
    /// Where the numbers come from: "procfs" (read before the step) or "report" (the kernel's own task table).
    pub source: *const c_char,
    /// Its score in pages.
    pub score: i64,
    /// Its pid.
    pub pid: i32,
    /// 1 where the distance to the next candidate is larger than what the readings can be off by, else 0.
    pub determined: u32,
    /// When it was made: "before" the kill, or "after" it from the kernel's own table, with which the choice then agrees or
    /// does not.
    pub made: *const c_char,
}

/// Why a process died in an OOM.
pub type memoom_cause = u32;
/// For a reason that this version of the C face has no number for.
pub const MEMOOM_CAUSE_OTHER: memoom_cause = 0;
/// The kernel chose it.
pub const MEMOOM_CAUSE_SELECTED: memoom_cause = 1;
/// It stood in a group with memory.oom.group.
pub const MEMOOM_CAUSE_GROUP: memoom_cause = 2;
/// It shared the memory of the chosen one.
pub const MEMOOM_CAUSE_SHARED_MM: memoom_cause = 3;

/// A process that the OOM killed.
///
/// Ownership: borrowed from the account.
/// Since 0.1.
#[repr(C)]
pub struct memoom_victim {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// Its name (comm), escaped; empty where no source said it.
    pub comm: *const c_char,
    /// The group in which it stood; NULL where no source tells.
    pub group: *const c_char,
    /// Who said so, joined by ", ": "tracefs", "kernel-log", "counters", "procfs" (it shared the memory of the chosen one).
    pub sources: *const c_char,
    /// Its anonymous memory in bytes when it was killed; MEMOOM_UNKNOWN where no source tells.
    pub anon_rss_bytes: u64,
    /// Its pid.
    pub pid: i32,
    /// Its oom_score_adj; MEMOOM_SCORE_UNKNOWN where no source tells.
    pub oom_score_adj: i32,
    /// Why it died.
    pub cause: memoom_cause,
    /// 0.
    pub reserved: u32,
}

pub(crate) fn victims(items: &[Victim]) -> Rows<memoom_victim> {
    Rows::of(items, |texts, one| {
        let Victim { pid, comm, cause, group, anon_rss_bytes, oom_score_adj, sources, .. } = one;
        memoom_victim {
            struct_size: size_of::<memoom_victim>(),
            comm: texts.keep(ffi::escape(comm)),
            group: texts.maybe(group.as_ref()),
            sources: texts.keep(sources.join(", ")),
            anon_rss_bytes: known(*anon_rss_bytes),
            pid: *pid,
            oom_score_adj: oom_score_adj.map_or(ffi::MEMOOM_SCORE_UNKNOWN, i32::from),
            cause: match cause {
                Cause::Selected => MEMOOM_CAUSE_SELECTED,
                Cause::Group => MEMOOM_CAUSE_GROUP,
                Cause::SharedMm => MEMOOM_CAUSE_SHARED_MM,
                _ => MEMOOM_CAUSE_OTHER,
            },
            reserved: 0,
        }
    })
}

/// Two sources that do not say the same.
///
/// Ownership: borrowed from the account.
/// Since 0.1.
#[repr(C)]
pub struct memoom_disagreement {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// What they say.
    pub says: *const c_char,
    /// Why; NULL where no known cause fits.
    pub because: *const c_char,
}

pub(crate) fn disagreements(items: &[Disagreement]) -> Rows<memoom_disagreement> {
    Rows::of(items, |texts, one| {
        let Disagreement { says, because } = one;
        memoom_disagreement {
            struct_size: size_of::<memoom_disagreement>(),
            says: texts.keep(says.as_str()),
            because: texts.maybe(because.as_ref()),
        }
    })
}

/// The letter of a process's state, as in /proc/PID/stat: 'R', 'S', 'D', 'T', 'Z'; 'X' for one that has ended; 0 where
/// none is told. It compares with a character, and prints with %c.
pub type memoom_state = u32;

/// A process that waits in an OOM, as the OOM killer is off.
///
/// Its kernel stack: memoom_oom_blocked_frame_at.
///
/// Ownership: borrowed from the account.
/// Since 0.1.
#[repr(C)]
pub struct memoom_blocked {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// Its name (comm), escaped.
    pub comm: *const c_char,
    /// The kernel function in which it waits; NULL where no source tells.
    pub wchan: *const c_char,
    /// Its pid.
    pub pid: i32,
    /// The letter of its state: 'D'.
    pub state: memoom_state,
}

pub(crate) fn blocked(items: &[Blocked]) -> Rows<memoom_blocked> {
    Rows::of(items, |texts, one| {
        let Blocked { pid, comm, state, wchan, stack: _ } = one;
        memoom_blocked {
            struct_size: size_of::<memoom_blocked>(),
            comm: texts.keep(ffi::escape(comm)),
            wchan: texts.maybe(wchan.as_ref()),
            pid: *pid,
            state: u32::from(*state),
        }
    })
}
