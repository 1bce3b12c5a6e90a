//! Reads a log of any length piece by piece, with memory bounded by a window and never by the log.
//!
//! Most of a log is not about an OOM. What holds none of the words that every report has is passed over at the speed of
//! a search; only around them is the log taken apart.

use memchr::memmem::{self, Finder};

use super::assemble::Assembler;
use super::lines::WORDS;
use super::wide::Form;
use super::{stream, Report};

/// So much of a log is taken apart at a time. A log that is shorter gives exactly what [`parse_reports`](super::parse_reports)
/// gives.
const WINDOW: usize = 4 << 20;
/// So much is kept in front of a word: a report may begin before the first word that tells.
const BEFORE: usize = 64 << 10;
/// A report is over where so much follows its last word.
const BEHIND: usize = 256 << 10;
/// So many reports wait for what may still be said of them: the reaper's lines, a second copy.
const WAITING: usize = 64;
/// Of the lines that look like a report where there is none, so many are kept, and so much of each.
const LOOKALIKES: usize = 8;
const LOOKALIKE_BYTES: usize = 240;

/// Reads reports from a log that is fed piece by piece.
///
/// ```
/// use memoom::observe::report::ReportReader;
///
/// let mut reader = ReportReader::new();
/// let mut reports = reader.feed(b"Memory cgroup out of memory: Killed process 7 (a) ");
/// reports.extend(reader.feed(b"total-vm:4kB, anon-rss:4kB\n"));
/// reports.extend(reader.finish());
/// assert_eq!(reports[0].kills[0].pid, 7);
/// ```
#[derive(Debug)]
pub struct ReportReader {
    assembler: Assembler,
    pending: Vec<u8>,
    /// Where a word that tells stands last in `pending`.
    told: Option<usize>,
    /// UTF-16 becomes text before anything else is looked at.
    form: Form,
    /// Bytes since the last end of a line.
    line_bytes: u64,
    any: bool,
    /// Something was taken apart: what comes next does not begin the log. Its last line may still be open.
    parsed: bool,
    lookalikes: Vec<Vec<u8>>,
    lookalike_count: u64,
    words: [Finder<'static>; 3],
}

impl Default for ReportReader {
    fn default() -> ReportReader {
        ReportReader {
            assembler: Assembler::default(),
            pending: Vec::new(),
            told: None,
            form: Form::default(),
            line_bytes: 0,
            any: false,
            parsed: false,
            lookalikes: Vec::new(),
            lookalike_count: 0,
            words: WORDS.map(Finder::new),
        }
    }
}

/// The longest of the words that tell.
const LONGEST: usize = 13;

impl ReportReader {
    /// A reader at the beginning of a log.
    pub fn new() -> ReportReader {
        ReportReader::default()
    }

    /// Takes the next piece of the log, cut anywhere; gives the reports that are complete.
    pub fn feed(&mut self, piece: &[u8]) -> Vec<Report> {
        // In pieces of a window each, so that a large one does not make the memory large.
        for piece in piece.chunks(WINDOW) {
            let text = self.form.text(piece);
            self.take(&text);
        }
        self.assembler.done(WAITING)
    }

    /// Gives what is whole so far, to be called now and then where a log is followed. A report that has begun and names
    /// no victim yet stays open, however slowly it comes.
    pub fn settle(&mut self) -> Vec<Report> {
        self.look();
        let end = self.end_of_lines();
        let text = &self.pending[..end];
        let begun = memmem::rfind(text, b"invoked oom-killer");
        let open = begun.filter(|&at| memmem::find(&text[at..], b"illed process").is_none());
        let open = open.filter(|&at| memmem::find(&text[at..], b"no killable").is_none());
        self.complete(open.map_or(end, |at| memchr::memrchr2(b'\n', b'\r', &text[..at]).map_or(0, |at| at + 1)))
    }

    /// Nothing has come for a while: what was read so far is complete. For logs that are followed.
    pub fn quiet(&mut self) -> Vec<Report> {
        self.look();
        self.complete(self.end_of_lines())
    }

    /// What is too little to tell how the log is written is taken as it looks.
    fn look(&mut self) {
        let text = self.form.decide();
        self.take(&text);
    }

    fn end_of_lines(&self) -> usize {
        memchr::memrchr(b'\n', &self.pending).map_or(0, |at| at + 1)
    }

    /// Gives all reports up to there.
    fn complete(&mut self, end: usize) -> Vec<Report> {
        if self.told.is_some() || self.assembler.is_reading() {
            self.parse(end);
        }
        self.assembler.pause();
        self.assembler.done(0)
    }

