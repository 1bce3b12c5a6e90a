//! From signs to accounts: what the sources say about kills is put together until an OOM is complete.
//!
//! A kill shows in the tracepoint, in the kernel log and in the counters. The kernel marks the victim and prints the
//! kill line while it holds the victim's task lock, so both are there before the victim's end can be seen: once every
//! victim has ended and the sources have been read, nothing more will come. Only `memory.oom.group` goes on killing
//! after the first one; there the group's last process is waited for.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use super::oom::{Blocked, Cause, Oom, Predicted, Process, Span, Victim};
use super::scope::Scope;
use super::victim::Candidate;
use crate::memcg::{Counters, Group, Version};
use crate::observe::callpath::Frame;
use crate::observe::hub::State;
use crate::observe::kmsg::Record;
use crate::observe::report::{parse_records, Report};
use crate::observe::trace::TraceVictim;
use crate::observe::Missing;
use crate::sys;

/// A victim that does not end, or a group that does not empty, keeps an account open no longer than this.
const COMPLETE_WITHIN: Duration = Duration::from_secs(10);
/// Records kept for a report that is still being printed.
const MOST_RECORDS: usize = 8192;
/// Victims of unknown groups kept until the log says whose they are.
const MOST_UNCLAIMED: usize = 256;

/// Puts signs together; one for each hub.
#[derive(Default)]
pub(crate) struct Collector {
    has_trace: bool,
    has_log: bool,
    before: BTreeMap<String, Before>,
    /// How many kill events of each group have an account.
    tallies: BTreeMap<String, Tally>,
    unclaimed: VecDeque<TraceVictim>,
    records: Vec<Record>,
    open: Vec<Episode>,
    lost: Vec<Missing>,
    next: u64,
    /// A victim was claimed after the log had been looked through for those known by then.
    look_again: bool,
}

/// A group before its next OOM.
#[derive(Default)]
struct Before {
    counters: Counters,
    scope: Option<Scope>,
    step_started_ns: Option<u64>,
}

/// `oom_kill` of one group: what was counted before we looked, and what we have accounted for since.
struct Tally {
    base: u64,
    accounted: u64,
}

/// One OOM in the making.
struct Episode {
    opened: Instant,
    invoker: Option<Process>,
    call_path: Vec<Frame>,
    kills: Vec<Kill>,
    report: Option<Report>,
    /// The first record of the report: the same report grows as more of it is read.
    first_sequence: Option<u64>,
    marked_ns: Option<u64>,
    /// Everybody had ended when the sources were last read.
    sealed: bool,
}

struct Kill {
    victim: Victim,
    number: u64,
    pidfd: Option<OwnedFd>,
    watched: bool,
    ended_ns: Option<u64>,
}

impl Collector {
    pub(crate) fn new(has_trace: bool, has_log: bool) -> Collector {
        Collector { has_trace, has_log, ..Collector::default() }
    }

    /// Whether something is not complete yet.
    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty()
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
    pub(crate) fn before(&mut self, group: &Group, scope: Option<Scope>) {
        let step_started_ns = scope.is_some().then(sys::monotonic_ns);
        // A kill that has no account yet belongs to what was before it: then nothing is looked at again.
        let unaccounted = |at: &Group| at.counters().is_ok_and(|now| self.unaccounted(at, &now) > 0);
        if self.is_open() || group.chain().any(unaccounted) {
            return;
        }
        for at in group.chain() {
            let Ok(counters) = at.counters() else { continue };
            let entry = self.before.entry(at.cgroup().to_string()).or_default();
            let base = own_kills(&counters);
            self.tallies.entry(at.cgroup().to_string()).or_insert(Tally { base, accounted: 0 });
            *entry = Before { counters, scope: None, step_started_ns };
        }
        if let Some(scope) = scope {
            if let Some(entry) = self.before.get_mut(&scope.limit_group) {
                entry.scope = Some(scope);
            }
        }
    }

    pub(crate) fn counters_before(&self, group: &Group) -> Counters {
        self.before.get(group.cgroup()).map(|before| before.counters.clone()).unwrap_or_default()
    }

    pub(crate) fn scope_before(&self, cgroup: &str) -> Option<&Scope> {
        self.before.get(cgroup)?.scope.as_ref()
    }

