//! What happened: kernel log, call path, task state, and the watch that joins them.

pub(crate) mod alarm;
pub(crate) mod backlog;
pub(crate) mod callpath;
pub(crate) mod event;
mod event_text;
pub(crate) mod finding;
pub(crate) mod hub;
pub(crate) mod kmsg;
pub mod report;
pub(crate) mod task;
pub(crate) mod trace;
mod trace_text;
pub(crate) mod tracefs;
pub(crate) mod tree;
pub(crate) mod wait;
pub(crate) mod watch;

#[cfg(test)]
mod live;

pub use alarm::Alarm;
pub use callpath::{explain, step, Frame, Step};
pub use event::{Event, EventKind, Source};
pub use finding::Finding;
pub use kmsg::Record;
pub use report::{parse_reports, reports_to_json, Report};
pub use wait::Wait;
pub use watch::Watch;

use std::borrow::Cow;

use serde::Serialize;

/// Evidence that could not be had, and why. Nothing is lost silently.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Missing {
    /// The source: `kernel-log`, `tracefs`, `counters`, `report`, ...
    pub source: &'static str,
    /// Why.
    pub reason: Cow<'static, str>,
}

impl Missing {
    pub(crate) fn new(source: &'static str, reason: impl Into<Cow<'static, str>>) -> Missing {
        Missing { source, reason: reason.into() }
    }
}
