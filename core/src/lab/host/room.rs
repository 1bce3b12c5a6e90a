//! Whether memoom itself has room: the host and the supervisor stand in a group too, and where that is nearly full the
//! kernel may take one of them in the middle of an experiment.

use std::fs;
use std::path::{Path, PathBuf};

use super::mountinfo::Mount;
use super::place::own_directory;
use crate::memcg::limits::human_size;
use crate::memcg::version::Version;
use crate::memcg::{v1, v2};
use crate::text::shown;

/// What a lab may take beside what this process has: 1 MiB with all sources, two hogs and an account, as measured; the rest is
/// for the accounts that it keeps.
const NEEDED: u64 = 6 << 20;

/// Whether memoom itself is safe, in words.
pub(super) fn ability(
    point: &Path,
    version: Version,
    mount: &Mount,
    own: Option<&Path>,
    swap_is_on: bool,
) -> Result<String, (String, String)> {
    match least(point, version, mount, own) {
        Ok(None) => Ok("no group in which this process stands has a limit".to_string()),
        Ok(Some(room)) if room.bytes() >= NEEDED || swap_is_on => Ok(room.says()),
        Ok(Some(room)) => Err((
            format!("{}: the kernel may kill memoom itself instead of its workers", room.says()),
            "raise that limit, end something there, or run memoom in another group".to_string(),
        )),
        Err(why) => Ok(format!("unknown: {why}")),
    }
}

/// The least room in the groups in which this process stands.
#[derive(Debug, PartialEq, Eq)]
struct Room {
    group: PathBuf,
    limit_bytes: u64,
    /// The usage; where that is much, without the page cache, which the kernel can drop.
    held_bytes: u64,
}

impl Room {
    fn bytes(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.held_bytes)
    }

    fn says(&self) -> String {
        let (held, limit) = (human_size(self.held_bytes), human_size(self.limit_bytes));
        let group = shown(&self.group);
        let needed = human_size(NEEDED);
        format!(
            "{group}, in which this process stands, holds {held} of its limit of {limit}; a lab takes up to {needed}"
        )
    }
}

/// The group, of the own one and those above it, with the least room; `None` where none has a limit.
///
/// # Errors
/// In words, what could not be read.
fn least(point: &Path, version: Version, mount: &Mount, own: Option<&Path>) -> Result<Option<Room>, String> {
    let Some(directory) = own.and_then(|own| own_directory(point, mount, own)) else {
        return Err("the own group is not seen through this mount".to_string());
    };
    let mut least: Option<Room> = None;
    for group in directory.ancestors() {
        let room = of(group, version).map_err(|(path, error)| format!("{}: {error}", shown(&path)))?;
        if let Some(room) = room.filter(|room| least.as_ref().is_none_or(|least| room.bytes() < least.bytes())) {
            least = Some(room);
        }
        if group == point {
            break;
        }
    }
    Ok(least)
}

/// The room of one group; `None` where it has no limit.
fn of(group: &Path, version: Version) -> Result<Option<Room>, (PathBuf, std::io::Error)> {
    let read = |file: &str| match fs::read_to_string(group.join(file)) {
        Ok(text) => Ok(Some(text)),
        // The top of v2 has none of them, and a group without the memory controller neither.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err((group.join(file), error)),
    };
    let (limit, usage, files) = match version {
        Version::V1 => (v1::LIMIT, v1::USAGE, ["total_inactive_file", "total_active_file"]),
        Version::V2 => (v2::LIMIT, v2::USAGE, ["inactive_file", "active_file"]),
    };
    let number = |text: Option<String>| text.and_then(|text| text.trim().parse::<u64>().ok());
    let Some(limit_bytes) = number(read(limit)?).filter(|bytes| *bytes < v1::UNLIMITED_FROM) else { return Ok(None) };
    let Some(usage) = number(read(usage)?) else { return Ok(None) };
    if usage + NEEDED <= limit_bytes {
        return Ok(Some(Room { group: group.to_path_buf(), limit_bytes, held_bytes: usage }));
    }
    let stat = read("memory.stat")?.unwrap_or_default();
    let cache: u64 =
        crate::memcg::counters::keyed(&stat).filter(|(name, _)| files.contains(name)).map(|(_, bytes)| bytes).sum();
    Ok(Some(Room { group: group.to_path_buf(), limit_bytes, held_bytes: usage.saturating_sub(cache) }))
}
