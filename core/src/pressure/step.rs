//! A step of a hog: asked for, answered, or shown to be blocked.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Instant;

use super::kind::Kind;
use super::Hog;
use crate::account::oom::Blocked;
use crate::account::scope::{Growing, Scope};
use crate::account::sign::Sign;
use crate::error::{Error, ErrorKind, Result};
use crate::helper::process::{Answer, Reply, Step};
use crate::lab::foresee::{nearest_limit, scope};
use crate::lab::hub::waits::waiting;
use crate::lab::hub::{Look, State};
use crate::memcg::cgroup::killer_is_off;
use crate::memcg::version::Version;
use crate::memcg::Limit;
use crate::observe::event::{EventKind, Source};
use crate::observe::task::Proc;
use crate::pressure::needs::explain;
use crate::pressure::unkillable::{is_unkillable, SPINS};
use crate::sys::monotonic_ns;
use crate::wait::Wait;

#[cfg(test)]
mod tests;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GrowStatus {
    /// Every page of the step was taken.
    Grew,
    /// The kernel gave less than was asked for and refused the rest in a system call: `taken_bytes` and `errno` say so.
    Short,
    /// The hog was killed in the step.
    Killed,
    /// The hog waits in the OOM of its group, as the OOM killer is off (v1): proved by `under_oom` and its state.
    Blocked,
}

impl GrowStatus {
    /// The status as it stands in documents.
    pub fn name(self) -> &'static str {
        match self {
            GrowStatus::Grew => "grew",
            GrowStatus::Short => "short",
            GrowStatus::Killed => "killed",
            GrowStatus::Blocked => "blocked",
        }
    }
}

/// The answer to a step.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Grow {
    /// How it ended.
    pub status: GrowStatus,
    /// Bytes of the step that were asked for.
    pub step_bytes: u64,
    /// Bytes that it took: those asked for, rounded up to whole pages (of the kind's size); fewer for a short step; 0 for
    /// one that killed or blocked the hog. Page tables and the like come on top of them.
    pub taken_bytes: u64,
    /// Bytes that the hog holds by its own word: a killed or blocked step counts nothing.
    pub total_bytes: u64,
    /// Why a short step was short, by errno.
    pub errno: Option<i32>,
    /// What shows that it is blocked.
    pub blocked: Option<Blocked>,
}

