//! From signs to accounts: what the sources say about kills is put together until an OOM is complete.
//!
//! A kill shows in the tracepoint, in the kernel log and in the counters. The kernel marks the victim and prints the
//! kill line while it holds the victim's task lock, so both are there before the victim's end can be seen: once every
//! victim has ended and the sources have been read, nothing more will come. Only `memory.oom.group` goes on killing
//! after the first one; there the group's last process is waited for.

use std::collections::VecDeque;
use std::time::Duration;

use self::claims::{Debt, Last, Unclaimed};
use self::episode::Episode;
use self::gaps::{Begun, Gap};
use self::outside::Outside;
use self::reading::Reading;
use self::records::Records;
use self::remembered::Remembered;
use self::tally::Tally;
use self::threads::Unexplained;
use super::growth::Growth;
use super::oom::{Cause, Oom, Process, Victim};
use super::scope::Scope;
use super::sign::Whose;
use super::victim::Candidate;
use crate::account::scene::Scene;
use crate::map::Map;
use crate::memcg::contents::{Below, Contents};
use crate::memcg::path::covers;
use crate::memcg::Counters;
use crate::observe::missing::Missing;
use crate::observe::trace::TraceVictim;
use crate::order::order;

mod account;
mod claims;
mod contents;
mod disagree;
mod door;
mod episode;
mod exits;
mod gaps;
mod holding;
mod logs;
mod members;
mod outside;
mod reading;
mod records;
mod remembered;
#[cfg(test)]
mod signs_tests;
mod tally;
#[cfg(test)]
mod tests;
mod threads;

/// A victim that does not end, or a group that does not empty, keeps an account open no longer than this.
const COMPLETE_WITHIN: Duration = Duration::from_secs(10);
/// A kill line that is printed, and a mark of a kill that is counted, show after so long at the latest.
const LINE_WITHIN: Duration = Duration::from_millis(200);
/// Records kept for a report that is still being printed.
const MOST_RECORDS: usize = 8192;
/// Victims of unknown groups kept until the log says whose they are.
const MOST_UNCLAIMED: usize = 1024;

/// Puts signs together; one for each hub.
#[derive(Default)]
pub(crate) struct Collector {
    has_trace: bool,
    has_log: bool,
    before: Map<String, Before>,
    /// How many kill events of each group have an account.
    tallies: Map<String, Tally>,
    unclaimed: VecDeque<Unclaimed>,
    /// Counted kills that no source has placed yet, and since when.
    debt: Option<Debt>,
    /// The counters have moved, or somebody was killed: debts are looked for.
    look_for_debts: bool,
    /// When a group of v1 last rang: before the kill that it rings for is counted.
    rung_ns: Option<u64>,
    /// The last kills with an account that no process is known for.
    unexplained: VecDeque<Unexplained>,
    /// Accounted kills of which nobody knows in which of our groups they were.
    unplaced: u64,
    /// Who stood in the last scopes, and where: a victim may be gone before /proc is asked. And whose the threads are that
    /// were told of: where the first thread has ended the kernel names another.
    remembered: Remembered,
    /// Who shares the memory of a process, by the last scope.
    sharing: Vec<(i32, Candidate)>,
    records: Records,
    /// Inside a pid namespace: reports that name processes as they are outside. They are read all the same.
    outside: Option<Outside>,
    /// The reports among the records that are dealt with, by their first record.
    told: Vec<u64>,
    /// What the groups held when the kernel last notified of them.
    notified: Map<String, (Contents, Vec<Below>)>,
    /// How many OOMs each group has had.
    occurrences: Map<String, u64>,
    /// The same when they were last looked at.
    sampled: Map<String, Contents>,
    /// How the processes have grown.
    growth: Growth,
    /// Whose limit the last OOM hit, and when the counters were read for it.
    last_struck: Option<(String, u64)>,
    /// Workers of which the counters have told, by their numbers.
    judged: Vec<u64>,
    /// The last victims that have an account, and until when whoever has the pid is the same process.
    accounted: VecDeque<(i32, u64)>,
    open: Vec<Episode>,
    /// Where accounts that are not complete may stand; `None` for "anywhere".
    waiting: Vec<Option<String>>,
    lost: Vec<Missing>,
    /// Where sources have lost something.
    gaps: VecDeque<Gap>,
    /// The reports of the whole machine.
    begun: Begun,
    next: u64,
    /// A victim was claimed after the log had been looked through for those known by then.
    look_again: bool,
    /// When the last reading of the tracepoint and of the log began.
    read_ns: u64,
    /// When the one before it did.
    read_before_ns: u64,
    /// A group whose accounts are concluded with what is known.
    hurried: Option<String>,
}

