//! What the kernel log says about kills: which reports are ours, and what they add.

use std::sync::Arc;

use super::unclaimed::{Sign, Unclaimed};
use super::{within, Collector, Episode, Whose, COMPLETE_WITHIN, LINE_WITHIN, MOST_RECORDS};
use crate::account::oom::{Cause, Process, Victim};
use crate::account::scene::{GroupSeen, Scene};
use crate::memcg::path::covers;
use crate::observe::kmsg::Record;
use crate::observe::report::{parse_records, Kill, Report};

impl Collector {
    /// Whether the records that are kept must be looked through again.
    pub(crate) fn looks_again(&self) -> bool {
        self.look_again
    }

    /// New records of the kernel log. Reports that concern one of the `tops` (or a process that `known` knows) are
    /// taken; gives back their records, each with the group it belongs to.
    pub(super) fn logged(
        &mut self,
        records: Vec<Record>,
        tops: &[GroupSeen],
        known: &dyn Fn(i32) -> Option<String>,
        scene: &dyn Scene,
    ) -> Vec<(Option<String>, Record)> {
        let first_new = records.first().map(|record| record.sequence);
        let is_new = |record: &Record| first_new.is_some_and(|first| record.sequence >= first);
        self.begun.note(&records);
        let kernel = records.into_iter().filter(|record| record.facility() == 0);
        self.records.extend(kernel);
        let telling = |record: &Record| {
            [b"Killed process ".as_slice(), b"invoked oom-killer", b"no killable processes", b"memory.oom.group set"]
                .iter()
                .any(|words| record.text.windows(words.len()).any(|window| window == *words))
        };
        if !self.is_open() && !self.records.all().iter().any(telling) {
            self.records.clear();
            return Vec::new();
        }
        let excess = self.records.cut(MOST_RECORDS);
        if excess > 0 {
            self.gap(
                "kernel-log",
                format!("{excess} records were let go before the report in them was whole"),
                scene.now_ns(),
            );
        }
        let mut claimed = Vec::new();
        let mut reports = parse_records(self.records.all());
        let last_whole = reports
            .iter()
            .filter(|report| !report.kills.is_empty() || report.no_killable)
            .filter_map(|report| report.last_sequence)
            .max();
        let kept = self.records.first().unwrap_or(u64::MAX);
        self.told.retain(|first| *first >= kept);
        if self.outside.is_some() {
            // All below goes by pids.
            claimed = self.logged_outside(std::mem::take(&mut reports), tops);
        }
        for report in reports {
            self.take_report(report, tops, known, scene, &mut claimed);
        }
        if !self.is_open() && self.unclaimed.is_empty() {
            // What is left is of strangers and can go. A report that is still being printed stays; so do new records,
            // as the tracepoint was read before them: its next reading may say that the victim was ours.
            let has_trace = self.has_trace;
            self.records
                .retain(|record| has_trace && is_new(record) || last_whole.is_none_or(|last| record.sequence > last));
        }
        claimed
    }

    /// Takes a report that is ours and was not taken before; its records go to `claimed`.
    fn take_report(
        &mut self,
        mut report: Report,
        tops: &[GroupSeen],
        known: &dyn Fn(i32) -> Option<String>,
        scene: &dyn Scene,
        claimed: &mut Vec<(Option<String>, Record)>,
    ) {
        if report.first_sequence.is_some_and(|first| self.told.contains(&first)) {
            return;
        }
        // Where the first thread of a process has ended the kernel names another one.
        let printed: Vec<i32> = report.kills.iter().map(|kill| kill.pid).collect();
        for (at, pid) in printed.iter().enumerate() {
            report.kills[at].pid = report.process_of(*pid).unwrap_or_else(|| self.process_of(*pid));
        }
        let of_open = self.open.iter().any(|episode| episode.is_of(&report));
        // A kill line that came late, apart from its report: its account is there.
        let late = |pid: i32| self.was_told(pid) && !of_open;
        if report.invoker.is_none() && !report.kills.is_empty() && report.kills.iter().all(|kill| late(kill.pid)) {
            self.told.extend(report.first_sequence);
            return;
        }
        let group = group_of(&report, tops);
        let struck = report.oom_memcg.as_deref().and_then(|path| inside(path, tops));
        let ours = group.or(struck).or_else(|| report.kills.iter().find_map(|kill| known(kill.pid)));
        let ours = ours.or_else(|| report.kills.iter().find_map(|kill| self.seen_by_looks(&report, kill.pid)));
        if ours.is_none() && !of_open {
            // Of a bare kill line only its pid is known. The tracepoint has told of it too, where there is one.
            if let ([kill], true, None) = (report.kills.as_slice(), !self.has_trace, &report.oom_memcg) {
                if !self.unclaimed.iter().any(|one| one.pid == kill.pid) {
                    self.told.extend(report.first_sequence);
                    // Printed since the reading before this one, or a moment before that.
                    let moment_ns = LINE_WITHIN.as_nanos() as u64;
                    let within = self.read_before_ns.saturating_sub(moment_ns)..=self.read_ns + moment_ns;
                    self.hold(Unclaimed::logged(kill.pid, report, within));
                }
            }
            return;
        }
        if let (Some(first), Some(last)) = (report.first_sequence, report.last_sequence) {
            let lines = self.records.show(first..=last);
            claimed.extend(lines.into_iter().map(|record| (ours.clone(), record)));
        }
        self.add_report(report, &printed, ours, known, scene);
    }

