//! The findings: the account of an OOM, the outcome of a worker, the timeline of a lab.

pub mod victim;
