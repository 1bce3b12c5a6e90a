//! A worker: one process in a group, how it is told to end, and how it ended.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::account::outcome::{Evidence, Outcome, Verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::helper::channel::Channel;
use crate::helper::supervisor::{Join, Role, Start, Started, Usage};
use crate::helper::wire::Message;
use crate::lab::group::Group;
use crate::lab::hub::{Look, State};
use crate::lab::lab::Shared;
use crate::memcg::version::Version;
use crate::memcg::Limit;
use crate::observe::event::EventKind;
use crate::observe::missing::Missing;
use crate::observe::task::Proc;
use crate::sys;
use crate::wait::Wait;

/// What a worker needs before its first step; below this limit the kernel kills it at its start. It takes 9 pages where a
/// page has 16 KiB, its page tables among them, and nearly as many bytes where it has 4.
fn least_limit() -> u64 {
    (128 << 10).max(12 * sys::page_size())
}

/// How long the evidence of an end may take to be complete.
const SETTLE_WITHIN: Duration = Duration::from_secs(12);

/// One process in a group: a hog, a ticker or a command. Clones are the same worker.
#[derive(Clone)]
pub struct Worker(pub(crate) Arc<Process>);

/// What is fixed about a worker, and what changes.
pub(crate) struct Process {
    pub(crate) id: u64,
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) name: Vec<u8>,
    pub(crate) group: Group,
    pub(crate) oom_score_adj: i16,
    pub(crate) started_ns: u64,
    /// The channel of a hog or a ticker.
    pub(crate) channel: Option<Channel>,
    /// A forked child of this process, which is reaped here, not by the supervisor.
    pub(crate) forked: bool,
    progress: Mutex<Progress>,
    /// `oom_kill` of the worker's group at its start.
    oom_kill_before: u64,
    /// How many accounts there were at its start.
    ooms_before: usize,
}

/// What is known of a worker's life.
#[derive(Default)]
pub(crate) struct Progress {
    /// Bytes that a hog holds by its own word.
    pub(crate) total_bytes: u64,
    /// A step that was asked for and not answered.
    pub(crate) pending_bytes: Option<u64>,
    /// Bytes of the last step, as they were asked for.
    pub(crate) asked_bytes: u64,
    /// The answer to the last step.
    pub(crate) answer: Option<Result<Answer, i32>>,
    pub(crate) ticks: u64,
    pub(crate) exit: Option<Exit>,
    pub(crate) killed_by_us: bool,
    /// The supervisor has gone: no exit will ever be reported.
    pub(crate) abandoned: bool,
    /// Already accounted for by its group's counters.
    pub(crate) judged: bool,
    /// An account of its being blocked was given for this step.
    pub(crate) blocked_told: bool,
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
                progress.answer = Some(Ok(Answer { bytes, errno }));
                progress.pending_bytes = None;
                note(end_ns, EventKind::Stepped { step_bytes: bytes, total_bytes });
                if errno != 0 {
                    note(end_ns, EventKind::StepFailed { errno });
                }
            }
            Message::Shrunk { total_bytes, bytes, end_ns, .. } => {
                progress.total_bytes = total_bytes;
                progress.answer = Some(Ok(Answer { bytes, errno: 0 }));
                progress.pending_bytes = None;
                note(end_ns, EventKind::Shrunk { step_bytes: bytes, total_bytes });
            }
            Message::Failed { errno, total_bytes } => {
                progress.total_bytes = total_bytes;
                progress.answer = Some(Err(errno));
                progress.pending_bytes = None;
                note(sys::monotonic_ns(), EventKind::StepFailed { errno });
            }
            Message::Tick { n, time_ns } => {
                progress.ticks = n;
                note(time_ns, EventKind::Ticked { count: n });
            }
        }
        true
    }
}

impl Group {
    /// Starts a worker: it joins the group by itself, before it takes any memory.
    pub(crate) fn start(
        &self,
        operation: &'static str,
        name: &[u8],
        oom_score_adj: i16,
        role: Role<'_>,
    ) -> Result<Worker> {
        let dir = self.alive(operation)?;
        let admission = self.admit(operation)?;
        let started = admission.lab.supervisor.spawn(&Start {
            name,
            join: match self.version() {
                Version::V1 => Join::Tasks(self.tasks()?),
                Version::V2 => Join::Directory(dir.as_fd()),
            },
            oom_score_adj,
            role,
        });
        admission.worker(name, oom_score_adj, started)
    }

