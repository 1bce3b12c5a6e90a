//! Starting a worker.

use std::ffi::CString;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};

use super::{Supervisor, PATIENCE};
use crate::helper::channel::Channel;
use crate::helper::descriptor::{above_stdio, readable};
use crate::helper::wire::{self, fd, hog, role, stage, Message, Request};
use crate::memcg::freeze;
use crate::sys::size::Bounded;
use crate::sys::{self, spawn, Named};
use crate::{Error, ErrorKind, Result};

/// How long a start waits for READY before it also lets others hear from the supervisor.
const FIRST_WAIT: Duration = Duration::from_millis(5);
/// How much of that it stays awake, where there is more than one processor: waking up from an idle machine's sleep
/// costs as much as the worker's start itself. It does not yield: a busy neighbour would keep the processor for
/// milliseconds.
pub(super) const AWAKE: Duration = Duration::from_micros(250);

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
        /// Its work, as [`wire::hog`] has it.
        work: u32,
        /// The directory of its file, where its kind has one.
        directory: Option<BorrowedFd<'a>>,
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
    /// For a hog or a ticker the channel, after READY was received.
    pub(crate) channel: Option<Channel>,
    /// Whether it is a forked child of this process, which the supervisor knows nothing of.
    pub(crate) forked: bool,
}

/// What a failed start names.
pub(crate) fn start_failed(operation: &'static str, name: &[u8], at: u32, errno: i32) -> Error {
    let error = Error::os(operation, io::Error::from_raw_os_error(errno))
        .value_bytes(name)
        .reason(&format!("it could not {}", stage::name(at)));
    match (at, errno) {
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

/// Files that are opened for one start, and closed after it.
struct Own {
    /// What a command executes.
    blob: Option<OwnedFd>,
    /// The caller's working directory, where the command was told none.
    here: Option<OwnedFd>,
}

impl Own {
    fn of(role: Role<'_>) -> Result<Own> {
        let what = "start worker";
        match role {
            Role::Command { argv: [], .. } => {
                Err(Error::new(ErrorKind::InvalidInput, what, "a command needs at least its name"))
            }
            Role::Command { argv, env, paths, cwd, .. } => {
                let blob = command_blob(argv, env, paths).map_err(|error| Error::os(what, error))?;
                Ok(Own { blob: Some(blob), here: if cwd.is_none() { working_directory() } else { None } })
            }
            _ => Ok(Own { blob: None, here: None }),
        }
    }
}

impl Start<'_> {
    /// What the supervisor is asked, still without files and number.
    fn request(&self) -> wire::Start<'_> {
        let mut request = wire::Start {
            id: 0,
            role: role::COMMAND,
            kind: hog::ANON,
            period_ns: 0,
            oom_score_adj: self.oom_score_adj.into(),
            pgid: nix::unistd::getpgrp().as_raw(),
            fds: 0,
            name: &self.name[..self.name.len().min(wire::MOST_COMM)],
        };
        match self.role {
            Role::Hog { work, .. } => (request.role, request.kind) = (role::HOG, work),
            Role::Ticker { every } => {
                request.role = role::TICKER;
                request.period_ns = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX);
            }
            Role::Command { .. } => {}
        }
        request
    }

    /// The files that go with it, in the order of their bits.
    fn files<'a>(
        &'a self,
        own: &'a Own,
        channel: Option<&'a (Channel, OwnedFd)>,
    ) -> [(u32, Option<BorrowedFd<'a>>); 7] {
        let (tasks, directory) = match self.join {
            Join::Tasks(tasks) => (Some(tasks), None),
            Join::Directory(directory) => (None, Some(directory)),
        };
        let (cwd, stdio) = match (self.role, channel) {
            (Role::Command { cwd, stdio, .. }, _) => (cwd.or(own.here.as_ref().map(AsFd::as_fd)), stdio),
            (Role::Hog { directory, .. }, Some((channel, page))) => (directory, channel.files(page).map(Some)),
            (_, Some((channel, page))) => (None, channel.files(page).map(Some)),
            (_, None) => (None, [None; 3]),
        };
        [
            (fd::TASKS, tasks),
            (fd::DIRECTORY, directory),
            (fd::BLOB, own.blob.as_ref().map(AsFd::as_fd)),
            (fd::CWD, cwd),
            (fd::STDIN, stdio[0]),
            (fd::STDOUT, stdio[1]),
            (fd::STDERR, stdio[2]),
        ]
    }
}