/// A group before its next OOM.
#[derive(Default)]
struct Before {
    counters: Counters,
    scope: Option<Scope>,
    step_started_ns: Option<u64>,
    /// When the counters had been read.
    read_ns: u64,
    /// When the step was over, by the word of the one who took it.
    step_ended_ns: Option<u64>,
}

impl Collector {
    pub(crate) fn new(has_trace: bool, has_log: bool) -> Collector {
        Collector { has_trace, has_log, ..Collector::default() }
    }

    /// One that stands in a pid namespace: the log that it is given tells of processes as they are outside.
    pub(crate) fn inside_namespace(has_log: bool) -> Collector {
        Collector { outside: has_log.then(Outside::default), ..Collector::default() }
    }

    /// Whether something is not complete yet.
    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty() || self.debt.is_some()
    }

    /// Whether an account that is not complete may be of a group that has gone, or of one below it.
    pub(crate) fn may_need(&self, cgroup: &str) -> bool {
        let unplaced = |episode: &Episode| episode.kills.iter().all(|kill| kill.victim.group.is_none());
        self.debt.is_some()
            || !self.unclaimed.is_empty()
            || self.open.iter().any(|episode| unplaced(episode) || episode.stands_below(cgroup))
    }

    /// Whether the sources are to be read again without their word. Nobody who asks how a worker ended has to wait for
    /// more than what is open: at its reaping the counters are right.
    pub(crate) fn looks_on(&self, now_ns: u64) -> bool {
        self.is_open() || self.has_unclaimed() || self.expecting(now_ns)
    }

    /// Whether an account that is not complete may say something of a worker. What it surely does not say anything of, the
    /// worker's outcome does not wait for.
    pub(crate) fn concerns(&self, pid: i32, cgroup: &str) -> bool {
        let related = |at: &str| covers(at, cgroup) || covers(cgroup, at);
        self.debt.is_some()
            || self.open.iter().any(|episode| {
                let mut kills = episode.kills.iter().map(|kill| &kill.victim);
                let counted = || episode.counted_in.as_deref().is_none_or(related);
                episode.has(pid)
                    || kills.any(|victim| victim.group.as_deref().is_none_or(related))
                    || episode.kills.is_empty() && counted()
            })
    }

    /// The tracepoint and the log are read from now on.
    fn reads(&mut self, now_ns: u64) {
        self.remembered.pass(now_ns);
        self.growth.read(now_ns);
        self.read_before_ns = self.read_ns;
        self.read_ns = now_ns;
    }

    /// Whether the tracepoint is read.
    pub(crate) fn has_trace(&self) -> bool {
        self.has_trace
    }

    /// Whether the kernel log is read.
    pub(crate) fn has_log(&self) -> bool {
        self.has_log
    }

    /// Remembers a group as it is before its next OOM, and whom the kernel would take.
    fn before(&mut self, cgroup: &str, scope: Option<Scope>, scene: &dyn Scene) {
        let step_started_ns = scope.is_some().then(|| scene.now_ns());
        if let Some(scope) = &scope {
            let (below, seen_ns) = (Some(scope.limit_group.as_str()), scope.contents.read_ns);
            for candidate in &scope.prediction.candidates {
                self.remembered.member(candidate.pid, candidate.group.clone(), below, seen_ns);
            }
            self.note_sharing(scope);
            self.growth.saw(&scope.read, scope.contents.read_ns);
            for input in &scope.read {
                for thread in &input.threads {
                    self.remembered.thread(*thread, input.pid, seen_ns);
                }
            }
        }
        // A kill that has no account yet belongs to what was before it: then nothing is looked at again.
        if self.is_open() {
            return;
        }
        let chain = scene.chain(cgroup).into_iter();
        let read: Vec<(String, Counters)> =
            chain.filter_map(|at| Some((at.clone(), scene.counters(&at).ok()?))).collect();
        let read_ns = scene.now_ns();
        let unaccounted = |(at, now): &(String, Counters)| self.unaccounted(at, own_kills(now)) > 0;
        if self.unplaced == 0 && read.iter().any(unaccounted) {
            return;
        }
        for (at, counters) in read {
            let base = own_kills(&counters);
            self.tallies.or_insert_with(at.clone(), || Tally::new(base, read_ns));
            let entry = self.before.or_insert_with(at, Before::default);
            *entry = Before { counters, scope: None, step_started_ns, step_ended_ns: None, read_ns };
        }
        if let Some(scope) = scope {
            if let Some(entry) = self.before.get_mut(&scope.limit_group) {
                entry.scope = Some(scope);
            }
        }
    }

    /// A group is observed from now on: what it has counted before is none of ours.
    fn meet(&mut self, cgroup: &str, counters: Option<&Counters>, now_ns: u64) {
        let base = counters.map_or(0, own_kills);
        self.tallies.or_insert_with(cgroup.to_string(), || Tally::new(base, now_ns));
    }

    /// A group was made while we watched: whatever it counts has happened since.
    fn began(&mut self, cgroup: &str, counters: Option<Counters>, now_ns: u64) {
        self.tallies.or_insert_with(cgroup.to_string(), || Tally::new(0, now_ns));
        let untouched = |now: &Counters| [own_kills(now), now.failcnt.unwrap_or(0), now.oom.unwrap_or(0)] == [0; 3];
        let counters = counters.filter(untouched).unwrap_or_default();
        let before = Before { counters, ..Before::default() };
        self.before.or_insert_with(cgroup.to_string(), || before);
    }

    /// A group has gone; another one may get its name.
    fn forget(&mut self, cgroup: &str) {
        self.tallies.remove(cgroup);
        self.before.remove(cgroup);
        self.notified.remove(cgroup);
        self.sampled.remove(cgroup);
        self.remembered.forget(cgroup);
        self.growth.forget_group(cgroup);
    }

    /// A worker of ours has that pid from now on: what was known of it was another process.
    fn started(&mut self, pid: i32, started_ns: u64) {
        self.remembered.begins(pid);
        for (_, until_ns) in self.accounted.iter_mut().filter(|(of, _)| *of == pid) {
            *until_ns = started_ns.min(*until_ns);
        }
    }

    fn note_sharing(&mut self, scope: &Scope) {
        self.sharing.clear();
        for (one, other) in &scope.sharing {
            for (of, with) in [(one, other), (other, one)] {
                if let Some(with) = scope.prediction.candidates.iter().find(|candidate| candidate.pid == *with) {
                    self.sharing.push((*of, with.clone()));
                }
            }
        }
    }

    /// The step of a process is over: what was predicted for it says nothing of later OOMs.
    fn stepped(&mut self, pid: i32, end_ns: u64) {
        for before in self.before.values_mut() {
            if before.scope.as_ref().is_some_and(|scope| scope.growing == Some(pid)) {
                before.step_ended_ns = Some(end_ns);
            }
        }
    }

    fn counters_before(&self, cgroup: &str) -> Counters {
        self.before.get(cgroup).map(|before| before.counters.clone()).unwrap_or_default()
    }

    fn scope_before(&self, cgroup: &str) -> Option<&Scope> {
        self.before.get(cgroup)?.scope.as_ref()
    }

    /// The group in which a process was seen that lived at that moment.
    pub(crate) fn seen_in(&self, pid: i32, time_ns: u64) -> Option<&str> {
        self.growth.of(pid, time_ns).map(|seen| seen.group.as_str())
    }

    /// The process of a thread, as far as that was ever known.
    pub(crate) fn process_of(&self, thread: i32) -> i32 {
        self.remembered.process_of(thread)
    }

    /// A thread of a process was told of just now.
    fn note_thread(&mut self, thread: i32, process: i32) {
        self.remembered.thread(thread, process, self.read_ns);
    }

    /// The tracepoint has marked a victim, which stands in the group of `whose`.
    fn traced(&mut self, mut trace: TraceVictim, whose: Whose, scene: &dyn Scene) {
        trace.pid = self.process_of(trace.pid);
        let of = |episode: &Episode| {
            episode.kills.iter().find(|kill| kill.victim.pid == trace.pid).map(|kill| kill.victim.group.clone())
        };
        let logged = self.open.iter().find_map(of);
        let remembered = self.remembered.place(trace.pid);
        let unrelated = whose == Whose::Unrelated;
        let (group, ours) = match (whose, logged, remembered) {
            (Whose::Strangers, None, _) => return,
            (Whose::Ours(group), ..) => (Some(group), true),
            (_, Some(group), _) => (group, true),
            (_, None, Some(group)) => (group, true),
            (Whose::OursSomewhere, None, None) => (None, true),
            (Whose::Unknown | Whose::Unrelated, None, None) => (None, false),
        };
        match group {
            Some(group) => {
                self.join_earlier(&trace, scene);
                self.add_trace(trace, Some(group), scene);
            }
            None if self.continues_a_kill(&trace) => self.add_trace(trace, None, scene),
            // Gone before /proc could be asked: the log or the counters may still say whose it was.
            None => self.hold(Unclaimed::traced(trace, ours, unrelated)),
        }
    }

    fn add_trace(&mut self, trace: TraceVictim, group: Option<String>, scene: &dyn Scene) {
        let on_the_way = |name: &str| trace.call_path.iter().any(|frame| frame.function.starts_with(name));
        let as_member = on_the_way("oom_kill_memcg_member");
        // A process that is ending anyway is marked, so that it may hurry, and neither killed nor counted.
        let was_ending = !trace.call_path.is_empty() && !on_the_way("__oom_kill_process");
        if was_ending && !on_the_way("oom_kill_process") {
            // It has marked itself on its way out; nobody was chosen.
            return;
        }
        let mut victim = Victim {
            pid: trace.pid,
            comm: trace.comm.unwrap_or_default(),
            cause: if as_member { Cause::Group } else { Cause::Selected },
            group,
            workload: None,
            anon_rss_bytes: trace.anon_rss_bytes,
            oom_score_adj: trace.oom_score_adj,
            sources: vec!["tracefs"],
        };
        if victim.comm.is_empty() {
            // Older tracepoints give the pid alone; the task is still there, waiting for its last breath.
            victim.comm = scene.comm_of(trace.pid);
        }
        let known = self.open.iter_mut().rev().find(|episode| {
            episode.has(trace.pid)
                || episode.invoker_thread == Some(trace.invoker_pid) && (as_member || episode.lacks_its_chosen())
        });
        if was_ending && known.as_deref().is_some_and(|episode| episode.has(trace.pid)) {
            // It was killed already, with the one whose memory it shares, and the kernel chose it once more meanwhile.
            return;
        }
        let number = self.next;
        self.next += 1;
        let episode = match known {
            Some(episode) => episode,
            None => {
                // Its kill line may have been read before its mark, when nobody knew whose it was.
                self.look_again = true;
                self.open.push(Episode::new(scene.now_ns()));
                let last = self.open.len() - 1;
                &mut self.open[last]
            }
        };
        if episode.invoker.is_none() {
            let process = scene.process_of(trace.invoker_pid);
            let pid = process.unwrap_or_else(|| self.remembered.process_of(trace.invoker_pid));
            episode.invoker = Some(Process { pid, comm: trace.invoker_comm });
        }
        episode.invoker_thread.get_or_insert(trace.invoker_pid);
        if episode.call_path.is_empty() || !as_member && !episode.has(trace.pid) {
            episode.call_path = trace.call_path;
        }
        episode.marked_ns.get_or_insert(trace.time_ns);
        episode.mapped.push((trace.pid, trace.file_rss_bytes, trace.shmem_rss_bytes));
        if was_ending {
            episode.ending.push(victim.pid);
        }
        let pid = victim.pid;
        episode.add(victim, number, scene);
        // The kernel kills everybody who shares the memory, and tells of none of them.
        let sharers = self.sharing.iter().filter(|(of, _)| *of == pid && !was_ending);
        for (number, (_, sharer)) in (self.next..).zip(sharers) {
            self.next = number + 1;
            episode.add(Victim::sharing(sharer), number, scene);
        }
    }

    /// Marks the OOMs whose victims have all ended. All evidence of them is in the sources by now, so one more
    /// reading of these completes them; whatever was read *before* the end was seen may have missed some.
    fn seal(&mut self, scene: &dyn Scene) {
        self.by_counters(scene);
        if self.look_for_debts || !self.unclaimed.is_empty() {
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

    /// Takes what is complete: sealed, and the sources read since.
    fn settle(&mut self, scene: &dyn Scene) -> Vec<Oom> {
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
            let reading = (told || overdue).then(|| Reading::now(scene));
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

/// Whether less than so long has passed since a moment.
fn within(longest: Duration, since_ns: u64, now_ns: u64) -> bool {
    Duration::from_nanos(now_ns.saturating_sub(since_ns)) < longest
}

/// Kill events of a group itself: v1 counts no other; v2 counts those below it too, but not in `events.local`.
fn own_kills(counters: &Counters) -> u64 {
    counters.local.get("oom_kill").or(counters.oom_kill).unwrap_or(0)
}
