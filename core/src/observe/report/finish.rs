//! What follows from all lines of a report together: whose memory it was, who was chosen, what is missing.

use super::draft::Draft;
use super::lines::Kind;
use super::parse::Summary;
use super::{trace, Chosen, Kill, Report, Scope, Task};

/// Why there is nothing but a kill, where the log shows it.
pub(super) const LIMITED: &str =
    "only the kill is in the log: the kernel prints at most ten reports in five seconds for the whole machine";

/// The pages of all machines that Linux runs on, in bytes.
const PAGES: std::ops::RangeInclusive<u64> = 4 << 10..=256 << 10;

/// The page that makes the row of a process fit its kill line. Its address space may have changed in between, but not
/// so much that the next power of two would fit better.
fn page(kill: &Kill, tasks: &[Task]) -> Option<u64> {
    let bytes = kill.total_vm_bytes?;
    let pages = tasks.iter().find(|task| task.pid == kill.pid)?.total_vm_pages.filter(|&pages| pages > 0)?;
    let page = (bytes / pages).checked_next_power_of_two()?;
    [page / 2, page].into_iter().filter(|page| PAGES.contains(page)).find(|page| {
        let fits = pages.saturating_mul(*page);
        fits.abs_diff(bytes) <= bytes / 4
    })
}

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
        } else if memcg || summary.is_some_and(|summary| summary.constraint.as_deref() == Some("CONSTRAINT_MEMCG")) {
            Some(Scope::Memcg)
        } else {
            (self.mem_info || trace::is_of_machine(&self.report.call_trace)).then_some(Scope::Global)
        }
    }

    /// The report, with what follows from all of its lines.
    pub fn finish(mut self) -> Report {
        self.rows_without_header();
        self.whole_names();
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
        self.report.page_bytes = self.report.kills.iter().find_map(|kill| page(kill, &self.report.tasks));
        self.report.mem_info = std::mem::take(&mut self.memory).finish();
        self.report.explain();
        self.name_missing();
        self.report
    }

    /// A wrap may have cut the name at the end of a row, which stands whole in the kill line of the same task.
    fn whole_names(&mut self) {
        for kill in &self.report.kills {
            let cut = |task: &&mut Task| task.pid == kill.pid && kill.comm.len() > task.comm.len();
            if let Some(task) = self.report.tasks.iter_mut().find(cut).filter(|task| kill.comm.starts_with(&task.comm))
            {
                task.comm.clone_from(&kill.comm);
            }
        }
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
            (Some(_), None) | (None, _) => {
                self.note("chosen", "the oom-kill line is cut, or holds a number that does not fit");
            }
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
            && !self.mem_info
            && report.constraint.is_none()
            && report.oom_memcg.is_none();
        if bare {
            let reason = self.why_bare();
            self.note("report", reason);
            return;
        }
        let memcg = report.scope == Some(Scope::Memcg);
        const LOST: &str = "its line is not in the log";
        const PANIC: &str = "nobody was killed: the kernel panicked instead (vm.panic_on_oom)";
        let unchosen = if self.panicked { PANIC } else { LOST };
        let unkilled = match self.ends.last {
            _ if self.panicked => PANIC,
            true => "no kill line: the victim was ending anyway, or the log ends here",
            false => "no kill line: the victim was ending anyway, or its line is not in the log",
        };
        let untabled = if self.layout.is_some() {
            "the task table is printed and has no rows"
        } else {
            "no task table: vm.oom_dump_tasks is 0, or its lines are not in the log"
        };
        let untraced = match self.strange_trace {
            true => "the frames that follow are of another task",
            false if self.nameless => "its frames have addresses alone: the kernel was built without the names",
            false => "no frame is in the log",
        };
        let absent: [(&'static str, bool, &'static str); 8] = [
            ("invoker", report.invoker.is_none(), LOST),
            ("release", report.release.is_none(), LOST),
            ("call_trace", report.call_trace.is_empty(), untraced),
            ("memory", memcg && report.memory.is_none(), LOST),
            ("stat", memcg && report.stat.is_empty(), "no statistics are in the log"),
            ("tasks", report.tasks.is_empty(), untabled),
            ("chosen", report.chosen.is_none() && !report.no_killable, unchosen),
            ("kills", report.kills.is_empty() && !report.no_killable, unkilled),
        ];
        for (source, absent, reason) in absent {
            if absent && !self.has_note(source) {
                self.note(source, reason);
            }
        }
        if self.lost > 0 {
            let lost = self.lost;
            self.note("log", format!("{lost} records between the lines of the report are not in the log"));
        }
    }
}

impl Draft {
    /// Why nothing but the kill is there, as far as the log shows it.
    fn why_bare(&self) -> &'static str {
        let ends = self.ends;
        if self.panicked {
            return "only the panic is in the log: the kernel killed nobody (vm.panic_on_oom)";
        }
        if self.report.no_killable {
            return match ends.first {
                true => "only the end of the report is in the log, which begins here",
                false => "only the end of the report is in the log",
            };
        }
        if ends.limited {
            LIMITED
        } else if ends.first {
            "only the kill is in the log, which begins here"
        } else {
            "only the kill is in the log"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_by_the_row_and_the_kill_line_together() {
        let told = |pages: u64, kib: u64| {
            let task = Task { pid: 7, total_vm_pages: Some(pages), ..Task::default() };
            let kill = Kill { pid: 7, total_vm_bytes: Some(kib << 10), ..Kill::default() };
            page(&kill, &[task])
        };
        assert_eq!(told(10_292, 41_168), Some(4 << 10));
        assert_eq!(told(1_295, 20_720), Some(16 << 10));
        assert_eq!(told(650, 41_600), Some(64 << 10));
        // It has mapped or unmapped something since.
        assert_eq!(told(1_000, 4_400), Some(4 << 10));
        assert_eq!(told(1_000, 3_600), Some(4 << 10));
        // Nothing fits: another process of that number, or a line that was changed.
        assert_eq!(told(1_000, 5_700), None);
        assert_eq!(told(1_000, 40), None);
        assert_eq!(told(1, 1 << 40), None);
        assert_eq!(told(0, 40), None);
        assert_eq!(told(u64::MAX, u64::MAX >> 10), None);
    }
}