    pub(crate) fn lost(&mut self, source: &'static str, count: u64) {
        self.lost.push(Missing::new(source, format!("{count} records were overwritten before they could be read")));
    }

    /// The tracepoint has marked a victim; `cgroup` is its group where that is known to be ours.
    pub(crate) fn traced(&mut self, trace: TraceVictim, cgroup: Option<String>) {
        let of = |episode: &Episode| {
            episode.kills.iter().find(|kill| kill.victim.pid == trace.pid).map(|kill| kill.victim.group.clone())
        };
        let logged = self.open.iter().find_map(of);
        match cgroup.or(logged.flatten()) {
            Some(cgroup) => self.add_trace(trace, Some(cgroup)),
            None => {
                // Gone before /proc could be asked: the log may still say that it was ours.
                self.unclaimed.push_back(trace);
                if self.unclaimed.len() > MOST_UNCLAIMED {
                    self.unclaimed.pop_front();
                }
            }
        }
    }

    fn add_trace(&mut self, trace: TraceVictim, group: Option<String>) {
        let as_member = trace.call_path.iter().any(|frame| frame.function.starts_with("oom_kill_memcg_member"));
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
            episode.kills.iter().any(|kill| kill.victim.pid == trace.pid)
                || as_member && episode.invoker.as_ref().is_some_and(|invoker| invoker.pid == trace.invoker_pid)
        });
        let number = self.next;
        self.next += 1;
        let episode = match known {
            Some(episode) => episode,
            None => {
                self.open.push(Episode::new());
                let last = self.open.len() - 1;
                &mut self.open[last]
            }
        };
        if episode.invoker.is_none() {
            episode.invoker = Some(Process { pid: trace.invoker_pid, comm: trace.invoker_comm });
        }
        if episode.call_path.is_empty() || !as_member && !episode.kills.iter().any(|kill| kill.victim.pid == trace.pid)
        {
            episode.call_path = trace.call_path;
        }
        episode.marked_ns.get_or_insert(trace.time_ns);
        episode.add(victim, number);
    }

    /// Whether the records that are kept must be looked through again.
    pub(crate) fn looks_again(&mut self) -> bool {
        std::mem::take(&mut self.look_again)
    }

    /// New records of the kernel log. Reports that concern one of the `tops` (or a process that `known` knows) are
    /// taken; gives back their records, each with the group it belongs to.
    pub(crate) fn logged(
        &mut self,
        records: Vec<Record>,
        tops: &[String],
        known: impl Fn(i32) -> Option<String>,
    ) -> Vec<(Option<String>, Record)> {
        let first_new = records.first().map_or(0, |record| record.sequence);
        let kernel = records.into_iter().filter(|record| record.facility() == 0);
        self.records.extend(kernel);
        let telling = |record: &Record| {
            [b"Killed process ".as_slice(), b"invoked oom-killer", b"no killable processes", b"memory.oom.group set"]
                .iter()
                .any(|words| record.text.windows(words.len()).any(|window| window == *words))
        };
        if !self.is_open() && !self.records.iter().any(telling) {
            self.records.clear();
            return Vec::new();
        }
        if self.records.len() > MOST_RECORDS {
            let excess = self.records.len() - MOST_RECORDS;
            self.records.drain(..excess);
            self.lost("kernel-log", excess as u64);
        }
        let mut claimed = Vec::new();
        let reports = parse_records(&self.records);
        let last_whole = reports
            .iter()
            .filter(|report| !report.kills.is_empty() || report.no_killable)
            .filter_map(|report| report.last_sequence)
            .max();
        for report in reports {
            let group =
                report.task_memcg.as_deref().or(report.oom_memcg.as_deref()).and_then(|path| inside(path, tops));
            let struck = report.oom_memcg.as_deref().and_then(|path| inside(path, tops));
            let ours = group.clone().or(struck).or_else(|| report.kills.iter().find_map(|kill| known(kill.pid)));
            let traced = self.open.iter().any(|episode| episode.is_of(&report));
            if ours.is_none() && !traced {
                continue;
            }
            if let (Some(first), Some(last)) = (report.first_sequence, report.last_sequence) {
                let lines = self
                    .records
                    .iter()
                    .filter(|record| (first..=last).contains(&record.sequence) && record.sequence >= first_new);
                claimed.extend(lines.map(|record| (ours.clone(), record.clone())));
            }
            self.add_report(report, ours, &known);
        }
        if !self.is_open() && self.unclaimed.is_empty() {
            // Strangers' reports; one that is still being printed stays.
            self.records.retain(|record| last_whole.is_none_or(|last| record.sequence > last));
        }
        claimed
    }

    fn add_report(&mut self, report: Report, group: Option<String>, known: &impl Fn(i32) -> Option<String>) {
        // Victims that had gone before their group could be asked are ours after all.
        for kill in &report.kills {
            while let Some(at) = self.unclaimed.iter().position(|trace| trace.pid == kill.pid) {
                if let Some(trace) = self.unclaimed.remove(at) {
                    self.add_trace(trace, group.clone());
                }
            }
        }
        let at = match self.open.iter().position(|episode| episode.is_of(&report)) {
            Some(at) => at,
            None if report.kills.is_empty() && !report.no_killable => return, // still being printed
            None => {
                self.open.push(Episode::new());
                self.open.len() - 1
            }
        };
        let has_trace = self.has_trace;
        let episode = &mut self.open[at];
        for kill in &report.kills {
            let selected =
                report.chosen.as_ref().map_or_else(|| report.kills[0].pid == kill.pid, |chosen| chosen.pid == kill.pid);
            // Of a group's kills only the first was selected; `chosen` may name another thread of it.
            let first = report.kills[0].pid == kill.pid;
            let victim = Victim {
                pid: kill.pid,
                comm: kill.comm.clone(),
                cause: if selected || first || report.group_kill.is_none() { Cause::Selected } else { Cause::Group },
                group: known(kill.pid).or_else(|| group.clone()),
                anon_rss_bytes: kill.anon_rss_bytes,
                oom_score_adj: kill.oom_score_adj.and_then(|adj| i16::try_from(adj).ok()),
                sources: vec!["kernel-log"],
            };
            let number = self.next;
            self.next += 1;
            episode.add(victim, number);
        }
        // The trace may know the invoker by its pid alone.
        if episode.invoker.as_ref().is_none_or(|invoker| invoker.comm.is_empty()) {
            let reported = report.invoker.as_ref();
            let reported =
                reported.map(|invoker| Process { pid: invoker.pid.unwrap_or(0), comm: invoker.comm.clone() });
            episode.invoker = reported.or(episode.invoker.take());
        }
        if episode.call_path.is_empty() && !has_trace {
            episode.call_path = report
                .call_trace
                .iter()
                .filter(|frame| !frame.uncertain)
                .map(|frame| Frame {
                    function: frame.function.clone(),
                    offset: Some(frame.offset),
                    size: Some(frame.size),
                    module: frame.module.clone(),
                })
                .collect();
        }
        episode.first_sequence = report.first_sequence;
        episode.report = Some(report);
    }

    /// Counts the kills of an account as accounted for. With memory.oom.group the first victim is counted twice: then
    /// the counter is taken as it is.
    fn tally(&mut self, oom: &Oom, state: &State) {
        let as_group = oom.victims.iter().any(|victim| victim.cause == Cause::Group);
        for victim in &oom.victims {
            if let Some(tally) = victim.group.as_ref().and_then(|group| self.tallies.get_mut(group)) {
                tally.accounted += 1;
            }
        }
        for observed in state.groups.values().filter(|_| as_group) {
            let cgroup = observed.group.cgroup();
            let struck = oom.victims.iter().any(|victim| victim.group.as_deref() == Some(cgroup));
            if let (true, Some(tally), Ok(now)) = (struck, self.tallies.get_mut(cgroup), observed.group.counters()) {
                tally.accounted = own_kills(&now).saturating_sub(tally.base);
            }
        }
    }

    /// Kill events of this very group that have no account yet.
    fn unaccounted(&self, group: &Group, now: &Counters) -> u64 {
        let tally = self.tallies.get(group.cgroup());
        tally.map_or(0, |tally| own_kills(now).saturating_sub(tally.base + tally.accounted))
    }

    /// Kills of this very group whose account is not complete.
    fn pending(&self, cgroup: &str) -> u64 {
        let kills = self.open.iter().flat_map(|episode| &episode.kills);
        kills.filter(|kill| kill.victim.group.as_deref() == Some(cgroup)).count() as u64
    }

    /// Victims whose group nobody could say: the child of a command that was gone before /proc was asked, killed
    /// without a report. Where a group counts exactly as many kills more than were accounted for, they are its own.
    fn claim_by_counters(&mut self, state: &State) {
        if self.unclaimed.is_empty() {
            return;
        }
        let mut owing = Vec::new();
        for observed in state.groups.values() {
            let Ok(now) = observed.group.counters() else { continue };
            let cgroup = observed.group.cgroup();
            let owed = self.unaccounted(&observed.group, &now).saturating_sub(self.pending(cgroup));
            if owed > 0 {
                owing.push((cgroup.to_string(), owed));
            }
        }
        if owing.is_empty() {
            // The kernel counts a kill before it marks the victim: nothing owed means that these were somebody else's.
            self.unclaimed.clear();
        }
        if let [(cgroup, owed)] = owing.as_slice() {
            if *owed == self.unclaimed.len() as u64 {
                for trace in std::mem::take(&mut self.unclaimed) {
                    self.add_trace(trace, Some(cgroup.clone()));
                }
                self.look_again = true;
            }
        }
    }

    /// A worker ended by SIGKILL with neither tracepoint nor log to say why: the counters of its group must.
    fn by_counters(&mut self, state: &State) {
        if self.has_trace || self.has_log {
            return;
        }
        for process in state.workers.values() {
            let progress = process.progress();
            let Some(exit) = &progress.exit else { continue };
            if exit.returncode != -libc::SIGKILL || progress.killed_by_us || progress.judged {
                continue;
            }
            drop(progress);
            let Ok(now) = process.group.counters() else { continue };
            if self.unaccounted(&process.group, &now) > self.pending(process.group.cgroup()) {
                process.progress().judged = true;
                let victim = Victim {
                    pid: process.pid,
                    comm: process.name.clone(),
                    cause: Cause::Selected,
                    group: Some(process.group.cgroup().to_string()),
                    anon_rss_bytes: None,
                    oom_score_adj: None,
                    sources: vec!["counters"],
                };
                let number = self.next;
                self.next += 1;
                let mut episode = Episode::new();
                episode.add(victim, number);
                self.open.push(episode);
            }
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
        self.claim_by_counters(state);
        for episode in &mut self.open {
            episode.note_ends(state);
            episode.sealed = episode.all_ended() && episode.group_is_gone(state);
        }
    }

    /// Whether one more reading completes something.
    pub(crate) fn has_sealed(&self) -> bool {
        self.open.iter().any(|episode| episode.sealed)
    }

    /// Takes what is complete: sealed, and the sources read since. Also gives back the pidfds that were watched for it.
    pub(crate) fn settle(&mut self, state: &State) -> (Vec<Oom>, Vec<(OwnedFd, u64)>) {
        let mut ooms = Vec::new();
        let mut watched = Vec::new();
        let mut at = 0;
        while at < self.open.len() {
            let episode = &mut self.open[at];
            let overdue = episode.opened.elapsed() > COMPLETE_WITHIN;
            // A victim that the last reading brought is not known to have ended.
            let complete = episode.sealed && episode.all_ended();
            if !complete && !overdue {
                at += 1;
                continue;
            }
            let mut episode = self.open.remove(at);
            for kill in &mut episode.kills {
                if let Some(pidfd) = kill.pidfd.take() {
                    watched.push((pidfd, kill.number));
                }
            }
            ooms.push(self.account(episode, state, overdue));
        }
        if self.open.is_empty() && !ooms.is_empty() {
            let last = ooms.iter().filter_map(|oom| oom.report.as_ref()?.last_sequence).max();
            self.records.retain(|record| last.is_some_and(|last| record.sequence > last));
        }
        (ooms, watched)
    }

    fn account(&mut self, episode: Episode, state: &State, overdue: bool) -> Oom {
        let mut missing = state.missing.clone();
        missing.append(&mut self.lost);
        let victim_group = episode.kills.iter().find_map(|kill| kill.victim.group.clone());
        let tops: Vec<String> = state.groups.values().map(|observed| observed.group.cgroup().to_string()).collect();
        let reported = episode
            .report
            .as_ref()
            .and_then(|report| report.oom_memcg.as_deref())
            .map(|path| inside(path, &tops).unwrap_or_else(|| crate::text::escape(path)));
        let find =
            |cgroup: &str| state.groups.values().map(|observed| &observed.group).find(|group| group.cgroup() == cgroup);
        let limit_group =
            reported.or_else(|| victim_group.as_deref().and_then(&find).and_then(|group| self.struck(group)));
        let group = limit_group.as_deref().and_then(&find);
        let after = group.and_then(|group| group.counters().ok()).unwrap_or_default();
        let scope = limit_group.as_deref().and_then(|cgroup| self.scope_before(cgroup));
        let memory = episode.report.as_ref().and_then(|report| report.memory.as_ref());
        let counters_before = limit_group
            .as_deref()
            .and_then(|cgroup| self.before.get(cgroup))
            .map(|before| before.counters.clone())
            .unwrap_or_default();
        let usage_before = memory.map(|memory| memory.usage_bytes).or(counters_before.usage_bytes);
        let limit_bytes = match (memory, group) {
            (Some(memory), _) => memory.limit_bytes,
            (None, Some(group)) => group.limit().ok().and_then(|limit| limit.bytes()),
            (None, None) => None,
        };
        let (predicted, candidates) = predicted(scope, episode.report.as_ref());
        if predicted.is_none() {
            missing.push(Missing::new("prediction", "no step of a hog led here, and no task table was printed"));
        }
        if episode.report.as_ref().is_none_or(|report| report.invoker.is_none()) && self.has_log {
            missing.push(Missing::new(
                "report",
                "the kernel printed no report: it prints at most 10 in 5 seconds for the whole machine",
            ));
        }
        if overdue {
            missing.push(Missing::new("exit", "a victim, or its group, had not ended within 10 seconds"));
        }
        if episode.call_path.is_empty() {
            missing.push(Missing::new("call-path", "neither the tracepoint nor a report gave one"));
        }
        let mut timings_ns = BTreeMap::new();
        let step =
            limit_group.as_deref().and_then(|cgroup| self.before.get(cgroup)).and_then(|before| before.step_started_ns);
        let ended = episode.kills.iter().filter_map(|kill| kill.ended_ns).max();
        let moments = [
            ("step_started", step),
            ("victim_marked", episode.marked_ns),
            ("victim_ended", ended),
            ("complete", Some(sys::monotonic_ns())),
        ];
        timings_ns.extend(moments.into_iter().filter_map(|(name, moment)| Some((name, moment?))));
        let victim_counters = victim_group
            .as_deref()
            .filter(|cgroup| Some(*cgroup) != limit_group.as_deref())
            .and_then(&find)
            .map(|group| Span { before: self.counters_before(group), after: group.counters().unwrap_or_default() });
        let oom = Oom {
            schema: Oom::SCHEMA,
            hierarchy: state.groups.values().next().map_or(Version::V2, |observed| observed.group.version()),
            limit_group,
            limit_bytes,
            usage_bytes: Span { before: usage_before, after: after.usage_bytes },
            invoker: episode.invoker,
            predicted,
            candidates,
            victims: episode.kills.into_iter().map(|kill| kill.victim).collect(),
            counters: Span { before: counters_before, after },
            victim_counters,
            report: episode.report,
            call_path: episode.call_path,
            blocked: Vec::new(),
            timings_ns,
            missing,
        };
        self.tally(&oom, state);
        // What comes next starts from here.
        for observed in state.groups.values() {
            if let (Some(before), Ok(counters)) =
                (self.before.get_mut(observed.group.cgroup()), observed.group.counters())
            {
                before.counters = counters;
                before.scope = None;
            }
        }
        oom
    }

    /// The account of a worker that waits because the OOM killer is off: the group with the switch is the one whose
    /// limit was hit.
    pub(crate) fn blocked(&self, group: &Group, blocked: Blocked, missing: &[Missing]) -> Oom {
        let off = |at: &&Group| at.counters().is_ok_and(|counters| counters.oom_kill_disable == Some(true));
        let at = group.chain().find(off).unwrap_or(group);
        let before = self.before.get(at.cgroup());
        let counters = Span { before: self.counters_before(at), after: at.counters().unwrap_or_default() };
        let (predicted, candidates) = predicted(self.scope_before(at.cgroup()), None);
        let mut timings_ns = BTreeMap::from([("complete", sys::monotonic_ns())]);
        timings_ns.extend(before.and_then(|before| before.step_started_ns).map(|moment| ("step_started", moment)));
        Oom {
            schema: Oom::SCHEMA,
            hierarchy: at.version(),
            limit_group: Some(at.cgroup().to_string()),
            limit_bytes: at.limit().ok().and_then(|limit| limit.bytes()),
            usage_bytes: Span { before: counters.before.usage_bytes, after: counters.after.usage_bytes },
            invoker: Some(Process { pid: blocked.pid, comm: blocked.comm.clone() }),
            predicted,
            candidates,
            victims: Vec::new(),
            counters,
            victim_counters: None,
            report: None,
            call_path: blocked.stack.clone(),
            blocked: vec![blocked],
            timings_ns,
            missing: missing.to_vec(),
        }
    }

    /// Whose limit was hit, without a report: the failed charge counts where it failed (v1 `memory.failcnt`, v2 `oom`
    /// of `memory.events.local`).
    fn struck(&self, group: &Group) -> Option<String> {
        let rose = |at: &&Group| {
            let (Some(before), Ok(now)) = (self.before.get(at.cgroup()), at.counters()) else { return false };
            let count = |counters: &Counters| match at.version() {
                Version::V1 => counters.failcnt,
                Version::V2 => counters.local.get("oom").copied().or(counters.oom),
            };
            count(&now) > count(&before.counters)
        };
        // Where memory+swap has the same limit as memory, its charge fails first, and 6.18 counts that nowhere: then
        // the usage that once stood at the limit tells.
        let full = |at: &&Group| {
            let limit = at.limit().ok().and_then(|limit| limit.bytes());
            limit.is_some_and(|limit| at.peak_bytes().ok().flatten().is_some_and(|peak| peak >= limit))
        };
        group.chain().find(rose).or_else(|| group.chain().find(full)).map(|at| at.cgroup().to_string())
    }
}