    /// What comes before every worker: it needs a limit that leaves room for it, and the counters are read.
    pub(crate) fn admit(&self, operation: &'static str) -> Result<Admission<'_>> {
        let lab = self.lab(operation)?;
        for at in self.chain() {
            if let Limit::Bytes(limit) = at.limit()? {
                if limit < least_limit() {
                    return Err(Error::new(
                        ErrorKind::InvalidInput,
                        operation,
                        "the limit is below what a process needs to start",
                    )
                    .path(at.path())
                    .value(limit)
                    .remedy(&format!(
                        "start the worker first and set the limit then, or choose at least {} bytes",
                        least_limit()
                    )));
                }
            }
        }
        self.enter();
        Ok(Admission { group: self, lab, oom_kill: self.kills()?, ooms: lab.hub.accounts() })
    }

    /// A join that failed with EBUSY on v2 means that the group has children with controllers.
    fn explain_start(&self, error: Error) -> Error {
        let inner = self.version() == Version::V2
            && self
                .0
                .dir
                .read(crate::memcg::v2::SUBTREE_CONTROL)
                .ok()
                .flatten()
                .is_some_and(|text| !text.trim().is_empty());
        let error = error.path(self.path());
        if error.errno() == Some(libc::EBUSY) && inner {
            return error
                .reason("the group has groups with controllers below it, and cgroup v2 lets a group have either processes or such children")
                .remedy("start the worker in a group that has no groups below it");
        }
        error
    }
}

/// A group that a worker may enter, as it was before.
pub(crate) struct Admission<'a> {
    group: &'a Group,
    pub(crate) lab: &'a Shared,
    oom_kill: u64,
    ooms: usize,
}

impl Admission<'_> {
    /// The worker that was started, if it was.
    pub(crate) fn worker(self, name: &[u8], oom_score_adj: i16, started: Result<Started>) -> Result<Worker> {
        let started = started.map_err(|error| self.group.explain_start(error))?;
        let process = Arc::new(Process {
            id: started.id,
            pid: started.pid,
            pidfd: started.pidfd,
            name: name.to_vec(),
            group: self.group.clone(),
            oom_score_adj,
            started_ns: sys::monotonic_ns(),
            channel: started.channel,
            forked: started.forked,
            progress: Mutex::default(),
            oom_kill_before: self.oom_kill,
            ooms_before: self.ooms,
        });
        self.lab.hub.add_worker(&process)?;
        Ok(Worker(process))
    }
}

impl Worker {
    /// Its pid, in the pid namespace of this process.
    pub fn pid(&self) -> i32 {
        self.0.pid
    }

    /// Its name, as the kernel shows it (comm).
    pub fn name(&self) -> String {
        crate::text::escape(&self.0.name)
    }

    /// The group in which it stands.
    pub fn group(&self) -> &Group {
        &self.0.group
    }

