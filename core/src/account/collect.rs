//! From signs to accounts: what the sources say about kills is put together until an OOM is complete.
//!
//! A kill shows in the tracepoint, in the kernel log and in the counters. The kernel marks the victim and prints the
//! kill line while it holds the victim's task lock, so both are there before the victim's end can be seen: once every
//! victim has ended and the sources have been read, nothing more will come. Only `memory.oom.group` goes on killing
//! after the first one; there the group's last process is waited for.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use self::claims::Last;
use self::claims::{Debt, Unclaimed};
use self::episode::Episode;
use self::gaps::{Begun, Gap};
use self::outside::Outside;
use self::reading::Reading;
use self::records::Records;
use self::tally::Tally;
use super::growth::Growth;
use super::oom::{Cause, Oom, Process, Victim};
use super::scope::Scope;
use super::victim::Candidate;
use crate::lab::hub::State;
use crate::map::Map;
use crate::memcg::cgroup::Cgroup;
use crate::memcg::contents::Contents;
use crate::memcg::Counters;
use crate::observe::missing::Missing;
use crate::observe::task::Proc;
use crate::observe::trace::TraceVictim;
use crate::order::order;
use crate::sys;

mod account;
mod claims;
mod contents;
mod disagree;
mod episode;
mod gaps;
mod holding;
mod logs;
mod members;
mod outside;
mod reading;
mod records;
mod tally;
#[cfg(test)]
mod tests;

/// A victim that does not end, or a group that does not empty, keeps an account open no longer than this.
const COMPLETE_WITHIN: Duration = Duration::from_secs(10);
/// A kill line that is printed, and a mark of a kill that is counted, show after so long at the latest.
const LINE_WITHIN: Duration = Duration::from_millis(200);
/// Records kept for a report that is still being printed.
const MOST_RECORDS: usize = 8192;
/// Victims of unknown groups kept until the log says whose they are.
const MOST_UNCLAIMED: usize = 256;
/// Processes of scopes remembered.
const MOST_MEMBERS: usize = 4096;

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
    rung: Option<Instant>,
    /// Accounted kills of which nobody knows in which of our groups they were.
    unplaced: u64,
    /// Where the processes of the last scopes stood; `None` for "in one of ours". A victim may be gone before /proc is
    /// asked.
    members: Map<i32, Option<String>>,
    /// Threads that were told of, and whose processes they are: where the first thread has ended the kernel names another.
    threads: Map<i32, i32>,
    /// Who shares the memory of a process, by the last scope.
    sharing: Vec<(i32, Candidate)>,
    records: Records,
    /// Inside a pid namespace: reports that name processes as they are outside. They are read all the same.
    outside: Option<Outside>,
    /// The reports among the records that are dealt with, by their first record.
    told: Vec<u64>,
    /// What the groups held when the kernel last notified of them.
    notified: Map<String, Contents>,
    /// The same when they were last looked at.
    sampled: Map<String, Contents>,
    /// How the processes have grown.
    pub(crate) growth: Growth,
    /// Whose limit the last OOM hit, and when the counters were read for it.
    last_struck: Option<(String, u64)>,
    /// The last victims that have an account.
    accounted: VecDeque<i32>,
    open: Vec<Episode>,
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

