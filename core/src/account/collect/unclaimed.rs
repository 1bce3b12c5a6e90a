//! A victim of which nobody can say yet in which group it stood.

use std::ops::RangeInclusive;

use super::tally::{Step, MARKED_LATE_NS, MARKED_WITHIN_NS};
use super::{Collector, MOST_UNCLAIMED};
use crate::account::scene::Scene;
use crate::observe::missing::Missing;
use crate::observe::report::Report;
use crate::observe::trace::TraceVictim;

/// A victim of which nobody can say yet in which group it stood.
pub(super) struct Unclaimed {
    pub(super) pid: i32,
    pub(super) sign: Sign,
    /// Between these moments it was killed.
    from_ns: u64,
    to_ns: u64,
    /// It was one of ours, nobody knows in which group.
    pub(super) ours: bool,
    /// It descends from nobody of ours, so that it is a stranger's unless somebody has moved it.
    pub(super) unrelated: bool,
    /// The group in which its parent stands, to which it has told its end.
    pub(super) parents: Option<String>,
}

/// What says that it was killed.
pub(super) enum Sign {
    Traced(Box<TraceVictim>),
    Logged(Box<Report>),
}

impl Unclaimed {
    /// Whether it is what a step has counted, by when it was marked.
    pub(super) fn fits(&self, step: &Step) -> bool {
        self.is_within(step, MARKED_WITHIN_NS)
    }

    /// Whether it may be that, as a mark may come late.
    pub(super) fn may_be_of(&self, step: &Step) -> bool {
        self.is_within(step, MARKED_LATE_NS)
    }

    fn is_within(&self, step: &Step, late_ns: u64) -> bool {
        self.from_ns <= step.to_ns.saturating_add(late_ns) && self.to_ns >= step.from_ns
    }

    /// Whether it may have been killed after that moment.
    pub(super) fn was_killed_after(&self, then_ns: u64) -> bool {
        self.to_ns >= then_ns
    }

    pub(super) fn traced(trace: TraceVictim, ours: bool, unrelated: bool) -> Unclaimed {
        let (pid, time_ns) = (trace.pid, trace.time_ns);
        Unclaimed {
            pid,
            sign: Sign::Traced(Box::new(trace)),
            from_ns: time_ns,
            to_ns: time_ns,
            ours,
            unrelated,
            parents: None,
        }
    }

    /// A line has its time by another clock, so all that is known is between which readings it came.
    pub(super) fn logged(pid: i32, report: Report, within: RangeInclusive<u64>) -> Unclaimed {
        let (from_ns, to_ns) = within.into_inner();
        Unclaimed {
            pid,
            sign: Sign::Logged(Box::new(report)),
            from_ns,
            to_ns,
            ours: false,
            unrelated: false,
            parents: None,
        }
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

    /// The last word of a process came after its mark, and its first look at /proc may have come after both: the word says
    /// where it stood, or where its parent does, which is a hint to whoever reads the counters.
    pub(super) fn stood(&mut self, pid: i32, cgroup: String, by_parent: bool, time_ns: u64, scene: &dyn Scene) {
        let is_it = |one: &Unclaimed| one.pid == pid && one.from_ns <= time_ns;
        let Some(at) = self.unclaimed.iter().rposition(is_it) else { return };
        if by_parent {
            self.unclaimed[at].parents = Some(cgroup);
        } else if let Some(one) = self.unclaimed.remove(at) {
            if let Sign::Traced(trace) = &one.sign {
                self.join_earlier(trace, scene);
            }
            self.admit(one, Some(cgroup), scene);
        }
    }

    /// Whether that victim could not be placed.
    pub(crate) fn is_unclaimed(&self, pid: i32) -> bool {
        self.unclaimed.iter().any(|one| one.pid == pid)
    }

    /// Whether there are victims that nobody could place.
    pub(crate) fn has_unclaimed(&self) -> bool {
        !self.unclaimed.is_empty()
    }
}
