//! A command from its keyword arguments, and where its three standard descriptors go.

use std::ffi::OsString;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;

use memoom::Command;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::invalid;

/// The three standard descriptors of a command, from what Python was given (`memoom._stdio` reads it).
pub(super) struct Stdio {
    plan: Py<PyAny>,
    pub(super) child: [memoom::Stdio; 3],
}

impl Stdio {
    pub(super) fn open(
        py: Python<'_>,
        stdin: Option<&Bound<'_, PyAny>>,
        stdout: Option<&Bound<'_, PyAny>>,
        stderr: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Stdio> {
        let plan = py.import("memoom._stdio")?.getattr("Plan")?.call1((stdin, stdout, stderr))?;
        let wanted: [Option<RawFd>; 3] = plan.getattr("child")?.extract()?;
        let mut child: [memoom::Stdio; 3] = Default::default();
        for (slot, wanted) in child.iter_mut().zip(wanted) {
            *slot = match wanted {
                None => memoom::Stdio::Inherit,
                Some(fd) if fd < 0 => memoom::Stdio::Null,
                Some(fd) => memoom::Stdio::Fd(Arc::new(duplicate(fd)?)),
            };
        }
        Ok(Stdio { plan: plan.unbind(), child })
    }

    /// After the start: the child's ends are closed here, and ours are handed out, or closed where the start failed.
    pub(super) fn settle<T>(self, py: Python<'_>, started: PyResult<T>) -> PyResult<(T, [Option<Py<PyAny>>; 3])> {
        drop(self.child);
        let plan = self.plan.bind(py);
        match started {
            Ok(core) => Ok((core, plan.call_method0("started")?.extract()?)),
            Err(error) => {
                plan.call_method0("failed")?;
                Err(error)
            }
        }
    }
}

/// A copy of a descriptor that Python has open, made by Python so that a closed one is an OSError.
fn duplicate(fd: RawFd) -> PyResult<OwnedFd> {
    Ok(borrow(fd)?.try_clone_to_owned()?)
}

#[allow(unsafe_code)]
fn borrow<'fd>(fd: RawFd) -> PyResult<BorrowedFd<'fd>> {
    if fd < 0 {
        return Err(pyo3::exceptions::PyValueError::new_err("negative file descriptor"));
    }
    // SAFETY: the caller of the Python function promises that the descriptor is open during the call; a number that is
    // not open makes the duplication fail with EBADF.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// A command from its keyword arguments.
pub(super) fn command_of(
    argv: &Bound<'_, PyAny>,
    env: Option<&Bound<'_, PyAny>>,
    cwd: Option<PathBuf>,
    stdio: &Stdio,
    oom_score_adj: i16,
) -> PyResult<Command> {
    let py = argv.py();
    if argv.is_instance_of::<pyo3::types::PyString>() || argv.is_instance_of::<PyBytes>() {
        return Err(invalid(
            py,
            "start command",
            "argv is a text, not a list of arguments; remedy: split it, or run [\"sh\", \"-c\", text]",
        ));
    }
    let argv = arguments(argv)?;
    let env = match env {
        None => None,
        Some(env) => {
            if !env.hasattr("items")? {
                let shown: String = env.repr()?.to_string_lossy().chars().take(80).collect();
                let why = format!(
                    "env={shown} is no mapping; remedy: give a dict, such as {{**os.environ, \"NAME\": \"value\"}}"
                );
                return Err(invalid(py, "start command", &why));
            }
            let pairs = env.call_method0("items")?;
            let pair = |item: Bound<'_, PyAny>| Ok((os_string(&item.get_item(0)?)?, os_string(&item.get_item(1)?)?));
            Some(pairs.try_iter()?.map(|item| pair(item?)).collect::<PyResult<Vec<_>>>()?)
        }
    };
    let mut command = Command::new(argv);
    command.env = env;
    command.cwd = cwd;
    command.stdio = stdio.child.clone();
    command.oom_score_adj = oom_score_adj;
    Ok(command)
}

/// A list of arguments.
pub(super) fn arguments(argv: &Bound<'_, PyAny>) -> PyResult<Vec<OsString>> {
    argv.try_iter()?.map(|argument| os_string(&argument?)).collect()
}

/// Text, bytes or a path, as the system has it.
fn os_string(value: &Bound<'_, PyAny>) -> PyResult<OsString> {
    use std::os::unix::ffi::OsStringExt;
    let plain = value.py().import("os")?.getattr("fsencode")?.call1((value,))?;
    Ok(OsString::from_vec(plain.cast::<PyBytes>()?.as_bytes().to_vec()))
}
