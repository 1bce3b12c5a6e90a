//! The processes of the group whose limit was hit, as far as they can be known: the kernel's table, the kill line and the
//! mark for those that have gone, /proc for those that are left.

use std::cell::RefCell;

use super::contents::charged_ahead;
use super::{Collector, Episode};
use crate::account::composition::Composition;
use crate::account::growth::{Growth, Held, Seen};
use crate::account::holders::{holders, Holder, Holding};
use crate::account::oom::Cause;
use crate::account::scene::{Scene, WorkerSeen};
use crate::account::victim::Input;
use crate::map::Map;
use crate::memcg::limits::human_size;
use crate::memcg::path::covers;
use crate::observe::missing::Missing;
use crate::observe::report::{Kill, Report, Task};

/// Processes that are asked for their proportional share.
const MOST_SHARES: usize = 8;

/// A process of which nobody can say whether it was there still at the kill.
pub(super) struct Unsure {
    pid: i32,
    comm: Vec<u8>,
    held_bytes: u64,
    pub(super) grown_bytes: u64,
}

impl Unsure {
    fn of(holding: &Holding, growth: &Growth) -> Unsure {
        let held_bytes = holding.held.own_bytes();
        let first = growth.of(holding.pid, holding.read_ns).map_or(0, |seen| seen.first.bytes);
        let (pid, comm, grown_bytes) = (holding.pid, holding.comm.clone(), held_bytes.saturating_sub(first));
        Unsure { pid, comm, held_bytes, grown_bytes }
    }

    pub(super) fn as_missing(&self) -> Missing {
        let (name, held) = (crate::text::escape(&self.comm), human_size(self.held_bytes));
        let reason = format!(
            "{name} (pid {}) held {held} when it was last seen, and had gone by the time of this account: nobody can say \
             whether it was there at the kill",
            self.pid
        );
        Missing::new("holders", reason)
    }
}

impl Collector {
    /// Who held what before the kill; and of whom that cannot be said, by how much they had grown when they were last seen.
    pub(super) fn holders(
        &mut self,
        episode: &Episode,
        limit_group: Option<&str>,
        composition: Option<&Composition>,
        scene: &dyn Scene,
    ) -> (Vec<Holder>, Vec<Unsure>) {
        let read_ns = episode.marked_ns.unwrap_or(self.read_ns);
        let table = episode.report.as_deref().filter(|report| !report.tasks.is_empty());
        let mut unsure = Vec::new();
        let mut found = match table {
            Some(report) => self.of_table(report, episode, read_ns, limit_group, scene),
            None => self.of_the_dead(episode, read_ns),
        };
        if let (None, Some(cgroup)) = (table, limit_group) {
            // Who is left is as it was a moment ago.
            let inputs = scene.living(cgroup);
            let living = self.living(&inputs, scene);
            found.extend(living.into_iter().filter(|holding| !episode.has(holding.pid)));
            for (holding, was_there) in self.gone_since(&found, episode, cgroup, scene) {
                match was_there {
                    true => found.push(holding),
                    false => unsure.push(Unsure::of(&holding, &self.growth)),
                }
            }
        }
        unsure.retain(|one| one.grown_bytes > charged_ahead(scene));
        (holders(found, composition, &self.growth, charged_ahead(scene)), unsure)
    }

    /// Who was seen in a group before, is none of its victims and is not there any more: with whether it was there at the
    /// kill for certain. Who had gone before is left out.
    fn gone_since(
        &self,
        found: &[Holding],
        episode: &Episode,
        cgroup: &str,
        scene: &dyn Scene,
    ) -> Vec<(Holding, bool)> {
        let workers = scene.workers();
        let known = |pid: i32| episode.has(pid) || found.iter().any(|holding| holding.pid == pid);
        let mut gone = Vec::new();
        for (pid, seen) in self.growth.below(cgroup).filter(|(pid, seen)| seen.held.rss_bytes > 0 && !known(*pid)) {
            let Some(was_there) = self.was_there(pid, seen, episode, &workers) else { continue };
            let holding = Holding {
                pid,
                comm: seen.comm.clone(),
                group: Some(seen.group.clone()),
                held: seen.held,
                alive: true,
                watched: true,
                source: "procfs",
                read_ns: seen.seen_ns,
            };
            gone.push((holding, was_there));
        }
        gone
    }

    /// Whether a process that was seen was there for certain at a kill; `None` for one that was not.
    fn was_there(&self, pid: i32, seen: &Seen, episode: &Episode, workers: &[WorkerSeen]) -> Option<bool> {
        let at_ns = episode.marked_ns.unwrap_or(episode.opened_ns);
        let was_victim = self.accounted.iter().any(|(of, until_ns)| *of == pid && *until_ns >= seen.seen_ns);
        if was_victim || seen.gone_by(at_ns) {
            return None;
        }
        match workers.iter().rev().find(|worker| worker.pid == pid) {
            Some(worker) if worker.exit.is_none_or(|(_, end_ns)| end_ns >= at_ns) => return Some(true),
            // Without a mark the kill was at some time before it was heard of.
            Some(_) => return episode.marked_ns.is_none().then_some(false),
            None => {}
        }
        let later = |other: &Episode| other.has(pid) && other.marked_ns.is_some_and(|later_ns| later_ns >= at_ns);
        Some(seen.seen_ns >= at_ns || self.open.iter().any(later))
    }

    /// Who holds what while somebody waits: all of them are there, and there is the time for a dear look.
    pub(super) fn waiting_holders(
        &mut self,
        inputs: &[Input],
        composition: Option<&Composition>,
        scene: &dyn Scene,
    ) -> Vec<Holder> {
        let living = self.living(inputs, scene);
        let mut rows = holders(living, composition, &self.growth, charged_ahead(scene));
        for row in rows.iter_mut().take(MOST_SHARES) {
            row.pss_bytes = row.pid.and_then(|pid| scene.pss_bytes(pid));
        }
        rows
    }

