//! How a worker ended, and whether an OOM ended it: the verdict and its evidence.

use std::sync::Arc;

use serde::Serialize;

use super::at_limit::AtLimit;
use super::oom::Oom;
use super::throttled::Throttled;
use crate::observe::author::KilledBy;
use crate::observe::finding::Finding;
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
    /// SIGKILL ended it while an OOM took place in its group, and whether it was that is open: `missing` says why, as
    /// `verdict`.
    Undecided,
    /// It ended by itself.
    Exited,
    /// It was still running at the deadline, and memoom killed it.
    Timeout,
    /// It was still running at the deadline, as `memory.high` held it, and memoom killed it.
    Throttled,
}

impl Verdict {
    /// The verdict as it stands in documents.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::OomKilled => "oom-killed",
            Verdict::Killed => "killed",
            Verdict::Undecided => "undecided",
            Verdict::Exited => "exited",
            Verdict::Timeout => "timeout",
            Verdict::Throttled => "throttled",
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
    /// The revision of this form: a higher one has more keys, and takes none away.
    pub schema_revision: u32,
    /// How it ended.
    pub verdict: Verdict,
    /// Whether an OOM is known to have killed it: the verdict is [`Verdict::OomKilled`].
    pub oom_killed: bool,
    /// Its status as subprocess has it: the exit code, or the negative number of the signal.
    pub returncode: i32,
    /// Its pid.
    pub pid: i32,
    /// The accounts of the OOMs of its group while it lived, its own among them.
    pub ooms: Vec<Arc<Oom>>,
    /// How many of these OOMs killed others and not this one: it went on after them.
    pub ooms_inside: u64,
    /// What shows that `memory.high` held it; null where it did not.
    pub throttled: Option<Throttled>,
    /// Each time that its limit was met and everybody was held for the hook of a run; null where none was asked for.
    pub at_limit: Option<Vec<AtLimit>>,
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
    /// The most that was charged to the group of a run (`Run`) until its command ended, in bytes:
    /// `memory.max_usage_in_bytes` (v1), `memory.peak` (v2, from about 5.19). `None` where the kernel keeps none, and for
    /// a worker of a lab, whose group may have had others in it.
    pub peak_bytes: Option<u64>,
    /// When it was ready, in nanoseconds of CLOCK_MONOTONIC.
    pub started_ns: u64,
    /// When its end was reaped, in nanoseconds of CLOCK_MONOTONIC.
    pub ended_ns: u64,
    /// Who sent the signal that ended it; null where it ended by itself.
    pub killed_by: Option<KilledBy>,
    /// The evidence that could not be had, and why.
    pub missing: Vec<Missing>,
    /// What is to be said of the end itself; what is to be said of an OOM stands in its account.
    pub findings: Vec<Finding>,
    /// The outcome in a few plain sentences.
    pub summary: String,
}

impl Outcome {
    /// The form of this document.
    pub const SCHEMA: &'static str = "memoom.outcome/1";
    /// The revision of this form.
    pub const REVISION: u32 = 3;

    /// The same with what is to be said of it, which is worked out from all the rest.
    pub(crate) fn explained(mut self) -> Outcome {
        // Whoever ended by itself was not hit by a kill either of which nobody knows whom it hit.
        let other = |oom: &Oom| self.verdict == Verdict::Exited && oom.names_nobody();
        let survived = |oom: &&Arc<Oom>| !oom.victims.is_empty() && !oom.killed(self.pid) || other(oom);
        self.ooms_inside = self.ooms.iter().filter(survived).count() as u64;
        self.findings = self.throttled.iter().map(Throttled::finding).collect();
        self.summary = self.summed_up();
        self
    }

    /// The account of the OOM that killed it.
    pub fn oom(&self) -> Option<&Arc<Oom>> {
        self.ooms.iter().find(|oom| self.oom_killed && oom.killed(self.pid))
    }

    /// The outcome as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }
}
