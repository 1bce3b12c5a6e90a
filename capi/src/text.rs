//! Texts on their way to C: what a getter can point to.

use std::ffi::{c_char, CString};
use std::ptr;
use std::sync::OnceLock;

pub(crate) use memoom::escape;

/// Bytes as a C string. A NUL inside, which C could not see past, is written `\x00`.
pub(crate) fn text(bytes: impl AsRef<[u8]>) -> CString {
    shown(bytes.as_ref())
}

fn shown(bytes: &[u8]) -> CString {
    let mut shown = Vec::with_capacity(bytes.len() + 1);
    for &byte in bytes {
        match byte {
            0 => shown.extend_from_slice(b"\\x00"),
            byte => shown.push(byte),
        }
    }
    CString::new(shown).unwrap_or_default()
}

/// A text that is made when it is first asked for, and stays.
pub(crate) fn kept(text: &OnceLock<CString>, make: &dyn Fn() -> String) -> *const c_char {
    text.get_or_init(|| shown(make().as_bytes())).as_ptr()
}

pub(crate) fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(ptr::null(), |text| text.as_ptr())
}
