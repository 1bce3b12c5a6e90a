//! What a kind of memory needs of the machine: looked at before the hog starts, so that a lack has a reason and a remedy.
#![forbid(unsafe_code)]

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::kind::{names, Kind, Pattern};
use crate::error::{Error, ErrorKind, Result};
use crate::helper::wire::hog;
use crate::sys;

const OPERATION: &str = "start hog";
const THP: &str = "/sys/kernel/mm/transparent_hugepage";
const HUGETLB: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB";

/// What the worker is told, and where it works.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) work: u32,
    directory: Option<OwnedFd>,
}

impl Assignment {
    pub(crate) fn directory(&self) -> Option<BorrowedFd<'_>> {
        self.directory.as_ref().map(AsFd::as_fd)
    }

    /// Looks whether this machine has what the kind needs.
    pub(crate) fn prepare(kind: Kind, pattern: Pattern, directory: Option<&Path>) -> Result<Assignment> {
        if !kind.patterns().contains(&pattern) {
            let reason = match (kind, pattern) {
                (Kind::Anon | Kind::AnonThp, Pattern::Read) => {
                    "reading anonymous memory that was never written takes none: the kernel shows one page of zeroes"
                }
                _ => "the pattern makes no difference to this kind",
            };
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, reason)
                .value(format!("{kind}, {pattern}"))
                .remedy(&format!("for {kind} use one of {}", names(kind.patterns()))));
        }
        if directory.is_some() && kind != Kind::File {
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, "only a hog of the kind file has a directory")
                .value(kind)
                .remedy("leave the directory out"));
        }
        let plain = |number| Ok((number, None));
        let (number, directory) = match kind {
            Kind::Anon => plain(hog::ANON),
            Kind::AnonThp => huge_pages().map(|()| (hog::ANON_THP, None)),
            Kind::File => Ok((hog::FILE, Some(file_directory(directory)?))),
            Kind::Shmem => plain(hog::SHMEM),
            Kind::Tmpfs => tmpfs(&[]).map(|mount| (hog::TMPFS, Some(mount))),
            Kind::Memfd => plain(hog::MEMFD),
            Kind::Mlock => plain(hog::MLOCK),
            Kind::Populate => plain(hog::POPULATE),
            Kind::Hugetlb => reserved_pages().map(|()| (hog::HUGETLB, None)),
            Kind::Stack => plain(hog::STACK),
            Kind::Fork => plain(hog::FORK),
            Kind::Pipe => plain(hog::PIPE),
            Kind::Socket => loopback().map(|()| (hog::SOCKET, None)),
            Kind::Slab => tmpfs(&[]).map(|mount| (hog::SLAB, Some(mount))),
            Kind::AnyFastest => Ok(fastest()),
        }?;
        let each = if kind == Kind::Slab { file_bytes() } else { 0 };
        Ok(Assignment { work: hog::work_of(number, pattern.number(), each), directory })
    }
}

/// Why a step failed in a system call, where the errno alone does not say it.
pub(crate) fn explain(kind: Kind, errno: i32) -> (&'static str, Option<&'static str>) {
    match (kind, errno) {
        (Kind::Mlock, libc::ENOMEM | libc::EPERM) => {
            ("mlock was refused", Some("raise RLIMIT_MEMLOCK (ulimit -l), give CAP_IPC_LOCK, or take smaller steps"))
        }
        (Kind::Mlock, libc::EAGAIN) => ("mlock could not bring the pages in: the group's OOM killer is off", None),
        (Kind::Hugetlb, libc::ENOMEM) => {
            ("the machine's reserve of huge pages has not so many left", Some("reserve more: vm.nr_hugepages"))
        }
        (Kind::Stack, libc::ENOMEM) => {
            ("the stack may not become so long", Some("raise the hard limit RLIMIT_STACK (ulimit -Hs), or take less"))
        }
        (Kind::Fork, libc::EAGAIN) => (
            "no more processes may be made (pids.max, RLIMIT_NPROC), or the hog has as many as it can hold",
            Some("raise that limit, or start another hog"),
        ),
        (Kind::Fork, libc::ECHILD) => ("the kernel killed one of the hog's processes", None),
        (Kind::Pipe | Kind::Socket, libc::EMFILE) => {
            ("no more files may be open", Some("raise the hard limit RLIMIT_NOFILE (ulimit -Hn), or start another hog"))
        }
        (Kind::Socket, libc::ENOBUFS) => ("the kernel gives the sockets no more memory", None),
        (Kind::File, libc::ENOSPC | libc::EDQUOT) => {
            ("the file system is full", Some("give another directory, or make room there"))
        }
        (Kind::File, libc::EFBIG) => ("the file may not become so large", Some("raise RLIMIT_FSIZE (ulimit -f)")),
        _ => ("the step failed in a system call", None),
    }
}

