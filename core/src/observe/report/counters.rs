//! The statistics of a report while their lines come in.

use super::lines;
use super::scan::{number, split};
use super::seen::Seen;
use super::Stat;

/// Counters being collected, each name once.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub list: Vec<(String, u64)>,
    names: Seen,
    /// A value that does not fit.
    pub overflow: bool,
}

impl Counters {
    fn put(&mut self, name: &[u8], value: Option<u64>) {
        let Some(value) = value else {
            self.overflow = true;
            return;
        };
        let name = String::from_utf8_lossy(name);
        if self.names.put(self.names.print(&*name)) {
            self.list.push((name.into_owned(), value));
        }
    }

    /// `key value` lines.
    pub fn lines(&mut self, text: &[u8]) {
        for line in text.split(|&byte| byte == b'\n') {
            if let Some((key, value)) = lines::stat_pair(line) {
                self.put(key, number(value).map(|(value, _)| value));
            }
        }
    }

    /// `name:NKB` words.
    pub fn words(&mut self, text: &[u8]) {
        for word in text.split(|&byte| byte == b' ').filter(|word| !word.is_empty()) {
            if let Some((key, value)) = split(word, b":") {
                let bytes = number(value).filter(|(_, unit)| matches!(*unit, b"KB" | b"kB"));
                self.put(key, bytes.and_then(|(kib, _)| kib.checked_mul(1024)));
            }
        }
    }

    /// Takes the last one off: a cut may have shortened its digits.
    pub fn drop_last(&mut self) {
        if let Some((name, _)) = self.list.pop() {
            self.names.take(self.names.print(&*name));
        }
    }

    pub fn stat(self) -> Stat {
        Stat(self.list)
    }
}
