//! What happened: kernel log, call path, task state, and the watch that joins them.

pub mod kmsg;
pub mod report;
