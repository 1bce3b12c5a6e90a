//! The kernel log as `/dev/kmsg` gives it: the format of one record, and a reader that starts at the end.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind as IoKind, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sys::room::{self, Made};
use crate::text::unescape_bytes;
use crate::{Error, ErrorKind, Result};

/// One record of `/dev/kmsg`: `priority,sequence,time,flag[,caller=..];text`.
///
/// The format is described in the kernel's Documentation/ABI/testing/dev-kmsg (since 3.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// The raw priority: facility times 8 plus level.
    pub priority: u32,
    /// The record's number; it grows by one with every record of the machine.
    pub sequence: u64,
    /// The kernel's local clock, in microseconds since boot (close to `CLOCK_MONOTONIC`, not equal to it).
    pub time_usec: u64,
    /// Whether the record is a fragment of a line that could not be kept whole (flag `c`, before 4.9 also `+`).
    pub continuation: bool,
    /// Who wrote it, `T<thread>` or `C<cpu>`; only where the kernel has `CONFIG_PRINTK_CALLER`.
    pub caller: Option<String>,
    /// The text, its `\xNN` escapes undone: the bytes that were printed.
    #[serde(serialize_with = "crate::text::bytes", deserialize_with = "crate::text::from_bytes")]
    pub text: Vec<u8>,
}

impl Record {
    /// Reads one record; lines after the first (` KEY=VALUE`) are left out. `None` when it is not a record.
    pub fn parse(bytes: &[u8]) -> Option<Record> {
        let line = bytes.split(|&byte| byte == b'\n').next()?;
        let raw = RawRecord::parse(line)?;
        Some(Record {
            priority: raw.priority,
            sequence: raw.sequence,
            time_usec: raw.time_usec,
            continuation: raw.continuation,
            caller: raw.caller.map(|caller| String::from_utf8_lossy(caller).into_owned()),
            text: unescape_bytes(raw.text),
        })
    }

    /// Who logs: 0 is the kernel; userspace that writes to `/dev/kmsg` cannot use 0.
    pub fn facility(&self) -> u32 {
        self.priority >> 3
    }

    /// How grave it is: 0 (emergency) to 7 (debug).
    pub fn level(&self) -> u8 {
        (self.priority & 7) as u8
    }
}

/// The fields of a record, borrowed; the text is still escaped.
pub(crate) struct RawRecord<'a> {
    pub(crate) priority: u32,
    pub(crate) sequence: u64,
    pub(crate) time_usec: u64,
    pub(crate) continuation: bool,
    pub(crate) caller: Option<&'a [u8]>,
    pub(crate) text: &'a [u8],
}

impl<'a> RawRecord<'a> {
    /// Reads the first line of a record. Unknown fields before the `;` are skipped, as the ABI document asks.
    pub(crate) fn parse(line: &'a [u8]) -> Option<RawRecord<'a>> {
        let (priority, rest) = field(line)?;
        let (sequence, rest) = field(rest)?;
        let (time_usec, rest) = field(rest)?;
        // Nearly every record has a flag and nothing behind it.
        if let [flag @ (b'-' | b'c' | b'+'), b';', text @ ..] = rest {
            let continuation = *flag != b'-';
            let priority = u32::try_from(priority).ok()?;
            return Some(RawRecord { priority, sequence, time_usec, continuation, caller: None, text });
        }
        // The header is short; a limit keeps a long line without `;` from being searched whole.
        let most = rest.len().min(256usize.saturating_sub(line.len() - rest.len()));
        let end = memchr::memchr(b';', &rest[..most])?;
        let mut fields = rest[..end].split(|&byte| byte == b',');
        let flag = fields.next()?;
        let caller = fields.find_map(|field| field.strip_prefix(b"caller="));
        Some(RawRecord {
            priority: u32::try_from(priority).ok()?,
            sequence,
            time_usec,
            continuation: matches!(flag, b"c" | b"+"),
            caller,
            text: &rest[end + 1..],
        })
    }
}

/// A number and what follows the comma behind it.
fn field(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            // So many digits always fit.
            b'0'..=b'9' if at < 19 => value = value * 10 + u64::from(byte - b'0'),
            b'0'..=b'9' => value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?,
            b',' if at > 0 => return Some((value, &text[at + 1..])),
            _ => return None,
        }
    }
    None
}

/// What one read of the kernel log gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// The next record.
    Record(Record),
    /// So many records were overwritten before they could be read; 0 when their number cannot be known.
    Lost(u64),
}

