//! A report while its lines come in: which of them belong to it.

use std::borrow::Cow;

use super::counters::Counters;
use super::kill::Killed;
use super::lines::{Context, Kind};
use super::parse::{self, Summary};
use super::place::Place;
use super::scan::{trim_end, trim_start};
use super::table::Layout;
use super::{edge, mem_read, trace, Missing, Reaped, Report, Scope};
use crate::map::Map;

/// Lines of one report come at once: after this pause a line belongs to another.
const PAUSE_SECONDS: u64 = 10;
/// A report is given up after so many lines in a row that are not its own.
const STRANGERS: u32 = 512;
/// Frames without any heading follow the invoker's line before so many lines of others.
const AT_ONCE: u32 = 8;
/// Notes beyond this say nothing new.
const NOTES: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) report: Report,
    pub(super) progress: u8,
    pub(super) layout: Option<Layout>,
    /// Rows before which no header stands: their columns are told by all of them together.
    pub(super) headless: Vec<Vec<u8>>,
    pub(super) counters: Counters,
    pub(super) stat_seen: bool,
    pub(super) in_stat: bool,
    pub(super) stat_path: Option<Vec<u8>>,
    pub(super) summary: Option<Summary>,
    pub(super) kill_scope: Option<Scope>,
    /// Mem-Info has begun.
    pub(super) mem_info: bool,
    pub(super) memory: mem_read::Reader,
    pub(super) dead: Map<i32, ()>,
    pub(super) listed: Map<i32, ()>,
    last: Place,
    strangers: u32,
    pub(super) lost: u64,
    lost_since: u64,
    /// The kernel panicked instead of killing.
    pub(super) panicked: bool,
    /// A line of the invoker's stack dump was taken.
    dumped: bool,
    /// So many lines of others stand before it.
    before_dump: u32,
    /// The invoker's trace is over: what comes is the memory overview or another trace.
    trace_over: bool,
    /// A warning or a trace of another task stands in between.
    foreign: bool,
    /// The invoker's line stands among the frames of another task: a heading that follows is of its own.
    among: bool,
    /// Frames of another task were left out.
    pub(super) strange_trace: bool,
    /// Frames have addresses and no names.
    pub(super) nameless: bool,
    /// Something stood before the lines of this report: a line without it is not the kernel's.
    prefixed: bool,
    /// Lines of no known kind behind a blank one, to be shown if a line of the report follows.
    waiting: Vec<Vec<u8>>,
    blank: bool,
    pub(super) ends: Ends,
}

/// What the log shows around a report, for the reasons why something is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    /// No line of the log stands before the report.
    pub first: bool,
    /// No line of the log follows it.
    pub last: bool,
    /// The kernel left the rest out, because it had printed as many reports as it may: it says so, or the record before is
    /// in the log, or so many reports are.
    pub limited: bool,
}

impl Draft {
    pub fn new(place: &Place) -> Draft {
        let mut draft = Draft { last: place.clone(), ..Draft::default() };
        draft.begins_at(place);
        draft.report.last_sequence = place.sequence;
        draft
    }

    /// The first line stands here.
    pub fn begins_at(&mut self, place: &Place) {
        self.report.time_usec = place.usec;
        self.report.logged_at.clone_from(&place.wall);
        self.report.first_sequence = place.sequence;
    }

    pub fn suppressed(&mut self, count: Option<u64>) {
        self.report.suppressed_before = count;
    }

    pub fn context(&self) -> Context {
        Context {
            in_report: true,
            in_trace: self.progress <= 1
                && self.report.invoker.is_some()
                && !self.trace_over
                && (self.dumped || self.before_dump < AT_ONCE),
            in_stat: self.in_stat,
            in_usage: self.progress == Kind::Usage.progress() && !self.stat_seen,
            in_table: self.layout.is_some() && self.progress == Kind::Row.progress(),
        }
    }

    /// The invoker's line stands in the trace of another task, which goes on behind it; `begun`: its frames have begun.
    pub fn interrupts(&mut self, begun: Option<bool>) {
        (self.foreign, self.among) = (begun.is_some(), begun == Some(true));
    }

    pub fn columns(&self) -> usize {
        self.layout.as_ref().map_or(0, Layout::len)
    }

    /// Whether someone was killed: what follows may be the trace of the next report.
    pub fn has_killed(&self) -> bool {
        self.progress >= Kind::KillProcess.progress()
    }

    /// Whether the last line taken is the last of the log so far.
    pub fn is_at_end(&self) -> bool {
        self.strangers == 0
    }

    /// Whether so many lines of others came that none of this one follows.
    pub fn is_given_up(&self) -> bool {
        self.strangers > STRANGERS
    }

    /// Whether the next line comes too late to belong here.
    pub fn is_over(&self, place: &Place) -> bool {
        self.is_far(place) || self.strangers > STRANGERS
    }

    /// Whether a line was logged long before or behind the last one.
    pub fn is_far(&self, place: &Place) -> bool {
        match (self.last.usec, place.usec) {
            (Some(before), Some(now)) => now.abs_diff(before) > PAUSE_SECONDS * 1_000_000,
            _ => match (self.last.day_second, place.day_second) {
                // Modulo a day; syslog lines may also be a little out of order.
                (Some(before), Some(now)) => {
                    let step = u64::from((now + 86_400 - before) % 86_400);
                    step.min(86_400 - step) > PAUSE_SECONDS
                }
                _ => false,
            },
        }
    }

