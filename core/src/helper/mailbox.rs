//! The page through which host and worker speak, and how a message is put into it and taken out.
//!
//! A socket would not do: its buffers are charged to the sender's memory cgroup, so in a full group a worker's word
//! fails, or sets off the very OOM that is to be watched. Nothing here allocates. A bell (an eventfd) beside each
//! slot wakes the other side.
//!
//! The helper compiles this very file (`#[path]`), so it uses nothing but `core`.
#![allow(dead_code)] // each side uses its half

use core::sync::atomic::{fence, AtomicU32, Ordering};

use super::wire::MOST;

const WORDS: usize = MOST / 4;

/// What host and worker share. Zeroed memory is an empty one; every content is a valid value, so that nothing the
/// other side writes can break this one.
#[repr(C)]
pub(crate) struct Mailbox {
    /// Commands, written by the host.
    pub(crate) to_worker: Slot,
    /// Answers and ticks, written by the worker.
    pub(crate) to_host: Slot,
    /// Set by the host when it will say and hear nothing more: the worker ends.
    closed: AtomicU32,
}

impl Mailbox {
    /// Asks the worker to end; the bell has to follow.
    pub(crate) fn close(&self) {
        self.closed.store(1, Ordering::Release);
    }

    /// Makes a zeroed one ready. It is so already; the write sees to it that the page is really there.
    pub(crate) fn open(&self) {
        self.closed.store(0, Ordering::Relaxed);
    }

    /// Whether the worker is to end.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire) != 0
    }
}

/// The newest message of one direction: a seqlock with one writer. All accesses are atomic, as the reader may read
/// while the writer writes; the order is that of the sequence alone.
#[repr(C)]
pub(crate) struct Slot {
    /// Odd while a message is being written; two more with each message.
    sequence: AtomicU32,
    bytes: AtomicU32,
    words: [AtomicU32; WORDS],
}

/// The slot holds what no writer of ours puts there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Garbled;

impl Slot {
    /// Replaces the message. What is longer than [`MOST`] is cut, which no encoded message is.
    pub(crate) fn put(&self, message: &[u8]) {
        // Not `+ 1`: a page with an odd sequence, which only a stranger leaves, must not stay odd for ever.
        let writing = self.sequence.load(Ordering::Relaxed) | 1;
        self.sequence.store(writing, Ordering::Relaxed);
        // A reader that sees one of the words below sees the odd sequence too.
        fence(Ordering::Release);
        self.bytes.store(message.len().min(MOST) as u32, Ordering::Relaxed);
        for (word, part) in self.words.iter().zip(message.chunks(4)) {
            let mut padded = [0; 4];
            for (to, from) in padded.iter_mut().zip(part) {
                *to = *from;
            }
            word.store(u32::from_ne_bytes(padded), Ordering::Relaxed);
        }
        self.sequence.store(writing.wrapping_add(1), Ordering::Release);
    }

    /// Copies the message, unless it is the one that was `seen`, and gives its length.
    ///
    /// Nothing, too, while one is being written or when it changes again and again: the bell rings after each, so
    /// whoever clears the bell first and looks then misses none.
    pub(crate) fn take(&self, seen: &mut u32, to: &mut [u8; MOST]) -> Result<Option<usize>, Garbled> {
        for _ in 0..4 {
            let sequence = self.sequence.load(Ordering::Acquire);
            if sequence == *seen || sequence & 1 != 0 {
                return Ok(None);
            }
            let bytes = self.bytes.load(Ordering::Relaxed) as usize;
            for (part, word) in to.chunks_mut(4).zip(&self.words).take(bytes.min(MOST).div_ceil(4)) {
                for (to, from) in part.iter_mut().zip(word.load(Ordering::Relaxed).to_ne_bytes()) {
                    *to = from;
                }
            }
            // The words above are read before the sequence below.
            fence(Ordering::Acquire);
            if self.sequence.load(Ordering::Relaxed) == sequence {
                *seen = sequence;
                return if bytes <= MOST { Ok(Some(bytes)) } else { Err(Garbled) };
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> Slot {
        Slot { sequence: AtomicU32::new(0), bytes: AtomicU32::new(0), words: [const { AtomicU32::new(0) }; WORDS] }
    }

    #[test]
    fn a_mailbox_fits_into_a_page() {
        assert!(size_of::<Mailbox>() <= 4096);
    }

    #[test]
    fn each_message_is_taken_once_and_the_newest_counts() {
        let (slot, mut seen, mut to) = (slot(), 0, [0; MOST]);
        assert_eq!(slot.take(&mut seen, &mut to), Ok(None));
        for message in [&b"longer than a word"[..], b"abc", b"", &[7; MOST]] {
            slot.put(b"overwritten");
            slot.put(message);
            let length = slot.take(&mut seen, &mut to).unwrap().unwrap();
            assert_eq!(&to[..length], message);
            assert_eq!(slot.take(&mut seen, &mut to), Ok(None));
        }
        // The sequence runs over after two thousand million messages.
        slot.sequence.store(u32::MAX - 1, Ordering::Relaxed);
        seen = u32::MAX - 1;
        slot.put(b"first");
        assert_eq!(slot.take(&mut seen, &mut to), Ok(Some(5)));
        slot.put(b"next");
        assert_eq!(slot.take(&mut seen, &mut to), Ok(Some(4)));
    }

    #[test]
    fn a_stranger_s_content_is_refused_or_passed_over() {
        let (slot, mut seen, mut to) = (slot(), 0, [0; MOST]);
        for bytes in [MOST as u32 + 1, u32::MAX] {
            slot.put(b"good");
            slot.bytes.store(bytes, Ordering::Relaxed);
            assert_eq!(slot.take(&mut seen, &mut to), Err(Garbled));
            assert_eq!(slot.take(&mut seen, &mut to), Ok(None));
        }
        // Half written: its writer has died, or is still at it.
        slot.sequence.fetch_or(1, Ordering::Relaxed);
        assert_eq!(slot.take(&mut seen, &mut to), Ok(None));
        slot.put(b"good");
        assert_eq!(slot.take(&mut seen, &mut to), Ok(Some(4)));
    }

    #[test]
    fn no_message_is_ever_mixed_from_two() {
        let slot = slot();
        let stop = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut number: u8 = 0;
                while stop.load(Ordering::Relaxed) == 0 {
                    number = number.wrapping_add(1);
                    slot.put(&[number; MOST][..1 + usize::from(number)]);
                    // Pauses of every length, so that a reader is met at every point, and now and then not at all.
                    (0..u32::from(number) * 8).for_each(|_| std::hint::spin_loop());
                }
            });
            let (mut seen, mut to, mut taken) = (0, [0; MOST], 0);
            let begin = std::time::Instant::now();
            while taken < 2_000 && begin.elapsed().as_secs() < 10 {
                if let Some(length) = slot.take(&mut seen, &mut to).unwrap() {
                    taken += 1;
                    assert_eq!(length, 1 + usize::from(to[0]));
                    assert!(to[..length].iter().all(|byte| *byte == to[0]));
                }
            }
            stop.store(1, Ordering::Relaxed);
            assert!(taken > 0);
        });
    }
}
