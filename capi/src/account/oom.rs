//! The account of one OOM, part by part.
#![allow(unsafe_code)] // exported names

use std::ffi::{c_char, CString};
use std::mem::size_of;
use std::ptr;
use std::sync::{Arc, OnceLock};

use memoom::Oom;

use self::holders::{grower, holders, memoom_grower, memoom_holder};
use self::rows::{
    blocked, disagreements, memoom_blocked, memoom_disagreement, memoom_predicted, memoom_process, memoom_victim,
    victims,
};
use crate::ffi::{self, known, pointer, text};
use crate::list::{
    candidates, findings, frames, memoom_candidate, memoom_finding, memoom_frame, memoom_missing, missing, Rows,
};
use crate::memcg::composition::memoom_composition;
use crate::memcg::group_limits::memoom_counters;
use crate::memcg::host::{memoom_cgroup_version, version_number, MEMOOM_CGROUP_NONE};
use crate::observe::report::memoom_report;

pub(crate) mod holders;
pub(crate) mod lists;
pub(crate) mod rows;
pub(crate) mod why;

/// The account of one OOM: whose limit, who asked, who was predicted, who was killed or blocked, and what is missing.
///
/// Thread safety: it never changes, so any number of threads may read it; a forked child may too.
pub struct memoom_oom {
    pub(crate) oom: Arc<Oom>,
    limit_group: Option<CString>,
    limit_words: Option<CString>,
    victim_words: Vec<Option<CString>>,
    pub(crate) composition: Option<memoom_composition>,
    pub(super) holders: Rows<memoom_holder>,
    pub(super) grower: Rows<memoom_grower>,
    pub(super) invoker: Rows<memoom_process>,
    pub(super) predicted: Rows<memoom_predicted>,
    pub(super) candidates: Rows<memoom_candidate>,
    pub(super) victims: Rows<memoom_victim>,
    before: memoom_counters,
    after: memoom_counters,
    report: Option<memoom_report>,
    pub(super) call_path: Rows<memoom_frame>,
    pub(super) blocked: Rows<memoom_blocked>,
    pub(super) blocked_stacks: Vec<Rows<memoom_frame>>,
    disagreements: Rows<memoom_disagreement>,
    missing: Rows<memoom_missing>,
    pub(super) findings: Rows<memoom_finding>,
    pub(super) summary: CString,
    json: OnceLock<CString>,
    text: OnceLock<CString>,
    pub(super) short_text: OnceLock<CString>,
}

impl memoom_oom {
    pub(crate) fn new(oom: Arc<Oom>) -> memoom_oom {
        memoom_oom {
            limit_group: oom.limit_group.as_ref().map(text),
            limit_words: oom.limit_workload.as_ref().map(|behind| text(&behind.words)),
            victim_words: oom
                .victims
                .iter()
                .map(|one| one.workload.as_ref().map(|behind| text(&behind.words)))
                .collect(),
            composition: oom.composition.as_ref().map(memoom_composition::new),
            holders: holders(&oom.holders),
            grower: grower(&oom.grower),
            invoker: Rows::of(&oom.invoker, |texts, one| memoom_process {
                struct_size: size_of::<memoom_process>(),
                comm: texts.keep(ffi::escape(&one.comm)),
                pid: one.pid,
                reserved: 0,
            }),
            predicted: Rows::of(&oom.predicted, |texts, one| memoom_predicted {
                struct_size: size_of::<memoom_predicted>(),
                comm: texts.keep(ffi::escape(&one.comm)),
                source: texts.keep(one.source),
                score: one.score,
                pid: one.pid,
                determined: u32::from(one.determined),
                made: texts.keep(one.made),
            }),
            candidates: candidates(&oom.candidates),
            victims: victims(&oom.victims),
            before: memoom_counters::new(&oom.counters.before),
            after: memoom_counters::new(&oom.counters.after),
            report: oom.report.clone().map(memoom_report::new),
            call_path: frames(&oom.call_path),
            blocked: blocked(&oom.blocked),
            blocked_stacks: oom.blocked.iter().map(|one| frames(&one.stack)).collect(),
            disagreements: disagreements(&oom.disagreements),
            missing: missing(oom.missing.iter().map(|one| (one.source, &*one.reason))),
            findings: findings(&oom.findings),
            summary: text(&oom.summary),
            json: OnceLock::new(),
            text: OnceLock::new(),
            short_text: OnceLock::new(),
            oom,
        }
    }
}

