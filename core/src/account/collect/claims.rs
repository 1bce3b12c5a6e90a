//! Whose kills are they: what the counters of our groups say about victims that nobody could place.
//!
//! A victim can be gone before /proc is asked where it stood, and where the kernel prints no report nothing else says
//! it. The counters do: a group that counts a kill which has no account owes one.

use std::time::Duration;

use super::owing::Owing;
use super::stirred::Stirred;
use super::tally::{Step, Tally};
use super::unclaimed::{Sign, Unclaimed};
use super::{within, Collector, Episode, Reading};
use crate::account::oom::{Cause, Oom};
use crate::account::scene::Scene;
use crate::memcg::path::covers;
use crate::observe::missing::Missing;

/// The kernel counts a kill a moment before it marks the victim, so what the counters owe is believed only when it has
/// stayed the same for so long.
const STEADY: Duration = Duration::from_millis(20);
/// After so long a kill that is counted and that nobody can place gets an account without a victim. Where neither
/// tracepoint nor log is read nothing can come late, and [`STEADY`] is enough.
pub(super) const GIVE_UP: Duration = Duration::from_millis(200);

/// After so long a group that has gone has rung for that (v1), and one that cannot be read is not waited for.
const ALL_KNOWN_WITHIN: Duration = Duration::from_millis(400);

/// So long after the ring of a v1 group its counters are read again and again, where nothing else tells of the kill that
/// it rang for. Nobody's outcome waits for this.
const RUNG_FOR: Duration = Duration::from_millis(500);

/// Whether anybody will ask again whose the kills are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Last<'a> {
    /// Somebody will.
    No,
    /// Nobody: in that group, or in any.
    Of(Option<&'a str>),
}

impl Last<'_> {
    fn is_of(self, cgroup: &str) -> bool {
        matches!(self, Last::Of(which) if which.is_none_or(|which| which == cgroup))
    }
}

/// Kills that groups have counted and that have no account, as they were last seen.
pub(super) struct Debt {
    total: u64,
    /// How often it was asked whether a worker is dying of it.
    asked: u32,
    /// When they were counted; nothing where that is not known of all.
    steps: Vec<Step>,
}

impl Debt {
    fn may_have(&self, one: &Unclaimed) -> bool {
        self.steps.is_empty() || self.steps.iter().any(|step| one.may_be_of(step))
    }
}

impl Collector {
    /// Whether a victim that nobody has placed was killed before that moment, while kills without an account are owed: it
    /// may be one of them, and its account comes first.
    pub(super) fn awaits_a_claim(&self, marked_ns: Option<u64>) -> bool {
        let Some(debt) = &self.debt else { return false };
        let earlier = |one: &Unclaimed| match (&one.sign, marked_ns) {
            (Sign::Traced(trace), Some(marked_ns)) => trace.time_ns < marked_ns && debt.may_have(one),
            _ => false,
        };
        self.unclaimed.iter().any(earlier)
    }

    /// Counts the kills of an account as accounted for. With memory.oom.group the first victim is counted twice: then
    /// the counter is taken as it is.
    pub(super) fn tally(&mut self, oom: &Oom, marked_ns: Option<u64>, reading: &Reading, scene: &dyn Scene) {
        // The flag counts also where the chosen one was alone: it is counted twice all the same.
        let mut groups = oom.victims.iter().filter_map(|victim| victim.group.as_deref());
        let as_group = oom.is_of_a_whole_group() || groups.any(|cgroup| flagged(cgroup, scene));
        for victim in oom.victims.iter().filter(|victim| victim.cause != Cause::SharedMm) {
            let Some(group) = &victim.group else {
                self.unplaced += 1;
                continue;
            };
            // A group that is not observed yet has counted this kill when it is.
            let tally = self.tallies.or_insert_with(group.clone(), || Tally::new(0, reading.ended_ns).into());
            tally.accounted += 1;
            tally.marks.extend(marked_ns);
        }
        for seen in scene.groups().iter().filter(|_| as_group) {
            let cgroup = seen.cgroup.as_str();
            let struck = oom.victims.iter().any(|victim| victim.group.as_deref() == Some(cgroup));
            if let (true, Some(tally)) = (struck, self.tallies.get_mut(cgroup)) {
                // One that has gone counts no more than was last seen of it.
                let kills = reading.kills(cgroup).unwrap_or(tally.seen);
                tally.accounted = tally.accounted.max(kills.saturating_sub(tally.base));
                tally.seen = kills;
                tally.steps.clear();
                tally.marks.clear();
            }
        }
    }

