//! One tree of groups: let it run, kill what is in it, remove it bottom-up; never a step outside.

use crate::state::Kind;
use crate::sys::{self, Errno, Stat};
use crate::text;
use core::ffi::CStr;

/// Each level holds one descriptor while those below it are worked on, and 1024 is the usual bound.
const DEEPEST: usize = 400;

/// The entries of an open directory, without `.` and `..`.
pub struct Entries {
    directory: i32,
    buffer: [u64; 128],
    at: usize,
    end: usize,
    /// Why the reading came to its end too early; 0 where it did not.
    pub errno: Errno,
}

impl Entries {
    pub fn new(directory: i32) -> Entries {
        Entries { directory, buffer: [0; 128], at: 0, end: 0, errno: 0 }
    }

    /// The next entry's name and whether it may be a directory (symbolic links are not).
    pub fn next(&mut self) -> Option<(&CStr, bool)> {
        const DT_UNKNOWN: u8 = 0;
        const DT_DIR: u8 = 4;
        let (start, end, kind) = loop {
            if self.at >= self.end {
                self.at = 0;
                self.end = match sys::getdents(self.directory, &mut self.buffer) {
                    Ok(got) => got,
                    Err(errno) => {
                        self.errno = errno;
                        0
                    }
                };
                if self.end == 0 {
                    return None;
                }
            }
            // struct linux_dirent64: inode 8, offset 8, record length 2, type 1, name.
            let bytes = self.bytes();
            let record = bytes.get(self.at..self.end)?;
            let length = u16::from_le_bytes(record.get(16..18)?.try_into().ok()?) as usize;
            let kind = *record.get(18)?;
            let name = record.get(19..length)?;
            let dots = name.starts_with(b".\0") || name.starts_with(b"..\0");
            let start = self.at + 19;
            self.at += length;
            if !dots {
                break (start, self.at, kind);
            }
        };
        let name = CStr::from_bytes_until_nul(self.bytes().get(start..end)?).ok()?;
        Some((name, kind == DT_DIR || kind == DT_UNKNOWN))
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: any bytes may be looked at as bytes.
        unsafe { core::slice::from_raw_parts(self.buffer.as_ptr() as *const u8, core::mem::size_of_val(&self.buffer)) }
    }
}

/// Whether a directory is seen to have no subdirectory left. Read, not taken from the link count, which not every file
/// system keeps.
pub fn childless(directory: i32) -> bool {
    let Ok(fd) = sys::openat(directory, c".", sys::O_RDONLY | sys::O_DIRECTORY) else {
        return false;
    };
    let mut entries = Entries::new(fd);
    let mut none = true;
    while let Some((_, may_be_directory)) = entries.next() {
        none &= !may_be_directory;
    }
    sys::close(fd);
    none && entries.errno == 0
}

/// Who is never killed, even if it stands in the tree.
pub struct Spared {
    pub own: i32,
    pub host: i32,
}

/// One attempt to empty and remove a tree that was made as `name` below `parent`; `held` is the directory itself, once it is
/// known: it is found wherever somebody has moved it, and nothing else is taken for it. An error means: not yet, try again.
pub fn remove(kind: Kind, parent: i32, name: &CStr, held: i32, spared: &Spared) -> Result<(), Errno> {
    // The tree stands on the parent's own file system; what is mounted over it is not ours.
    let parents = sys::openat(parent, c".", sys::O_RDONLY | sys::O_DIRECTORY).and_then(|fd| {
        let stat = sys::fstat(fd);
        sys::close(fd);
        stat
    });
    let device = match parents {
        Ok(stat) => stat.device,
        Err(sys::ENOENT) => return Ok(()), // the parent itself was removed, so nothing is left in it
        Err(errno) => return Err(errno),
    };
    match held {
        -1 => level(kind, parent, name, device, spared, 0),
        held => remove_held(kind, parent, name, held, device, spared),
    }
}

