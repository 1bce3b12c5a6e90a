//! The end of a block: a higher limit, the killer turned on again, or a death.

use std::time::Duration;

use super::worker::Worker;
use crate::account::oom::Blocked;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::Group;
use crate::lab::hub::Look;
use crate::memcg::version::Version;
use crate::memcg::{v2, Limit};
use crate::wait::Wait;

/// How those that wait in an OOM go on.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Resume<'a> {
    /// By room: the limit is raised, and the group still blocks at the new one.
    Raise(Limit),
    /// By the kernel's choice of a victim: the killer is turned on again. The victim may be another than who waits.
    Killer,
    /// By the death of this worker: it gets SIGKILL and gives its memory back, and the group still blocks.
    Kill(&'a Worker),
}

impl Group {
    /// Waits until a process of the group waits in an OOM, and says who. `None` when nobody does by the deadline.
    ///
    /// # Errors
    /// `NotFound` where the group was removed; `Interrupted`; `InvalidInput` for an opened group.
    pub fn wait_blocked<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<Option<Vec<Blocked>>> {
        let hub = self.made("wait for block")?.hub.clone();
        hub.wait_until(&mut wait.into(), |_| {
            let blocked = self.blocked_now()?;
            // Nothing tells when a task has come to rest in the OOM.
            Ok(if blocked.is_empty() || self.0.cgroup.wake_forgotten() { Look::Again } else { Look::Done(blocked) })
        })
    }

    /// Ends a block ([`Group::block`], [`Group::set_oom_killer`]): see [`Resume`]. Where nobody waits the switch or the
    /// limit changes all the same. It returns when the group goes on; how the steps that were blocked end, `finish` of
    /// the hog says.
    ///
    /// The kernel of v1 can miss a process that was refused memory and did not wait yet: it is woken by the next look of
    /// memoom's, that is, by whoever waits for it, for a step or in a watch.
    ///
    /// On v2 the killer's turn is made by memoom: the limit stands at the usage until somebody's next charge meets it. If
    /// nobody takes memory, a small worker of memoom's does, as on v1 the blocked process itself.
    ///
    /// # Errors
    /// `InvalidInput` for a limit that is not above the old one, or a worker of another group; `Busy` where no process
    /// may be killed and the usage stays above the limit (v2); `NotFound`, `PermissionDenied`; `TimedOut` where the
    /// usage is still above the limit at the deadline (v2), which is then not put back.
    pub fn resume<'a>(&self, how: Resume<'_>, wait: impl Into<Wait<'a>>) -> Result<()> {
        let mut wait = wait.into();
        self.made("resume")?;
        match how {
            Resume::Raise(limit) => {
                let old = self.limit()?;
                if limit <= old {
                    return Err(Error::new(ErrorKind::InvalidInput, "resume", "the limit is not above the old one")
                        .path(self.path())
                        .value(limit)
                        .remedy(&format!("give more than {old}")));
                }
                self.set_limit(limit)?;
                self.0.let_go()
            }
            Resume::Kill(worker) => {
                if !self.covers(worker.group().cgroup()) {
                    return Err(Error::new(ErrorKind::InvalidInput, "resume", "the worker stands in another group")
                        .path(worker.group().path())
                        .value(format!("pid {}", worker.pid())));
                }
                worker.kill()?;
                // Its memory is back when it has ended.
                worker.wait(wait)?;
                self.0.let_go()
            }
            Resume::Killer if self.version() == Version::V1 => self.set_oom_killer(true),
            Resume::Killer => self.resume_killer(&mut wait),
        }
    }

    fn resume_killer(&self, wait: &mut Wait<'_>) -> Result<()> {
        let lab = self.made("resume")?.clone();
        let Some(limit) = self.0.unblock()? else { return Ok(()) };
        lab.hub.note_switch(&self.0, "oom_killer", true);
        let over = || -> Result<bool> { Ok(limit < Limit::Bytes(self.usage_bytes()?)) };
        // Who was blocked in a step goes on with it and meets the limit.
        lab.hub.wait_until(wait, |state| {
            let steps = |process: &crate::helper::process::Process| {
                let progress = process.progress();
                progress.is_stepping() && progress.exit.is_none()
            };
            let steps =
                state.world.workers.values().any(|process| self.covers(process.group.cgroup()) && steps(process));
            Ok(if steps && over()? { Look::Again } else { Look::Done(()) })
        })?;
        // Nobody wants more: the limit is met by a worker of our own.
        while over()? {
            if wait.expired() {
                return Err(Error::new(ErrorKind::TimedOut, "resume", "the usage is still above the limit")
                    .path(self.path())
                    .value(limit));
            }
            self.push_over(&mut wait.at_most(Duration::from_secs(10)), over)?;
        }
        self.set_limit(limit)
    }

    /// The processes that wait, without a reading of the sources: for use in a wait.
    fn blocked_now(&self) -> Result<Vec<Blocked>> {
        match self.version() {
            Version::V1 if !self.0.is_under_oom()? => Ok(Vec::new()),
            _ => self.waiting(),
        }
    }

    /// The limit as the kernel has it: while a group is told to block, not the user's (v2).
    pub(crate) fn kernel_limit(&self) -> Result<Limit> {
        match self.version() {
            Version::V1 => self.limit(),
            Version::V2 => Ok(v2::limit(&self.0.dir, v2::LIMIT)?.unwrap_or(Limit::Max)),
        }
    }
}
