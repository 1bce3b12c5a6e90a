//! The one call that runs a command under a limit.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyEllipsis, PyString};

use super::command::{arguments, command_of, Stdio};
use super::worker::Worker;
use crate::convert::{duration, limits, value, waiting, whole, Most, Size};

/// Runs a command under limits, in a lab of its own, and waits for its end.
#[pyfunction]
#[pyo3(signature = (argv, *, limit=None, swap=Some(Most(memoom::Limit::Bytes(0))), high=None, oom_group=None, oom_killer=None, timeout=None,
                    env=None, cwd=None, stdin=None, stdout=None, stderr=None, oom_score_adj=0, kernel_log=true, call_path=true, record=None, started=None, at_limit=None, headroom=Size(4 << 20), at_limit_timeout=60.0, raise_to=None),
       text_signature = "(argv, *, limit=None, swap=0, high=None, oom_group=None, oom_killer=None, timeout=None, env=None, cwd=None, stdin=None, stdout=None, stderr=None, oom_score_adj=0, kernel_log=True, call_path=True, record=None, started=None, at_limit=None, headroom=4194304, at_limit_timeout=60.0, raise_to=None)")]
#[allow(clippy::too_many_arguments)] // keywords of one Python call
pub(super) fn run(
    py: Python<'_>,
    argv: &Bound<'_, PyAny>,
    limit: Option<Most>,
    swap: Option<Most>,
    high: Option<Most>,
    oom_group: Option<bool>,
    oom_killer: Option<bool>,
    timeout: Option<f64>,
    env: Option<&Bound<'_, PyAny>>,
    cwd: Option<PathBuf>,
    stdin: Option<&Bound<'_, PyAny>>,
    stdout: Option<&Bound<'_, PyAny>>,
    stderr: Option<&Bound<'_, PyAny>>,
    #[pyo3(from_py_with = whole::oom_score_adj)] oom_score_adj: i16,
    kernel_log: bool,
    call_path: bool,
    record: Option<PathBuf>,
    started: Option<Py<PyAny>>,
    at_limit: Option<&Bound<'_, PyAny>>,
    headroom: Size,
    at_limit_timeout: f64,
    raise_to: Option<Size>,
) -> PyResult<Py<PyAny>> {
    let stdio = Stdio::open(py, stdin, stdout, stderr)?;
    let run = memoom::Run {
        command: command_of(argv, env, cwd, &stdio, oom_score_adj)?,
        limits: limits(limit, swap, high, oom_group, oom_killer),
        timeout: limit_of(py, timeout)?,
        lab: memoom::LabOptions { kernel_log, call_path, record, ..Default::default() },
        at_limit: match at_limit {
            Some(given) => Some(memoom::StopAtLimit {
                headroom_bytes: headroom.0,
                timeout: duration(py, "run", at_limit_timeout)?,
                raise_bytes: raise_to.map(|Size(bytes)| bytes),
                ..memoom::StopAtLimit::new(hook_of(given)?)
            }),
            None => None,
        },
    };
    drop(stdio.child);
    // What the caller's function raises must not be lost in the core, and the command must not go on without it.
    let mut refused: Option<PyErr> = None;
    let outcome = waiting(py, "run", None, |wait| {
        run.run_with(wait, |worker| {
            let Some(started) = &started else { return };
            let told = Python::attach(|py| started.call1(py, (Worker::make(py, worker.clone())?,)).map(drop));
            if let Err(error) = told {
                refused = Some(error);
                let _ = worker.kill();
            }
        })
    });
    match refused {
        Some(error) => Err(error),
        None => crate::account::outcome(py, &outcome?),
    }
}

/// A hook: a text for the shell, a list of arguments, or what is to be called.
fn hook_of(given: &Bound<'_, PyAny>) -> PyResult<memoom::Hook> {
    if let Ok(text) = given.cast::<PyString>() {
        return Ok(memoom::Hook::of(text.extract::<OsString>()?));
    }
    if !given.is_callable() {
        return Ok(memoom::Hook::Command(arguments(given)?));
    }
    let function = given.clone().unbind();
    let called = move |met: &memoom::AtLimit, _| {
        Python::attach(|py| {
            let met = value(py, "AtLimit", met.to_json(), Some(met.to_text()))?;
            // The package bounds it by time, and says so.
            Ok(match function.bind(py).call1((met,))? {
                answer if answer.is_none() => memoom::HookAnswer::Default,
                answer if answer.is(PyEllipsis::get(py)) => memoom::HookAnswer::TimedOut,
                answer => memoom::HookAnswer::Raise(answer.extract::<Size>()?.0),
            })
        })
        .map_err(|error: PyErr| error.to_string())
    };
    Ok(memoom::Hook::Function(memoom::HookFunction::new(called)))
}

/// How long the command may take. It is a setting and no deadline: less than nothing is a mistake.
pub(super) fn limit_of(py: Python<'_>, seconds: Option<f64>) -> PyResult<Option<Duration>> {
    match seconds {
        Some(seconds) if seconds != f64::INFINITY => duration(py, "run", seconds).map(Some),
        _ => Ok(None),
    }
}
