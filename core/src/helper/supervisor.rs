//! The host's side of the supervisor: starting it, asking it, hearing from it, ending it.
#![forbid(unsafe_code)]

mod image;
mod place;
mod request;
mod spare;
mod start;

use std::collections::VecDeque;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::AtomicI32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::socket;

use self::place::Place;
pub(crate) use self::start::{start_failed, Join, Role, Start, Started};
use super::channel::Channel;
use super::descriptor::{above_stdio, readable};
pub(crate) use super::wire::Usage;
use super::wire::{self, stage, Request};
use crate::sys::{self, spawn};
use crate::{Error, ErrorKind, Result};

/// The longest wait for an answer that takes the supervisor far less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the end may take where the caller gives no deadline.
const END: Duration = Duration::from_secs(10);
/// The supervisor process of one lab. Any thread may use it.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pid: i32,
    pidfd: OwnedFd,
    socket: OwnedFd,
    /// The process that made it: in a forked child of that one nothing may be said to it.
    owner: u32,
    /// How long a start stays awake; see [`start`].
    awake: Duration,
    inner: Mutex<Inner>,
    /// Whether workers are made in advance.
    spares: bool,
    /// Where they are not, a channel for the next worker, made while nobody waited for it: some ten system calls.
    channel: Mutex<Option<(Channel, OwnedFd)>>,
    /// The CPU on which it is kept, as the host was there at the last start; -1 before the first.
    cpu: AtomicI32,
    /// Which CPU its hogs share depends on it.
    _place: Place,
}

#[derive(Debug, Default)]
struct Inner {
    serial: u64,
    next_id: u64,
    /// Heard, but not yet asked for.
    notices: VecDeque<Notice>,
    ended: bool,
    spare: Option<spare::Spare>,
}

/// How the supervisor is started.
#[derive(Debug, Default)]
pub(crate) struct Options<'a> {
    /// Where the helper may be put as a file, if it cannot be executed from memory.
    pub(crate) helper_dir: Option<&'a Path>,
    /// Whether one worker more than asked for is kept ready, which makes starts faster where groups are of cgroup v1.
    pub(crate) spares: bool,
    /// Whether it only guards, so that nothing is made ready for workers.
    pub(crate) guards_only: bool,
}

/// What the supervisor told unasked. Times are of CLOCK_MONOTONIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A worker has ended.
    Exit {
        /// Its number.
        id: u64,
        /// Its process id, free again.
        pid: i32,
        /// As `waitpid` gives it.
        status: i32,
        /// What it used.
        rusage: Usage,
        /// When it was reaped.
        time_ns: u64,
    },
    /// A process has ended that a worker had left behind.
    Orphan {
        /// Its process id, free again.
        pid: i32,
        /// As `waitpid` gives it.
        status: i32,
        /// When it was reaped.
        time_ns: u64,
    },
    /// Orphans ended that could not be told one by one.
    Lost {
        /// So many.
        orphans: u64,
    },
}

/// What is put back or removed when the lab ends; for [`Supervisor::unguard`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guard(u64);

