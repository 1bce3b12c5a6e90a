//! What happened: events, the watch that brings them, the kernel's reports.

pub(crate) mod event;
pub(crate) mod report;
pub(crate) mod report_list;
pub(crate) mod report_memory;
pub(crate) mod report_reader;
pub(crate) mod report_tasks;
pub(crate) mod report_why;
pub(crate) mod watch;