    /// A descriptor of the process that becomes readable at its end (pidfd_open(2)).
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.0.pidfd.as_fd()
    }

    /// The letter of its state (`R`, `S`, `D`, `T`, `Z`, ...) in /proc/PID/stat; `X` when it has ended.
    ///
    /// # Errors
    /// `PermissionDenied` where /proc hides the process.
    pub fn state(&self) -> Result<char> {
        if self.ended() {
            return Ok('X');
        }
        Ok(Proc::system().stat(self.0.pid)?.map_or('X', |stat| stat.state.char()))
    }

    /// Whether it has ended.
    pub fn ended(&self) -> bool {
        self.0.group.refresh();
        let progress = self.0.progress();
        progress.exit.is_some() || progress.abandoned
    }

    /// Ticks that a ticker has reported.
    pub fn ticks(&self) -> u64 {
        self.0.group.refresh();
        self.0.progress().ticks
    }

    /// Sends SIGKILL. A worker that has ended is left alone.
    ///
    /// # Errors
    /// `PermissionDenied` where the process has changed its user.
    pub fn kill(&self) -> Result<()> {
        self.0.progress().killed_by_us = true;
        self.signal(libc::SIGKILL)
    }

    /// Sends a signal. A worker that has ended is left alone.
    ///
    /// # Errors
    /// `InvalidInput` for a number that is no signal, `PermissionDenied`.
    pub fn signal(&self, signal: i32) -> Result<()> {
        match sys::signal_process(self.0.pidfd.as_fd(), self.0.pid, signal) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                Err(Error::os("send signal", error).value(format!("signal {signal} to pid {}", self.0.pid)))
            }
            _ => Ok(()),
        }
    }

    /// Waits for its end and gives the verdict, with the account of every OOM of its group while it lived.
    ///
    /// # Errors
    /// `TimedOut` when it still runs at the deadline; `Closed` where the lab was closed first; `Interrupted`.
    pub fn wait<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<Outcome> {
        let lab = self.0.group.lab("wait for worker")?.clone();
        let mut wait = wait.into();
        lab.supervisor.prepare();
        let ended = lab.hub.wait_until(&mut wait, |_| {
            let progress = self.0.progress();
            match (&progress.exit, progress.abandoned) {
                (Some(exit), _) => Ok(Look::Done(*exit)),
                (None, true) => Err(Error::new(
                    ErrorKind::Closed,
                    "wait for worker",
                    "its supervisor has gone, and with it the worker and its status",
                )
                .value(self.0.pid)),
                (None, false) => Ok(Look::Wait),
            }
        })?;
        let Some(exit) = ended else {
            return Err(Error::new(ErrorKind::TimedOut, "wait for worker", "it had not ended by the deadline")
                .value(format!("pid {}", self.0.pid))
                .remedy("wait longer, or kill it"));
        };
        let judged = lab.hub.wait_until(&mut wait.at_most(SETTLE_WITHIN), |state| {
            Ok(if state.collector.is_open() { Look::Again } else { Look::Done(self.judge(state, exit)) })
        })?;
        match judged {
            Some(outcome) => Ok(outcome),
            None => Ok(self.judge(&lab.hub.lock(), exit)),
        }
    }

    fn judge(&self, state: &State, exit: Exit) -> Outcome {
        let process = &self.0;
        let ooms: Vec<_> = state
            .ooms
            .since(process.ooms_before)
            .filter(|oom| {
                let struck = |cgroup: &Option<String>| {
                    cgroup.as_deref().is_some_and(|cgroup| {
                        process.group.covers(cgroup) || crate::memcg::path::covers(cgroup, process.group.cgroup())
                    })
                };
                // A kill that is counted and that nobody could place may be of this group.
                let of_the_group = oom.victims.is_empty() || oom.victims.iter().any(|victim| struck(&victim.group));
                oom.killed(process.pid) || struck(&oom.limit_group) && of_the_group
            })
            .cloned()
            .collect();
        let own = ooms.iter().find(|oom| oom.killed(process.pid));
        let signal = -exit.returncode;
        let mut evidence = vec![Evidence {
            source: "exit-status",
            says: if exit.returncode < 0 {
                format!("signal {signal}")
            } else {
                format!("exit code {}", exit.returncode)
            },
        }];
        let now = process.group.counters();
        if let Some(victim) = own.and_then(|oom| oom.victims.iter().find(|victim| victim.pid == process.pid)) {
            for source in &victim.sources {
                evidence.push(Evidence { source, says: format!("pid {} was killed in an OOM", process.pid) });
            }
        } else if exit.returncode == -libc::SIGKILL {
            for (source, there) in [("tracefs", state.collector.has_trace()), ("kernel-log", state.collector.has_log())]
            {
                if there {
                    evidence.push(Evidence { source, says: format!("no OOM names pid {}", process.pid) });
                }
            }
        }
        let says = match now.map(|now| now.oom_kill) {
            Ok(Some(now)) if now == process.oom_kill_before => format!("oom_kill stayed {now}"),
            Ok(Some(now)) => format!("oom_kill rose from {} to {now}", process.oom_kill_before),
            Ok(None) => "this kernel does not count oom_kill".to_string(),
            Err(error) => format!("the group's counters could not be read: {error}"),
        };
        evidence.push(Evidence { source: "counters", says });
        let verdict = match (exit.returncode, own) {
            (returncode, Some(_)) if returncode == -libc::SIGKILL => Verdict::OomKilled,
            (returncode, _) if returncode < 0 => Verdict::Killed,
            _ => Verdict::Exited,
        };
        let mut missing: Vec<Missing> = Vec::new();
        for one in state.missing.iter().chain(ooms.iter().flat_map(|oom| &oom.missing)) {
            if !missing.contains(one) {
                missing.push(one.clone());
            }
        }
        Outcome {
            schema: Outcome::SCHEMA,
            verdict,
            oom_killed: verdict == Verdict::OomKilled,
            returncode: exit.returncode,
            pid: process.pid,
            ooms,
            name: process.name.clone(),
            group: process.group.cgroup().to_string(),
            evidence,
            user_usec: exit.usage.user_usec,
            system_usec: exit.usage.system_usec,
            max_rss_bytes: exit.usage.max_rss_bytes,
            started_ns: process.started_ns,
            ended_ns: exit.time_ns,
            missing,
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Worker({}, pid {})", self.name(), self.0.pid)
    }
}
