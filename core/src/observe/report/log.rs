//! The reports of a file, a pipe or a device, each as soon as it is complete, in bounded memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use super::{Report, ReportReader};
use crate::error::{Error, ErrorKind, Result};
use crate::wait::Wait;

/// So much is read at a time.
const PIECE: usize = 256 << 10;
/// What has a line longer than this is no log: a device, a file of zeros, a packing that is not known.
const LONGEST_LINE: u64 = 64 << 20;
/// With these a packed file begins: what packed it, and what unpacks it.
const PACKED: [(&[u8], &str, &str); 3] =
    [(b"\x1f\x8b", "gzip", "zcat"), (b"\xfd7zXZ\0", "xz", "xzcat"), (b"\x28\xb5\x2f\xfd", "zstd", "zstdcat")];

/// The most bytes by which it is known that a log is packed.
const LONGEST_MAGIC: usize = 6;

/// A log that is read from a descriptor: a file to its end, a pipe or `/dev/kmsg` for as long as somebody asks.
///
/// Memory is bounded by a window of some MiB and by the largest report, however long the log is. Of a pipe or device a
/// report is given when it is whole and for half a second nothing has come.
///
/// ```no_run
/// use memoom::observe::{report::ReportLog, Wait};
///
/// # fn main() -> memoom::Result<()> {
/// let mut log = ReportLog::open("/var/log/kern.log")?;
/// while let Some(report) = log.next(Wait::forever())? {
///     println!("{}", report.to_text());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ReportLog {
    file: File,
    path: Option<PathBuf>,
    reader: ReportReader,
    ready: VecDeque<Report>,
    piece: Vec<u8>,
    /// Not a regular file: there may be nothing to read now, and more later.
    live: bool,
    /// How it begins, as far as that tells whether it is packed.
    first: Vec<u8>,
    ended: bool,
    pauses: Pauses,
}

impl ReportLog {
    /// Opens a file, a named pipe or a device such as `/dev/kmsg`. It may not be packed.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied` and `Io` as of open(2).
    pub fn open(path: impl AsRef<Path>) -> Result<ReportLog> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| Error::os("open log", error).path(path))?;
        let mut log = ReportLog::of(OwnedFd::from(file)).map_err(|error| error.path(path))?;
        log.path = Some(path.to_path_buf());
        Ok(log)
    }

    /// Reads what comes from a descriptor: a pipe, a socket, a terminal, an open file from where it stands.
    ///
    /// # Errors
    /// `Io` where the kernel does not say what the descriptor is.
    pub fn of(descriptor: OwnedFd) -> Result<ReportLog> {
        let file = File::from(descriptor);
        let live = !file.metadata().map_err(|error| Error::os("open log", error))?.is_file();
        let (path, reader, ready, piece) = (None, ReportReader::new(), VecDeque::new(), vec![0; PIECE]);
        Ok(ReportLog { file, path, reader, ready, piece, live, first: Vec::new(), ended: false, pauses: Pauses::new() })
    }

    /// The next report; `None` where none was complete in time, and at the end of the log ([`ended`](ReportLog::ended)
    /// tells which).
    ///
    /// # Errors
    /// `InvalidInput` for what is no log: it is packed, or a line of it is longer than 64 MiB; `Interrupted`; `Io`. After
    /// an error the log has ended.
    pub fn next<'a>(&mut self, wait: impl Into<Wait<'a>>) -> Result<Option<Report>> {
        let result = self.within(wait.into());
        self.ended |= result.as_ref().is_err_and(|error| error.kind() != ErrorKind::Interrupted);
        result.map_err(|error| match &self.path {
            Some(path) if error.kind() != ErrorKind::Interrupted => error.path(path),
            _ => error,
        })
    }

    /// Whether the log has ended and all its reports were given.
    pub fn ended(&self) -> bool {
        self.ended && self.ready.is_empty()
    }

    /// For poll: readable where more of the log is there.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Where no report was found: how many lines look like a part of one, and the first of them, each cut to 240 bytes.
    pub fn lookalikes(&self) -> (u64, &[Vec<u8>]) {
        self.reader.lookalikes()
    }

    fn within(&mut self, mut wait: Wait<'_>) -> Result<Option<Report>> {
        loop {
            if let Some(report) = self.ready.pop_front() {
                return Ok(Some(report));
            }
            if self.ended {
                return Ok(None);
            }
            wait.check()?;
            if !self.live || self.readable(wait.slice(self.pauses.left()))? {
                self.read()?;
            }
            if self.pauses.due() && !self.ended {
                let whole = match self.pauses.given_up() {
                    false => self.reader.settle(),
                    true => self.reader.quiet(),
                };
                self.ready.extend(whole);
            }
            if wait.expired() && self.ready.is_empty() {
                return Ok(None);
            }
        }
    }

    fn readable(&self, longest: Option<Duration>) -> Result<bool> {
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        // Rounded up, so that nothing is looked at again before its time.
        let longest = longest.map_or(PollTimeout::NONE, |longest| {
            let millis = longest.as_micros().div_ceil(1000);
            PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut fds, longest) {
            Ok(ready) => Ok(ready > 0),
            Err(nix::Error::EINTR) => Ok(false),
            Err(error) => Err(Error::os("read log", error).call("poll")),
        }
    }

    fn read(&mut self) -> Result<()> {
        match self.file.read(&mut self.piece) {
            Ok(0) => {
                self.ended = true;
                self.ready.extend(self.reader.finish());
            }
            Ok(length) => {
                let piece = &self.piece[..length];
                // A pipe may give the first bytes one by one.
                if self.first.len() < LONGEST_MAGIC {
                    self.first.extend_from_slice(&piece[..length.min(LONGEST_MAGIC - self.first.len())]);
                    refuse_packed(&self.first)?;
                }
                self.ready.extend(self.reader.feed(piece));
                if self.live {
                    self.pauses.came(length);
                }
                if self.reader.line_bytes() > LONGEST_LINE {
                    let reason = format!("no line ends in {} MiB of it: it is no log", LONGEST_LINE >> 20);
                    return Err(Error::new(ErrorKind::InvalidInput, "read log", &reason).remedy("give a log as text"));
                }
            }
            // Another reader was faster; a record of /dev/kmsg was overwritten before it could be read.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::EPIPE) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::os("read log", error)),
        }
        Ok(())
    }
}

