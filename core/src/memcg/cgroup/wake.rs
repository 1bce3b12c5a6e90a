//! The wake that the kernel forgets (v1): who goes to wait in an OOM that is over by then waits for ever.
//!
//! Whoever is refused memory goes to wait a moment later. Room that is made, or a killer that is turned on, in between
//! wakes only those that wait already (`memcg_oom_recover`): the latecomer sleeps beside free memory until something else
//! in the group gives memory back. The group rings when it comes to rest, so it is looked at then; what another CPU has
//! charged ahead may come back later still, so whoever looks who waits looks for this too.

use std::sync::{Arc, PoisonError};

use super::pause::killer_is_off;
use super::Cgroup;
use crate::error::Result;
use crate::memcg::limits::Limit;
use crate::memcg::v1;
use crate::memcg::version::Version;
use crate::sys;

/// Why nobody has to wait in an OOM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Relief {
    /// The OOM killer is on, in the group and in those above it.
    Killer,
    /// There is room, at so much usage below such a limit.
    Room(u64, Limit),
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
    /// only once: who waits again then waits for something else.
    pub(crate) fn wake_forgotten(self: &Arc<Self>) -> bool {
        if self.version != Version::V1 || !self.ours {
            return false;
        }
        // The lock of the settings is against a new limit that somebody else sets meanwhile.
        let mut woken_for = self.woken_for.lock().unwrap_or_else(PoisonError::into_inner);
        let _settings = self.swap.lock().unwrap_or_else(PoisonError::into_inner);
        match self.hold() {
            Ok(Hold::Nothing(relief)) if woken_for.as_ref() != Some(&relief) => {
                let woken = v1::wake(&self.dir, relief == Relief::Killer).is_ok();
                *woken_for = Some(relief);
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
        if self.counters()?.under_oom != Some(true) {
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
