//! The records of the kernel log that are kept while reports are still being printed, and which of them were shown.

use std::ops::RangeInclusive;

use crate::observe::kmsg::Record;

/// Records in the order of the log. Each is shown once, however often the reports in them are looked through.
#[derive(Default)]
pub(super) struct Records {
    kept: Vec<Record>,
    /// The numbers of those that were shown, in order.
    shown: Vec<u64>,
}

impl Records {
    pub(super) fn all(&self) -> &[Record] {
        &self.kept
    }

    /// The number of the first that is kept.
    pub(super) fn first(&self) -> Option<u64> {
        self.kept.first().map(|record| record.sequence)
    }

    pub(super) fn extend(&mut self, records: impl Iterator<Item = Record>) {
        self.kept.extend(records);
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.shown.clear();
    }

    /// Keeps the last `most` alone; gives how many went.
    pub(super) fn cut(&mut self, most: usize) -> usize {
        let excess = self.kept.len().saturating_sub(most);
        self.kept.drain(..excess);
        self.forget_shown();
        excess
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Record) -> bool) {
        self.kept.retain(keep);
        self.forget_shown();
    }

    /// The records of that range that were not shown before.
    pub(super) fn show(&mut self, range: RangeInclusive<u64>) -> Vec<Record> {
        let mut news = Vec::new();
        for record in self.kept.iter().filter(|record| range.contains(&record.sequence)) {
            if let Err(at) = self.shown.binary_search(&record.sequence) {
                self.shown.insert(at, record.sequence);
                news.push(record.clone());
            }
        }
        news
    }

    fn forget_shown(&mut self) {
        let first = self.first().unwrap_or(u64::MAX);
        self.shown.retain(|sequence| *sequence >= first);
    }
}
