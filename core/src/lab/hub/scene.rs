//! What the collector asks, answered of this machine: the groups and workers of a hub, /proc, and the clock.

use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use super::index::Groups;
use super::names::Names;
use super::waits::Waits;
use super::{Observed, MOST_GENERATIONS};
use crate::account::oom::SwapUse;
use crate::account::scene::{GroupSeen, Scene, WorkerSeen};
use crate::account::sign::Whose;
use crate::account::victim::{Input, NEVER};
use crate::error::Result;
use crate::helper::process::{Process, Progress};
use crate::helper::supervisor::Supervisor;
use crate::lab::foresee::{read_tree, swap_limit};
use crate::map::Map;
use crate::memcg::cgroup::Cgroup;
use crate::memcg::contents::{Below, Contents};
use crate::memcg::version::Version;
use crate::memcg::workload::Named;
use crate::memcg::{Counters, Limit};
use crate::observe::kmsg;
use crate::observe::missing::Missing;
use crate::observe::task::{Proc, TaskState};
use crate::sys;

/// Whom a hub knows.
#[derive(Default)]
pub(crate) struct World {
    pub(super) supervisor: Option<Arc<Supervisor>>,
    pub(crate) groups: Groups,
    pub(crate) workers: Map<u64, Arc<Process>>,
    pub(crate) orphans: Map<i32, u64>,
    pub(crate) missing: Vec<Missing>,
    /// The tracepoint of sent signals is read.
    pub(super) hears_signals: bool,
    /// The kernel may not be asked to ring for a group (v1, as an ordinary user).
    pub(super) unrung: bool,
    /// What people call the workloads.
    pub(crate) names: Names,
    pub(super) waits: Waits,
    followed: RefCell<Map<i32, Followed>>,
}

/// A victim whose end is waited for.
struct Followed {
    pidfd: OwnedFd,
    /// Its pidfd is in the hub's epoll. It leaves that by being closed.
    watched: bool,
}

impl World {
    pub(super) fn new(supervisor: Option<Arc<Supervisor>>, missing: Vec<Missing>, hears_signals: bool) -> World {
        World { supervisor, missing, hears_signals, ..World::default() }
    }

    /// The observed group of that number, as the events of v2 name it.
    pub(super) fn group_of_number(&self, number: u64) -> Option<String> {
        // Where the events count by another hierarchy, the same number is another group.
        static ELSEWHERE: OnceLock<bool> = OnceLock::new();
        let read = || std::fs::read_to_string(crate::sys::own_proc("cgroup"));
        if *ELSEWHERE.get_or_init(|| read().map_or(true, |groups| groups.contains("perf_event"))) {
            return None;
        }
        let mut groups = self.groups.values().map(|observed| &observed.group);
        let found = groups.find(|group| group.version() == Version::V2 && group.dir.inode().ok() == Some(number))?;
        Some(found.cgroup().to_string())
    }

    /// The group that is observed under that path, or one above a group that is observed.
    fn find(&self, cgroup: &str) -> Option<&Arc<Cgroup>> {
        let above = || self.groups.values().flat_map(|observed| observed.group.chain());
        let observed = self.groups.at(cgroup).map(|observed| &observed.group);
        observed.or_else(|| above().find(|group| group.cgroup() == cgroup))
    }

    /// What was asked of a group, or why there is no answer.
    fn answer<T>(
        &self,
        cgroup: &str,
        of_observed: impl Fn(&Observed) -> Result<T>,
        of_another: impl Fn(&Cgroup) -> Result<T>,
    ) -> std::result::Result<T, String> {
        let (answer, group) = match (self.groups.at(cgroup), self.find(cgroup)) {
            (Some(observed), _) => (of_observed(observed), &observed.group),
            (None, Some(group)) => (of_another(group), group),
            (None, None) => return Err("the group is not observed".to_string()),
        };
        answer.map_err(|error| match group.dir.exists() {
            true => error.to_string(),
            false => "the group had gone before they could be read".to_string(),
        })
    }

    fn kill_sent(&self, progress: &Progress) -> Option<bool> {
        match progress {
            Progress { kill_sent: true, .. } => Some(true),
            Progress { kill_may_be_sent: true, .. } => None,
            _ => self.hears_signals.then_some(false),
        }
    }

