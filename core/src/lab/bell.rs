//! An alarm that is set: the descriptor by which the kernel rings.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::sys::epoll::EpollFlags;
use nix::sys::eventfd::EventFd;

use crate::memcg::cgroup::Cgroup;

/// An alarm that is set, for as long as it is kept.
pub(crate) struct Bell {
    pub(crate) group: Arc<Cgroup>,
    pub(crate) text: String,
    pub(super) fd: BellFd,
}

pub(super) enum BellFd {
    /// v1: the kernel writes to it.
    Event(EventFd),
    /// PSI: the file with the trigger in it.
    File(OwnedFd),
}

impl Bell {
    /// What epoll is to wait for.
    pub(crate) fn flags(&self) -> EpollFlags {
        match self.fd {
            BellFd::Event(_) => EpollFlags::EPOLLIN,
            BellFd::File(_) => EpollFlags::EPOLLPRI,
        }
    }

    /// Takes the ring, so that the next one is seen.
    pub(crate) fn take(&self) {
        if let BellFd::Event(event) = &self.fd {
            let _ = event.read();
        }
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.fd {
            BellFd::Event(event) => event.as_fd(),
            BellFd::File(file) => file.as_fd(),
        }
    }
}
