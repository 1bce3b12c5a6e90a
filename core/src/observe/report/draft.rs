//! A report while its lines come in.

use std::collections::HashSet;

use super::assemble::Place;
use super::lines::{Context, Kind};
use super::parse::{self, Counters, Summary};
use super::scan::trim_end;
use super::table::Layout;
use super::{kill, trace, Chosen, GroupStat, Missing, Reaped, Report, Scope};

/// Lines of one report come at once: after this pause a line belongs to another.
const PAUSE_SECONDS: u64 = 10;
/// A report is given up after so many lines in a row that are not its own.
const STRANGERS: u32 = 512;
/// Notes beyond this say nothing new.
const NOTES: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Draft {
    report: Report,
    progress: u8,
    layout: Option<Layout>,
    counters: Counters,
    stat_seen: bool,
    in_stat: bool,
    stat_path: Option<Vec<u8>>,
    summary: Option<Summary>,
    kill_scope: Option<Scope>,
    mem_info: bool,
    dead: HashSet<i32>,
    listed: HashSet<i32>,
    last: Place,
    strangers: u32,
    lost: u64,
    lost_since: u64,
}

impl Draft {
    pub fn new(place: &Place) -> Draft {
        let report = Report {
            time_usec: place.usec,
            logged_at: place.wall.clone(),
            first_sequence: place.sequence,
            last_sequence: place.sequence,
            ..Report::default()
        };
        Draft { report, last: place.clone(), ..Draft::default() }
    }

    pub fn suppressed(&mut self, count: Option<u64>) {
        self.report.suppressed_before = count;
    }

    pub fn context(&self) -> Context {
        Context {
            in_report: true,
            in_trace: self.progress <= 1 && self.report.invoker.is_some(),
            in_stat: self.in_stat,
            in_table: self.layout.is_some() && self.progress == Kind::Row.progress(),
        }
    }

    pub fn columns(&self) -> usize {
        self.layout.as_ref().map_or(0, Layout::len)
    }

    /// Whether the next line comes too late to belong here.
    pub fn is_over(&self, place: &Place) -> bool {
        let paused = match (self.last.usec, place.usec) {
            (Some(before), Some(now)) => now.abs_diff(before) > PAUSE_SECONDS * 1_000_000,
            _ => match (self.last.day_second, place.day_second) {
                // Modulo a day; syslog lines may also be a little out of order.
                (Some(before), Some(now)) => {
                    let step = u64::from((now + 86_400 - before) % 86_400);
                    step.min(86_400 - step) > PAUSE_SECONDS
                }
                _ => false,
            },
        };
        paused || self.strangers > STRANGERS
    }

    /// Whether a line of this kind cannot be part of this report any more.
    pub fn refuses(&self, kind: Kind, text: &[u8]) -> bool {
        match kind {
            Kind::Invoker => true,
            Kind::Usage => {
                self.progress > Kind::StatHeader.progress()
                    || parse::usage(text).is_some_and(|(which, _)| self.report_usage(which))
            }
            Kind::StatHeader => {
                self.progress > Kind::StatHeader.progress() || (self.stat_seen && parse::stat_header(text).1.is_empty())
            }
            Kind::Summary => self.summary.is_some() || self.progress > Kind::Summary.progress(),
            Kind::TableHeader => self.layout.is_some() || self.progress > Kind::TableHeader.progress(),
            Kind::KillProcess => {
                self.report.sacrifice.is_some() || !self.report.kills.is_empty() || self.report.no_killable
            }
            Kind::Killed => !self.adopts(text),
            Kind::GroupTail => self.report.kills.is_empty() || self.report.group_kill.is_some(),
            Kind::NoKillable => !self.report.kills.is_empty() || self.report.no_killable || self.summary.is_some(),
            Kind::Exiting | Kind::SharedMemory | Kind::Pinned | Kind::Frame | Kind::Stat | Kind::Row => false,
            _ => kind.progress() < Kind::Summary.progress() && self.progress >= Kind::Summary.progress(),
        }
    }