    /// The log ends here: gives the rest.
    pub fn finish(&mut self) -> Vec<Report> {
        let last = self.form.last();
        self.take(&last);
        if self.told.is_some() || self.assembler.is_reading() {
            self.parse(self.pending.len());
        }
        let reports = std::mem::take(&mut self.assembler).finish();
        self.any |= !reports.is_empty();
        reports
    }

    /// How long the line is that has not ended yet, in bytes. What has no ends of lines is no log.
    pub fn line_bytes(&self) -> u64 {
        // What is held until it is clear how the log is written counts too.
        open_line(self.line_bytes, self.form.held())
    }

    /// Where no report was found: how many lines look like a part of one, and the first of them, each cut to 240 bytes.
    pub fn lookalikes(&self) -> (u64, &[Vec<u8>]) {
        (self.lookalike_count, &self.lookalikes)
    }

    fn take(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        self.line_bytes = open_line(self.line_bytes, piece);
        // A word may stand across the edge of two pieces.
        let edge = self.pending.len().saturating_sub(LONGEST);
        let found = self.last_word(piece);
        let known = self.told.is_some() || self.assembler.is_reading();
        if found.is_none() && !known && !self.across(edge, piece) {
            // Only what may stand before the first word is kept.
            let before = self.pending.len() + piece.len();
            if piece.len() >= BEFORE {
                self.pending.clear();
            } else if before > 2 * BEFORE {
                self.pending.drain(..before - BEFORE);
            }
            self.assembler.passed |= self.pending.len() + piece.len().min(BEFORE) < before;
            self.pending.extend_from_slice(&piece[piece.len().saturating_sub(BEFORE)..]);
            return;
        }
        let from = self.pending.len();
        self.pending.extend_from_slice(piece);
        self.told = found.map(|at| from + at).or(self.told).or(Some(from));
        let over = self.told.is_some_and(|at| self.pending.len() - at.min(self.pending.len()) > BEHIND);
        if self.pending.len() >= WINDOW || (over && self.any_passed()) {
            let cut = self.cut();
            self.parse(cut);
        }
    }

    /// A log that fits into the window is left to the end, so that it is read as a whole.
    fn any_passed(&self) -> bool {
        self.parsed || self.assembler.passed
    }

    /// Where the window is cut: before the last report that begins in it, else at the end of a line.
    fn cut(&self) -> usize {
        let lines = |to: usize| memchr::memrchr2(b'\n', b'\r', &self.pending[..to]).map(|at| at + 1);
        let last = memmem::rfind(&self.pending, b"invoked oom-killer").and_then(lines);
        let end = lines(self.pending.len()).unwrap_or(self.pending.len());
        last.filter(|at| *at > self.pending.len() / 4).unwrap_or(end)
    }

    /// Takes the window apart up to there.
    fn parse(&mut self, end: usize) {
        let rest = self.pending.split_off(end);
        let window = std::mem::replace(&mut self.pending, rest);
        let assembler = &mut self.assembler;
        assembler.passed |= std::mem::replace(&mut self.parsed, true);
        stream::lines(&window, |line| assembler.feed(line));
        self.any |= assembler.has_reports();
        if !self.any {
            self.look_alike(&window);
        }
        self.told = self.last_word(&self.pending);
    }

    fn look_alike(&mut self, window: &[u8]) {
        for line in window.split(|&byte| byte == b'\n') {
            if self.last_word(line).is_some() {
                self.lookalike_count += 1;
                if self.lookalikes.len() < LOOKALIKES {
                    self.lookalikes.push(line[..line.len().min(LOOKALIKE_BYTES)].to_vec());
                }
            }
        }
    }

    fn across(&self, edge: usize, piece: &[u8]) -> bool {
        let joint = [&self.pending[edge..], &piece[..piece.len().min(LONGEST)]].concat();
        self.last_word(&joint).is_some()
    }

    /// Where a word stands, near the end of a text if it is there.
    fn last_word(&self, text: &[u8]) -> Option<usize> {
        let mut last = None;
        for word in &self.words {
            last = last.max(word.find_iter(text).filter(|&at| is_word(text, at)).last());
        }
        last
    }
}

/// How long the line is that has not ended yet, when this follows so many bytes of it.
fn open_line(before: u64, text: &[u8]) -> u64 {
    match memchr::memrchr2(b'\n', b'\r', text) {
        Some(at) => (text.len() - at) as u64 - 1,
        None => before.saturating_add(text.len() as u64),
    }
}

/// `room` and `zoom` are none.
fn is_word(text: &[u8], at: usize) -> bool {
    if text[at] != b'o' {
        return true;
    }
    let before = at.checked_sub(1).map(|at| text[at]);
    let after = text.get(at + 3);
    !before.is_some_and(|byte| byte.is_ascii_alphanumeric()) && matches!(after, Some(b'-' | b'_' | b'.') | None)
}