    /// Whether the groups of the victims of an open account count more kills than are known.
    pub(super) fn counts_more(&self, at: usize, reading: &Reading, scene: &dyn Scene) -> bool {
        let mut groups = self.open[at].kills.iter().filter_map(|kill| kill.victim.group.as_deref());
        self.unplaced == 0
            && !self.open[at].is_of_a_whole_group()
            && groups.any(|cgroup| {
                let counted = reading.kills(cgroup).map_or(0, |kills| self.unaccounted(cgroup, kills));
                counted > self.pending(cgroup).count() as u64 && !flagged(cgroup, scene)
            })
    }

    /// The kills of this very group whose account is not complete.
    pub(super) fn pending<'a>(&'a self, cgroup: &'a str) -> impl Iterator<Item = &'a Episode> {
        self.open.iter().flat_map(move |episode| episode.counted_by(cgroup).map(move |_| episode))
    }

    /// Gives unclaimed victims to the groups that owe them.
    pub(super) fn claim(&mut self, scene: &dyn Scene, last: Last<'_>) {
        let (owing, unread_ns) = self.owing(last != Last::No, scene);
        let total = owing.iter().map(|one| one.owed).sum::<u64>().saturating_sub(self.unplaced);
        // Those that descend from our workers are ours whatever the counters say.
        while let Some(at) = self.unclaimed.iter().position(|one| one.ours) {
            if let Some(one) = self.unclaimed.remove(at) {
                // With memory.oom.group the group of the chosen process counts one more than was killed there.
                let only = (owing.len() == 1 && !flagged(&owing[0].cgroup, scene)).then(|| owing[0].cgroup.clone());
                self.admit(one, only, scene);
                return self.claim(scene, last);
            }
        }
        // The kernel counts a kill before it marks the victim: whom no group can have counted was somebody else's.
        let unread_ns = unread_ns.filter(|_| last == Last::No);
        let may_be_counted = |one: &Unclaimed| unread_ns.is_some_and(|unread_ns| one.was_killed_after(unread_ns));
        self.unclaimed.retain(|one| may_be_counted(one) || owing.iter().any(|owing| owing.may_have(one)));
        if total == 0 {
            if unread_ns.is_none() {
                self.unclaimed.clear();
                self.debt = None;
                self.stirred = Stirred::default();
                self.stirred.all = self.expecting(scene.now_ns());
                if self.unplaced > 0 && self.open.is_empty() {
                    self.pay(&owing);
                }
            }
            return;
        }
        self.claim_owed(owing, total, unread_ns.is_none(), scene, last);
    }

    /// The same where kills are owed.
    fn claim_owed(&mut self, owing: Vec<Owing>, total: u64, all_read: bool, scene: &dyn Scene, last: Last<'_>) {
        let asked = self.debt.as_ref().filter(|debt| debt.total == total).map_or(0, |debt| debt.asked);
        let known = owing.iter().all(|one| !one.steps.is_empty());
        let steps = owing.iter().filter(|_| known).flat_map(|one| one.steps.iter().copied()).collect();
        self.debt = Some(Debt { total, asked, steps });
        // With memory.oom.group counters run ahead of the victims until all of them are known.
        let whole = |episode: &Episode| {
            episode.is_of_a_whole_group()
                || episode.kills.iter().any(|kill| kill.victim.group.as_deref().is_none_or(|at| flagged(at, scene)))
        };
        if self.open.iter().any(whole) {
            return;
        }
        let read_ns = if last == Last::No { self.read_ns } else { u64::MAX };
        if self.claim_by_time(&owing, read_ns, scene) || self.claim_all(&owing, total, all_read, read_ns, scene) {
            self.debt = None;
        } else if last != Last::No {
            let given_up: Vec<Owing> = owing.into_iter().filter(|one| last.is_of(&one.cgroup)).collect();
            let total = given_up.iter().map(|one| one.owed).sum::<u64>().min(total);
            self.without_victim(&given_up, total, scene);
        } else {
            self.give_up(owing, total, all_read, read_ns, scene);
        }
    }

    /// What nobody could place in time gets its account; all of it together where kills have an account and nobody knows in
    /// which of the groups they were counted.
    fn give_up(&mut self, owing: Vec<Owing>, total: u64, all_read: bool, read_ns: u64, scene: &dyn Scene) {
        let patience = if all_read { self.patience() } else { self.patience().max(ALL_KNOWN_WITHIN) };
        let apart = self.unplaced == 0;
        if !apart && owing.iter().any(|one| one.stayed(read_ns) < patience) {
            return;
        }
        let over = |one: Owing| {
            let stayed = one.stayed(read_ns);
            let over = one.over(patience, read_ns)?;
            // What a group that is killed as a whole goes on to count is of the same OOM.
            (stayed >= patience || !flagged(&over.cgroup, scene)).then_some(over)
        };
        let owing: Vec<Owing> = match apart {
            true => owing.into_iter().filter_map(over).collect(),
            false => owing,
        };
        let Some(stayed) = owing.iter().map(|one| one.stayed(read_ns)).min() else { return };
        if self.awaits_an_exit(&owing, stayed, scene) {
            return;
        }
        if self.by_exits(scene, Some(&owing)) {
            self.debt = None;
            return;
        }
        let owed = owing.iter().map(|one| one.owed).sum::<u64>();
        self.without_victim(&owing, if apart { owed } else { total }, scene);
    }

