//! Reports that are read inside a pid namespace: they name processes as they are outside, so they are known by the path of
//! the group, and the victim by its name.

use std::collections::VecDeque;
use std::sync::Arc;

use super::logs::group_of;
use super::{Collector, Episode};
use crate::account::oom::{Process, Victim};
use crate::account::scene::{GroupSeen, Scene, WorkerSeen};
use crate::observe::kmsg::Record;
use crate::observe::report::{Kill, Report};

/// Reports kept for accounts that are not complete yet.
const MOST_REPORTS: usize = 64;

/// Whole reports of our groups that no account has.
#[derive(Default)]
pub(super) struct Outside(VecDeque<Told>);

struct Told {
    first_sequence: u64,
    group: String,
    report: Report,
}

impl Collector {
    /// Takes the reports of groups below the `tops`; gives back their records, each with its group.
    pub(super) fn logged_outside(&mut self, reports: Vec<Report>, tops: &[GroupSeen]) -> Vec<(Option<String>, Record)> {
        let Some(Outside(kept)) = &mut self.outside else { return Vec::new() };
        let mut claimed = Vec::new();
        for report in reports {
            let Some(group) = group_of(&report, tops) else { continue };
            let (Some(first), Some(last)) = (report.first_sequence, report.last_sequence) else { continue };
            if self.told.contains(&first) {
                continue;
            }
            // The same report grows as more of it is read.
            let at = kept.iter().position(|told| told.first_sequence == first).unwrap_or_else(|| {
                kept.push_back(Told { first_sequence: first, group: group.clone(), report: Report::default() });
                kept.len() - 1
            });
            let told = &mut kept[at];
            let lines = self.records.show(first..=last);
            claimed.extend(lines.into_iter().map(|record| (Some(group.clone()), record)));
            (told.group, told.report) = (group, report);
            if kept.len() > MOST_REPORTS {
                kept.pop_front();
            }
        }
        claimed
    }

    /// Gives an account that the counters have opened the report that tells of it, and its victim what stands there.
    pub(super) fn take_outside(&mut self, episode: &mut Episode, scene: &dyn Scene) {
        let Some(Outside(kept)) = &mut self.outside else { return };
        let victim = episode.kills.first().map(|kill| &kill.victim);
        let group = victim.map_or(episode.counted_in.as_ref(), |victim| victim.group.as_ref());
        let fits = |told: &Told| {
            let whole = !told.report.kills.is_empty() || told.report.no_killable;
            whole && group.is_none_or(|group| *group == told.group)
        };
        let fitting: Vec<usize> = (0..kept.len()).filter(|at| fits(&kept[*at])).collect();
        let of_victim = |at: &usize| victim.is_some_and(|victim| killed(&kept[*at].report, victim).is_some());
        // A program may have another name than it was started by: then the report is the only one there is.
        let only = (fitting.len() == 1).then(|| fitting[0]);
        let Some(at) = fitting.iter().copied().find(of_victim).or(only) else { return };
        let Some(Told { first_sequence, mut report, .. }) = kept.remove(at) else { return };
        let kill = victim.and_then(|victim| Some((killed(&report, victim).or(report.kills.first())?, victim)));
        let said = kill.map(|(kill, victim)| {
            let line = Victim { pid: victim.pid, ..Victim::logged(kill, victim.cause, None) };
            (process(&report, kill.pid), line)
        });
        let mut known: Vec<(i32, i32)> = said.iter().map(|(outside, line)| (*outside, line.pid)).collect();
        known.extend(by_name(&report, &scene.workers()));
        translate(&mut report, &known);
        if let Some((_, line)) = said {
            // It stands there already, and has its number.
            episode.add(line, self.next, scene);
        }
        let invoker = report.invoker.as_ref();
        episode.invoker = invoker.map(|invoker| Process { pid: invoker.pid.unwrap_or(0), comm: invoker.comm.clone() });
        episode.first_sequence = Some(first_sequence);
        episode.report = Some(Arc::new(report));
    }
}

/// The kill line of a process of that name.
fn killed<'a>(report: &'a Report, victim: &Victim) -> Option<&'a Kill> {
    report.kills.iter().find(|kill| kill.comm == victim.comm)
}

/// The process of a thread, by the task table.
fn process(report: &Report, thread: i32) -> i32 {
    report.process_of(thread).unwrap_or(thread)
}

