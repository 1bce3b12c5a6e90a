//! Kernel objects: empty files in a tmpfs, each an inode and a dentry that nothing can reclaim while the file is there.

use super::Taken;
use crate::sys::{self, Errno};
use core::ffi::CStr;

pub struct Names {
    count: usize,
    /// What the kernel takes for one, by its own word to the host.
    each: usize,
}

impl Names {
    pub fn open(each: usize) -> Result<Names, Errno> {
        if each == 0 {
            return Err(sys::EINVAL);
        }
        Ok(Names { count: 0, each })
    }

    pub fn taken(&self) -> usize {
        self.count * self.each
    }

    pub fn grow(&mut self, bytes: usize) -> Result<Taken, Errno> {
        let wanted = self.count.checked_add(bytes.div_ceil(self.each)).ok_or(sys::ENOMEM)?;
        let before = self.count;
        let mut errno = 0;
        while self.count < wanted && errno == 0 {
            match name(self.count, sys::make_file) {
                Ok(()) => self.count += 1,
                Err(sys::EINTR) => {}
                Err(failed) => errno = failed,
            }
        }
        Taken::end((self.count - before) * self.each, errno)
    }

    pub fn shrink(&mut self, bytes: usize) -> Result<usize, Errno> {
        let keep = self.count - (bytes / self.each).min(self.count);
        let before = self.count;
        while self.count > keep {
            name(self.count - 1, sys::unlink)?;
            self.count -= 1;
        }
        Ok((before - self.count) * self.each)
    }
}

/// Hands on the name of the file of that number: sixteen letters.
fn name(number: usize, to: fn(&CStr) -> Result<(), Errno>) -> Result<(), Errno> {
    let mut text = [0u8; 17];
    let mut place = 0;
    while place < 16 {
        text[place] = b'a' + (number >> (4 * (15 - place)) & 0xf) as u8;
        place += 1;
    }
    to(CStr::from_bytes_until_nul(&text).unwrap_or(c"x"))
}
