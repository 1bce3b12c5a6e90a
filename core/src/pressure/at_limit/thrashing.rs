//! A group that neither meets its limit nor gets anywhere: its last files are dropped and read again without end. On v1 nobody
//! waits then, and where the killer is off nobody ever may. No I/O, no clock.

use std::time::Duration;

/// How often one looks.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// So many looks in a row must show it.
const ENOUGH: u32 = 5;
/// Within this part of the limit the usage stands at it.
const NEAR: u64 = 64;

/// What one look sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) usage_bytes: u64,
    pub(super) limit_bytes: u64,
    /// Bytes of files in memory.
    pub(super) file_bytes: u64,
    /// Bytes of files that had been dropped and were read again, since the group was made.
    pub(super) refault_bytes: u64,
}

/// What the looks so far have shown.
#[derive(Debug, Default)]
pub(super) struct Thrashing {
    before: Option<Seen>,
    in_a_row: u32,
}

impl Thrashing {
    /// Whether it is one: for some looks in a row the usage stood at the limit, and all files in memory were read again.
    pub(super) fn is_shown(&mut self, seen: Seen) -> bool {
        let again = self.before.map(|before| seen.refault_bytes.saturating_sub(before.refault_bytes));
        let is_full = seen.usage_bytes + seen.limit_bytes / NEAR >= seen.limit_bytes;
        let is_one = is_full && again.is_some_and(|again| again > 0 && again >= seen.file_bytes);
        self.in_a_row = if is_one { self.in_a_row + 1 } else { 0 };
        self.before = Some(seen);
        self.in_a_row >= ENOUGH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn looks(seen: impl Fn(u64) -> Seen) -> bool {
        let mut thrashing = Thrashing::default();
        (0..20).any(|at| thrashing.is_shown(seen(at)))
    }

    #[test]
    fn it_takes_a_full_group_whose_files_are_all_read_again_for_a_while() {
        let node = |at: u64| Seen {
            usage_bytes: 100 * MIB - 65536,
            limit_bytes: 100 * MIB,
            file_bytes: 7 * MIB,
            refault_bytes: at * 200 * MIB,
        };
        assert!(looks(node));
        assert!(!looks(|at| Seen { usage_bytes: 90 * MIB, ..node(at) }), "there is room");
        assert!(!looks(|at| Seen { refault_bytes: at * MIB, ..node(at) }), "most of its files stay");
        assert!(!looks(|at| Seen { refault_bytes: 0, file_bytes: 0, ..node(at) }), "it has no files");
        // A program that reads a large file in turns has rests.
        assert!(!looks(|at| Seen { refault_bytes: at / 4 * 800 * MIB, ..node(at) }));
    }
}
