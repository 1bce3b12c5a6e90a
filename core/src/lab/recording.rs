//! The files of recordings: how one is begun, so that it never hits what is not ours, and how one is replayed.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::unistd::Uid;

use crate::account::oom::Oom;
use crate::account::record::{self, BEGINNING};
use crate::error::{Error, ErrorKind, Result};

/// Makes the accounts again that a recording led to: on any machine, and without any right. Recordings are made with
/// [`LabOptions::record`](crate::LabOptions), with [`Group::record`](crate::Group::record), and by
/// `memoom run --record`.
///
/// An account says the same as it did then. Where another version of memoom made the recording, it says what this one
/// concludes from the same signs.
///
/// # Errors
/// `NotFound` where there is no such file; `InvalidInput` where it is no recording, or a line of it is damaged (its
/// number is named). A last line that was broken off, as where the writer was killed, is left out.
pub fn replay(path: impl AsRef<Path>) -> Result<Vec<Oom>> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|error| Error::os("replay", error).path(path))?;
    record::replay(BufReader::new(file)).map_err(|error| error.path(path))
}

/// Opens the file of a new recording. A recording that stands there is written over; whatever else it is, is left alone.
pub(crate) fn begin(path: &Path) -> Result<File> {
    const OPERATION: &str = "begin recording";
    let failed = |error: io::Error| Error::os(OPERATION, error).path(path);
    let refuse = |why: &str| {
        Err(Error::new(ErrorKind::InvalidInput, OPERATION, why).path(path).remedy("give the name of a new file"))
    };
    // Not through a link, which somebody else may have planted, and not waiting for the other end of a pipe.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let opened = OpenOptions::new().read(true).write(true).create(true).mode(0o600).custom_flags(flags).open(path);
    let mut file = match opened {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return refuse("it is a link, which is not followed")
        }
        opened => opened.map_err(failed)?,
    };
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return refuse("it is no regular file");
    }
    if meta.uid() != Uid::effective().as_raw() {
        return refuse("it is there already, and belongs to another user");
    }
    if meta.len() > 0 {
        let mut beginning = [0; BEGINNING.len()];
        let read = file.read_exact(&mut beginning);
        if read.is_err() || beginning != *BEGINNING {
            return refuse("it is there already, and is no recording");
        }
        file.set_len(0).map_err(failed)?;
        io::Seek::rewind(&mut file).map_err(failed)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_recording_hits_nothing_that_is_not_one() {
        let tree = tempfile::tempdir().unwrap();
        let at = |name: &str| tree.path().join(name);
        std::fs::write(at("letter"), "dear all").unwrap();
        std::fs::write(at("short"), "{").unwrap();
        symlink(at("letter"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        std::fs::create_dir(at("directory")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap();
        for name in ["letter", "short", "link", "dangling", "pipe"] {
            let error = begin(&at(name)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}: {error}");
        }
        assert!(begin(&at("directory")).is_err());
        assert_eq!(std::fs::read(at("letter")).unwrap(), b"dear all");
        assert!(!at("nowhere").exists());
        // A new one, and one in place of another recording.
        drop(begin(&at("new")).unwrap());
        assert_eq!(at("new").metadata().unwrap().mode() & 0o777, 0o600);
        std::fs::write(at("old"), [&BEGINNING[..], b"1\"}\nand more"].concat()).unwrap();
        drop(begin(&at("old")).unwrap());
        assert_eq!(std::fs::read(at("old")).unwrap(), b"");
    }

    #[test]
    fn what_is_no_recording_is_refused_by_its_line() {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().join("file");
        for (text, line) in [("", "line 1"), ("dear all\n", "line 1"), ("{\"schema\":\"memoom.signs/9\"}\n", "line 1")]
        {
            std::fs::write(&path, text).unwrap();
            let error = replay(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(line), "{error}");
        }
        assert_eq!(replay(tree.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
