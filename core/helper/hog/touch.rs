//! How memory is touched: what makes the kernel give a page, and what then stands in it.

use crate::sys;
use crate::wire::pattern;

#[derive(Clone, Copy)]
pub struct Touch {
    /// One of [`pattern`].
    pattern: u32,
    /// Where the next incompressible bytes come from.
    seed: u64,
}

impl Touch {
    pub fn new(pattern: u32) -> Touch {
        Touch { pattern, seed: sys::now_ns() | 1 }
    }

    pub fn is_hot(self) -> bool {
        self.pattern == pattern::HOT
    }

    /// Whether the memory is only read.
    pub fn reads(self) -> bool {
        self.pattern == pattern::READ
    }

    /// Whether something has to stand in the pages that the kernel's own zeroes are not.
    pub fn fills(self) -> bool {
        self.pattern == pattern::INCOMPRESSIBLE
    }

    /// Touches every page of a range.
    ///
    /// # Safety
    /// The range is mapped for reading and writing, and its content is of no use to anyone.
    pub unsafe fn all(&mut self, from: usize, bytes: usize, page: usize) {
        let pages = bytes / page;
        let mut number = 0;
        while number < pages {
            // SAFETY: a page of the range.
            unsafe { self.one(from + number * page, page) };
            number += 1;
        }
    }

    /// The same in an order that no read-ahead and no fault-around expects.
    ///
    /// # Safety
    /// As [`Touch::all`].
    pub unsafe fn in_order(&mut self, from: usize, bytes: usize, page: usize) {
        if self.pattern != pattern::RANDOM {
            // SAFETY: the caller's promise.
            return unsafe { self.all(from, bytes, page) };
        }
        let pages = bytes / page;
        let mask = pages.next_power_of_two() - 1;
        let half = mask.count_ones().div_ceil(2);
        let salt = self.seed as usize;
        let mut number = 0;
        while number <= mask {
            // Each step is a bijection of the numbers up to the mask: adding, an odd factor, a shift to the right.
            let mut place = number.wrapping_add(salt).wrapping_mul(0x9E37_79B1) & mask;
            place ^= place >> half;
            place = place.wrapping_mul(0x85EB_CA77) & mask;
            if place < pages {
                // SAFETY: a page of the range.
                unsafe { self.one(from + place * page, page) };
            }
            number += 1;
        }
    }

    /// # Safety
    /// As [`Touch::all`], for one page.
    pub unsafe fn one(&mut self, at: usize, page: usize) {
        // SAFETY: the caller's promise; volatile, or nothing would be done to memory that nobody reads.
        unsafe {
            match self.pattern {
                pattern::READ => {
                    (at as *const u8).read_volatile();
                }
                pattern::ZEROES => (at as *mut u8).write_volatile(0),
                pattern::INCOMPRESSIBLE => self.fill(at, page),
                _ => (at as *mut u8).write_volatile(1),
            }
        }
    }

    /// Fills a page with bytes that no compressor makes smaller.
    ///
    /// # Safety
    /// As [`Touch::all`], for one page.
    pub unsafe fn fill(&mut self, at: usize, page: usize) {
        let mut word = at;
        while word < at + page {
            self.seed ^= self.seed << 13;
            self.seed ^= self.seed >> 7;
            self.seed ^= self.seed << 17;
            // SAFETY: the caller's promise; a page is aligned and a whole number of words.
            unsafe { (word as *mut u64).write_volatile(self.seed) };
            word += 8;
        }
    }
}