impl Supervisor {
    /// Starts the supervisor and waits until it is up.
    ///
    /// # Errors
    /// `PermissionDenied` or `Unsupported` when the helper can be executed neither from memory nor from a file;
    /// `Io` for other failures of the system.
    pub(crate) fn start(options: &Options<'_>) -> Result<Supervisor> {
        let what = "start supervisor";
        let (ours, theirs) = request::pair().map_err(|errno| Error::os(what, errno))?;
        // The host's death shows on its pidfd even while a forked child of its holds the socket. Without one (an
        // old kernel, a filter of system calls) the end of file has to do.
        let host = sys::pidfd_open(std::process::id() as i32).ok();
        let host = host.as_ref().map(|fd| fd.as_fd());
        let place = Place::take();
        let from_memory =
            image::in_memory().and_then(|file| spawn::supervisor(file.as_fd(), theirs.as_fd(), host, place.number()));
        let child = match from_memory {
            Ok(child) => child,
            Err(refused) if image::is_refusal(&refused) => {
                let file = image::in_file(options.helper_dir, &refused)?;
                image::spawn(file.as_fd(), theirs.as_fd(), host, place.number())
                    .map_err(|error| Error::os(what, error))?
            }
            Err(error) => return Err(Error::os(what, error)),
        };
        drop(theirs);
        let supervisor = Supervisor {
            pid: child.pid,
            pidfd: above_stdio(child.pidfd).map_err(|error| Error::os(what, error))?,
            socket: ours,
            owner: std::process::id(),
            awake: if spawn::processors() > 1 { start::AWAKE } else { Duration::ZERO },
            inner: Mutex::new(Inner::default()),
            spares: options.spares,
            channel: Mutex::default(),
            cpu: AtomicI32::new(-1),
            _place: place,
        };
        supervisor.greet()?;
        if !options.guards_only {
            supervisor.prepare();
        }
        Ok(supervisor)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// The number of a worker that the supervisor does not start, unique in the lab as those of its own are.
    pub(crate) fn number(&self) -> u64 {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.next_id += 1;
        inner.next_id
    }

    /// Readable when [`Supervisor::notices`] may have something.
    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Has the directory `name` below `parent` emptied and removed at the end, with all groups in it. It need not
    /// be there yet: register first, then make it, then have it held ([`Supervisor::hold_tree`]).
    ///
    /// # Errors
    /// `Closed` when the supervisor has ended; `Busy` when it guards all that it can.
    pub(crate) fn guard_tree(&self, version: u32, parent: BorrowedFd<'_>, name: &CStr) -> Result<Guard> {
        let name = name.to_bytes();
        self.guard("guard group", name, &Request::GuardTree { version, name }, &[parent])
    }

    /// Gives the directory of a guarded tree: from then on it is that directory which is removed, under whatever name it
    /// stands, and nothing that has taken its place.
    ///
    /// # Errors
    /// `Closed` when the supervisor has ended.
    pub(crate) fn hold_tree(&self, guard: Guard, directory: BorrowedFd<'_>) -> Result<()> {
        let what = "guard group";
        let reply = self.ask(what, &Request::HoldTree { token: guard.0 }, &[directory])?;
        match reply.stage {
            stage::NONE => Ok(()),
            _ => Err(Error::os(what, io::Error::from_raw_os_error(reply.errno))),
        }
    }

    /// Has the tracing instance `name` below `parent` removed at the end.
    ///
    /// # Errors
    /// As [`Supervisor::guard_tree`].
    pub(crate) fn guard_instance(&self, parent: BorrowedFd<'_>, name: &CStr) -> Result<Guard> {
        let name = name.to_bytes();
        self.guard("guard tracing instance", name, &Request::GuardInstance { name }, &[parent])
    }

    /// Has `text` written to `file` at the end, if no directory is left in `directory` then.
    ///
    /// # Errors
    /// As [`Supervisor::guard_tree`].
    pub(crate) fn guard_restore(&self, file: BorrowedFd<'_>, directory: BorrowedFd<'_>, text: &CStr) -> Result<Guard> {
        let text = text.to_bytes();
        self.guard("guard setting", text, &Request::GuardRestore { text }, &[file, directory])
    }

    /// Has `text` written to `file` at the end, whatever else is there.
    ///
    /// # Errors
    /// As [`Supervisor::guard_tree`].
    pub(crate) fn guard_put_back(&self, file: BorrowedFd<'_>, text: &str) -> Result<Guard> {
        let text = text.as_bytes();
        self.guard("guard setting", text, &Request::GuardRestore { text }, &[file])
    }

    fn guard(&self, what: &'static str, name: &[u8], request: &Request<'_>, fds: &[BorrowedFd<'_>]) -> Result<Guard> {
        if name.is_empty() || name.len() > wire::MOST_NAME {
            return Err(
                Error::new(ErrorKind::InvalidInput, what, "the name must have 1 to 255 bytes").value_bytes(name)
            );
        }
        let reply = self.ask(what, request, fds)?;
        match reply.stage {
            stage::NONE => Ok(Guard(reply.token)),
            stage::FULL => Err(Error::new(ErrorKind::Busy, what, "the supervisor guards as much as it can hold")
                .remedy("end the lab, or use fewer groups at its top level")),
            _ => Err(Error::os(what, io::Error::from_raw_os_error(reply.errno)).value_bytes(name)),
        }
    }

    /// Has a process killed at that time of CLOCK_MONOTONIC, if it has not ended by then: whatever this process does or
    /// waits for meanwhile.
    ///
    /// # Errors
    /// `Closed` when the supervisor has ended; `Busy` when it holds as many deadlines as it can.
    pub(crate) fn kill_at(&self, process: BorrowedFd<'_>, deadline_ns: u64) -> Result<()> {
        let what = "set deadline";
        let reply = self.ask(what, &Request::KillAt { deadline_ns }, &[process])?;
        match reply.stage {
            stage::NONE => Ok(()),
            stage::FULL => Err(Error::new(ErrorKind::Busy, what, "the supervisor holds as many deadlines as it can")
                .remedy("end some of the workers that have one")),
            _ => Err(Error::os(what, io::Error::from_raw_os_error(reply.errno))),
        }
    }

    /// Forgets a guard, for what the caller has removed or put back itself.
    ///
    /// # Errors
    /// `Closed` when the supervisor has ended; `NotFound` when it has no such guard.
    #[allow(dead_code)] // what is guarded today stands until the lab's end
    pub(crate) fn unguard(&self, guard: Guard) -> Result<()> {
        let what = "remove guard";
        let reply = self.ask(what, &Request::Unguard { token: guard.0 }, &[])?;
        match reply.stage {
            stage::NONE => Ok(()),
            _ => Err(Error::os(what, io::Error::from_raw_os_error(reply.errno))),
        }
    }

    /// Ends every worker, removes and restores what is guarded, ends the supervisor and reaps it. A second call does
    /// nothing. Notices of the last exits can still be read afterwards.
    ///
    /// # Errors
    /// `Busy` or the errno concerned when something could not be removed until the deadline; `TimedOut` when the
    /// supervisor did not end by then; `Closed` when it was dead before, so that nobody has cleaned up.
    pub(crate) fn end(&self, deadline: Instant) -> Result<()> {
        let what = "end lab";
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_owner(what)?;
        if inner.ended {
            return Ok(());
        }
        inner.ended = true;
        let left = deadline.saturating_duration_since(Instant::now());
        let deadline_ns = sys::monotonic_ns().saturating_add(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
        // The supervisor may use the whole time; its answer and its exit come after.
        let answer_by = deadline + Duration::from_secs(1);
        let result = self
            .send(&mut inner, what, &Request::End { deadline_ns }, &[])
            .and_then(|serial| self.reply(&mut inner, what, serial, answer_by));
        // Whatever the answer: with the socket shut down the supervisor ends by itself.
        if result.is_err() {
            let _ = socket::shutdown(self.socket.as_raw_fd(), socket::Shutdown::Both);
        }
        let over = readable(self.pidfd.as_fd(), answer_by).map_err(|errno| Error::os(what, errno))?;
        if over {
            spawn::reap(self.pidfd.as_fd()).map_err(|error| Error::os(what, error))?;
        }
        let reply = result?;
        match reply.stage {
            stage::NONE if over => Ok(()),
            stage::NONE => Err(Error::new(ErrorKind::TimedOut, what, "the supervisor has not ended")),
            failed => {
                let error = Error::os(what, io::Error::from_raw_os_error(reply.errno))
                    .reason(&format!("the supervisor could not {}", stage::name(failed)));
                Err(match (reply.left.as_slice(), reply.pid) {
                    (b"", 0) => error,
                    (b"", pid) => error.value(format!("pid {pid}")),
                    (name, _) => error.value_bytes(name),
                })
            }
        }
    }

    fn ready_channel(&self) -> MutexGuard<'_, Option<(Channel, OwnedFd)>> {
        self.channel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the supervisor's first word.
    fn greet(&self) -> Result<()> {
        let what = "start supervisor";
        let deadline = Instant::now() + PATIENCE;
        let mut bytes = [0u8; wire::MOST];
        let ready = readable(self.socket.as_fd(), deadline).map_err(|errno| Error::os(what, errno).call("poll"))?;
        let length = match ready {
            true => match spawn::receive(self.socket.as_fd(), &mut bytes) {
                Ok((length, _)) => length,
                Err(error) => return Err(Error::os(what, error).call("recvmsg")),
            },
            false => return Err(Error::new(ErrorKind::TimedOut, what, "it did not come up")),
        };
        match wire::Notice::decode(&bytes[..length]) {
            Some(wire::Notice::Hello { version: wire::VERSION, .. }) => Ok(()),
            Some(_) => Err(Error::new(ErrorKind::Io, what, "the helper is of another version")),
            None => Err(self.never_began(what, deadline)),
        }
    }

    /// Why it ended before its first word: its status says so.
    fn never_began(&self, what: &'static str, deadline: Instant) -> Error {
        let ended = readable(self.pidfd.as_fd(), deadline).unwrap_or(false);
        let status = if ended { spawn::reap(self.pidfd.as_fd()).ok().flatten() } else { None };
        let call = status.and_then(|status| usize::try_from(status).ok()?.checked_sub(wire::vital::FIRST));
        match call.and_then(|call| wire::vital::NAMES.get(call)) {
            Some(call) => Error::new(ErrorKind::PermissionDenied, what, &format!("it may not call {call}"))
                .remedy("a filter of system calls (seccomp) refuses it: allow the call, as docker run --security-opt seccomp=unconfined does"),
            None => Error::new(ErrorKind::Closed, what, "it ended before its first word")
                .remedy("something kills it at its start: look into the kernel log, or for who watches processes here"),
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // A forked child must not end its parent's lab; closing its copies is all.
        if self.owner == std::process::id() {
            let _ = self.end(Instant::now() + END);
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod spare_tests;

#[cfg(test)]
mod channel_tests;