impl Episode {
    fn new() -> Episode {
        Episode {
            opened: Instant::now(),
            invoker: None,
            call_path: Vec::new(),
            kills: Vec::new(),
            report: None,
            first_sequence: None,
            marked_ns: None,
            sealed: false,
        }
    }

    /// Whether the report tells of this OOM: the same report read further, or one of the same victims.
    fn is_of(&self, report: &Report) -> bool {
        if self.first_sequence.is_some() {
            return self.first_sequence == report.first_sequence;
        }
        report.kills.iter().any(|killed| self.kills.iter().any(|kill| kill.victim.pid == killed.pid))
    }

    fn add(&mut self, victim: Victim, number: u64) {
        if let Some(kill) = self.kills.iter_mut().find(|kill| kill.victim.pid == victim.pid) {
            let known = &mut kill.victim;
            if known.comm.is_empty() {
                known.comm = victim.comm;
            }
            known.group = known.group.take().or(victim.group);
            known.anon_rss_bytes = known.anon_rss_bytes.or(victim.anon_rss_bytes);
            known.oom_score_adj = known.oom_score_adj.or(victim.oom_score_adj);
            for source in victim.sources {
                if !known.sources.contains(&source) {
                    known.sources.push(source);
                }
            }
            return;
        }
        // A process that has gone already cannot be opened; that is its end.
        let pidfd = sys::pidfd_open(victim.pid).ok();
        let ended_ns = pidfd.is_none().then(sys::monotonic_ns);
        self.kills.push(Kill { victim, number, pidfd, watched: false, ended_ns });
    }