    /// Where a process of the kernel's table stood: by its kill, by what was seen of it, or by /proc while it is
    /// there. The table itself says only that it stood below the limit.
    pub(super) fn placed_in(
        &self,
        pid: i32,
        episode: &Episode,
        limit_group: Option<&str>,
        scene: &dyn Scene,
    ) -> Option<String> {
        if let Some(group) = self.stood_in(pid, episode) {
            return Some(group);
        }
        match scene.whose(pid, episode.marked_ns.unwrap_or(episode.opened_ns)) {
            Whose::Ours(group) => Some(group),
            Whose::OursSomewhere => None,
            // Nobody has to observe the whole of the scope.
            Whose::Strangers | Whose::Unrelated | Whose::Unknown => {
                scene.group_of(pid).filter(|group| limit_group.is_some_and(|limit| covers(limit, group)))
            }
        }
    }

    /// The group in which a process was seen that a kill line names. A whole report names its group itself.
    fn seen_by_looks(&self, report: &Report, pid: i32) -> Option<String> {
        let seen = self.growth.stood(pid, self.read_ns).filter(|_| report.oom_memcg.is_none());
        seen.map(str::to_string)
    }

    /// Whether a process of that pid has an account, of a kill that may have lines still to come.
    fn was_told(&self, pid: i32) -> bool {
        let still = |until_ns: u64| within(COMPLETE_WITHIN, until_ns, self.read_ns);
        self.accounted.iter().any(|(of, until_ns)| *of == pid && still(*until_ns))
    }

    /// Whoever stands in the kernel's table stood within the scope, which is ours.
    fn remember_table(&mut self, report: &Report) {
        let below = report.oom_memcg.as_deref().map(crate::text::escape);
        for task in &report.tasks {
            self.remembered.member(task.process(), None, below.as_deref(), self.read_ns);
        }
    }

    /// In `report` threads have been replaced by their processes; `printed` are the pids as they were.
    pub(super) fn add_report(
        &mut self,
        mut report: Report,
        printed: &[i32],
        group: Option<String>,
        known: &dyn Fn(i32) -> Option<String>,
        scene: &dyn Scene,
    ) {
        self.remember_table(&report);
        let selected = |kill: &Kill| {
            // Of a group's kills only the first was selected; `chosen` may name another thread of it.
            let first = report.kills[0].pid == kill.pid;
            first || report.group_kill.is_none() || report.chosen.as_ref().is_some_and(|chosen| chosen.pid == kill.pid)
        };
        // The report names the group of the one that was chosen; others may stand in others below the limit.
        let named = |kill: &Kill| group.clone().filter(|_| selected(kill));
        // Victims that had gone before their group could be asked are ours after all.
        for kill in &report.kills {
            while let Some(at) = self.unclaimed.iter().position(|one| one.pid == kill.pid) {
                if let Some(Unclaimed { sign: Sign::Traced(trace), .. }) = self.unclaimed.remove(at) {
                    self.add_trace(*trace, named(kill), scene);
                }
            }
        }
        let at = match self.open.iter().position(|episode| episode.is_of(&report)) {
            Some(at) => at,
            None if report.kills.is_empty() && !report.no_killable => return, // still being printed
            None => {
                self.open.push(Episode::new(scene.now_ns()));
                self.open.len() - 1
            }
        };
        for kill in &report.kills {
            let group = known(kill.pid).or_else(|| self.remembered.place(kill.pid).flatten());
            let group = group.or_else(|| named(kill)).or_else(|| self.seen_by_looks(&report, kill.pid));
            let cause = if selected(kill) { Cause::Selected } else { Cause::Group };
            let number = self.next;
            self.next += 1;
            self.open[at].add(Victim::logged(kill, cause, group), number, scene);
        }
        let episode = &mut self.open[at];
        // The trace may know the invoker by its pid alone.
        if episode.invoker.as_ref().is_none_or(|invoker| invoker.comm.is_empty()) {
            let reported = report.invoker.as_ref();
            let reported =
                reported.map(|invoker| Process { pid: invoker.pid.unwrap_or(0), comm: invoker.comm.clone() });
            episode.invoker = reported.or(episode.invoker.take());
        }
        // A line on its own adds nothing to a report that is there.
        if episode.report.is_none() || episode.first_sequence == report.first_sequence {
            episode.first_sequence = report.first_sequence;
            for (kill, pid) in report.kills.iter_mut().zip(printed) {
                kill.pid = *pid;
            }
            episode.report = Some(Arc::new(report));
        } else {
            self.told.extend(report.first_sequence);
        }
    }
}