fn refuse_packed(begin: &[u8]) -> Result<()> {
    match PACKED.iter().find(|(magic, ..)| begin.starts_with(magic)) {
        None => Ok(()),
        Some((_, packing, tool)) => {
            Err(Error::new(ErrorKind::InvalidInput, "read log", &format!("it is packed by {packing}"))
                .remedy(&format!("give the pipe of {tool}")))
        }
    }
}

/// When what is whole is to be told, of a log that goes on.
#[derive(Debug)]
struct Pauses {
    /// Since when something is there that was not told.
    since: Option<Instant>,
    last: Instant,
    /// Pauses in a row.
    told: u32,
    bytes: usize,
}

impl Pauses {
    /// The kernel prints a report in one go; whoever hands its lines on does not stop in its midst for so long.
    const QUIET: Duration = Duration::from_millis(500);
    /// Where lines never cease, what is whole is told so often.
    const BUSY: Duration = Duration::from_secs(1);
    /// So much in that time is no log that is just being written, but one that is handed on as a whole.
    const BULK: usize = 1 << 20;
    /// After so many pauses in a row a report that is not whole is told as it is.
    const GIVEN_UP: u32 = 10;

    fn new() -> Pauses {
        Pauses { since: None, last: Instant::now(), told: 0, bytes: 0 }
    }

    fn came(&mut self, bytes: usize) {
        self.last = Instant::now();
        self.bytes = self.bytes.saturating_add(bytes);
        self.since = self.since.or(Some(self.last));
        self.told = 0;
    }

    /// How long until the next one; `None` where nothing has come that could be waited for.
    fn left(&self) -> Option<Duration> {
        let waits = self.since.is_some() || (self.told > 0 && !self.given_up());
        waits.then(|| (self.last + Self::QUIET).saturating_duration_since(Instant::now()))
    }

    /// Whether there is one now.
    fn due(&mut self) -> bool {
        let now = Instant::now();
        let mut busy = self.since.is_some_and(|since| now.saturating_duration_since(since) >= Self::BUSY);
        if busy && self.bytes >= Self::BULK {
            (self.since, self.bytes, busy) = (Some(now), 0, false);
        }
        if !(busy || self.left().is_some_and(|left| left.is_zero())) {
            return false;
        }
        (self.since, self.last, self.bytes) = (None, now, 0);
        self.told += 1;
        true
    }

    fn given_up(&self) -> bool {
        self.told >= Self::GIVEN_UP
    }
}