    fn note_ends(&mut self, state: &State) {
        for kill in &mut self.kills {
            if kill.ended_ns.is_some() {
                continue;
            }
            let worker = state.workers.values().rev().find(|process| process.pid == kill.victim.pid);
            kill.ended_ns = match worker {
                Some(process) => {
                    let progress = process.progress();
                    progress.exit.as_ref().map(|exit| exit.time_ns).or(progress.abandoned.then(sys::monotonic_ns))
                }
                None => {
                    let ended = kill.pidfd.as_ref().is_none_or(|pidfd| {
                        let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
                        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
                    });
                    ended.then(sys::monotonic_ns)
                }
            };
        }
    }

    fn all_ended(&self) -> bool {
        self.kills.iter().all(|kill| kill.ended_ns.is_some())
    }

    /// With `memory.oom.group` set the kernel goes on to kill: complete only when nobody that it takes is left.
    fn group_is_gone(&self, state: &State) -> bool {
        let Some(group) = self.kills.iter().find_map(|kill| kill.victim.group.as_deref()) else { return true };
        let whole: Vec<&Group> = state
            .groups
            .values()
            .map(|observed| &observed.group)
            .filter(|at| at.covers(group) && at.oom_group().unwrap_or(false))
            .collect();
        // From the topmost flagged group down.
        let Some(top) = whole.iter().min_by_key(|at| at.cgroup().len()) else { return true };
        let proc = crate::observe::task::Proc::system();
        let left = state.groups.values().filter(|observed| top.covers(observed.group.cgroup())).any(|observed| {
            observed.group.processes().unwrap_or_default().iter().any(|pid| {
                // -1000 is spared, and a zombie is dead.
                !matches!(proc.oom_score_adj(*pid), Ok(Some(-1000) | None))
                    && !matches!(proc.stat(*pid), Ok(None))
                    && !proc
                        .stat(*pid)
                        .is_ok_and(|stat| stat.is_some_and(|stat| matches!(stat.state.char(), 'Z' | 'X')))
            })
        });
        let reaped = state.workers.values().filter(|process| top.covers(process.group.cgroup())).all(|process| {
            let progress = process.progress();
            progress.exit.is_some() || progress.abandoned || process.oom_score_adj == -1000
        });
        !left && reaped
    }
}