/// The hierarchy in which the OOM struck.
///
/// \param oom  an account, or NULL
///
/// Returns: MEMOOM_CGROUP_V1 or MEMOOM_CGROUP_V2; MEMOOM_CGROUP_NONE for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_version(oom: Option<&memoom_oom>) -> memoom_cgroup_version {
    ffi::get(oom, MEMOOM_CGROUP_NONE, |oom| version_number(Some(oom.oom.hierarchy)))
}

/// The group whose limit was hit: an ancestor of the victim's group, or that group.
///
/// \param oom  an account, or NULL
///
/// Returns: its path as the kernel writes it, escaped; NULL where no source tells, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_limit_group(oom: Option<&memoom_oom>) -> *const c_char {
    ffi::get(oom, ptr::null(), |oom| pointer(&oom.limit_group))
}

/// What stands behind the group whose limit was hit, in words: "the systemd service nginx.service", "the Podman container
/// web (3f5e0a1b2c3d)". memoom_oom_to_json has the parts (limit_workload): unit, container_id, pod_uid, job.
///
/// \param oom  an account, or NULL
///
/// Returns: the words, escaped; NULL where the path of the group tells nothing, for groups of memoom's own, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_limit_words(oom: Option<&memoom_oom>) -> *const c_char {
    ffi::get(oom, ptr::null(), |oom| pointer(&oom.limit_words))
}

/// What stands behind the group in which a victim stood, in words; see memoom_oom_limit_words.
///
/// \param oom    an account, or NULL
/// \param index  which victim, from 0
///
/// Returns: the words, escaped; NULL where the path of the group tells nothing, beyond the last victim, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_victim_words(oom: Option<&memoom_oom>, index: usize) -> *const c_char {
    ffi::get(oom, ptr::null(), |oom| oom.victim_words.get(index).map_or(ptr::null(), pointer))
}

/// The limit that was hit, in bytes.
///
/// \param oom  an account, or NULL
///
/// Returns: the bytes; MEMOOM_UNLIMITED where there is none; MEMOOM_UNKNOWN where it could not be read (the missing
/// source "limit" says why), and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_limit_bytes(oom: Option<&memoom_oom>) -> u64 {
    ffi::get(oom, ffi::MEMOOM_UNKNOWN, |oom| match oom.oom.limit_bytes {
        Some(bytes) => bytes,
        None if oom.oom.missing.iter().any(|missing| missing.source == "limit") => ffi::MEMOOM_UNKNOWN,
        None => ffi::MEMOOM_UNLIMITED,
    })
}

/// Bytes charged to the group whose limit was hit, before the OOM.
///
/// \param oom  an account, or NULL
///
/// Returns: the bytes; MEMOOM_UNKNOWN where no source tells, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_usage_before(oom: Option<&memoom_oom>) -> u64 {
    ffi::get(oom, ffi::MEMOOM_UNKNOWN, |oom| known(oom.oom.usage_bytes.before))
}

/// Bytes charged after the last victim had ended; for a blocked OOM, while it lasts.
///
/// \param oom  an account, or NULL
///
/// Returns: the bytes; MEMOOM_UNKNOWN where no source tells, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_usage_after(oom: Option<&memoom_oom>) -> u64 {
    ffi::get(oom, ffi::MEMOOM_UNKNOWN, |oom| known(oom.oom.usage_bytes.after))
}

/// The counters of the group whose limit was hit, before the OOM.
///
/// \param oom  an account, or NULL
///
/// Returns: the counters; NULL for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_counters_before(oom: Option<&memoom_oom>) -> *const memoom_counters {
    ffi::get(oom, ptr::null(), |oom| ptr::from_ref(&oom.before))
}

