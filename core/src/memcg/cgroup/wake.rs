//! The wake that the kernel forgets (v1): who goes to wait in an OOM that is over by then waits for ever.
//!
//! Whoever is refused memory goes to wait a moment later. Room that is made, or a killer that is turned on, in between
//! wakes only those that wait already (`memcg_oom_recover`): the latecomer sleeps beside free memory until something else
//! in the group gives memory back. The group rings when it comes to rest, so it is looked at then; what another CPU has
//! charged ahead may come back later still, so whoever looks who waits looks for this too.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::pause::killer_is_off;
use super::Cgroup;
use crate::error::Result;
use crate::memcg::limits::Limit;
use crate::memcg::v1;
use crate::memcg::version::Version;
use crate::sys;

/// Who waits again beside the same room may have taken it, and be forgotten anew since it came back, or wait for something
/// else. Nothing tells the two apart, so it is woken again, and not at every look.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Why nobody has to wait in an OOM.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Relief {
    /// The OOM killer is on, in the group and in those above it.
    Killer,
    /// There is room, at so much usage below such a limit.
    Room(u64, Limit),
}

/// What whoever waits was last woken for, and when.
#[derive(Debug)]
pub(crate) struct Woken {
    relief: Relief,
    at: Instant,
}

impl Woken {
    /// Whether it was for that very relief, a moment ago.
    fn was_for(&self, relief: &Relief) -> bool {
        self.relief == *relief && self.at.elapsed() < AGAIN_AFTER
    }
}

/// What holds those that wait in an OOM of a group.
enum Hold {
    /// Nobody waits.
    Nobody,
    /// They wait rightly.
    Oom,
    /// Nothing holds them.
    Nothing(Relief),
}

impl Cgroup {
    /// Wakes those that wait in an OOM though nothing holds them, and says whether it did. For one and the same relief
    /// only after a while: who waits again at once waits for something else.
    pub(crate) fn wake_forgotten(self: &Arc<Self>) -> bool {
        if self.version != Version::V1 || !self.ours {
            return false;
        }
        // The lock of the settings is against a new limit that somebody else sets meanwhile.
        let mut woken_for = self.woken_for.lock().unwrap_or_else(PoisonError::into_inner);
        let _settings = self.swap.lock().unwrap_or_else(PoisonError::into_inner);
        match self.hold() {
            Ok(Hold::Nothing(relief)) if !woken_for.as_ref().is_some_and(|before| before.was_for(&relief)) => {
                let woken = v1::wake(&self.dir, relief == Relief::Killer).is_ok();
                *woken_for = Some(Woken { relief, at: Instant::now() });
                woken
            }
            Ok(Hold::Oom) => {
                *woken_for = None;
                false
            }
            // A group that was removed meanwhile has nobody left who waits.
            _ => false,
        }
    }

    /// Whether not a page more can be charged to this very group (v1).
    pub(crate) fn is_full(&self) -> Result<bool> {
        Ok(!has_room(self, v1::USAGE, v1::LIMIT)? || !has_room(self, v1::MEMSW_USAGE, v1::MEMSW_LIMIT)?)
    }

    fn hold(self: &Arc<Self>) -> Result<Hold> {
        if !self.is_under_oom()? {
            return Ok(Hold::Nobody);
        }
        if !killer_is_off(self)? {
            return Ok(Hold::Nothing(Relief::Killer));
        }
        for at in self.chain() {
            if at.is_full()? {
                return Ok(Hold::Oom);
            }
        }
        Ok(Hold::Nothing(Relief::Room(self.usage_bytes()?, self.limit()?)))
    }
}

/// Whether a page more can be charged, and another that the limit is lowered by for a moment.
fn has_room(group: &Cgroup, usage: &str, limit: &str) -> Result<bool> {
    let dir = &group.dir;
    Ok(match (dir.number(usage)?, v1::limit(dir, limit)?) {
        (Some(usage), Some(Limit::Bytes(limit))) => usage.saturating_add(2 * sys::page_size()) <= limit,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It took the room, the next page was refused, and as much came back: usage and limit are what they were.
    #[test]
    fn who_waits_beside_the_same_room_is_woken_again_after_a_while() {
        let room = |usage| Relief::Room(usage, Limit::Bytes(1 << 20));
        let woken = Woken { relief: room(4096), at: Instant::now() };
        assert!(woken.was_for(&room(4096)) && !woken.was_for(&room(8192)) && !woken.was_for(&Relief::Killer));
        let before = Woken { at: Instant::now().checked_sub(2 * AGAIN_AFTER).expect("an uptime"), ..woken };
        assert!(!before.was_for(&room(4096)));
    }
}
