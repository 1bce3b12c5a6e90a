//! What host, supervisor and worker say to each other: one datagram a message between host and supervisor, one
//! mailbox slot between host and worker; little-endian, every read checked.
//!
//! The helper compiles this very file (`#[path]`), so it uses nothing but `core`. Each message begins with its
//! kind; requests and replies carry a serial next. File descriptors travel beside the bytes (`SCM_RIGHTS`), in
//! the order of the bits of [`fd`].
#![allow(dead_code)] // each side uses its half

/// Host and helper come out of one build; the number catches a mix-up of files all the same.
pub(crate) const VERSION: u32 = 3;
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

/// What a hog takes and how, in one number: the kind, one of [`pattern`] above it, and above that what one object takes.
pub(crate) mod hog {
    /// Anonymous private memory in pages of the base size.
    pub(crate) const ANON: u32 = 0;
    /// Anonymous private memory in transparent huge pages.
    pub(crate) const ANON_THP: u32 = 1;
    /// Page cache of a file without a name in the working directory.
    pub(crate) const FILE: u32 = 2;
    /// Anonymous shared memory.
    pub(crate) const SHMEM: u32 = 3;
    /// A file of a tmpfs, which is the working directory; written, not mapped.
    pub(crate) const TMPFS: u32 = 4;
    /// A memfd, mapped.
    pub(crate) const MEMFD: u32 = 5;
    /// Anonymous private memory by mlock(2).
    pub(crate) const MLOCK: u32 = 6;
    /// Anonymous private memory by mmap(2) with MAP_POPULATE.
    pub(crate) const POPULATE: u32 = 7;
    /// Reserved huge pages.
    pub(crate) const HUGETLB: u32 = 8;
    /// Memory that grows downwards as a stack does.
    pub(crate) const STACK: u32 = 9;
    /// Small processes.
    pub(crate) const FORK: u32 = 10;
    /// Bytes in pipes.
    pub(crate) const PIPE: u32 = 11;
    /// Bytes in TCP connections.
    pub(crate) const SOCKET: u32 = 12;
    /// Empty files of a tmpfs, which is the working directory; goes with the bytes that each takes.
    pub(crate) const SLAB: u32 = 13;
    /// As TMPFS, by fallocate(2).
    pub(crate) const TMPFS_HUGE: u32 = 14;

    pub(crate) const fn work(kind: u32, pattern: u32) -> u32 {
        kind | pattern << 8
    }

    /// The same with the bytes that one object takes.
    pub(crate) const fn work_of(kind: u32, pattern: u32, each: u16) -> u32 {
        work(kind, pattern) | (each as u32) << 16
    }

    pub(crate) const fn each(work: u32) -> usize {
        (work >> 16) as usize
    }

    pub(crate) const fn kind(work: u32) -> u32 {
        work & 0xff
    }

    pub(crate) const fn pattern(work: u32) -> u32 {
        work >> 8 & 0xff
    }
}

/// How a hog touches what it takes.
pub(crate) mod pattern {
    /// One byte of each page is written, in order.
    pub(crate) const WRITE: u32 = 0;
    /// One byte of each page is read.
    pub(crate) const READ: u32 = 1;
    /// As WRITE, in no order.
    pub(crate) const RANDOM: u32 = 2;
    /// As WRITE, and while it waits all is touched again and again.
    pub(crate) const HOT: u32 = 3;
    /// Zeroes are written.
    pub(crate) const ZEROES: u32 = 4;
    /// Every byte is written, so that no compressor makes less of it.
    pub(crate) const INCOMPRESSIBLE: u32 = 5;
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
            CHDIR => "enter the working directory",
            EXEC => "execute",
            CLONE => "make a process",
            REQUEST => "read the request",
            FULL => "find a free slot in the supervisor",
            TREE => "remove the group",
            INSTANCE => "remove the tracing instance",
            RESTORE => "put back the setting",
            PROCESSES => "end the processes",
            FILES => "place the file descriptors",
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
const HELLO: u32 = 32;
const REPLY: u32 = 33;
const EXIT: u32 = 34;
const ORPHAN: u32 = 35;
const LOST: u32 = 36;
const GROW: u32 = 64;
const SHRINK: u32 = 65;
const READY: u32 = 96;
const GREW: u32 = 97;
const SHRUNK: u32 = 98;
const FAILED: u32 = 99;
const TICK: u32 = 100;
const REFUSED: u32 = 101;

/// A message being written.
pub(crate) struct Writer {
    bytes: [u8; MOST],
    len: usize,
}

impl Writer {
    fn new(kind: u32) -> Writer {
        let mut writer = Writer { bytes: [0; MOST], len: 0 };
        writer.u32(kind);
        writer
    }