fn lacks(reason: &'static str, path: impl AsRef<Path>, remedy: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, OPERATION, reason).path(path).remedy(remedy)
}

/// The chosen one of the words of a file such as `always [madvise] never`.
fn chosen(text: &str) -> Option<&str> {
    text.split_once('[')?.1.split_once(']').map(|(word, _)| word)
}

/// Whether a hog may get transparent huge pages by asking for them.
fn huge_pages() -> Result<()> {
    let file = format!("{THP}/enabled");
    let Ok(enabled) = fs::read_to_string(&file) else {
        return Err(lacks("this kernel has no transparent huge pages", file, "use the kind anon, or another kernel"));
    };
    let remedy = "write madvise to that file, which changes it for the whole machine, or use the kind anon";
    if chosen(&enabled) == Some("never") {
        return Err(lacks("transparent huge pages are turned off for the machine", file, remedy));
    }
    // From 6.8 each size has its own switch, which by default follows the one above.
    let own = format!("{THP}/hugepages-2048kB/enabled");
    if fs::read_to_string(&own).is_ok_and(|text| chosen(&text) == Some("never")) {
        return Err(lacks("transparent huge pages of 2 MiB are turned off for the machine", own, remedy));
    }
    let own = sys::own_proc("status");
    let status = fs::read_to_string(&own).unwrap_or_default();
    if status.lines().any(|line| line.split_whitespace().eq(["THP_enabled:", "0"])) {
        let reason = "transparent huge pages are turned off for this process and its children";
        let remedy = "prctl(PR_SET_THP_DISABLE, 0) in this process, or use the kind anon";
        return Err(lacks(reason, own, remedy));
    }
    Ok(())
}

