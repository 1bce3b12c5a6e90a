//! A hog: a worker that takes memory in acknowledged steps, and the ticker that takes none.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::ground::{explain, Ground};
use super::kind::{Kind, Pattern};
use super::supervisor::Role;
use super::worker::{Answer, Worker};
use crate::account::oom::Blocked;
use crate::account::scope::{nearest_limit, scope, Growing};
use crate::error::{Error, ErrorKind, Result};
use crate::memcg::block::waiting;
use crate::memcg::{Group, Limit, Version};
use crate::observe::event::{EventKind, Source};
use crate::observe::hub::Look;
use crate::observe::Wait;

/// What a new hog may be told.
#[derive(Debug, Clone)]
pub struct HogOptions {
    /// Its name, as the kernel shows it (comm): 1 to 15 bytes.
    pub name: String,
    /// The kind of memory.
    pub kind: Kind,
    /// How it is touched; see [`Kind::patterns`].
    pub pattern: Pattern,
    /// For [`Kind::File`] the directory in which its file stands, without a name; otherwise the first of the directory
    /// for temporary files, /var/tmp, the working directory and $HOME that is on a real file system.
    pub directory: Option<PathBuf>,
    /// Bytes of a step that does not say how many.
    pub step_bytes: u64,
    /// Its `oom_score_adj`, -1000 to 1000. Below the caller's own start value it needs CAP_SYS_RESOURCE.
    pub oom_score_adj: i16,
}

impl Default for HogOptions {
    fn default() -> HogOptions {
        HogOptions {
            name: "hog".to_string(),
            kind: Kind::Anon,
            pattern: Pattern::Write,
            directory: None,
            step_bytes: 10 << 20,
            oom_score_adj: 0,
        }
    }
}

impl HogOptions {
    /// A hog of that name, for the rest as by default: anonymous memory, 10 MiB a step.
    pub fn named(name: &str) -> HogOptions {
        HogOptions { name: name.to_string(), ..HogOptions::default() }
    }
}

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

/// A worker that takes memory in acknowledged steps. Clones are the same hog.
#[derive(Clone)]
pub struct Hog {
    worker: Worker,
    kind: Kind,
    pattern: Pattern,
    work: u32,
    step_bytes: u64,
}

impl Group {
    /// Starts a hog. It has taken no memory yet and charges at most 128 KiB to the group.
    ///
    /// # Errors
    /// `InvalidInput` for the name, the score, a pattern that the kind does not know, or a limit below what a process
    /// needs to start; `Unsupported` where this machine lacks what the kind needs, with the remedy; `PermissionDenied`
    /// for an `oom_score_adj` that this process may not set; `WorkerGone` where it was killed before it was ready;
    /// `Closed`.
    pub fn hog(&self, options: &HogOptions) -> Result<Hog> {
        check_comm("start hog", &options.name)?;
        check_score("start hog", options.oom_score_adj)?;
        if options.step_bytes == 0 {
            return Err(Error::new(ErrorKind::InvalidInput, "start hog", "the step is 0 bytes")
                .remedy("give a step of at least 1 byte"));
        }
        let ground = Ground::prepare(options.kind, options.pattern, options.directory.as_deref())?;
        let role = Role::Hog { work: ground.work, directory: ground.directory() };
        let worker = self.start("start hog", options.name.as_bytes(), options.oom_score_adj, role)?;
        let HogOptions { kind, pattern, step_bytes, .. } = *options;
        Ok(Hog { worker, kind, pattern, work: ground.work, step_bytes })
    }

    /// Starts a ticker: a worker that takes no memory and reports that it is alive, every so often.
    ///
    /// # Errors
    /// As [`Group::hog`]; `InvalidInput` for a period of zero.
    pub fn ticker(&self, name: &str, every: Duration) -> Result<Worker> {
        check_comm("start ticker", name)?;
        if every.is_zero() {
            return Err(Error::new(ErrorKind::InvalidInput, "start ticker", "the period is zero")
                .remedy("give a period above zero"));
        }
        self.start("start ticker", name.as_bytes(), 0, Role::Ticker { every })
    }
}

pub(crate) fn check_score(operation: &'static str, oom_score_adj: i16) -> Result<()> {
    if (-1000..=1000).contains(&oom_score_adj) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, operation, "oom_score_adj is outside -1000 to 1000").value(oom_score_adj))
}

pub(crate) fn check_comm(operation: &'static str, name: &str) -> Result<()> {
    let why = match name.as_bytes() {
        b"" => "the name is empty",
        bytes if bytes.len() > 15 => "the kernel shows at most 15 bytes of a name",
        bytes if bytes.contains(&0) => "the name must not hold a NUL byte",
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::InvalidInput, operation, why).value(name).remedy("give a name of 1 to 15 bytes"))
}

