//! A worker: one process in a group, how it is told to end, and how it ended.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::interpreter::interpreter_of;
use crate::account::outcome::Outcome;
use crate::error::{Error, ErrorKind, Result};
use crate::helper::process::Process;
use crate::helper::supervisor::{Join, Role, Start, Started};
use crate::lab::group::Group;
use crate::lab::hub::own::LOST_REMEDY;
use crate::lab::hub::{Look, State};
use crate::lab::shared::Shared;
use crate::memcg::cgroup::killer_is_off;
use crate::memcg::version::Version;
use crate::memcg::Limit;
use crate::observe::task::Proc;
use crate::sys;
use crate::text::named;
use crate::wait::Wait;

/// The least limit at which a worker can start: below it the kernel would kill it before its first step. A worker takes
/// 9 pages of 16 KiB, page tables included; with pages of 4 KiB it takes nearly as many bytes.
fn least_limit() -> u64 {
    (128 << 10).max(12 * sys::page_size())
}

/// How long the evidence of an end may take to be complete.
const SETTLE_WITHIN: Duration = Duration::from_secs(12);

/// The signals by which a terminal, a shell or a manager asks a process to end.
const ASKS_TO_END: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// One process in a group: a hog, a ticker or a command. Clones are the same worker.
#[derive(Clone)]
pub struct Worker {
    pub(crate) process: Arc<Process>,
    group: Group,
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
        // A command that cannot start is an outcome, with the account of its OOM. What has to say READY has nobody to say so.
        let must_start = !matches!(role, Role::Command { .. }) || killer_is_off(&self.0.cgroup)?;
        let admission = self.admit(operation, must_start)?;
        let interpreter = match &role {
            Role::Command { paths, .. } => interpreter_of(paths),
            _ => None,
        };
        let started = admission.lab.supervisor.spawn(&Start {
            name,
            join: match self.version() {
                Version::V1 => Join::Tasks(self.0.tasks()?),
                Version::V2 => Join::Directory(dir.as_fd()),
            },
            oom_score_adj,
            role,
        });
        let full = |error: &Error| matches!(error.errno(), Some(libc::ENOMEM | libc::E2BIG));
        if started.as_ref().is_err_and(full) {
            // Where not even an execution has room the kernel kills nobody: the child still has its parent's memory, and
            // is passed over (in_vfork).
            self.check_room(operation)?;
        }
        admission.worker(name, interpreter, oom_score_adj, started)
    }

    /// What comes before every worker: one that must start needs a limit that leaves room for it, and the counters are read.
    pub(crate) fn admit(&self, operation: &'static str, must_start: bool) -> Result<Admission<'_>> {
        let lab = self.lab(operation)?;
        if must_start {
            self.check_room(operation)?;
        }
        self.0.enter();
        Ok(Admission { group: self, lab, oom_kill: self.0.kills()?, ooms: lab.hub.accounts() })
    }

    fn check_room(&self, operation: &'static str) -> Result<()> {
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
        Ok(())
    }

    /// A join that failed with EBUSY on v2 means that the group has children with controllers; where the supervisor has
    /// died, somebody may have killed it.
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
        if error.kind() == ErrorKind::Closed {
            let killed = self.0.lab.as_ref().and_then(|lab| lab.hub.refresh().supervisor_killed());
            return match killed {
                Some(by) => error.reason(&by).remedy(LOST_REMEDY),
                None => error,
            };
        }
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
    pub(crate) fn worker(
        self,
        name: &[u8],
        interpreter: Option<Vec<u8>>,
        oom_score_adj: i16,
        started: Result<Started>,
    ) -> Result<Worker> {
        let started = started.map_err(|error| self.group.explain_start(error))?;
        let process = Arc::new(Process {
            id: started.id,
            pid: started.pid,
            pidfd: started.pidfd,
            name: name.to_vec(),
            interpreter,
            group: self.group.0.cgroup.clone(),
            oom_score_adj,
            started_ns: sys::monotonic_ns(),
            channel: started.channel,
            forked: started.forked,
            progress: Mutex::default(),
            oom_kill_before: self.oom_kill,
            ooms_before: self.ooms,
        });
        self.lab.hub.add_worker(&process)?;
        Ok(Worker { process, group: self.group.clone() })
    }
}

impl Worker {
    /// Its pid, in the pid namespace of this process.
    pub fn pid(&self) -> i32 {
        self.process.pid
    }

    /// Its name, as the kernel shows it (comm).
    pub fn name(&self) -> String {
        crate::text::escape(&self.process.name)
    }