    /// How long a source may take to tell of a kill that is counted.
    fn patience(&self) -> Duration {
        let has_source = self.has_trace || self.has_log || self.outside.is_some();
        if has_source {
            GIVE_UP
        } else {
            STEADY
        }
    }

    /// Whether a worker is dying in a group that owes a kill: its reaping will tell whether it was that. To look at a
    /// process in its exit may keep its memory a moment longer, so it is asked more and more seldom; but it is asked.
    fn awaits_an_exit(&mut self, owing: &[Owing], stayed: Duration, scene: &dyn Scene) -> bool {
        let Some(debt) = &mut self.debt else { return false };
        if debt.asked > 0 && stayed < STEADY * 2u32.saturating_pow(debt.asked) {
            return true;
        }
        debt.asked += 1;
        let owes = |group: &str| owing.iter().any(|one| one.cgroup == group);
        let workers = scene.workers();
        let mut living = workers.iter().filter(|worker| !worker.is_over() && owes(&worker.group));
        // Where a kill takes the whole group it goes from one to the next, and may not have come to all of them yet.
        let goes_on = |one: &Owing| flagged(&one.cgroup, scene) && scene.has_left(&one.cgroup);
        living.any(|worker| scene.is_dying(worker.pid)) || stayed < GIVE_UP && owing.iter().any(goes_on)
    }

    /// Whether a counter may rise without a word: v1 notifies before it kills, and nothing else tells of the kill where
    /// neither tracepoint nor log is read.
    pub(super) fn expecting(&self, now_ns: u64) -> bool {
        !self.has_trace && !self.has_log && self.rung_ns.is_some_and(|rung_ns| within(RUNG_FOR, rung_ns, now_ns))
    }

    /// Claims the victims that only one group can have counted, by when it did. Whether there were any. A step counts
    /// once the sources were read when it was [`STEADY`]: by then its victims have been marked, so that no other is taken for
    /// one of them. How much a victim held says nothing: it may have had it before it came there, and a limit may be lowered.
    fn claim_by_time(&mut self, owing: &[Owing], read_ns: u64, scene: &dyn Scene) -> bool {
        // A mark of ours that comes late would have come by then: before, no stranger's may be taken for it.
        let may_be = |one: &Unclaimed, step: &Step| step.age(read_ns) >= GIVE_UP || !one.unrelated;
        let steady = |step: &&Step| step.age(read_ns) >= STEADY;
        let mut claimed: Vec<(usize, String)> = Vec::new();
        for (at, one) in self.unclaimed.iter().enumerate() {
            let groups: Vec<&Owing> = owing.iter().filter(|owing| owing.has(one)).collect();
            // Where its parent stands is where it stood, if a kill is owed there.
            let word = groups.iter().find(|group| one.parents.as_deref() == Some(group.cgroup.as_str()));
            let Some(group) = word.or(groups.first().filter(|_| groups.len() == 1)) else { continue };
            let word = word.is_some();
            // A mark that came late counts too, unless it is in time for another group.
            let is_rival = |other: &Unclaimed, step: &Step| {
                other.fits(step) || other.may_be_of(step) && !owing.iter().any(|owing| owing.has(other))
            };
            // As many as the step has counted, or nobody can tell which.
            let sure = group.steps.iter().filter(steady).any(|step| {
                let may_be = |one: &Unclaimed| word || may_be(one, step);
                let may_be = |other: &Unclaimed| may_be(other) && (!word || other.parents == one.parents);
                let rivals =
                    self.unclaimed.iter().filter(|other| may_be(other) && is_rival(other, step)).count() as u64;
                one.fits(step) && may_be(one) && (rivals == step.count || word && rivals < step.count)
            });
            if sure {
                claimed.push((at, group.cgroup.clone()));
            }
        }
        for (at, group) in claimed.iter().rev() {
            if let Some(one) = self.unclaimed.remove(*at) {
                self.admit(one, Some(group.clone()), scene);
            }
        }
        !claimed.is_empty()
    }

