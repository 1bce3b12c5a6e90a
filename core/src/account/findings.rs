//! What an account means: the answers to why the limit was full, who grew, and why this one died, each with its evidence.
//!
//! All of it is worked out from the account alone, so that every number in a text is a field of the document.

mod choice;
mod contents;
mod ending;
mod growth;
mod limits;
#[cfg(test)]
pub(crate) mod tests;
mod waiting;

use super::composition::Composition;
use super::oom::{Oom, Victim};
use crate::memcg::limits::human_size;
use crate::observe::finding::Finding;
use crate::text::named;

/// The findings of an account, what a reader needs first at the head.
pub(crate) fn findings(oom: &Oom) -> Vec<Finding> {
    let facts = Facts { oom };
    let all = [
        waiting::killer_off(&facts),
        waiting::paused(&facts),
        waiting::nobody_to_kill(&facts),
        choice::bpf_policy(&facts),
        limits::limit_below_start(&facts),
        limits::limit_lowered(&facts),
        contents::shared_memory(&facts),
        growth::many_processes(&facts),
        contents::kernel_memory(&facts),
        growth::grower_survived(&facts),
        growth::one_process_grew(&facts),
        limits::ancestor_limit(&facts),
        limits::neighbour_filled_it(&facts),
        contents::page_cache_stuck(&facts),
        contents::locked_memory(&facts),
        choice::score_adjusted(&facts),
        ending::group_kill(&facts),
        ending::freed_too_little(&facts),
        ending::repeated(&facts),
        contents::huge_pages(&facts),
        limits::swap_full(&facts),
        limits::no_swap(&facts),
    ];
    all.into_iter().flatten().collect()
}

/// An account, and the questions that several findings ask of it.
pub(super) struct Facts<'a> {
    oom: &'a Oom,
}

impl Facts<'_> {
    fn composition(&self) -> Option<&Composition> {
        self.oom.composition.as_ref()
    }

    /// What was charged before the kill.
    fn usage(&self) -> Option<u64> {
        self.oom.composition.as_ref().and_then(|made| made.usage_bytes).or(self.oom.usage_bytes.before)
    }

    /// Whether so many bytes are at least the `n`th part of what was charged.
    fn is_part(&self, bytes: Option<u64>, n: u64) -> bool {
        bytes.zip(self.usage()).is_some_and(|(bytes, usage)| usage > 0 && bytes >= usage / n)
    }

    /// Whether so many bytes are at least the `n`th part of the limit.
    fn is_part_of_limit(&self, bytes: u64, n: u64) -> bool {
        self.oom.limit_bytes.or(self.usage()).is_some_and(|limit| limit > 0 && bytes >= limit / n)
    }

    fn victim(&self) -> Option<&Victim> {
        self.oom.victim()
    }

    /// What the victim held of its own, where it is among the holders.
    fn victim_held(&self) -> Option<u64> {
        let victim = self.victim()?;
        let row = self.oom.holders.iter().find(|holder| holder.pid == Some(victim.pid))?;
        Some(row.own_bytes())
    }

    /// The limit as it stands in a text.
    fn limit_text(&self) -> String {
        self.oom.limit_bytes.map_or("no limit".to_string(), human_size)
    }
}

/// A time as it stands in a text.
pub(super) fn duration(ns: u64) -> String {
    match ns {
        0..=9_999_999 => format!("{} us", ns / 1000),
        10_000_000..=9_999_999_999 => format!("{} ms", ns / 1_000_000),
        _ => format!("{} s", ns / 1_000_000_000),
    }
}
