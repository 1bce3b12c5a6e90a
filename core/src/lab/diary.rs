//! The record that a watch keeps of deaths, for whoever asks on another day: bounded, and safe on the disk line by line.
//!
//! A directory has two files: `deaths`, to which lines are added, and `deaths.1`, which it becomes when it is full; the
//! older one goes then. Each line is on the disk before the watch tells of it. One that was broken off, as where the writer
//! was killed, is passed over.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::Uid;

use crate::account::postmortem::entry::{Entry, What};
use crate::error::{Error, ErrorKind, Result};
use crate::memcg::owner::boot_id;
use crate::sys;
use crate::sys::size::Bounded;

const OPERATION: &str = "keep record";
const NOW: &str = "deaths";
const BEFORE: &str = "deaths.1";
/// The least that both files together may hold.
pub(crate) const LEAST_BYTES: u64 = 64 << 10;
/// A line is no longer than this.
const LONGEST_LINE: u64 = 1 << 20;

/// A record that is being written.
pub(crate) struct Diary {
    directory: PathBuf,
    /// Kept open, so that a rename in it can be made safe, and locked, so that it has one writer.
    lock: Flock<File>,
    file: Bounded<File>,
    bytes: u64,
    /// The last line could not be written whole, or the next file not be begun: it is opened anew before the next one.
    unsure: bool,
    most_bytes: u64,
    boot: String,
}

impl Diary {
    /// Goes on with the record of that directory, which is made where it is not there.
    pub(crate) fn open(directory: &Path, most_bytes: u64) -> Result<Diary> {
        let failed = |error: io::Error| Error::os(OPERATION, error).path(directory);
        if most_bytes < LEAST_BYTES {
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, "that is too little for a record")
                .value(most_bytes)
                .remedy(&format!("allow it {LEAST_BYTES} bytes or more")));
        }
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(directory).map_err(failed)?;
        let meta = opened.metadata().map_err(failed)?;
        if meta.uid() != Uid::effective().as_raw() || meta.mode() & 0o022 != 0 {
            return Err(Error::new(ErrorKind::PermissionDenied, OPERATION, "others may write to the directory")
                .path(directory)
                .remedy("give a directory of your own, with mode 0700"));
        }
        let lock = Flock::lock(opened, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
            nix::errno::Errno::EWOULDBLOCK => Error::new(ErrorKind::Busy, OPERATION, "another watch writes to it")
                .path(directory)
                .remedy("give each watch a directory of its own"),
            errno => Error::os(OPERATION, errno).path(directory),
        })?;
        let (file, bytes) = continued(directory).map_err(failed)?;
        let (to, boot) = (directory.to_path_buf(), boot_id());
        let mut diary = Diary { directory: to, lock, file, bytes, unsure: false, most_bytes, boot };
        diary.keep_names().map_err(failed)?;
        diary.turn_if_full(0).map_err(failed)?;
        Ok(diary)
    }

    /// Writes one line, and has it on the disk.
    pub(crate) fn write(&mut self, time_ns: u64, what: What) -> Result<()> {
        let line = crate::text::json(&Entry::new(&self.boot, sys::realtime_ns(), time_ns, what)) + "\n";
        self.add(line.as_bytes()).map_err(|error| Error::os(OPERATION, error).path(&self.directory))
    }

    fn add(&mut self, line: &[u8]) -> io::Result<()> {
        if std::mem::replace(&mut self.unsure, true) {
            (self.file, self.bytes) = continued(&self.directory)?;
        }
        self.turn_if_full(line.len() as u64)?;
        self.file.write_all(line)?;
        self.unsure = false;
        self.bytes += line.len() as u64;
        self.file.0.sync_data()
    }

    /// Begins the next file where so much more is too much for this one.
    fn turn_if_full(&mut self, more: u64) -> io::Result<()> {
        if self.bytes == 0 || self.bytes + more <= self.most_bytes / 2 {
            return Ok(());
        }
        std::fs::rename(self.directory.join(NOW), self.directory.join(BEFORE))?;
        (self.file, self.bytes) = continued(&self.directory)?;
        self.keep_names()
    }

    /// The names of the files are on the disk too.
    fn keep_names(&self) -> io::Result<()> {
        self.lock.sync_all()
    }
}

/// The file to which is added, and how much is in it; a line that was broken off is ended, so that the next one is whole.
fn continued(directory: &Path) -> io::Result<(Bounded<File>, u64)> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut options = OpenOptions::new();
    let options = options.read(true).append(true).create(true).mode(0o600).custom_flags(flags);
    let mut file = options.open(directory.join(NOW))?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut last = [b'\n'];
    if meta.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let mut file = Bounded(file);
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok((file, meta.len()))
}

