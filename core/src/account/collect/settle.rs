//! When an OOM is complete: every victim has ended, and every source was read once more after that.

use super::claims::Last;
use super::episode::Episode;
use super::reading::Reading;
use super::{within, Collector, COMPLETE_WITHIN, LINE_WITHIN};
use crate::account::oom::Oom;
use crate::account::scene::Scene;
use crate::memcg::path::covers;
use crate::order::order;

impl Collector {
    /// Marks the OOMs whose victims have all ended. All evidence of them is in the sources by now, so one more
    /// reading of these completes them; whatever was read *before* the end was seen may have missed some.
    pub(super) fn seal(&mut self, scene: &dyn Scene) {
        self.by_counters(scene);
        if self.stirred.any() || !self.unclaimed.is_empty() {
            self.claim(scene, Last::No);
        }
        let mut open = std::mem::take(&mut self.open);
        for episode in &mut open {
            episode.note_ends(scene);
            let struck = |group: &str| self.limit_group(episode, scene).or_else(|| self.struck(group, episode, scene));
            episode.sealed = episode.all_ended() && episode.group_is_gone(scene, struck);
        }
        self.open = open;
    }

    /// How many OOMs one more reading completes, if it is their turn.
    pub(crate) fn sealed(&self) -> usize {
        self.open.iter().filter(|episode| episode.sealed).count()
    }

    /// Whether a kill line or a mark should be there and is not: the log shows nothing behind a record that another CPU
    /// is still writing.
    fn awaits_a_source(&mut self, at: usize, now_ns: u64) -> bool {
        let episode = &mut self.open[at];
        let told = |has: bool, source: &str| !has || episode.is_told_by(source);
        if told(self.has_log, "kernel-log") && told(self.has_trace, "tracefs") {
            return false;
        }
        within(LINE_WITHIN, *episode.untold_since_ns.get_or_insert(now_ns), now_ns)
    }

    /// Whether the groups of its victims have counted a kill that no source tells of yet: the kernel counts before it
    /// marks, and what the counters show is held against what is told.
    fn awaits_a_mark(&mut self, at: usize, reading: &Reading, scene: &dyn Scene) -> bool {
        if !self.has_trace && !self.has_log || !self.unclaimed.is_empty() || !self.counts_more(at, reading, scene) {
            return false;
        }
        within(LINE_WITHIN, *self.open[at].uncounted_since_ns.get_or_insert(reading.ended_ns), reading.ended_ns)
    }

    /// The group whose counters, with those below it, say what happened in an OOM: the one whose limit was hit, or, while
    /// that is not known, the outermost one that is observed. `None` for a victim of unknown group, which may be anywhere.
    fn reach(&self, episode: &Episode, scene: &dyn Scene) -> Option<String> {
        let root = episode.root(scene)?;
        Some(self.limit_group(episode, scene).unwrap_or(root))
    }

    /// The groups that an account is about: those of its victims and the one whose limit was hit; `None` for all, where it
    /// is not known of every victim in which it stood.
    fn concerned(&self, at: usize, scene: &dyn Scene) -> Option<Vec<String>> {
        let episode = &self.open[at];
        let mut groups: Vec<String> = Vec::new();
        for kill in &episode.kills {
            let group = kill.victim.group.as_ref()?;
            if !groups.contains(group) {
                groups.push(group.clone());
            }
        }
        groups.extend(episode.counted_in.clone());
        groups.extend(self.limit_group(episode, scene));
        (!groups.is_empty()).then_some(groups)
    }

    /// Takes what is complete: sealed, and the sources read since.
    pub(super) fn settle(&mut self, scene: &dyn Scene) -> Vec<Oom> {
        let mut ooms = Vec::new();
        // In the order in which the kernel killed: what was before the second is what was after the first.
        order(&mut self.open, Episode::order);
        let mut at = 0;
        self.waiting.clear();
        while at < self.open.len() {
            let episode = &self.open[at];
            let reach = self.reach(episode, scene);
            let hurried = self.hurried.as_deref().is_some_and(|cgroup| episode.stands_in(cgroup));
            let now_ns = scene.now_ns();
            let overdue = hurried || !within(COMPLETE_WITHIN, episode.opened_ns, now_ns);
            let in_turn = !self.waiting.iter().any(|other| match (other, &reach) {
                (Some(other), Some(reach)) => covers(other, reach) || covers(reach, other),
                _ => true,
            });
            // A victim that the last reading brought is not known to have ended.
            let complete = episode.sealed && episode.all_ended() && in_turn;
            let placed = complete && !self.awaits_a_claim(episode.marked_ns);
            let told = placed
                && !self.awaits_a_source(at, now_ns)
                && !self.awaits_a_reaping(at, scene)
                && !self.awaits_a_worker(at, scene);
            let reading = (told || overdue).then(|| Reading::now(scene, self.concerned(at, scene)));
            let Some(reading) = reading.filter(|reading| overdue || !self.awaits_a_mark(at, reading, scene)) else {
                self.waiting.push(reach);
                at += 1;
                continue;
            };
            let episode = self.open.remove(at);
            for kill in episode.kills.iter().filter(|kill| kill.followed) {
                scene.let_go(kill.victim.pid);
            }
            ooms.push(self.account(episode, scene, &reading));
        }
        self.waiting.clear();
        if self.open.is_empty() && self.unclaimed.is_empty() && !ooms.is_empty() {
            let last = ooms.iter().filter_map(|oom| oom.report.as_ref()?.last_sequence).max();
            self.records.retain(|record| last.is_some_and(|last| record.sequence > last));
        }
        ooms
    }
}
