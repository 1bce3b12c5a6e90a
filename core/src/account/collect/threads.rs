//! Victims that nobody knows as processes: which worker's threads they were, and to whom they leave it open.
//!
//! Where the first thread of a process has ended the kernel names another one, and only the table of a report says whose
//! it is. Where no report is printed, and the thread has gone before /proc is asked, two things may have happened: it was
//! a thread of a worker that died with it, or a process that its own parent has reaped.

use std::time::Duration;

use super::{within, Collector, Episode, MOST_UNCLAIMED};
use crate::account::oom::Cause;
use crate::account::scene::{Scene, WorkerSeen};
use crate::memcg::path::covers;
use crate::observe::missing::Missing;

/// A worker that is dying beside such a victim is waited for so long: a process whose first thread has ended looks so for
/// all its life.
const REAPED_WITHIN: Duration = Duration::from_secs(2);

/// A kill of an account that nobody can lay to a process.
pub(super) struct Unexplained {
    /// The pid that the kernel named; `None` where none was told.
    pid: Option<i32>,
    /// Where it was counted; `None` for somewhere among the observed groups.
    cgroup: Option<String>,
    /// When it was marked.
    marked_ns: Option<u64>,
    opened_ns: u64,
}

impl Collector {
    /// Whether a worker is dying that may be the process of a victim.
    pub(super) fn awaits_a_worker(&mut self, at: usize, scene: &dyn Scene) -> bool {
        let Some((_, cgroup)) = self.thread_of_a_worker(&self.open[at], scene) else { return false };
        let workers = scene.workers();
        let mut may_be = workers.iter().filter(|worker| may_have_threads(worker, &cgroup) && !worker.is_over());
        let now_ns = scene.now_ns();
        may_be.any(|worker| scene.is_dying(worker.pid))
            && within(REAPED_WITHIN, *self.open[at].unnamed_since_ns.get_or_insert(now_ns), now_ns)
    }

    /// The victim is the process of the thread that was named, where only one can have been that: it died by a SIGKILL
    /// that nobody else has sent. Otherwise it stays open to whom the kill belongs.
    pub(super) fn identify_thread(&mut self, episode: &mut Episode, scene: &dyn Scene) {
        let Some((thread, cgroup)) = self.thread_of_a_worker(episode, scene) else {
            self.leave_open(episode, scene);
            return;
        };
        let workers = scene.workers();
        let may_be = |worker: &&WorkerSeen| {
            let in_time = worker.exit.is_some_and(|(_, end_ns)| episode.marked_ns.is_none_or(|mark| end_ns >= mark));
            may_have_threads(worker, &cgroup) && in_time && self.may_be_untold(worker)
        };
        let rivals: Vec<&WorkerSeen> = workers.iter().filter(may_be).collect();
        let alike =
            self.open.iter().filter(|other| self.thread_of_a_worker(other, scene).is_some_and(|(_, at)| at == cgroup));
        // The others are marked in this order, too; whoever was marked first was reaped first, or it does not matter.
        let count = 1 + alike.count();
        let Some(process) = rivals.iter().min_by_key(|worker| worker.exit).filter(|_| rivals.len() == count) else {
            self.leave_open(episode, scene);
            return;
        };
        let pid = process.pid;
        episode.missing.push(Missing::new(
            "victim",
            format!(
                "the kernel named pid {thread}, which had gone before anybody could ask whose thread it was; pid {pid} of \
                 its group ended by a SIGKILL that nobody else has sent: it is taken for a thread of it"
            ),
        ));
        self.judged.push(process.id);
        self.note_thread(thread, pid);
        episode.rename(thread, pid);
    }

    /// The one victim of an account, and its group, where nobody knows it as a process.
    fn unknown(&self, episode: &Episode, scene: &dyn Scene) -> Option<(i32, String)> {
        let [kill] = episode.kills.as_slice() else { return None };
        let pid = kill.victim.pid;
        let known = kill.followed
            || kill.victim.cause != Cause::Selected
            || self.remembered.is_member(pid)
            || episode.report.as_ref().is_some_and(|report| report.tasks.iter().any(|task| task.process() == pid))
            || scene.workers().iter().any(|worker| worker.pid == pid);
        (!known).then_some(())?;
        Some((pid, kill.victim.group.clone()?))
    }

    /// The same, where a worker is there that may be its process. Who has descended from workers is asked
    /// last, so that a recording has to answer it of few.
    fn thread_of_a_worker(&self, episode: &Episode, scene: &dyn Scene) -> Option<(i32, String)> {
        let (pid, cgroup) = self.unknown(episode, scene)?;
        let there = scene.workers().iter().any(|worker| may_have_threads(worker, &cgroup));
        (there && !scene.is_orphan(pid)).then_some((pid, cgroup))
    }

    /// Remembers a kill that no process is known for.
    pub(super) fn leave_open(&mut self, episode: &Episode, scene: &dyn Scene) {
        let unknown = self.unknown(episode, scene).map(|(pid, cgroup)| (Some(pid), Some(cgroup)));
        let unplaced = episode.kills.iter().find(|kill| kill.victim.group.is_none() && !kill.followed);
        let open = match (unknown, unplaced) {
            (Some(unknown), _) => unknown,
            (None, Some(kill)) => (Some(kill.victim.pid), None),
            (None, None) if episode.kills.is_empty() => (None, episode.counted_in.clone()),
            (None, None) => return,
        };
        let (pid, cgroup) = open;
        let (marked_ns, opened_ns) = (episode.marked_ns, episode.opened_ns);
        self.unexplained.push_back(Unexplained { pid, cgroup, marked_ns, opened_ns });
        if self.unexplained.len() > MOST_UNCLAIMED {
            self.unexplained.pop_front();
        }
    }

    /// Why a worker that lived at that time and died by SIGKILL may have been killed in an OOM after all.
    pub(crate) fn left_open(&self, cgroup: &str, started_ns: u64, ended_ns: u64, scene: &dyn Scene) -> Option<String> {
        let may_be = |one: &&Unexplained| {
            let here = one.cgroup.as_deref().is_none_or(|at| at == cgroup || covers(cgroup, at));
            let alive = match one.marked_ns {
                Some(marked_ns) => (started_ns..=ended_ns).contains(&marked_ns),
                None => one.opened_ns >= started_ns,
            };
            here && alive && !one.pid.is_some_and(|pid| scene.is_orphan(pid))
        };
        let one = self.unexplained.iter().find(may_be)?;
        Some(match one.pid {
            Some(pid) => format!(
                "the kernel killed pid {pid} in an OOM, which had gone before anybody could ask whether it was a thread of \
                 this process or another process"
            ),
            None => "the kernel counted a kill in an OOM, and nobody can say of whom".to_string(),
        })
    }
}

/// Whether a worker of that group may have had threads, and been killed by nobody but the OOM killer.
fn may_have_threads(worker: &WorkerSeen, cgroup: &str) -> bool {
    worker.group == cgroup && !worker.is_ours && worker.kill_sent == Some(false)
}
