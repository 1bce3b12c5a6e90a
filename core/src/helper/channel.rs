//! The host's end of the talk with a hog or a ticker: a mailbox and the two bells beside it.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{fcntl, FcntlArg, SealFlag};
use nix::poll::{PollFd, PollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::descriptor::{above_stdio, poll_until};
use super::mailbox::Mailbox;
use super::mapping::Mapping;
use super::wire::{Command, Message, MOST};
use crate::sys::size::bounded;
use crate::sys::{spawn, Named};
use crate::{Error, ErrorKind, Result};

/// The host's end of a worker's channel. Dropping it ends the worker, if that is waiting for a command or a tick.
///
/// It does not show the worker's end: that is told by the supervisor, and by the pidfd.
#[derive(Debug)]
pub(crate) struct Channel {
    mailbox: Mapping,
    /// Rung by the host.
    command_bell: OwnedFd,
    /// Rung by the worker.
    answer_bell: OwnedFd,
    state: Mutex<State>,
    /// The process that made it: a forked child of that one must not end the worker.
    owner: u32,
}

#[derive(Debug, Default)]
struct State {
    /// The last message that was received.
    seen: u32,
    /// A command was sent and not answered: there is room for one.
    asked: bool,
}

impl Channel {
    /// A fresh channel, and the file of its page, which the worker maps too.
    ///
    /// # Errors
    /// Those of the system: too many files, too little memory.
    pub(crate) fn new() -> io::Result<(Channel, OwnedFd)> {
        let page = std::fs::File::from(above_stdio(spawn::memfd(false).named("memfd_create")?)?);
        bounded(|| page.set_len(size_of::<Mailbox>() as u64)).named("ftruncate")?;
        // Cut short by the other side, the page would be a SIGBUS here.
        let seals = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
        fcntl(&page, FcntlArg::F_ADD_SEALS(seals)).named("fcntl (F_ADD_SEALS)")?;
        let mailbox = Mapping::new(page.as_fd()).named("mmap")?;
        let bell = |flags| -> io::Result<OwnedFd> {
            above_stdio(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | flags).named("eventfd2")?.into())
        };
        // The worker waits in a read of its bell; we poll ours.
        let command_bell = bell(EfdFlags::empty())?;
        let answer_bell = bell(EfdFlags::EFD_NONBLOCK)?;
        let owner = std::process::id();
        Ok((Channel { mailbox, command_bell, answer_bell, state: Mutex::default(), owner }, page.into()))
    }

    /// What the worker gets of it, in the order in which it travels.
    pub(crate) fn files<'a>(&'a self, page: &'a OwnedFd) -> [BorrowedFd<'a>; 3] {
        [self.command_bell.as_fd(), self.answer_bell.as_fd(), page.as_fd()]
    }

    /// Asks a hog to take so much more; it answers `Grew` or `Failed`, when it can. One that has ended never does.
    ///
    /// # Errors
    /// `Busy` when it has not answered the command before.
    pub(crate) fn grow(&self, bytes: u64) -> Result<()> {
        self.send("grow hog", Command::Grow { bytes })
    }

    /// Asks a hog to give back so much of its newest memory; it answers `Shrunk`. One that has ended never does.
    ///
    /// # Errors
    /// As [`Channel::grow`].
    pub(crate) fn shrink(&self, bytes: u64) -> Result<()> {
        self.send("shrink hog", Command::Shrink { bytes })
    }

    fn send(&self, what: &'static str, command: Command) -> Result<()> {
        let mut state = self.state();
        if state.asked {
            return Err(Error::new(ErrorKind::Busy, what, "the hog has not answered the command before")
                .remedy("wait for its answer first"));
        }
        self.mailbox.to_worker.put(command.encode().bytes());
        state.asked = true;
        ring(&self.command_bell).map_err(|errno| Error::os(what, errno))
    }

    /// The worker's newest message, if it was not given before. Ticks that nobody has fetched are overwritten.
    ///
    /// # Errors
    /// `Io` when it is no message.
    pub(crate) fn try_receive(&self) -> Result<Option<Message>> {
        let what = "read from worker";
        let mut state = self.state();
        // First the bell, or a message that comes between the two would wake nobody.
        match nix::unistd::read(&self.answer_bell, &mut [0; 8]) {
            Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => return Err(Error::os(what, errno)),
        }
        let mut bytes = [0; MOST];
        let garbled = || Error::new(ErrorKind::Io, what, "it sent what is no message");
        let Some(length) = self.mailbox.to_host.take(&mut state.seen, &mut bytes).map_err(|_| garbled())? else {
            return Ok(None);
        };
        let message = bytes.get(..length).and_then(Message::decode).ok_or_else(garbled)?;
        if !matches!(message, Message::Ready { .. } | Message::Tick { .. }) {
            state.asked = false;
        }
        Ok(Some(message))
    }

    /// Waits for the worker's next message, or for its end.
    ///
    /// # Errors
    /// `WorkerGone` when the process of the pidfd ended and left no message, `TimedOut` at the deadline; as
    /// [`Channel::try_receive`].
    pub(crate) fn receive(&self, pidfd: BorrowedFd<'_>, deadline: Instant) -> Result<Message> {
        let what = "read from worker";
        loop {
            if let Some(message) = self.try_receive()? {
                return Ok(message);
            }
            let mut files = [PollFd::new(self.as_fd(), PollFlags::POLLIN), PollFd::new(pidfd, PollFlags::POLLIN)];
            if !poll_until(&mut files, deadline).map_err(|errno| Error::os(what, errno))? {
                return Err(Error::new(ErrorKind::TimedOut, what, "it said nothing until the deadline"));
            }
            if files[1].any() == Some(true) {
                // Its last word may have come after the look above.
                return self
                    .try_receive()?
                    .ok_or_else(|| Error::new(ErrorKind::WorkerGone, what, "the worker has ended"));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Channel {
    /// Readable when [`Channel::try_receive`] may have something.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.answer_bell.as_fd()
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // Nobody will ask it for anything any more. A blocked hog does not hear it; the lab's end takes that one.
        if self.owner == std::process::id() {
            self.mailbox.close();
            let _ = ring(&self.command_bell);
        }
    }
}

fn ring(bell: &OwnedFd) -> nix::Result<()> {
    loop {
        match nix::unistd::write(bell, &1u64.to_ne_bytes()) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