    /// As many as are owed: all are ours, though not each in a group that could be told. Whether it is so. While it is not
    /// known yet what one of the groups has counted, the others are not given what may be its own.
    fn claim_all(&mut self, owing: &[Owing], total: u64, all_read: bool, read_ns: u64, scene: &dyn Scene) -> bool {
        let stayed = owing.iter().map(|one| one.stayed(read_ns)).min().unwrap_or_default();
        let all_known = all_read || stayed >= ALL_KNOWN_WITHIN;
        let anybody = stayed >= GIVE_UP;
        let may_be = |one: &Unclaimed| (anybody || !one.unrelated) && owing.iter().any(|owing| owing.may_have(one));
        if stayed < STEADY || !all_known || self.unclaimed.iter().filter(|one| may_be(one)).count() as u64 != total {
            return false;
        }
        let only = (owing.len() == 1).then(|| owing[0].cgroup.clone());
        while let Some(at) = self.unclaimed.iter().position(may_be) {
            if let Some(one) = self.unclaimed.remove(at) {
                self.admit(one, only.clone(), scene);
            }
        }
        true
    }

    /// Opens an account for a victim that is ours.
    pub(super) fn admit(&mut self, one: Unclaimed, group: Option<String>, scene: &dyn Scene) {
        self.look_again = true;
        match one.sign {
            Sign::Traced(trace) => self.add_trace(*trace, group, scene),
            Sign::Logged(report) => {
                let pids: Vec<i32> = report.kills.iter().map(|kill| kill.pid).collect();
                self.add_report(*report, &pids, group, &|_| None, scene);
            }
        }
    }

    /// Kills that are counted and that nobody can place: an account of each OOM, which says what is known.
    fn without_victim(&mut self, owing: &[Owing], total: u64, scene: &dyn Scene) {
        let may_be = |one: &&Unclaimed| owing.iter().any(|owing| owing.may_have(one));
        let pids: Vec<String> = self.unclaimed.iter().filter(may_be).map(|one| one.pid.to_string()).collect();
        let counted: Vec<String> = owing.iter().map(|one| format!("{} in {}", one.owed, one.cgroup)).collect();
        let counted = counted.join(", ");
        let reason = if pids.is_empty() {
            let silent = match (self.has_trace, self.has_log) {
                (true, true) => "of which neither the tracepoint nor the kernel log tells",
                (true, false) => "of which the tracepoint does not tell, and the kernel log is not read",
                (false, true) => "of which the kernel log does not tell, and the tracepoint is not read",
                (false, false) => "and nothing else is read that would tell whom they hit",
            };
            format!("kills were counted ({counted}) {silent}")
        } else {
            format!(
                "kills were counted ({counted}), and of the processes that the kernel killed then (pid {}) nobody can \
                 say which of them stood there",
                pids.join(", ")
            )
        };
        // Where some of them have an account that no group could be told for, nobody knows in which the others stood.
        let sure = owing.len() == 1 || owing.iter().map(|one| one.owed).sum::<u64>() == total;
        for place in places(owing, scene).into_iter().take(usize::try_from(total).unwrap_or(usize::MAX)) {
            let mut episode = Episode::new(scene.now_ns());
            episode.missing.push(Missing::new("victim", reason.clone()));
            episode.counted_in = sure.then_some(place);
            self.open.push(episode);
        }
        self.pay(owing);
        self.debt = None;
    }
}

/// The group of each OOM that they owe: a kill is one, and all kills of a group that is killed as a whole are one.
fn places(owing: &[Owing], scene: &dyn Scene) -> Vec<String> {
    let mut places: Vec<String> = Vec::new();
    for one in owing {
        match topmost_flagged(&one.cgroup, scene) {
            None => places.extend((0..one.owed).map(|_| one.cgroup.clone())),
            Some(top) if places.contains(&top) => {}
            Some(top) => places.push(top),
        }
    }
    places
}

/// Whether `memory.oom.group` holds for a group: then the kernel counts the chosen process twice.
pub(super) fn flagged(cgroup: &str, scene: &dyn Scene) -> bool {
    scene.groups().iter().any(|at| covers(&at.cgroup, cgroup) && scene.oom_group(&at.cgroup))
}

/// The topmost group above a group, or that group, whose OOM kills the whole of it.
pub(super) fn topmost_flagged(cgroup: &str, scene: &dyn Scene) -> Option<String> {
    let groups = scene.groups();
    let above = groups.iter().map(|seen| &seen.cgroup).filter(|at| covers(at, cgroup));
    above.filter(|at| scene.oom_group(at)).min_by_key(|at| at.len()).cloned()
}