    fn report_usage(&self, which: usize) -> bool {
        let report = &self.report;
        [&report.memory, &report.memory_swap, &report.swap, &report.kmem]
            .get(which)
            .is_some_and(|usage| usage.is_some())
    }

    /// Whether a kill line belongs here: after the header one kill, after the group line all of its members.
    fn adopts(&self, text: &[u8]) -> bool {
        let Some(killed) = kill::killed(text) else { return true };
        let pid = killed.kill.pid;
        let scope = self.scope();
        if self.report.no_killable || (scope.is_some() && killed.scope.is_some() && scope != killed.scope) {
            return false;
        }
        // The table lists every task that the kernel may take, unless lines of it are lost.
        let listed = self.listed.is_empty() || self.lost > 0 || self.listed.contains(&pid);
        if !self.report.kills.is_empty() {
            return self.report.group_kill.is_some() && (listed || self.dead.contains(&pid));
        }
        let chosen = self.summary.as_ref().and_then(|summary| summary.pid) == Some(pid);
        let named =
            self.summary.as_ref().is_some_and(|summary| summary.end(None).comm.as_deref() == Some(&killed.kill.comm));
        listed || chosen || named || self.report.sacrifice.is_some()
    }

    pub fn killed(&self, pid: i32) -> bool {
        self.dead.contains(&pid)
    }

    pub fn reaped(&mut self, reaped: Reaped, text: &[u8], place: &Place) {
        self.report.reaper.push(reaped);
        self.show(text);
        self.report.last_sequence = place.sequence.or(self.report.last_sequence);
    }

    /// So many records between the last line and the next are not in the log.
    pub fn lose(&mut self, records: u64) {
        self.lost_since = self.lost_since.saturating_add(records);
    }

    pub fn note(&mut self, source: &'static str, reason: impl Into<String>) {
        let missing = Missing::new(source, reason);
        if self.report.missing.len() < NOTES && !self.report.missing.contains(&missing) {
            self.report.missing.push(missing);
        }
    }

    /// A line of no known kind. Until the table comes it is part of the stack dump, or of the memory overview.
    pub fn other(&mut self, text: &[u8]) {
        self.strangers = self.strangers.saturating_add(1);
        if self.progress < Kind::TableTitle.progress() && self.strangers <= STRANGERS && !trim_end(text).is_empty() {
            self.mem_info |= text.starts_with(b"Mem-Info:");
            self.show(text);
        }
    }

    fn show(&mut self, text: &[u8]) {
        if !self.report.text.is_empty() {
            self.report.text.push('\n');
        }
        self.report.text.push_str(&crate::text::escape(trim_end(text)));
    }

