//! The findings: the account of an OOM, the outcome of a worker, the timeline of a lab.

pub(crate) mod collect;
pub(crate) mod oom;
pub(crate) mod oom_text;
pub(crate) mod outcome;
mod outcome_text;
mod prediction_text;
pub(crate) mod sample;
pub(crate) mod scope;
pub(crate) mod timeline;
mod timeline_text;
pub(crate) mod victim;

pub use oom::{Blocked, Cause, Disagreement, Oom, Predicted, Process, Span, Victim};
pub use outcome::{Evidence, Outcome, Verdict};
pub use timeline::Timeline;
pub use victim::{Candidate, Prediction};
