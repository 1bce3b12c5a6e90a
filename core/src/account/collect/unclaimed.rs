//! A victim of which nobody can say yet in which group it stood.

use super::tally::{Step, MARKED_WITHIN_NS};
use super::{Collector, MOST_UNCLAIMED};
use crate::observe::missing::Missing;
use crate::observe::report::Report;
use crate::observe::trace::TraceVictim;

/// A victim of which nobody can say yet in which group it stood.
pub(super) struct Unclaimed {
    pub(super) pid: i32,
    pub(super) sign: Sign,
    /// It was one of ours, nobody knows in which group.
    pub(super) ours: bool,
    /// It descends from nobody of ours, so that it is a stranger's unless somebody has moved it.
    pub(super) unrelated: bool,
}

/// What says that it was killed.
pub(super) enum Sign {
    Traced(Box<TraceVictim>),
    Logged(Box<Report>),
}

impl Unclaimed {
    /// Whether it may be what a step has counted, in a group that can hold so much.
    pub(super) fn fits(&self, step: &Step, most_bytes: Option<u64>) -> bool {
        let Sign::Traced(trace) = &self.sign else { return true };
        let then = (step.from_ns..=step.to_ns + MARKED_WITHIN_NS).contains(&trace.time_ns);
        // A process that grew in a group holds no more than the group's limit.
        then && trace.anon_rss_bytes.zip(most_bytes).is_none_or(|(held, most)| held <= most)
    }

    pub(super) fn traced(trace: TraceVictim, ours: bool, unrelated: bool) -> Unclaimed {
        Unclaimed { pid: trace.pid, sign: Sign::Traced(Box::new(trace)), ours, unrelated }
    }

    pub(super) fn logged(pid: i32, report: Report) -> Unclaimed {
        Unclaimed { pid, sign: Sign::Logged(Box::new(report)), ours: false, unrelated: false }
    }
}

impl Collector {
    /// Keeps a victim until the log or the counters say whose it was.
    pub(super) fn hold(&mut self, unclaimed: Unclaimed) {
        self.unclaimed.push_back(unclaimed);
        if self.unclaimed.len() > MOST_UNCLAIMED {
            self.unclaimed.pop_front();
            self.lost
                .push(Missing::new("victim", "too many processes were killed on this machine to tell whose they were"));
        }
    }

    /// Whether there are victims that nobody could place.
    pub(crate) fn has_unclaimed(&self) -> bool {
        !self.unclaimed.is_empty()
    }
}
