//! The host's side of the supervisor: starting it, asking it, hearing from it, ending it.
#![forbid(unsafe_code)]
#![allow(dead_code)] // the rooms above use it piece by piece

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::io::{self, IoSlice, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::socket::{self, AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType};

pub(crate) use super::wire::Usage;
use super::wire::{self, fd, hog, role, stage, Message, Request, Writer};
use crate::sys::spawn;
use crate::{Error, ErrorKind, Result};

/// The longest wait for an answer that takes the supervisor far less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the end may take where the caller gives no deadline.
const END: Duration = Duration::from_secs(10);
/// How long a start waits for READY before it also lets others hear from the supervisor.
const FIRST_WAIT: Duration = Duration::from_millis(5);

/// The supervisor process of one lab. Any thread may use it.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pid: i32,
    pidfd: OwnedFd,
    socket: OwnedFd,
    /// The process that made it: in a forked child of that one nothing may be said to it.
    owner: u32,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    serial: u64,
    next_id: u64,
    /// Heard, but not yet asked for.
    notices: VecDeque<Notice>,
    ended: bool,
}

/// How the supervisor is started.
#[derive(Debug, Default)]
pub(crate) struct Options<'a> {
    /// Where the helper may be put as a file, if it cannot be executed from memory.
    pub(crate) helper_dir: Option<&'a Path>,
}

/// How a worker enters its group.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Join<'a> {
    /// v1: the group's `tasks`, open for writing.
    Tasks(BorrowedFd<'a>),
    /// v2: the group's directory.
    Directory(BorrowedFd<'a>),
}

/// What a worker is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role<'a> {
    /// Takes memory in acknowledged steps.
    Hog {
        /// One of [`wire::hog`].
        kind: u32,
    },
    /// Says that it is alive.
    Ticker {
        /// So often.
        every: Duration,
    },
    /// A program of the user's.
    Command {
        /// Its arguments, the first being its name; at least one.
        argv: &'a [CString],
        /// Its environment, `NAME=value` each.
        env: &'a [CString],
        /// Where it may be, the first that can be executed counts; relative ones start from `cwd`.
        paths: &'a [CString],
        /// Its working directory; without, the caller's.
        cwd: Option<BorrowedFd<'a>>,
        /// Its standard input, output and error; without, /dev/null.
        stdio: [Option<BorrowedFd<'a>>; 3],
    },
}

/// A worker to be started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start<'a> {
    /// The name that the kernel shows, cut to 15 bytes; a command names itself.
    pub(crate) name: &'a [u8],
    /// Its group.
    pub(crate) join: Join<'a>,
    /// What its /proc/PID/oom_score_adj shows.
    pub(crate) oom_score_adj: i16,
    /// What it is.
    pub(crate) role: Role<'a>,
}

