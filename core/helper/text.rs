//! Numbers to decimal text and back, and file contents read and written in one go.

use crate::sys::{self, Errno};
use core::ffi::CStr;

/// A number as NUL-terminated decimal text.
pub struct Decimal {
    bytes: [u8; 24],
    start: usize,
}

impl Decimal {
    pub fn new(value: i64) -> Decimal {
        let mut decimal = Decimal { bytes: [0; 24], start: 23 };
        let mut rest = value.unsigned_abs();
        loop {
            decimal.push(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            decimal.push(b'-');
        }
        decimal
    }

    fn push(&mut self, byte: u8) {
        self.start -= 1;
        self.bytes[self.start] = byte;
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..23]
    }
}

/// The number at the start of the text.
pub fn number(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut value: Option<i64> = None;
    for &byte in digits {
        if !byte.is_ascii_digit() {
            break;
        }
        value = Some(value.unwrap_or(0).checked_mul(10)?.checked_add((byte - b'0') as i64)?);
    }
    value.map(|value| if negative { -value } else { value })
}

/// Writes a small kernel file below a directory.
pub fn write_file(directory: i32, name: &CStr, content: &[u8]) -> Result<(), Errno> {
    let fd = sys::open_inside(directory, name, sys::O_WRONLY)?;
    let result = sys::write(fd, content);
    sys::close(fd);
    result.map(drop)
}

/// Reads the start of a small kernel file.
pub fn read_file<'a>(directory: i32, name: &CStr, to: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let fd = sys::openat(directory, name, sys::O_RDONLY)?;
    let result = sys::read(fd, to);
    sys::close(fd);
    Ok(&to[..result?])
}
