//! The line by which a hook raises the limit.

use crate::memcg::limits::parse_size;

/// The beginning of the line.
const RAISE: &[u8] = b"memoom: raise ";

/// The size of the last line `memoom: raise SIZE`, also of one that is not kept.
#[derive(Debug, Default)]
pub(super) struct Raise {
    /// The line so far, as much of it as could be one.
    line: Vec<u8>,
    size: Option<u64>,
}

impl Raise {
    const LONGEST: usize = 64;

    pub(super) fn read(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line();
            } else if self.line.len() < Self::LONGEST {
                self.line.push(byte);
            }
        }
    }

    fn end_line(&mut self) {
        if let Some(size) = self.line.strip_prefix(RAISE) {
            self.size = std::str::from_utf8(size).ok().and_then(|size| parse_size(size.trim()).ok());
        }
        self.line.clear();
    }

    pub(super) fn last(&mut self) -> Option<u64> {
        self.end_line();
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_raises_counts() {
        let of = |parts: &[&str]| {
            let mut raise = Raise::default();
            parts.iter().for_each(|part| raise.read(part.as_bytes()));
            raise.last()
        };
        assert_eq!(of(&["memoom: raise 10M\nx\nmemoom: raise 20M\n"]), Some(20 << 20));
        assert_eq!(of(&["x\nmemo", "om: raise 2", "0M"]), Some(20 << 20), "however it comes");
        let long = format!("{}\nmemoom: raise 20M\n", "memoom: raise 10M ".repeat(9));
        assert_eq!(of(&[&long]), Some(20 << 20));
        for none in ["", "raise 10M", " memoom: raise 10M", "memoom: raise", "memoom: raise 10X", "memoom: raise max"] {
            assert_eq!(of(&[none]), None, "{none}");
        }
    }
}
