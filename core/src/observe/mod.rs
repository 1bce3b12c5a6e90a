//! What happened: kernel log, call path, task state, and the watch that joins them.

pub mod callpath;
pub(crate) mod task;
pub(crate) mod trace;
mod trace_text;

#[cfg(test)]
mod live;
