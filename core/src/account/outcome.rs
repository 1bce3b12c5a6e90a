//! How a worker ended, and whether an OOM ended it: the verdict and its evidence.

use std::sync::Arc;

use serde::Serialize;

use super::oom::Oom;
use crate::observe::author::KilledBy;
use crate::observe::missing::Missing;

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// The kernel killed it in an OOM.
    OomKilled,
    /// A signal ended it, and it was not an OOM.
    Killed,
    /// It ended by itself.
    Exited,
    /// It was still running at the deadline, and memoom killed it.
    Timeout,
}

impl Verdict {
    /// The verdict as it stands in documents.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::OomKilled => "oom-killed",
            Verdict::Killed => "killed",
            Verdict::Exited => "exited",
            Verdict::Timeout => "timeout",
        }
    }
}

/// What one source says about the end of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Who says it: `exit-status`, `tracefs`, `kernel-log`, `counters`.
    pub source: &'static str,
    /// What it says.
    pub says: String,
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The name and version of this document's form.
    pub schema: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// Whether an OOM killed it: the verdict is [`Verdict::OomKilled`].
    pub oom_killed: bool,
    /// Its status as subprocess has it: the exit code, or the negative number of the signal.
    pub returncode: i32,
    /// Its pid.
    pub pid: i32,
    /// The accounts of the OOMs of its group while it lived, its own among them.
    pub ooms: Vec<Arc<Oom>>,
    /// Its name.
    #[serde(serialize_with = "crate::text::bytes")]
    pub name: Vec<u8>,
    /// The group in which it stood.
    pub group: String,
    /// What each source says.
    pub evidence: Vec<Evidence>,
    /// CPU time in user mode, in microseconds.
    pub user_usec: u64,
    /// CPU time in the kernel, in microseconds.
    pub system_usec: u64,
    /// The most memory that was ever resident, in bytes.
    pub max_rss_bytes: u64,
    /// When it was ready, in nanoseconds of CLOCK_MONOTONIC.
    pub started_ns: u64,
    /// When its end was reaped, in nanoseconds of CLOCK_MONOTONIC.
    pub ended_ns: u64,
    /// Who sent the signal that ended it; null where it ended by itself.
    pub killed_by: Option<KilledBy>,
    /// The evidence that could not be had, and why.
    pub missing: Vec<Missing>,
}

impl Outcome {
    /// The form of this document.
    pub const SCHEMA: &'static str = "memoom.outcome/1";

    /// The account of the OOM that killed it.
    pub fn oom(&self) -> Option<&Arc<Oom>> {
        self.ooms.iter().find(|oom| self.oom_killed && oom.killed(self.pid))
    }

    /// The outcome as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }
}
