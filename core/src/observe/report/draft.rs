//! A report while its lines come in.

use std::borrow::Cow;

use super::assemble::Place;
use super::lines::{self, Context, Kind};
use super::parse::{self, Counters, Summary};
use super::scan::trim_end;
use super::table::Layout;
use super::{kill, trace, GroupStat, Invoker, Missing, Reaped, Report, Scope};
use crate::map::Map;

/// Lines of one report come at once: after this pause a line belongs to another.
const PAUSE_SECONDS: u64 = 10;
/// A report is given up after so many lines in a row that are not its own.
const STRANGERS: u32 = 512;
/// The line about the CPU prints at most so much of a name.
const COMM_SHOWN: usize = 15;
/// Notes beyond this say nothing new.
const NOTES: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) report: Report,
    pub(super) progress: u8,
    layout: Option<Layout>,
    pub(super) counters: Counters,
    pub(super) stat_seen: bool,
    in_stat: bool,
    pub(super) stat_path: Option<Vec<u8>>,
    pub(super) summary: Option<Summary>,
    pub(super) kill_scope: Option<Scope>,
    pub(super) mem_info: bool,
    dead: Map<i32, ()>,
    listed: Map<i32, ()>,
    last: Place,
    strangers: u32,
    pub(super) lost: u64,
    lost_since: u64,
    /// The kernel panicked instead of killing.
    pub(super) panicked: bool,
}

impl Draft {
    pub fn new(place: &Place) -> Draft {
        let mut draft = Draft { last: place.clone(), ..Draft::default() };
        draft.report.time_usec = place.usec;
        draft.report.logged_at.clone_from(&place.wall);
        draft.report.first_sequence = place.sequence;
        draft.report.last_sequence = place.sequence;
        draft
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
        // Without a table the summary names the victim, and then another's kill is another report's.
        let untold = self.listed.is_empty() && (self.summary.is_none() || self.report.group_kill.is_some());
        let listed = untold || self.lost > 0 || self.listed.get(&pid).is_some();
        if !self.report.kills.is_empty() {
            // The first victim of a group is printed again, after a line that may be lost.
            let again = self.report.kills.first() == Some(&killed.kill);
            return again || self.report.group_kill.is_some() && (listed || self.dead.get(&pid).is_some());
        }
        let chosen = self.summary.as_ref().and_then(|summary| summary.pid) == Some(pid);
        let named =
            self.summary.as_ref().is_some_and(|summary| summary.end(None).comm.as_deref() == Some(&killed.kill.comm));
        listed || chosen || named || self.report.sacrifice.is_some()
    }

    pub fn killed(&self, pid: i32) -> bool {
        self.dead.get(&pid).is_some()
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

    pub fn note(&mut self, source: &'static str, reason: impl Into<Cow<'static, str>>) {
        let missing = Missing::new(source, reason);
        if self.report.missing.len() < NOTES && !self.report.missing.contains(&missing) {
            if self.report.missing.is_empty() {
                self.report.missing.reserve_exact(1);
            }
            self.report.missing.push(missing);
        }
    }

    /// A line of no known kind. Until the table comes it is part of the stack dump, or of the memory overview.
    pub fn other(&mut self, text: &[u8]) {
        self.strangers = self.strangers.saturating_add(1);
        if parse::is_panic(text) {
            // What comes behind it, another dump of the stack, is the panic's.
            self.panicked = true;
            self.progress = Kind::NoKillable.progress();
            self.show(text);
        }
        if self.progress < Kind::TableTitle.progress() && self.strangers <= STRANGERS && !trim_end(text).is_empty() {
            self.mem_info |= text.starts_with(b"Mem-Info:") || text.starts_with(b"Mem-info:");
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
                    let adj = invoker.oom_score_adj.is_some() || lines::ends_with_old_adj(text);
                    if invoker.gfp_mask.is_none() || invoker.order.is_none() || !adj {
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
                    let same =
                        |invoker: &Invoker, comm: &[u8]| invoker.comm.ends_with(comm) || comm.len() >= COMM_SHOWN;
                    if let (Some(invoker), Some(comm)) = (&invoker, &cpu.comm) {
                        if !same(invoker, comm) {
                            // Of another task, whose report is mixed with this one.
                            return;
                        }
                    }
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
                            for pid in [Some(task.pid), task.tgid].into_iter().flatten() {
                                self.listed.insert(pid, ());
                            }
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
        if self.dead.insert(killed.kill.pid, ()).is_none() {
            // Nearly always there is one: a storm of bare kills would hold four times its memory.
            if self.report.kills.is_empty() {
                self.report.kills.reserve_exact(1);
            }
            self.report.kills.push(killed.kill);
        }
    }
}
