//! The kernel's choice of a victim, computed beforehand.
//!
//! The score is `rss + swap entries + page-table pages + oom_score_adj × (total pages / 1000)`, all in pages, with
//! the integer division of the kernel. The highest score is chosen; of equals the one that is scanned later. This is
//! the rule of Linux 5.9 and later. Before 5.9 a score below 1 counted as 1, and before 5.3 the first of equals won:
//! where that could matter, [`Prediction::determined`] is false.

use std::ptr;

use serde::{Deserialize, Serialize};

use crate::memcg::counters::CHARGE_BATCH_PAGES;

/// The `oom_score_adj` that takes a process out of the choice.
pub(crate) const NEVER: i16 = -1000;
/// Entries of one page table page, so that many pages of memory need one more page (4 KiB pages, 64-bit).
const PTES_PER_PAGE: u64 = 512;

/// One process of the group, or of a group below it, with its score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Candidate {
    /// The process.
    pub pid: i32,
    /// Its name.
    #[serde(serialize_with = "crate::text::bytes", deserialize_with = "crate::text::from_bytes")]
    pub comm: Vec<u8>,
    /// The points the kernel compares, in pages; may be negative.
    pub score: i64,
    /// Its `oom_score_adj`.
    pub oom_score_adj: i16,
    /// Whether the kernel would take it at all.
    pub eligible: bool,
    /// Why it would not.
    pub reason: Option<String>,
    /// The memory cgroup that it is in. Null in an account whose candidates are the kernel's own table, which has no
    /// groups, where nothing else tells; `missing` names those then.
    pub group: Option<String>,
    /// Resident pages: anonymous, file and shared.
    pub rss_pages: u64,
    /// Swap entries.
    pub swap_pages: u64,
    /// Pages of page tables.
    pub pgtable_pages: u64,
}

/// What the kernel would choose among the candidates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "schema", rename = "memoom.prediction/1")]
#[non_exhaustive]
pub struct Prediction {
    /// All processes, in the order the kernel scans them.
    pub candidates: Vec<Candidate>,
    /// The pid of the predicted victim; `None` when nobody is eligible or the kernel waits for an earlier victim.
    pub predicted: Option<i32>,
    /// The pid of an earlier victim that has not gone yet: the kernel chooses nobody before it has.
    pub waits_for: Option<i32>,
    /// The distance to the runner-up in pages; `None` when there is none.
    pub margin_pages: Option<u64>,
    /// Whether the margin is larger than what may have been misread, so that the prediction must hold.
    pub determined: bool,
    /// The pages that `oom_score_adj` is a share of: the limit, plus the swap the group may use.
    pub total_pages: u64,
    /// How far the scores may be wrong against each other, in pages.
    pub uncertainty_pages: u64,
}

impl Prediction {
    /// The form of this document.
    pub const SCHEMA: &'static str = "memoom.prediction/1";

    /// The prediction as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }

    /// The predicted victim.
    pub fn victim(&self) -> Option<&Candidate> {
        self.predicted.and_then(|pid| self.candidates.iter().find(|candidate| candidate.pid == pid))
    }
}

/// What sets a process apart in the choice, beyond its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Condition {
    /// Nothing.
    #[default]
    Normal,
    /// The init of the machine.
    Init,
    /// It has given up its memory (a zombie, or late in its exit).
    NoMemory,
    /// A child between vfork and exec: it still stands on its parent's memory.
    Vfork,
    /// Killed by an earlier OOM and not gone yet.
    Dying,
}

impl Condition {
    fn reason(self) -> Option<&'static str> {
        match self {
            Condition::Normal => None,
            Condition::Init => Some("it is the init of the machine"),
            Condition::NoMemory => Some("it has no memory any more"),
            Condition::Vfork => Some("it is between vfork and exec"),
            Condition::Dying => Some("an earlier OOM has killed it and the kernel waits until it is gone"),
        }
    }
}

/// One process as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(crate) pid: i32,
    #[serde(serialize_with = "crate::text::bytes", deserialize_with = "crate::text::from_bytes")]
    pub(crate) comm: Vec<u8>,
    pub(crate) group: String,
    /// Field 24 of `/proc/PID/stat` is the counter that the kernel's score reads (up to 6.x).
    pub(crate) rss_pages: u64,
    pub(crate) swap_pages: u64,
    pub(crate) pgtable_pages: u64,
    pub(crate) oom_score_adj: i16,
    pub(crate) condition: Condition,
    /// What of the resident memory is anonymous, of files, and shared, in bytes (/proc/PID/status).
    pub(crate) anon_bytes: Option<u64>,
    pub(crate) file_bytes: Option<u64>,
    pub(crate) shmem_bytes: Option<u64>,
    /// Where the first thread has ended: the others, one of which the kernel will name.
    pub(crate) threads: Vec<i32>,
}

/// The usage of a group may read high by the pages that each CPU keeps charged ahead.
pub(crate) fn stock_uncertainty(cpus: u64) -> u64 {
    cpus.saturating_mul(CHARGE_BATCH_PAGES)
}

/// How far an extrapolated score may be wrong: the stocks, and the resident counter of the growing process, which
/// kernels from 6.2 on keep in per-CPU parts that the score does not add up (before 7.0). On 2 CPUs the worst of 193
/// kills was 138 pages, more than the stocks alone explain.
pub(crate) fn uncertainty(cpus: u64) -> u64 {
    // The percpu_counter batch: max(32, 2 × CPUs).
    let batch = cpus.saturating_mul(2).max(32);
    stock_uncertainty(cpus).saturating_add(cpus.saturating_mul(batch))
}

