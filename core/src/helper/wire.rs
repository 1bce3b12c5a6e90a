//! What host, supervisor and worker say to each other: one datagram a message between host and supervisor, one
//! mailbox slot between host and worker; little-endian, every read checked.
//!
//! The helper compiles this very file (`#[path]`), so it uses nothing but `core`. Each message begins with its
//! kind; requests and replies carry a serial next. File descriptors travel beside the bytes (`SCM_RIGHTS`), in
//! the order of the bits of [`fd`].
#![allow(dead_code)] // each side uses its half

// Named by their paths, as the helper includes this file from elsewhere.
#[path = "wire/codec.rs"]
mod codec;
#[cfg(test)]
#[path = "wire/examples.rs"]
pub(crate) mod examples;
#[path = "wire/talk.rs"]
mod talk;
#[path = "wire/vital.rs"]
pub(crate) mod vital;
#[path = "wire/work.rs"]
mod work;

use codec::Reader;
pub(crate) use codec::Writer;
pub(crate) use talk::{Command, Message};
pub(crate) use work::{hog, pattern};

/// Host and helper come out of one build; the number catches a mix-up of files all the same.
pub(crate) const VERSION: u32 = 5;
/// No message is longer.
pub(crate) const MOST: usize = 512;
/// The longest name of a directory that can be guarded, and the longest text to be restored.
pub(crate) const MOST_NAME: usize = 255;
/// The kernel's `TASK_COMM_LEN` without its NUL.
pub(crate) const MOST_COMM: usize = 15;
/// Most file descriptors in one message.
pub(crate) const MOST_FDS: usize = 8;

/// Which file descriptors a START carries; they travel in the order of these bits.
pub(crate) mod fd {
    /// A v1 group's `tasks`, open for writing.
    pub(crate) const TASKS: u32 = 1;
    /// A v2 group's directory.
    pub(crate) const DIRECTORY: u32 = 2;
    /// The file with the command's arguments, environment and paths.
    pub(crate) const BLOB: u32 = 4;
    /// The working directory.
    pub(crate) const CWD: u32 = 8;
    /// Standard input of a command; for a hog or a ticker the bell that the host rings.
    pub(crate) const STDIN: u32 = 16;
    /// Standard output of a command; for a hog or a ticker the bell that it rings.
    pub(crate) const STDOUT: u32 = 32;
    /// Standard error of a command; for a hog or a ticker the page of its mailbox.
    pub(crate) const STDERR: u32 = 64;
    /// The socket on which a spare hears what it is to become.
    pub(crate) const TASK: u32 = 128;
}

/// What a START starts.
pub(crate) mod role {
    pub(crate) const HOG: u32 = 1;
    pub(crate) const TICKER: u32 = 2;
    pub(crate) const COMMAND: u32 = 3;
    /// A hog or a ticker that is not needed yet: executed, in no group of the lab. The host sends it a START of its
    /// own, whose only file is the group's `tasks`, and with that it becomes one of the two. So the host need not
    /// wait for an execution. A v2 group can only be entered quickly at birth, so there it is of no use.
    pub(crate) const SPARE: u32 = 4;
}

/// Where something failed; goes with an errno.
pub(crate) mod stage {
    pub(crate) const NONE: u32 = 0;
    /// The child could not enter the group.
    pub(crate) const JOIN: u32 = 1;
    /// The child could not set its oom_score_adj.
    pub(crate) const SCORE: u32 = 2;
    /// The child could not enter its working directory.
    pub(crate) const CHDIR: u32 = 3;
    /// The program could not be executed.
    pub(crate) const EXEC: u32 = 4;
    /// No process could be made.
    pub(crate) const CLONE: u32 = 5;
    /// The request was malformed, or its files could not be read.
    pub(crate) const REQUEST: u32 = 6;
    /// As many workers or guards as the supervisor can hold.
    pub(crate) const FULL: u32 = 7;
    /// A guarded tree could not be removed.
    pub(crate) const TREE: u32 = 8;
    /// A guarded tracing instance could not be removed.
    pub(crate) const INSTANCE: u32 = 9;
    /// A file could not be put back.
    pub(crate) const RESTORE: u32 = 10;
    /// Processes are left.
    pub(crate) const PROCESSES: u32 = 11;
    /// The child's file descriptors could not be put in place.
    pub(crate) const FILES: u32 = 12;

    /// The stage in words, as they stand in messages.
    pub(crate) fn name(stage: u32) -> &'static str {
        match stage {
            NONE => "none",
            JOIN => "join the group",
            SCORE => "set oom_score_adj",
            CHDIR => "enter the working directory (fchdir)",
            EXEC => "execute it (execve, execveat)",
            CLONE => "make a process (clone, clone3)",
            REQUEST => "read the request (fstat, pread64)",
            FULL => "find a free slot in the supervisor",
            TREE => "remove the group",
            INSTANCE => "remove the tracing instance",
            RESTORE => "put back the setting",
            PROCESSES => "end the processes",
            FILES => "place the file descriptors (dup3, fcntl)",
            _ => "take an unknown step",
        }
    }
}

