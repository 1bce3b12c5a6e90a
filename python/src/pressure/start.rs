//! What starts workers in a group, and what needs them: methods of the group that stand with the workers.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::IntoPyObjectExt;

use super::command::{command_of, Stdio};
use super::worker::{Hog, Worker};
use crate::convert::{duration, waiting, whole, working, Most, Size};
use crate::error::{invalid, raise};
use crate::memcg::Group;

#[pymethods]
impl Group {
    /// Starts a hog: a worker that takes memory in acknowledged steps.
    #[pyo3(signature = (name="hog", *, kind="anon", pattern="write", directory=None, step=Size(10 << 20), oom_score_adj=0, force=false),
           text_signature = "($self, name='hog', *, kind='anon', pattern='write', directory=None, step='10M', oom_score_adj=0, force=False)")]
    #[allow(clippy::too_many_arguments)] // keywords of one Python call
    fn hog(
        slf: Bound<'_, Group>,
        name: &str,
        kind: &str,
        pattern: &str,
        directory: Option<PathBuf>,
        step: Size,
        #[pyo3(from_py_with = whole::oom_score_adj)] oom_score_adj: i16,
        force: bool,
    ) -> PyResult<Py<Hog>> {
        let py = slf.py();
        let options = hog_options(py, name, kind, pattern, directory, step, oom_score_adj, force)?;
        let core = &slf.get().core;
        Hog::make(py, working(py, || core.hog(&options))?)
    }

    /// Starts a ticker: a worker that takes no memory and reports that it is alive.
    #[pyo3(signature = (name="ticker", every=1.0, *, oom_score_adj=0))]
    fn ticker(
        &self,
        py: Python<'_>,
        name: &str,
        every: f64,
        #[pyo3(from_py_with = whole::oom_score_adj)] oom_score_adj: i16,
    ) -> PyResult<Py<Worker>> {
        let options = ticker_options(py, name, every, oom_score_adj)?;
        Worker::make(py, working(py, || self.core.ticker_with(&options))?)
    }

    /// Starts a command in the group.
    #[pyo3(signature = (argv, *, env=None, cwd=None, stdin=None, stdout=None, stderr=None, oom_score_adj=0, force_within=None))]
    #[allow(clippy::too_many_arguments)] // keywords of one Python call
    fn command(
        &self,
        py: Python<'_>,
        argv: &Bound<'_, PyAny>,
        env: Option<&Bound<'_, PyAny>>,
        cwd: Option<PathBuf>,
        stdin: Option<&Bound<'_, PyAny>>,
        stdout: Option<&Bound<'_, PyAny>>,
        stderr: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = whole::oom_score_adj)] oom_score_adj: i16,
        force_within: Option<f64>,
    ) -> PyResult<Py<Worker>> {
        let stdio = Stdio::open(py, stdin, stdout, stderr)?;
        let command = command_of(argv, env, cwd, &stdio, oom_score_adj)?;
        started(py, stdio, command, force_within, |command| self.core.command(command))
    }

    /// Ends a block: by a higher `limit`, by the death of the worker `kill`, or else by the kernel's choice of a victim.
    #[pyo3(signature = (*, limit=None, kill=None, timeout=None))]
    fn resume(
        &self,
        py: Python<'_>,
        limit: Option<Most>,
        kill: Option<PyRef<'_, Worker>>,
        timeout: Option<f64>,
    ) -> PyResult<()> {
        let worker = kill.map(|worker| worker.core.clone());
        let how = match (limit, &worker) {
            (Some(_), Some(_)) => {
                return Err(invalid(py, "resume", "limit and kill exclude each other; remedy: give one of them"))
            }
            (Some(limit), None) => memoom::Resume::Raise(limit.0),
            (None, Some(worker)) => memoom::Resume::Kill(worker),
            (None, None) => memoom::Resume::Killer,
        };
        waiting(py, "resume", timeout, |wait| self.core.resume(how, wait))
    }

    /// Makes an OOM happen in the group now, and gives its account and the way that brought it about.
    #[pyo3(signature = (target=None, *, way=None, timeout=None))]
    fn oom_now(
        &self,
        py: Python<'_>,
        target: Option<PyRef<'_, Worker>>,
        way: Option<&str>,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let way: Option<memoom::Way> = way.map(str::parse).transpose().map_err(|error| raise(py, &error))?;
        let target = target.map(|worker| worker.core.clone());
        let triggered = waiting(py, "oom now", timeout, |wait| self.core.oom_now(target.as_ref(), way, wait))?;
        let oom = crate::account::oom(py, &triggered.oom)?;
        py.import("memoom._values")?.getattr("Triggered")?.call1((triggered.way.name(), oom))?.into_py_any(py)
    }
}

/// What a hog is told by the keywords of Python.
#[allow(clippy::too_many_arguments)] // keywords of one Python call
pub(super) fn hog_options(
    py: Python<'_>,
    name: &str,
    kind: &str,
    pattern: &str,
    directory: Option<PathBuf>,
    step: Size,
    oom_score_adj: i16,
    force: bool,
) -> PyResult<memoom::HogOptions> {
    let kind = kind.parse().map_err(|error| raise(py, &error))?;
    let pattern = pattern.parse().map_err(|error| raise(py, &error))?;
    let (name, step_bytes) = (name.to_string(), step.0);
    Ok(memoom::HogOptions { name, kind, pattern, directory, step_bytes, oom_score_adj, force })
}

/// What a ticker is told by the keywords of Python.
pub(super) fn ticker_options(
    py: Python<'_>,
    name: &str,
    every: f64,
    oom_score_adj: i16,
) -> PyResult<memoom::TickerOptions> {
    let every = duration(py, "start ticker", every)?;
    Ok(memoom::TickerOptions { name: name.to_string(), every, oom_score_adj })
}

/// Starts a command, and gives its worker with the ends of its pipes.
pub(super) fn started(
    py: Python<'_>,
    stdio: Stdio,
    mut command: memoom::Command,
    force_within: Option<f64>,
    start: impl FnOnce(&memoom::Command) -> memoom::Result<memoom::Worker> + Send,
) -> PyResult<Py<Worker>> {
    command.force_within = force_within.map(|within| duration(py, "start command", within)).transpose()?;
    let started = working(py, || start(&command));
    let (core, pipes) = stdio.settle(py, started)?;
    Worker::with_pipes(py, core, pipes)
}
