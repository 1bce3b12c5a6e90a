//! Memory of the hog's own address space: one range that grows at its end.
//!
//! The number of steps has no bound, and where the kernel allows it a step needs no new kernel object.

use super::touch::Touch;
use super::Taken;
use crate::sys::{self, Errno};
use crate::wire::pattern;

/// Far from the program, the stack and the kernel's own choices, so a hog's memory can grow in place up to terabytes.
const ARENA: usize = 0x1000_0000_0000;
/// A huge page of this architecture.
const HUGE: usize = 2 << 20;

/// How the pages come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Private pages of the base size, by touching them.
    Touch,
    /// Transparent huge pages, by touching them.
    Huge,
    /// Shared anonymous pages, by touching them.
    Shared,
    /// Pages of a memfd, by touching them.
    Memfd,
    /// Private pages, by mlock(2).
    Lock,
    /// Private pages, by mmap(2) with MAP_POPULATE.
    Populate,
    /// Reserved huge pages, by touching them.
    HugeTlb,
}

pub struct Arena {
    base: usize,
    /// Bytes mapped; the first page is the arena's own, so that there is a mapping to grow from the start.
    mapped: usize,
    /// Bytes taken, beginning after the first page.
    pub taken: usize,
    pub page: usize,
    way: Way,
    touch: Touch,
    /// Behind the mapping of a memfd.
    fd: i32,
}

impl Arena {
    /// An arena of base pages; [`Arena::become_way`] may make another one of it.
    pub fn new(page: usize) -> Result<Arena, Errno> {
        // Not touched: its page tables may come with the first step's faults, which may block anyway.
        let base = sys::map(ARENA - page, page)?;
        // SAFETY: fresh memory without content. A kernel without huge pages refuses, which is as good.
        let _ = unsafe { sys::advise(base, page, sys::MADV_NOHUGEPAGE) };
        Ok(Arena { base, mapped: page, taken: 0, page, way: Way::Touch, touch: Touch::new(pattern::WRITE), fd: -1 })
    }

    /// The empty arena, for pages that come in that way.
    pub fn become_way(mut self, way: Way, touch: Touch) -> Result<Arena, Errno> {
        (self.way, self.touch) = (way, touch);
        match way {
            // SAFETY: as in `new`.
            Way::Huge => unsafe { sys::advise(self.base, self.page, sys::MADV_HUGEPAGE) }?,
            Way::Memfd => {
                self.fd = sys::memfd()?;
                sys::truncate(self.fd, self.page)?;
                // SAFETY: nothing refers to the one page.
                unsafe { sys::unmap(self.base, self.page) };
                self.base = sys::map_shared(ARENA - self.page, self.page, self.fd)?;
            }
            // The rest of what is private has base pages for good: where huge ones are always on, khugepaged would charge one
            // on top of those it takes the place of. A kernel without huge pages refuses, which is as good.
            Way::Lock | Way::Populate => {
                let _ = sys::prctl(sys::PR_SET_THP_DISABLE, 1);
            }
            _ => {}
        }
        Ok(self)
    }

    fn unit(&self) -> usize {
        match self.way {
            Way::Huge | Way::HugeTlb => HUGE,
            _ => self.page,
        }
    }

    /// Where the next page will stand.
    fn end(&self) -> usize {
        self.base + self.page + self.taken
    }

    pub fn grow(&mut self, bytes: usize) -> Result<Taken, Errno> {
        let bytes = bytes.checked_next_multiple_of(self.unit()).ok_or(sys::ENOMEM)?;
        let wanted = self.taken.checked_add(bytes).and_then(|sum| sum.checked_add(self.page)).ok_or(sys::ENOMEM)?;
        let at = self.end();
        self.extend(at, bytes, wanted)?;
        let (got, errno) = match self.way {
            Way::Lock => match sys::lock(at, bytes) {
                Ok(()) => (bytes, 0),
                Err(errno) => (sys::present(at, bytes, self.page), errno),
            },
            Way::Populate => match sys::present(at, bytes, self.page) {
                got if got == bytes => (bytes, 0),
                got => (got, sys::ENOMEM),
            },
            _ => {
                // SAFETY: inside the mapping, and fresh.
                unsafe { self.touch.in_order(at, bytes, self.page) };
                (bytes, 0)
            }
        };
        if matches!(self.way, Way::Lock | Way::Populate) && self.touch.fills() {
            // SAFETY: inside the mapping, and fresh.
            unsafe { self.touch.all(at, got, self.page) };
        }
        self.taken += got;
        if got < bytes {
            // What was not given must not come later, unasked.
            let _ = self.cut();
        }
        Taken::end(got, errno)
    }

