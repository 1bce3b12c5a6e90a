//! All that the supervisor remembers, in tables of fixed size: it never grows, whatever the host or a worker does.

use crate::sys::{self, Ended, Errno, Poll};
use crate::wire::{Notice, Usage, Writer, MOST, MOST_NAME};
use core::ffi::CStr;

/// Workers alive or not yet reported, at once.
pub const WORKERS: usize = 1024;
const ORPHANS: usize = 256;
const GUARDS: usize = 64;
const DUE: usize = 64;

/// The socket to the host.
pub const SOCKET: i32 = 3;
/// This very program, to be executed by hogs and tickers.
pub const IMAGE: i32 = 4;
/// A pidfd of the host, if it could be had: a host killed while a forked child of its still holds the socket
/// gives no end of file.
pub const HOST: i32 = 5;

#[derive(Clone, Copy)]
pub struct Worker {
    /// 0: this slot is free.
    pub pid: i32,
    pub ended: bool,
    pub id: u64,
    status: i32,
    usage: Usage,
    time_ns: u64,
}

#[derive(Clone, Copy)]
struct Orphan {
    pid: i32,
    status: i32,
    time_ns: u64,
}

/// What a guard is for; a zeroed one is free.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
#[allow(dead_code)] // Free is what zeroed memory holds
pub enum Kind {
    Free = 0,
    TreeV1 = 1,
    TreeV2 = 2,
    Instance = 3,
    Restore = 4,
}

#[derive(Clone, Copy)]
pub struct Guard {
    pub kind: Kind,
    generation: u32,
    /// The directory in which it stands.
    pub directory: i32,
    /// For a setting: the file to be written. For a tree: its own directory, once that is known, else -1.
    pub file: i32,
    name: [u8; MOST_NAME + 1],
}

impl Guard {
    pub fn name(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.name).unwrap_or(c"")
    }
}

/// A process that is killed at its deadline; a deadline of 0 is none.
#[derive(Clone, Copy)]
struct Due {
    deadline_ns: u64,
    pidfd: i32,
}

/// Lives in a zeroed mapping: every field is valid when all its bytes are zero.
pub struct State {
    pub workers: [Worker; WORKERS],
    // The workers that ended and were not yet reported, oldest first, by slot.
    ended: [u16; WORKERS],
    ended_head: usize,
    ended_count: usize,
    orphans: [Orphan; ORPHANS],
    orphans_head: usize,
    orphans_count: usize,
    orphans_lost: u64,
    pub guards: [Guard; GUARDS],
    due: [Due; DUE],
    reply: [u8; MOST],
    reply_len: usize,
    reply_fd: i32,
    pub host_gone: bool,
    pub host_pid: i32,
    /// The CPUs that the supervisor was started with, and how many words of the mask are filled. The host moves the
    /// supervisor to its own CPU for a start (waking another CPU costs as much as the start itself); workers and the
    /// cleanup have them all.
    pub cpus: [u64; crate::turn::MASK_WORDS],
    pub own_pid: i32,
    /// Among the labs that the host has open.
    pub place: usize,
    pub signals: i32,
    /// What a child inherits, if /proc told.
    pub oom_score_adj: Option<i32>,
    /// For children until they execute.
    pub stack: [u8; 32 * 1024],
}

impl Due {
    fn forget(&mut self) {
        sys::close(self.pidfd);
        self.deadline_ns = 0;
    }
}

