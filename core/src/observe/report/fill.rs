//! What each line of a report says goes into its fields.

use super::counters::Counters;
use super::draft::Draft;
use super::kill::Killed;
use super::lines::Kind;
use super::parse;
use super::scan::trim_start;
use super::table::{self, Layout};
use super::{kill, panic, pieces, trace, GroupStat, Scope, Usage};

/// The line about the CPU prints at most so much of a name.
const COMM_SHOWN: usize = 15;
const UNREAD: &str = "the line is cut, or holds a number that does not fit";
const CUT: &str = "the line is cut";

impl Draft {
    pub(super) fn fill(&mut self, kind: Kind, text: &[u8], killed: Option<Killed>) {
        let report = &mut self.report;
        match kind {
            Kind::Invoker => self.invoker(text),
            Kind::Cpuset => self.cpuset(text),
            Kind::Cpu => self.cpu(text),
            Kind::Frame => self.frame(text),
            Kind::TaskIn => self.task_in(text),
            Kind::LimitReached => report.oom_memcg = parse::limit_reached(text).map(<[u8]>::to_vec),
            Kind::Usage => self.usage(text),
            Kind::StatHeader => self.stat_header(text),
            Kind::Stat => self.stat(text),
            Kind::Protection => {
                report.protection = parse::protection(text);
                if report.protection.is_none() {
                    self.note("protection", UNREAD);
                }
            }
            Kind::TableHeader => self.layout = Some(Layout::of_header(text)),
            Kind::Row => self.row(text),
            Kind::Summary => self.summary(text),
            Kind::KillProcess => self.sacrifice(text),
            Kind::Killed => self.kill(killed),
            Kind::Exiting => report.already_exiting.extend(kill::exiting(text)),
            Kind::SharedMemory => report.shared_memory.extend(kill::sharing(text)),
            Kind::Pinned => report.pinned.extend(kill::pinned(text).map(|(_, by)| by)),
            Kind::GroupTail => report.group_kill = parse::group_tail(text).map(<[u8]>::to_vec),
            Kind::NoKillable => {
                report.no_killable = true;
                if trim_start(text).starts_with(b"Kernel panic") {
                    // It never panics for a group.
                    self.kill_scope = self.kill_scope.or(Some(Scope::Global));
                }
            }
            Kind::Panic => {
                // What comes behind it, another dump of the stack, is the panic's.
                self.panicked = true;
                self.kill_scope = self.kill_scope.or(panic::read(text).flatten());
            }
            Kind::TraceStart | Kind::TableTitle | Kind::Suppressed | Kind::Reaper | Kind::Other => {}
        }
    }

    fn invoker(&mut self, text: &[u8]) {
        let Some((invoker, nodemask)) = parse::invoker(text) else {
            self.note("invoker", UNREAD);
            return;
        };
        let adj = invoker.oom_score_adj.is_some() || pieces::ends_with_old_adj(text);
        if invoker.gfp_mask.is_none() || invoker.order.is_none() || !adj {
            self.note("invoker", UNREAD);
        }
        self.report.invoker = Some(invoker);
        self.report.nodemask = nodemask;
    }

    fn cpuset(&mut self, text: &[u8]) {
        let Some((name, nodes)) = parse::cpuset(text) else { return };
        self.report.cpuset = Some(name);
        self.report.mems_allowed = nodes;
    }

    /// Whether a line about a CPU names the task that invoked the killer.
    pub(super) fn is_invokers(&self, text: &[u8]) -> bool {
        let Some(invoker) = &self.report.invoker else { return true };
        match trace::cpu(text, Some(&invoker.comm)).comm {
            Some(comm) => invoker.comm.ends_with(&comm) || comm.len() >= COMM_SHOWN,
            None => true,
        }
    }

    fn cpu(&mut self, text: &[u8]) {
        let report = &mut self.report;
        let cpu = trace::cpu(text, report.invoker.as_ref().map(|invoker| invoker.comm.as_slice()));
        report.cpu = cpu.cpu;
        report.release = cpu.release;
        if report.release.is_none() {
            self.note("release", CUT);
        }
        let report = &mut self.report;
        let Some(invoker) = report.invoker.as_mut() else { return };
        invoker.pid = cpu.pid;
        // What stands before the name that both lines have is a prefix of unknown shape.
        let shorter = |comm: &Vec<u8>| invoker.comm.len() > comm.len() && invoker.comm.ends_with(comm);
        if let Some(comm) = cpu.comm.filter(shorter) {
            invoker.comm = comm;
        }
    }