    /// The group in which it stands.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// A descriptor of the process that becomes readable at its end (pidfd_open(2)).
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.process.pidfd.as_fd()
    }

    /// The letter of its state (`R`, `S`, `D`, `T`, `Z`, ...) in /proc/PID/stat; `X` when it has ended.
    ///
    /// # Errors
    /// `PermissionDenied` where /proc hides the process; `Closed` in a forked child.
    pub fn state(&self) -> Result<char> {
        self.check_process("read state")?;
        if self.ended() {
            return Ok('X');
        }
        Ok(Proc::system().stat(self.process.pid)?.map_or('X', |stat| stat.state.char()))
    }

    /// Whether it has ended; `false` in a forked child, which does not know.
    pub fn ended(&self) -> bool {
        if self.check_process("look at worker").is_err() {
            return false;
        }
        self.group.refresh();
        let progress = self.process.progress();
        progress.exit.is_some() || progress.abandoned
    }

    /// Ticks that a ticker has reported; 0 in a forked child.
    pub fn ticks(&self) -> u64 {
        if self.check_process("look at worker").is_err() {
            return 0;
        }
        self.group.refresh();
        self.process.progress().ticks
    }

    /// Sends SIGKILL. A worker that has ended is left alone.
    ///
    /// # Errors
    /// `PermissionDenied` where the process has changed its user; `Closed` in a forked child.
    pub fn kill(&self) -> Result<()> {
        self.check_process("kill worker")?;
        self.signal(libc::SIGKILL)
    }

    /// Sends a signal. A worker that has ended is left alone.
    ///
    /// # Errors
    /// `InvalidInput` for a number that is no signal, `PermissionDenied`; `Closed` in a forked child.
    pub fn signal(&self, signal: i32) -> Result<()> {
        self.check_process("send signal")?;
        // SIGKILL is memoom's own in any case.
        if let Some(lab) = self.group.0.lab.as_ref().filter(|_| signal != libc::SIGKILL) {
            lab.hub.lock().forget_passed_on(self.pid(), signal);
        }
        self.send(signal)
    }

    fn send(&self, signal: i32) -> Result<()> {
        // Said before it is sent: whoever reads the end sees it. Who has ended was ended by somebody else.
        if signal == libc::SIGKILL {
            self.process.progress().killed_by_us |= !sys::has_ended(self.process.pidfd.as_fd());
        }
        match sys::signal_process(self.process.pidfd.as_fd(), self.process.pid, signal) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                Err(Error::os("send signal", error).value(format!("signal {signal} to pid {}", self.process.pid)))
            }
            _ => {
                // Who stands still at its limit takes no signal: whoever runs a hook meanwhile has to hear of it.
                if ASKS_TO_END.contains(&signal) {
                    self.process.progress().asked_to_end = Some(signal);
                }
                Ok(())
            }
        }
    }

    /// Passes on a signal that this process was sent, by the process `pid` of the user `uid` (`si_pid` and `si_uid` of its
    /// siginfo; a `pid` of 0 is one that this pid namespace does not have): where it ends the worker, that sender is named.
    ///
    /// # Errors
    /// As [`Worker::signal`].
    pub fn pass_on(&self, signal: i32, pid: i32, uid: u32) -> Result<()> {
        self.check_process("send signal")?;
        if let Some(lab) = &self.group.0.lab {
            lab.hub.lock().will_pass_on(self.pid(), signal, pid, uid);
        }
        self.send(signal)
    }

    /// Waits for its end and gives the verdict, with the account of every OOM of its group while it lived.
    ///
    /// # Errors
    /// `TimedOut` when it still runs at the deadline; `Closed` where the lab was closed first; `Interrupted`.
    pub fn wait<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<Outcome> {
        let lab = self.group.lab("wait for worker")?.clone();
        let mut wait = wait.into();
        lab.supervisor.prepare();
        let ended = lab.hub.wait_until(&mut wait, |state| {
            let progress = self.process.progress();
            match (&progress.exit, progress.abandoned) {
                (Some(exit), _) => Ok(Look::Done(*exit)),
                (None, true) => Err(self.lost("wait for worker", state)),
                (None, false) => Ok(Look::Wait),
            }
        })?;
        let Some(exit) = ended else {
            return Err(Error::new(ErrorKind::TimedOut, "wait for worker", "it had not ended by the deadline")
                .value(format!("pid {}", self.process.pid))
                .remedy("wait longer, or kill it"));
        };
        let judged = lab.hub.wait_until(&mut wait.at_most(SETTLE_WITHIN), |state| {
            // Accounts of others may take their time.
            let open = state.collector.concerns(self.process.pid, self.process.group.cgroup());
            Ok(if open { Look::Again } else { Look::Done(self.judge(state, exit)) })
        });
        match judged {
            Ok(Some(outcome)) => Ok(outcome),
            Ok(None) => Ok(self.judge(&lab.hub.lock(), exit)),
            // How it ended is known, whatever has become of the lab since.
            Err(error) if error.kind() == ErrorKind::Closed => Ok(self.judge(&lab.hub.lock(), exit)),
            Err(error) => Err(error),
        }
    }

    /// A forked child must not act on the workers of its parent.
    fn check_process(&self, operation: &'static str) -> Result<()> {
        self.group().0.lab.as_ref().map_or(Ok(()), |lab| lab.maker.check(operation))
    }

    /// The answer of every call that waits for a worker whose supervisor has died.
    pub(super) fn lost(&self, operation: &'static str, state: &State) -> Error {
        let dead = state.supervisor_killed().unwrap_or_else(|| "the lab's supervisor has died".to_string());
        Error::new(ErrorKind::Closed, operation, &format!("{dead}; with it went the worker and its status"))
            .value(named(&self.process.name, self.pid()))
            .remedy(LOST_REMEDY)
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Worker({}, pid {})", self.name(), self.process.pid)
    }
}
