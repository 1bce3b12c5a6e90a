//! The one error of the crate: what was tried, on what, why it failed, and what helps.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::sys;

/// What a caller would do differently; the detail is in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is wrong: a size, a name, a limit, a combination.
    InvalidInput,
    /// This kernel, hierarchy or machine lacks what the call needs.
    Unsupported,
    /// The process lacks a right (uid, capability, read-only mount).
    PermissionDenied,
    /// The group, process or file is not there (any more).
    NotFound,
    /// A group of that name is there already.
    AlreadyExists,
    /// Something else holds it: processes in the group, controllers enabled.
    Busy,
    /// The lab, group or watch was closed by its owner.
    Closed,
    /// The worker has ended, so it cannot do what was asked.
    WorkerGone,
    /// The deadline passed.
    TimedOut,
    /// The host has too little memory for what was asked.
    OutOfMemory,
    /// The wait was interrupted (a signal handler of the caller wants to run).
    Interrupted,
    /// Any other failure of a system call.
    Io,
}

impl ErrorKind {
    /// The kind's name as it stands in messages and in the other faces: lower case, words joined by `-`.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::InvalidInput => "invalid-input",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::PermissionDenied => "permission-denied",
            ErrorKind::NotFound => "not-found",
            ErrorKind::AlreadyExists => "already-exists",
            ErrorKind::Busy => "busy",
            ErrorKind::Closed => "closed",
            ErrorKind::WorkerGone => "worker-gone",
            ErrorKind::TimedOut => "timed-out",
            ErrorKind::OutOfMemory => "out-of-memory",
            ErrorKind::Interrupted => "interrupted",
            ErrorKind::Io => "io",
        }
    }

    /// The kind that fits an errno of a system call.
    pub(crate) fn of_errno(errno: i32) -> ErrorKind {
        match errno {
            libc::EINVAL | libc::ENAMETOOLONG | libc::ERANGE => ErrorKind::InvalidInput,
            libc::EACCES | libc::EPERM | libc::EROFS => ErrorKind::PermissionDenied,
            libc::ENOENT | libc::ENODEV | libc::ESRCH => ErrorKind::NotFound,
            libc::EEXIST => ErrorKind::AlreadyExists,
            libc::EBUSY => ErrorKind::Busy,
            libc::ETIMEDOUT => ErrorKind::TimedOut,
            libc::ENOMEM => ErrorKind::OutOfMemory,
            libc::EINTR => ErrorKind::Interrupted,
            libc::ENOSYS | libc::EOPNOTSUPP => ErrorKind::Unsupported,
            _ => ErrorKind::Io,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a call failed: operation, path, value, reason and remedy, in one line.
///
/// The text of [`Display`](fmt::Display) is complete; the getters give its parts.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Detail>);

/// Boxed, so that a result is no larger for the error it rarely holds.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.message())]
struct Detail {
    kind: ErrorKind,
    operation: &'static str,
    path: Option<PathBuf>,
    value: Option<String>,
    reason: String,
    remedy: Option<String>,
    /// The system call, where its name helps.
    call: Option<&'static str>,
    #[source]
    source: Option<io::Error>,
}

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of our own: what was tried and why it cannot be.
    #[cold]
    pub(crate) fn new(kind: ErrorKind, operation: &'static str, reason: &str) -> Error {
        let reason = reason.to_string();
        let (path, value, remedy, call, source) = (None, None, None, None, None);
        Error(Box::new(Detail { kind, operation, path, value, reason, remedy, call, source }))
    }

    /// A failed system call; the kind follows from its errno.
    pub(crate) fn os(operation: &'static str, source: impl Into<io::Error>) -> Error {
        Error::system(operation, source.into())
    }

    // What the generic calls above and below have in common stands once, not at each call.
    #[cold]
    #[inline(never)]
    fn system(operation: &'static str, source: io::Error) -> Error {
        let kind = sys::errno(&source).map_or(ErrorKind::Io, ErrorKind::of_errno);
        let mut error = Error::new(kind, operation, "");
        let (call, source) = match source.downcast::<sys::Call>() {
            Ok(call) => (Some(call.name), call.source),
            Err(source) => (None, source),
        };
        (error.0.call, error.0.source) = (call, Some(source));
        error
    }

    /// Names the system call that failed.
    pub(crate) fn call(mut self, name: &'static str) -> Error {
        self.0.call = Some(name);
        self
    }

    /// Names the file or directory concerned.
    pub(crate) fn path(self, path: impl AsRef<Path>) -> Error {
        self.at(path.as_ref())
    }

    #[cold]
    #[inline(never)]
    fn at(mut self, path: &Path) -> Error {
        self.0.path = Some(path.to_path_buf());
        self
    }

    /// Names the value that was to be used.
    pub(crate) fn value(self, value: impl fmt::Display) -> Error {
        self.of(&value)
    }

    /// A value that need not be text.
    #[cold]
    #[inline(never)]
    pub(crate) fn value_bytes(mut self, value: &[u8]) -> Error {
        self.0.value = Some(printable(value, 300));
        self
    }

    #[cold]
    #[inline(never)]
    fn of(self, value: &dyn fmt::Display) -> Error {
        self.value_bytes(value.to_string().as_bytes())
    }

    /// Says why, in memoom's words (beside the system's).
    #[cold]
    pub(crate) fn reason(mut self, reason: &str) -> Error {
        self.0.reason = reason.to_string();
        self
    }

    /// Says what the caller can do about it.
    #[cold]
    pub(crate) fn remedy(mut self, remedy: &str) -> Error {
        self.0.remedy = Some(remedy.to_string());
        self
    }

    /// Replaces the kind that followed from the errno by one that says more.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Error {
        self.0.kind = kind;
        self
    }

    /// Why alone, without what was tried and where, and without the remedy: for whoever has said the one and has a better
    /// word on the other.
    pub(crate) fn why(&self) -> String {
        self.0.why()
    }

    /// What the caller can do about it, where more is known than its kind.
    pub(crate) fn help(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    /// What a caller would do differently.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The errno of the failed system call, if one failed.
    pub fn errno(&self) -> Option<i32> {
        self.0.source.as_ref().and_then(io::Error::raw_os_error)
    }

    /// What was tried, such as `create group`.
    pub fn operation(&self) -> &str {
        self.0.operation
    }

    /// The file or directory concerned.
    pub fn concerned_path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }
}

