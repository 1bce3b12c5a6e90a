//! The account of one OOM: whose limit, who asked, who was predicted, who was killed or blocked, and what is missing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::composition::Composition;
use super::grower::Grower;
use super::holders::Holder;
use super::victim::Candidate;
use crate::memcg::version::Version;
use crate::memcg::{Counters, Stat, Workload};
use crate::observe::callpath::Frame;
use crate::observe::finding::Finding;
use crate::observe::missing::Missing;
use crate::observe::report::{Kill, Report};

/// A value before and after the OOM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Span<T> {
    /// Before it.
    pub before: T,
    /// After the last victim had ended; for a blocked OOM, while it lasts.
    pub after: T,
}

/// A process by pid and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Its pid.
    pub pid: i32,
    /// Its name, the kernel's comm: at most 15 bytes, of any value.
    #[serde(serialize_with = "crate::text::bytes")]
    pub comm: Vec<u8>,
}

/// Who would be killed, computed before the kernel chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Predicted {
    /// Its pid.
    pub pid: i32,
    /// Its name.
    #[serde(serialize_with = "crate::text::bytes")]
    pub comm: Vec<u8>,
    /// Its score in pages: rss + swap + page tables + `oom_score_adj` × (limit in pages / 1000).
    pub score: i64,
    /// Whether the distance to the next candidate is larger than what the readings can be off by.
    pub determined: bool,
    /// Where the numbers come from: `procfs` (read before the step) or `report` (the kernel's own task table).
    pub source: &'static str,
    /// When it was made: `before` the kill, which makes it a prediction, or `after` it, from the kernel's own table: then
    /// it only says whether the kernel's choice agrees with that table.
    pub made: &'static str,
}

/// A group directly below the one whose limit was hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GroupUse {
    /// Its path from the top of the hierarchy.
    pub group: String,
    /// Bytes charged to it and to those below it, just before the kill where that could be read, else after it.
    pub usage_bytes: Option<u64>,
    /// Its own limit; null for none.
    pub limit_bytes: Option<u64>,
}

/// What swap there was for the group whose limit was hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct SwapUse {
    /// Swap of the machine that is on.
    pub host_total_bytes: u64,
    /// What of it was free when the account was made.
    pub host_free_bytes: u64,
    /// What the group had in swap before the kill; null where the kernel does not tell.
    pub usage_bytes: Option<u64>,
    /// What it may have there, beyond its memory; null for no limit of its own.
    pub limit_bytes: Option<u64>,
}

/// Why a process died in the OOM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Cause {
    /// The kernel chose it.
    Selected,
    /// It stood in a group with `memory.oom.group`.
    Group,
    /// It shared the memory of the chosen one.
    SharedMm,
}

impl Cause {
    /// The name as it stands in documents.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Selected => "selected",
            Cause::Group => "group",
            Cause::SharedMm => "shared-mm",
        }
    }
}

/// A process that the OOM killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Victim {
    /// Its pid.
    pub pid: i32,
    /// Its name; empty where no source said it.
    #[serde(serialize_with = "crate::text::bytes")]
    pub comm: Vec<u8>,
    /// Why it died.
    pub cause: Cause,
    /// The group in which it stood, where known.
    pub group: Option<String>,
    /// What stands behind that group: its unit, container, pod or job. Not there where the path tells nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
    /// Its anonymous memory in bytes when it was killed, from the kill line or the tracepoint.
    pub anon_rss_bytes: Option<u64>,
    /// Its `oom_score_adj`.
    pub oom_score_adj: Option<i16>,
    /// Who said so: `tracefs`, `kernel-log`, `counters`, `procfs` (it shared the memory of the chosen one).
    pub sources: Vec<&'static str>,
}

impl Victim {
    /// What a kill line says.
    pub(crate) fn logged(kill: &Kill, cause: Cause, group: Option<String>) -> Victim {
        Victim {
            pid: kill.pid,
            comm: kill.comm.clone(),
            cause,
            group,
            workload: None,
            anon_rss_bytes: kill.anon_rss_bytes,
            oom_score_adj: kill.oom_score_adj.and_then(|adj| i16::try_from(adj).ok()),
            sources: vec!["kernel-log"],
        }
    }

    /// A process that died because it had one and the same memory as the chosen one, known from /proc.
    pub(crate) fn sharing(candidate: &Candidate) -> Victim {
        Victim {
            pid: candidate.pid,
            comm: candidate.comm.clone(),
            cause: Cause::SharedMm,
            group: candidate.group.clone(),
            workload: None,
            anon_rss_bytes: None,
            oom_score_adj: Some(candidate.oom_score_adj),
            sources: vec!["procfs"],
        }
    }
}

/// A process that waits in an OOM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// Its pid.
    pub pid: i32,
    /// Its name.
    #[serde(serialize_with = "crate::text::bytes", deserialize_with = "crate::text::from_bytes")]
    pub comm: Vec<u8>,
    /// Its state: D.
    pub state: char,
    /// The kernel function in which it waits, from /proc/PID/wchan.
    pub wchan: Option<String>,
    /// Its kernel stack, innermost first, from /proc/PID/stack.
    pub stack: Vec<Frame>,
}

impl Blocked {
    /// The waiting process as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }
}

/// Two sources that do not say the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// What they say.
    pub says: String,
    /// Why, where a known cause fits.
    pub because: Option<String>,
}

impl Disagreement {
    pub(crate) fn because(says: String, because: impl Into<String>) -> Disagreement {
        Disagreement { says, because: Some(because.into()) }
    }
}

