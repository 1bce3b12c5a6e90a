//! Bytes as text, written the way the kernel writes them in /dev/kmsg.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serializer};

/// /proc/PID/stat: the name of the process, and its fields from the third on. The name may hold `)` and blanks, so the
/// fields are counted from its last `)`.
pub(crate) fn stat_fields(stat: &[u8]) -> Option<(&[u8], Vec<&str>)> {
    let open = stat.iter().position(|&byte| byte == b'(')?;
    let close = stat.iter().rposition(|&byte| byte == b')').filter(|close| *close > open)?;
    let fields = std::str::from_utf8(&stat[close + 1..]).ok()?.split_ascii_whitespace().collect();
    Some((&stat[open + 1..close], fields))
}

/// Bytes as all documents and messages of memoom show them, which is as the kernel does in /dev/kmsg: every byte below
/// 0x20, from 0x7f up, and the backslash becomes `\xNN`; the rest stays. [`unescape`] is the way back.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    escape_into(&mut text, bytes);
    text
}

/// The same at the end of a text.
pub(crate) fn escape_into(text: &mut String, bytes: &[u8]) {
    use std::fmt::Write;
    let is_plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'\\';
    // Nearly all that the kernel prints stays as it is.
    let all = bytes.iter().fold(true, |all, &byte| all & is_plain(byte));
    if let Some(plain) = std::str::from_utf8(bytes).ok().filter(|_| all) {
        text.push_str(plain);
        return;
    }
    for &byte in bytes {
        if is_plain(byte) {
            text.push(byte as char);
        } else {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
}

/// A process as it stands in a text. A pid of 0 is one that nobody knows here: inside a pid namespace the kernel's reports
/// have those of outside.
pub(crate) fn named(comm: &[u8], pid: i32) -> String {
    match (comm.is_empty(), pid) {
        (true, 0) => "a process of unknown pid".to_string(),
        (true, _) => format!("pid {pid}"),
        (false, 0) => format!("{} (pid unknown)", escape(comm)),
        (false, _) => format!("{} (pid {pid})", escape(comm)),
    }
}

/// A path as it stands in a text: [`escape`]d.
pub(crate) fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_bytes())
}

/// The bytes that a text of [`escape`] stands for. What is no `\xNN` is left as it is, so no text is an error.
pub fn unescape(text: &str) -> Vec<u8> {
    unescape_bytes(text.as_bytes())
}

/// The same of bytes: undoes `\xNN`; any other backslash stays, because the kernel never writes one alone.
pub(crate) fn unescape_bytes(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        match rest {
            [b'\\', b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                plain.push(nibble(*high) << 4 | nibble(*low));
                rest = tail;
            }
            _ => {
                plain.push(first);
                rest = tail;
            }
        }
    }
    plain
}

/// The number of a hexadecimal digit.
pub(crate) fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10) & 0xf,
    }
}

/// For `#[serde(serialize_with = "crate::text::bytes")]`: bytes as an escaped JSON string.
pub(crate) fn bytes<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&escape(bytes))
}

/// The same for bytes that may be missing (null).
pub(crate) fn maybe_bytes<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => to.serialize_str(&escape(bytes)),
        None => to.serialize_none(),
    }
}

/// The way back of [`bytes`](fn@bytes).
pub(crate) fn from_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    Ok(unescape(&String::deserialize(from)?))
}

/// The same for bytes that may be missing.
pub(crate) fn maybe_from_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(|text| unescape(&text)))
}

/// For a path: its bytes, escaped.
pub(crate) fn path<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    bytes(path.as_os_str().as_bytes(), to)
}

/// The same for a path that may be missing (null).
pub(crate) fn maybe_path<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => bytes(path.as_os_str().as_bytes(), to),
        None => to.serialize_none(),
    }
}

/// One of our documents as JSON. They hold nothing that JSON cannot (keys are text, numbers are finite).
pub(crate) fn json<T: serde::Serialize>(document: &T) -> String {
    serde_json::to_string(document).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}

/// Undoes `\ooo`, by which mountinfo writes blank, tab, newline and backslash.
pub(crate) fn unescape_octal(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|digits| first == b'\\' && digits.iter().all(|d| (b'0'..b'8').contains(d)));
        if let Some(digits) = digits {
            bytes.push(digits.iter().fold(0u8, |sum, digit| sum.wrapping_mul(8).wrapping_add(digit - b'0')));
            rest = &tail[3..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{escape, named, unescape};

    #[test]
    fn a_pid_that_nobody_knows_is_no_number() {
        assert_eq!(named(b"a", 7), "a (pid 7)");
        assert_eq!(named(b"", 7), "pid 7");
        assert_eq!(named(b"a", 0), "a (pid unknown)");
        assert_eq!(named(b"", 0), "a process of unknown pid");
    }

    #[test]
    fn control_characters_backslash_and_high_bytes_are_escaped() {
        assert_eq!(escape(b"a b)\n\\\xc3\xa9\x7f\t~"), "a b)\\x0a\\x5c\\xc3\\xa9\\x7f\\x09~");
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).chain(*b"\\x41 \\x4 \\").collect();
        assert_eq!(unescape(&escape(&all)), all);
        assert_eq!(unescape("\\x4g\\"), b"\\x4g\\");
    }
}