/// A worker that was started.
#[derive(Debug)]
pub(crate) struct Started {
    /// Its number, unique in the lab; exits name it.
    pub(crate) id: u64,
    /// Its process id.
    pub(crate) pid: i32,
    /// A handle to it.
    pub(crate) pidfd: OwnedFd,
    /// For a hog or a ticker the host's end of the channel, after READY was received.
    pub(crate) channel: Option<OwnedFd>,
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

/// The answer to a request.
struct Reply {
    stage: u32,
    errno: i32,
    token: u64,
    pid: i32,
    left: Vec<u8>,
    fd: Option<OwnedFd>,
}

/// What a failed start names.
fn start_failed(name: &[u8], reply: &Reply) -> Error {
    let error = Error::os("start worker", io::Error::from_raw_os_error(reply.errno))
        .value(crate::text::escape(name))
        .reason(format!("it could not {}", stage::name(reply.stage)));
    match (reply.stage, reply.errno) {
        (stage::JOIN, libc::ENODEV | libc::ENOENT) => error.reason("the group is gone").with_kind(ErrorKind::NotFound),
        (stage::JOIN, libc::EBUSY) => error
            .reason("it could not join the group, which is frozen or has controllers enabled for its children")
            .remedy("use a leaf group and thaw it first"),
        (stage::SCORE, libc::EACCES | libc::EPERM) => {
            error.remedy("a value below the present one needs CAP_SYS_RESOURCE; use a higher one")
        }
        _ => error,
    }
}

impl Supervisor {
    /// Starts the supervisor and waits until it is up.
    ///
    /// # Errors
    /// `PermissionDenied` or `Unsupported` when the helper can be executed neither from memory nor from a file;
    /// `Io` for other failures of the system.
    pub(crate) fn start(options: &Options<'_>) -> Result<Supervisor> {
        let what = "start supervisor";
        let (ours, theirs) = pair().map_err(|errno| Error::os(what, errno))?;
        // The host's death shows on its pidfd even while a forked child of its holds the socket. Without one (an
        // old kernel, a filter of system calls) the end of file has to do.
        let host = spawn::pidfd_open(std::process::id() as i32).ok();
        let host = host.as_ref().map(|fd| fd.as_fd());
        let from_memory = image_in_memory().and_then(|image| spawn::supervisor(image.as_fd(), theirs.as_fd(), host));
        let child = match from_memory {
            Ok(child) => child,
            Err(refused) if is_refusal(&refused) => {
                let image = image_in_file(options.helper_dir, &refused)?;
                spawn_file(image.as_fd(), theirs.as_fd(), host).map_err(|error| Error::os(what, error))?
            }
            Err(error) => return Err(Error::os(what, error)),
        };
        drop(theirs);
        let supervisor = Supervisor {
            pid: child.pid,
            pidfd: above_stdio(child.pidfd).map_err(|error| Error::os(what, error))?,
            socket: ours,
            owner: std::process::id(),
            inner: Mutex::new(Inner::default()),
        };
        supervisor.greet()?;
        Ok(supervisor)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable when the supervisor has ended.
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Readable when [`Supervisor::notices`] may have something.
    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Has the directory `name` below `parent` emptied and removed at the end, with all groups in it. It need not
    /// be there yet: register first, then make it.
    ///
    /// # Errors
    /// `Closed` when the supervisor has ended; `Busy` when it guards all that it can.
    pub(crate) fn guard_tree(&self, version: u32, parent: BorrowedFd<'_>, name: &CStr) -> Result<Guard> {
        let name = name.to_bytes();
        self.guard("guard group", name, &Request::GuardTree { version, name }, &[parent])
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

    fn guard(&self, what: &'static str, name: &[u8], request: &Request<'_>, fds: &[BorrowedFd<'_>]) -> Result<Guard> {
        if name.is_empty() || name.len() > wire::MOST_NAME {
            return Err(Error::new(ErrorKind::InvalidInput, what, "the name must have 1 to 255 bytes")
                .value(crate::text::escape(&name[..name.len().min(300)])));
        }
        let reply = self.ask(what, request, fds)?;
        match reply.stage {
            stage::NONE => Ok(Guard(reply.token)),
            stage::FULL => Err(Error::new(ErrorKind::Busy, what, "the supervisor guards as much as it can hold")
                .remedy("end the lab, or use fewer groups at its top level")),
            _ => Err(Error::os(what, io::Error::from_raw_os_error(reply.errno)).value(crate::text::escape(name))),
        }
    }

    /// Forgets a guard, for what the caller has removed or put back itself.
    ///
    /// # Errors
    /// `Closed` when the supervisor has ended; `NotFound` when it has no such guard.
    pub(crate) fn unguard(&self, guard: Guard) -> Result<()> {
        let what = "remove guard";
        let reply = self.ask(what, &Request::Unguard { token: guard.0 }, &[])?;
        match reply.stage {
            stage::NONE => Ok(()),
            _ => Err(Error::os(what, io::Error::from_raw_os_error(reply.errno))),
        }
    }

    /// Starts a worker; a hog or ticker is READY when this returns.
    ///
    /// # Errors
    /// `Closed` when the supervisor has ended, `WorkerGone` when the worker ended before it was ready, `TimedOut`
    /// when it did not get ready (and was killed); else by the errno of the step that failed, and nothing is left.
    /// A command that cannot be executed keeps the errno of its execution and says `execute`.
    pub(crate) fn spawn(&self, start: &Start<'_>) -> Result<Started> {
        let what = "start worker";
        let mut request = wire::Start {
            id: 0,
            role: role::COMMAND,
            kind: hog::ANON,
            period_ns: 0,
            oom_score_adj: start.oom_score_adj.into(),
            pgid: nix::unistd::getpgrp().as_raw(),
            fds: 0,
            name: &start.name[..start.name.len().min(wire::MOST_COMM)],
        };
        // In the order of the bits of `wire::fd`.
        let mut fds: Vec<BorrowedFd<'_>> = Vec::with_capacity(wire::MOST_FDS);
        let (bit, group) = match start.join {
            Join::Tasks(tasks) => (fd::TASKS, tasks),
            Join::Directory(directory) => (fd::DIRECTORY, directory),
        };
        request.fds = bit;
        fds.push(group);
        let (mut channel, mut worker_end) = (None, None);
        let (blob, here) = match start.role {
            Role::Hog { .. } | Role::Ticker { .. } => {
                match start.role {
                    Role::Hog { kind } => (request.role, request.kind) = (role::HOG, kind),
                    Role::Ticker { every } => {
                        request.role = role::TICKER;
                        request.period_ns = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX);
                    }
                    Role::Command { .. } => {}
                }
                let (ours, theirs) = pair().map_err(|errno| Error::os(what, errno))?;
                (channel, worker_end) = (Some(ours), Some(theirs));
                (None, None)
            }
            Role::Command { argv, env, paths, cwd, .. } => {
                if argv.is_empty() {
                    return Err(Error::new(ErrorKind::InvalidInput, what, "a command needs at least its name"));
                }
                let blob = command_blob(argv, env, paths).map_err(|error| Error::os(what, error))?;
                let here = match cwd {
                    Some(_) => None,
                    // The supervisor stands elsewhere. Where the caller's directory cannot be opened it stays there.
                    None => std::fs::OpenOptions::new()
                        .read(true)
                        .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
                        .open(".")
                        .ok()
                        .map(OwnedFd::from),
                };
                (Some(blob), here)
            }
        };
        if let Some(end) = &worker_end {
            request.fds |= fd::CHANNEL;
            fds.push(end.as_fd());
        }
        if let Some(blob) = &blob {
            request.fds |= fd::BLOB;
            fds.push(blob.as_fd());
        }
        if let Role::Command { cwd, stdio, .. } = start.role {
            if let Some(cwd) = cwd.or(here.as_ref().map(|here| here.as_fd())) {
                request.fds |= fd::CWD;
                fds.push(cwd);
            }
            for (file, bit) in stdio.into_iter().zip([fd::STDIN, fd::STDOUT, fd::STDERR]) {
                if let Some(file) = file {
                    request.fds |= bit;
                    fds.push(file);
                }
            }
        }
        let mut inner = self.lock(what)?;
        inner.next_id += 1;
        request.id = inner.next_id;
        let serial = self.send(&mut inner, what, &Request::Start(request), &fds)?;
        // Now that the message holds it, the channel ends when the worker and the supervisor let go of it.
        drop(fds);
        drop(worker_end);
        // READY first: it comes after the supervisor's reply, so that one wake-up serves both. Whatever goes wrong
        // before READY closes the channel, which wakes us too.
        if let Some(channel) = &channel {
            wait(channel.as_fd(), PollFlags::POLLIN, Instant::now() + FIRST_WAIT)
                .map_err(|errno| Error::os(what, errno))?;
        }
        let reply = self.reply(&mut inner, what, serial, Instant::now() + PATIENCE)?;
        drop(inner);
        if reply.stage != stage::NONE {
            return Err(start_failed(start.name, &reply));
        }
        let pidfd = reply
            .fd
            .ok_or_else(|| Error::new(ErrorKind::Io, what, "the supervisor sent no pidfd"))
            .and_then(|fd| above_stdio(fd).map_err(|error| Error::os(what, error)))?;
        let started = Started { id: request.id, pid: reply.pid, pidfd, channel };
        started.await_ready(start.name)?;
        Ok(started)
    }

    /// What the supervisor told since the last call; does not wait.
    ///
    /// # Errors
    /// `Closed` when the supervisor has ended and nothing is left to tell.
    pub(crate) fn notices(&self) -> Result<Vec<Notice>> {
        let what = "read notices";
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_owner(what)?;
        let mut closed = inner.ended;
        while !closed {
            match self.receive(&mut inner, what) {
                Ok(Some(_)) => {} // the late reply to a request that was given up
                Ok(None) => break,
                Err(error) if error.kind() == ErrorKind::Closed => closed = true,
                Err(error) => return Err(error),
            }
        }
        if closed && inner.notices.is_empty() {
            return Err(gone(what));
        }
        Ok(inner.notices.drain(..).collect())
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
        let deadline_ns = monotonic_ns().saturating_add(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
        // The supervisor may use the whole time; its answer and its exit come after.
        let answer_by = deadline + Duration::from_secs(1);
        let result = self
            .send(&mut inner, what, &Request::End { deadline_ns }, &[])
            .and_then(|serial| self.reply(&mut inner, what, serial, answer_by));
        // Whatever the answer: with the socket shut down the supervisor ends by itself.
        if result.is_err() {
            let _ = socket::shutdown(self.socket.as_raw_fd(), socket::Shutdown::Both);
        }
        let over = wait(self.pidfd.as_fd(), PollFlags::POLLIN, answer_by).map_err(|errno| Error::os(what, errno))?;
        if over {
            spawn::reap(self.pidfd.as_fd()).map_err(|error| Error::os(what, error))?;
        }
        let reply = result?;
        match reply.stage {
            stage::NONE if over => Ok(()),
            stage::NONE => Err(Error::new(ErrorKind::TimedOut, what, "the supervisor has not ended")),
            failed => {
                let error = Error::os(what, io::Error::from_raw_os_error(reply.errno))
                    .reason(format!("the supervisor could not {}", stage::name(failed)));
                Err(match (reply.left.as_slice(), reply.pid) {
                    (b"", 0) => error,
                    (b"", pid) => error.value(format!("pid {pid}")),
                    (name, _) => error.value(crate::text::escape(name)),
                })
            }
        }
    }

    /// Waits for the supervisor's first word.
    fn greet(&self) -> Result<()> {
        let what = "start supervisor";
        let deadline = Instant::now() + PATIENCE;
        let mut bytes = [0u8; wire::MOST];
        let ready = wait(self.socket.as_fd(), PollFlags::POLLIN, deadline).map_err(|errno| Error::os(what, errno))?;
        let length = match ready {
            true => spawn::receive(self.socket.as_fd(), &mut bytes).map_err(|error| Error::os(what, error))?.0,
            false => return Err(Error::new(ErrorKind::TimedOut, what, "it did not come up")),
        };
        match wire::Notice::decode(&bytes[..length]) {
            Some(wire::Notice::Hello { version: wire::VERSION, .. }) => Ok(()),
            Some(_) => Err(Error::new(ErrorKind::Io, what, "the helper is of another version")),
            None => Err(Error::new(ErrorKind::Closed, what, "it ended before its first word")),
        }
    }

    fn check_owner(&self, what: &'static str) -> Result<()> {
        if self.owner != std::process::id() {
            return Err(Error::new(ErrorKind::Closed, what, "the lab belongs to the process this one was forked from")
                .remedy("make a lab in this process"));
        }
        Ok(())
    }

    fn lock(&self, what: &'static str) -> Result<MutexGuard<'_, Inner>> {
        self.check_owner(what)?;
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.ended {
            return Err(Error::new(ErrorKind::Closed, what, "the lab has ended, and its supervisor with it"));
        }
        Ok(inner)
    }

    fn ask(&self, what: &'static str, request: &Request<'_>, fds: &[BorrowedFd<'_>]) -> Result<Reply> {
        let mut inner = self.lock(what)?;
        let serial = self.send(&mut inner, what, request, fds)?;
        self.reply(&mut inner, what, serial, Instant::now() + PATIENCE)
    }

    fn send(
        &self,
        inner: &mut Inner,
        what: &'static str,
        request: &Request<'_>,
        fds: &[BorrowedFd<'_>],
    ) -> Result<u64> {
        inner.serial += 1;
        let message = request.encode(inner.serial);
        let raw: Vec<i32> = fds.iter().map(|fd| fd.as_raw_fd()).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
        let flags = MsgFlags::MSG_NOSIGNAL;
        loop {
            let slices = [IoSlice::new(message.bytes())];
            match socket::sendmsg::<()>(self.socket.as_raw_fd(), &slices, control, flags, None) {
                Ok(_) => return Ok(inner.serial),
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN) => return Err(gone(what)),
                Err(errno) => return Err(Error::os(what, errno)),
            }
        }
    }

    /// Waits for the reply of that serial; what comes before it is kept.
    fn reply(&self, inner: &mut Inner, what: &'static str, serial: u64, deadline: Instant) -> Result<Reply> {
        loop {
            match self.receive(inner, what)? {
                Some((got, reply)) if got == serial => return Ok(reply),
                Some(_) => {} // the late reply to a request that was given up
                None => {
                    if !wait(self.socket.as_fd(), PollFlags::POLLIN, deadline)
                        .map_err(|errno| Error::os(what, errno))?
                    {
                        return Err(Error::new(ErrorKind::TimedOut, what, "the supervisor does not answer"));
                    }
                }
            }
        }
    }

    /// Receives what is there until a reply comes; notices are put aside.
    fn receive(&self, inner: &mut Inner, what: &'static str) -> Result<Option<(u64, Reply)>> {
        let mut bytes = [0u8; wire::MOST];
        loop {
            let (length, fd) = match spawn::receive(self.socket.as_fd(), &mut bytes) {
                Ok((0, _)) => return Err(gone(what)),
                Ok(received) => received,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return Ok(None),
                    Some(libc::EINTR) => continue,
                    Some(libc::ECONNRESET) => return Err(gone(what)),
                    _ => return Err(Error::os(what, error)),
                },
            };
            let notice = wire::Notice::decode(&bytes[..length])
                .ok_or_else(|| Error::new(ErrorKind::Io, what, "the supervisor sent what is no message"))?;
            let kept = match notice {
                wire::Notice::Reply { serial, stage, errno, token, pid, left } => {
                    return Ok(Some((serial, Reply { stage, errno, token, pid, left: left.to_vec(), fd })));
                }
                wire::Notice::Hello { .. } => continue,
                wire::Notice::Exit { id, pid, status, usage, time_ns } => {
                    Notice::Exit { id, pid, status, rusage: usage, time_ns }
                }
                wire::Notice::Orphan { pid, status, time_ns } => Notice::Orphan { pid, status, time_ns },
                wire::Notice::Lost { orphans } => Notice::Lost { orphans },
            };
            inner.notices.push_back(kept);
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

impl Started {
    /// Waits for READY; on failure the worker is killed.
    fn await_ready(&self, name: &[u8]) -> Result<()> {
        let what = "start worker";
        let Some(channel) = &self.channel else {
            return Ok(());
        };
        let result = match channel::receive(channel.as_fd(), Instant::now() + PATIENCE) {
            Ok(Message::Ready { .. }) => return Ok(()),
            Ok(Message::Failed { errno, .. }) => Err(Error::os(what, io::Error::from_raw_os_error(errno))
                .reason("the worker could not prepare itself")
                .with_kind(if errno == libc::EOPNOTSUPP {
                    ErrorKind::Unsupported
                } else {
                    ErrorKind::of_errno(errno)
                })),
            Ok(_) => Err(Error::new(ErrorKind::Io, what, "the worker did not begin with READY")),
            Err(error) if error.kind() == ErrorKind::WorkerGone => {
                Err(Error::new(ErrorKind::WorkerGone, what, "the worker ended before it was ready")
                    .remedy("a limit below what a process needs to start kills it; set the limit after the start"))
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                Err(Error::new(ErrorKind::TimedOut, what, "the worker does not get ready")
                    .remedy("in a full group whose OOM killer is off it is blocked; raise the limit first"))
            }
            Err(error) => Err(error),
        };
        let _ = spawn::pidfd_signal(self.pidfd.as_fd(), libc::SIGKILL);
        result.map_err(|error: Error| error.value(crate::text::escape(name)))
    }
}

/// Talking with a hog or a ticker over its channel.
pub(crate) mod channel {
    use super::*;

    /// Asks a hog to take so much more; it answers `Grew` or `Failed`, when it can.
    ///
    /// # Errors
    /// `WorkerGone` when it has ended.
    pub(crate) fn grow(channel: BorrowedFd<'_>, bytes: u64) -> Result<()> {
        send(channel, "grow hog", &wire::Command::Grow { bytes }.encode())
    }

    /// Asks a hog to give back so much of its newest memory; it answers `Shrunk`.
    ///
    /// # Errors
    /// `WorkerGone` when it has ended.
    pub(crate) fn shrink(channel: BorrowedFd<'_>, bytes: u64) -> Result<()> {
        send(channel, "shrink hog", &wire::Command::Shrink { bytes }.encode())
    }

    fn send(channel: BorrowedFd<'_>, what: &'static str, message: &Writer) -> Result<()> {
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        loop {
            match socket::send(channel.as_raw_fd(), message.bytes(), flags) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(worker_gone(what)),
                Err(Errno::EAGAIN) => {
                    return Err(Error::new(ErrorKind::Busy, what, "hundreds of steps are waiting already")
                        .remedy("wait for the answers first"));
                }
                Err(errno) => return Err(Error::os(what, errno)),
            }
        }
    }

    fn worker_gone(what: &'static str) -> Error {
        Error::new(ErrorKind::WorkerGone, what, "the worker has ended")
    }

    /// The next message of the worker, if one is there.
    ///
    /// # Errors
    /// `WorkerGone` at the end of file.
    pub(crate) fn try_receive(channel: BorrowedFd<'_>) -> Result<Option<Message>> {
        let what = "read from worker";
        let mut bytes = [0u8; wire::MOST];
        let length = loop {
            match socket::recv(channel.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
                Ok(0) | Err(Errno::ECONNRESET) => return Err(worker_gone(what)),
                Ok(length) => break length,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(Error::os(what, errno)),
            }
        };
        match Message::decode(&bytes[..length]) {
            Some(message) => Ok(Some(message)),
            None => Err(Error::new(ErrorKind::Io, what, "it sent what is no message")),
        }
    }

    /// Waits for the next message of the worker.
    ///
    /// # Errors
    /// `WorkerGone` at the end of file, `TimedOut` at the deadline.
    pub(crate) fn receive(channel: BorrowedFd<'_>, deadline: Instant) -> Result<Message> {
        let what = "read from worker";
        loop {
            if let Some(message) = try_receive(channel)? {
                return Ok(message);
            }
            if !wait(channel, PollFlags::POLLIN, deadline).map_err(|errno| Error::os(what, errno))? {
                return Err(Error::new(ErrorKind::TimedOut, what, "it said nothing until the deadline"));
            }
        }
    }
}

fn gone(what: &'static str) -> Error {
    Error::new(ErrorKind::Closed, what, "the lab's supervisor has died")
        .remedy("make a new lab; `memoom gc` removes what this one left behind")
}

/// Waits until the file is ready or hung up; false at the deadline. A signal handler of the caller's may run, and
/// the wait goes on.
fn wait(file: BorrowedFd<'_>, events: PollFlags, deadline: Instant) -> nix::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up to whole milliseconds, or the last one would be spent spinning.
        let timeout = PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
        match nix::poll::poll(&mut [PollFd::new(file, events)], timeout) {
            Ok(0) if Instant::now() >= deadline => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
}

fn monotonic_ns() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    now.map_or(0, |now| now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64)
}

/// A pair of connected sockets that keep datagrams apart.
fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (a, b) = socket::socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    Ok((above_stdio(a)?, above_stdio(b)?))
}

/// Where the caller has closed 0, 1 or 2, a new descriptor would take that number, and the next print would go
/// into it.
fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    fd.try_clone() // duplicates to 3 or above
}

/// Whether a failure means that programs cannot be executed from memory here.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM | libc::ENOSYS | libc::EINVAL))
}

/// The helper in a sealed anonymous file.
fn image_in_memory() -> io::Result<OwnedFd> {
    let mut file = std::fs::File::from(above_stdio(spawn::memfd(true)?)?);
    file.write_all(spawn::HELPER)?;
    use nix::fcntl::{fcntl, FcntlArg, SealFlag};
    let seals = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

/// The helper in a file without a name, in `directory` or where temporary files usually go, open for reading only.
fn image_in_file(directory: Option<&Path>, refused: &io::Error) -> Result<OwnedFd> {
    let what = "start supervisor";
    let candidates: Vec<PathBuf> = match directory {
        Some(directory) => vec![directory.to_path_buf()],
        None => [std::env::temp_dir(), "/var/tmp".into(), "/run".into(), "/dev/shm".into()].to_vec(),
    };
    let mut last = None;
    for candidate in candidates {
        match unnamed_file(&candidate) {
            Ok(file) => return Ok(file),
            Err(error) => last = Some(Error::os(what, error).path(candidate)),
        }
    }
    let reason = format!("executing the helper from memory was refused ({refused}), and it could not be put in a file");
    let error = last.unwrap_or_else(|| Error::new(ErrorKind::PermissionDenied, what, ""));
    Err(error.reason(reason).remedy("name a writable directory on a file system without `noexec` (helper_dir)"))
}

fn unnamed_file(directory: &Path) -> io::Result<OwnedFd> {
    // A directory mounted `noexec` refuses only at the execution; find out now, so that the next one is tried.
    if nix::sys::statvfs::statvfs(directory)?.flags().contains(nix::sys::statvfs::FsFlags::ST_NOEXEC) {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).mode(0o700).custom_flags(libc::O_TMPFILE);
    let mut file = match options.open(directory) {
        Ok(file) => file,
        // A file system without nameless files: a new name, taken away again at once.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)) => {
            let path = directory.join(format!(".memoom-helper-{}-{}", std::process::id(), monotonic_ns()));
            let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o700).open(&path)?;
            std::fs::remove_file(&path)?;
            file
        }
        Err(error) => return Err(error),
    };
    file.write_all(spawn::HELPER)?;
    file.rewind()?;
    // What is open for writing cannot be executed.
    let reopened = std::fs::File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    drop(file);
    above_stdio(reopened.into())
}

/// Executes the helper from a file. A thread of the caller's may have forked while the file was open for writing,
/// and until that child executes, ours is refused: try again, for a bounded time.
fn spawn_file(image: BorrowedFd<'_>, socket: BorrowedFd<'_>, host: Option<BorrowedFd<'_>>) -> io::Result<spawn::Child> {
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        match spawn::supervisor(image, socket, host) {
            Err(error) if error.raw_os_error() == Some(libc::ETXTBSY) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1));
            }
            other => return other,
        }
    }
}

/// Arguments, environment and paths in an anonymous file, as `wire::BLOB_HEAD` says.
fn command_blob(argv: &[CString], env: &[CString], paths: &[CString]) -> io::Result<OwnedFd> {
    let lists = [argv, env, paths];
    let mut bytes = Vec::new();
    for list in lists {
        bytes.extend_from_slice(&(list.len() as u64).to_le_bytes());
    }
    for text in lists.into_iter().flatten() {
        bytes.extend_from_slice(text.as_bytes_with_nul());
    }
    let mut file = std::fs::File::from(above_stdio(spawn::memfd(false)?)?);
    file.write_all(&bytes)?;
    Ok(file.into())
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;