/// The group of the one that was chosen, or else the one whose limit was hit, if it is ours.
pub(super) fn group_of(report: &Report, tops: &[GroupSeen]) -> Option<String> {
    report.task_memcg.as_deref().or(report.oom_memcg.as_deref()).and_then(|path| inside(path, tops))
}

/// The path of a report as we name groups. The kernel writes paths from the real top of the hierarchy. Inside a cgroup
/// namespace ours begin further down, so that ours is the end of the kernel's; what stands outside of the namespace
/// begins with as many `/..` as it is further up.
pub(super) fn inside(path: &[u8], tops: &[GroupSeen]) -> Option<String> {
    let path = crate::text::escape(path);
    if tops.iter().any(|top| covers(&top.cgroup, &path)) {
        return Some(path);
    }
    for top in tops.iter().map(|top| top.cgroup.as_str()) {
        let mut below = top;
        while let Some(rest) = below.strip_prefix("/..").filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            below = rest;
        }
        if below.is_empty() || below == "/" {
            continue;
        }
        if let Some(at) = path.find(below) {
            let rest = &path[at + below.len()..];
            if rest.is_empty() || rest.starts_with('/') {
                return Some(format!("{top}{rest}"));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tests::made::Made;
    use super::super::{Collector, Whose};
    use super::{inside, GroupSeen};
    use crate::memcg::version::Version;
    use crate::observe::kmsg::Record;
    use crate::observe::trace::TraceVictim;

    fn top(cgroup: &str) -> GroupSeen {
        GroupSeen { cgroup: cgroup.to_string(), version: Version::V2, removed: false }
    }

    /// The tracepoint is read before the log: of a kill between the two readings the line comes first.
    #[test]
    fn a_kill_line_that_is_read_before_its_mark_is_not_lost() {
        let line = b"3,1,1,-;Memory cgroup out of memory: Killed process 77 (child) total-vm:4kB, anon-rss:4kB, \
                     file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:36kB oom_score_adj:0\n";
        let line = Record::parse(line).expect("a record");
        let tops = [top("/memoom-1")];
        let world = Made::of(Version::V2);
        let mut collector = Collector::new(true, true);
        assert!(collector.logged(vec![line], &tops, &|_| None, &world).is_empty(), "nobody knows whose it is");
        let trace = TraceVictim { pid: 77, ..TraceVictim::default() };
        collector.traced(trace, Whose::Ours("/memoom-1".to_string()), &world);
        assert!(collector.looks_again());
        assert_eq!(collector.logged(Vec::new(), &tops, &|_| None, &world).len(), 1, "the line is shown");
        assert_eq!(collector.logged(Vec::new(), &tops, &|_| None, &world).len(), 0, "and shown once");
        assert!(collector.open[0].is_told_by("kernel-log"));
        assert_eq!(collector.open.len(), 1);
    }

    #[test]
    fn a_path_is_ours_also_from_inside_a_cgroup_namespace() {
        let tops = ["/memoom-1/a", "/../../memoom-2/b", "/../.."].map(top);
        for (path, ours) in [
            ("/memoom-1/a", Some("/memoom-1/a")),
            ("/memoom-1/a/b", Some("/memoom-1/a/b")),
            ("/docker/x/memoom-1/a/b", Some("/memoom-1/a/b")),
            ("/memoom-1", None),
            ("/memoom-1/ab", None),
            ("/other", None),
            ("/memoom-2/b/c", Some("/../../memoom-2/b/c")),
            ("/memoom-2", None),
            ("/docker/memoom-2/b", Some("/../../memoom-2/b")),
        ] {
            assert_eq!(inside(path.as_bytes(), &tops).as_deref(), ours, "{path}");
        }
    }
}