impl State {
    /// A fresh state in memory of its own.
    pub fn new() -> Result<&'static mut State, Errno> {
        let address = sys::map(0, core::mem::size_of::<State>())?;
        // SAFETY: fresh, zeroed, page-aligned, large enough, never unmapped; zero is valid for every field (for
        // `Option<i32>` zero is one of its two tags, and it is set below before it is read).
        let state = unsafe { &mut *(address as *mut State) };
        state.reply_fd = -1;
        state.oom_score_adj = None;
        Ok(state)
    }

    /// A free slot for a worker.
    pub fn free_slot(&self) -> Option<usize> {
        self.workers.iter().position(|worker| worker.pid == 0)
    }

    pub fn started(&mut self, slot: usize, id: u64, pid: i32) {
        self.workers[slot] = Worker { pid, ended: false, id, status: 0, usage: Usage::default(), time_ns: 0 };
    }

    /// Takes the pending signals and reaps whoever has ended.
    pub fn collect(&mut self) -> bool {
        let mut signals = [0u8; 128 * 4];
        while let Ok(length) = sys::read(self.signals, &mut signals) {
            if length < signals.len() {
                break;
            }
        }
        self.reap()
    }

    /// Reaps every child that has ended. False when there is none left at all.
    pub fn reap(&mut self) -> bool {
        loop {
            match sys::reap(-1) {
                Ok(Some(ended)) => self.remember(ended),
                Ok(None) => return true,
                Err(sys::EINTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn remember(&mut self, ended: Ended) {
        let time_ns = sys::now_ns();
        let found = self.workers.iter().position(|worker| worker.pid == ended.pid && !worker.ended);
        if let Some(slot) = found {
            let worker = &mut self.workers[slot];
            worker.ended = true;
            worker.status = ended.status;
            worker.usage = Usage {
                user_usec: ended.usage[0] * 1_000_000 + ended.usage[1],
                system_usec: ended.usage[2] * 1_000_000 + ended.usage[3],
                max_rss_bytes: ended.usage[4] * 1024,
            };
            worker.time_ns = time_ns;
            // As long as the table of workers: it cannot overflow.
            self.ended[(self.ended_head + self.ended_count) % WORKERS] = slot as u16;
            self.ended_count += 1;
        } else if self.orphans_count < ORPHANS {
            let orphan = Orphan { pid: ended.pid, status: ended.status, time_ns };
            self.orphans[(self.orphans_head + self.orphans_count) % ORPHANS] = orphan;
            self.orphans_count += 1;
        } else {
            self.orphans_lost += 1;
        }
    }

    /// Remembers a directory entry or a setting that must not outlive the lab. Takes the descriptors on success.
    pub fn guard(&mut self, kind: Kind, directory: i32, file: i32, name: &[u8]) -> Option<u64> {
        let index = self.guards.iter().position(|guard| guard.kind == Kind::Free)?;
        let guard = &mut self.guards[index];
        *guard =
            Guard { kind, generation: guard.generation.wrapping_add(1), directory, file, name: [0; MOST_NAME + 1] };
        guard.name[..name.len()].copy_from_slice(name);
        Some(index as u64 | (guard.generation as u64) << 32)
    }

    /// Takes the directory of a guarded tree that has been made; false when there is none of that token.
    pub fn hold(&mut self, token: u64, directory: i32) -> bool {
        match self.guards.get_mut(token as u32 as usize) {
            Some(guard)
                if matches!(guard.kind, Kind::TreeV1 | Kind::TreeV2)
                    && guard.file < 0
                    && guard.generation == (token >> 32) as u32 =>
            {
                guard.file = directory;
                true
            }
            _ => false,
        }
    }

    /// Forgets a guard; false when there is none of that token.
    pub fn unguard(&mut self, token: u64) -> bool {
        match self.guards.get_mut(token as u32 as usize) {
            Some(guard) if guard.kind != Kind::Free && guard.generation == (token >> 32) as u32 => {
                guard.kind = Kind::Free;
                sys::close(guard.directory);
                sys::close(guard.file);
                true
            }
            _ => false,
        }
    }

    /// Remembers a process to be killed. Takes the descriptor on success.
    pub fn kill_at(&mut self, deadline_ns: u64, pidfd: i32) -> bool {
        // The places of those that have ended meanwhile are free.
        for due in self.due.iter_mut().filter(|due| due.deadline_ns != 0) {
            let mut files = [Poll { fd: due.pidfd, events: sys::POLLIN, revents: 0 }];
            if sys::poll(&mut files, Some(0)).is_ok() && files[0].revents != 0 {
                due.forget();
            }
        }
        match self.due.iter_mut().find(|due| due.deadline_ns == 0) {
            Some(due) => {
                *due = Due { deadline_ns: deadline_ns.max(1), pidfd };
                true
            }
            None => false,
        }
    }

    /// Kills whose time has come, and says how long it is until the next one.
    pub fn kill_due(&mut self) -> Option<u64> {
        let now = sys::now_ns();
        for due in self.due.iter_mut().filter(|due| due.deadline_ns != 0 && due.deadline_ns <= now) {
            let _ = sys::pidfd_kill(due.pidfd);
            due.forget();
        }
        let waiting = self.due.iter().filter(|due| due.deadline_ns != 0);
        waiting.map(|due| due.deadline_ns.saturating_sub(now)).min()
    }

    /// Keeps the reply, with a descriptor of ours to be sent along, until the host takes it.
    pub fn reply(&mut self, message: &Writer, fd: i32) {
        let bytes = message.bytes();
        self.reply[..bytes.len()].copy_from_slice(bytes);
        self.reply_len = bytes.len();
        self.reply_fd = fd;
    }

    /// While a reply waits, no request is read.
    pub fn reply_waits(&self) -> bool {
        self.reply_len > 0
    }

    /// Sends what the socket takes. True when nothing is left to send.
    pub fn flush(&mut self) -> bool {
        self.send_reply() && self.flush_notices()
    }

    /// Sends the reply. True when none is left.
    pub fn send_reply(&mut self) -> bool {
        if self.reply_len > 0 {
            if !sent(sys::send(SOCKET, &self.reply[..self.reply_len], self.reply_fd), &mut self.host_gone) {
                return false;
            }
            sys::close(self.reply_fd);
            self.reply_fd = -1;
            self.reply_len = 0;
        }
        true
    }

    /// Sends the notices that the socket takes. True when none is left.
    pub fn flush_notices(&mut self) -> bool {
        while self.ended_count > 0 {
            let slot = self.ended[self.ended_head] as usize;
            let Worker { id, pid, status, usage, time_ns, .. } = self.workers[slot];
            if !self.send(Notice::Exit { id, pid, status, usage, time_ns }) {
                return false;
            }
            self.workers[slot].pid = 0;
            self.ended_head = (self.ended_head + 1) % WORKERS;
            self.ended_count -= 1;
        }
        while self.orphans_count > 0 {
            let Orphan { pid, status, time_ns } = self.orphans[self.orphans_head];
            if !self.send(Notice::Orphan { pid, status, time_ns }) {
                return false;
            }
            self.orphans_head = (self.orphans_head + 1) % ORPHANS;
            self.orphans_count -= 1;
        }
        if self.orphans_lost > 0 {
            if !self.send(Notice::Lost { orphans: self.orphans_lost }) {
                return false;
            }
            self.orphans_lost = 0;
        }
        true
    }

    fn send(&mut self, notice: Notice) -> bool {
        sent(sys::send(SOCKET, notice.encode().bytes(), -1), &mut self.host_gone)
    }
}

/// Whether the host took it. A full socket says no, and so does one that is broken: the host is gone then.
fn sent(result: Result<(), Errno>, host_gone: &mut bool) -> bool {
    match result {
        Ok(()) => true,
        Err(sys::EAGAIN | sys::EINTR | sys::ENOMEM) => false,
        Err(_) => {
            *host_gone = true;
            false
        }
    }
}