    /// The pidfds of victims that are followed since the last time.
    pub(super) fn watch(&self, mut add: impl FnMut(i32, BorrowedFd<'_>)) {
        for (pid, followed) in self.followed.borrow_mut().iter_mut() {
            if !std::mem::replace(&mut followed.watched, true) {
                add(*pid, followed.pidfd.as_fd());
            }
        }
    }
}

impl Scene for World {
    fn now_ns(&self) -> u64 {
        sys::monotonic_ns()
    }

    fn page_bytes(&self) -> u64 {
        sys::page_size()
    }

    fn cpus(&self) -> u64 {
        sys::online_cpus()
    }

    fn groups(&self) -> Arc<Vec<GroupSeen>> {
        self.groups.seen()
    }

    fn chain(&self, cgroup: &str) -> Vec<String> {
        let chain = self.find(cgroup).map(|group| group.chain().map(|at| at.cgroup().to_string()).collect());
        chain.unwrap_or_default()
    }

    fn counters(&self, cgroup: &str) -> std::result::Result<Counters, String> {
        self.answer(cgroup, Observed::counters, Cgroup::counters)
    }

    fn below(&self, cgroup: &str) -> Vec<Below> {
        let read = self.find(cgroup).map(|group| Contents::read_below(&group.dir, group.version()));
        read.and_then(std::result::Result::ok).unwrap_or_default()
    }

    fn swap(&self, cgroup: &str) -> Option<SwapUse> {
        let (host_total_bytes, host_free_bytes) = sys::swap().ok()?;
        let group = self.find(cgroup)?;
        let limit_bytes = swap_limit(group, group.limit().ok()?).ok()?;
        Some(SwapUse { host_total_bytes, host_free_bytes, usage_bytes: None, limit_bytes })
    }

    fn named(&self, cgroup: &str) -> Option<Named> {
        self.names.of(cgroup)
    }

    fn contents(&self, cgroup: &str) -> Option<Contents> {
        self.find(cgroup)?.contents().ok()
    }

    fn limit(&self, cgroup: &str) -> std::result::Result<Limit, String> {
        self.answer(cgroup, Observed::limit, Cgroup::limit)
    }

    fn oom_group(&self, cgroup: &str) -> bool {
        self.groups.at(cgroup).is_some_and(Observed::oom_group)
    }

    fn has_left(&self, cgroup: &str) -> bool {
        let proc = Proc::system();
        let pids = self.find(cgroup).and_then(|group| group.processes().ok()).unwrap_or_default();
        pids.into_iter().any(|pid| {
            // Such a score is spared, and a zombie is dead.
            let spared = matches!(proc.oom_score_adj(pid), Ok(Some(NEVER) | None));
            let dead = match proc.stat(pid) {
                Ok(Some(stat)) => matches!(stat.state, TaskState::Zombie | TaskState::Dead),
                Ok(None) => true,
                Err(_) => false,
            };
            !spared && !dead
        })
    }

    fn living(&self, cgroup: &str) -> Vec<Input> {
        let mut inputs = Vec::new();
        match self.find(cgroup).map(|group| read_tree(group, &mut inputs)) {
            Some(Ok(())) => inputs,
            _ => Vec::new(),
        }
    }

    fn pss_bytes(&self, pid: i32) -> Option<u64> {
        Proc::system().pss_bytes(pid).ok().flatten()
    }

    fn workers(&self) -> Vec<WorkerSeen> {
        let seen = |process: &Arc<Process>| {
            let progress = process.progress();
            WorkerSeen {
                id: process.id,
                pid: process.pid,
                name: process.name.clone(),
                interpreter: process.interpreter.clone(),
                group: process.group.cgroup().to_string(),
                oom_score_adj: process.oom_score_adj,
                is_ours: process.channel.is_some(),
                forked: process.forked,
                exit: progress.exit.map(|exit| (exit.returncode, exit.time_ns)),
                killed_by_us: progress.killed_by_us,
                kill_sent: self.kill_sent(&progress),
                abandoned: progress.abandoned,
            }
        };
        self.workers.values().map(seen).collect()
    }

    fn is_orphan(&self, pid: i32) -> bool {
        self.orphans.get(&pid).is_some()
    }

    fn missing(&self) -> Vec<Missing> {
        self.missing.clone()
    }

    fn follow(&self, pid: i32) -> bool {
        let Ok(pidfd) = sys::pidfd_open(pid) else { return false };
        self.followed.borrow_mut().insert(pid, Followed { pidfd, watched: false });
        true
    }

