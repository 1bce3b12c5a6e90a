//! Whom the kernel would take: asked by the user, and before something is done that may make it choose.

use super::Group;
use crate::account::sign::Sign;
use crate::account::victim::Prediction;
use crate::error::Result;
use crate::lab::foresee::{scope, standing_still};
use crate::memcg::Limit;

impl Group {
    /// Whom the kernel would kill if the group (or the nearest limit above it in the lab) went over its limit now.
    ///
    /// The score of each process is rss + swap + page tables in pages, plus `oom_score_adj` × (limit in pages / 1000)
    /// (`oom_badness` in mm/oom_kill.c).
    ///
    /// # Errors
    /// `NotFound` where the group was removed; `PermissionDenied` where /proc hides the processes.
    pub fn predict(&self) -> Result<Prediction> {
        self.alive("predict")?;
        scope(&self.0.cgroup, None).map(|scope| scope.prediction)
    }

    /// Looks whom the kernel would take, before something is done to this very group that may make it choose: the limit
    /// is lowered below the usage, or the killer is turned on while somebody waits. The account has it.
    pub(crate) fn foresee(&self, limit: Limit) {
        let Some(lab) = &self.0.lab else { return };
        // A failure of this look must not stop what was asked for.
        let scope = standing_still(&self.0.cgroup, limit).ok();
        let cgroup = self.cgroup().to_string();
        lab.hub.refresh().take(Sign::Before { cgroup, scope: scope.map(Box::new) });
    }

    /// Whom the kernel would take of this very group at that limit, while everybody stands still.
    pub(crate) fn foreseen(&self, limit: Limit) -> Result<Prediction> {
        standing_still(&self.0.cgroup, limit).map(|scope| scope.prediction)
    }
}
