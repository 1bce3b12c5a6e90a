//! Puts lines together to reports: joins pieces, tells where one report ends and the next begins.

use std::collections::VecDeque;

use self::hosts::Lane;
use self::prelude::Prelude;
use super::draft::Draft;
use super::finish::LIMITED;
use super::lines::{self, Kind};
use super::place::Place;
use super::scan::{trim_end, trim_start};
use super::source::Line;
use super::{again, kill, parse, pieces, Report};
use crate::map::Map;

mod hosts;
mod prelude;

/// A line whose later pieces have not come yet.
#[derive(Debug)]
struct Open {
    kind: Kind,
    buffer: Vec<u8>,
    caller: Option<Vec<u8>>,
    place: Place,
    /// The longest piece: the kernel cuts records without a mark.
    longest: usize,
}

/// The kernel prints so many reports in this time, and of the others only the kills.
const AT_MOST: usize = 10;
const INTERVAL_USEC: u64 = 5_000_000;

/// Fewer missing records than this cannot hide the end of one report and the beginning of another.
const GAP: u64 = 32;

#[derive(Debug, Default)]
pub(super) struct Assembler {
    reports: Vec<Report>,
    /// Boxed: it is moved with every report.
    draft: Option<Box<Draft>>,
    open: Option<Open>,
    suppressed: Option<u64>,
    /// The report that holds the kill of a pid, for what the reaper says later.
    victims: Map<i32, usize>,
    sequence: Option<u64>,
    prelude: Prelude,
    /// When the last reports that were printed whole began.
    begun: VecDeque<u64>,
    /// The record before this one is in the log.
    unbroken: bool,
    /// How many lines there were, without and with something before them.
    lines: [usize; 2],
    /// Lines of the log were passed over, or taken before.
    pub(super) passed: bool,
    /// The host whose lines are being read, and the others whose reports have begun.
    host: Option<Vec<u8>>,
    lanes: Vec<Lane>,
}

impl Assembler {
    /// Takes the next line of the log.
    pub fn feed(&mut self, line: &Line<'_>) {
        self.count(line.sequence);
        if let Some(host) = line.host {
            self.turn_to(host, line);
        }
        if line.foreign || self.extend(line) {
            return;
        }
        self.lines[usize::from(line.prefixed)] += usize::from(!trim_start(&line.text).is_empty());
        let kind = match lines::classify(&line.text, self.context()) {
            Kind::Other if line.prefixed && lines::bare_invoker(&line.text).is_some() => Kind::Invoker,
            kind => kind,
        };
        if kind == Kind::Other {
            // A line that is broken by a mail program goes on at once or not at all.
            if self.open.as_ref().is_some_and(|open| !open.kind.in_pieces()) {
                self.close();
            }
            if let Some(draft) = &mut self.draft {
                draft.other(&line.text, line.prefixed);
            }
            if self.prelude.prefixed <= line.prefixed {
                let idle = self.draft.as_deref().is_none_or(Draft::has_killed);
                self.prelude.other(line, idle);
            }
            return;
        }
        self.close();
        let whole = pieces::complete(kind, &line.text, self.columns()) || (line.record && !kind.in_pieces());
        if whole {
            self.take(kind, &line.text, &Place::of(line), line.text.len());
        } else {
            self.open = Some(Open {
                kind,
                buffer: line.text.to_vec(),
                caller: line.caller.as_ref().map(|caller| caller.to_vec()),
                place: Place::of(line),
                longest: line.text.len(),
            });
        }
    }

    /// The reports that are complete, but the last so many: more may be said of those.
    pub fn done(&mut self, waiting: usize) -> Vec<Report> {
        let count = self.reports.len().saturating_sub(waiting);
        if count == 0 {
            return Vec::new();
        }
        self.victims.retain(|_, at| {
            let stays = *at >= count;
            *at = at.saturating_sub(count);
            stays
        });
        self.reports.drain(..count).collect()
    }

    /// Ends the report that is being read: no line has come for a while.
    pub fn pause(&mut self) {
        self.close();
        self.end_draft(true);
        self.end_lanes();
    }