/// Whether the machine has reserved huge pages, or may make some.
fn reserved_pages() -> Result<()> {
    let number = |name: &str| {
        let text = fs::read_to_string(format!("{HUGETLB}/{name}")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let Some(free) = number("free_hugepages") else {
        return Err(lacks("this kernel has no huge pages of 2 MiB", HUGETLB, "use the kind anon-thp"));
    };
    if free == 0 && number("nr_overcommit_hugepages").unwrap_or(0) == 0 {
        let remedy = "reserve some as root (sysctl vm.nr_hugepages=64), which takes them from the machine's memory";
        return Err(lacks("no huge page of 2 MiB is reserved and free", HUGETLB, remedy));
    }
    Ok(())
}

/// A tmpfs of its own, without bounds but those of the group, mounted nowhere.
fn tmpfs(options: &[(&'static std::ffi::CStr, &'static std::ffi::CStr)]) -> Result<OwnedFd> {
    let unbounded = [(c"nr_blocks", c"0"), (c"nr_inodes", c"0")];
    let options: Vec<_> = unbounded.into_iter().chain(options.iter().copied()).collect();
    sys::mount::detached_with(c"tmpfs", &options).map_err(|error| {
        Error::os(OPERATION, error)
            .reason("no tmpfs could be mounted (fsopen, fsconfig, fsmount)")
            .remedy("it needs CAP_SYS_ADMIN and Linux 5.2; use the kind memfd or shmem, which need neither")
    })
}

/// What the kernel takes for an empty file of a tmpfs: an inode and a dentry, with what it puts beside each.
fn file_bytes() -> u16 {
    let size = |cache: &str, usual: u16| {
        let text = fs::read_to_string(format!("/sys/kernel/slab/{cache}/slab_size")).ok();
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(usual)
    };
    size("shmem_inode_cache", 752).saturating_add(size("dentry", 192)).max(1)
}

/// Whether this network namespace has a loopback that works.
fn loopback() -> Result<()> {
    let tried = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).and_then(|listener| {
        let place = listener.local_addr()?;
        std::net::TcpStream::connect_timeout(&place, std::time::Duration::from_secs(5))
    });
    tried.map(drop).map_err(|error| {
        Error::os(OPERATION, error)
            .reason("no TCP connection to 127.0.0.1 could be made")
            .with_kind(ErrorKind::Unsupported)
            .remedy("bring the loopback of this network namespace up (ip link set lo up)")
    })
}

/// Huge pages that nobody touches, else huge pages, else base pages in large steps. Where a tmpfs has huge pages of
/// another size (32 MiB with base pages of 16 KiB), a step would take one whole: base pages that nobody touches then.
fn fastest() -> (u32, Option<OwnedFd>) {
    let size = fs::read_to_string(format!("{THP}/hpage_pmd_size")).ok();
    let fits = size.is_none_or(|size| size.trim().parse() == Ok(Kind::AnonThp.unit()));
    let huge: &[_] = if fits { &[(c"huge", c"always")] } else { &[] };
    match (tmpfs(huge), huge_pages()) {
        (Ok(mount), usable) if usable.is_ok() || !fits => (hog::TMPFS_HUGE, Some(mount)),
        (_, Ok(())) => (hog::ANON_THP, None),
        (_, Err(_)) => (hog::POPULATE, None),
    }
}

/// A directory whose files have a page cache that the kernel can drop: the one that is given, or the first that serves.
fn file_directory(given: Option<&Path>) -> Result<OwnedFd> {
    let remedy = "give a directory on a disk's file system";
    if let Some(path) = given {
        return open_directory(path).map_err(|error| error.remedy(remedy));
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let places = [Some(std::env::temp_dir()), Some("/var/tmp".into()), Some(".".into()), home];
    let mut tried = Vec::new();
    for path in places.into_iter().flatten() {
        match open_directory(&path) {
            Ok(directory) => return Ok(directory),
            Err(error) => tried.push(error.to_string()),
        }
    }
    tried.dedup();
    Err(Error::new(ErrorKind::Unsupported, OPERATION, &format!("no place for a file was found ({})", tried.join("; ")))
        .remedy(remedy))
}

/// The directory, if a file in it behaves as one with a page cache: its page is in memory after a write, and out of it
/// when it was written back and dropped. The files of a tmpfs stay, those of a network without a cache never come.
fn open_directory(path: &Path) -> Result<OwnedFd> {
    let failed = |error: std::io::Error| Error::os(OPERATION, error).path(path);
    let mut options = fs::OpenOptions::new();
    let directory = options.read(true).custom_flags(libc::O_DIRECTORY).open(path).map_err(failed)?;
    let file = sys::pagecache::nameless_file(directory.as_fd())
        .map_err(|error| failed(error).reason("no file can be made there"))?;
    match sys::pagecache::is_dropped_at_wish(file.as_fd()) {
        Ok(true) => Ok(directory.into()),
        Ok(false) => Err(Error::new(
            ErrorKind::Unsupported,
            OPERATION,
            "its files are not in the page cache of a real file system (a tmpfs, an overlay on one, or no cache)",
        )
        .path(path)),
        Err(error) => Err(failed(error).reason("the page cache there could not be tried")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_word_is_the_one_in_brackets() {
        assert_eq!(chosen("always [madvise] never\n"), Some("madvise"));
        assert_eq!(chosen("[never]"), Some("never"));
        assert_eq!(chosen("nothing"), None);
    }

    #[test]
    fn patterns_that_make_no_sense_are_refused_with_those_that_do() {
        for (kind, pattern) in
            [(Kind::Anon, Pattern::Read), (Kind::AnyFastest, Pattern::Hot), (Kind::Tmpfs, Pattern::Random)]
        {
            let error = Assignment::prepare(kind, pattern, None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("use one of write"), "{error}");
        }
        let error = Assignment::prepare(Kind::Anon, Pattern::Write, Some(Path::new("/tmp"))).unwrap_err();
        assert!(error.to_string().contains("only a hog of the kind file"), "{error}");
    }

    #[test]
    fn a_directory_in_memory_is_no_place_for_page_cache() {
        for path in ["/dev/shm", "/proc", "/nowhere"] {
            let error = Assignment::prepare(Kind::File, Pattern::Write, Some(Path::new(path))).unwrap_err();
            assert!(error.to_string().contains(path) && error.to_string().contains("remedy"), "{error}");
        }
    }
}