impl Detail {
    fn message(&self) -> String {
        let mut text = self.operation.to_string();
        if let Some(path) = &self.path {
            text.push_str(&format!(" {}", printable(path.as_os_str().as_encoded_bytes(), 300)));
        }
        if let Some(value) = &self.value {
            text.push_str(&format!(" (value {value})"));
        }
        text.push_str(": ");
        text.push_str(&self.why());
        let errno = self.source.as_ref().and_then(io::Error::raw_os_error);
        if let Some(remedy) = self.remedy.as_deref().or_else(|| errno.and_then(usual_remedy)) {
            text.push_str("; remedy: ");
            text.push_str(remedy);
        }
        text
    }

    fn why(&self) -> String {
        let mut parts = Vec::new();
        if !self.reason.is_empty() {
            parts.push(self.reason.to_string());
        }
        if let Some(call) = self.call {
            parts.push(call.to_string());
        }
        if let Some(source) = &self.source {
            parts.push(said_by_the_system(source));
        }
        parts.join(": ")
    }
}

/// A failure of the system by the name that manual pages have for it, and its text: `EBADF: Bad file number`.
fn said_by_the_system(error: &io::Error) -> String {
    match error.raw_os_error().map(nix::errno::Errno::from_raw) {
        Some(nix::errno::Errno::UnknownErrno) | None => error.to_string(),
        Some(errno) => errno.to_string(),
    }
}

/// What helps where a call says no more than that errno.
fn usual_remedy(errno: i32) -> Option<&'static str> {
    Some(match errno {
        libc::EPERM | libc::EACCES => {
            "run with the right to it (root); where a filter of system calls (seccomp) refuses it, allow the call, as docker \
             run --security-opt seccomp=unconfined does"
        }
        libc::ENOSYS => {
            "this kernel lacks the call, or a filter of system calls (seccomp) hides it: allow it, as docker run \
             --security-opt seccomp=unconfined does"
        }
        libc::EMFILE => "too few open files are allowed to this process: raise RLIMIT_NOFILE (ulimit -n)",
        libc::ENFILE => "the machine has as many open files as it may (fs.file-max): close some, or raise it",
        libc::EAGAIN => {
            "as many processes as this user or group may have: raise RLIMIT_NPROC (ulimit -u), or pids.max of the group"
        }
        libc::ENOMEM => "the kernel has no memory for it: end something, or raise the limit of the group that this \
             runs in, or RLIMIT_AS (ulimit -v)",
        libc::EFBIG => "files may not become so large here: raise RLIMIT_FSIZE (ulimit -f)",
        libc::EXDEV => "something is mounted over it, which is not touched: unmount that, then `memoom gc`",
        libc::ENOSPC => "make room, or raise the kernel's bound on such things (fs.inotify, cgroup.max.descendants)",
        _ => return None,
    })
}

/// Bytes as one readable line: what is not printable ASCII is written `\xNN`, as the kernel does in /dev/kmsg,
/// and what is longer than `most` is cut with a mark.
pub(crate) fn printable(bytes: &[u8], most: usize) -> String {
    let mut text = crate::text::escape(&bytes[..bytes.len().min(most)]);
    if bytes.len() > most {
        text.push_str(&format!("... ({} bytes)", bytes.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_no_text_is_escaped_once() {
        let error = Error::new(ErrorKind::InvalidInput, "start", "no").value_bytes(b"a\xff\\");
        assert!(error.to_string().contains(r"(value a\xff\x5c)"), "{error}");
    }

    #[test]
    fn the_message_names_operation_path_value_reason_and_remedy() {
        let error = Error::os("write limit", io::Error::from_raw_os_error(libc::EBUSY))
            .path("/sys/fs/cgroup/memory/x/memory.limit_in_bytes")
            .value(4096)
            .remedy("free memory first");
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert_eq!(error.errno(), Some(libc::EBUSY));
        let text = error.to_string();
        for part in [
            "write limit",
            "/sys/fs/cgroup/memory/x/memory.limit_in_bytes",
            "(value 4096)",
            ": EBUSY: Device or resource busy;",
            "remedy: free memory first",
        ] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }

    #[test]
    fn a_long_path_that_is_not_utf8_stays_one_short_line() {
        use std::os::unix::ffi::OsStrExt;
        let name = [b"\xff\n".as_slice(), &[b'a'; 10_000]].concat();
        let error = Error::new(ErrorKind::InvalidInput, "create group", "the name is too long")
            .path(std::ffi::OsStr::from_bytes(&name));
        let text = error.to_string();
        assert!(text.len() < 500 && text.contains("\\xff\\x0a") && text.contains("(10002 bytes)"), "{text}");
    }
}
