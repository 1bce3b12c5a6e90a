//! One thing that happened.
#![allow(unsafe_code)] // exported names

use std::ffi::{c_char, CString};
use std::ptr;
use std::sync::{Arc, OnceLock};

use memoom::Event;

use crate::ffi::{self, pointer, text};

/// One thing that happened: when, by whose word, where, and what.
///
/// Thread safety: it never changes, so any number of threads may read it; a forked child may too.
pub struct memoom_event {
    event: Arc<Event>,
    group: Option<CString>,
    source: CString,
    kind: CString,
    json: OnceLock<CString>,
    text: OnceLock<CString>,
}

impl memoom_event {
    pub(crate) fn new(event: Arc<Event>) -> memoom_event {
        memoom_event {
            group: event.group.as_ref().map(text),
            source: text(event.source.name()),
            kind: text(event.kind.name()),
            json: OnceLock::new(),
            text: OnceLock::new(),
            event,
        }
    }
}

/// When, in nanoseconds of CLOCK_MONOTONIC; the kernel's own stamp where the source has one.
///
/// \param event  an event, or NULL
///
/// Returns: the time; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_event_time_ns(event: Option<&memoom_event>) -> u64 {
    ffi::get(event, 0, |event| event.event.time_ns)
}

/// Who said it: <the sources of events>.
///
/// \param event  an event, or NULL
///
/// Returns: the source; NULL for NULL.
/// Ownership: borrowed from the event.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_event_source(event: Option<&memoom_event>) -> *const c_char {
    ffi::get(event, ptr::null(), |event| event.source.as_ptr())
}

/// What happened: <the kinds of events>. Later versions may know more.
///
/// \param event  an event, or NULL
///
/// Returns: the kind; NULL for NULL.
/// Ownership: borrowed from the event.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_event_kind(event: Option<&memoom_event>) -> *const c_char {
    ffi::get(event, ptr::null(), |event| event.kind.as_ptr())
}

/// The group concerned, as the kernel writes its path.
///
/// \param event  an event, or NULL
///
/// Returns: the path; NULL for what concerns no group, and for NULL.
/// Ownership: borrowed from the event.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_event_group(event: Option<&memoom_event>) -> *const c_char {
    ffi::get(event, ptr::null(), |event| pointer(&event.group))
}

/// The process concerned.
///
/// \param event  an event, or NULL
///
/// Returns: its pid; 0 for what concerns no process, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_event_pid(event: Option<&memoom_event>) -> i32 {
    ffi::get(event, 0, |event| event.event.pid.unwrap_or(0))
}

/// The event as a person reads it: what happened, in a few words, without time and source.
///
/// \param event  an event, or NULL
///
/// Returns: the text; NULL for NULL.
/// Ownership: borrowed from the event.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_event_to_text(event: Option<&memoom_event>) -> *const c_char {
    ffi::get(event, ptr::null(), |event| ffi::kept(&event.text, &|| event.event.to_text()))
}

/// The event as one JSON document ("memoom.event/1"), with the particulars of its kind.
///
/// \param event  an event, or NULL
///
/// Returns: the document; NULL for NULL.
/// Ownership: borrowed from the event.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_event_to_json(event: Option<&memoom_event>) -> *const c_char {
    ffi::get(event, ptr::null(), |event| ffi::kept(&event.json, &|| event.event.to_json()))
}

/// Frees an event.
///
/// \param event  an event, or NULL, which does nothing
///
/// Ownership: takes the event; its strings end with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_event_free(event: Option<Box<memoom_event>>) {
    ffi::free(event);
}
