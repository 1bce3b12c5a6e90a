//! Alarms: the kernel's own notifications of a group that are not OOMs, as events of a watch.

use std::fmt;
use std::os::fd::AsRawFd;
use std::str::FromStr;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::error::{Error, ErrorKind, Result};
use crate::lab::bell::{Bell, BellFd};
use crate::lab::group::Group;
use crate::memcg::version::Version;
use crate::memcg::{parse_size, v1, v2};
use crate::sys::Named;

const PRESSURE: &str = "memory.pressure";
const PRESSURE_LEVEL: &str = "memory.pressure_level";

/// A notification to be asked of the kernel.
///
/// As text, which is what the C and Python faces take: `threshold 40M`, `level medium`, `level low,hierarchy`,
/// `some 150000 1000000`, `full 50000 500000`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alarm {
    /// The usage crosses so many bytes, in either direction (v1: `cgroup.event_control` with `memory.usage_in_bytes`). The
    /// kernel looks every 128 pages or so.
    Threshold {
        /// Bytes; the kernel rounds down to whole pages.
        bytes: u64,
    },
    /// Reclaim has become as hard as that (v1: `memory.pressure_level`): `low`, `medium` or `critical`, perhaps with
    /// `,hierarchy` or `,local`.
    Level {
        /// The words after the descriptors, as the kernel takes them.
        level: String,
    },
    /// Tasks have waited for memory for so long within so long (v2: PSI, `memory.pressure`).
    Stall {
        /// All tasks that want to run, not only some.
        full: bool,
        /// Waiting time in microseconds.
        stall_usec: u64,
        /// Within so many microseconds: 500,000 to 10,000,000.
        window_usec: u64,
    },
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Alarm::Threshold { bytes } => write!(f, "threshold {bytes}"),
            Alarm::Level { level } => write!(f, "level {level}"),
            Alarm::Stall { full, stall_usec, window_usec } => {
                write!(f, "{} {stall_usec} {window_usec}", if *full { "full" } else { "some" })
            }
        }
    }
}

impl FromStr for Alarm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Alarm> {
        let wrong = || {
            Error::new(ErrorKind::InvalidInput, "read alarm", "the alarm is unknown").value(text).remedy(
                "give \"threshold SIZE\" or \"level low|medium|critical[,hierarchy|,local]\" (v1), or \"some|full STALL_USEC WINDOW_USEC\" (v2)",
            )
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["threshold", size] => Ok(Alarm::Threshold { bytes: parse_size(size)? }),
            ["level", level] => {
                let (base, mode) = level.split_once(',').unwrap_or((level, "default"));
                let known =
                    matches!(base, "low" | "medium" | "critical") && matches!(mode, "default" | "hierarchy" | "local");
                known.then(|| Alarm::Level { level: level.to_string() }).ok_or_else(wrong)
            }
            [kind @ ("some" | "full"), stall, window] => {
                let number = |word: &str| word.parse::<u64>().map_err(|_| wrong());
                Ok(Alarm::Stall { full: kind == "full", stall_usec: number(stall)?, window_usec: number(window)? })
            }
            _ => Err(wrong()),
        }
    }
}

impl Group {
    /// Asks the kernel for a notification: each time the alarm goes off, the watches of the group have an `Alarm` event. It
    /// stays set until the group or the lab ends.
    ///
    /// # Errors
    /// `Unsupported` for an alarm of the other hierarchy, or where the kernel lacks the file or PSI is off;
    /// `InvalidInput` where the kernel refuses the numbers, or for an opened group; `NotFound`, `PermissionDenied`.
    pub fn add_alarm(&self, alarm: &Alarm) -> Result<()> {
        let lab = self.lab("add alarm")?;
        let dir = self.alive("add alarm")?;
        let fd = match (alarm, self.version()) {
            (Alarm::Threshold { .. } | Alarm::Level { .. }, Version::V2) => {
                let file = if matches!(alarm, Alarm::Level { .. }) { PRESSURE_LEVEL } else { v1::USAGE };
                return Err(v2::lacks("add alarm", file, dir)
                    .value(alarm)
                    .remedy("on v2 use a stall, such as \"some 150000 1000000\""));
            }
            (Alarm::Stall { .. }, Version::V1) => {
                return Err(v1::lacks("add alarm", PRESSURE, dir)
                    .value(alarm)
                    .remedy("on v1 use \"threshold SIZE\" or \"level medium\""));
            }
            (Alarm::Threshold { bytes }, Version::V1) => self.register(v1::USAGE, &bytes.to_string())?,
            (Alarm::Level { level }, Version::V1) => self.register(PRESSURE_LEVEL, level)?,
            (Alarm::Stall { .. }, Version::V2) => {
                let file = dir.open_file(PRESSURE, OFlag::O_RDWR | OFlag::O_NONBLOCK).map_err(|error| {
                    match error.errno() {
                        Some(libc::EOPNOTSUPP) => error.with_kind(ErrorKind::Unsupported).remedy("boot with psi=1"),
                        _ => error,
                    }
                })?;
                // The kernel takes the text with its NUL.
                nix::unistd::write(&file, format!("{alarm}\0").as_bytes()).map_err(|errno| {
                    let error = Error::os("add alarm", errno).path(dir.path().join(PRESSURE)).value(alarm);
                    match errno {
                        Errno::EINVAL => error.remedy(
                            "the window must be 500000 to 10000000 (without CAP_SYS_RESOURCE whole multiples of 2000000), and the stall at most the window",
                        ),
                        Errno::EOPNOTSUPP => error.with_kind(ErrorKind::Unsupported).remedy("boot with psi=1"),
                        _ => error,
                    }
                })?;
                BellFd::File(file)
            }
        };
        lab.hub.add_bell(Bell { group: self.0.cgroup.clone(), text: alarm.to_string(), fd })?;
        self.note_setting("alarm", &alarm.to_string());
        Ok(())
    }

    /// Registers an eventfd with a v1 file.
    fn register(&self, file: &str, argument: &str) -> Result<BellFd> {
        let dir = &self.0.dir;
        let failed = |errno: std::io::Error| Error::os("add alarm", errno).path(dir.path().join(file)).value(argument);
        let event =
            EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).named("eventfd2").map_err(failed)?;
        let control = dir.open_file(file, OFlag::O_RDONLY)?;
        dir.write("cgroup.event_control", &format!("{} {} {argument}", event.as_raw_fd(), control.as_raw_fd()))?;
        Ok(BellFd::Event(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_read_and_written_alike() {
        for (text, alarm) in [
            ("threshold 4096", Alarm::Threshold { bytes: 4096 }),
            ("level critical,hierarchy", Alarm::Level { level: "critical,hierarchy".to_string() }),
            ("some 150000 1000000", Alarm::Stall { full: false, stall_usec: 150_000, window_usec: 1_000_000 }),
            ("full 1 500000", Alarm::Stall { full: true, stall_usec: 1, window_usec: 500_000 }),
        ] {
            assert_eq!(text.parse::<Alarm>().unwrap(), alarm);
            assert_eq!(alarm.to_string(), text);
        }
        assert_eq!("threshold 40M".parse::<Alarm>().unwrap(), Alarm::Threshold { bytes: 40 << 20 });
        for text in ["", "threshold", "threshold 1xx", "level high", "level low,far", "some 1", "some a b", "most 1 2"]
        {
            assert_eq!(text.parse::<Alarm>().unwrap_err().kind(), ErrorKind::InvalidInput, "{text}");
        }
    }
}
