//! What stands in a log before the line that begins a report, and may be of it.

use super::super::draft::Draft;
use super::super::lines::Kind;
use super::super::place::Place;
use super::super::scan::trim_start;
use super::super::source::Line;
use super::super::{mem_read, trace};

/// Lines of a trace and of a memory overview before any report: its first lines may be lost, or the log begins in the middle.
#[derive(Debug, Default)]
pub(super) struct Prelude {
    pub lines: Vec<(Kind, Vec<u8>)>,
    pub place: Place,
    /// Nothing stands before it.
    pub first: bool,
    strangers: u32,
    any: bool,
    /// Something stood before its lines.
    pub prefixed: bool,
    /// A memory overview that was printed last, where it begins and ends, and how many lines stand behind it.
    pub memory: Vec<Vec<u8>>,
    reader: mem_read::Reader,
    pub begun: Place,
    ended: Place,
    behind: u32,
}

impl Prelude {
    /// A trace is no longer than this.
    const LONGEST: usize = 128;
    /// So many other lines may stand in a trace, registers and modules.
    const STRANGERS: u32 = 64;
    /// An overview of no more lines is kept, and no more lines of others stand behind it.
    const OVERVIEW: usize = 512;
    const BEHIND: u32 = 4;

    pub fn take(&mut self, kind: Kind, text: &[u8], place: &Place) {
        match kind {
            Kind::Cpu => *self = Prelude { any: self.any, prefixed: self.prefixed, ..Prelude::default() },
            Kind::TraceStart | Kind::Frame => {}
            _ => {
                self.any = true;
                return;
            }
        }
        if self.lines.is_empty() {
            self.place = place.clone();
            self.first = !self.any || (place.prefixed && !self.prefixed);
        }
        self.prefixed |= place.prefixed;
        self.any = true;
        self.strangers = 0;
        if self.lines.len() < Prelude::LONGEST {
            self.lines.push((kind, text.to_vec()));
        }
    }

    /// `idle`: the line is of no report that has begun.
    pub fn other(&mut self, line: &Line<'_>, idle: bool) {
        let overview = idle && self.overview(line);
        self.any = true;
        self.prefixed |= line.prefixed;
        self.strangers += u32::from(!overview);
        if !self.lines.is_empty() && (self.strangers > Prelude::STRANGERS || trace::is_alarm(&line.text)) {
            *self = Prelude { any: true, prefixed: self.prefixed, ..Prelude::default() };
        }
    }

    /// Keeps the line, if it is one of a memory overview whose report may follow.
    fn overview(&mut self, line: &Line<'_>) -> bool {
        let taken = self.reader.take(&line.text);
        if taken {
            self.ended = Place::of(line);
            if self.memory.is_empty() {
                self.first |= !self.any;
                self.begun = self.ended.clone();
            }
            self.behind = 0;
            if self.memory.len() < Prelude::OVERVIEW {
                self.memory.push(line.text.to_vec());
            }
        } else if !self.memory.is_empty() && !trim_start(&line.text).is_empty() {
            self.behind += 1;
            if self.behind > Prelude::BEHIND {
                (self.memory, self.reader) = (Vec::new(), mem_read::Reader::default());
            }
        }
        taken
    }

    /// Whether an overview stands right before a line of this kind: a table, or the kill where none is printed.
    pub fn ends_in_memory(&self, kind: Kind, place: &Place) -> bool {
        let most = match kind {
            Kind::TableTitle | Kind::TableHeader | Kind::Row => Prelude::BEHIND,
            Kind::KillProcess | Kind::NoKillable => 0,
            _ => return false,
        };
        !self.memory.is_empty() && self.behind <= most && !Draft::new(&self.ended).is_far(place)
    }

    /// Whether the trace of another task was being printed, and whether its frames had begun.
    pub fn interrupted(&self) -> Option<bool> {
        (!self.lines.is_empty() && self.strangers <= 1).then(|| self.lines.iter().any(|(kind, _)| *kind != Kind::Cpu))
    }

    pub fn is_of_oom(&self) -> bool {
        let mut frames = self.lines.iter().filter(|(kind, _)| *kind == Kind::Frame);
        frames.any(|(_, text)| trace::frames(text).iter().any(|frame| trace::is_of_oom(&frame.function)))
    }
}
