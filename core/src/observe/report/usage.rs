//! What a report says of groups: their counters, statistics and protection.

use serde::Serialize;

use crate::memcg::Stat;

/// One counter with its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes in use.
    pub usage_bytes: u64,
    /// The limit in bytes; `None` is unlimited.
    pub limit_bytes: Option<u64>,
    /// How often the limit was hit; on cgroup v2 0 before 6.15, then the `max` of memory.events.
    pub failcnt: u64,
}

/// The statistics of a group below the one whose limit was hit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupStat {
    /// The group's path from the root of the hierarchy.
    #[serde(serialize_with = "crate::text::bytes")]
    pub path: Vec<u8>,
    /// Its statistics, in bytes.
    pub stat: Stat,
}

/// `Memory cgroup min protection …kB -- low protection …kB`
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Protection {
    /// Bytes of the children that memory.min protects.
    pub min_bytes: u64,
    /// Bytes of the children that memory.low protects.
    pub low_bytes: u64,
}
