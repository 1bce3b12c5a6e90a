//! A command of the user's as a worker: arguments, environment, working directory, the three standard descriptors.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::hog::check_score;
use super::worker::Worker;
use crate::error::{Error, ErrorKind, Result};
use crate::helper::supervisor::Role;
use crate::lab::group::Group;
use crate::memcg::files::Dir;
use crate::sys;

/// Where one of the standard descriptors of a command goes.
#[derive(Debug, Clone, Default)]
pub enum Stdio {
    /// Where the caller's goes.
    #[default]
    Inherit,
    /// To /dev/null.
    Null,
    /// To this descriptor; the caller may close its own when the command has started.
    Fd(Arc<OwnedFd>),
}

/// A program to be run as a worker.
#[derive(Debug, Clone, Default)]
pub struct Command {
    /// The program and its arguments. A name without `/` is looked for in `PATH`.
    pub argv: Vec<OsString>,
    /// The whole environment; the caller's if `None`.
    pub env: Option<Vec<(OsString, OsString)>>,
    /// The working directory; the caller's if `None`.
    pub cwd: Option<PathBuf>,
    /// Standard input, output and error.
    pub stdio: [Stdio; 3],
    /// Its `oom_score_adj`, -1000 to 1000.
    pub oom_score_adj: i16,
    /// Start it even where it makes the kernel try without end, as every process in reach of a limit has
    /// `oom_score_adj` -1000, and kill it after this time, whatever this process does by then.
    pub force_within: Option<Duration>,
}

impl Command {
    /// A command of that program and those arguments; everything else is the caller's.
    pub fn new<S: Into<OsString>>(argv: impl IntoIterator<Item = S>) -> Command {
        Command { argv: argv.into_iter().map(Into::into).collect(), ..Command::default() }
    }
}

impl Group {
    /// Starts a command in the group. It stands there before its first instruction, in the caller's process group, with
    /// default signal handling and no descriptor but the three standard ones.
    ///
    /// # Errors
    /// `InvalidInput` for no argument or a NUL byte, or where it has `oom_score_adj` -1000, a limit above it has nobody
    /// else to take, and it is not forced ([`Command::force_within`]); `NotFound` where the program is not there and `PermissionDenied`
    /// where it may not be run (the errno is that of execve); as [`Group::hog`] for the rest.
    pub fn command(&self, command: &Command) -> Result<Worker> {
        let operation = "start command";
        check_score(operation, command.oom_score_adj)?;
        self.check_unkillable(operation, command.oom_score_adj, command.force_within)?;
        let Some(program) = command.argv.first().filter(|program| !program.is_empty()) else {
            return Err(Error::new(ErrorKind::InvalidInput, operation, "no program is named")
                .remedy("give the program and its arguments"));
        };
        let argv = command.argv.iter().map(|argument| c_string(argument.as_bytes())).collect::<Result<Vec<_>>>()?;
        let entry = |key: &OsStr, value: &OsStr| c_string(&[key.as_bytes(), b"=", value.as_bytes()].concat());
        let mut env = Vec::new();
        match &command.env {
            Some(pairs) => {
                for (key, value) in pairs {
                    env.push(entry(key, value)?);
                }
            }
            None => {
                for (key, value) in std::env::vars_os() {
                    env.push(entry(&key, &value)?);
                }
            }
        }
        let path = env.iter().find_map(|entry| entry.to_bytes().strip_prefix(b"PATH="));
        let paths = candidates(program, path.map(OsStr::from_bytes))?;
        let cwd = match &command.cwd {
            Some(directory) => Some(Dir::open(directory)?),
            // By itself, not by its name: it may have been removed, or lie below what may not be searched.
            None => Some(Dir::open(Path::new("."))?),
        };
        let own = [0, 1, 2].map(sys::standard);
        let mut stdio: [Option<BorrowedFd<'_>>; 3] = [None; 3];
        for (at, wanted) in command.stdio.iter().enumerate() {
            stdio[at] = match wanted {
                // A descriptor that the caller has closed is /dev/null for the command.
                Stdio::Inherit => own[at].as_ref().ok().map(AsFd::as_fd),
                Stdio::Null => None,
                Stdio::Fd(fd) => Some(fd.as_fd()),
            };
        }
        let base = program.as_bytes().rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let name = base[..base.len().min(15)].to_vec();
        let role = Role::Command { argv: &argv, env: &env, paths: &paths, cwd: cwd.as_ref().map(AsFd::as_fd), stdio };
        let worker = self
            .start(operation, &name, command.oom_score_adj, role)
            .map_err(|error| error.value_bytes(program.as_bytes()))?;
        self.end_within(&worker, command.force_within)?;
        Ok(worker)
    }
}

/// The files that may be the program, as execvp(3) looks for it.
fn candidates(program: &OsStr, path: Option<&OsStr>) -> Result<Vec<CString>> {
    if program.as_bytes().contains(&b'/') {
        return Ok(vec![c_string(program.as_bytes())?]);
    }
    let path = path.unwrap_or(OsStr::new("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    std::env::split_paths(path)
        .map(|directory| {
            let directory = if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory };
            c_string(&directory.join(program).into_os_string().into_vec())
        })
        .collect()
}

fn c_string(bytes: &[u8]) -> Result<CString> {
    CString::new(bytes).map_err(|_| {
        Error::new(ErrorKind::InvalidInput, "start command", "an argument holds a NUL byte").value_bytes(bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_slash_is_not_looked_for() {
        let found = |program: &str, path: &str| -> Vec<String> {
            candidates(OsStr::new(program), Some(OsStr::new(path)))
                .unwrap()
                .iter()
                .map(|path| path.to_str().unwrap().to_string())
                .collect()
        };
        assert_eq!(found("./x", "/a:/b"), ["./x"]);
        assert_eq!(found("x", "/a:/b"), ["/a/x", "/b/x"]);
        assert_eq!(found("x", "/a:"), ["/a/x", "./x"]);
        let error = candidates(OsStr::new("a\0b"), None).unwrap_err().to_string();
        assert!(error.contains(r"(value ./a\x00b)") || error.contains(r"a\x00b)"), "escaped once: {error}");
    }
}
