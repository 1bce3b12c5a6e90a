//! A function of the user's as a worker: it runs in a forked child of this process, in a group.
#![allow(unsafe_code)] // a fork is unsafe by nature: the caller's promise is passed on to sys::fork

use std::ffi::CString;
use std::io::Read;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use super::hog::{check_comm, check_score};
use super::run::Run;
use super::worker::Worker;
use crate::account::outcome::Outcome;
use crate::error::{Error, ErrorKind, Result};
use crate::helper::descriptor::{above_stdio, readable};
use crate::helper::supervisor::{start_failed, Started};
use crate::helper::wire::stage;
use crate::lab::group::Group;
use crate::memcg::version::Version;
use crate::sys::{self, fork};
use crate::wait::Wait;

/// How a function is run.
#[derive(Debug, Clone)]
pub struct Function {
    /// The name of the child as the kernel shows it, 1 to 15 bytes.
    pub name: String,
    /// Its `oom_score_adj`, -1000 to 1000.
    pub oom_score_adj: i16,
    /// As [`Command::force_within`](super::Command::force_within).
    pub force_within: Option<Duration>,
}

impl Default for Function {
    fn default() -> Function {
        Function { name: "function".to_string(), oom_score_adj: 0, force_within: None }
    }
}

/// How long the child may take to enter its group.
const JOIN_WITHIN: Duration = Duration::from_secs(10);

impl Group {
    /// Runs a function in a forked child of this process that stands in the group. What the function gives is the exit
    /// code of the child.
    ///
    /// The child is nobody's business but memoom's: it raises no SIGCHLD, and `wait` and `waitpid(-1)` do not see it.
    /// It is reaped by a call on the lab that comes after its end, at the latest by the one that closes the lab. It
    /// ends with the lab, also when this process dies. As every forked child it shares this process's pages, and those
    /// count for its score when the kernel chooses a victim, though they are not charged to its group.
    ///
    /// # Safety
    /// As fork(2) has it: in a process with several threads the function may use only what is async-signal-safe, as
    /// any lock of this process may be held for ever in the child. Handlers of pthread_atfork do not run. The function
    /// must not use the lab, and must return or end its process; it must not jump out.
    ///
    /// # Errors
    /// `InvalidInput` for the name or the score, and as [`Group::command`] for one that nobody may kill; as [`Group::command`] for the rest.
    pub unsafe fn function(&self, function: &Function, body: impl FnOnce() -> i32) -> Result<Worker> {
        let operation = "start function";
        check_comm(operation, &function.name)?;
        check_score(operation, function.oom_score_adj)?;
        self.check_unkillable(operation, function.oom_score_adj, function.force_within)?;
        let name = CString::new(function.name.as_str()).unwrap_or_default();
        let admission = self.admit(operation, true)?;
        let start = || {
            let dir = self.alive(operation)?;
            let file = if self.version() == Version::V1 { "tasks" } else { "cgroup.procs" };
            let join = dir.open_file(file, OFlag::O_WRONLY)?;
            let failed = |error: std::io::Error| Error::os(operation, error);
            let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(|errno| Error::os(operation, errno))?;
            let (read, write) = (above_stdio(read).map_err(failed)?, above_stdio(write).map_err(failed)?);
            let score = function.oom_score_adj.to_string();
            let plan = fork::Plan { join: join.as_fd(), score: score.as_bytes(), name: &name, report: write.as_fd() };
            // SAFETY: the caller's promise.
            let child = unsafe { fork::fork(&plan, body) }.map_err(failed)?;
            drop(write);
            let pidfd = above_stdio(child.pidfd).map_err(failed)?;
            let mut words = [0u8; 8];
            let told =
                readable(read.as_fd(), Instant::now() + JOIN_WITHIN).map_err(|errno| Error::os(operation, errno));
            let told = told.and_then(|told| match told {
                true => std::fs::File::from(read).read_exact(&mut words).map_err(|_| {
                    Error::new(ErrorKind::WorkerGone, operation, "the child ended before the function began")
                        .remedy("a limit below what a process needs to start kills it; set the limit after the start")
                }),
                false => Err(Error::new(ErrorKind::TimedOut, operation, "the child does not enter its group")),
            });
            let word = |at: usize| i32::from_ne_bytes([words[at], words[at + 1], words[at + 2], words[at + 3]]);
            let begun = told.and_then(|()| match word(0) {
                0 => Ok(()),
                fork::SCORE => Err(start_failed(operation, function.name.as_bytes(), stage::SCORE, word(4))),
                _ => Err(start_failed(operation, function.name.as_bytes(), stage::JOIN, word(4))),
            });
            if let Err(error) = begun {
                let _ = sys::signal_process(pidfd.as_fd(), child.pid, libc::SIGKILL);
                if readable(pidfd.as_fd(), Instant::now() + JOIN_WITHIN).unwrap_or(false) {
                    let _ = fork::reap(pidfd.as_fd());
                }
                return Err(error);
            }
            Ok(Started { id: admission.lab.supervisor.number(), pid: child.pid, pidfd, channel: None, forked: true })
        };
        let started = start();
        let worker = admission.worker(function.name.as_bytes(), None, function.oom_score_adj, started)?;
        self.end_within(&worker, function.force_within)?;
        Ok(worker)
    }
}

impl Run {
    /// Runs a function in a forked child under the limits, in a lab of its own, and waits for its end. Its command is
    /// not looked at.
    ///
    /// # Safety
    /// As [`Group::function`].
    ///
    /// # Errors
    /// As [`Run::run`] and [`Group::function`].
    pub unsafe fn function<'a>(
        &self,
        wait: impl Into<Wait<'a>>,
        function: &Function,
        body: impl FnOnce() -> i32,
    ) -> Result<Outcome> {
        let force_within = function.force_within.or(self.forced(function.oom_score_adj));
        let function = Function { force_within, ..function.clone() };
        let (lab, group) = self.make_lab()?;
        let watched = self.watched(&lab, &group)?;
        // SAFETY: the caller's promise.
        let worker = unsafe { group.function(&function, body) }?;
        self.outcome(&lab, &worker, watched, wait.into())
    }
}
