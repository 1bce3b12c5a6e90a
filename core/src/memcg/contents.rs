//! What the files of a group say of its contents at one moment: the usage, and the statistics as they were read.

use serde::{Deserialize, Serialize};

use super::counters::{charged_ahead_bytes, keyed};
use super::files::Dir;
use super::version::Version;
use super::{v1, v2};
use crate::error::Result;
use crate::sys;

/// Groups directly below another that are looked at.
const MOST_BELOW: usize = 64;

/// A file of every group of v2 but the top, whoever has the cpu controller.
const FLUSHES: &str = "cpu.stat";

/// What of a usage stands in `memory.stat` of v2, all parts that do not overlap.
fn told_bytes(stat: &str) -> u64 {
    const PARTS: [&str; 5] = ["anon", "file", "kernel", "sock", "hugetlb"];
    keyed(stat).filter(|(name, _)| PARTS.contains(name)).map(|(_, value)| value).sum()
}

/// Whether the parts are others than the usage, by more than what is charged ahead.
fn is_old(stat: &str, usage_bytes: u64) -> bool {
    told_bytes(stat).abs_diff(usage_bytes) > charged_ahead_bytes(sys::page_size(), sys::online_cpus())
}

/// A group directly below another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Below {
    pub(crate) name: Vec<u8>,
    pub(crate) usage_bytes: Option<u64>,
    pub(crate) limit_bytes: Option<u64>,
}

/// The files of a group that tell what its charged bytes are, read one after the other.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Contents {
    pub(crate) version: Version,
    /// `memory.usage_in_bytes`, `memory.current`; the top group of v2 has none.
    pub(crate) usage_bytes: Option<u64>,
    /// `memory.stat` as it is.
    pub(crate) stat: String,
    /// All memory of the kernel for the group: `memory.kmem.usage_in_bytes` (v1); v2 has it in `memory.stat`.
    pub(crate) kernel_bytes: Option<u64>,
    /// Memory of TCP sockets, which v1 counts apart: `memory.kmem.tcp.usage_in_bytes`.
    pub(crate) tcp_bytes: Option<u64>,
    /// Bytes in swap: `memory.swap.current` (v2); v1 has it in `memory.stat`.
    pub(crate) swap_bytes: Option<u64>,
    /// When the first of them was read, in nanoseconds of CLOCK_MONOTONIC.
    pub(crate) read_ns: u64,
}

impl Contents {
    /// Reads them.
    pub(crate) fn read(dir: &Dir, version: Version) -> Result<Contents> {
        let read_ns = sys::monotonic_ns();
        let usage = if version == Version::V1 { v1::USAGE } else { v2::USAGE };
        let usage_bytes = dir.number(usage)?;
        let mut stat = dir.read("memory.stat")?.unwrap_or_default();
        // Up to 6.7 a reader who meets another one at it is given old numbers; this file brings all of them together first.
        if version == Version::V2
            && usage_bytes.is_some_and(|usage| is_old(&stat, usage))
            && dir.read(FLUSHES)?.is_some()
        {
            stat = dir.read("memory.stat")?.unwrap_or_default();
        }
        let (kernel_bytes, tcp_bytes, swap_bytes) = match version {
            Version::V1 => {
                (dir.number("memory.kmem.usage_in_bytes")?, dir.number("memory.kmem.tcp.usage_in_bytes")?, None)
            }
            Version::V2 => (None, None, dir.number("memory.swap.current")?),
        };
        Ok(Contents { version, usage_bytes, stat, kernel_bytes, tcp_bytes, swap_bytes, read_ns })
    }

    /// The same while a victim may be giving back what it holds: the usage is the lesser one of before and after, so that
    /// statistics of another moment show.
    pub(crate) fn read_at_once(dir: &Dir, version: Version) -> Result<Contents> {
        let contents = Contents::read(dir, version)?;
        let after = dir.number(if version == Version::V1 { v1::USAGE } else { v2::USAGE })?;
        Ok(Contents { usage_bytes: contents.usage_bytes.min(after), ..contents })
    }

    /// The groups directly below: name, usage and own limit. Most groups have none, which the number of links tells.
    pub(crate) fn read_below(dir: &Dir, version: Version) -> Result<Vec<Below>> {
        if dir.links()? <= 2 {
            return Ok(Vec::new());
        }
        let (usage, limit) = match version {
            Version::V1 => (v1::USAGE, v1::LIMIT),
            Version::V2 => (v2::USAGE, v2::LIMIT),
        };
        let mut found = Vec::new();
        for name in dir.dirs()?.into_iter().take(MOST_BELOW) {
            use std::os::unix::ffi::OsStrExt;
            let Some(below) = dir.dir_if_there(std::ffi::OsStr::from_bytes(&name))? else { continue };
            let limit = match version {
                Version::V1 => v1::limit(&below, limit),
                Version::V2 => v2::limit(&below, limit),
            };
            let limit_bytes = limit.ok().flatten().and_then(super::limits::Limit::bytes);
            found.push(Below { name, usage_bytes: below.number(usage).ok().flatten(), limit_bytes });
        }
        Ok(found)
    }

    /// Page cache of the group: the kernel drops it before it declares an OOM. memory.stat is some seconds behind, which
    /// does not matter to a worker that takes anonymous memory.
    pub(crate) fn file_lists_bytes(&self) -> u64 {
        let names = match self.version {
            Version::V1 => ["total_active_file", "total_inactive_file"],
            Version::V2 => ["active_file", "inactive_file"],
        };
        keyed(&self.stat).filter(|(name, _)| names.contains(name)).map(|(_, value)| value).sum()
    }
}
