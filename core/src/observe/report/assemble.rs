//! Puts lines together to reports: joins pieces, tells where one report ends and the next begins.

use super::draft::Draft;
use super::lines::{self, Kind};
use super::source::Line;
use super::{kill, parse, Report};
use crate::map::Map;

/// Where a line stands in the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub usec: Option<u64>,
    pub day_second: Option<u32>,
    pub wall: Option<Vec<u8>>,
    pub sequence: Option<u64>,
}

impl Place {
    fn of(line: &Line<'_>) -> Place {
        Place {
            usec: line.moment.usec,
            day_second: line.moment.day_second(),
            wall: line.moment.wall.map(<[u8]>::to_vec),
            sequence: line.sequence,
        }
    }
}

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
}

impl Assembler {
    /// Takes the next line of the log.
    pub fn feed(&mut self, line: &Line<'_>) {
        self.count(line.sequence);
        if line.foreign || self.extend(line) {
            return;
        }
        let kind = lines::classify(&line.text, self.context());
        if kind == Kind::Other {
            // A line that is broken by a mail program goes on at once or not at all.
            if self.open.as_ref().is_some_and(|open| !open.kind.in_pieces()) {
                self.close();
            }
            if let Some(draft) = &mut self.draft {
                draft.other(&line.text);
            }
            return;
        }
        self.close();
        let whole = lines::complete(kind, &line.text, self.columns()) || (line.record && !kind.in_pieces());
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

    /// All reports, the last one ended by the end of the log.
    pub fn finish(mut self) -> Vec<Report> {
        self.close();
        self.end_draft();
        self.reports
    }

    fn context(&self) -> lines::Context {
        let mut context = self.draft.as_deref().map(Draft::context).unwrap_or_default();
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
                    self.end_draft();
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
            same && (piece.is_empty() || lines::continues(kind, &open.buffer, piece, true))
        } else {
            !line.record
                && lines::classify(piece, context) == Kind::Other
                && (lines::continues(kind, &open.buffer, piece, false)
                    || (!line.prefixed && lines::wrapped(kind, &open.buffer, piece, columns)))
        };
        if !belongs {
            return false;
        }
        lines::join(kind, &mut open.buffer, piece, line.fragment);
        open.longest = open.longest.max(piece.len());
        if lines::complete(kind, &open.buffer, columns) {
            self.close();
        }
        true
    }

    /// Takes the open line as it is.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let cut = open.kind.in_pieces()
            && !lines::complete(open.kind, &open.buffer, 0)
            && !(open.kind == Kind::StatHeader && open.buffer.ends_with(b":"));
        self.take(open.kind, &open.buffer, &open.place, open.longest);
        if cut {
            if let Some(draft) = &mut self.draft {
                draft.note(open.kind.field(), "the line is cut, or its pieces are not in the log");
            }
        }
    }

    /// Takes one whole line.
    fn take(&mut self, kind: Kind, text: &[u8], place: &Place, longest: usize) {
        match kind {
            Kind::Suppressed => {
                self.suppressed = parse::suppressed(text);
                return;
            }
            Kind::Reaper => {
                self.reaped(text, place);
                return;
            }
            _ => {}
        }
        let begins = match &self.draft {
            None => true,
            Some(draft) => draft.is_over(place) || draft.refuses(kind, text),
        };
        if begins {
            if !starts_report(kind) {
                return;
            }
            self.end_draft();
            let mut draft = Box::new(Draft::new(place));
            if kind == Kind::Invoker {
                draft.suppressed(self.suppressed.take());
            }
            self.draft = Some(draft);
        }
        if let Some(draft) = &mut self.draft {
            draft.take(kind, text, place);
            if kind.in_pieces() && longest >= LONG_PIECE {
                draft.note(kind.field(), "the line reached the kernel's limit of one record: a path may be cut");
            }
        }
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

    fn end_draft(&mut self) {
        let Some(draft) = self.draft.take() else { return };
        let report = draft.finish();
        for kill in &report.kills {
            self.victims.insert(kill.pid, self.reports.len());
        }
        self.reports.push(report);
    }
}

/// The kernel cuts records at 976 to 1024 bytes, header included.
const LONG_PIECE: usize = 960;

/// Whether a line tells enough to be the beginning of a report whose first lines are lost.
fn starts_report(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Invoker
            | Kind::TaskIn
            | Kind::LimitReached
            | Kind::Usage
            | Kind::StatHeader
            | Kind::TableTitle
            | Kind::TableHeader
            | Kind::Summary
            | Kind::KillProcess
            | Kind::Exiting
            | Kind::Killed
            | Kind::GroupTail
            | Kind::NoKillable
    )
}