/// Kill events of a group itself: v1 counts no other; v2 counts those below it too, but not in `events.local`.
fn own_kills(counters: &Counters) -> u64 {
    counters.local.get("oom_kill").copied().or(counters.oom_kill).unwrap_or(0)
}

/// The prediction of the step that led here, or else the kernel's own table scored by the kernel's formula.
fn predicted(scope: Option<&Scope>, report: Option<&Report>) -> (Option<Predicted>, Vec<Candidate>) {
    if let Some(scope) = scope.filter(|scope| scope.expected) {
        let predicted = scope.prediction.victim().map(|victim| Predicted {
            pid: victim.pid,
            comm: victim.comm.clone(),
            score: victim.score,
            determined: scope.prediction.determined,
            source: "procfs",
        });
        return (predicted, scope.prediction.candidates.clone());
    }
    let Some(prediction) = report.and_then(super::scope::from_report) else { return (None, Vec::new()) };
    let predicted = prediction.victim().map(|victim| Predicted {
        pid: victim.pid,
        comm: victim.comm.clone(),
        score: victim.score,
        determined: prediction.determined,
        source: "report",
    });
    (predicted, prediction.candidates)
}

/// The path of a report as we name groups. The kernel writes paths from the real top of the hierarchy; inside a
/// cgroup namespace ours begin further down, so one may be the end of the other.
fn inside(path: &[u8], tops: &[String]) -> Option<String> {
    let path = crate::text::escape(path);
    for top in tops {
        if crate::memcg::group::covers(top, &path) {
            return Some(path);
        }
        if top == "/" {
            continue;
        }
        if let Some(at) = path.find(top.as_str()) {
            let rest = &path[at + top.len()..];
            if rest.is_empty() || rest.starts_with('/') {
                return Some(format!("{top}{rest}"));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn a_path_is_ours_also_from_inside_a_cgroup_namespace() {
        let tops = ["/memoom-1/a".to_string()];
        for (path, ours) in [
            ("/memoom-1/a", Some("/memoom-1/a")),
            ("/memoom-1/a/b", Some("/memoom-1/a/b")),
            ("/docker/x/memoom-1/a/b", Some("/memoom-1/a/b")),
            ("/memoom-1", None),
            ("/memoom-1/ab", None),
            ("/other", None),
        ] {
            assert_eq!(inside(path.as_bytes(), &tops).as_deref(), ours, "{path}");
        }
    }
}
