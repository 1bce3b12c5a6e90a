//! Who goes first: the hogs of a lab share one CPU, and one that stands still goes before one that takes memory.
//!
//! The kernel does not stop the task that hit the limit while the victim gives its memory back: it tries its charge
//! again and again, and may declare the next OOM meanwhile. Kernels from 7.x do not see a victim that is in its exit
//! any more and then kill a second one (seen on 7.2, two CPUs, nearly every time). On one CPU, with the victim at a
//! real-time priority, its exit comes first and the step finds the room it made.
//!
//! It needs CAP_SYS_NICE; without, everything works as the kernel does it.

use crate::sys;

pub const MASK_WORDS: usize = 128;

pub struct Turn {
    /// The CPU that the hogs of the lab share, until this one has moved there.
    home: Option<usize>,
}

impl Turn {
    pub const fn new(home: Option<usize>) -> Turn {
        Turn { home }
    }

    /// Before a step: behind those that stand still.
    pub fn begin(&mut self) {
        // Not at the start: moving to another CPU takes longer than all of that.
        if let Some(home) = self.home.take() {
            let mut one = [0u64; MASK_WORDS];
            if let Some(word) = one.get_mut(home / 64) {
                *word = 1 << (home % 64);
                sys::set_affinity(&one);
            }
        }
        sys::set_scheduler(sys::SCHED_OTHER, 0);
    }

    /// After a step: whoever steps next lets us go first.
    pub fn end(&self) {
        sys::set_scheduler(sys::SCHED_FIFO, 1);
    }
}

/// The CPU that the hogs of a lab share, one of `allowed`: the labs of a host take one after the other, and where the first
/// begins its pid chooses, so that those of several hosts spread too.
pub fn home(allowed: &[u64], host: i32, place: usize) -> usize {
    let count: u32 = allowed.iter().map(|word| word.count_ones()).sum();
    let mut skip = (host.unsigned_abs() as usize + place) % count.max(1) as usize;
    for (index, word) in allowed.iter().enumerate() {
        for bit in 0..64 {
            if word >> bit & 1 == 1 {
                if skip == 0 {
                    return index * 64 + bit;
                }
                skip -= 1;
            }
        }
    }
    0
}
