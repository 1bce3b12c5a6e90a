//! One line of a log, as what holds the log is taken off.

use std::borrow::Cow;

use super::anchor::{self, anchor, Anchor, Told};
use super::scan::trim_start;

/// One line as it stands in the log, without what a quotation or a container adds to it.
#[derive(Debug, Default)]
pub(super) struct Raw<'a> {
    pub text: Cow<'a, [u8]>,
    /// The times that the container names.
    pub stamp: Option<Box<Stamp>>,
    /// A whole line that was taken out of a container.
    pub contained: bool,
    /// The words that tell where the kernel's text begins.
    pub anchor: Option<Anchor>,
    pub(super) columns: u32,
}

/// The kernel's clock and the calendar time, and the host.
#[derive(Debug)]
pub(super) struct Stamp {
    pub usec: Option<u64>,
    pub wall: Option<Vec<u8>>,
    pub host: Option<Vec<u8>>,
}

impl<'a> Raw<'a> {
    pub fn of(text: &'a [u8]) -> Raw<'a> {
        Raw { text: Cow::Borrowed(text), anchor: anchor(text), ..Raw::default() }
    }

    pub fn contained(text: Vec<u8>, usec: Option<u64>, wall: Option<&str>, host: Option<&str>) -> Raw<'a> {
        let anchor = anchor(&text);
        let bytes = |text: &str| text.as_bytes().to_vec();
        let stamp = Stamp { usec, wall: wall.map(bytes), host: host.map(bytes) };
        let told = usec.is_some() || wall.is_some() || host.is_some();
        let stamp = told.then(|| Box::new(stamp));
        Raw { text: Cow::Owned(text), anchor, stamp, contained: true, ..Raw::default() }
    }

    /// What the words tell with which a part of the line begins.
    pub fn told(&self, text: &[u8]) -> Option<Told> {
        let text = trim_start(text);
        match anchor::behind(&self.text, self.anchor, text) {
            Some(found) => found.filter(|anchor| anchor.start() == 0).map(|anchor| (anchor.kind, anchor.end())),
            None => anchor::here(text),
        }
    }

    /// The words that tell in a part of the line.
    pub fn anchor_in(&self, text: &[u8]) -> Option<Anchor> {
        anchor::behind(&self.text, self.anchor, text).unwrap_or_else(|| anchor(text))
    }

    /// Its length in the log, in characters.
    pub fn columns(&self) -> usize {
        self.columns as usize
    }

    /// Takes the length of a piece that was added to the end.
    pub fn ends_at(&mut self, piece: &Raw<'_>) {
        self.columns = piece.columns;
    }
}