impl Hog {
    /// Takes one step of `size` bytes (without it, of the hog's own step) and says how it ended. The answer is never
    /// guessed from time: *blocked* is proved by `under_oom` of the group, the state D and the place of the wait.
    ///
    /// Before the step memoom looks whom the kernel would kill if the limit were met; the account of the OOM has it.
    ///
    /// # Errors
    /// `InvalidInput` where nothing above the hog has a limit (it could take the host's memory) or the size is 0; `Busy`
    /// while an earlier step is still blocked ([`Hog::finish`]); `WorkerGone`; `OutOfMemory`, or what fits the errno,
    /// where a system call gave nothing of the step; `TimedOut`: the step goes on, see [`Hog::finish`].
    pub fn grow<'a>(&self, size: Option<u64>, wait: impl Into<Wait<'a>>) -> Result<Grow> {
        let process = &self.worker.0;
        let lab = process.group.lab("grow")?.clone();
        let bytes = size.unwrap_or(self.step_bytes);
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
        self.check_idle("grow")?;
        lab.supervisor.prepare();
        // Who would be taken is looked at before the step; a failure of that look must not stop the step.
        let looked = scope(&process.group, Some(self.growing(bytes)));
        {
            let mut state = lab.hub.refresh();
            match looked {
                Ok(scope) => {
                    let now = crate::sys::monotonic_ns();
                    if let (true, Some(victim)) = (scope.expected, scope.prediction.victim()) {
                        let kind =
                            EventKind::Predicted { comm: crate::text::escape(&victim.comm), score: victim.score };
                        state.push(now, Source::Procfs, Some(&victim.group), Some(victim.pid), kind);
                    }
                    state.collector.before(&process.group, Some(scope));
                }
                Err(_) => state.collector.before(&process.group, None),
            }
            state.push(
                crate::sys::monotonic_ns(),
                Source::Memoom,
                Some(process.group.cgroup()),
                Some(process.pid),
                EventKind::Stepping { step_bytes: bytes },
            );
            let mut progress = process.progress();
            progress.answer = None;
            progress.pending_bytes = Some(bytes);
            progress.asked_bytes = bytes;
            progress.blocked_told = false;
        }
        // A hog that dies at this moment never answers; its exit is the answer.
        if let Some(channel) = &process.channel {
            channel.grow(bytes).inspect_err(|_| process.progress().pending_bytes = None)?;
        }
        self.finish(wait)
    }

    /// Waits for the answer to a step that was blocked, or that was still going on at its deadline.
    ///
    /// # Errors
    /// `InvalidInput` where no step is going on; `TimedOut`, `Interrupted`, `OutOfMemory` as [`Hog::grow`].
    pub fn finish<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<Grow> {
        let process = &self.worker.0;
        let lab = process.group.lab("grow")?.clone();
        let mut wait = wait.into();
        let found = lab.hub.wait_until(&mut wait, |state| {
            let mut progress = process.progress();
            let total_bytes = progress.total_bytes;
            let answer = |status, step_bytes| Grow {
                status,
                step_bytes,
                taken_bytes: 0,
                total_bytes,
                errno: None,
                blocked: None,
            };
            if let Some(result) = progress.answer.take() {
                let step_bytes = progress.asked_bytes;
                return match result {
                    Ok(Answer { bytes: taken_bytes, errno }) => {
                        drop(progress);
                        state.sample_usage(&process.group);
                        let status = if errno == 0 { GrowStatus::Grew } else { GrowStatus::Short };
                        let errno = (errno != 0).then_some(errno);
                        Ok(Look::Done(Grow { taken_bytes, errno, ..answer(status, step_bytes) }))
                    }
                    Err(errno) => Err(self.refused(errno)),
                };
            }
            let Some(step_bytes) = progress.pending_bytes else {
                return Err(Error::new(ErrorKind::InvalidInput, "finish step", "no step is going on")
                    .remedy("ask for one with grow"));
            };
            if progress.exit.is_some() || progress.abandoned {
                progress.pending_bytes = None;
                return Ok(Look::Done(answer(GrowStatus::Killed, step_bytes)));
            }
            drop(progress);
            if process.group.version() == Version::V2 && !process.group.is_blocked() {
                return Ok(Look::Wait);
            }
            // Nothing tells when a task has come to rest in the OOM, so its state is looked at while the step lasts.
            match self.blocked_now() {
                Some(blocked) => {
                    let grow = Grow { blocked: Some(blocked.clone()), ..answer(GrowStatus::Blocked, step_bytes) };
                    let mut progress = process.progress();
                    let told = std::mem::replace(&mut progress.blocked_told, true);
                    drop(progress);
                    if !told {
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
    /// `Busy` while a step is blocked; `WorkerGone`; `TimedOut`.
    pub fn shrink<'a>(&self, size: u64, wait: impl Into<Wait<'a>>) -> Result<u64> {
        let process = &self.worker.0;
        let lab = process.group.lab("shrink")?.clone();
        self.check_idle("shrink")?;
        {
            let mut progress = process.progress();
            progress.answer = None;
            progress.pending_bytes = Some(size);
        }
        if let Some(channel) = &process.channel {
            channel.shrink(size).inspect_err(|_| process.progress().pending_bytes = None)?;
        }
        let given = lab.hub.wait_until(&mut wait.into(), |_| {
            let mut progress = process.progress();
            match progress.answer.take() {
                Some(Ok(answer)) => Ok(Look::Done(answer.bytes)),
                Some(Err(errno)) => {
                    Err(Error::os("shrink", std::io::Error::from_raw_os_error(errno)).value(process.pid))
                }
                None if progress.exit.is_some() || progress.abandoned => Err(gone("shrink", process.pid)),
                None => Ok(Look::Wait),
            }
        })?;
        given.ok_or_else(|| {
            Error::new(ErrorKind::TimedOut, "shrink", "the hog had not answered by the deadline").value(process.pid)
        })
    }

    /// Bytes that it holds, by its own word.
    pub fn total_bytes(&self) -> u64 {
        self.worker.0.progress().total_bytes
    }

    /// Bytes of a step that does not say how many.
    pub fn step_bytes(&self) -> u64 {
        self.step_bytes
    }

    /// The kind of memory that it takes.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How it touches what it takes.
    pub fn pattern(&self) -> Pattern {
        self.pattern
    }

    /// It as a worker, for what hogs and tickers and commands have in common.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    /// How a step of so many bytes would weigh.
    pub(crate) fn growing(&self, bytes: u64) -> Growing {
        Growing { pid: self.worker.pid(), bytes, weight: self.kind.weight(self.work) }
    }

    /// The error of a step that took nothing.
    fn refused(&self, errno: i32) -> Error {
        let (reason, remedy) = explain(self.kind, errno);
        let error = Error::os("grow", std::io::Error::from_raw_os_error(errno))
            .value(format!("{} hog, pid {}", self.kind, self.worker.pid()))
            .reason(format!("{reason}; the hog holds what it held before"));
        match remedy {
            Some(remedy) => error.remedy(remedy),
            None => error,
        }
    }

    fn check_idle(&self, operation: &'static str) -> Result<()> {
        if self.worker.ended() {
            return Err(gone(operation, self.worker.pid()));
        }
        if self.worker.0.progress().pending_bytes.is_some() {
            return Err(Error::new(ErrorKind::Busy, operation, "an earlier step of this hog is still going on")
                .value(format!("pid {}", self.worker.pid()))
                .remedy("wait for it with finish"));
        }
        Ok(())
    }

    /// The proof that the hog is blocked: its group is under OOM and the task rests in the wait for it (v1), or the group
    /// is told to block, has met its limit and stands still (v2).
    fn blocked_now(&self) -> Option<Blocked> {
        let process = &self.worker.0;
        let frozen = match process.group.version() {
            Version::V1 if process.group.counters().ok()?.under_oom != Some(true) => return None,
            Version::V1 => false,
            Version::V2 if !process.group.is_blocked() => return None,
            Version::V2 => true,
        };
        let blocked = waiting(process.pid, frozen)?;
        Some(Blocked { comm: process.name.clone(), ..blocked })
    }

    /// Whether the hog waits in the OOM at this moment, with the proof.
    pub fn blocked(&self) -> Option<Blocked> {
        self.worker.0.group.refresh();
        self.blocked_now()
    }

    /// Waits until the hog is blocked, for a step that somebody else has asked for.
    ///
    /// # Errors
    /// `TimedOut`; `WorkerGone` where it ended meanwhile.
    pub fn wait_blocked(&self, deadline: Instant) -> Result<Blocked> {
        let lab = self.worker.0.group.lab("wait for block")?.clone();
        let found = lab.hub.wait_until(&mut Wait::until(deadline), |_| {
            let progress = self.worker.0.progress();
            if progress.exit.is_some() || progress.abandoned {
                return Err(gone("wait for block", self.worker.pid()));
            }
            drop(progress);
            Ok(self.blocked_now().map_or(Look::Again, Look::Done))
        })?;
        found.ok_or_else(|| {
            Error::new(ErrorKind::TimedOut, "wait for block", "the hog was not blocked by the deadline")
                .value(self.worker.pid())
        })
    }
}

fn gone(operation: &'static str, pid: i32) -> Error {
    Error::new(ErrorKind::WorkerGone, operation, "the worker has ended")
        .value(format!("pid {pid}"))
        .remedy("wait() says how it ended")
}

impl Deref for Hog {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        &self.worker
    }
}

impl fmt::Debug for Hog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hog({}, pid {}, {} bytes)", self.name(), self.pid(), self.total_bytes())
    }
}
