//! Where a line stands in a log.

use super::source::Line;

/// Where a line stands in the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub usec: Option<u64>,
    pub day_second: Option<u32>,
    pub wall: Option<Vec<u8>>,
    pub sequence: Option<u64>,
    /// Something stood before the line.
    pub prefixed: bool,
    /// The line ends where the log was cut off at the right.
    pub cut: bool,
}

impl Place {
    pub fn of(line: &Line<'_>) -> Place {
        Place {
            usec: line.moment.usec,
            day_second: line.moment.day_second(),
            wall: line.moment.wall.map(<[u8]>::to_vec),
            sequence: line.sequence,
            prefixed: line.prefixed,
            cut: line.cut,
        }
    }

    /// A number that grows by a million each second.
    pub fn clock(&self) -> Option<u64> {
        self.usec.or(self.day_second.map(|second| u64::from(second) * 1_000_000))
    }
}
