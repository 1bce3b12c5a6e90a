//! How long the processes of a group wait for memory (PSI).

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::Group;
use crate::memcg::files::missing;
use crate::memcg::v1;
use crate::memcg::version::Version;

const PRESSURE: &str = "memory.pressure";

/// How long tasks of a group have waited for memory (PSI): `memory.pressure` of v2, from 4.20.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Pressure {
    /// While at least one task of the group waited.
    pub some: Stall,
    /// While all tasks of the group that wanted to run waited.
    pub full: Stall,
}

/// One line of a pressure file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stall {
    /// Share of the last 10 seconds, in percent.
    pub avg10: f64,
    /// Share of the last minute, in percent.
    pub avg60: f64,
    /// Share of the last 5 minutes, in percent.
    pub avg300: f64,
    /// All the time so far, in microseconds.
    pub total_usec: u64,
}

impl Pressure {
    /// The numbers as one JSON object on one line.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }
}

impl Group {
    /// How long tasks of the group have waited for memory: `memory.pressure` (v2).
    ///
    /// # Errors
    /// `Unsupported` on v1, and where the kernel has no PSI or it is off (boot option `psi=1`); `Io` where the file lacks a
    /// number, which is then not taken for 0.
    pub fn pressure(&self) -> Result<Pressure> {
        let dir = self.alive("read pressure")?;
        if self.0.version == Version::V1 {
            return Err(v1::lacks("read pressure", PRESSURE, dir));
        }
        let text = dir.read(PRESSURE).map_err(|error| match error.errno() {
            Some(libc::EOPNOTSUPP) => error.with_kind(ErrorKind::Unsupported).remedy("boot with psi=1"),
            _ => error,
        })?;
        let text = text.ok_or_else(|| missing("read pressure", dir, PRESSURE).remedy("boot with psi=1"))?;
        parse_pressure(&text).map_err(|lacks| {
            Error::new(ErrorKind::Io, "read pressure", "the file does not hold such a number")
                .path(dir.path().join(PRESSURE))
                .value(lacks)
        })
    }
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and the same with `full`; else which of them it lacks.
pub(crate) fn parse_pressure(text: &str) -> std::result::Result<Pressure, &'static str> {
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let some = line("some").ok_or("some").and_then(parse_stall)?;
    let full = line("full").ok_or("full").and_then(parse_stall)?;
    Ok(Pressure { some, full })
}

/// One line, without its name.
fn parse_stall(line: &str) -> std::result::Result<Stall, &'static str> {
    let value = |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    Ok(Stall {
        avg10: value("avg10").and_then(share).ok_or("avg10")?,
        avg60: value("avg60").and_then(share).ok_or("avg60")?,
        avg300: value("avg300").and_then(share).ok_or("avg300")?,
        total_usec: value("total").and_then(|total| total.parse().ok()).ok_or("total")?,
    })
}

/// A share in percent, which the kernel always writes with two decimals.
fn share(text: &str) -> Option<f64> {
    let (whole, hundredths) = text.split_once('.').filter(|(_, decimals)| decimals.len() == 2)?;
    let (whole, hundredths) = (whole.parse::<u64>().ok()?, hundredths.parse::<u64>().ok()?);
    Some(whole.checked_mul(100)?.checked_add(hundredths)? as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_of_a_kernel_and_of_a_later_one() {
        let text = "some avg10=1.50 avg60=2.25 avg300=3.00 total=400\nfull avg10=0.10 avg60=0.20 avg300=0.30 total=5 new=1\nother avg10=9\n";
        let pressure = parse_pressure(text).unwrap();
        assert_eq!(pressure.some, Stall { avg10: 1.5, avg60: 2.25, avg300: 3.0, total_usec: 400 });
        assert_eq!(pressure.full, Stall { avg10: 0.1, avg60: 0.2, avg300: 0.3, total_usec: 5 });
    }

    #[test]
    fn what_a_file_lacks_is_not_taken_for_0() {
        let whole =
            "some avg10=1.50 avg60=2.25 avg300=3.00 total=400\nfull avg10=0.10 avg60=0.20 avg300=0.30 total=5\n";
        assert!(parse_pressure(whole).is_ok());
        for (text, lacks) in [
            (String::new(), "some"),
            (whole.replace("full", "more"), "full"),
            (whole.replace("total=5", "total="), "total"),
            (whole.replace("avg60=0.20 ", ""), "avg60"),
            // What does not fit into 64 bits is no share.
            (whole.replace("avg10=1.50", "avg10=184467440737095516.99"), "avg10"),
        ] {
            assert_eq!(parse_pressure(&text), Err(lacks), "{text}");
        }
    }
}
