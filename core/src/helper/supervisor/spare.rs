//! The spare: a worker made in advance, for hosts where a group can be entered quickly at any time (cgroup v1).

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicI32;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{self, ControlMessage, MsgFlags};

use super::request::{pair, Reply};
use super::start::Started;
use super::{Supervisor, PATIENCE};
use crate::helper::channel::Channel;
use crate::helper::descriptor::above_stdio;
use crate::helper::wire::{self, fd, hog, role, stage, Request};
use crate::sys::spawn;
use crate::{Error, Result};

/// A worker that waits for its task.
#[derive(Debug)]
pub(super) struct Spare {
    /// Its number.
    id: u64,
    /// The request that made it.
    pub(super) serial: u64,
    /// The supervisor's reply, once it was read.
    pub(super) reply: Option<Reply>,
    channel: Channel,
    /// Where it hears its task. Closed, it ends.
    socket: OwnedFd,
}

#[cfg(test)]
impl Spare {
    /// Its process id, once that is known.
    pub(super) fn pid(&self) -> Option<i32> {
        self.reply.as_ref().map(|reply| reply.pid)
    }
}

impl Supervisor {
    /// Makes ready what the next start of a hog or a ticker can use, if it is not there: a spare, or where that is of
    /// no use its channel. Best called while nobody waits; does not wait itself. A failure shows when a start does
    /// without.
    pub(crate) fn prepare(&self) {
        if self.spares {
            let _ = self.make_spare();
        } else {
            let mut ready = self.ready_channel();
            if ready.is_none() {
                *ready = Channel::new().ok();
            }
        }
    }

    fn make_spare(&self) -> Result<()> {
        let what = "prepare worker";
        let mut inner = self.lock(what)?;
        if inner.spare.is_some() {
            return Ok(());
        }
        let failed = |error: io::Error| Error::os(what, error);
        let (channel, page) = Channel::new().map_err(failed)?;
        let (socket, theirs) = pair().map_err(failed)?;
        inner.next_id += 1;
        let id = inner.next_id;
        let request = Request::Start(wire::Start {
            id,
            role: role::SPARE,
            kind: hog::ANON,
            period_ns: 0,
            oom_score_adj: 0,
            pgid: 0,
            fds: fd::STDIN | fd::STDOUT | fd::STDERR | fd::TASK,
            name: b"",
        });
        let [command_bell, answer_bell, page] = channel.files(&page);
        let serial = self.send(&mut inner, what, &request, &[command_bell, answer_bell, page, theirs.as_fd()])?;
        inner.spare = Some(Spare { id, serial, reply: None, channel, socket });
        Ok(())
    }

    /// Gives the spare its task. Nothing where there is none, or where it has died: then the ordinary way is to be
    /// taken. The worker need not be READY when this returns.
    pub(super) fn start_spare(&self, request: &wire::Start<'_>, tasks: BorrowedFd<'_>) -> Result<Option<Started>> {
        let what = "start worker";
        let mut inner = self.lock(what)?;
        let Some(Spare { id, serial, reply, channel, socket }) = inner.spare.take() else {
            return Ok(None);
        };
        let reply = match reply {
            Some(reply) => reply,
            None => self.reply(&mut inner, what, serial, Instant::now() + PATIENCE)?,
        };
        drop(inner);
        let (stage::NONE, Some(pidfd)) = (reply.stage, reply.fd) else {
            return Ok(None);
        };
        let pidfd = above_stdio(pidfd).map_err(|error| Error::os(what, error))?;
        // It was made where the supervisor was then; waking another CPU costs as much as all the rest.
        let near = spawn::follow(reply.pid, &AtomicI32::new(-1));
        if !told(&socket, &Request::Start(wire::Start { id, fds: fd::TASKS, ..*request }), tasks)
            .map_err(|errno| Error::os(what, errno))?
        {
            return Ok(None);
        }
        self.first_wait(channel.as_fd(), near).map_err(|errno| Error::os(what, errno))?;
        Ok(Some(Started { id, pid: reply.pid, pidfd, channel: Some(channel), forked: false }))
    }
}

/// Whether the spare could be told.
fn told(socket: &OwnedFd, task: &Request<'_>, tasks: BorrowedFd<'_>) -> nix::Result<bool> {
    let message = task.encode(0);
    let rights = [tasks.as_raw_fd()];
    loop {
        let slices = [IoSlice::new(message.bytes())];
        let control = [ControlMessage::ScmRights(&rights)];
        match socket::sendmsg::<()>(socket.as_raw_fd(), &slices, &control, MsgFlags::MSG_NOSIGNAL, None) {
            Ok(_) => return Ok(true),
            Err(Errno::EINTR) => {}
            Err(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN) => return Ok(false),
            Err(errno) => return Err(errno),
        }
    }
}
