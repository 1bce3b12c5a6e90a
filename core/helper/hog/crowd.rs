//! Many small processes: each is a child of the hog's with a little memory of its own.

use super::table::{Entry, Table};
use super::touch::Touch;
use super::Taken;
use crate::sys::{self, Errno};

/// What one of them touches.
const EACH: usize = 64 << 10;

pub struct Crowd {
    table: Table,
    pub taken: usize,
    page: usize,
    touch: Touch,
    /// Rung by a child when it has touched its memory.
    done: i32,
}

impl Crowd {
    pub fn open(page: usize, touch: Touch) -> Result<Crowd, Errno> {
        sys::raise_limit(sys::RLIMIT_NOFILE);
        Ok(Crowd { table: Table::open(page)?, taken: 0, page, touch, done: sys::bell()? })
    }

    pub fn grow(&mut self, bytes: usize) -> Result<Taken, Errno> {
        let bytes = bytes.checked_next_multiple_of(EACH).ok_or(sys::ENOMEM)?;
        // Who died before is none of this step.
        self.bury();
        let (mut made, mut errno) = (0, 0);
        while made < bytes && errno == 0 {
            match self.add() {
                Ok(()) => made += EACH,
                Err(failed) => errno = failed,
            }
            // The kernel's choice may be an older one.
            if self.bury() {
                errno = sys::ECHILD;
            }
        }
        Taken::end(made, errno)
    }

    /// Takes those that have died out of the account; whether there were any.
    fn bury(&mut self) -> bool {
        let mut any = false;
        while let Ok(Some(ended)) = sys::reap(-1) {
            if let Some(entry) = self.table.remove(|entry| entry.ends[0] == ended.pid) {
                sys::close(entry.ends[1]);
                self.taken -= EACH;
                any = true;
            }
        }
        any
    }

    fn add(&mut self) -> Result<(), Errno> {
        if self.table.is_full() {
            return Err(sys::EAGAIN);
        }
        let parent = sys::getpid();
        // SAFETY: the child goes its own way and never comes back.
        let Some((pid, pidfd)) = (unsafe { sys::fork() })? else { self.live(parent) };
        let mut files = [
            sys::Poll { fd: self.done, events: sys::POLLIN, revents: 0 },
            sys::Poll { fd: pidfd, events: sys::POLLIN, revents: 0 },
        ];
        while files[0].revents == 0 && files[1].revents == 0 {
            let _ = sys::poll(&mut files, None);
        }
        if files[0].revents == 0 {
            // It was killed before it had its memory.
            sys::close(pidfd);
            let _ = sys::reap(pid);
            return Err(sys::ECHILD);
        }
        let _ = sys::read(self.done, &mut [0; 8]);
        self.table.push(Entry { ends: [pid, pidfd], bytes: EACH });
        self.taken += EACH;
        Ok(())
    }

    /// A child's whole life.
    fn live(&mut self, parent: i32) -> ! {
        let _ = sys::prctl(sys::PR_SET_PDEATHSIG, sys::SIGKILL);
        if sys::getppid() != parent {
            sys::exit(0);
        }
        let Ok(at) = sys::map(0, EACH) else { sys::exit(1) };
        // SAFETY: fresh memory of this process.
        unsafe { self.touch.all(at, EACH, self.page) };
        let _ = sys::ring(self.done);
        loop {
            let _ = sys::poll(&mut [], None);
        }
    }

    pub fn shrink(&mut self, bytes: usize) -> Result<usize, Errno> {
        self.bury();
        let mut given = 0;
        while bytes - given >= EACH {
            let Some(entry) = self.table.last() else { break };
            let [pid, pidfd] = entry.ends;
            let _ = sys::pidfd_kill(pidfd);
            while let Err(sys::EINTR) = sys::reap(pid) {}
            sys::close(pidfd);
            self.table.pop();
            self.taken -= EACH;
            given += EACH;
        }
        Ok(given)
    }
}