/// The account of one OOM.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Oom {
    /// The name and version of this document's form.
    pub schema: &'static str,
    /// The revision of this form: a higher one has more keys, and takes none away.
    pub schema_revision: u32,
    /// The hierarchy in which it struck.
    pub hierarchy: Version,
    /// The group whose limit was hit; an ancestor of the victim's group, or that group. Null where no source tells.
    pub limit_group: Option<String>,
    /// What stands behind that group: its unit, container, pod or job. Not there where the path tells nothing, and for
    /// groups of memoom's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_workload: Option<Workload>,
    /// Its limit in bytes; null for none. Where it could not be read it is null too, and `missing` has an entry `limit`.
    pub limit_bytes: Option<u64>,
    /// Bytes charged to it. Before: as the kernel reported it, else its peak where that rose since the counters were last
    /// read, else what was read then.
    pub usage_bytes: Span<Option<u64>>,
    /// What the charged bytes of that group were before the kill, by what holds them. Null where nothing was read in time.
    pub composition: Option<Composition>,
    /// Who held it, the largest first, and what no living process held.
    pub holders: Vec<Holder>,
    /// The process whose memory rose most. Null where nobody was seen to grow.
    pub grower: Option<Grower>,
    /// The groups directly below that one, in the order of its directory.
    pub groups: Vec<GroupUse>,
    /// What swap there was for it; null where the machine does not tell.
    pub swap: Option<SwapUse>,
    /// The how many-th OOM of that group this is, since the lab, the run or the watch began; null where the group is not
    /// known.
    pub occurrence: Option<u64>,
    /// Where the victim had not come to its own code: the smallest limit under which such a program was seen to start.
    pub least_start_bytes: Option<u64>,
    /// The group that has counted the kill, where nobody knows the victim.
    #[serde(skip)]
    pub(crate) counted_in: Option<String>,
    /// The process in whose charge the limit was hit.
    pub invoker: Option<Process>,
    /// Who would be killed, by the kernel's formula.
    pub predicted: Option<Predicted>,
    /// Every process of the scope with its score, in the order of the kernel's scan.
    pub candidates: Vec<Candidate>,
    /// Who was killed, in the order of the kills. Empty for a blocked OOM.
    pub victims: Vec<Victim>,
    /// The counters of the group whose limit was hit.
    pub counters: Span<Counters>,
    /// The counters of the victim's group, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub victim_counters: Option<Span<Counters>>,
    /// The kernel's own report, where it was printed and read. The pids are those of the reader: inside a pid namespace
    /// of processes whose names tell who they are, and 0 for the others; only the text has the kernel's own.
    pub report: Option<Arc<Report>>,
    /// The kernel functions on the way to the kill (or to the wait), innermost first.
    pub call_path: Vec<Frame>,
    /// Who waits, as the OOM killer is off.
    pub blocked: Vec<Blocked>,
    /// Moments of CLOCK_MONOTONIC by name: `step_started`, `victim_marked`, `victim_ended`, `complete`.
    pub timings_ns: Stat,
    /// Where the sources do not say the same, and why.
    pub disagreements: Vec<Disagreement>,
    /// The evidence that could not be had, and why.
    pub missing: Vec<Missing>,
    /// The answers to why, each with its evidence and what can be done; what a reader needs first at the head.
    pub findings: Vec<Finding>,
    /// The account in two or three plain sentences.
    pub summary: String,
}

impl Oom {
    /// The form of this document.
    pub const SCHEMA: &'static str = "memoom.oom/1";
    /// The revision of this form.
    pub const REVISION: u32 = 2;

    /// The process that the kernel chose, or the first that died.
    pub fn victim(&self) -> Option<&Victim> {
        self.victims.iter().find(|victim| victim.cause == Cause::Selected).or_else(|| self.victims.first())
    }

    /// Whether the prediction named the process that the kernel chose; `None` where there was none, nobody died, or a BPF
    /// policy chose. Of one that was made `after` the kill it says whether the kernel's table agrees with its choice.
    pub fn predicted_right(&self) -> Option<bool> {
        if self.call_path.iter().any(|frame| is_bpf_policy(&frame.function)) {
            return None;
        }
        Some(self.predicted.as_ref()?.pid == self.victim()?.pid)
    }

    /// Whether the limit, or that there is none, could be read.
    pub(crate) fn limit_is_known(&self) -> bool {
        self.limit_bytes.is_some() || !self.lacks("limit")
    }

    /// Whether a kill was counted of which nobody knows whom it hit: not the same as one that hit nobody.
    pub(crate) fn names_nobody(&self) -> bool {
        self.victims.is_empty() && self.lacks("victim")
    }

    fn lacks(&self, source: &str) -> bool {
        self.missing.iter().any(|missing| missing.source == source)
    }

    /// Whether the kernel has said that it killed a whole group.
    pub(crate) fn is_of_a_whole_group(&self) -> bool {
        self.victims.iter().any(|victim| victim.cause == Cause::Group)
            || self.report.as_ref().is_some_and(|report| report.group_kill.is_some())
    }

    /// Whether a process of that pid was killed.
    pub fn killed(&self, pid: i32) -> bool {
        self.victims.iter().any(|victim| victim.pid == pid)
    }

    /// The account as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }
}

/// Whether a kernel function on the way to the kill says that a BPF program chose.
pub(crate) fn is_bpf_policy(function: &str) -> bool {
    function.starts_with("bpf_") && function.contains("oom")
}
