//! The freezer of cgroup v2: everybody in a group stands still.

use super::counters::keyed;
use super::files::Dir;
use crate::error::Result;

pub(crate) const FREEZE: &str = "cgroup.freeze";
pub(crate) const CGROUP_EVENTS: &str = "cgroup.events";

/// Whether every process of the group stands still.
pub(crate) fn is_frozen(dir: &Dir) -> Result<bool> {
    let text = dir.read(CGROUP_EVENTS)?.unwrap_or_default();
    let frozen = keyed(&text).any(|pair| pair == ("frozen", 1));
    Ok(frozen)
}

/// Starts or ends the freezing, without waiting for it.
pub(crate) fn write_freeze(dir: &Dir, on: bool) -> Result<()> {
    dir.write(FREEZE, if on { "1" } else { "0" })
}