    /// Whether a report has begun that the next lines may belong to.
    pub fn is_reading(&self) -> bool {
        self.open.is_some() || self.draft.as_ref().is_some_and(|draft| !draft.is_given_up()) || !self.lanes.is_empty()
    }

    pub fn has_reports(&self) -> bool {
        !self.reports.is_empty() || self.draft.is_some() || !self.lanes.is_empty()
    }

    /// All reports, the last one ended by the end of the log.
    pub fn finish(mut self) -> Vec<Report> {
        self.pause();
        self.reports
    }

    fn context(&self) -> lines::Context {
        let mut context = self.draft.as_deref().map(Draft::context).unwrap_or_default();
        context.in_trace |= self.draft.as_deref().is_none_or(Draft::has_killed);
        match self.open.as_ref().map(|open| open.kind) {
            Some(Kind::Invoker) => {
                context = lines::Context { in_report: true, in_trace: true, ..lines::Context::default() };
            }
            Some(Kind::StatHeader) => context.in_stat = true,
            Some(Kind::TableHeader) => context.in_table = true,
            _ => {}
        }
        context
    }

    fn columns(&self) -> usize {
        self.draft.as_ref().map_or(0, |draft| draft.columns())
    }

    /// Notices missing records and a log that begins anew.
    fn count(&mut self, sequence: Option<u64>) {
        self.unbroken = sequence.zip(self.sequence).is_some_and(|(now, last)| last.checked_add(1) == Some(now));
        let Some(sequence) = sequence else { return };
        if let Some(last) = self.sequence.replace(sequence) {
            match sequence.checked_sub(last) {
                Some(1) => {}
                Some(step) if step > 0 && step - 1 < GAP => {
                    if let Some(draft) = &mut self.draft {
                        draft.lose(step - 1);
                    }
                }
                _ => {
                    self.close();
                    self.end_draft(false);
                    self.suppressed = None;
                }
            }
        }
    }

    /// Adds the line to the one that is open, if it belongs to it.
    fn extend(&mut self, line: &Line<'_>) -> bool {
        let (context, columns) = (self.context(), self.columns());
        let Some(open) = &mut self.open else { return false };
        let (kind, piece) = (open.kind, line.text.as_ref());
        let belongs = if line.fragment {
            // Fragments of two CPUs may alternate; the caller tells them apart where the kernel prints it.
            let same = line.caller.is_none() || open.caller.as_deref() == line.caller.as_deref();
            same && (piece.is_empty() || pieces::continues(kind, &open.buffer, piece, true))
        } else {
            !line.record
                && lines::classify(piece, context) == Kind::Other
                && (pieces::continues(kind, &open.buffer, piece, false)
                    || (!line.prefixed && pieces::wrapped(kind, &open.buffer, piece, columns)))
        };
        if !belongs {
            return false;
        }
        pieces::join(kind, &mut open.buffer, piece, line.fragment);
        open.longest = open.longest.max(piece.len());
        if pieces::complete(kind, &open.buffer, columns) {
            self.close();
        }
        true
    }

