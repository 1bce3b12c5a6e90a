//! How a worker ended: the verdict, its evidence and the OOMs of its group.
#![allow(unsafe_code)] // exported names

use std::ffi::{c_char, CString};
use std::mem::size_of;
use std::ptr;
use std::sync::OnceLock;

use memoom::Outcome;

use self::at_limit::{at_limit, memoom_at_limit};
use self::verdict::{memoom_verdict, verdict_number, MEMOOM_VERDICT_OTHER};
use self::why::{memoom_throttled, throttled};
use super::killed_by::{killed_by, memoom_killed_by};
use super::oom::memoom_oom;
use crate::ffi::{self, known, text};
use crate::list::{findings, frames, memoom_finding, memoom_frame, memoom_missing, missing, Rows};

pub(crate) mod at_limit;
pub(crate) mod verdict;
pub(crate) mod why;

/// What one source says about the end of a worker.
///
/// Ownership: borrowed from the outcome.
/// Since 0.1.
#[repr(C)]
pub struct memoom_evidence {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// Who says it: "exit-status", "tracefs", "kernel-log", "counters".
    pub source: *const c_char,
    /// What it says.
    pub says: *const c_char,
}

/// How a worker ended, and whether an OOM ended it.
///
/// Thread safety: it never changes, so any number of threads may read it; a forked child may too.
pub struct memoom_outcome {
    pub(super) outcome: Outcome,
    verdict: CString,
    name: CString,
    group: CString,
    ooms: Vec<memoom_oom>,
    evidence: Rows<memoom_evidence>,
    missing: Rows<memoom_missing>,
    pub(super) killed_by: Rows<memoom_killed_by>,
    pub(super) findings: Rows<memoom_finding>,
    pub(super) at_limit: Rows<memoom_at_limit>,
    pub(super) throttled: Rows<memoom_throttled>,
    pub(super) throttled_stack: Rows<memoom_frame>,
    pub(super) summary: CString,
    json: OnceLock<CString>,
    text: OnceLock<CString>,
    pub(super) short_text: OnceLock<CString>,
}

impl memoom_outcome {
    pub(crate) fn new(outcome: Outcome) -> Box<memoom_outcome> {
        Box::new(memoom_outcome {
            verdict: text(outcome.verdict.name()),
            name: text(ffi::escape(&outcome.name)),
            group: text(&outcome.group),
            ooms: outcome.ooms.iter().cloned().map(memoom_oom::new).collect(),
            evidence: Rows::of(&outcome.evidence, |texts, one| memoom_evidence {
                struct_size: size_of::<memoom_evidence>(),
                source: texts.keep(one.source),
                says: texts.keep(&one.says),
            }),
            killed_by: killed_by(outcome.killed_by.as_ref()),
            missing: missing(outcome.missing.iter().map(|one| (one.source, &*one.reason))),
            findings: findings(&outcome.findings),
            at_limit: at_limit(outcome.at_limit.as_ref()),
            throttled: throttled(&outcome.throttled),
            throttled_stack: frames(outcome.throttled.as_ref().map_or(&[], |held| &held.stack)),
            summary: text(&outcome.summary),
            json: OnceLock::new(),
            text: OnceLock::new(),
            short_text: OnceLock::new(),
            outcome,
        })
    }
}

/// How the worker ended.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: one of the MEMOOM_VERDICT_ numbers; MEMOOM_VERDICT_OTHER for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_verdict(outcome: Option<&memoom_outcome>) -> memoom_verdict {
    ffi::get(outcome, MEMOOM_VERDICT_OTHER, |outcome| verdict_number(outcome.outcome.verdict))
}

/// The verdict as documents have it: "oom-killed", "killed", "exited", "timeout", "throttled" or "undecided".
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the verdict; NULL for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_verdict_name(outcome: Option<&memoom_outcome>) -> *const c_char {
    ffi::get(outcome, ptr::null(), |outcome| outcome.verdict.as_ptr())
}

/// Whether an OOM killed the worker.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: 1 or 0; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_oom_killed(outcome: Option<&memoom_outcome>) -> u32 {
    ffi::get(outcome, 0, |outcome| u32::from(outcome.outcome.oom_killed))
}

/// The status of the worker: its exit code, or the negative number of the signal that ended it.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the status; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_returncode(outcome: Option<&memoom_outcome>) -> i32 {
    ffi::get(outcome, 0, |outcome| outcome.outcome.returncode)
}

/// The pid that the worker had.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the pid; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_pid(outcome: Option<&memoom_outcome>) -> i32 {
    ffi::get(outcome, 0, |outcome| outcome.outcome.pid)
}

/// The name of the worker, escaped.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the name; NULL for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_name(outcome: Option<&memoom_outcome>) -> *const c_char {
    ffi::get(outcome, ptr::null(), |outcome| outcome.name.as_ptr())
}

/// The group in which the worker stood, as the kernel writes its path.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the path; NULL for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_group(outcome: Option<&memoom_outcome>) -> *const c_char {
    ffi::get(outcome, ptr::null(), |outcome| outcome.group.as_ptr())
}

