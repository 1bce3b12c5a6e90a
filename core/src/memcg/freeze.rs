//! The freezer of cgroup v2: everybody in a group stands still.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, TryLockError};

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

/// Starts the freezing, unless a worker is being started; whether it did.
pub(crate) fn freeze_between_births(dir: &Dir) -> Result<bool> {
    let _no_birth = match BIRTHS.try_write() {
        Ok(free) => free,
        Err(TryLockError::Poisoned(free)) => free.into_inner(),
        Err(TryLockError::WouldBlock) => return Ok(false),
    };
    dir.write(FREEZE, "1").map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_group_freezes_while_somebody_is_born() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join(FREEZE);
        std::fs::write(&file, "0").unwrap();
        let dir = Dir::open(place.path()).unwrap();
        let _birth = birth();
        assert!(!freeze_between_births(&dir).unwrap());
        assert_eq!(std::fs::read_to_string(file).unwrap(), "0");
    }
}
