//! Everything that happened in a lab, in order.
#![allow(unsafe_code)] // exported names

use std::ffi::{c_char, CString};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use memoom::Timeline;

use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, need};
use crate::memcg::lab::memoom_lab;
use crate::observe::event::memoom_event;

/// Every event of a lab up to one moment, ordered by time.
///
/// Thread safety: it never changes, so any number of threads may read it; a forked child may too.
pub struct memoom_timeline {
    events: Vec<memoom_event>,
    timeline: Timeline,
    json: OnceLock<CString>,
    /// Short and full.
    texts: [OnceLock<CString>; 2],
}

/// Everything that happened in a lab so far; also of a lab that was closed.
///
/// \param lab           the lab
/// \param ret_timeline  where the timeline goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_PANIC.
/// Ownership: free the timeline with memoom_timeline_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_lab_timeline(
    lab: Option<&memoom_lab>,
    ret_timeline: Option<&mut MaybeUninit<Box<memoom_timeline>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_lab_timeline", reterr_error, || {
        let (lab, ret_timeline) = (need(lab, "lab")?, need(ret_timeline, "ret_timeline")?);
        lab.lab.check_process("get timeline")?;
        let timeline = lab.lab.timeline();
        let events = timeline.events.iter().cloned().map(memoom_event::new).collect();
        ret_timeline.write(Box::new(memoom_timeline {
            events,
            timeline,
            json: OnceLock::new(),
            texts: [OnceLock::new(), OnceLock::new()],
        }));
        Ok(())
    })
}

/// How many events there are.
///
/// \param timeline  a timeline, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_timeline_event_count(timeline: Option<&memoom_timeline>) -> usize {
    ffi::get(timeline, 0, |timeline| timeline.events.len())
}

/// How many earlier events were forgotten: a lab keeps the last memoom_lab_options.keep_events.
///
/// \param timeline  a timeline, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_timeline_forgotten_events(timeline: Option<&memoom_timeline>) -> u64 {
    ffi::get(timeline, 0, |timeline| timeline.timeline.forgotten_events)
}

/// How many earlier accounts were forgotten: a lab keeps the last memoom_lab_options.keep_ooms.
///
/// \param timeline  a timeline, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_timeline_forgotten_ooms(timeline: Option<&memoom_timeline>) -> u64 {
    ffi::get(timeline, 0, |timeline| timeline.timeline.forgotten_ooms)
}

/// One of the events, in the order of time.
///
/// \param timeline  a timeline, or NULL
/// \param index     from 0 to memoom_timeline_event_count - 1
///
/// Returns: the event; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the timeline; it must not be freed.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_timeline_event_at(timeline: Option<&memoom_timeline>, index: usize) -> *const memoom_event {
    ffi::get(timeline, ptr::null(), |timeline| timeline.events.get(index).map_or(ptr::null(), ptr::from_ref))
}

/// The timeline as a person reads it, one line for each event: milliseconds since the first one, the usage of its group,
/// who said it, and what happened.
///
/// \param timeline  a timeline, or NULL
/// \param full      0 leaves out samples of the usage, lines of the kernel log, announcements of steps, and ticks
///
/// Returns: the text, lines that end in newlines; NULL for NULL.
/// Ownership: borrowed from the timeline.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_timeline_to_text(timeline: Option<&memoom_timeline>, full: u32) -> *const c_char {
    ffi::get(timeline, ptr::null(), |timeline| {
        let full = full != 0;
        ffi::kept(&timeline.texts[usize::from(full)], &|| timeline.timeline.to_text(full))
    })
}

/// The timeline as one JSON document ("memoom.timeline/1").
///
/// \param timeline  a timeline, or NULL
///
/// Returns: the document; NULL for NULL.
/// Ownership: borrowed from the timeline.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_timeline_to_json(timeline: Option<&memoom_timeline>) -> *const c_char {
    ffi::get(timeline, ptr::null(), |timeline| ffi::kept(&timeline.json, &|| timeline.timeline.to_json()))
}

/// Frees a timeline.
///
/// \param timeline  a timeline, or NULL, which does nothing
///
/// Ownership: takes the timeline; its events end with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_timeline_free(timeline: Option<Box<memoom_timeline>>) {
    ffi::free(timeline);
}