    fn has_ended(&self, pid: i32) -> bool {
        self.followed.borrow().get(&pid).is_none_or(|followed| sys::has_ended(followed.pidfd.as_fd()))
    }

    fn let_go(&self, pid: i32) {
        self.followed.borrow_mut().remove(&pid);
    }

    fn group_of(&self, pid: i32) -> Option<String> {
        let version = self.groups.values().next()?.group.version();
        let paths = Proc::system().cgroups(pid).ok()??;
        let path = match version {
            Version::V1 => paths.v1_memory,
            Version::V2 => paths.v2,
        };
        let path = crate::text::shown(&path?);
        // v1 writes of a process in its exit that it stands at the top (`proc_cgroup_show`), wherever that was. It is asked
        // afterwards: who is not in its exit now was not then.
        if version == Version::V1 && path == "/" && !matches!(Proc::system().stat(pid), Ok(Some(stat)) if !stat.exiting)
        {
            return None;
        }
        Some(match version {
            Version::V1 => path,
            Version::V2 => as_it_was(&path, |cgroup| self.groups.at(cgroup).is_some()).to_string(),
        })
    }

    fn whose(&self, pid: i32, time_ns: u64) -> Whose {
        // A pid may belong to another process since its first owner was reaped.
        let still = |process: &Process| process.progress().exit.is_none_or(|exit| exit.time_ns >= time_ns);
        let worker =
            |pid: i32| self.workers.values().rev().find(|process| process.pid == pid).filter(|process| still(process));
        if let Some(process) = worker(pid) {
            return Whose::Ours(process.group.cgroup().to_string());
        }
        if self.groups.values().next().is_none() {
            return Whose::Unknown;
        }
        let proc = Proc::system();
        match self.group_of(pid) {
            Some(cgroup) if self.groups.cover(&cgroup) => return Whose::Ours(cgroup),
            // At the top stands who was never moved, also an orphan of ours that has left its group.
            Some(cgroup) if cgroup != "/" => return Whose::Strangers,
            _ => {}
        }
        // It stood where the worker stands of which it descends: nobody else has moved it.
        let mut at = pid;
        for _ in 0..MOST_GENERATIONS {
            if self.orphans.get(&at).is_some_and(|reaped_ns| *reaped_ns >= time_ns) {
                return Whose::OursSomewhere;
            }
            match proc.stat(at) {
                Ok(Some(stat)) if stat.ppid > 1 => at = stat.ppid,
                // Whom somebody of a lab leaves behind comes to the lab's supervisor, and no further up.
                Ok(Some(_)) if self.supervisor.is_some() => return Whose::Unrelated,
                _ => break,
            }
            if let Some(process) = worker(at) {
                return Whose::Ours(process.group.cgroup().to_string());
            }
            if self.supervisor.as_ref().is_some_and(|supervisor| supervisor.pid() == at) {
                return Whose::OursSomewhere;
            }
        }
        Whose::Unknown
    }

    fn process_of(&self, thread: i32) -> Option<i32> {
        Proc::system().process_of(thread)
    }

    fn comm_of(&self, pid: i32) -> Vec<u8> {
        std::fs::read(format!("/proc/{pid}/comm")).map(|comm| comm.trim_ascii_end().to_vec()).unwrap_or_default()
    }

    fn reports_begun(&self) -> Vec<u64> {
        kmsg::reports_begun().unwrap_or_default()
    }

    fn is_ending(&self, pid: i32) -> bool {
        Proc::system().is_ending(pid)
    }

    fn is_dying(&self, pid: i32) -> bool {
        Proc::system().is_dying(pid)
    }
}

/// The path of a group that has been removed while a dead process stands in it, without what v2 writes behind it
/// (`proc_cgroup_show`). A group may be called so.
fn as_it_was(path: &str, is_observed: impl Fn(&str) -> bool) -> &str {
    match path.strip_suffix(" (deleted)") {
        Some(before) if !is_observed(path) => before,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::as_it_was;

    #[test]
    fn a_removed_group_has_its_name_still() {
        assert_eq!(as_it_was("/slice/unit.service (deleted)", |_| false), "/slice/unit.service");
        assert_eq!(as_it_was("/slice/unit.service", |_| false), "/slice/unit.service");
        assert_eq!(as_it_was("/slice/odd (deleted)", |at| at == "/slice/odd (deleted)"), "/slice/odd (deleted)");
    }
}
