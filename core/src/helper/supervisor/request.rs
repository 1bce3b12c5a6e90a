//! Asking the supervisor and hearing from it.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType};

use super::{Inner, Notice, Supervisor, PATIENCE};
use crate::helper::descriptor::{above_stdio, readable};
use crate::helper::wire::{self, Request};
use crate::sys::{spawn, Named};
use crate::{Error, ErrorKind, Result};

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) stage: u32,
    pub(super) errno: i32,
    pub(super) token: u64,
    pub(super) pid: i32,
    pub(super) left: Vec<u8>,
    pub(super) fd: Option<OwnedFd>,
}

impl Supervisor {
    /// What the supervisor told since the last call; does not wait.
    ///
    /// # Errors
    /// `Closed` when the supervisor has ended and nothing is left to tell.
    pub(crate) fn notices(&self) -> Result<VecDeque<Notice>> {
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
        Ok(std::mem::take(&mut inner.notices))
    }

    /// Whether notices were read by another call and wait to be fetched.
    pub(crate) fn has_notices(&self) -> bool {
        !self.inner.lock().unwrap_or_else(PoisonError::into_inner).notices.is_empty()
    }

    pub(super) fn check_owner(&self, what: &'static str) -> Result<()> {
        if self.owner != std::process::id() {
            return Err(Error::new(ErrorKind::Closed, what, "the lab belongs to the process this one was forked from")
                .remedy("make a lab in this process"));
        }
        Ok(())
    }

    pub(super) fn lock(&self, what: &'static str) -> Result<MutexGuard<'_, Inner>> {
        self.check_owner(what)?;
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.ended {
            return Err(Error::new(ErrorKind::Closed, what, "the lab has ended, and its supervisor with it"));
        }
        Ok(inner)
    }

    pub(super) fn ask(&self, what: &'static str, request: &Request<'_>, fds: &[BorrowedFd<'_>]) -> Result<Reply> {
        let mut inner = self.lock(what)?;
        let serial = self.send(&mut inner, what, request, fds)?;
        self.reply(&mut inner, what, serial, Instant::now() + PATIENCE)
    }

    pub(super) fn send(
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
                Err(errno) => return Err(Error::os(what, errno).call("sendmsg")),
            }
        }
    }

    /// Waits for the reply of that serial; what comes before it is kept.
    pub(super) fn reply(&self, inner: &mut Inner, what: &'static str, serial: u64, deadline: Instant) -> Result<Reply> {
        loop {
            match self.receive(inner, what)? {
                Some((got, reply)) if got == serial => return Ok(reply),
                Some(_) => {} // the late reply to a request that was given up
                None => {
                    if !readable(self.socket.as_fd(), deadline).map_err(|errno| Error::os(what, errno))? {
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
                    _ => return Err(Error::os(what, error).call("recvmsg")),
                },
            };
            let notice = wire::Notice::decode(&bytes[..length])
                .ok_or_else(|| Error::new(ErrorKind::Io, what, "the supervisor sent what is no message"))?;
            let kept = match notice {
                wire::Notice::Reply { serial, stage, errno, token, pid, left } => {
                    let reply = Reply { stage, errno, token, pid, left: left.to_vec(), fd };
                    match &mut inner.spare {
                        // Nobody waited for this one.
                        Some(spare) if spare.serial == serial => spare.reply = Some(reply),
                        _ => return Ok(Some((serial, reply))),
                    }
                    continue;
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

fn gone(what: &'static str) -> Error {
    Error::new(ErrorKind::Closed, what, "the lab's supervisor has died")
        .remedy("make a new lab; `memoom gc` removes what this one left behind")
}

/// A pair of connected sockets that keep datagrams apart.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (a, b) = socket::socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).named("socketpair")?;
    Ok((above_stdio(a)?, above_stdio(b)?))
}
