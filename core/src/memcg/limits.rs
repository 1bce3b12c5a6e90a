//! Sizes and limits: what a user types, what the kernel reads, and the settings of a new group.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};

/// A limit of a group: a number of bytes, or none.
///
/// `max` is the v2 word for "no limit"; on v1 it is written as `-1`. A limit of 0 bytes is a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Limit {
    /// At most so many bytes; the kernel rounds down to whole pages.
    Bytes(u64),
    /// No limit.
    Max,
}

impl Limit {
    /// The bytes, or `None` where there is no limit.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Limit::Bytes(bytes) => Some(bytes),
            Limit::Max => None,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Bytes(bytes) => write!(f, "{bytes}"),
            Limit::Max => f.write_str("max"),
        }
    }
}

impl FromStr for Limit {
    type Err = Error;

    /// Reads `max`, or a size as [`parse_size`] does.
    fn from_str(text: &str) -> Result<Limit> {
        match text.trim() {
            "max" => Ok(Limit::Max),
            size => parse_size(size).map(Limit::Bytes),
        }
    }
}

impl Serialize for Limit {
    /// The bytes, or null for "no limit".
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        self.bytes().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Limit, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map_or(Limit::Max, Limit::Bytes))
    }
}

/// Reads a size as the kernel does (`memparse` in lib/cmdline.c): a whole number, then perhaps one of
/// K, M, G, T, P, E (either case), each 2¹⁰ times the one before. `"80M"` is 80·2²⁰ bytes.
///
/// # Errors
/// `InvalidInput` for anything else: signs, fractions, other suffixes (`MB`, `MiB`), more than 2⁶⁴-1.
pub fn parse_size(text: &str) -> Result<u64> {
    let wrong = |why: &'static str| {
        Err(Error::new(ErrorKind::InvalidInput, "read size", why)
            .value(text)
            .remedy("give bytes, or a number with one of K, M, G, T, P, E (powers of 1024), such as 80M"))
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = text.split_at(digits);
    if number.is_empty() {
        return wrong(if text.is_empty() { "the size is empty" } else { "a size begins with a digit" });
    }
    let shift = match suffix {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        "T" | "t" => 40,
        "P" | "p" => 50,
        "E" | "e" => 60,
        _ => return wrong("the size suffix is unknown"),
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift)) {
        Some(bytes) => Ok(bytes),
        None => wrong("the size does not fit into 64 bits"),
    }
}

/// A number of bytes the way a person reads it: whole units where it is whole, else one decimal.
pub(crate) fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    let unit = (0..UNITS.len()).rev().find(|&unit| bytes >> (10 * unit) > 0).unwrap_or(0);
    let one = 1u64 << (10 * unit);
    if bytes % one == 0 {
        format!("{}{}", bytes / one, UNITS[unit])
    } else {
        let tenths = bytes / one * 10 + (bytes % one * 10 + one / 2) / one;
        format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// The settings of a new group. `None` leaves the kernel's own setting alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The hard limit: `memory.limit_in_bytes` (v1), `memory.max` (v2).
    pub limit: Option<Limit>,
    /// Swap that the group may use beyond its memory: `memory.memsw.limit_in_bytes` = limit + swap and, for 0,
    /// `memory.swappiness` 0 (v1); `memory.swap.max` (v2). 0 unless said otherwise, so that an OOM comes at the
    /// limit and nowhere else.
    pub swap: Option<Limit>,
    /// The throttling limit `memory.high` (v2 only).
    pub high: Option<Limit>,
    /// `memory.oom.group` (v2 only): an OOM kill takes every process of the group.
    pub oom_group: Option<bool>,
    /// The OOM killer of the group (v1 only): `false` writes 1 to `memory.oom_control` (`oom_kill_disable`),
    /// so that a process at the limit waits instead of being killed.
    pub oom_killer: Option<bool>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { limit: None, swap: Some(Limit::Bytes(0)), high: None, oom_group: None, oom_killer: None }
    }
}

impl Limits {
    /// Only a hard limit of so many bytes, swap kept out.
    pub fn bytes(limit: u64) -> Limits {
        Limits { limit: Some(Limit::Bytes(limit)), ..Limits::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_the_kernel_reads_them() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("80M", 80 << 20),
            ("80m", 80 << 20),
            ("1G", 1 << 30),
            ("3k", 3072),
            ("2T", 2 << 40),
        ] {
            assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
        }
        assert_eq!(parse_size("18446744073709551615").unwrap(), u64::MAX);
        assert_eq!("max".parse::<Limit>().unwrap(), Limit::Max);
        assert_eq!("0".parse::<Limit>().unwrap(), Limit::Bytes(0));
    }

    #[test]
    fn what_is_not_a_size_is_refused_with_the_value_and_the_remedy() {
        for text in ["", "M", "-1", "1.5G", "80MB", "80MiB", "80 M", "0x10", "18446744073709551616", "16E", "80X"] {
            let error = parse_size(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
            assert!(error.to_string().contains("remedy: give bytes"), "{error}");
            assert!(error.to_string().contains(&format!("(value {text})")), "{error}");
        }
        assert!(parse_size("80MB").unwrap_err().to_string().contains("suffix is unknown"));
    }

    #[test]
    fn sizes_are_shown_in_the_unit_that_fits() {
        for (bytes, text) in [(0, "0"), (80 << 20, "80M"), (1536, "1.5K"), (1000, "1000"), (u64::MAX, "16.0E")] {
            assert_eq!(human_size(bytes), text);
        }
    }
}