fn remove_held(kind: Kind, parent: i32, name: &CStr, held: i32, device: u64, spared: &Spared) -> Result<(), Errno> {
    // Opened anew each time: a directory that was listed to its end has nothing more to list.
    let directory = match sys::openat(held, c".", sys::O_RDONLY | sys::O_DIRECTORY) {
        Ok(directory) => directory,
        Err(sys::ENOENT | sys::ENODEV) => return Ok(()),
        Err(errno) => return Err(errno),
    };
    let result = empty(kind, directory, device, spared, 0);
    sys::close(directory);
    result?;
    let own = sys::fstat(held)?;
    match is_named(parent, name, &own) {
        Ok(true) => return rmdir(parent, name),
        // Another stands there, or none: ours may have another name now.
        Ok(false) | Err(sys::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    let list = sys::openat(parent, c".", sys::O_RDONLY | sys::O_DIRECTORY)?;
    let mut entries = Entries::new(list);
    let mut result = Err(sys::ENOENT);
    while let Some((name, may_be_directory)) = entries.next() {
        if may_be_directory && is_named(parent, name, &own) == Ok(true) {
            result = rmdir(parent, name);
            break;
        }
    }
    sys::close(list);
    match result {
        Err(sys::ENOENT) if has_gone(held) => Ok(()),
        result => result,
    }
}

fn level(kind: Kind, parent: i32, name: &CStr, device: u64, spared: &Spared, depth: usize) -> Result<(), Errno> {
    if depth > DEEPEST {
        return Err(sys::ELOOP);
    }
    let directory = match sys::open_inside(parent, name, sys::O_RDONLY | sys::O_DIRECTORY) {
        Ok(directory) => directory,
        Err(sys::ENOENT) => return Ok(()),
        Err(errno) => return Err(errno),
    };
    let result = empty(kind, directory, device, spared, depth);
    sys::close(directory);
    result?;
    rmdir(parent, name)
}

fn rmdir(parent: i32, name: &CStr) -> Result<(), Errno> {
    match sys::rmdirat(parent, name) {
        Ok(()) | Err(sys::ENOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Whether that name below `parent` is that directory.
fn is_named(parent: i32, name: &CStr, own: &Stat) -> Result<bool, Errno> {
    let there = sys::open_inside(parent, name, sys::O_RDONLY | sys::O_DIRECTORY)?;
    let found = sys::fstat(there);
    sys::close(there);
    found.map(|found| (found.device, found.inode) == (own.device, own.inode))
}

/// Whether a group has been removed: an open directory of one has no files any more.
fn has_gone(directory: i32) -> bool {
    match sys::open_inside(directory, c"cgroup.procs", sys::O_RDONLY) {
        Ok(file) => {
            sys::close(file);
            false
        }
        Err(errno) => matches!(errno, sys::ENOENT | sys::ENODEV),
    }
}

fn empty(kind: Kind, directory: i32, device: u64, spared: &Spared, depth: usize) -> Result<(), Errno> {
    if sys::fstat(directory)?.device != device {
        return Err(sys::EXDEV);
    }
    // First nothing may be stuck: with the killer on a blocked task goes on (or dies), a thawed one can end.
    if kind == Kind::TreeV1 {
        let _ = text::write_file(directory, c"memory.oom_control", b"0");
    } else {
        let _ = text::write_file(directory, c"cgroup.freeze", b"0");
    }
    let mut failed = Ok(());
    let mut entries = Entries::new(directory);
    while let Some((name, may_be_directory)) = entries.next() {
        if may_be_directory {
            match level(kind, directory, name, device, spared, depth + 1) {
                Ok(()) | Err(sys::ENOTDIR) => {}
                Err(errno) => failed = Err(errno),
            }
        }
    }
    // From below upwards, as this kills in the groups below too: with each of them its own is asked for the spared.
    if kind == Kind::TreeV2 && entries.errno == 0 && childless(directory) && !holds_spared(directory, spared) {
        let _ = text::write_file(directory, c"cgroup.kill", b"1");
    }
    kill_listed(directory, spared);
    failed
}

/// The pids of `cgroup.procs`, one after another.
struct Listed {
    fd: i32,
    buffer: [u8; 1024],
    at: usize,
    end: usize,
    /// Why the reading came to its end too early; 0 where it did not.
    errno: Errno,
}

impl Listed {
    fn open(directory: i32) -> Result<Listed, Errno> {
        let fd = sys::open_inside(directory, c"cgroup.procs", sys::O_RDONLY)?;
        Ok(Listed { fd, buffer: [0; 1024], at: 0, end: 0, errno: 0 })
    }

    fn byte(&mut self) -> Option<u8> {
        if self.at == self.end {
            self.at = 0;
            self.end = match sys::read(self.fd, &mut self.buffer) {
                Ok(got) => got,
                Err(errno) => {
                    self.errno = errno;
                    0
                }
            };
            if self.end == 0 {
                return None;
            }
        }
        self.at += 1;
        Some(self.buffer[self.at - 1])
    }

    fn next(&mut self) -> Option<i32> {
        let mut pid = 0i32;
        loop {
            match self.byte()? {
                digit @ b'0'..=b'9' => pid = pid.wrapping_mul(10).wrapping_add((digit - b'0') as i32),
                _ => return Some(pid),
            }
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        sys::close(self.fd);
    }
}

/// `cgroup.kill` spares nobody, so it is not used on a group in which the host or the supervisor stands, or of which
/// that cannot be read. The groups below it have gone by then, or could not be emptied.
fn holds_spared(directory: i32, spared: &Spared) -> bool {
    let Ok(mut listed) = Listed::open(directory) else {
        return true;
    };
    while let Some(pid) = listed.next() {
        if pid == spared.own || pid == spared.host {
            return true;
        }
    }
    listed.errno != 0
}

/// Kills every process listed in the group. A pid alone proves nothing, as it may belong to another process by
/// now: a pidfd is taken first, then the list is read again, and only who still stands there is signalled.
fn kill_listed(directory: i32, spared: &Spared) {
    const BATCH: usize = 128;
    let Ok(mut listed) = Listed::open(directory) else {
        return;
    };
    loop {
        let mut pids = [0i32; BATCH];
        let mut pidfds = [-1i32; BATCH];
        let mut count = 0;
        let mut more = true;
        while count < BATCH {
            let Some(pid) = listed.next() else {
                more = false;
                break;
            };
            // 0 is a process of another pid namespace.
            if pid <= 0 || pid == spared.own || pid == spared.host {
                continue;
            }
            match sys::pidfd_open(pid) {
                Ok(pidfd) => {
                    pids[count] = pid;
                    pidfds[count] = pidfd;
                    count += 1;
                }
                Err(sys::EINVAL | sys::ENOENT) => {}
                Err(_) if count > 0 => break, // no descriptors left: first those that we have
                Err(_) => {}
            }
        }
        if count > 0 {
            if let Ok(mut again) = Listed::open(directory) {
                while let Some(pid) = again.next() {
                    if let Some(index) = pids[..count].iter().position(|&listed| listed == pid) {
                        let _ = sys::pidfd_kill(pidfds[index]);
                    }
                }
            }
            for &pidfd in &pidfds[..count] {
                sys::close(pidfd);
            }
        }
        if !more {
            return;
        }
    }
}
