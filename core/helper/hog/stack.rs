//! The stack: a mapping that the kernel makes longer downwards when the page below it is touched.

use super::touch::Touch;
use super::Taken;
use crate::sys::{self, Errno};

/// Far from the arena and from the kernel's own choices.
const TOP: usize = 0x2000_0000_0000;

pub struct Stack {
    pub taken: usize,
    page: usize,
    touch: Touch,
    /// RLIMIT_STACK: beyond it the kernel answers with SIGSEGV.
    most: usize,
}

impl Stack {
    pub fn open(page: usize, touch: Touch) -> Result<Stack, Errno> {
        let most = sys::raise_limit(sys::RLIMIT_STACK);
        // SAFETY: nothing stands there, see arena.rs.
        unsafe { sys::map_at(TOP - page, page, sys::PRIVATE | sys::GROWS_DOWN) }?;
        // SAFETY: fresh memory without content. A kernel without huge pages refuses, which is as good.
        let _ = unsafe { sys::advise(TOP - page, page, sys::MADV_NOHUGEPAGE) };
        Ok(Stack { taken: 0, page, touch, most })
    }

    /// The lowest byte that is taken.
    fn low(&self) -> usize {
        TOP - self.page - self.taken
    }

    pub fn grow(&mut self, bytes: usize) -> Result<Taken, Errno> {
        let bytes = bytes.checked_next_multiple_of(self.page).ok_or(sys::ENOMEM)?;
        if self.taken.saturating_add(bytes).saturating_add(self.page) > self.most.min(TOP / 2) {
            return Err(sys::ENOMEM);
        }
        let wanted = self.taken + bytes;
        while self.taken < wanted {
            self.taken += self.page;
            // SAFETY: the page below the mapping, which becomes part of it by this very touch.
            unsafe { self.touch.one(self.low(), self.page) };
        }
        Ok(Taken { bytes, errno: 0 })
    }

    pub fn shrink(&mut self, bytes: usize) -> Result<usize, Errno> {
        let bytes = bytes.min(self.taken) & !(self.page - 1);
        if bytes > 0 {
            // SAFETY: the content of these pages is of no use to anyone; the pages first, which needs no memory.
            unsafe {
                sys::advise(self.low(), bytes, sys::MADV_DONTNEED)?;
                sys::unmap(self.low(), bytes);
            }
            self.taken -= bytes;
        }
        Ok(bytes)
    }

    pub fn is_hot(&self) -> bool {
        self.touch.is_hot()
    }

    pub fn keep_hot(&self) -> bool {
        let mut at = self.low();
        while self.touch.is_hot() && at < TOP - self.page {
            // SAFETY: taken, so mapped; volatile, or nothing would be read.
            unsafe { (at as *const u8).read_volatile() };
            at += self.page;
        }
        self.touch.is_hot()
    }
}