    /// The processes of a group and of those below it, as /proc has just shown them.
    fn living(&mut self, inputs: &[Input], scene: &dyn Scene) -> Vec<Holding> {
        let (read_ns, page) = (scene.now_ns(), scene.page_bytes());
        self.growth.saw(inputs, read_ns);
        let living = inputs.iter().filter(|input| input.rss_pages > 0);
        let of = |input: &Input| Holding {
            pid: input.pid,
            comm: input.comm.clone(),
            group: Some(input.group.clone()),
            held: Held::of(input, page),
            alive: true,
            watched: true,
            source: "procfs",
            read_ns,
        };
        living.map(of).collect()
    }

    /// The kernel's table of all processes of the scope. Where that is wider than what is watched, a process may have been
    /// there for long without being seen.
    fn of_table(
        &self,
        report: &Report,
        episode: &Episode,
        read_ns: u64,
        limit_group: Option<&str>,
        scene: &dyn Scene,
    ) -> Vec<Holding> {
        let groups = scene.groups();
        // Thousands of processes may stand in few groups.
        let known = RefCell::new(Map::<String, bool>::new());
        let is_watched = |cgroup: &str| {
            let is = || groups.iter().any(|seen| covers(&seen.cgroup, cgroup));
            *known.borrow_mut().or_insert_with(cgroup.to_string(), is)
        };
        let wider = !limit_group.is_some_and(is_watched);
        let of = |task: &Task| {
            let pid = task.process();
            let alive = !episode.has(pid);
            let group = self.stood_in(pid, episode);
            let group = group.or_else(|| (wider && alive).then(|| scene.group_of(pid)).flatten());
            let line = report.kills.iter().find(|kill| kill.pid == pid);
            Holding {
                pid,
                comm: task.comm.clone(),
                watched: group.as_deref().is_none_or(is_watched),
                group,
                held: held_by(task, line, scene.page_bytes()),
                alive,
                source: "report",
                read_ns,
            }
        };
        // Of a row that does not tell it nobody knows what it held.
        report.tasks.iter().filter(|task| task.rss_pages.is_some()).map(of).collect()
    }

    /// Those that were killed: what they held stands in the kill line or in the mark.
    fn of_the_dead(&self, episode: &Episode, read_ns: u64) -> Vec<Holding> {
        let mut found = Vec::new();
        for victim in episode.kills.iter().map(|kill| &kill.victim).filter(|victim| victim.cause != Cause::SharedMm) {
            let seen = self.growth.of(victim.pid, read_ns);
            let line = episode.report.iter().flat_map(|report| &report.kills).find(|kill| kill.pid == victim.pid);
            let before = seen.map(|seen| seen.held).unwrap_or_default();
            let (file_bytes, shmem_bytes) = episode.mapped(victim.pid);
            let parts = match line {
                Some(line) => [line.anon_rss_bytes, line.file_rss_bytes, line.shmem_rss_bytes],
                None => [victim.anon_rss_bytes, file_bytes, shmem_bytes],
            };
            let told = parts.iter().any(Option::is_some);
            let [anon_bytes, file_bytes, shmem_bytes] =
                if told { parts } else { [before.anon_bytes, before.file_bytes, before.shmem_bytes] };
            let sum = [anon_bytes, file_bytes, shmem_bytes].iter().flatten().sum::<u64>();
            let held = Held {
                rss_bytes: if told { sum } else { before.rss_bytes },
                swap_bytes: before.swap_bytes,
                anon_bytes,
                file_bytes,
                shmem_bytes,
            };
            found.push(Holding {
                pid: victim.pid,
                comm: victim.comm.clone(),
                group: victim.group.clone(),
                held,
                alive: false,
                watched: true,
                source: match (line.is_some(), told) {
                    (true, _) => "kernel-log",
                    (false, true) => "tracefs",
                    (false, false) => "procfs",
                },
                read_ns: if told { read_ns } else { seen.map_or(read_ns, |seen| seen.seen_ns) },
            });
        }
        found
    }

    /// The group in which a process stood, by its kill or by what was seen of it.
    pub(super) fn stood_in(&self, pid: i32, episode: &Episode) -> Option<String> {
        let killed = episode.kills.iter().find(|kill| kill.victim.pid == pid);
        let killed = killed.and_then(|kill| kill.victim.group.clone());
        let seen = || self.growth.of(pid, episode.opened_ns).map(|seen| seen.group.clone());
        killed.or_else(seen).or_else(|| self.remembered.place(pid).flatten())
    }
}

/// What a row of the table shows. The parts of what is resident stand in it since 6.8; those of a victim in its kill line.
fn held_by(task: &Task, line: Option<&Kill>, page: u64) -> Held {
    let bytes = |pages: Option<u64>| pages.map(|pages| pages.saturating_mul(page));
    let told = |pages: Option<u64>, of_line: fn(&Kill) -> Option<u64>| bytes(pages).or_else(|| of_line(line?));
    Held {
        rss_bytes: bytes(task.rss_pages).unwrap_or(0),
        swap_bytes: bytes(task.swapents_pages).unwrap_or(0),
        anon_bytes: told(task.rss_anon_pages, |kill| kill.anon_rss_bytes),
        file_bytes: told(task.rss_file_pages, |kill| kill.file_rss_bytes),
        shmem_bytes: told(task.rss_shmem_pages, |kill| kill.shmem_rss_bytes),
    }
}
