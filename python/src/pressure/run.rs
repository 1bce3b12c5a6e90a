//! The one call that runs a command under a limit.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::prelude::*;

use super::command::{command_of, Stdio};
use super::worker::Worker;
use crate::convert::{duration, limits, waiting, Most};

/// Runs a command under limits, in a lab of its own, and waits for its end.
#[pyfunction]
#[pyo3(signature = (argv, *, limit=None, swap=Some(Most(memoom::Limit::Bytes(0))), high=None, oom_group=None, oom_killer=None, timeout=None,
                    env=None, cwd=None, stdin=None, stdout=None, stderr=None, oom_score_adj=0, kernel_log=true, call_path=true, record=None, started=None),
       text_signature = "(argv, *, limit=None, swap=0, high=None, oom_group=None, oom_killer=None, timeout=None, env=None, cwd=None, stdin=None, stdout=None, stderr=None, oom_score_adj=0, kernel_log=True, call_path=True, record=None, started=None)")]
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
    oom_score_adj: i16,
    kernel_log: bool,
    call_path: bool,
    record: Option<PathBuf>,
    started: Option<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let stdio = Stdio::open(py, stdin, stdout, stderr)?;
    let run = memoom::Run {
        command: command_of(argv, env, cwd, &stdio, oom_score_adj)?,
        limits: limits(limit, swap, high, oom_group, oom_killer),
        timeout: limit_of(py, timeout)?,
        lab: memoom::LabOptions { kernel_log, call_path, record, ..Default::default() },
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

/// How long the command may take. It is a setting and no deadline: less than nothing is a mistake.
pub(super) fn limit_of(py: Python<'_>, seconds: Option<f64>) -> PyResult<Option<Duration>> {
    match seconds {
        Some(seconds) if seconds != f64::INFINITY => duration(py, "run", seconds).map(Some),
        _ => Ok(None),
    }
}
