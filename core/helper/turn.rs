//! Who goes first: the hogs of a lab share one CPU, and one that stands still goes before one that takes memory.
//!
//! The kernel does not stop the task that hit the limit while the victim gives its memory back: it tries its charge
//! again and again, and may declare the next OOM meanwhile. Kernels from 7.x do not see a victim that is in its exit
//! any more and then kill a second one (seen on 7.2, two CPUs, nearly every time). On one CPU, with the victim at a
//! real-time priority, its exit comes first and the step finds the room it made.
//!
//! It needs CAP_SYS_NICE; without, everything works as the kernel does it.

use crate::sys;

const MASK_WORDS: usize = 128;

pub struct Turn {
    settled: bool,
}

impl Turn {
    pub const fn new() -> Turn {
        Turn { settled: false }
    }

    /// Before a step: behind those that stand still.
    pub fn begin(&mut self) {
        if !self.settled {
            // Not at the start: moving to another CPU takes longer than all of that.
            self.settled = true;
            share_one_cpu();
        }
        sys::set_scheduler(sys::SCHED_OTHER, 0);
    }

    /// After a step: whoever steps next lets us go first.
    pub fn end(&self) {
        sys::set_scheduler(sys::SCHED_FIFO, 1);
    }
}

/// All hogs of a lab have the same supervisor, so its pid names a CPU for them; labs spread over the CPUs.
fn share_one_cpu() {
    let mut allowed = [0u64; MASK_WORDS];
    let Ok(words) = sys::affinity(&mut allowed) else { return };
    let count: u32 = allowed.iter().take(words).map(|word| word.count_ones()).sum();
    if count < 2 {
        return;
    }
    let mut skip = sys::getppid().unsigned_abs() % count;
    let mut one = [0u64; MASK_WORDS];
    for (from, to) in allowed.iter().zip(one.iter_mut()).take(words) {
        for bit in 0..64 {
            if from >> bit & 1 == 0 {
                continue;
            }
            if skip == 0 {
                *to = 1 << bit;
                sys::set_affinity(&one);
                return;
            }
            skip -= 1;
        }
    }
}