impl Hog {
    /// Takes one step of `size` bytes (without it, of the hog's own step) and says how it ended. The answer is never
    /// guessed from time: *blocked* is proved by `under_oom` of the group, the state D and the place of the wait.
    ///
    /// Before the step memoom looks whom the kernel would kill if the limit were met; the account of the OOM has it.
    ///
    /// # Errors
    /// `InvalidInput` where nothing above the hog has a limit (it could take the host's memory), the size is 0, or
    /// nobody may be killed at that limit and the hog is not forced ([`HogOptions::force`](super::HogOptions)); `Busy`
    /// while an earlier step is going on, of this thread ([`Hog::finish`] waits for it) or of another: a hog takes one
    /// step at a time, and of threads that step one hog each gets the answer to its own step or `Busy` at once;
    /// `WorkerGone`; `OutOfMemory`, or what fits the errno, where a system call gave nothing of the step; `TimedOut`: the
    /// step goes on, see [`Hog::finish`]; `Closed`; `Interrupted`.
    pub fn grow<'a>(&self, size: Option<u64>, wait: impl Into<Wait<'a>>) -> Result<Grow> {
        let process = &self.worker().process;
        let lab = self.worker().group().lab("grow")?.clone();
        let bytes = size.unwrap_or(self.step_bytes());
        if bytes == 0 {
            return Err(Error::new(ErrorKind::InvalidInput, "grow", "the step is 0 bytes"));
        }
        if nearest_limit(&process.group)?.1 == Limit::Max {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "grow",
                "neither the hog's group nor a group above it in the lab has a limit",
            )
            .path(process.group.path())
            .remedy("set a limit first: without one the hog would take the host's own memory"));
        }
        let mut begun = self.begin("grow", bytes)?;
        lab.supervisor.prepare();
        // Who would be taken is looked at before the step; a failure of that look must not stop the step.
        let looked = scope(&process.group, Some(self.growing(bytes)));
        let mut wait = wait.into();
        let spins = looked.as_ref().is_ok_and(|scope| self.would_spin(scope));
        if spins {
            self.check_forced(&wait)?;
        }
        self.note_step(&mut lab.hub.lock(), looked, bytes);
        // A hog that dies at this moment never answers; its exit is the answer.
        if let Some(channel) = &process.channel {
            channel.grow(bytes)?;
        }
        match self.answer_to(&begun.sent(), &mut wait) {
            Err(error) if error.kind() == ErrorKind::TimedOut && spins => {
                self.worker().kill()?;
                Err(error.remedy("it spun in the kernel, which could kill nobody, and was killed by memoom"))
            }
            answer => answer,
        }
    }

    /// What is known before the step: the sources were read a moment ago ([`Hog::begin`]), and are not read again.
    fn note_step(&self, state: &mut State, looked: Result<Scope>, bytes: u64) {
        let process = &self.worker().process;
        let scope = looked.ok();
        if let Some(scope) = &scope {
            state.sample_scope(scope);
            if let (true, Some(victim)) = (scope.expected, scope.prediction.victim()) {
                let kind = EventKind::Predicted { comm: crate::text::escape(&victim.comm), score: victim.score };
                state.push(monotonic_ns(), Source::Procfs, victim.group.as_deref(), Some(victim.pid), kind);
            }
        }
        state.take(Sign::Before { cgroup: process.group.cgroup().to_string(), scope: scope.map(Box::new) });
        let kind = EventKind::Stepping { step_bytes: bytes };
        state.push(monotonic_ns(), Source::Memoom, Some(process.group.cgroup()), Some(process.pid), kind);
    }

    /// Whether the step would make the kernel try for ever: a fault is tried again until somebody can be killed.
    fn would_spin(&self, scope: &Scope) -> bool {
        let candidates = &scope.prediction.candidates;
        !killer_is_off(&self.worker().process.group).unwrap_or(true)
            && scope.expected
            && scope.prediction.waits_for.is_none()
            && candidates.iter().all(|one| !one.eligible)
            && candidates.iter().any(is_unkillable)
    }

    /// A step that would spin is taken where it is forced, and then not for ever.
    fn check_forced(&self, wait: &Wait<'_>) -> Result<()> {
        let refuse = |reason: &'static str, remedy: &'static str| {
            Err(Error::new(ErrorKind::InvalidInput, "grow", reason).path(self.worker().group().path()).remedy(remedy))
        };
        if !self.force {
            return refuse(
                SPINS,
                "leave one process that may be killed, or start the hog with force and give each step a deadline",
            );
        }
        if !wait.ends() {
            return refuse(
                "a forced step, which the kernel would try without end, has no deadline",
                "give a timeout; at its end the hog is killed",
            );
        }
        Ok(())
    }

    /// Waits for the answer to a step that was blocked, or that was still going on at its deadline. Every thread that
    /// waits for that step gets its answer.
    ///
    /// # Errors
    /// `InvalidInput` where no step is going on whose answer nobody has; `TimedOut`, `Interrupted`, `OutOfMemory`,
    /// `Closed` as [`Hog::grow`].
    pub fn finish<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<Grow> {
        // In a forked child that is the answer, whatever the hog does.
        self.worker().group().lab("grow")?;
        let step = self.worker().process.progress().step.clone();
        let step = step.filter(|step| !step.fetched.load(Ordering::Acquire)).ok_or_else(no_step)?;
        self.answer_to(&step, &mut wait.into())
    }

    fn answer_to(&self, step: &Step, wait: &mut Wait<'_>) -> Result<Grow> {
        let process = &self.worker().process;
        let lab = self.worker().group().lab("grow")?.clone();
        let step_bytes = step.bytes;
        let found = lab.hub.wait_until(wait, |state| {
            let progress = process.progress();
            let total_bytes = progress.total_bytes;
            let answer = |status, step_bytes| Grow {
                status,
                step_bytes,
                taken_bytes: 0,
                total_bytes,
                errno: None,
                blocked: None,
            };
            if let Some(reply) = step.fetch() {
                return match reply {
                    Reply::Done(Answer { bytes: taken_bytes, errno }) => {
                        drop(progress);
                        state.sample_step(process);
                        let status = if errno == 0 { GrowStatus::Grew } else { GrowStatus::Short };
                        let errno = (errno != 0).then_some(errno);
                        Ok(Look::Done(Grow { taken_bytes, errno, ..answer(status, step_bytes) }))
                    }
                    Reply::Refused(errno) => Err(self.refused(errno)),
                    Reply::Withdrawn => Err(no_step()),
                };
            }
            if progress.exit.is_some() {
                step.fetched.store(true, Ordering::Release);
                return Ok(Look::Done(answer(GrowStatus::Killed, step_bytes)));
            }
            drop(progress);
            if process.group.version() == Version::V2 && !process.group.is_blocked() {
                return Ok(Look::Wait);
            }
            // Nothing tells when a task has come to rest in the OOM, so its state is looked at while the step lasts.
            match self.blocked_now() {
                Some(_) if process.group.wake_forgotten() => Ok(Look::Again),
                Some(blocked) => {
                    let grow = Grow { blocked: Some(blocked.clone()), ..answer(GrowStatus::Blocked, step_bytes) };
                    if !step.blocked_told.swap(true, Ordering::AcqRel) {
                        state.tell_blocked(&process.group, blocked);
                    }
                    Ok(Look::Done(grow))
                }
                None => Ok(Look::Again),
            }
        })?;
        found.ok_or_else(|| {
            Error::new(ErrorKind::TimedOut, "grow", "the step was still going on at the deadline")
                .value(format!("pid {}", process.pid))
                .remedy(
                    "wait for it with finish, or kill the hog; a group above memory.high is slowed down without end",
                )
        })
    }

    /// Gives back the newest `size` bytes (rounded down to whole pages) and says how many it was.
    ///
    /// # Errors
    /// `Busy` while a step is going on; `WorkerGone`; `TimedOut`; `Closed`; `Interrupted`.
    pub fn shrink<'a>(&self, size: u64, wait: impl Into<Wait<'a>>) -> Result<u64> {
        let process = &self.worker().process;
        let lab = self.worker().group().lab("shrink")?.clone();
        let mut begun = self.begin("shrink", size)?;
        if let Some(channel) = &process.channel {
            channel.shrink(size)?;
        }
        let step = begun.sent();
        let given = lab.hub.wait_until(&mut wait.into(), |_| {
            let progress = process.progress();
            match step.fetch() {
                Some(Reply::Done(answer)) => Ok(Look::Done(answer.bytes)),
                Some(Reply::Refused(errno)) => {
                    Err(Error::os("shrink", std::io::Error::from_raw_os_error(errno)).value(process.pid))
                }
                Some(Reply::Withdrawn) => Err(no_step()),
                None if progress.exit.is_some() => Err(gone("shrink", process.pid)),
                None => Ok(Look::Wait),
            }
        })?;
        given.ok_or_else(|| {
            Error::new(ErrorKind::TimedOut, "shrink", "the hog had not answered by the deadline").value(process.pid)
        })
    }

    /// How a step of so many bytes would weigh.
    pub(crate) fn growing(&self, bytes: u64) -> Growing {
        Growing { pid: self.worker().pid(), bytes, weight: self.kind().weight(self.work) }
    }

    /// The error of a step that took nothing.
    fn refused(&self, errno: i32) -> Error {
        let (reason, remedy) = explain(self.kind(), errno);
        let error = Error::os("grow", std::io::Error::from_raw_os_error(errno))
            .value(format!("{} hog, pid {}", self.kind(), self.worker().pid()))
            .reason(&format!("{reason}; the hog holds what it held before"));
        match remedy {
            Some(remedy) => error.remedy(remedy),
            None => error,
        }
    }

    /// A step begins: none other is going on, and none begins until it is answered.
    fn begin(&self, operation: &'static str, bytes: u64) -> Result<Begun> {
        if self.worker().ended() {
            let abandoned = self.worker().process.progress().exit.is_none();
            return Err(match abandoned {
                true => self.worker().lost(operation, &self.worker().group().lab(operation)?.hub.lock()),
                false => gone(operation, self.worker().pid()),
            });
        }
        let process = &self.worker().process;
        let mut progress = process.progress();
        if progress.is_stepping() {
            return Err(Error::new(ErrorKind::Busy, operation, "an earlier step of this hog is still going on")
                .value(format!("pid {}", self.worker().pid()))
                .remedy("wait for it with finish; of several threads one can step a hog at a time"));
        }
        let step = Step::new(bytes);
        progress.step = Some(step.clone());
        Ok(Begun { step, sent: false })
    }

    /// The proof that the hog is blocked: its group is under OOM and the task rests in the wait for it (v1), or the group
    /// is told to block, has met its limit and stands still (v2).
    fn blocked_now(&self) -> Option<Blocked> {
        let process = &self.worker().process;
        let frozen = match process.group.version() {
            Version::V1 if !process.group.is_under_oom().ok()? => return None,
            Version::V1 => false,
            Version::V2 if !process.group.is_blocked() => return None,
            Version::V2 => true,
        };
        let blocked = waiting(process.pid, frozen).or_else(|| self.blocked_child())?;
        Some(Blocked { comm: process.name.clone(), ..blocked })
    }

    /// A hog of processes waits for its newest one, which may be the one that is blocked.
    fn blocked_child(&self) -> Option<Blocked> {
        if self.kind() != Kind::Fork {
            return None;
        }
        let own = self.worker().pid();
        let is_child = |pid: i32| Proc::system().stat(pid).is_ok_and(|stat| stat.is_some_and(|stat| stat.ppid == own));
        let pids = self.worker().process.group.processes().ok()?;
        pids.into_iter().find_map(|pid| waiting(pid, false).filter(|_| is_child(pid)))
    }

    /// Whether the hog waits in the OOM at this moment, with the proof; never in a forked child.
    pub fn blocked(&self) -> Option<Blocked> {
        self.worker().group().lab("look for block").ok()?;
        self.worker().group().refresh();
        self.blocked_now()
    }

    /// Waits until the hog is blocked, for a step that somebody else has asked for.
    ///
    /// # Errors
    /// `TimedOut`; `WorkerGone` where it ended meanwhile.
    pub fn wait_blocked(&self, deadline: Instant) -> Result<Blocked> {
        let lab = self.worker().group().lab("wait for block")?.clone();
        let found = lab.hub.wait_until(&mut Wait::until(deadline), |_| {
            let progress = self.worker().process.progress();
            if progress.exit.is_some() {
                return Err(gone("wait for block", self.worker().pid()));
            }
            drop(progress);
            let blocked = self.blocked_now().filter(|_| !self.worker().process.group.wake_forgotten());
            Ok(blocked.map_or(Look::Again, Look::Done))
        })?;
        found.ok_or_else(|| {
            Error::new(ErrorKind::TimedOut, "wait for block", "the hog was not blocked by the deadline")
                .value(self.worker().pid())
        })
    }
}

/// A step that was begun; one that is not sent is withdrawn.
struct Begun {
    step: Arc<Step>,
    sent: bool,
}

impl Begun {
    /// The hog has been asked for it.
    fn sent(&mut self) -> Arc<Step> {
        self.sent = true;
        self.step.clone()
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.sent {
            let _ = self.step.answer.set(Reply::Withdrawn);
            self.step.fetched.store(true, Ordering::Release);
        }
    }
}

fn no_step() -> Error {
    Error::new(ErrorKind::InvalidInput, "finish step", "no step is going on").remedy("ask for one with grow")
}

pub(super) fn gone(operation: &'static str, pid: i32) -> Error {
    Error::new(ErrorKind::WorkerGone, operation, "the worker has ended")
        .value(format!("pid {pid}"))
        .remedy("wait() says how it ended")
}
