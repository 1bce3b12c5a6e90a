//! What follows from all lines of a report together: whose memory it was, who was chosen, what is missing.

use super::draft::Draft;
use super::lines::Kind;
use super::parse::Summary;
use super::{Chosen, Report, Scope};

impl Draft {
    pub(super) fn scope(&self) -> Option<Scope> {
        let summary = self.summary.as_ref();
        let memcg = self.report.memory.is_some() || self.stat_path.is_some() || self.report.oom_memcg.is_some();
        if summary.is_some_and(|summary| summary.memcg) {
            Some(Scope::Memcg)
        } else if summary.is_some_and(|summary| summary.global) {
            Some(Scope::Global)
        } else if self.kill_scope.is_some() {
            self.kill_scope
        } else if memcg {
            Some(Scope::Memcg)
        } else {
            self.mem_info.then_some(Scope::Global)
        }
    }

    /// The report, with what follows from all of its lines.
    pub fn finish(mut self) -> Report {
        self.report.scope = self.scope();
        if let Some(summary) = self.summary.take() {
            self.summarise(summary);
        }
        if self.report.oom_memcg.is_none() && self.report.scope == Some(Scope::Memcg) {
            self.report.oom_memcg = self.stat_path.take();
        }
        if self.report.chosen.is_none() {
            if let Some(sacrifice) = &self.report.sacrifice {
                self.report.chosen = Some(Chosen { comm: sacrifice.comm.clone(), pid: sacrifice.pid, uid: None });
            }
        }
        if self.counters.overflow {
            self.note("stat", "a value does not fit");
        }
        self.report.stat = std::mem::take(&mut self.counters).stat();
        self.name_missing();
        self.report
    }

    fn summarise(&mut self, summary: Summary) {
        let report = &mut self.report;
        let known = summary.pid.and_then(|pid| {
            let killed = report.kills.iter().find(|kill| kill.pid == pid).map(|kill| &kill.comm);
            killed.or_else(|| report.tasks.iter().find(|task| task.pid == pid).map(|task| &task.comm)).cloned()
        });
        let end = summary.end(known.as_deref());
        report.oom_memcg = end.oom_memcg.or(report.oom_memcg.take());
        report.task_memcg = end.task_memcg.or(report.task_memcg.take());
        match (end.comm, summary.pid) {
            (Some(comm), Some(pid)) => report.chosen = Some(Chosen { comm, pid, uid: summary.uid }),
            _ => self.note("chosen", "the oom-kill line is cut, or holds a number that does not fit"),
        }
        let report = &mut self.report;
        report.constraint = summary.constraint;
        report.nodemask = summary.nodemask.or(report.nodemask.take());
        report.cpuset = summary.cpuset.or(report.cpuset.take());
        report.mems_allowed = summary.mems_allowed.or(report.mems_allowed.take());
    }

    fn name_missing(&mut self) {
        let report = &self.report;
        let bare = report.invoker.is_none()
            && self.progress >= Kind::KillProcess.progress()
            && !self.stat_seen
            && report.memory.is_none()
            && report.tasks.is_empty()
            && report.constraint.is_none()
            && report.oom_memcg.is_none();
        if bare {
            self.note(
                "report",
                "only the kill is in the log: the kernel prints at most ten reports in five seconds for the whole machine",
            );
            return;
        }
        let memcg = report.scope == Some(Scope::Memcg);
        const LOST: &str = "its line is not in the log";
        const PANIC: &str = "nobody was killed: the kernel panicked instead (vm.panic_on_oom)";
        let unchosen = if self.panicked { PANIC } else { LOST };
        let unkilled =
            if self.panicked { PANIC } else { "no kill line: the victim was ending anyway, or the log ends here" };
        let absent: [(&'static str, bool, &'static str); 8] = [
            ("invoker", report.invoker.is_none(), LOST),
            ("release", report.release.is_none(), LOST),
            ("call_trace", report.call_trace.is_empty(), "no frame is in the log"),
            ("memory", memcg && report.memory.is_none(), LOST),
            ("stat", memcg && report.stat.is_empty(), "no statistics are in the log"),
            (
                "tasks",
                report.tasks.is_empty(),
                "no task table: vm.oom_dump_tasks is 0, or its lines are not in the log",
            ),
            ("chosen", report.chosen.is_none() && !report.no_killable, unchosen),
            ("kills", report.kills.is_empty() && !report.no_killable, unkilled),
        ];
        for (source, absent, reason) in absent {
            let noted = self.report.missing.iter().any(|missing| missing.source == source);
            if absent && !noted {
                self.note(source, reason);
            }
        }
        if self.lost > 0 {
            let lost = self.lost;
            self.note("log", format!("{lost} records between the lines of the report are not in the log"));
        }
    }
}