const START: u32 = 1;
const GUARD_TREE: u32 = 2;
const GUARD_INSTANCE: u32 = 3;
const GUARD_RESTORE: u32 = 4;
const UNGUARD: u32 = 5;
const END: u32 = 6;
const KILL_AT: u32 = 7;
const HOLD_TREE: u32 = 8;
const HELLO: u32 = 32;
const REPLY: u32 = 33;
const EXIT: u32 = 34;
const ORPHAN: u32 = 35;
const LOST: u32 = 36;

/// What the host asks of the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request<'a> {
    /// Start a worker.
    Start(Start<'a>),
    /// Empty and remove this tree of groups at the end; goes with the directory it stands in.
    GuardTree { version: u32, name: &'a [u8] },
    /// The tree of that guard has been made; goes with its own directory, by which it is known from now on.
    HoldTree { token: u64 },
    /// Remove this tracing instance at the end; goes with the directory it stands in.
    GuardInstance { name: &'a [u8] },
    /// Write this text at the end; goes with the file, and with a directory where no group may be left in one.
    GuardRestore { text: &'a [u8] },
    /// Forget a guard.
    Unguard { token: u64 },
    /// Kill a process at this time of CLOCK_MONOTONIC if it has not ended by then; goes with its pidfd.
    KillAt { deadline_ns: u64 },
    /// Clean up until this time of CLOCK_MONOTONIC, reply and exit.
    End { deadline_ns: u64 },
}

/// The worker that a START starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start<'a> {
    /// The host's number for it.
    pub(crate) id: u64,
    /// One of [`role`].
    pub(crate) role: u32,
    /// For a hog its work, as [`hog`] has it.
    pub(crate) kind: u32,
    /// For a ticker the time between two ticks.
    pub(crate) period_ns: u64,
    /// What stands in /proc/self/oom_score_adj when the program begins.
    pub(crate) oom_score_adj: i32,
    /// The caller's process group, which the worker joins.
    pub(crate) pgid: i32,
    /// Which of [`fd`] came along.
    pub(crate) fds: u32,
    /// The name the kernel shows (a command names itself).
    pub(crate) name: &'a [u8],
}

impl<'a> Request<'a> {
    /// The request as a message.
    pub(crate) fn encode(&self, serial: u64) -> Writer {
        let kind = match self {
            Request::Start(_) => START,
            Request::GuardTree { .. } => GUARD_TREE,
            Request::HoldTree { .. } => HOLD_TREE,
            Request::GuardInstance { .. } => GUARD_INSTANCE,
            Request::GuardRestore { .. } => GUARD_RESTORE,
            Request::Unguard { .. } => UNGUARD,
            Request::KillAt { .. } => KILL_AT,
            Request::End { .. } => END,
        };
        let mut to = Writer::new(kind);
        to.u64(serial);
        match *self {
            Request::Start(Start { id, role, kind, period_ns, oom_score_adj, pgid, fds, name }) => {
                to.u64(id).u32(role).u32(kind).u64(period_ns).i32(oom_score_adj).i32(pgid).u32(fds).text(name)
            }
            Request::GuardTree { version, name } => to.u32(version).text(name),
            Request::GuardInstance { name } => to.text(name),
            Request::GuardRestore { text } => to.text(text),
            Request::HoldTree { token } | Request::Unguard { token } => to.u64(token),
            Request::KillAt { deadline_ns } | Request::End { deadline_ns } => to.u64(deadline_ns),
        };
        to
    }

    /// The serial and the request, if the message is a whole one.
    pub(crate) fn decode(message: &'a [u8]) -> Option<(u64, Request<'a>)> {
        let mut from = Reader { rest: message };
        let kind = from.u32()?;
        let serial = from.u64()?;
        let request = match kind {
            START => Request::Start(Start {
                id: from.u64()?,
                role: from.u32()?,
                kind: from.u32()?,
                period_ns: from.u64()?,
                oom_score_adj: from.i32()?,
                pgid: from.i32()?,
                fds: from.u32()?,
                name: from.text()?,
            }),
            GUARD_TREE => Request::GuardTree { version: from.u32()?, name: from.text()? },
            HOLD_TREE => Request::HoldTree { token: from.u64()? },
            GUARD_INSTANCE => Request::GuardInstance { name: from.text()? },
            GUARD_RESTORE => Request::GuardRestore { text: from.text()? },
            UNGUARD => Request::Unguard { token: from.u64()? },
            KILL_AT => Request::KillAt { deadline_ns: from.u64()? },
            END => Request::End { deadline_ns: from.u64()? },
            _ => return None,
        };
        from.end()?;
        Some((serial, request))
    }
}

/// What the supervisor tells the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice<'a> {
    /// The supervisor is up.
    Hello { version: u32, pid: i32 },
    /// The answer to the request of that serial; `stage` is [`stage::NONE`] when it was done.
    Reply { serial: u64, stage: u32, errno: i32, token: u64, pid: i32, left: &'a [u8] },
    /// A worker has ended.
    Exit { id: u64, pid: i32, status: i32, usage: Usage, time_ns: u64 },
    /// A process whose parent died before it has ended.
    Orphan { pid: i32, status: i32, time_ns: u64 },
    /// So many orphans could not be reported.
    Lost { orphans: u64 },
}

/// What a worker used, as `wait4` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Usage {
    /// Time in its own code.
    pub(crate) user_usec: u64,
    /// Time in the kernel.
    pub(crate) system_usec: u64,
    /// The greatest resident size.
    pub(crate) max_rss_bytes: u64,
}

impl<'a> Notice<'a> {
    /// The notice as a message.
    pub(crate) fn encode(&self) -> Writer {
        match *self {
            Notice::Hello { version, pid } => {
                let mut to = Writer::new(HELLO);
                to.u32(version).i32(pid);
                to
            }
            Notice::Reply { serial, stage, errno, token, pid, left } => {
                let mut to = Writer::new(REPLY);
                to.u64(serial).u32(stage).i32(errno).u64(token).i32(pid).text(left);
                to
            }
            Notice::Exit { id, pid, status, usage: Usage { user_usec, system_usec, max_rss_bytes }, time_ns } => {
                let mut to = Writer::new(EXIT);
                to.u64(id).i32(pid).i32(status).u64(user_usec).u64(system_usec).u64(max_rss_bytes).u64(time_ns);
                to
            }
            Notice::Orphan { pid, status, time_ns } => {
                let mut to = Writer::new(ORPHAN);
                to.i32(pid).i32(status).u64(time_ns);
                to
            }
            Notice::Lost { orphans } => {
                let mut to = Writer::new(LOST);
                to.u64(orphans);
                to
            }
        }
    }

    /// The notice, if the message is a whole one.
    pub(crate) fn decode(message: &'a [u8]) -> Option<Notice<'a>> {
        let mut from = Reader { rest: message };
        let notice = match from.u32()? {
            HELLO => Notice::Hello { version: from.u32()?, pid: from.i32()? },
            REPLY => Notice::Reply {
                serial: from.u64()?,
                stage: from.u32()?,
                errno: from.i32()?,
                token: from.u64()?,
                pid: from.i32()?,
                left: from.text()?,
            },
            EXIT => Notice::Exit {
                id: from.u64()?,
                pid: from.i32()?,
                status: from.i32()?,
                usage: Usage { user_usec: from.u64()?, system_usec: from.u64()?, max_rss_bytes: from.u64()? },
                time_ns: from.u64()?,
            },
            ORPHAN => Notice::Orphan { pid: from.i32()?, status: from.i32()?, time_ns: from.u64()? },
            LOST => Notice::Lost { orphans: from.u64()? },
            _ => return None,
        };
        from.end()?;
        Some(notice)
    }
}

/// The head of a command's blob: three counts of 64 bits (arguments, environment, paths), then so many
/// NUL-terminated strings in that order.
pub(crate) const BLOB_HEAD: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_back_whole_or_not_at_all() {
        for request in examples::requests() {
            let bytes = request.encode(9).bytes().to_vec();
            for cut in 0..bytes.len() {
                assert_eq!(Request::decode(&bytes[..cut]), None);
            }
            assert_eq!(Request::decode(&bytes), Some((9, request)));
        }
    }

    #[test]
    fn notices_come_back_whole_or_not_at_all() {
        for notice in examples::notices() {
            let bytes = notice.encode().bytes().to_vec();
            for cut in 0..bytes.len() {
                assert_eq!(Notice::decode(&bytes[..cut]), None);
            }
            assert_eq!(Notice::decode(&bytes), Some(notice));
            assert!(bytes.len() <= MOST);
        }
    }

    #[test]
    fn a_text_longer_than_allowed_is_refused() {
        let mut bytes = Request::GuardInstance { name: &[b'a'; MOST_NAME] }.encode(1).bytes().to_vec();
        bytes[12..16].copy_from_slice(&256u32.to_le_bytes());
        bytes.push(b'a');
        assert_eq!(Request::decode(&bytes), None);
    }
}
