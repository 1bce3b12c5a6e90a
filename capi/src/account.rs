//! The findings: the account of an OOM, the outcome of a worker, the timeline of a lab.

pub(crate) mod killed_by;
pub(crate) mod oom;
pub(crate) mod outcome;
pub(crate) mod postmortem;
pub(crate) mod replay;
pub(crate) mod timeline;