    /// Whether a line of this kind cannot be part of this report any more.
    pub fn refuses(&self, kind: Kind, text: &[u8], killed: Option<&Killed>) -> bool {
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
            Kind::Killed => killed.is_some_and(|killed| !self.adopts(killed)),
            Kind::GroupTail => self.report.kills.is_empty() || self.report.group_kill.is_some(),
            Kind::NoKillable => !self.report.kills.is_empty() || self.report.no_killable || self.summary.is_some(),
            Kind::Panic => !self.report.kills.is_empty() || self.report.no_killable || self.panicked,
            Kind::Row => self.progress > Kind::Row.progress(),
            Kind::Frame => self.has_killed(),
            Kind::Exiting | Kind::SharedMemory | Kind::Pinned | Kind::Stat => false,
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
    fn adopts(&self, killed: &Killed) -> bool {
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
        // A summary that is cut before its victim stands with the kill behind it.
        let cut = self.summary.as_ref().is_some_and(|summary| summary.pid.is_none());
        listed || chosen || named || cut || self.report.sacrifice.is_some()
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

    pub fn has_note(&self, source: &str) -> bool {
        self.report.missing.iter().any(|missing| missing.source == source)
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
    pub fn other(&mut self, text: &[u8], prefixed: bool) {
        let line = trim_start(text);
        if line.is_empty() {
            self.blank = true;
            return;
        }
        self.before_dump = self.before_dump.saturating_add(1);
        // A message of several lines may have its prefix before the first alone.
        if self.prefixed && !prefixed && !self.memory.goes_on(line) {
            return;
        }
        self.strangers = self.strangers.saturating_add(1);
        if line.starts_with(b"Kernel panic - not syncing: System is deadlocked") {
            // It never panics for a group, and only as nobody may be killed.
            self.kill_scope = self.kill_scope.or(Some(Scope::Global));
            self.report.no_killable |= self.report.kills.is_empty() && self.report.sacrifice.is_none();
        }
        self.foreign |= trace::is_alarm(line);
        self.nameless |=
            line.starts_with(b"[<") && !self.foreign && self.context().in_trace && trace::is_nameless(line);
        if self.foreign || self.progress >= Kind::TableTitle.progress() || self.strangers > STRANGERS {
            return;
        }
        if self.memory.take(text) {
            // A machine of many nodes prints hundreds of them.
            self.strangers = 0;
            self.mem_info = true;
            self.trace_over = true;
        }
        if self.blank && !self.prefixed {
            self.waiting.push(text.to_vec());
        } else {
            self.show(text);
        }
    }

    /// Whether a line of a stack dump is of another dump than the invoker's.
    pub fn is_of_another(&mut self, kind: Kind, text: &[u8]) -> bool {
        let another = match kind {
            Kind::Cpu => self.report.cpu.is_some() || self.report.release.is_some() || !self.is_invokers(text),
            Kind::TraceStart => self.foreign && !self.among || !self.report.call_trace.is_empty(),
            Kind::Frame => self.foreign,
            _ => false,
        };
        if !another && self.foreign {
            // Its own begins.
            (self.foreign, self.trace_over) = (false, false);
        }
        if another {
            self.strange_trace |= kind != Kind::Cpu;
            self.foreign = true;
            self.trace_over = true;
            self.strangers = self.strangers.saturating_add(1);
        }
        another
    }

    pub(super) fn show(&mut self, text: &[u8]) {
        if !self.report.text.is_empty() {
            self.report.text.push('\n');
        }
        crate::text::escape_into(&mut self.report.text, trim_end(text));
    }

    /// Takes a line that this report does not refuse.
    pub fn take(&mut self, kind: Kind, text: &[u8], killed: Option<Killed>, place: &Place) {
        self.last = place.clone();
        self.strangers = 0;
        self.prefixed = place.prefixed;
        self.blank = false;
        self.lost = self.lost.saturating_add(std::mem::take(&mut self.lost_since));
        self.report.last_sequence = place.sequence.or(self.report.last_sequence);
        for line in std::mem::take(&mut self.waiting) {
            self.show(&line);
        }
        self.progress = self.progress.max(kind.progress());
        if kind.progress() > Kind::Stat.progress() {
            self.in_stat = false;
        }
        self.dumped |= matches!(kind, Kind::Cpu | Kind::TraceStart | Kind::Frame);
        if kind.progress() > Kind::Frame.progress() {
            self.foreign = false;
        }
        if kind == Kind::Stat {
            for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                self.show(line);
            }
        } else {
            self.show(text);
        }
        self.fill(kind, text, killed);
        let release =
            kind == Kind::Cpu && self.report.release.as_ref().is_some_and(|release| trim_end(text).ends_with(release));
        if place.cut && (edge::ends_in_name(kind) || release) {
            self.note(kind.field(), "the line is cut: its last name may be longer");
        }
    }
}