    // Every message has a fixed greatest length below MOST (a test encodes the longest), so nothing is ever cut.
    fn put(&mut self, bytes: &[u8]) -> &mut Writer {
        if let Some(to) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            to.copy_from_slice(bytes);
            self.len += bytes.len();
        }
        self
    }

    fn u32(&mut self, value: u32) -> &mut Writer {
        self.put(&value.to_le_bytes())
    }

    fn i32(&mut self, value: i32) -> &mut Writer {
        self.put(&value.to_le_bytes())
    }

    fn u64(&mut self, value: u64) -> &mut Writer {
        self.put(&value.to_le_bytes())
    }

    fn text(&mut self, text: &[u8]) -> &mut Writer {
        let text = text.get(..MOST_NAME).unwrap_or(text);
        self.u32(text.len() as u32);
        self.put(text)
    }

    /// The finished message.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

/// A message being read; every getter is `None` past the end.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        if count > self.rest.len() {
            return None;
        }
        let (head, tail) = self.rest.split_at(count);
        self.rest = tail;
        Some(head)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn i32(&mut self) -> Option<i32> {
        Some(i32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()? as usize;
        if len > MOST_NAME {
            return None;
        }
        self.take(len)
    }

    fn end(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
}

/// What the host asks of the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request<'a> {
    /// Start a worker.
    Start(Start<'a>),
    /// Empty and remove this tree of groups at the end; goes with the directory it stands in.
    GuardTree { version: u32, name: &'a [u8] },
    /// Remove this tracing instance at the end; goes with the directory it stands in.
    GuardInstance { name: &'a [u8] },
    /// Write this text at the end if no group is left; goes with the file and the directory to look at.
    GuardRestore { text: &'a [u8] },
    /// Forget a guard.
    Unguard { token: u64 },
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
            Request::GuardInstance { .. } => GUARD_INSTANCE,
            Request::GuardRestore { .. } => GUARD_RESTORE,
            Request::Unguard { .. } => UNGUARD,
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
            Request::Unguard { token } => to.u64(token),
            Request::End { deadline_ns } => to.u64(deadline_ns),
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
            GUARD_INSTANCE => Request::GuardInstance { name: from.text()? },
            GUARD_RESTORE => Request::GuardRestore { text: from.text()? },
            UNGUARD => Request::Unguard { token: from.u64()? },
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

/// What the host asks of a hog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Take so much more (rounded up to whole pages).
    Grow { bytes: u64 },
    /// Give back so much of the newest (rounded down to whole pages).
    Shrink { bytes: u64 },
}

impl Command {
    /// The command as a message.
    pub(crate) fn encode(&self) -> Writer {
        let (kind, bytes) = match *self {
            Command::Grow { bytes } => (GROW, bytes),
            Command::Shrink { bytes } => (SHRINK, bytes),
        };
        let mut to = Writer::new(kind);
        to.u64(bytes);
        to
    }

    /// The command, if the message is a whole one.
    pub(crate) fn decode(message: &[u8]) -> Option<Command> {
        let mut from = Reader { rest: message };
        let command = match from.u32()? {
            GROW => Command::Grow { bytes: from.u64()? },
            SHRINK => Command::Shrink { bytes: from.u64()? },
            _ => return None,
        };
        from.end()?;
        Some(command)
    }
}

/// What a worker tells the host. Times are of CLOCK_MONOTONIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    /// In the group, pre-faulted, waiting.
    Ready { pid: i32, page_bytes: u64 },
    /// A step is done, or some of it and the errno says why no more.
    Grew { total_bytes: u64, bytes: u64, errno: i32, start_ns: u64, end_ns: u64 },
    /// Memory was given back.
    Shrunk { total_bytes: u64, bytes: u64, start_ns: u64, end_ns: u64 },
    /// The step could not be taken; the hog holds what it held before.
    Failed { errno: i32, total_bytes: u64 },
    /// The ticker lives; `n` is the number of the period, so a gap shows dropped ticks.
    Tick { n: u64, time_ns: u64 },
    /// A spare could not become what it was told; it ends.
    Refused { stage: u32, errno: i32 },
}

impl Message {
    /// The message's bytes.
    pub(crate) fn encode(&self) -> Writer {
        match *self {
            Message::Ready { pid, page_bytes } => {
                let mut to = Writer::new(READY);
                to.i32(pid).u64(page_bytes);
                to
            }
            Message::Grew { total_bytes, bytes, errno, start_ns, end_ns } => {
                let mut to = Writer::new(GREW);
                to.u64(total_bytes).u64(bytes).i32(errno).u64(start_ns).u64(end_ns);
                to
            }
            Message::Shrunk { total_bytes, bytes, start_ns, end_ns } => {
                let mut to = Writer::new(SHRUNK);
                to.u64(total_bytes).u64(bytes).u64(start_ns).u64(end_ns);
                to
            }
            Message::Failed { errno, total_bytes } => {
                let mut to = Writer::new(FAILED);
                to.i32(errno).u64(total_bytes);
                to
            }
            Message::Tick { n, time_ns } => {
                let mut to = Writer::new(TICK);
                to.u64(n).u64(time_ns);
                to
            }
            Message::Refused { stage, errno } => {
                let mut to = Writer::new(REFUSED);
                to.u32(stage).i32(errno);
                to
            }
        }
    }

    /// The message, if the bytes are a whole one.
    pub(crate) fn decode(message: &[u8]) -> Option<Message> {
        let mut from = Reader { rest: message };
        let message = match from.u32()? {
            READY => Message::Ready { pid: from.i32()?, page_bytes: from.u64()? },
            GREW => Message::Grew {
                total_bytes: from.u64()?,
                bytes: from.u64()?,
                errno: from.i32()?,
                start_ns: from.u64()?,
                end_ns: from.u64()?,
            },
            SHRUNK => Message::Shrunk {
                total_bytes: from.u64()?,
                bytes: from.u64()?,
                start_ns: from.u64()?,
                end_ns: from.u64()?,
            },
            FAILED => Message::Failed { errno: from.i32()?, total_bytes: from.u64()? },
            TICK => Message::Tick { n: from.u64()?, time_ns: from.u64()? },
            REFUSED => Message::Refused { stage: from.u32()?, errno: from.i32()? },
            _ => return None,
        };
        from.end()?;
        Some(message)
    }
}

/// The head of a command's blob: three counts of 64 bits (arguments, environment, paths), then so many
/// NUL-terminated strings in that order.
pub(crate) const BLOB_HEAD: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every prefix of a message and every message with a byte too many must be refused, the whole one read back.
    fn only_whole<T: PartialEq + std::fmt::Debug>(bytes: &[u8], expected: T, decode: impl Fn(&[u8]) -> Option<T>) {
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut]), None, "cut at {cut}");
        }
        assert_eq!(decode(bytes), Some(expected));
        assert_eq!(decode(&[bytes, b"x"].concat()), None);
        assert!(bytes.len() <= MOST);
    }

    #[test]
    fn requests_come_back_whole_or_not_at_all() {
        let name = [b'n'; MOST_NAME];
        let start = Start {
            id: 7,
            role: role::COMMAND,
            kind: 1,
            period_ns: u64::MAX,
            oom_score_adj: -1000,
            pgid: 4,
            fds: 255,
            name: &name,
        };
        let requests = [
            Request::Start(start),
            Request::GuardTree { version: 2, name: &name },
            Request::GuardInstance { name: b"i" },
            Request::GuardRestore { text: b"-memory" },
            Request::Unguard { token: 1 << 40 },
            Request::End { deadline_ns: 5 },
        ];
        for request in requests {
            let bytes = request.encode(9).bytes().to_vec();
            for cut in 0..bytes.len() {
                assert_eq!(Request::decode(&bytes[..cut]), None);
            }
            assert_eq!(Request::decode(&bytes), Some((9, request)));
        }
    }

    #[test]
    fn notices_come_back_whole_or_not_at_all() {
        let left = [b'l'; MOST_NAME];
        let usage = Usage { user_usec: 1, system_usec: 2, max_rss_bytes: 3 };
        let notices = [
            Notice::Hello { version: VERSION, pid: 12 },
            Notice::Reply { serial: 1, stage: stage::EXEC, errno: 2, token: 3, pid: 4, left: &left },
            Notice::Exit { id: 1, pid: 2, status: 9, usage, time_ns: 4 },
            Notice::Orphan { pid: 1, status: -1, time_ns: 3 },
            Notice::Lost { orphans: 8 },
        ];
        for notice in notices {
            let bytes = notice.encode().bytes().to_vec();
            for cut in 0..bytes.len() {
                assert_eq!(Notice::decode(&bytes[..cut]), None);
            }
            assert_eq!(Notice::decode(&bytes), Some(notice));
            assert!(bytes.len() <= MOST);
        }
    }

    #[test]
    fn channel_messages_come_back_whole_or_not_at_all() {
        for command in [Command::Grow { bytes: 1 }, Command::Shrink { bytes: u64::MAX }] {
            only_whole(command.encode().bytes(), command, Command::decode);
        }
        let messages = [
            Message::Ready { pid: 1, page_bytes: 4096 },
            Message::Grew { total_bytes: 1, bytes: 2, errno: 5, start_ns: 3, end_ns: 4 },
            Message::Shrunk { total_bytes: 1, bytes: 2, start_ns: 3, end_ns: 4 },
            Message::Failed { errno: 12, total_bytes: 4 },
            Message::Tick { n: 1, time_ns: 2 },
            Message::Refused { stage: stage::JOIN, errno: 16 },
        ];
        for message in messages {
            only_whole(message.encode().bytes(), message, Message::decode);
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
