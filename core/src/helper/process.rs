//! One worker process: what is fixed about it, what it has said, and how it ended.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use super::channel::Channel;
use super::descriptor::readable;
use super::supervisor::Usage;
use super::wire::Message;
use crate::memcg::cgroup::Cgroup;
use crate::observe::event::EventKind;
use crate::sys::{self, fork};

/// What is fixed about a worker, and what changes.
pub(crate) struct Process {
    pub(crate) id: u64,
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) name: Vec<u8>,
    /// The name of what runs it, where it is a script.
    pub(crate) interpreter: Option<Vec<u8>>,
    pub(crate) group: Arc<Cgroup>,
    pub(crate) oom_score_adj: i16,
    pub(crate) started_ns: u64,
    /// The channel of a hog or a ticker.
    pub(crate) channel: Option<Channel>,
    /// A forked child of this process, which is reaped here, not by the supervisor.
    pub(crate) forked: bool,
    pub(crate) progress: Mutex<Progress>,
    /// `oom_kill` of the worker's group at its start.
    pub(crate) oom_kill_before: u64,
    /// How many accounts there were at its start.
    pub(crate) ooms_before: usize,
}

/// What is known of a worker's life.
#[derive(Default)]
pub(crate) struct Progress {
    /// Bytes that a hog holds by its own word.
    pub(crate) total_bytes: u64,
    /// The last step that was asked for.
    pub(crate) step: Option<Arc<Step>>,
    pub(crate) ticks: u64,
    pub(crate) exit: Option<Exit>,
    pub(crate) killed_by_us: bool,
    /// The last signal of those that ask a process to end which we sent it.
    pub(crate) asked_to_end: Option<i32>,
    /// Somebody other than the OOM killer was seen to send it SIGKILL.
    pub(crate) kill_sent: bool,
    /// Somebody may have been: a record was lost, or it went to a thread that had gone and bore its name.
    pub(crate) kill_may_be_sent: bool,
    /// `oom_kill` of its group when it was reaped: whatever killed it is counted by then.
    pub(crate) oom_kill_at_end: Option<u64>,
    /// The supervisor has gone: no exit will ever be reported.
    pub(crate) abandoned: bool,
}

impl Progress {
    /// Whether a step was asked for and not answered.
    pub(crate) fn is_stepping(&self) -> bool {
        self.step.as_ref().is_some_and(|step| step.answer.get().is_none())
    }

    fn answer(&self, answer: Reply) {
        if let Some(step) = &self.step {
            let _ = step.answer.set(answer);
        }
    }
}

/// One step of a hog. Whoever waits for it holds it, so that each of them gets its answer, and none that of another.
pub(crate) struct Step {
    /// Bytes that it is to take or to give back.
    pub(crate) bytes: u64,
    pub(crate) answer: OnceLock<Reply>,
    /// Somebody has got its answer.
    pub(crate) fetched: AtomicBool,
    /// An account of its being blocked was given.
    pub(crate) blocked_told: AtomicBool,
}

/// How a step was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    /// By the hog.
    Done(Answer),
    /// A system call gave it nothing.
    Refused(i32),
    /// Never asked for in the end.
    Withdrawn,
}

impl Step {
    pub(crate) fn new(bytes: u64) -> Arc<Step> {
        let [fetched, blocked_told] = [false, false].map(AtomicBool::new);
        Arc::new(Step { bytes, answer: OnceLock::new(), fetched, blocked_told })
    }

    /// Its answer, which somebody has by that.
    pub(crate) fn fetch(&self) -> Option<Reply> {
        let answer = self.answer.get().copied();
        if answer.is_some() {
            self.fetched.store(true, Ordering::Release);
        }
        answer
    }
}

/// What a hog has done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// Bytes taken or given back.
    pub(crate) bytes: u64,
    /// Why it took less than was asked for, or 0.
    pub(crate) errno: i32,
}

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exit {
    /// As subprocess has it.
    pub(crate) returncode: i32,
    pub(crate) usage: Usage,
    pub(crate) time_ns: u64,
}

impl Exit {
    pub(crate) fn new(status: i32, usage: Usage, time_ns: u64) -> Exit {
        let returncode = if libc::WIFSIGNALED(status) { -libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) };
        Exit { returncode, usage, time_ns }
    }
}

impl Process {
    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It was reaped. Its group's counter is read at once: what it counts later is of another death.
    pub(crate) fn end(&self, exit: Exit) {
        let kills = self.group.kills().ok();
        let mut progress = self.progress();
        (progress.exit, progress.oom_kill_at_end) = (Some(exit), kills);
    }

    /// Reads what the worker said; `false` when it cannot be understood, and is not to be heard any more.
    pub(crate) fn read_channel(&self, mut note: impl FnMut(u64, EventKind)) -> bool {
        let Some(channel) = &self.channel else { return false };
        // One look, as there is room for one message: a quick ticker would else keep us here for ever. What comes
        // meanwhile rings again.
        let message = match channel.try_receive() {
            Ok(Some(message)) => message,
            Ok(None) => return true,
            Err(_) => return false,
        };
        let mut progress = self.progress();
        match message {
            Message::Ready { .. } | Message::Refused { .. } => {}
            Message::Grew { total_bytes, bytes, errno, end_ns, .. } => {
                progress.total_bytes = total_bytes;
                progress.answer(Reply::Done(Answer { bytes, errno }));
                note(end_ns, EventKind::Stepped { step_bytes: bytes, total_bytes });
                if errno != 0 {
                    note(end_ns, EventKind::StepFailed { errno });
                }
            }
            Message::Shrunk { total_bytes, bytes, end_ns, .. } => {
                progress.total_bytes = total_bytes;
                progress.answer(Reply::Done(Answer { bytes, errno: 0 }));
                note(end_ns, EventKind::Shrunk { step_bytes: bytes, total_bytes });
            }
            Message::Failed { errno, total_bytes } => {
                progress.total_bytes = total_bytes;
                progress.answer(Reply::Refused(errno));
                note(sys::monotonic_ns(), EventKind::StepFailed { errno });
            }
            Message::Tick { n, time_ns } => {
                progress.ticks = n;
                note(time_ns, EventKind::Ticked { count: n });
            }
        }
        true
    }

    /// Reaps a forked child, if it has ended. `None` while it lives.
    pub(crate) fn reap_child(&self) -> Option<Exit> {
        let now = sys::monotonic_ns();
        match fork::reap(self.pidfd.as_fd()) {
            Ok(Some(ended)) => {
                let usec = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
                let usage = Usage {
                    user_usec: usec(ended.usage.ru_utime),
                    system_usec: usec(ended.usage.ru_stime),
                    max_rss_bytes: u64::try_from(ended.usage.ru_maxrss).unwrap_or(0) * 1024,
                };
                Some(Exit::new(ended.status, usage, now))
            }
            Ok(None) => None,
            Err(_) => {
                // Somebody waited with __WALL and has its status; that it ended is all that is known.
                self.progress().abandoned = true;
                None
            }
        }
    }

    /// Kills a forked child and reaps it, for the end of a lab. Whether it has gone.
    pub(crate) fn end_child(&self, deadline: Instant) -> bool {
        let _ = sys::signal_process(self.pidfd.as_fd(), self.pid, libc::SIGKILL);
        readable(self.pidfd.as_fd(), deadline).unwrap_or(false) && {
            let _ = fork::reap(self.pidfd.as_fd());
            true
        }
    }
}