    fn frame(&mut self, text: &[u8]) {
        let frames = trace::frames(text);
        if frames.iter().any(|frame| trace::is_of_memcg(&frame.function)) {
            self.kill_scope = self.kill_scope.or(Some(Scope::Memcg));
        }
        self.report.call_trace.extend(frames);
    }

    fn task_in(&mut self, text: &[u8]) {
        let (task, limit) = parse::task_in(text);
        if limit.is_none() {
            // Without all the words that follow it the path may go on.
            let begun = text.len() > b"Task in ".len() + task.map_or(0, <[u8]>::len) + 2;
            self.note(if begun { "oom_memcg" } else { "task_memcg" }, CUT);
        }
        self.report.task_memcg = task.map(<[u8]>::to_vec);
        self.report.oom_memcg = limit.map(<[u8]>::to_vec);
    }

    fn usage(&mut self, text: &[u8]) {
        let Some((which, usage)) = parse::usage(text) else { return };
        let report = &mut self.report;
        let (field, name): (&mut Option<Usage>, _) = match which {
            0 => (&mut report.memory, "memory"),
            1 => (&mut report.memory_swap, "memory_swap"),
            2 => (&mut report.swap, "swap"),
            _ => (&mut report.kmem, "kmem"),
        };
        *field = usage;
        if usage.is_none() {
            self.note(name, UNREAD);
        }
    }

    fn stat_header(&mut self, text: &[u8]) {
        let (path, pairs) = parse::stat_header(text);
        if self.stat_seen {
            let mut counters = Counters::default();
            counters.words(pairs);
            let path = path.unwrap_or_default().to_vec();
            self.report.stats.push(GroupStat { path, stat: counters.stat() });
            return;
        }
        self.stat_seen = true;
        self.stat_path = path.map(<[u8]>::to_vec);
        self.counters.words(pairs);
        self.in_stat = pairs.is_empty();
    }

    fn stat(&mut self, text: &[u8]) {
        self.in_stat = true;
        self.counters.lines(text);
        if parse::stat_is_cut(text) {
            // The last counter may have lost digits.
            self.counters.drop_last();
            self.report.stat_truncated = true;
            self.note("stat", "the kernel cut its record of the statistics");
        }
    }

    fn row(&mut self, text: &[u8]) {
        let Some(layout) = &self.layout else {
            for pid in table::ids(text) {
                self.listed.insert(pid, ());
            }
            self.headless.push(text.to_vec());
            return;
        };
        match layout.task(text) {
            Ok(task) => {
                for pid in [Some(task.pid), task.tgid].into_iter().flatten() {
                    self.listed.insert(pid, ());
                }
                self.report.tasks.push(task);
            }
            Err(reason) => self.note("tasks", reason),
        }
    }

    /// Reads the rows whose header is not in the log, by the columns that fit all of them.
    pub(super) fn rows_without_header(&mut self) {
        let rows = std::mem::take(&mut self.headless);
        if rows.is_empty() {
            return;
        }
        let Some(layout) = Layout::of_rows(&rows, self.report.release.as_deref()) else {
            self.note(
                "tasks",
                "the header of the table is not in the log, and its columns are not those of any kernel",
            );
            return;
        };
        for row in rows {
            match layout.task(&row) {
                Ok(task) => self.report.tasks.push(task),
                Err(reason) => self.note("tasks", reason),
            }
        }
    }

    fn summary(&mut self, text: &[u8]) {
        let summary = parse::summary(text);
        if summary.pid.is_none() || summary.uid.is_none() {
            if let Some(field) = summary.cut() {
                self.note(field, CUT);
            }
        }
        self.summary = Some(summary);
    }

    fn sacrifice(&mut self, text: &[u8]) {
        match kill::sacrifice(text) {
            Some((sacrifice, scope)) => {
                self.kill_scope = self.kill_scope.or(scope);
                if sacrifice.score.is_none() {
                    self.note("sacrifice", CUT);
                }
                self.report.sacrifice = Some(sacrifice);
            }
            None => self.note("sacrifice", UNREAD),
        }
    }

    fn kill(&mut self, killed: Option<Killed>) {
        let Some(killed) = killed else {
            self.note("kills", "a kill line has no process id that fits");
            return;
        };
        for field in &killed.unread {
            self.note("kills", format!("{field} of process {} is cut or does not fit", killed.kill.pid));
        }
        self.kill_scope = self.kill_scope.or(killed.scope);
        // The first victim of a group kill is printed again among the members.
        if self.dead.insert(killed.kill.pid, ()).is_none() {
            // Nearly always there is one: a storm of bare kills would hold four times its memory.
            if self.report.kills.is_empty() {
                self.report.kills.reserve_exact(1);
            }
            self.report.kills.push(killed.kill);
        }
    }
}