/// The kernel's score of a process.
pub(crate) fn score(rss_pages: u64, swap_pages: u64, pgtable_pages: u64, oom_score_adj: i16, total_pages: u64) -> i64 {
    let pages = rss_pages.saturating_add(swap_pages).saturating_add(pgtable_pages);
    let share = i64::try_from(total_pages / 1000).unwrap_or(i64::MAX);
    i64::try_from(pages).unwrap_or(i64::MAX).saturating_add(share.saturating_mul(i64::from(oom_score_adj)))
}

/// Whom the kernel would choose now. `inputs` stand in scan order; `total_pages` is the limit of the group that
/// hits it, plus the swap that it may use.
pub(crate) fn predict(inputs: Vec<Input>, total_pages: u64, uncertainty_pages: u64) -> Prediction {
    // A limit of zero counts as one page.
    let total_pages = total_pages.max(1);
    let waits_for = inputs.iter().find(|input| input.condition == Condition::Dying).map(|input| input.pid);
    let candidates: Vec<Candidate> = inputs.into_iter().map(|input| candidate(input, total_pages)).collect();
    // Of equals the last one.
    let highest = |other_than: Option<&Candidate>| {
        let others =
            candidates.iter().filter(|one| one.eligible && !other_than.is_some_and(|other| ptr::eq(*one, other)));
        others.max_by_key(|one| one.score)
    };
    let first = highest(None).filter(|_| waits_for.is_none());
    let second = first.and_then(|first| highest(Some(first)));
    let margin_pages = first.zip(second).map(|(first, second)| first.score.abs_diff(second.score));
    // Before 5.9 every score below 1 was 1, so that those were equals.
    let comparable = |score: i64| score >= 1;
    let determined = match (first, margin_pages) {
        (None, _) => waits_for.is_none(),
        (Some(_), None) => true,
        (Some(first), Some(margin)) => margin > uncertainty_pages && comparable(first.score),
    };
    let predicted = first.map(|first| first.pid);
    Prediction { candidates, predicted, waits_for, margin_pages, determined, total_pages, uncertainty_pages }
}

fn candidate(input: Input, total_pages: u64) -> Candidate {
    let Input { pid, comm, group, rss_pages, swap_pages, pgtable_pages, oom_score_adj, condition, .. } = input;
    let reason = match condition.reason() {
        None if oom_score_adj == NEVER => Some("its oom_score_adj is -1000"),
        reason => reason,
    };
    Candidate {
        pid,
        comm,
        score: score(rss_pages, swap_pages, pgtable_pages, oom_score_adj, total_pages),
        oom_score_adj,
        eligible: reason.is_none(),
        reason: reason.map(str::to_string),
        group: Some(group),
        rss_pages,
        swap_pages,
        pgtable_pages,
    }
}

/// One process of a group is about to take memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GrowthInput {
    /// The process that grows.
    pub(crate) growing_pid: i32,
    /// The pages it is going to touch.
    pub(crate) step_pages: u64,
    /// The limit of the group.
    pub(crate) limit_pages: u64,
    /// The usage of the group.
    pub(crate) usage_pages: u64,
    /// Clean file pages of the group, which the kernel drops before it declares an OOM.
    pub(crate) reclaimable_pages: u64,
    /// The limit plus the swap the group may use.
    pub(crate) total_pages: u64,
    /// How far the usage and the scores may be wrong.
    pub(crate) uncertainty_pages: u64,
}

/// What happens when the process takes its step and everybody else stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Growth {
    /// The step fits: no OOM.
    Fits {
        /// The room left after it.
        room_pages: u64,
    },
    /// The limit is hit on the way.
    Oom {
        /// What the process gets of its step before that, page tables not counted.
        grown_pages: u64,
        /// Whether the step can still fit, because the usage may have read high.
        may_fit: bool,
        /// The choice at that moment.
        prediction: Prediction,
    },
    /// The growing process is not among the candidates.
    NotThere,
}

/// Whom the kernel would choose when one process takes its step.
pub(crate) fn predict_growth(mut inputs: Vec<Input>, growth: &GrowthInput) -> Growth {
    let Some(growing) = inputs.iter_mut().find(|input| input.pid == growth.growing_pid) else {
        return Growth::NotThere;
    };
    let room = growth.limit_pages.saturating_sub(growth.usage_pages).saturating_add(growth.reclaimable_pages);
    let needed = growth.step_pages.saturating_add(growth.step_pages.div_ceil(PTES_PER_PAGE));
    if let Some(room_pages) = room.checked_sub(needed) {
        return Growth::Fits { room_pages };
    }
    // Page tables are charged to the group and count in the score like the pages they map.
    let tables = room.div_ceil(PTES_PER_PAGE + 1);
    let grown_pages = room - tables;
    growing.rss_pages = growing.rss_pages.saturating_add(grown_pages);
    growing.pgtable_pages = growing.pgtable_pages.saturating_add(tables);
    let may_fit = needed - room <= growth.uncertainty_pages;
    let prediction = predict(inputs, growth.total_pages, growth.uncertainty_pages);
    Growth::Oom { grown_pages, may_fit, prediction }
}

#[cfg(test)]
mod tests;