/// The account of the OOM that killed the worker.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the account; NULL where no OOM killed it, and for NULL.
/// Ownership: borrowed from the outcome; it must not be freed.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_oom(outcome: Option<&memoom_outcome>) -> *const memoom_oom {
    ffi::get(outcome, ptr::null(), |outcome| {
        let killed = |oom: &&memoom_oom| outcome.outcome.oom_killed && oom.oom.killed(outcome.outcome.pid);
        let own = outcome.ooms.iter().find(killed);
        own.map_or(ptr::null(), ptr::from_ref)
    })
}

/// How many OOMs its group had while the worker lived, its own among them.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_oom_count(outcome: Option<&memoom_outcome>) -> usize {
    ffi::get(outcome, 0, |outcome| outcome.ooms.len())
}

/// One of the OOMs of its group.
///
/// \param outcome  an outcome, or NULL
/// \param index    from 0 to memoom_outcome_oom_count - 1
///
/// Returns: the account; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the outcome; it must not be freed.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_oom_at(outcome: Option<&memoom_outcome>, index: usize) -> *const memoom_oom {
    ffi::get(outcome, ptr::null(), |outcome| outcome.ooms.get(index).map_or(ptr::null(), ptr::from_ref))
}

/// How many sources say something about the end.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_evidence_count(outcome: Option<&memoom_outcome>) -> usize {
    ffi::get(outcome, 0, |outcome| outcome.evidence.len())
}

/// What one of the sources says.
///
/// \param outcome  an outcome, or NULL
/// \param index    from 0 to memoom_outcome_evidence_count - 1
///
/// Returns: the evidence; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_evidence_at(outcome: Option<&memoom_outcome>, index: usize) -> *const memoom_evidence {
    ffi::get(outcome, ptr::null(), |outcome| outcome.evidence.at(index))
}

/// How many pieces of evidence could not be had.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_missing_count(outcome: Option<&memoom_outcome>) -> usize {
    ffi::get(outcome, 0, |outcome| outcome.missing.len())
}

/// One piece of evidence that could not be had.
///
/// \param outcome  an outcome, or NULL
/// \param index    from 0 to memoom_outcome_missing_count - 1
///
/// Returns: the piece, and why; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_missing_at(outcome: Option<&memoom_outcome>, index: usize) -> *const memoom_missing {
    ffi::get(outcome, ptr::null(), |outcome| outcome.missing.at(index))
}

/// CPU time in user mode, in microseconds.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_user_usec(outcome: Option<&memoom_outcome>) -> u64 {
    ffi::get(outcome, 0, |outcome| outcome.outcome.user_usec)
}

/// CPU time in the kernel, in microseconds.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_system_usec(outcome: Option<&memoom_outcome>) -> u64 {
    ffi::get(outcome, 0, |outcome| outcome.outcome.system_usec)
}

/// The most memory that was ever resident, in bytes.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_max_rss_bytes(outcome: Option<&memoom_outcome>) -> u64 {
    ffi::get(outcome, 0, |outcome| outcome.outcome.max_rss_bytes)
}

/// The most that was charged to the group of a run (memoom_run, memoom_run_function) until its command ended, in bytes:
/// memory.max_usage_in_bytes (v1), memory.peak (v2, from about 5.19).
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the number; MEMOOM_UNKNOWN where the kernel keeps none, for a worker of a lab, whose group may have had
/// others in it, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_peak_bytes(outcome: Option<&memoom_outcome>) -> u64 {
    ffi::get(outcome, ffi::MEMOOM_UNKNOWN, |outcome| known(outcome.outcome.peak_bytes))
}

/// When the worker was ready, in nanoseconds of CLOCK_MONOTONIC.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_started_ns(outcome: Option<&memoom_outcome>) -> u64 {
    ffi::get(outcome, 0, |outcome| outcome.outcome.started_ns)
}

/// When its end was reaped, in nanoseconds of CLOCK_MONOTONIC.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_ended_ns(outcome: Option<&memoom_outcome>) -> u64 {
    ffi::get(outcome, 0, |outcome| outcome.outcome.ended_ns)
}

/// The outcome as a person reads it: a sentence, what each source says, what is missing, and the accounts of its OOMs.
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the text, lines that end in newlines; NULL for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_to_text(outcome: Option<&memoom_outcome>) -> *const c_char {
    ffi::get(outcome, ptr::null(), |outcome| ffi::kept(&outcome.text, &|| outcome.outcome.to_text()))
}

/// The outcome as one JSON document ("memoom.outcome/1").
///
/// \param outcome  an outcome, or NULL
///
/// Returns: the document; NULL for NULL.
/// Ownership: borrowed from the outcome.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_to_json(outcome: Option<&memoom_outcome>) -> *const c_char {
    ffi::get(outcome, ptr::null(), |outcome| ffi::kept(&outcome.json, &|| outcome.outcome.to_json()))
}

/// Frees an outcome.
///
/// \param outcome  an outcome, or NULL, which does nothing
///
/// Ownership: takes the outcome; its accounts end with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_outcome_free(outcome: Option<Box<memoom_outcome>>) {
    ffi::free(outcome);
}

#[cfg(test)]
mod tests;
