//! Messages as bytes: little-endian numbers and short texts, every read checked.

use super::{MOST, MOST_NAME};

/// A message being written.
pub(crate) struct Writer {
    bytes: [u8; MOST],
    len: usize,
}

impl Writer {
    pub(super) fn new(kind: u32) -> Writer {
        let mut writer = Writer { bytes: [0; MOST], len: 0 };
        writer.u32(kind);
        writer
    }

    // Every message has a fixed greatest length below MOST (a test encodes the longest), so nothing is ever cut.
    pub(super) fn put(&mut self, bytes: &[u8]) -> &mut Writer {
        if let Some(to) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            to.copy_from_slice(bytes);
            self.len += bytes.len();
        }
        self
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Writer {
        self.put(&value.to_le_bytes())
    }

    pub(super) fn i32(&mut self, value: i32) -> &mut Writer {
        self.put(&value.to_le_bytes())
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Writer {
        self.put(&value.to_le_bytes())
    }

    pub(super) fn text(&mut self, text: &[u8]) -> &mut Writer {
        let text = text.get(..MOST_NAME).unwrap_or(text);
        self.u32(text.len() as u32);
        self.put(text)
    }

    /// The finished message.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

/// A message being read; every getter is `None` past the end.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        if count > self.rest.len() {
            return None;
        }
        let (head, tail) = self.rest.split_at(count);
        self.rest = tail;
        Some(head)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        Some(i32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()? as usize;
        if len > MOST_NAME {
            return None;
        }
        self.take(len)
    }

    pub(super) fn end(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
}
