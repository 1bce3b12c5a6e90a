//! What happened: events, the watch that brings them, the kernel's reports.

pub(crate) mod event;
pub(crate) mod report;
pub(crate) mod watch;
