//! The most that a group has used since a moment of the caller's choice.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::uio::{pread, pwrite};

use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::Group;
use crate::memcg::files::missing;
use crate::memcg::version::Version;

/// The most that a group has used, and since when is the caller's to say.
///
/// On v2 (`memory.peak`) a reset counts for this object alone: the kernel keeps a mark for each open file, and
/// [`Group::peak_bytes`] and other objects stay as they are. On v1 (`memory.max_usage_in_bytes`) there is one mark for
/// everybody.
#[derive(Debug)]
pub struct Peak {
    group: Group,
    fd: OwnedFd,
    file: &'static str,
}

impl Group {
    /// Opens the mark of the most that was charged.
    ///
    /// # Errors
    /// `Unsupported` where this kernel keeps none (v2 before about 5.19), naming the file; `InvalidInput` for an opened
    /// group; `NotFound`.
    pub fn open_peak(&self) -> Result<Peak> {
        self.lab("open peak")?;
        let dir = self.alive("open peak")?;
        let file = if self.0.version == Version::V1 { "memory.max_usage_in_bytes" } else { "memory.peak" };
        if !dir.has(file) && dir.exists() {
            return Err(missing("open peak", dir, file));
        }
        // A file that cannot be written is one that cannot be reset: it can still be read.
        let fd = dir.open_file(file, OFlag::O_RDWR).or_else(|_| dir.open_file(file, OFlag::O_RDONLY))?;
        Ok(Peak { group: self.clone(), fd, file })
    }
}

impl Peak {
    /// The most that was charged since the last reset, or ever, in bytes.
    ///
    /// # Errors
    /// `NotFound` where the group was removed.
    pub fn bytes(&self) -> Result<u64> {
        let dir = self.group.alive("read peak")?;
        let mut text = [0; 32];
        let failed = |errno: Errno| Error::os("read peak", errno).path(dir.path().join(self.file));
        let count = pread(&self.fd, &mut text, 0).map_err(failed)?;
        let text = String::from_utf8_lossy(&text[..count]);
        text.trim().parse().map_err(|_| {
            Error::new(ErrorKind::Io, "read peak", "the file does not hold a number")
                .path(dir.path().join(self.file))
                .value(text.trim())
        })
    }

    /// Begins anew: from now on the most since this moment.
    ///
    /// # Errors
    /// `Unsupported` where this kernel's file cannot be reset (v2 before about 6.12); `NotFound`.
    pub fn reset(&self) -> Result<()> {
        let dir = self.group.alive("reset peak")?;
        // Any text resets on v2; v1 takes a number only, which it does not look at.
        match pwrite(&self.fd, b"0", 0) {
            Ok(_) => Ok(()),
            Err(errno @ (Errno::EINVAL | Errno::EBADF | Errno::EACCES | Errno::EOPNOTSUPP)) => {
                Err(Error::os("reset peak", errno)
                    .with_kind(ErrorKind::Unsupported)
                    .path(dir.path().join(self.file))
                    .reason("this kernel's file cannot be reset")
                    .remedy("make a new group, whose peak begins at 0"))
            }
            Err(errno) => Err(Error::os("reset peak", errno).path(dir.path().join(self.file))),
        }
    }

    /// The group.
    pub fn group(&self) -> &Group {
        &self.group
    }
}
