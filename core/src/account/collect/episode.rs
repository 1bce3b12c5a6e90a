//! One OOM in the making: its kills, whose end is waited for, and its report as far as it is printed.

use std::sync::Arc;

use crate::account::oom::{Cause, Process, Victim};
use crate::account::scene::{Scene, WorkerSeen};
use crate::account::victim::NEVER;
use crate::memcg::path::covers;
use crate::observe::callpath::Frame;
use crate::observe::missing::Missing;
use crate::observe::report::Report;

/// One OOM in the making.
pub(super) struct Episode {
    pub(super) opened_ns: u64,
    pub(super) invoker: Option<Process>,
    /// The thread of the invoker, as the tracepoint names it.
    pub(super) invoker_thread: Option<i32>,
    pub(super) call_path: Vec<Frame>,
    pub(super) kills: Vec<Kill>,
    pub(super) report: Option<Arc<Report>>,
    /// The first record of the report: the same report grows as more of it is read.
    pub(super) first_sequence: Option<u64>,
    pub(super) marked_ns: Option<u64>,
    /// By pid: what a victim had mapped of files and of shared memory, by its mark.
    pub(super) mapped: Vec<(i32, Option<u64>, Option<u64>)>,
    /// The page tables of each victim, by its mark.
    pub(super) tables: Vec<u64>,
    /// Those of its victims that were ending before: marked, not killed.
    pub(super) ending: Vec<i32>,
    /// Those of its victims of which nothing is known but their signal.
    pub(super) unmarked: Vec<i32>,
    /// The prediction is not certain for the sole reason that somebody else took memory meanwhile.
    pub(super) others_grew: bool,
    /// Where its kill was counted, if no victim is known.
    pub(super) counted_in: Option<String>,
    /// What could not be had for this OOM alone.
    pub(super) missing: Vec<Missing>,
    /// Since when it is complete but for a kill line, a mark or the word of a process's end that should be there.
    pub(super) untold_since_ns: Option<u64>,
    /// Since when it is complete but for a later kill that is counted and not marked.
    pub(super) uncounted_since_ns: Option<u64>,
    /// Since when it is complete but for the word of whose thread its victim was.
    pub(super) unnamed_since_ns: Option<u64>,
    /// Everybody had ended when the sources were last read.
    pub(super) sealed: bool,
}

pub(super) struct Kill {
    pub(super) victim: Victim,
    pub(super) number: u64,
    /// It was a process when we heard of it, and its end will show.
    pub(super) followed: bool,
    pub(super) ended_ns: Option<u64>,
}

impl Episode {
    pub(super) fn new(opened_ns: u64) -> Episode {
        Episode {
            opened_ns,
            invoker: None,
            invoker_thread: None,
            call_path: Vec::new(),
            kills: Vec::new(),
            report: None,
            first_sequence: None,
            marked_ns: None,
            mapped: Vec::new(),
            tables: Vec::new(),
            ending: Vec::new(),
            unmarked: Vec::new(),
            others_grew: false,
            missing: Vec::new(),
            counted_in: None,
            untold_since_ns: None,
            uncounted_since_ns: None,
            unnamed_since_ns: None,
            sealed: false,
        }
    }

    /// Whether only members of a group are known of it: the one that was chosen was not placed yet when they were.
    pub(super) fn lacks_its_chosen(&self) -> bool {
        !self.kills.is_empty() && self.kills.iter().all(|kill| kill.victim.cause == Cause::Group)
    }

    /// Whether the kernel has said that it kills a whole group for it: in the log, or on its way to a member.
    pub(super) fn is_of_a_whole_group(&self) -> bool {
        self.kills.iter().any(|kill| kill.victim.cause == Cause::Group)
            || self.report.as_ref().is_some_and(|report| report.group_kill.is_some())
    }

    /// Whether that group is the one of a victim of it, or has counted its kill.
    pub(super) fn stands_in(&self, cgroup: &str) -> bool {
        self.counted_in.as_deref() == Some(cgroup)
            || self.kills.iter().any(|kill| kill.victim.group.as_deref() == Some(cgroup))
    }

    /// The same for a group below that group.
    pub(super) fn stands_below(&self, cgroup: &str) -> bool {
        let groups = self.kills.iter().filter_map(|kill| kill.victim.group.as_ref());
        groups.chain(&self.counted_in).any(|group| covers(cgroup, group))
    }

    /// What a victim had mapped of files and of shared memory, by its mark.
    pub(super) fn mapped(&self, pid: i32) -> (Option<u64>, Option<u64>) {
        let found = self.mapped.iter().find(|(of, ..)| *of == pid);
        found.map_or((None, None), |(_, file, shmem)| (*file, *shmem))
    }

    /// The anonymous memory of its victims, where that of each is known; not of who has the memory of another.
    pub(super) fn anon_bytes(&self) -> Option<u64> {
        let own = self.kills.iter().map(|kill| &kill.victim).filter(|victim| victim.cause != Cause::SharedMm);
        own.map(|victim| victim.anon_rss_bytes).reduce(|one, other| Some(one? + other?)).flatten()
    }

    /// Whether that process is among its kills.
    pub(super) fn has(&self, pid: i32) -> bool {
        self.kills.iter().any(|kill| kill.victim.pid == pid)
    }