    /// Takes a line that this report does not refuse.
    pub fn take(&mut self, kind: Kind, text: &[u8], place: &Place) {
        self.last = place.clone();
        self.strangers = 0;
        self.lost = self.lost.saturating_add(std::mem::take(&mut self.lost_since));
        self.report.last_sequence = place.sequence.or(self.report.last_sequence);
        self.progress = self.progress.max(kind.progress());
        if kind.progress() > Kind::Stat.progress() {
            self.in_stat = false;
        }
        if kind == Kind::Stat {
            for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                self.show(line);
            }
        } else {
            self.show(text);
        }
        self.fill(kind, text);
    }

    fn fill(&mut self, kind: Kind, text: &[u8]) {
        const UNREAD: &str = "the line is cut, or holds a number that does not fit";
        let report = &mut self.report;
        match kind {
            Kind::Invoker => {
                if let Some((invoker, nodemask)) = parse::invoker(text) {
                    if invoker.gfp_mask.is_none() || invoker.order.is_none() || invoker.oom_score_adj.is_none() {
                        self.note("invoker", UNREAD);
                    }
                    self.report.invoker = Some(invoker);
                    self.report.nodemask = nodemask;
                } else {
                    self.note("invoker", UNREAD);
                }
            }
            Kind::Cpuset => {
                if let Some((name, nodes)) = parse::cpuset(text) {
                    report.cpuset = Some(name);
                    report.mems_allowed = nodes;
                }
            }
            Kind::Cpu => {
                // Only the first is the invoker's; a crash elsewhere may print another.
                if report.cpu.is_none() && report.release.is_none() {
                    let invoker = report.invoker.as_mut();
                    let cpu = trace::cpu(text, invoker.as_ref().map(|invoker| invoker.comm.as_slice()));
                    report.cpu = cpu.cpu;
                    report.release = cpu.release;
                    if let Some(invoker) = invoker {
                        invoker.pid = cpu.pid;
                        // A prefix of unknown shape is still on the name; this line shows where the name begins.
                        if let Some(comm) =
                            cpu.comm.filter(|comm| invoker.comm.len() > 15 && invoker.comm.ends_with(comm))
                        {
                            invoker.comm = comm;
                        }
                    }
                }
            }
            Kind::Frame => report.call_trace.extend(trace::frame(text)),
            Kind::TaskIn => {
                let (task, limit) = parse::task_in(text);
                report.task_memcg = task.map(<[u8]>::to_vec);
                report.oom_memcg = limit.map(<[u8]>::to_vec);
            }
            Kind::LimitReached => report.oom_memcg = parse::limit_reached(text).map(<[u8]>::to_vec),
            Kind::Usage => {
                if let Some((which, usage)) = parse::usage(text) {
                    let (field, name) = match which {
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
            }
            Kind::StatHeader => self.stat_header(text),
            Kind::Stat => {
                self.counters.lines(text);
                if parse::stat_is_cut(text) {
                    // The last counter may have lost digits.
                    self.counters.drop_last();
                    self.report.stat_truncated = true;
                    self.note("stat", "the kernel cut its record of the statistics");
                }
            }
            Kind::Protection => {
                report.protection = parse::protection(text);
                if report.protection.is_none() {
                    self.note("protection", UNREAD);
                }
            }
            Kind::TableHeader => self.layout = Some(Layout::of_header(text)),
            Kind::Row => {
                if let Some(layout) = &self.layout {
                    match layout.task(text) {
                        Ok(task) => {
                            self.listed.extend([Some(task.pid), task.tgid].into_iter().flatten());
                            report.tasks.push(task);
                        }
                        Err(reason) => self.note("tasks", reason),
                    }
                }
            }
            Kind::Summary => self.summary = Some(parse::summary(text)),
            Kind::KillProcess => {
                if let Some((sacrifice, scope)) = kill::sacrifice(text) {
                    self.kill_scope = scope.or(self.kill_scope);
                    report.sacrifice = Some(sacrifice);
                } else {
                    self.note("sacrifice", UNREAD);
                }
            }
            Kind::Killed => self.kill(text),
            Kind::Exiting => report.already_exiting.extend(kill::exiting(text)),
            Kind::SharedMemory => report.shared_memory.extend(kill::sharing(text)),
            Kind::Pinned => report.pinned.extend(kill::pinned(text).map(|(_, by)| by)),
            Kind::GroupTail => report.group_kill = parse::group_tail(text).map(<[u8]>::to_vec),
            Kind::NoKillable => report.no_killable = true,
            Kind::TraceStart | Kind::TableTitle | Kind::Suppressed | Kind::Reaper | Kind::Other => {}
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

    fn kill(&mut self, text: &[u8]) {
        let Some(killed) = kill::killed(text) else {
            self.note("kills", "a kill line has no process id that fits");
            return;
        };
        for field in &killed.unread {
            self.note("kills", format!("{field} of process {} is cut or does not fit", killed.kill.pid));
        }
        self.kill_scope = self.kill_scope.or(killed.scope);
        // The first victim of a group kill is printed again among the members.
        if self.dead.insert(killed.kill.pid) {
            self.report.kills.push(killed.kill);
        }
    }

    fn scope(&self) -> Option<Scope> {
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
            ("chosen", report.chosen.is_none() && !report.no_killable, LOST),
            (
                "kills",
                report.kills.is_empty() && !report.no_killable,
                "no kill line: the victim was ending anyway, or the log ends here",
            ),
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
