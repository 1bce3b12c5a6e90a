//! What the kill counter of one group has shown, and how much of it has an account.

use std::collections::VecDeque;

use super::own_kills;
use crate::account::scene::Scene;
use crate::order::order;

/// How much later than the reading of a counter a kill may be marked that the reading has seen.
pub(super) const MARKED_WITHIN_NS: u64 = 5_000_000;
/// Readings of a counter, and kills, that are remembered for each group.
const MOST_STEPS: usize = 256;

/// `oom_kill` of one group: what was counted before we looked, what we have accounted for since, and when it rose.
pub(super) struct Tally {
    pub(super) base: u64,
    pub(super) accounted: u64,
    pub(super) seen: u64,
    pub(super) seen_ns: u64,
    /// Since when its group is observed.
    pub(super) born_ns: u64,
    pub(super) steps: VecDeque<Step>,
    /// When the kills were marked that were accounted for.
    pub(super) marks: VecDeque<u64>,
}

/// A counter rose between two readings.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
    pub(super) count: u64,
}

impl Tally {
    pub(super) fn new(base: u64, seen_ns: u64) -> Tally {
        Tally {
            base,
            accounted: 0,
            seen: base,
            seen_ns,
            born_ns: seen_ns,
            steps: VecDeque::new(),
            marks: VecDeque::new(),
        }
    }

    /// Reads the counter of its group once more; whether it could be read.
    pub(super) fn read(&mut self, cgroup: &str, scene: &dyn Scene) -> bool {
        let begun_ns = scene.now_ns();
        let Ok(now) = scene.counters(cgroup) else { return false };
        let kills = own_kills(&now);
        if kills > self.seen {
            self.steps.push_back(Step { from_ns: self.seen_ns, to_ns: scene.now_ns(), count: kills - self.seen });
            self.seen = kills;
        }
        self.seen_ns = begun_ns;
        while self.steps.len() > MOST_STEPS {
            self.steps.pop_front();
        }
        while self.marks.len() > MOST_STEPS {
            self.marks.pop_front();
        }
        true
    }

    /// The steps of which kills are left when the `marks` of kills that are known are taken away.
    pub(super) fn unpaid(&self, pending: impl Iterator<Item = u64>) -> Vec<Step> {
        let mut marks: Vec<u64> = self.marks.iter().copied().chain(pending).collect();
        order(&mut marks, |&mark| mark);
        let mut steps: Vec<Step> = self.steps.iter().copied().collect();
        for mark in marks {
            // It was counted before it was marked, so in the first step that has room for it.
            let step = steps.iter_mut().find(|step| step.count > 0 && mark <= step.to_ns + MARKED_WITHIN_NS);
            if let Some(step) = step {
                step.count -= 1;
            }
        }
        steps.retain(|step| step.count > 0);
        steps
    }
}