impl Supervisor {
    fn channel(&self) -> Result<(Channel, OwnedFd)> {
        match self.ready_channel().take() {
            Some(ready) => Ok(ready),
            None => Channel::new().map_err(|error| Error::os("start worker", error)),
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
        let mut request = start.request();
        // A spare cannot be sent a directory.
        let plain = !matches!(start.role, Role::Hog { directory: Some(_), .. });
        if let (Join::Tasks(tasks), role::HOG | role::TICKER, true) = (start.join, request.role, plain) {
            if let Some(started) = self.start_spare(&request, tasks)? {
                started.await_ready(start.name)?;
                return Ok(started);
            }
        }
        let channel = if request.role == role::COMMAND { None } else { Some(self.channel()?) };
        let own = Own::of(start.role)?;
        let mut fds: Vec<BorrowedFd<'_>> = Vec::with_capacity(wire::MOST_FDS);
        for (bit, file) in start.files(&own, channel.as_ref()) {
            if let Some(file) = file {
                request.fds |= bit;
                fds.push(file);
            }
        }
        let mut inner = self.lock(what)?;
        inner.next_id += 1;
        request.id = inner.next_id;
        // A supervisor that sleeps on another CPU is woken by an interrupt, which costs as much as all the rest.
        let near = spawn::follow(self.pid, &self.cpu);
        // The reply brings a descriptor, for which there has to be a number before anything is started: of a worker without
        // its pidfd nobody would know.
        let place = self.socket().try_clone_to_owned().map_err(|error| Error::os(what, error).call("fcntl"))?;
        let birth = freeze::birth();
        let serial = self.send(&mut inner, what, &Request::Start(request), &fds)?;
        let channel = channel.map(|(channel, _page)| channel);
        // READY first: it comes after the supervisor's reply, so that one wake-up serves both. The supervisor rings
        // the same bell when the start has failed.
        if let Some(channel) = &channel {
            self.first_wait(channel.as_fd(), near).map_err(|errno| Error::os(what, errno))?;
        }
        drop(place);
        let reply = self.reply(&mut inner, what, serial, Instant::now() + PATIENCE)?;
        drop((birth, inner));
        if reply.stage != stage::NONE {
            return Err(start_failed("start worker", start.name, reply.stage, reply.errno));
        }
        let pidfd = reply
            .fd
            .ok_or_else(|| self.without_pidfd(what))
            .and_then(|fd| above_stdio(fd).map_err(|error| Error::os(what, error)))?;
        let started = Started { id: request.id, pid: reply.pid, pidfd, channel, forked: false };
        started.await_ready(start.name)?;
        Ok(started)
    }

    /// Why a reply came without its descriptor: the kernel drops one for which this process has no number left, and says
    /// so by the same error to whoever asks for another.
    fn without_pidfd(&self, what: &'static str) -> Error {
        match self.socket().try_clone_to_owned() {
            Err(error) => Error::os(what, error).call("recvmsg"),
            Ok(_) => Error::new(ErrorKind::Io, what, "the supervisor sent no pidfd"),
        }
    }

    /// Waits for a worker's READY or the failure of its start, briefly.
    pub(super) fn first_wait(&self, bell: BorrowedFd<'_>, near: bool) -> nix::Result<()> {
        let begin = Instant::now();
        // Where the supervisor shares our CPU, staying awake would keep it from its work.
        while !near && begin.elapsed() < self.awake {
            match nix::poll::poll(&mut [PollFd::new(bell, PollFlags::POLLIN)], PollTimeout::ZERO) {
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
        readable(bell, begin + FIRST_WAIT).map(drop)
    }
}

impl Started {
    /// Waits for READY; on failure the worker is killed.
    fn await_ready(&self, name: &[u8]) -> Result<()> {
        let what = "start worker";
        let Some(channel) = &self.channel else {
            return Ok(());
        };
        let result = match channel.receive(self.pidfd.as_fd(), Instant::now() + PATIENCE) {
            // A quick ticker may have put its first tick in the place of its READY.
            Ok(Message::Ready { .. } | Message::Tick { .. }) => return Ok(()),
            Ok(Message::Refused { stage, errno }) => return Err(start_failed("start worker", name, stage, errno)),
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
        let _ = sys::pidfd_send_signal(self.pidfd.as_fd(), libc::SIGKILL);
        result.map_err(|error: Error| error.value_bytes(name))
    }
}

/// The caller's working directory, as the supervisor stands elsewhere; where it cannot be opened the worker stays
/// there.
fn working_directory() -> Option<OwnedFd> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(".").ok().map(OwnedFd::from)
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
    let file = std::fs::File::from(above_stdio(spawn::memfd(false).named("memfd_create")?)?);
    Bounded(&file).write_all(&bytes).named("write")?;
    Ok(file.into())
}
