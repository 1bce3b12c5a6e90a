//! Rows that C reads in place, with the strings they point to; and the rows that several objects have in common.
#![allow(unsafe_code)] // rows hold pointers

use std::ffi::{c_char, CString};
use std::mem::size_of;
use std::ptr;

use crate::ffi::{self, known, text};

/// Strings with stable addresses, kept as long as the rows that point to them.
#[derive(Default)]
pub(crate) struct Texts(Vec<CString>);

impl Texts {
    /// The address of a copy of the text.
    pub(crate) fn keep(&mut self, bytes: impl AsRef<[u8]>) -> *const c_char {
        let text = text(bytes);
        let pointer = text.as_ptr();
        // Moving a CString does not move its bytes.
        self.0.push(text);
        pointer
    }

    pub(crate) fn maybe(&mut self, bytes: Option<impl AsRef<[u8]>>) -> *const c_char {
        bytes.map_or(ptr::null(), |bytes| self.keep(bytes))
    }
}

/// Rows and their strings. They are made once and never change.
pub(crate) struct Rows<T> {
    rows: Vec<T>,
    _texts: Texts,
}

// SAFETY: our own promise: the pointers in the rows lead into `_texts`, which moves with them and is never changed.
unsafe impl<T> Send for Rows<T> {}
// SAFETY: as above; rows are only read.
unsafe impl<T> Sync for Rows<T> {}

impl<T> Rows<T> {
    /// One row for each item; the strings of a row are kept in what the closure is given.
    pub(crate) fn of<I>(items: impl IntoIterator<Item = I>, mut row: impl FnMut(&mut Texts, I) -> T) -> Rows<T> {
        let (mut rows, mut texts) = (Vec::new(), Texts::default());
        for item in items {
            rows.push(row(&mut texts, item));
        }
        Rows { rows, _texts: texts }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The address of a row; NULL beyond the end.
    pub(crate) fn at(&self, index: usize) -> *const T {
        self.rows.get(index).map_or(ptr::null(), ptr::from_ref)
    }
}

/// Evidence that could not be had, and why.
///
/// Ownership: borrowed from the object whose list it stands in.
/// Since 0.1.
#[repr(C)]
pub struct memoom_missing {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// The source: "kernel-log", "tracefs", "counters", "report", ...
    pub source: *const c_char,
    /// Why.
    pub reason: *const c_char,
}

pub(crate) fn missing<'a>(items: impl IntoIterator<Item = (&'a str, &'a str)>) -> Rows<memoom_missing> {
    Rows::of(items, |texts, (source, reason)| memoom_missing {
        struct_size: size_of::<memoom_missing>(),
        source: texts.keep(source),
        reason: texts.keep(reason),
    })
}

/// One answer to the question why, with its evidence and what can be done.
///
/// Ownership: borrowed from the object whose list it stands in.
/// Since 0.1.
#[repr(C)]
pub struct memoom_finding {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// Its name, for programs: "shared-memory", "grower-survived", "ancestor-limit", ... A code never changes its meaning.
    pub code: *const c_char,
    /// One or two plain sentences.
    pub text: *const c_char,
    /// What it rests on: fields of the document with their values, one on each line.
    pub evidence: *const c_char,
    /// What can be done about it; NULL where nothing needs to be.
    pub remedy: *const c_char,
}

pub(crate) fn findings(items: &[memoom::Finding]) -> Rows<memoom_finding> {
    Rows::of(items, |texts, one| memoom_finding {
        struct_size: size_of::<memoom_finding>(),
        code: texts.keep(one.code),
        text: texts.keep(&one.text),
        evidence: texts.keep(one.evidence.join("\n")),
        remedy: texts.maybe(one.remedy.as_deref()),
    })
}

/// One function of a kernel call path.
///
/// Ownership: borrowed from the object whose list it stands in.
/// Since 0.1.
#[repr(C)]
pub struct memoom_frame {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// The function as the kernel names it.
    pub function: *const c_char,
    /// The kernel module of the function; NULL for the kernel itself.
    pub module: *const c_char,
    /// The part of the way it belongs to: "syscall", "fault", "charge", "reclaim", "oom", "select", "kill" or "wait";
    /// NULL where memoom has no word for it.
    pub step: *const c_char,
    /// What the function does on the way, in one sentence; NULL where memoom has no words for it.
    pub explanation: *const c_char,
    /// The return address, in bytes from the start of the function; MEMOOM_UNKNOWN where no source tells.
    pub offset: u64,
    /// The length of the function in bytes; MEMOOM_UNKNOWN where no source tells.
    pub size: u64,
}

pub(crate) fn frames(path: &[memoom::observe::Frame]) -> Rows<memoom_frame> {
    Rows::of(path, |texts, frame| memoom_frame {
        struct_size: size_of::<memoom_frame>(),
        function: texts.keep(&frame.function),
        module: texts.maybe(frame.module.as_ref()),
        step: texts.maybe(frame.step().map(|step| step.name())),
        explanation: texts.maybe(frame.explain()),
        offset: known(frame.offset),
        size: known(frame.size),
    })
}

/// A process of a group with the score by which the kernel chooses.
///
/// Ownership: borrowed from the object whose list it stands in.
/// Since 0.1.
#[repr(C)]
pub struct memoom_candidate {
    /// Bytes of this struct that the library has filled.
    pub struct_size: usize,
    /// Its name (comm), escaped.
    pub comm: *const c_char,
    /// The group in which it stands, as the kernel writes its path. NULL in an account whose candidates are the kernel's
    /// own table, which has no groups, where nothing else tells.
    pub group: *const c_char,
    /// Why the kernel would not take it; NULL where it would.
    pub reason: *const c_char,
    /// The points that the kernel compares, in pages; may be negative.
    pub score: i64,
    /// Resident pages: anonymous, file and shared.
    pub rss_pages: u64,
    /// Swap entries.
    pub swap_pages: u64,
    /// Pages of page tables.
    pub pgtable_pages: u64,
    /// Its pid.
    pub pid: i32,
    /// Its oom_score_adj.
    pub oom_score_adj: i32,
    /// 1 where the kernel would take it at all, else 0.
    pub eligible: u32,
    /// 0.
    pub reserved: u32,
}

pub(crate) fn candidates(items: &[memoom::Candidate]) -> Rows<memoom_candidate> {
    Rows::of(items, |texts, one| memoom_candidate {
        struct_size: size_of::<memoom_candidate>(),
        comm: texts.keep(ffi::escape(&one.comm)),
        group: texts.maybe(one.group.as_ref()),
        reason: texts.maybe(one.reason.as_ref()),
        score: one.score,
        rss_pages: one.rss_pages,
        swap_pages: one.swap_pages,
        pgtable_pages: one.pgtable_pages,
        pid: one.pid,
        oom_score_adj: i32::from(one.oom_score_adj),
        eligible: u32::from(one.eligible),
        reserved: 0,
    })
}
