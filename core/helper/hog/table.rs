//! A table of descriptors or processes, in memory of its own that is there from the start.

use crate::sys::{self, Errno};

/// One thing that a hog holds: two numbers that name it, and its bytes.
#[derive(Clone, Copy)]
pub struct Entry {
    pub ends: [i32; 2],
    pub bytes: usize,
}

/// As many as fit into four pages.
pub struct Table {
    at: *mut Entry,
    count: usize,
    most: usize,
}

impl Table {
    pub fn open(page: usize) -> Result<Table, Errno> {
        let bytes = 4 * page;
        let at = sys::map(0, bytes)?;
        let mut touched = 0;
        while touched < bytes {
            // SAFETY: inside the fresh mapping.
            unsafe { ((at + touched) as *mut u8).write_volatile(0) };
            touched += page;
        }
        Ok(Table { at: at as *mut Entry, count: 0, most: bytes / core::mem::size_of::<Entry>() })
    }

    pub fn is_full(&self) -> bool {
        self.count == self.most
    }

    /// Adds one; there must be room.
    pub fn push(&mut self, entry: Entry) {
        if self.count < self.most {
            // SAFETY: below the end of the mapping, which is ours alone.
            unsafe { self.at.add(self.count).write(entry) };
            self.count += 1;
        }
    }

    /// The newest.
    pub fn last(&mut self) -> Option<&mut Entry> {
        // SAFETY: written before, and borrowed with the table.
        (self.count > 0).then(|| unsafe { &mut *self.at.add(self.count - 1) })
    }

    /// Takes out the first that is looked for; the newest moves to its place.
    pub fn remove(&mut self, wanted: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let mut index = 0;
        while index < self.count {
            // SAFETY: written before, as all below the count.
            let entry = unsafe { self.at.add(index).read() };
            if wanted(&entry) {
                self.count -= 1;
                // SAFETY: as above.
                unsafe { self.at.add(index).write(self.at.add(self.count).read()) };
                return Some(entry);
            }
            index += 1;
        }
        None
    }

    /// Forgets the newest.
    pub fn pop(&mut self) {
        self.count = self.count.saturating_sub(1);
    }
}
