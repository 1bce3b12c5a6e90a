//! The freezer of cgroup v2: everybody in a group stands still.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::counters::keyed;
use super::files::Dir;
use crate::error::Result;

pub(crate) const FREEZE: &str = "cgroup.freeze";
pub(crate) const CGROUP_EVENTS: &str = "cgroup.events";

/// Who is born into a group that freezes stands still before its program begins, and with it the supervisor, which sleeps
/// until then: no group freezes while a worker is started.
static BIRTHS: RwLock<()> = RwLock::new(());

/// Nobody of this process freezes a group as long as this is held.
pub(crate) fn birth() -> RwLockReadGuard<'static, ()> {
    BIRTHS.read().unwrap_or_else(PoisonError::into_inner)
}

/// Whether every process of the group stands still.
pub(crate) fn is_frozen(dir: &Dir) -> Result<bool> {
    let text = dir.read(CGROUP_EVENTS)?.unwrap_or_default();
    let frozen = keyed(&text).any(|pair| pair == ("frozen", 1));
    Ok(frozen)
}

/// Starts or ends the freezing, without waiting for it.
pub(crate) fn write_freeze(dir: &Dir, on: bool) -> Result<()> {
    let _no_birth = on.then(|| BIRTHS.write().unwrap_or_else(PoisonError::into_inner));
    dir.write(FREEZE, if on { "1" } else { "0" })
}