    /// Makes the range from `at` part of the mapping.
    fn extend(&mut self, at: usize, bytes: usize, wanted: usize) -> Result<(), Errno> {
        let kind = match self.way {
            Way::Touch | Way::Huge | Way::Memfd => {
                if wanted > self.mapped {
                    if self.fd >= 0 {
                        sys::truncate(self.fd, wanted)?;
                    }
                    // Whatever the kernel calls it (EINVAL, EFAULT when it is beyond all addresses), there is no room.
                    // SAFETY: nothing but this struct refers to the mapping.
                    self.base = unsafe { sys::remap(self.base, self.mapped, wanted) }.map_err(|_| sys::ENOMEM)?;
                    self.mapped = wanted;
                }
                return Ok(());
            }
            Way::Lock => sys::PRIVATE,
            Way::Populate => sys::PRIVATE | sys::POPULATED,
            Way::Shared => sys::SHARED,
            Way::HugeTlb => sys::PRIVATE | sys::HUGETLB,
        };
        // SAFETY: nothing else stands there: this program asks for no other place, and the kernel chooses far above.
        unsafe { sys::map_at(at, bytes, kind) }?;
        self.mapped = self.mapped.max(wanted);
        Ok(())
    }

    /// Cuts the mapping off after what is taken; where the kernel has no memory for that, it stays for the next step.
    fn cut(&mut self) -> Result<(), Errno> {
        let keep = self.page + self.taken;
        match self.way {
            Way::Touch | Way::Huge | Way::Memfd => {
                // SAFETY: nothing refers to what is cut off.
                self.base = unsafe { sys::remap(self.base, self.mapped, keep) }?;
            }
            // SAFETY: as above.
            _ => unsafe { sys::unmap(self.base + keep, self.mapped - keep) },
        }
        self.mapped = keep;
        Ok(())
    }

    pub fn shrink(&mut self, bytes: usize) -> Result<usize, Errno> {
        let bytes = bytes.min(self.taken) & !(self.unit() - 1);
        if bytes == 0 {
            return Ok(0);
        }
        let keep = self.page + self.taken - bytes;
        let advice = match self.way {
            // The pages first: that needs no memory. Cutting the mapping may need some in the kernel.
            Way::Touch | Way::Huge | Way::Populate => sys::MADV_DONTNEED,
            Way::Lock => sys::MADV_DONTNEED_LOCKED,
            Way::Shared => sys::MADV_REMOVE,
            Way::Memfd | Way::HugeTlb => 0,
        };
        match self.way {
            Way::Memfd => sys::truncate(self.fd, keep)?,
            Way::HugeTlb => {}
            // SAFETY: the content of these pages is of no use to anyone.
            _ => match unsafe { sys::advise(self.base + keep, bytes, advice) } {
                // An older kernel cannot empty what is locked; unmapping it does.
                Err(sys::EINVAL) if self.way == Way::Lock => {}
                result => result?,
            },
        }
        self.taken -= bytes;
        let _ = self.cut();
        Ok(bytes)
    }

    pub fn is_hot(&self) -> bool {
        self.touch.is_hot()
    }

    pub fn keep_hot(&self) -> bool {
        let mut at = self.base + self.page;
        while self.touch.is_hot() && at < self.end() {
            // SAFETY: taken, so mapped; volatile, or nothing would be read.
            unsafe { (at as *const u8).read_volatile() };
            at += self.page;
        }
        self.touch.is_hot()
    }
}
