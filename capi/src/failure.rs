//! A failure on its way to C: one table from the core's kinds to C's numbers, and the error object that tells the rest.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use memoom::ErrorKind;

use crate::text::text;
use crate::words::in_c;

/// What a call returns: MEMOOM_OK, or one of the negative MEMOOM_ERR_ numbers.
///
/// A number never changes its meaning; later versions may add numbers.
pub type memoom_status = i32;

/// The call did what it says.
pub const MEMOOM_OK: memoom_status = 0;
/// An argument is wrong: NULL, a size, a name, a limit, a combination.
pub const MEMOOM_ERR_INVALID_INPUT: memoom_status = -1;
/// This kernel, hierarchy or machine lacks what the call needs.
pub const MEMOOM_ERR_UNSUPPORTED: memoom_status = -2;
/// The process lacks a right (uid, capability, read-only mount).
pub const MEMOOM_ERR_PERMISSION_DENIED: memoom_status = -3;
/// The group, process or file is not there (any more).
pub const MEMOOM_ERR_NOT_FOUND: memoom_status = -4;
/// A group of that name is there already.
pub const MEMOOM_ERR_ALREADY_EXISTS: memoom_status = -5;
/// Something else holds it: processes in the group, a step that is still going on.
pub const MEMOOM_ERR_BUSY: memoom_status = -6;
/// The lab was closed, or belongs to another process (the parent of a fork).
pub const MEMOOM_ERR_CLOSED: memoom_status = -7;
/// The worker has ended, so it cannot do what was asked.
pub const MEMOOM_ERR_WORKER_GONE: memoom_status = -8;
/// The deadline passed.
pub const MEMOOM_ERR_TIMED_OUT: memoom_status = -9;
/// The host has too little memory for what was asked.
pub const MEMOOM_ERR_OUT_OF_MEMORY: memoom_status = -10;
/// The wait was interrupted.
pub const MEMOOM_ERR_INTERRUPTED: memoom_status = -11;
/// Another failure of a system call; see memoom_error_errno.
pub const MEMOOM_ERR_IO: memoom_status = -12;
/// A failure that this version of the C face has no number for; its message tells.
pub const MEMOOM_ERR_OTHER: memoom_status = -13;
/// A defect of memoom itself was caught before it could reach the caller. Please report its message.
pub const MEMOOM_ERR_PANIC: memoom_status = -14;

/// The one table of kinds; a kind that is not in it is MEMOOM_ERR_OTHER.
const KINDS: [(ErrorKind, memoom_status); 12] = [
    (ErrorKind::InvalidInput, MEMOOM_ERR_INVALID_INPUT),
    (ErrorKind::Unsupported, MEMOOM_ERR_UNSUPPORTED),
    (ErrorKind::PermissionDenied, MEMOOM_ERR_PERMISSION_DENIED),
    (ErrorKind::NotFound, MEMOOM_ERR_NOT_FOUND),
    (ErrorKind::AlreadyExists, MEMOOM_ERR_ALREADY_EXISTS),
    (ErrorKind::Busy, MEMOOM_ERR_BUSY),
    (ErrorKind::Closed, MEMOOM_ERR_CLOSED),
    (ErrorKind::WorkerGone, MEMOOM_ERR_WORKER_GONE),
    (ErrorKind::TimedOut, MEMOOM_ERR_TIMED_OUT),
    (ErrorKind::OutOfMemory, MEMOOM_ERR_OUT_OF_MEMORY),
    (ErrorKind::Interrupted, MEMOOM_ERR_INTERRUPTED),
    (ErrorKind::Io, MEMOOM_ERR_IO),
];

fn status_of(kind: ErrorKind) -> memoom_status {
    KINDS.iter().find(|(row, _)| *row == kind).map_or(MEMOOM_ERR_OTHER, |(_, status)| *status)
}

/// Why a call failed: status, errno, operation, path and a one-line message with the remedy.
///
/// Thread safety: it never changes, so any number of threads may read it.
pub struct memoom_error {
    pub(crate) status: memoom_status,
    pub(crate) errno: i32,
    pub(crate) operation: CString,
    pub(crate) path: Option<CString>,
    pub(crate) message: CString,
}

/// A failure on its way to the caller. It is two words, for every call may hold one.
pub(crate) enum Failure {
    Core(memoom::Error),
    Own(Box<Own>),
}