    /// Its kills that this very group has counted: not who shared the memory of another, nor who was ending anyway.
    pub(super) fn counted_by<'a>(&'a self, cgroup: &'a str) -> impl Iterator<Item = &'a Kill> {
        self.kills.iter().filter(move |kill| {
            kill.victim.group.as_deref() == Some(cgroup)
                && kill.victim.cause != Cause::SharedMm
                && !self.ending.contains(&kill.victim.pid)
        })
    }

    /// Forgets a process that was taken for one with the memory of a victim, as it had a signal and no mark yet.
    pub(super) fn is_marked(&mut self, pid: i32) {
        if self.unmarked.contains(&pid) {
            self.unmarked.retain(|unmarked| *unmarked != pid);
            self.kills.retain(|kill| kill.victim.pid != pid);
        }
    }

    /// What was told of a thread was told of its process.
    pub(super) fn rename(&mut self, thread: i32, process: i32) {
        let kills = self.kills.iter_mut().map(|kill| &mut kill.victim.pid);
        let others = self.mapped.iter_mut().map(|(pid, ..)| pid).chain(&mut self.ending);
        let invoker = self.invoker.iter_mut().map(|invoker| &mut invoker.pid);
        for pid in kills.chain(others).chain(invoker).filter(|pid| **pid == thread) {
            *pid = process;
        }
    }

    /// When it happened, as far as it is known; what is not known comes last, in the order of reading.
    pub(super) fn order(&self) -> (u64, u64) {
        let first = self.kills.iter().map(|kill| kill.number).min();
        (self.marked_ns.unwrap_or(u64::MAX), self.first_sequence.or(first).unwrap_or(u64::MAX))
    }

    /// The outermost observed group above its victims.
    pub(super) fn root(&self, scene: &dyn Scene) -> Option<String> {
        let group = self.kills.iter().find_map(|kill| kill.victim.group.as_deref())?;
        let groups = scene.groups();
        let above = groups.iter().map(|seen| seen.cgroup.as_str()).filter(|at| covers(at, group));
        Some(above.min_by_key(|at| at.len()).unwrap_or(group).to_string())
    }

    /// Whether the report tells of this OOM: the same report read further, or one of the same victims.
    pub(super) fn is_of(&self, report: &Report) -> bool {
        let same_victims = || report.kills.iter().any(|killed| self.has(killed.pid));
        match self.first_sequence {
            // A kill line can stand alone, apart from the report that it belongs to.
            Some(_) if report.invoker.is_none() && same_victims() => true,
            Some(first) => Some(first) == report.first_sequence,
            None => same_victims(),
        }
    }

    /// Whether a source tells of every victim: the kernel prints a line for each that it kills itself, always, and marks
    /// it.
    pub(super) fn is_told_by(&self, source: &str) -> bool {
        self.kills.iter().all(|kill| {
            kill.victim.cause == Cause::SharedMm
                || self.ending.contains(&kill.victim.pid)
                || kill.victim.sources.contains(&source)
        })
    }

    pub(super) fn add(&mut self, victim: Victim, number: u64, scene: &dyn Scene) {
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
        // A process that has gone already cannot be followed; that is its end.
        let followed = scene.follow(victim.pid);
        let ended_ns = (!followed).then(|| scene.now_ns());
        self.kills.push(Kill { victim, number, followed, ended_ns });
    }

    pub(super) fn note_ends(&mut self, scene: &dyn Scene) {
        if self.all_ended() {
            return;
        }
        let workers = scene.workers();
        for kill in self.kills.iter_mut().filter(|kill| kill.ended_ns.is_none()) {
            kill.ended_ns = match workers.iter().rev().find(|worker| worker.pid == kill.victim.pid) {
                Some(worker) => {
                    worker.exit.map(|(_, time_ns)| time_ns).or_else(|| worker.abandoned.then(|| scene.now_ns()))
                }
                None => scene.has_ended(kill.victim.pid).then(|| scene.now_ns()),
            };
        }
    }

    pub(super) fn all_ended(&self) -> bool {
        self.kills.iter().all(|kill| kill.ended_ns.is_some())
    }

    /// With `memory.oom.group` set the kernel goes on to kill: complete only when nobody that it takes is left.
    /// `struck` says whose limit was hit: flags above that group do not count.
    pub(super) fn group_is_gone(&self, scene: &dyn Scene, struck: impl Fn(&str) -> Option<String>) -> bool {
        let Some(group) = self.kills.iter().find_map(|kill| kill.victim.group.as_deref()) else { return true };
        let seen = scene.groups();
        let groups = || seen.iter().map(|seen| &seen.cgroup);
        let mut whole: Vec<&String> = groups().filter(|at| covers(at, group) && scene.oom_group(at)).collect();
        if whole.is_empty() {
            return true;
        }
        if let Some(struck) = struck(group) {
            whole.retain(|at| covers(&struck, at));
        }
        // From the topmost flagged group down.
        let Some(top) = whole.iter().min_by_key(|at| at.len()) else { return true };
        let left = groups().any(|at| covers(top, at) && scene.has_left(at));
        let workers = scene.workers();
        let mut taken = workers.iter().filter(|worker| covers(top, &worker.group) && worker.oom_score_adj != NEVER);
        !left && taken.all(WorkerSeen::is_over)
    }
}
