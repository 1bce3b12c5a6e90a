//! What the groups owe: kills that they have counted and that have no account, and when they counted them.

use std::time::Duration;

use super::tally::Step;
use super::unclaimed::Unclaimed;
use super::Collector;
use crate::account::scene::{GroupSeen, Scene};

/// A group that has counted kills without an account.
pub(super) struct Owing {
    pub(super) cgroup: String,
    pub(super) owed: u64,
    /// When it counted them.
    pub(super) steps: Vec<Step>,
    /// Since when it owes no more than these.
    since_ns: u64,
}

impl Owing {
    /// How long that has stayed the same while the tracepoint and the log were read. Not the time of day counts but the
    /// last reading: whoever was kept from reading meanwhile has not seen the marks that were there.
    pub(super) fn stayed(&self, read_ns: u64) -> Duration {
        Duration::from_nanos(read_ns.saturating_sub(self.since_ns))
    }

    /// What of it nobody has placed for so long: step by step, so that none waits for what the group goes on to count.
    pub(super) fn over(self, patience: Duration, read_ns: u64) -> Option<Owing> {
        if self.steps.iter().map(|step| step.count).sum::<u64>() != self.owed {
            return Some(self).filter(|all| all.stayed(read_ns) >= patience);
        }
        let steps: Vec<Step> = self.steps.into_iter().filter(|step| step.age(read_ns) >= patience).collect();
        let owed = steps.iter().map(|step| step.count).sum();
        // How long these have stayed, not what came behind them.
        let since_ns = steps.iter().map(|step| step.to_ns).max()?;
        Some(Owing { steps, owed, since_ns, ..self })
    }

    /// Whether a victim was marked when it counted one.
    pub(super) fn has(&self, one: &Unclaimed) -> bool {
        self.steps.iter().any(|step| one.fits(step))
    }

    /// Whether a victim may be one of these, by when it was killed.
    pub(super) fn may_have(&self, one: &Unclaimed) -> bool {
        self.steps.is_empty() || self.steps.iter().any(|step| one.may_be_of(step))
    }
}

impl Collector {
    /// The groups that have counted kills without an account, and how many; and since when counters could not be read:
    /// those of a group that has just been removed, of which we have not heard yet, cannot. Read are those of which
    /// something was heard; of `all` where nobody will ask again.
    pub(super) fn owing(&mut self, all: bool, scene: &dyn Scene) -> (Vec<Owing>, Option<u64>) {
        let mut unread_ns: Option<u64> = None;
        let seen = scene.groups();
        let groups: Vec<&GroupSeen> = seen.iter().filter(|seen| all || self.may_owe(&seen.cgroup)).collect();
        for seen in &groups {
            if let Some(tally) = self.tallies.get_mut(&seen.cgroup) {
                if !tally.read(&seen.cgroup, scene) && !seen.removed {
                    unread_ns = Some(unread_ns.map_or(tally.seen_ns, |known| known.min(tally.seen_ns)));
                }
            }
        }
        let mut owing = Vec::new();
        for cgroup in groups.into_iter().map(|seen| &seen.cgroup) {
            let pending = self.pending(cgroup).count() as u64;
            let marks: Vec<u64> = self.pending(cgroup).filter_map(|episode| episode.marked_ns).collect();
            let Some(tally) = self.tallies.get_mut(cgroup) else { continue };
            let owed = tally.seen.saturating_sub(tally.base + tally.accounted + pending);
            let since_ns = tally.owes(owed);
            if owed > 0 {
                let steps = tally.unpaid(marks.into_iter());
                owing.push(Owing { cgroup: cgroup.clone(), owed, steps, since_ns });
            }
        }
        (owing, unread_ns)
    }

    /// Kill events of this very group that have no account yet.
    pub(super) fn unaccounted(&self, cgroup: &str, counted: u64) -> u64 {
        let tally = self.tallies.get(cgroup);
        tally.map_or(0, |tally| counted.saturating_sub(tally.base + tally.accounted))
    }

    /// The group has gone, and its counters can no longer be read. On v1 it has rung at each OOM: while there are victims
    /// that nobody could place, what it rang for counts as kills of it, which were before its end.
    pub(super) fn count_rings(&mut self, cgroup: &str, rung: u64, now_ns: u64) {
        let pending = self.pending(cgroup).count() as u64;
        let unplaced = !self.unclaimed.is_empty();
        let Some(tally) = self.tallies.get_mut(cgroup) else { return };
        let gone_ns = *tally.gone_ns.get_or_insert(now_ns);
        let seen = tally.seen.saturating_sub(tally.base);
        let count = rung.saturating_sub(seen.max(tally.accounted + pending));
        if count > 0 && unplaced {
            tally.steps.push_back(Step { from_ns: tally.seen_ns, to_ns: gone_ns, count });
            tally.seen += count;
        }
    }

    /// All that is counted has an account, though not each in its group: the counters are taken as they are.
    pub(super) fn pay(&mut self, owing: &[Owing]) {
        for one in owing {
            if let Some(tally) = self.tallies.get_mut(&one.cgroup) {
                tally.pay(one.owed, &one.steps);
            }
        }
        self.unplaced = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::claims::GIVE_UP;
    use super::Owing;

    #[test]
    fn a_debt_grows_old_only_while_the_sources_are_read() {
        let debt = Owing { cgroup: String::new(), owed: 1, steps: Vec::new(), since_ns: 1_000_000_000 };
        // The last reading was before the counter moved, however long ago that is by now.
        assert!(debt.stayed(999_000_000).is_zero());
        assert!(debt.stayed(1_199_000_000) < GIVE_UP);
        assert!(debt.stayed(1_200_000_000) >= GIVE_UP);
        assert!(debt.stayed(u64::MAX) >= GIVE_UP);
    }
}
