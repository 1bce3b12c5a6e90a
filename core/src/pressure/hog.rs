//! A hog: a worker that takes memory in acknowledged steps.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;

use super::kind::{Kind, Pattern};
use super::worker::Worker;
use crate::error::{Error, ErrorKind, Result};
use crate::helper::supervisor::Role;
use crate::lab::group::Group;
use crate::pressure::needs::Assignment;

/// What a new hog may be told.
#[derive(Debug, Clone)]
pub struct HogOptions {
    /// Its name, as the kernel shows it (comm): 1 to 15 bytes.
    pub name: String,
    /// The kind of memory.
    pub kind: Kind,
    /// How it is touched; see [`Kind::patterns`].
    pub pattern: Pattern,
    /// For [`Kind::File`] the directory in which its file stands, without a name; otherwise the first of the directory
    /// for temporary files, /var/tmp, the working directory and $HOME that is on a real file system.
    pub directory: Option<PathBuf>,
    /// Bytes of a step that does not say how many.
    pub step_bytes: u64,
    /// Its `oom_score_adj`, -1000 to 1000. Below the caller's own start value it needs CAP_SYS_RESOURCE.
    pub oom_score_adj: i16,
    /// Take a step even where it makes the kernel try without end, as every process in reach of the limit has
    /// `oom_score_adj` -1000. Such a step needs a deadline, and at its end the hog is killed.
    pub force: bool,
}

impl Default for HogOptions {
    fn default() -> HogOptions {
        HogOptions {
            name: "hog".to_string(),
            kind: Kind::Anon,
            pattern: Pattern::Write,
            directory: None,
            step_bytes: 10 << 20,
            oom_score_adj: 0,
            force: false,
        }
    }
}

impl HogOptions {
    /// A hog of that name, for the rest as by default: anonymous memory, 10 MiB a step.
    pub fn named(name: &str) -> HogOptions {
        HogOptions { name: name.to_string(), ..HogOptions::default() }
    }
}

/// A worker that takes memory in acknowledged steps. Clones are the same hog.
#[derive(Clone)]
pub struct Hog {
    worker: Worker,
    kind: Kind,
    pattern: Pattern,
    pub(super) work: u32,
    step_bytes: u64,
    pub(super) force: bool,
}

impl Group {
    /// Starts a hog. It has taken no memory yet and charges at most 128 KiB to the group, or
    /// 12 pages where that is more.
    ///
    /// # Errors
    /// `InvalidInput` for the name, the score, a pattern that the kind does not know, or a limit below what a process
    /// needs to start; `Unsupported` where this machine lacks what the kind needs, with the remedy; `PermissionDenied`
    /// for an `oom_score_adj` that this process may not set; `WorkerGone` where it was killed before it was ready;
    /// `Closed`.
    pub fn hog(&self, options: &HogOptions) -> Result<Hog> {
        check_comm("start hog", &options.name)?;
        check_score("start hog", options.oom_score_adj)?;
        if options.step_bytes == 0 {
            return Err(Error::new(ErrorKind::InvalidInput, "start hog", "the step is 0 bytes")
                .remedy("give a step of at least 1 byte"));
        }
        let assignment = Assignment::prepare(options.kind, options.pattern, options.directory.as_deref())?;
        let role = Role::Hog { work: assignment.work, directory: assignment.directory() };
        let worker = self.start("start hog", options.name.as_bytes(), options.oom_score_adj, role)?;
        let HogOptions { kind, pattern, step_bytes, force, .. } = *options;
        Ok(Hog { worker, kind, pattern, work: assignment.work, step_bytes, force })
    }
}

pub(crate) fn check_score(operation: &'static str, oom_score_adj: i16) -> Result<()> {
    if (-1000..=1000).contains(&oom_score_adj) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, operation, "oom_score_adj is outside -1000 to 1000").value(oom_score_adj))
}

pub(crate) fn check_comm(operation: &'static str, name: &str) -> Result<()> {
    let why = match name.as_bytes() {
        b"" => "the name is empty",
        bytes if bytes.len() > 15 => "the kernel shows at most 15 bytes of a name",
        bytes if bytes.contains(&0) => "the name must not hold a NUL byte",
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::InvalidInput, operation, why).value(name).remedy("give a name of 1 to 15 bytes"))
}

impl Hog {
    /// Bytes that it holds, by its own word.
    pub fn total_bytes(&self) -> u64 {
        self.worker.process.progress().total_bytes
    }

    /// Bytes of a step that does not say how many.
    pub fn step_bytes(&self) -> u64 {
        self.step_bytes
    }

    /// The kind of memory that it takes.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How it touches what it takes.
    pub fn pattern(&self) -> Pattern {
        self.pattern
    }

    /// It as a worker, for what hogs and tickers and commands have in common.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }
}

impl Deref for Hog {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        &self.worker
    }
}

impl fmt::Debug for Hog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hog({}, pid {}, {} bytes)", self.name(), self.pid(), self.total_bytes())
    }
}