/// A failure of the boundary itself.
pub(crate) enum Own {
    /// A required pointer was NULL.
    Null(&'static str),
    /// An argument that the boundary itself refuses.
    Input(String),
    /// A system call of the boundary failed.
    System(&'static str, std::io::Error),
    Panic(String),
}

impl From<memoom::Error> for Failure {
    fn from(error: memoom::Error) -> Failure {
        Failure::Core(error)
    }
}

impl From<Own> for Failure {
    #[cold]
    fn from(own: Own) -> Failure {
        Failure::Own(Box::new(own))
    }
}

impl Failure {
    #[cold]
    pub(crate) fn null(parameter: &'static str) -> Failure {
        Own::Null(parameter).into()
    }

    pub(crate) fn input(why: impl Into<String>) -> Failure {
        Own::Input(why.into()).into()
    }

    /// As C reads it; `function` is the one that was called.
    pub(crate) fn into_error(self, function: &'static str) -> memoom_error {
        let own = |status, errno, message: String| memoom_error {
            status,
            errno,
            operation: text(function),
            path: None,
            message: text(format!("{function}: {message}")),
        };
        let failure = match self {
            Failure::Core(error) => {
                return memoom_error {
                    status: status_of(error.kind()),
                    errno: error.errno().unwrap_or(0),
                    operation: text(error.operation()),
                    path: error.concerned_path().map(|path| text(path.as_os_str().as_bytes())),
                    message: text(in_c(error.to_string())),
                }
            }
            Failure::Own(own) => *own,
        };
        match failure {
            Own::Null(parameter) => {
                own(MEMOOM_ERR_INVALID_INPUT, 0, format!("{parameter} is NULL; remedy: it is required"))
            }
            Own::Input(why) => own(MEMOOM_ERR_INVALID_INPUT, 0, why),
            Own::System(what, error) => {
                let errno = error.raw_os_error().unwrap_or(0);
                own(MEMOOM_ERR_IO, errno, format!("{what}: {}", descriptor_refused(errno, &error)))
            }
            Own::Panic(why) => {
                own(MEMOOM_ERR_PANIC, 0, format!("a defect of memoom was caught: {why}; remedy: report it"))
            }
        }
    }
}

/// Why the system would not take a descriptor, by the name of its errno and with the remedy.
fn descriptor_refused(errno: i32, error: &std::io::Error) -> String {
    match errno {
        libc::EBADF => "EBADF: no open descriptor; remedy: give one that is open in this process".to_string(),
        libc::EMFILE => "EMFILE: too many open descriptors; remedy: raise RLIMIT_NOFILE, or close some".to_string(),
        _ => error.to_string(),
    }
}

/// The name of each status, in the order of the numbers.
pub(crate) fn status_name(status: memoom_status) -> &'static std::ffi::CStr {
    match status {
        MEMOOM_OK => c"ok",
        MEMOOM_ERR_INVALID_INPUT => c"invalid-input",
        MEMOOM_ERR_UNSUPPORTED => c"unsupported",
        MEMOOM_ERR_PERMISSION_DENIED => c"permission-denied",
        MEMOOM_ERR_NOT_FOUND => c"not-found",
        MEMOOM_ERR_ALREADY_EXISTS => c"already-exists",
        MEMOOM_ERR_BUSY => c"busy",
        MEMOOM_ERR_CLOSED => c"closed",
        MEMOOM_ERR_WORKER_GONE => c"worker-gone",
        MEMOOM_ERR_TIMED_OUT => c"timed-out",
        MEMOOM_ERR_OUT_OF_MEMORY => c"out-of-memory",
        MEMOOM_ERR_INTERRUPTED => c"interrupted",
        MEMOOM_ERR_IO => c"io",
        MEMOOM_ERR_PANIC => c"panic",
        _ => c"other",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_of_the_table_has_a_status_and_a_name_of_its_own() {
        let mut seen = BTreeSet::new();
        for (row, (kind, status)) in KINDS.into_iter().enumerate() {
            // The numbers are frozen: the table stands in their order.
            assert_eq!(status, -1 - i32::try_from(row).unwrap(), "{kind}");
            assert_eq!(status_of(kind), status, "{kind}");
            assert_eq!(status_name(status).to_str().unwrap(), kind.name());
            assert!(seen.insert(status));
        }
        assert!(!seen.contains(&MEMOOM_ERR_OTHER) && !seen.contains(&MEMOOM_ERR_PANIC) && !seen.contains(&MEMOOM_OK));
        assert_ne!(MEMOOM_ERR_OTHER, MEMOOM_ERR_PANIC);
    }

    #[test]
    fn a_null_pointer_is_named() {
        let error = Failure::null("ret_lab").into_error("memoom_lab_create");
        assert_eq!(error.status, MEMOOM_ERR_INVALID_INPUT);
        assert!(error.message.to_str().unwrap().starts_with("memoom_lab_create: ret_lab is NULL"));
    }
}