/// The lines of a record, oldest first, and how many could not be read.
pub(crate) fn read(directory: &Path) -> Result<(Vec<Entry>, u64)> {
    let failed = |error: io::Error| Error::os("read record", error).path(directory);
    let (mut entries, mut damaged, mut there) = (Vec::new(), 0, false);
    for name in [BEFORE, NOW] {
        let file = match File::open(directory.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        there = true;
        let mut from = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            if (&mut from).take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(failed)? == 0 {
                break;
            }
            match Entry::parse(&line) {
                Some(entry) => entries.push(entry),
                None => damaged += u64::from(!line.trim_ascii().is_empty()),
            }
        }
    }
    match there {
        true => Ok((entries, damaged)),
        false => Err(Error::new(ErrorKind::NotFound, "read record", "there is no record in it")
            .path(directory)
            .remedy("give the directory of memoom watch --record DIR")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::resource::{getrlimit, setrlimit, Resource};

    fn watching(name: &str) -> What {
        What::Watching { group: name.to_string() }
    }

    #[test]
    fn a_record_stays_within_its_bound_and_goes_on_where_it_was() {
        let tree = tempfile::tempdir().unwrap();
        let at = tree.path().join("record");
        assert_eq!(Diary::open(&at, 100).err().map(|error| error.kind()), Some(ErrorKind::InvalidInput));
        let mut diary = Diary::open(&at, LEAST_BYTES).unwrap();
        assert_eq!(Diary::open(&at, LEAST_BYTES).err().map(|error| error.kind()), Some(ErrorKind::Busy));
        let long = "x".repeat(1000);
        for number in 0..200 {
            diary.write(number, watching(&format!("/{number}/{long}"))).unwrap();
        }
        drop(diary);
        let size = |name: &str| std::fs::metadata(at.join(name)).unwrap().len();
        assert!(size(NOW) <= LEAST_BYTES / 2 && size(BEFORE) <= LEAST_BYTES / 2);
        for name in [NOW, BEFORE] {
            assert_eq!(std::fs::metadata(at.join(name)).unwrap().mode() & 0o777, 0o600);
        }
        let (entries, damaged) = read(&at).unwrap();
        let times: Vec<u64> = entries.iter().map(|entry| entry.time_ns).collect();
        let first = times[0];
        assert!(first > 100 && damaged == 0, "the oldest have gone: {first}");
        assert_eq!(times, (first..200).collect::<Vec<u64>>());
        Diary::open(&at, LEAST_BYTES).unwrap().write(200, watching("/last")).unwrap();
        assert_eq!(read(&at).unwrap().0.last().unwrap().time_ns, 200);
    }

    #[test]
    fn a_line_that_was_broken_off_is_passed_over() {
        let tree = tempfile::tempdir().unwrap();
        let at = tree.path().join("record");
        Diary::open(&at, LEAST_BYTES).unwrap().write(1, watching("/a")).unwrap();
        let whole = std::fs::read(at.join(NOW)).unwrap();
        for cut in 1..whole.len() {
            let torn = [&whole[..], &whole[..cut]].concat();
            std::fs::write(at.join(NOW), torn).unwrap();
            Diary::open(&at, LEAST_BYTES).unwrap().write(2, watching("/b")).unwrap();
            let (entries, damaged) = read(&at).unwrap();
            let times: Vec<u64> = entries.iter().map(|entry| entry.time_ns).collect();
            let expected = if cut == whole.len() - 1 { (&[1, 1, 2][..], 0) } else { (&[1, 2][..], 1) };
            assert_eq!((&times[..], damaged), expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_line_that_could_not_be_written_spoils_none_after_it() {
        let tree = tempfile::tempdir().unwrap();
        let mut diary = Diary::open(tree.path(), LEAST_BYTES).unwrap();
        diary.write(1, watching("/a")).unwrap();
        // The disk is full in the middle of a line.
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut there = std::mem::replace(&mut diary.file, Bounded(full));
        there.write_all(b"{\"schema\":").unwrap();
        assert_eq!(diary.write(2, watching("/b")).unwrap_err().errno(), Some(libc::ENOSPC));
        // There is room again.
        diary.write(3, watching("/c")).unwrap();
        diary.write(4, watching("/d")).unwrap();
        let (entries, damaged) = read(tree.path()).unwrap();
        let times: Vec<u64> = entries.iter().map(|entry| entry.time_ns).collect();
        assert_eq!((&times[..], damaged), (&[1, 3, 4][..], 1));
    }

    /// In a process of its own, as the bound holds for all of it.
    #[test]
    fn a_bound_of_files_is_an_error_and_no_signal() {
        const HERE: &str = "MEMOOM_SHORT_FILES";
        if let Some(at) = std::env::var_os(HERE) {
            let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
            setrlimit(Resource::RLIMIT_FSIZE, 1000, hard).unwrap();
            let mut diary = Diary::open(Path::new(&at), LEAST_BYTES).unwrap();
            let error = (0..100).find_map(|number| diary.write(number, watching("/a")).err()).unwrap();
            assert_eq!(error.errno(), Some(libc::EFBIG), "{error}");
            return;
        }
        let tree = tempfile::tempdir().unwrap();
        let name = "lab::diary::tests::a_bound_of_files_is_an_error_and_no_signal";
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        let done = alone.args(["--exact", name]).env(HERE, tree.path()).output().unwrap();
        assert!(done.status.success(), "{}: {}", done.status, String::from_utf8_lossy(&done.stdout));
        assert!(read(tree.path()).unwrap().0.len() > 1, "nothing was tried");
    }

    #[test]
    fn what_others_may_write_is_refused() {
        let tree = tempfile::tempdir().unwrap();
        let at = tree.path().join("open");
        std::fs::create_dir(&at).unwrap();
        std::fs::set_permissions(&at, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let error = Diary::open(&at, LEAST_BYTES).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        let link = tree.path().join("link");
        std::os::unix::fs::symlink(tree.path(), &link).unwrap();
        assert!(Diary::open(&link, LEAST_BYTES).is_err());
        assert_eq!(read(&at).err().map(|error| error.kind()), Some(ErrorKind::NotFound));
    }
}