/// The counters of the group whose limit was hit, after the last victim had ended; for a blocked OOM, while it lasts.
///
/// \param oom  an account, or NULL
///
/// Returns: the counters; NULL for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_counters_after(oom: Option<&memoom_oom>) -> *const memoom_counters {
    ffi::get(oom, ptr::null(), |oom| ptr::from_ref(&oom.after))
}

/// The kernel's own report. Its pids are those of the reader: inside a pid namespace of processes whose names tell who they
/// are, and 0 for the others; only the text has the kernel's own.
///
/// \param oom  an account, or NULL
///
/// Returns: the report; NULL where it was not printed or not read (the list of what is missing says why), and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_report(oom: Option<&memoom_oom>) -> *const memoom_report {
    ffi::get(oom, ptr::null(), |oom| oom.report.as_ref().map_or(ptr::null(), ptr::from_ref))
}

/// A moment of the OOM, in nanoseconds of CLOCK_MONOTONIC.
///
/// The names: "step_started", "victim_marked", "victim_ended", "complete". Later versions may know more.
///
/// \param oom   an account, or NULL
/// \param name  the moment, or NULL
///
/// Returns: the time; MEMOOM_UNKNOWN where it was not seen, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn memoom_oom_timing_ns(oom: Option<&memoom_oom>, name: *const c_char) -> u64 {
    // SAFETY: the caller promises a string, or NULL.
    let name = unsafe { ffi::maybe_bytes(name) };
    ffi::get(oom, ffi::MEMOOM_UNKNOWN, |oom| {
        let found = oom.oom.timings_ns.iter().find(|(moment, _)| Some(moment.as_bytes()) == name);
        known(found.map(|(_, time_ns)| time_ns))
    })
}

/// How many times two sources do not say the same.
///
/// \param oom  an account, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_disagreement_count(oom: Option<&memoom_oom>) -> usize {
    ffi::get(oom, 0, |oom| oom.disagreements.len())
}

/// One case of two sources that do not say the same.
///
/// \param oom    an account, or NULL
/// \param index  from 0 to memoom_oom_disagreement_count - 1
///
/// Returns: what they say, and why; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_disagreement_at(oom: Option<&memoom_oom>, index: usize) -> *const memoom_disagreement {
    ffi::get(oom, ptr::null(), |oom| oom.disagreements.at(index))
}

/// How many pieces of evidence could not be had.
///
/// \param oom  an account, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_missing_count(oom: Option<&memoom_oom>) -> usize {
    ffi::get(oom, 0, |oom| oom.missing.len())
}

/// One piece of evidence that could not be had.
///
/// \param oom    an account, or NULL
/// \param index  from 0 to memoom_oom_missing_count - 1
///
/// Returns: the piece, and why; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_missing_at(oom: Option<&memoom_oom>, index: usize) -> *const memoom_missing {
    ffi::get(oom, ptr::null(), |oom| oom.missing.at(index))
}

/// The account as one JSON document ("memoom.oom/1").
///
/// \param oom  an account, or NULL
///
/// Returns: the document; NULL for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_to_json(oom: Option<&memoom_oom>) -> *const c_char {
    ffi::get(oom, ptr::null(), |oom| ffi::kept(&oom.json, &|| oom.oom.to_json()))
}

/// The account as a person reads it: some lines, each ending in a newline.
///
/// \param oom  an account, or NULL
///
/// Returns: the text; NULL for NULL.
/// Ownership: borrowed from the account.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_to_text(oom: Option<&memoom_oom>) -> *const c_char {
    ffi::get(oom, ptr::null(), |oom| ffi::kept(&oom.text, &|| oom.oom.to_text()))
}

/// Frees an account.
///
/// \param oom  an account, or NULL, which does nothing
///
/// Ownership: takes the account; what it holds ends with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_oom_free(oom: Option<Box<memoom_oom>>) {
    ffi::free(oom);
}
