//! Memory in queues of the kernel: bytes that were written to a pipe or a TCP connection and are not read.

use super::table::{Entry, Table};
use super::Taken;
use crate::sys::{self, Errno, Piece};

/// How many pages go into one system call.
const PIECES: usize = 16;
/// What a pipe, and each end of a connection, is asked to hold.
const EACH: usize = 1 << 20;
/// How long, in nanoseconds, the kernel may take to bring over what was sent.
const LONG: u64 = 1_000_000_000;

pub enum Way {
    Pipe,
    /// Through this listener at this place.
    Socket(i32, sys::Place),
}

pub struct Queues {
    way: Way,
    table: Table,
    pub taken: usize,
    page: usize,
    /// The one page that is written from and read into.
    scratch: usize,
}

impl Queues {
    pub fn pipes(page: usize) -> Result<Queues, Errno> {
        Queues::open(page, Way::Pipe)
    }

    pub fn sockets(page: usize) -> Result<Queues, Errno> {
        let (listener, place) = sys::listener()?;
        Queues::open(page, Way::Socket(listener, place))
    }

    fn open(page: usize, way: Way) -> Result<Queues, Errno> {
        sys::raise_limit(sys::RLIMIT_NOFILE);
        let scratch = sys::map(0, page)?;
        // SAFETY: a fresh page of ours.
        unsafe { (scratch as *mut u8).write_volatile(1) };
        Ok(Queues { way, table: Table::open(page)?, taken: 0, page, scratch })
    }

    fn pieces(&self) -> [Piece; PIECES] {
        [Piece { base: self.scratch, len: self.page }; PIECES]
    }

    pub fn grow(&mut self, bytes: usize) -> Result<Taken, Errno> {
        let bytes = bytes.checked_next_multiple_of(self.page).ok_or(sys::ENOMEM)?;
        let before = self.taken;
        let mut errno = 0;
        while self.taken - before < bytes && errno == 0 {
            let left = bytes - (self.taken - before);
            match self.fill(left) {
                Ok(0) => errno = self.add().err().unwrap_or(0),
                Ok(_) | Err(sys::EINTR) => {}
                Err(failed) => errno = failed,
            }
        }
        Taken::end(self.taken - before, errno)
    }

    /// Writes to the newest queue what goes into it with one system call; 0 when it is full, or there is none.
    fn fill(&mut self, bytes: usize) -> Result<usize, Errno> {
        let mut pieces = self.pieces();
        let count = bytes.div_ceil(self.page).clamp(1, PIECES);
        // A socket may have taken a part of a page before.
        if let (Some(last), rest @ 1..) = (pieces.get_mut(count - 1), bytes % self.page) {
            if count == bytes.div_ceil(self.page) {
                last.len = rest;
            }
        }
        let pieces = &pieces[..count];
        let Some(entry) = self.table.last() else { return Ok(0) };
        // SAFETY: the one page of ours.
        let written = unsafe {
            match self.way {
                Way::Pipe => sys::writev(entry.ends[1], pieces),
                Way::Socket(..) => sys::send_pieces(entry.ends[0], pieces),
            }
        };
        match written {
            Ok(written) => {
                entry.bytes += written;
                self.taken += written;
                Ok(written)
            }
            Err(sys::EAGAIN) if self.opens() => Err(sys::EINTR),
            Err(sys::EAGAIN) => Ok(0),
            Err(errno) => Err(errno),
        }
    }

    /// Whether the newest connection takes more soon: what was sent may still be on its way to the other end. One that
    /// has taken nothing at all is given more time, as that would end the step.
    fn opens(&mut self) -> bool {
        let (Way::Socket(..), Some(entry)) = (&self.way, self.table.last()) else { return false };
        becomes(entry.ends[0], sys::POLLOUT, if entry.bytes < self.page { LONG } else { 5_000_000 })
    }

    /// Makes another queue.
    fn add(&mut self) -> Result<(), Errno> {
        if self.table.is_full() {
            return Err(sys::EMFILE);
        }
        // One that took nothing says that there is no room, not that it is full.
        if self.table.last().is_some_and(|entry| entry.bytes < self.page) {
            return Err(sys::ENOBUFS);
        }
        let ends = match &self.way {
            Way::Pipe => sys::pipe(EACH)?.0,
            Way::Socket(listener, place) => sys::connection(*listener, place, EACH as i32)?,
        };
        self.table.push(Entry { ends, bytes: 0 });
        Ok(())
    }

    pub fn shrink(&mut self, bytes: usize) -> Result<usize, Errno> {
        // Whole pages, but all of it is all: a connection may have been read in the middle of a page.
        let bytes = if bytes >= self.taken { self.taken } else { bytes & !(self.page - 1) };
        let mut left = bytes;
        while left > 0 {
            let pieces = self.pieces();
            let Some(entry) = self.table.last() else { break };
            if entry.bytes <= left {
                left -= entry.bytes;
                self.taken -= entry.bytes;
                // Where they are read from first: what is on its way to a closed end goes at once.
                sys::close(entry.ends[1]);
                sys::close(entry.ends[0]);
                self.table.pop();
                continue;
            }
            // SAFETY: the one page of ours, which holds nothing of use.
            let read = match self.way {
                Way::Pipe => unsafe { sys::readv(entry.ends[0], &pieces[..(left / self.page).clamp(1, PIECES)]) },
                Way::Socket(..) => sys::discard(entry.ends[1], left),
            };
            match read {
                Ok(read) if read > 0 => {
                    entry.bytes -= read;
                    self.taken -= read;
                    left = left.saturating_sub(read);
                }
                Err(sys::EINTR) => {}
                // What was sent waits at the other end while there is no room at this one.
                Err(sys::EAGAIN) if becomes(entry.ends[1], sys::POLLIN, LONG) => {}
                _ => break,
            }
        }
        Ok(bytes - left)
    }
}

/// Whether this event comes in so many nanoseconds.
fn becomes(fd: i32, event: i16, patience: u64) -> bool {
    let mut files = [sys::Poll { fd, events: event, revents: 0 }];
    let _ = sys::poll(&mut files, Some(patience));
    files[0].revents & event != 0
}
