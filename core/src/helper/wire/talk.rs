//! What host and worker say to each other through the mailbox.

use super::codec::{Reader, Writer};

const GROW: u32 = 64;
const SHRINK: u32 = 65;
const READY: u32 = 96;
const GREW: u32 = 97;
const SHRUNK: u32 = 98;
const FAILED: u32 = 99;
const TICK: u32 = 100;
const REFUSED: u32 = 101;

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

#[cfg(test)]
mod tests {
    use super::super::{examples, MOST};
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
    fn channel_messages_come_back_whole_or_not_at_all() {
        for command in examples::commands() {
            only_whole(command.encode().bytes(), command, Command::decode);
        }
        for message in examples::messages() {
            only_whole(message.encode().bytes(), message, Message::decode);
        }
    }
}