/// An open `/dev/kmsg` that gives the records written after it was opened, and never blocks.
#[derive(Debug)]
pub(crate) struct KernelLog {
    file: File,
    path: PathBuf,
    buffer: Box<[u8]>,
    order: Order,
    /// The record behind a gap that was reported first.
    held: Option<Record>,
}

/// Larger than the longest record that any kernel writes (8192 with its header); a record that does not fit is lost.
const BUFFER: usize = 16 * 1024;

impl KernelLog {
    /// Opens `/dev/kmsg` behind its last record.
    ///
    /// # Errors
    /// `PermissionDenied` when kernel.dmesg_restrict or a container forbids it, `NotFound` when there is no such
    /// device, `Unsupported` when it is another file.
    pub(crate) fn open() -> Result<KernelLog> {
        let log = KernelLog::open_at(Path::new("/dev/kmsg"))?;
        // Containers mount something else over it, mostly /dev/null, which never says anything.
        let stat = nix::sys::stat::fstat(&log.file).map_err(|errno| Error::os("open the kernel log", errno))?;
        if stat.st_rdev != nix::sys::stat::makedev(1, 11) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "open the kernel log",
                "it is another file than the kernel's log",
            )
            .path(&log.path)
            .remedy("give the container the machine's own /dev/kmsg"));
        }
        Ok(log)
    }

    /// The same for another path: tests put something else there.
    pub(crate) fn open_at(path: &Path) -> Result<KernelLog> {
        let explain = |error: std::io::Error| {
            let kind = error.kind();
            let error = Error::os("open the kernel log", error).path(path);
            match kind {
                IoKind::PermissionDenied => error.remedy(
                    "run with CAP_SYSLOG (root outside a container has it), or set kernel.dmesg_restrict to 0; \
                     the boot option printk.devkmsg=off also forbids it",
                ),
                IoKind::NotFound => error.remedy("give the container the device /dev/kmsg"),
                _ => error,
            }
        };
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open(path)
            .map_err(explain)?;
        file.seek(SeekFrom::End(0)).map_err(explain)?;
        Ok(KernelLog {
            file,
            path: path.to_path_buf(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            order: Order::default(),
            held: None,
        })
    }

    /// For poll: readable when a record is there, also with POLLERR and POLLPRI after an overrun.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The next record or gap; `None` when there is none yet.
    ///
    /// # Errors
    /// `Io` for a failure of the device other than an overrun, which is an [`Item::Lost`].
    pub(crate) fn read(&mut self) -> Result<Option<Item>> {
        if let Some(record) = self.held.take() {
            return Ok(Some(Item::Record(record)));
        }
        loop {
            match self.file.read(&mut self.buffer) {
                Ok(0) => return Ok(None),
                Ok(length) => {
                    // A record that is not understood must not stop the ones behind it.
                    let Some(record) = Record::parse(&self.buffer[..length]) else { continue };
                    return Ok(Some(match self.order.admit(record.sequence) {
                        Some(lost) => {
                            self.held = Some(record);
                            Item::Lost(lost)
                        }
                        None => Item::Record(record),
                    }));
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return Ok(None),
                    Some(libc::EINTR) => {}
                    // The ring overran the reader; the next read goes on at the oldest record.
                    Some(libc::EPIPE) => self.order.overrun = true,
                    // The record was longer than the buffer and is gone; the gap shows in the next number.
                    Some(libc::EINVAL) => self.order.overrun = true,
                    _ => return Err(Error::os("read the kernel log", error).path(&self.path)),
                },
            }
        }
    }
}

/// Whether a report of an OOM begins with that line.
pub(crate) fn begins_report(text: &[u8]) -> bool {
    text.windows(REPORT_BEGINS.len()).any(|window| window == REPORT_BEGINS)
}

const REPORT_BEGINS: &[u8] = b" invoked oom-killer: ";

/// When each report began that the log still holds, in microseconds of its clock.
///
/// # Errors
/// As [`KernelLog::open`]; `Io` where the device cannot be read.
pub(crate) fn reports_begun() -> Result<Vec<u64>> {
    let mut log = KernelLog::open()?;
    log.file.seek(SeekFrom::Start(0)).map_err(|error| Error::os("read the kernel log", error).path(&log.path))?;
    let mut times_usec = Vec::new();
    while let Some(item) = log.read()? {
        match item {
            Item::Record(record) if record.facility() == 0 && begins_report(&record.text) => {
                times_usec.push(record.time_usec);
            }
            _ => {}
        }
    }
    Ok(times_usec)
}

/// After so many records it is looked whether there is room for more; they are small together.
const LOOKS: usize = 64;

