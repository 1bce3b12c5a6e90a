//! What the kill counter of one group has shown, and how much of it has an account.

use std::collections::VecDeque;
use std::time::Duration;

use super::own_kills;
use crate::account::scene::Scene;
use crate::order::order;

/// How much later than the reading of a counter a kill is marked that the reading has seen: the kernel does both while it
/// holds the victim's task lock ...
pub(super) const MARKED_WITHIN_NS: u64 = 5_000_000;
/// ... and how much later it may be, where an interrupt or the host of a virtual machine comes in between.
pub(super) const MARKED_LATE_NS: u64 = 20_000_000;
/// Readings of a counter, and kills, that are remembered for each group.
const MOST_STEPS: usize = 256;

/// `oom_kill` of one group: what was counted before we looked, what we have accounted for since, and when it rose.
pub(super) struct Tally {
    pub(super) base: u64,
    pub(super) accounted: u64,
    pub(super) seen: u64,
    pub(super) seen_ns: u64,
    /// How many it owes, and since when no more than that.
    owes: Option<(u64, u64)>,
    /// Since when its group is observed.
    pub(super) born_ns: u64,
    /// When its group was told to have gone.
    pub(super) gone_ns: Option<u64>,
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

impl Step {
    /// How long ago that was when the tracepoint and the log were read. Not the time of day counts but the last reading:
    /// whoever was kept from reading meanwhile has not seen the marks that were there.
    pub(super) fn age(&self, read_ns: u64) -> Duration {
        Duration::from_nanos(read_ns.saturating_sub(self.to_ns))
    }
}

impl Tally {
    pub(super) fn new(base: u64, seen_ns: u64) -> Tally {
        Tally {
            base,
            accounted: 0,
            seen: base,
            seen_ns,
            owes: None,
            born_ns: seen_ns,
            gone_ns: None,
            steps: VecDeque::new(),
            marks: VecDeque::new(),
        }
    }

    /// Of a group that was made since that moment, perhaps.
    pub(super) fn of_new(since_ns: u64, now_ns: u64) -> Tally {
        Tally { seen_ns: since_ns, ..Tally::new(0, now_ns) }
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

    /// So many have an account, and nobody knows which they were but that they were counted by then.
    pub(super) fn pay(&mut self, owed: u64, steps: &[Step]) {
        self.accounted += owed;
        if self.seen <= self.base + self.accounted {
            self.steps.clear();
            self.marks.clear();
            return;
        }
        for step in steps {
            self.marks.extend((0..step.count).map(|_| step.to_ns));
        }
    }

    /// It owes so many by the last reading; since when no more than these.
    pub(super) fn owes(&mut self, owed: u64) -> u64 {
        let since_ns = self.owes.filter(|(before, _)| owed <= *before).map_or(self.seen_ns, |(_, since_ns)| since_ns);
        self.owes = (owed > 0).then_some((owed, since_ns));
        since_ns
    }

    /// The steps of which kills are left when the `marks` of kills that are known are taken away.
    pub(super) fn unpaid(&self, pending: impl Iterator<Item = u64>) -> Vec<Step> {
        let mut marks: Vec<u64> = self.marks.iter().copied().chain(pending).collect();
        order(&mut marks, |&mark| mark);
        let mut steps: Vec<Step> = self.steps.iter().copied().collect();
        // In the step in which it was marked, for as many as that has room: one that came late is of an earlier one.
        marks.retain(|mark| !take_one(&mut steps, |step| (step.from_ns..=step.to_ns).contains(mark)));
        for late in marks {
            take_one(&mut steps, |step| late <= step.to_ns.saturating_add(MARKED_WITHIN_NS));
        }
        steps.retain(|step| step.count > 0);
        steps
    }
}

/// Takes a kill from the first step that has one left and may have counted it; whether there is such a step.
fn take_one(steps: &mut [Step], may_have: impl Fn(&Step) -> bool) -> bool {
    steps.iter_mut().find(|step| step.count > 0 && may_have(step)).map(|step| step.count -= 1).is_some()
}

#[cfg(test)]
mod tests {
    use super::{Step, Tally};

    const MS: u64 = 1_000_000;

    /// The steps of a tally that has counted these, of which kills with these marks are known.
    fn unpaid(steps: &[(u64, u64, u64)], marks: &[u64]) -> Vec<(u64, u64)> {
        let mut tally = Tally::new(0, 0);
        tally.steps.extend(steps.iter().map(|&(from, to, count)| Step { from_ns: from * MS, to_ns: to * MS, count }));
        let left = tally.unpaid(marks.iter().map(|mark| mark * MS));
        left.iter().map(|step| (step.to_ns / MS, step.count)).collect()
    }

    #[test]
    fn a_kill_is_taken_from_the_step_in_which_it_was_marked() {
        // Nobody knows of the kill of the first step; the other one was marked soon after it, and within the second.
        assert_eq!(unpaid(&[(0, 10, 1), (11, 13, 1)], &[12]), [(10, 1)]);
        assert_eq!(unpaid(&[(0, 10, 1), (11, 13, 1)], &[8]), [(13, 1)]);
        // A mark that came late is of the step before, also where the next has counted another one.
        assert_eq!(unpaid(&[(0, 10, 1), (11, 13, 1)], &[11, 12]), []);
        assert_eq!(unpaid(&[(0, 10, 1)], &[12]), []);
        assert_eq!(unpaid(&[(0, 10, 1)], &[16]), [(10, 1)]);
        assert_eq!(unpaid(&[(0, 10, 2), (10, 20, 1)], &[5, 15]), [(10, 1)]);
    }
}