    /// Takes the open line as it is.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        if open.kind == Kind::Invoker && trim_end(&open.buffer).ends_with(b" invoked") {
            // Nothing has come that makes it the kernel's.
            return;
        }
        let cut = open.kind.in_pieces()
            && !pieces::complete(open.kind, &open.buffer, 0)
            && !(open.kind == Kind::StatHeader && open.buffer.ends_with(b":"));
        self.take(open.kind, &open.buffer, &open.place, open.longest);
        if cut {
            if let Some(draft) = self.draft.as_mut().filter(|draft| !draft.has_note(open.kind.field())) {
                draft.note(open.kind.field(), "the line is cut, or its pieces are not in the log");
            }
        }
    }

    /// Takes one whole line.
    fn take(&mut self, kind: Kind, text: &[u8], place: &Place, longest: usize) {
        match kind {
            Kind::Suppressed => {
                self.suppressed = parse::suppressed(text);
                self.explain();
                return;
            }
            Kind::Reaper => {
                self.reaped(text, place);
                return;
            }
            _ => {}
        }
        let killed = if kind == Kind::Killed { kill::killed(text) } else { None };
        let begins = match &self.draft {
            None => true,
            Some(draft) => draft.is_over(place) || draft.refuses(kind, text, killed.as_ref()),
        };
        if begins {
            self.prelude.take(kind, text, place);
            if !kind.begins() {
                return;
            }
            self.end_draft(false);
            self.begin(kind, place);
        }
        if let Some(draft) = &mut self.draft {
            if !begins && draft.is_of_another(kind, text) {
                return;
            }
            draft.take(kind, text, killed, place);
            if kind.in_pieces() && longest >= LONG_PIECE {
                draft.note(kind.field(), "the line reached the kernel's limit of one record: a path may be cut");
            }
        }
    }

    /// The kernel says that it left reports out: those of the kills before.
    fn explain(&mut self) {
        if let Some(draft) = &mut self.draft {
            draft.ends.limited = true;
        }
        let bare = |report: &&mut Report| report.missing.first().is_some_and(|missing| missing.source == "report");
        for report in self.reports.iter_mut().rev().take_while(bare) {
            report.missing[0].reason = LIMITED.into();
        }
    }

    /// Whether the log shows as many reports in the time before as the kernel allows.
    fn is_full(&self, place: &Place) -> bool {
        let Some(now) = place.clock() else { return false };
        self.begun.len() == AT_MOST && self.begun.iter().all(|&before| now.abs_diff(before) <= INTERVAL_USEC)
    }

    /// Begins a report with a line of this kind.
    fn begin(&mut self, kind: Kind, place: &Place) {
        let mut draft = Box::new(Draft::new(place));
        draft.ends.first = !self.passed && self.reports.is_empty() && self.lines[usize::from(place.prefixed)] <= 1;
        draft.ends.limited = self.unbroken || self.is_full(place);
        if kind == Kind::Invoker {
            self.begun.extend(place.clock());
            if self.begun.len() > AT_MOST {
                self.begun.pop_front();
            }
        }
        let prelude = std::mem::take(&mut self.prelude);
        let overview = prelude.ends_in_memory(kind, place);
        if overview {
            draft.ends.first |= prelude.first;
            draft.begins_at(&prelude.begun);
        }
        if kind == Kind::Invoker {
            draft.suppressed(self.suppressed.take());
            draft.interrupts(prelude.interrupted());
        } else if prelude.is_of_oom() && !draft.is_far(&prelude.place) {
            draft.ends.first |= prelude.first;
            draft.begins_at(&prelude.place);
            for (kind, text) in prelude.lines {
                draft.take(kind, &text, None, &prelude.place);
            }
        }
        for text in prelude.memory.iter().filter(|_| overview) {
            draft.other(text, place.prefixed);
        }
        self.draft = Some(draft);
    }

    fn reaped(&mut self, text: &[u8], place: &Place) {
        let Some(reaped) = kill::reaper(text) else { return };
        if let Some(draft) = self.draft.as_mut().filter(|draft| draft.killed(reaped.pid)) {
            draft.reaped(reaped, text, place);
        } else if let Some(report) = self.victims.get(&reaped.pid).and_then(|&at| self.reports.get_mut(at)) {
            report.text.push('\n');
            report.text.push_str(&crate::text::escape(text));
            report.last_sequence = place.sequence.or(report.last_sequence);
            report.reaper.push(reaped);
        }
    }

    /// Ends the report that is being read; `last`: with the log.
    fn end_draft(&mut self, last: bool) {
        let Some(mut draft) = self.draft.take() else { return };
        draft.ends.last = last && draft.is_at_end();
        let report = draft.finish();
        let Some(at) = again::place(&self.reports, &self.victims, &report) else { return };
        for kill in &report.kills {
            self.victims.insert(kill.pid, at);
        }
        if at == self.reports.len() {
            self.reports.push(report);
        } else {
            self.reports[at] = report;
        }
    }
}

/// The kernel cuts records at 976 to 1024 bytes, header included.
const LONG_PIECE: usize = 960;