/// All records that the kernel log still has, oldest first, and how many were overwritten while it was read.
///
/// # Errors
/// As [`KernelLog::open`]; `Io` where the device cannot be read.
pub(crate) fn whole_log() -> Result<(Vec<Record>, u64)> {
    let mut log = KernelLog::open()?;
    log.file.seek(SeekFrom::Start(0)).map_err(|error| Error::os("read the kernel log", error).path(&log.path))?;
    let (mut records, mut lost) = (Vec::new(), 0);
    let refused = |source: std::io::Error| Error::os("read the kernel log", source).path("/dev/kmsg");
    while let Some(item) = log.read()? {
        if records.len() % LOOKS == 0 {
            room::left_to_make(Made::Lines, records.len() * size_of::<Record>()).map_err(refused)?;
        }
        match item {
            Item::Record(record) => records.push(record),
            Item::Lost(count) => lost += count,
        }
    }
    Ok((records, lost))
}

/// The sequence numbers seen so far: tells how many records are missing in front of one.
#[derive(Debug, Default)]
struct Order {
    expected: Option<u64>,
    overrun: bool,
}

impl Order {
    /// Takes the number of the next record; `Some` when records before it were lost.
    fn admit(&mut self, sequence: u64) -> Option<u64> {
        let gap = self.expected.map(|expected| sequence.saturating_sub(expected));
        let overrun = std::mem::take(&mut self.overrun);
        self.expected = Some(sequence.saturating_add(1));
        match gap {
            Some(0) => None,
            Some(lost) => Some(lost),
            None => overrun.then_some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use std::io::Write;
    use std::time::{Duration, Instant};

    #[test]
    fn a_record_with_caller_escapes_and_dictionary() {
        let record = Record::parse(b"6,339,5140900,-,caller=T1;a\\x5cb\\x0a\\xc3\\xa9 c;d\n SUBSYSTEM=pci\n").unwrap();
        assert_eq!((record.facility(), record.level(), record.sequence, record.time_usec), (0, 6, 339, 5140900));
        assert_eq!(record.caller.as_deref(), Some("T1"));
        assert_eq!(record.text, b"a\\b\n\xc3\xa9 c;d");
        assert!(!record.continuation);
    }

    #[test]
    fn facility_flags_and_unknown_fields() {
        let record = Record::parse(b"14,353,1292792,c,future=1;").unwrap();
        assert_eq!((record.facility(), record.level(), record.continuation), (1, 6, true));
        assert_eq!(record.text, b"");
    }

    #[test]
    fn what_is_not_a_record() {
        for bytes in [&b""[..], b"x", b"1,2,3;x", b"1,2,3,-", b",,,;", b"-1,2,3,-;x", b"99999999999999999999,1,1,-;"] {
            assert_eq!(Record::parse(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn gaps_are_counted() {
        let mut order = Order::default();
        assert_eq!(order.admit(10), None);
        assert_eq!(order.admit(11), None);
        assert_eq!(order.admit(20), Some(8));
        order.overrun = true;
        assert_eq!(order.admit(21), None, "an overrun that lost nothing of ours");
        let mut fresh = Order { overrun: true, ..Order::default() };
        assert_eq!(fresh.admit(7), Some(0));
    }

    #[test]
    fn no_device_is_an_error_with_a_remedy() {
        let error = KernelLog::open_at(Path::new("/nonexistent/kmsg")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("remedy"), "{error}");
    }

    #[test]
    fn a_record_written_after_opening_is_read() {
        let mut log = match KernelLog::open() {
            Ok(log) => log,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound), "{error}");
                assert!(error.to_string().contains("remedy"), "{error}");
                return;
            }
        };
        let marker = format!("memoom-test {}", std::process::id());
        let Ok(mut device) = OpenOptions::new().write(true).open("/dev/kmsg") else { return };
        if device.write_all(format!("<12>{marker} \x1b\\\n").as_bytes()).is_err() {
            return;
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            match log.read().unwrap() {
                Some(Item::Record(record)) if record.text.starts_with(marker.as_bytes()) => {
                    assert_eq!(record.priority, 12);
                    assert!(record.text.ends_with(b" \x1b\\"));
                    return;
                }
                Some(_) => {}
                None => {
                    let mut fds = [nix::poll::PollFd::new(log.as_fd(), nix::poll::PollFlags::POLLIN)];
                    nix::poll::poll(&mut fds, 200u16).unwrap();
                }
            }
        }
        panic!("the record did not arrive");
    }
}