/// In whose group a process stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// In an observed group.
    Ours(String),
    /// In one of ours, nobody knows which: an orphan of one of our workers.
    OursSomewhere,
    /// In another.
    Strangers,
    /// It has gone already.
    Unknown,
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
    pub(crate) fn looks_on(&self) -> bool {
        self.is_open() || self.expecting()
    }

    /// The counters of a group have moved, or a process has ended.
    pub(crate) fn look_for_debts(&mut self) {
        self.look_for_debts = true;
    }

    /// A group of v1 has rung.
    pub(crate) fn rang(&mut self) {
        self.rung = Some(Instant::now());
    }

    /// The tracepoint and the log are read from now on.
    pub(crate) fn reads(&mut self) {
        self.read_before_ns = self.read_ns;
        self.read_ns = sys::monotonic_ns();
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
    pub(crate) fn before(&mut self, group: &Arc<Cgroup>, scope: Option<Scope>) {
        let step_started_ns = scope.is_some().then(sys::monotonic_ns);
        if let Some(scope) = &scope {
            let members = scope.prediction.candidates.iter();
            self.remember(members.map(|candidate| (candidate.pid, candidate.group.clone())));
            self.note_sharing(scope);
            self.growth.saw(&scope.read, scope.contents.read_ns);
            for input in &scope.read {
                for thread in &input.threads {
                    self.note_thread(*thread, input.pid);
                }
            }
        }
        // A kill that has no account yet belongs to what was before it: then nothing is looked at again.
        if self.is_open() {
            return;
        }
        let read: Vec<(&Arc<Cgroup>, Counters)> =
            group.chain().filter_map(|at| Some((at, at.counters().ok()?))).collect();
        let read_ns = sys::monotonic_ns();
        let unaccounted = |(at, now): &(&Arc<Cgroup>, Counters)| self.unaccounted(at.cgroup(), own_kills(now)) > 0;
        if self.unplaced == 0 && read.iter().any(unaccounted) {
            return;
        }
        for (at, counters) in read {
            let entry = self.before.or_insert_with(at.cgroup().to_string(), Before::default);
            let base = own_kills(&counters);
            self.tallies.or_insert_with(at.cgroup().to_string(), || Tally::new(base));
            *entry = Before { counters, scope: None, step_started_ns, step_ended_ns: None, read_ns };
        }
        if let Some(scope) = scope {
            if let Some(entry) = self.before.get_mut(&scope.limit_group) {
                entry.scope = Some(scope);
            }
        }
    }

    /// A group is observed from now on: what it has counted before is none of ours.
    pub(crate) fn meet(&mut self, group: &Arc<Cgroup>) {
        let base = group.counters().as_ref().map_or(0, own_kills);
        self.tallies.or_insert_with(group.cgroup().to_string(), || Tally::new(base));
    }

    /// A group was made while we watched: whatever it counts has happened since.
    pub(crate) fn began(&mut self, group: &Arc<Cgroup>) {
        self.tallies.or_insert_with(group.cgroup().to_string(), || Tally::new(0));
        let counters = group.counters().ok().filter(|now| own_kills(now) == 0).unwrap_or_default();
        let before = Before { counters, ..Before::default() };
        self.before.or_insert_with(group.cgroup().to_string(), || before);
    }

    /// The accounts of a group that has gone wait for nothing more, as another one takes its name.
    pub(crate) fn hurry(&mut self, cgroup: &str) {
        self.hurried = Some(cgroup.to_string());
    }

    /// They are complete.
    pub(crate) fn concluded(&mut self) {
        self.hurried = None;
    }

    /// A group has gone; another one may get its name.
    pub(crate) fn forget(&mut self, cgroup: &str) {
        self.tallies.remove(cgroup);
        self.before.remove(cgroup);
        self.notified.remove(cgroup);
        self.sampled.remove(cgroup);
    }

    /// Remembers where processes stand, for the time when they are gone.
    fn remember(&mut self, members: impl Iterator<Item = (i32, Option<String>)>) {
        if self.members.len() > MOST_MEMBERS {
            self.members.clear();
        }
        for (pid, group) in members {
            let known = self.members.or_insert_with(pid, || None);
            *known = group.or(known.take());
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
    pub(crate) fn stepped(&mut self, pid: i32, end_ns: u64) {
        for before in self.before.values_mut() {
            if before.scope.as_ref().is_some_and(|scope| scope.growing == Some(pid)) {
                before.step_ended_ns = Some(end_ns);
            }
        }
    }

    pub(crate) fn counters_before(&self, group: &Arc<Cgroup>) -> Counters {
        self.before.get(group.cgroup()).map(|before| before.counters.clone()).unwrap_or_default()
    }

    pub(crate) fn scope_before(&self, cgroup: &str) -> Option<&Scope> {
        self.before.get(cgroup)?.scope.as_ref()
    }

    /// The process of a thread, as far as that was ever known.
    pub(crate) fn process_of(&self, thread: i32) -> i32 {
        self.threads.get(&thread).copied().unwrap_or(thread)
    }

    /// A thread of a process was told of.
    pub(crate) fn note_thread(&mut self, thread: i32, process: i32) {
        if self.threads.len() > MOST_MEMBERS {
            self.threads.clear();
        }
        self.threads.insert(thread, process);
    }

    /// The tracepoint has marked a victim, which stands in the group of `whose`.
    pub(crate) fn traced(&mut self, mut trace: TraceVictim, whose: Whose) {
        trace.pid = self.process_of(trace.pid);
        let of = |episode: &Episode| {
            episode.kills.iter().find(|kill| kill.victim.pid == trace.pid).map(|kill| kill.victim.group.clone())
        };
        let logged = self.open.iter().find_map(of);
        let remembered = self.members.get(&trace.pid).cloned();
        let (group, ours) = match (whose, logged, remembered) {
            (Whose::Strangers, None, _) => return,
            (Whose::Ours(group), ..) => (Some(group), true),
            (_, Some(group), _) => (group, true),
            (_, None, Some(group)) => (group, true),
            (Whose::OursSomewhere, None, None) => (None, true),
            (Whose::Unknown, None, None) => (None, false),
        };
        match group {
            Some(group) => self.add_trace(trace, Some(group)),
            // Gone before /proc could be asked: the log or the counters may still say whose it was.
            None => self.hold(Unclaimed::traced(trace, ours)),
        }
    }

    fn add_trace(&mut self, trace: TraceVictim, group: Option<String>) {
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
            anon_rss_bytes: trace.anon_rss_bytes,
            oom_score_adj: trace.oom_score_adj,
            sources: vec!["tracefs"],
        };
        if victim.comm.is_empty() {
            // Older tracepoints give the pid alone; the task is still there, waiting for its last breath.
            victim.comm = std::fs::read(format!("/proc/{}/comm", trace.pid))
                .map(|comm| comm.trim_ascii_end().to_vec())
                .unwrap_or_default();
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
                self.open.push(Episode::new());
                let last = self.open.len() - 1;
                &mut self.open[last]
            }
        };
        if episode.invoker.is_none() {
            let process = Proc::system().process_of(trace.invoker_pid);
            let pid =
                process.unwrap_or_else(|| self.threads.get(&trace.invoker_pid).copied().unwrap_or(trace.invoker_pid));
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
        episode.add(victim, number);
        // The kernel kills everybody who shares the memory, and tells of none of them.
        let sharers = self.sharing.iter().filter(|(of, _)| *of == pid && !was_ending);
        for (number, (_, sharer)) in (self.next..).zip(sharers) {
            self.next = number + 1;
            episode.add(Victim::sharing(sharer), number);
        }
    }

    /// The pidfds of victims that are nobody's workers, to be watched; each once.
    pub(crate) fn unwatched(&mut self) -> Vec<(BorrowedFd<'_>, u64)> {
        let mut fds = Vec::new();
        for kill in self.open.iter_mut().flat_map(|episode| &mut episode.kills) {
            if let (Some(pidfd), false) = (&kill.pidfd, kill.watched) {
                kill.watched = true;
                fds.push((pidfd.as_fd(), kill.number));
            }
        }
        fds
    }

    /// Marks the OOMs whose victims have all ended. All evidence of them is in the sources by now, so one more
    /// reading of these completes them; whatever was read *before* the end was seen may have missed some.
    pub(crate) fn seal(&mut self, state: &State) {
        self.by_counters(state);
        if self.look_for_debts || !self.unclaimed.is_empty() {
            self.claim(state, Last::No);
        }
        let mut open = std::mem::take(&mut self.open);
        for episode in &mut open {
            episode.note_ends(state);
            let struck = |group: &str| {
                let mut groups = state.groups.values().map(|observed| &observed.group);
                self.limit_group(episode, state)
                    .or_else(|| self.struck(groups.find(|at| at.cgroup() == group)?, episode))
            };
            episode.sealed = episode.all_ended() && episode.group_is_gone(state, struck);
        }
        self.open = open;
    }

    /// How many OOMs one more reading completes, if it is their turn.
    pub(crate) fn sealed(&self) -> usize {
        self.open.iter().filter(|episode| episode.sealed).count()
    }

    /// Whether a kill line or a mark should be there and is not: the log shows nothing behind a record that another CPU
    /// is still writing.
    fn awaits_a_source(&mut self, at: usize) -> bool {
        let episode = &mut self.open[at];
        let told = |has: bool, source: &str| !has || episode.is_told_by(source);
        if told(self.has_log, "kernel-log") && told(self.has_trace, "tracefs") {
            return false;
        }
        episode.untold_since.get_or_insert_with(Instant::now).elapsed() < LINE_WITHIN
    }

    /// Whether the groups of its victims have counted a kill that no source tells of yet: the kernel counts before it
    /// marks, and what the counters show is held against what is told.
    fn awaits_a_mark(&mut self, at: usize, reading: &Reading, state: &State) -> bool {
        if !self.has_trace && !self.has_log || !self.unclaimed.is_empty() || !self.counts_more(at, reading, state) {
            return false;
        }
        self.open[at].uncounted_since.get_or_insert_with(Instant::now).elapsed() < LINE_WITHIN
    }

    /// Takes what is complete: sealed, and the sources read since. Also gives back the pidfds that were watched for it.
    pub(crate) fn settle(&mut self, state: &State) -> (Vec<Oom>, Vec<(OwnedFd, u64)>) {
        let mut ooms = Vec::new();
        let mut watched = Vec::new();
        // In the order in which the kernel killed: what was before the second is what was after the first.
        order(&mut self.open, Episode::order);
        let mut at = 0;
        // The trees in which an earlier OOM is not complete; a victim of unknown group may be anywhere.
        let mut waiting: Vec<Option<String>> = Vec::new();
        while at < self.open.len() {
            let episode = &self.open[at];
            let root = episode.root(state);
            let hurried = self.hurried.as_deref().is_some_and(|cgroup| episode.stands_in(cgroup));
            let overdue = hurried || episode.opened.elapsed() > COMPLETE_WITHIN;
            let in_turn = !waiting.iter().any(|other| other.is_none() || root.is_none() || *other == root);
            // A victim that the last reading brought is not known to have ended.
            let complete = episode.sealed && episode.all_ended() && in_turn;
            let placed = complete && !self.awaits_a_claim(episode.marked_ns);
            let told = placed && !self.awaits_a_source(at) && !self.awaits_a_reaping(at, state);
            let reading = (told || overdue).then(|| Reading::now(state));
            let Some(reading) = reading.filter(|reading| overdue || !self.awaits_a_mark(at, reading, state)) else {
                waiting.push(root);
                at += 1;
                continue;
            };
            let mut episode = self.open.remove(at);
            for kill in &mut episode.kills {
                if let Some(pidfd) = kill.pidfd.take() {
                    watched.push((pidfd, kill.number));
                }
            }
            ooms.push(self.account(episode, state, &reading));
        }
        if self.open.is_empty() && self.unclaimed.is_empty() && !ooms.is_empty() {
            let last = ooms.iter().filter_map(|oom| oom.report.as_ref()?.last_sequence).max();
            self.records.retain(|record| last.is_some_and(|last| record.sequence > last));
        }
        (ooms, watched)
    }
}

/// Kill events of a group itself: v1 counts no other; v2 counts those below it too, but not in `events.local`.
fn own_kills(counters: &Counters) -> u64 {
    counters.local.get("oom_kill").or(counters.oom_kill).unwrap_or(0)
}
