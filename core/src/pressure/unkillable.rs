//! A worker that the kernel may not kill, in a scope where it may kill nobody else: refused, or given a deadline.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::worker::Worker;
use crate::account::victim::NEVER;
use crate::account::Candidate;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::foresee::standing_still;
use crate::lab::group::Group;
use crate::memcg::cgroup::killer_is_off;
use crate::memcg::Limit;
use crate::sys;

/// What happens where the kernel may kill nobody.
pub(super) const SPINS: &str = "every process that the limit could take has oom_score_adj -1000: the kernel would try without end, kill nobody and flood its log";

/// Whether the kernel passes over a process for its score.
pub(super) fn is_unkillable(one: &Candidate) -> bool {
    one.oom_score_adj == NEVER
}

impl Group {
    /// Refuses a worker of -1000 whose steps memoom does not see where a limit above it has nobody else to take.
    pub(super) fn check_unkillable(
        &self,
        operation: &'static str,
        oom_score_adj: i16,
        force_within: Option<Duration>,
    ) -> Result<()> {
        if force_within.is_some_and(|within| within.is_zero()) {
            return Err(Error::new(ErrorKind::InvalidInput, operation, "the deadline of a forced worker is 0")
                .remedy("give the time after which it is killed"));
        }
        if oom_score_adj != NEVER || force_within.is_some() || killer_is_off(&self.0.cgroup)? {
            return Ok(());
        }
        for at in self.chain() {
            if at.limit()? == Limit::Max {
                continue;
            }
            let candidates = standing_still(&at.0.cgroup, at.limit()?)?.prediction.candidates;
            if candidates.iter().all(|one| !one.eligible) {
                return Err(Error::new(ErrorKind::InvalidInput, operation, SPINS).path(at.path()).remedy(
                    "start a process that may be killed first, or force this one with a time after which it is killed",
                ));
            }
        }
        Ok(())
    }

    /// Has a worker that was forced killed at its deadline, by the supervisor: whatever this process waits for by then.
    pub(super) fn end_within(&self, worker: &Worker, force_within: Option<Duration>) -> Result<()> {
        let Some(within) = force_within else { return Ok(()) };
        let lab = self.lab("set deadline")?;
        let within = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        let deadline_ns = sys::monotonic_ns().saturating_add(within);
        lab.supervisor.kill_at(worker.pidfd(), deadline_ns).inspect_err(|_| drop(worker.kill()))
    }
}