/// Our workers that stand in the task table, by their names where only one process and one worker has it: outside and
/// inside.
fn by_name(report: &Report, workers: &[WorkerSeen]) -> Vec<(i32, i32)> {
    let mut found = Vec::new();
    for row in &report.tasks {
        let mut rows = report.tasks.iter().filter(|other| other.comm == row.comm);
        let mut workers = workers.iter().filter(|worker| worker.name == row.comm);
        if let ((Some(_), None), (Some(worker), None)) = ((rows.next(), rows.next()), (workers.next(), workers.next()))
        {
            found.push((row.process(), worker.pid));
        }
    }
    found
}

/// Puts the pids of our own namespace in place of the kernel's; 0 where that is not known.
fn translate(report: &mut Report, known: &[(i32, i32)]) {
    let inside = |outside: i32| known.iter().find(|(known, _)| *known == outside).map_or(0, |(_, inside)| *inside);
    let invoker = report.invoker.as_ref().and_then(|invoker| invoker.pid).map(|pid| inside(process(report, pid)));
    let kills: Vec<i32> = report.kills.iter().map(|kill| inside(process(report, kill.pid))).collect();
    let chosen = report.chosen.as_ref().map(|chosen| inside(process(report, chosen.pid)));
    if let Some(to) = &mut report.invoker {
        to.pid = invoker;
    }
    if let (Some(to), Some(pid)) = (&mut report.chosen, chosen) {
        to.pid = pid;
    }
    for (kill, pid) in report.kills.iter_mut().zip(kills) {
        kill.pid = pid;
    }
    for row in &mut report.tasks {
        let pid = inside(row.process());
        (row.pid, row.tgid) = (pid, row.tgid.map(|_| pid));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::made::Made;
    use super::{translate, Collector, GroupSeen, Outside};
    use crate::memcg::version::Version;
    use crate::observe::kmsg::Record;

    const LINES: [&str; 5] = [
        "b invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        "CPU: 0 UID: 0 PID: 502 Comm: b Not tainted 6.18.0 #1",
        "[    501]     0   501      600      100   100  0  0   49152        0             0 a",
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=GROUP,task_memcg=GROUP,\
         task=a,pid=501,uid=0",
        "Memory cgroup out of memory: Killed process 501 (a) total-vm:2400kB, anon-rss:400kB, file-rss:0kB, \
         shmem-rss:0kB, UID:0 pgtables:48kB oom_score_adj:0",
    ];

    fn records(group: &str, from: u64) -> Vec<Record> {
        let lines = (from..).zip(LINES);
        let record =
            |(at, line): (u64, &str)| Record::parse(format!("4,{at},{at},-;{line}\n").as_bytes()).expect("a record");
        lines.map(|(at, line)| record((at, &line.replace("GROUP", group)))).collect()
    }

    #[test]
    fn a_report_is_known_by_its_path_and_grows() {
        let tops = [GroupSeen { cgroup: "/lab/g".to_string(), version: Version::V2, removed: false }];
        let world = Made::of(Version::V2);
        let mut collector = Collector::inside_namespace(true);
        let mut read = |records: Vec<Record>| collector.logged(records, &tops, &|_| None, &world).len();
        assert_eq!(read(records("/other", 1)), 0, "a stranger's");
        let mut first = records("/docker/lab/g/below", 10);
        let rest = first.split_off(4);
        assert_eq!((read(first), read(rest)), (4, 1), "each line is given once");
        let Some(Outside(kept)) = &collector.outside else { panic!() };
        let [told] = kept.iter().collect::<Vec<_>>()[..] else { panic!("one report") };
        assert_eq!((told.group.as_str(), told.report.kills.len()), ("/lab/g/below", 1));
    }

    #[test]
    fn pids_are_translated_as_far_as_they_are_known() {
        let mut report = crate::observe::report::parse_records(&records("/lab/g", 1)).remove(0);
        translate(&mut report, &[(501, 7)]);
        assert_eq!((report.kills[0].pid, report.chosen.as_ref().map(|chosen| chosen.pid)), (7, Some(7)));
        assert_eq!(report.invoker.and_then(|invoker| invoker.pid), Some(0), "nobody knows who it is in here");
    }
}
