//! Workers and hogs, as Python has them.

use std::os::fd::{AsRawFd, RawFd};

use pyo3::prelude::*;

use crate::convert::{readable, value, waiting, whole, working, Size};
use crate::memcg::Group;

/// One process in a group.
#[pyclass(frozen, subclass, module = "memoom")]
pub(crate) struct Worker {
    pub(crate) core: memoom::Worker,
    /// Our ends of the pipes of a command: standard input, output and error.
    pipes: [Option<Py<PyAny>>; 3],
}

impl Worker {
    pub(crate) fn make(py: Python<'_>, core: memoom::Worker) -> PyResult<Py<Worker>> {
        Worker::with_pipes(py, core, [None, None, None])
    }

    /// With our ends of its pipes.
    pub(super) fn with_pipes(
        py: Python<'_>,
        core: memoom::Worker,
        pipes: [Option<Py<PyAny>>; 3],
    ) -> PyResult<Py<Worker>> {
        Py::new(py, Worker { core, pipes })
    }

    fn pipe(&self, py: Python<'_>, at: usize) -> Option<Py<PyAny>> {
        self.pipes[at].as_ref().map(|pipe| pipe.clone_ref(py))
    }
}

#[pymethods]
impl Worker {
    /// Its pid.
    #[getter]
    fn pid(&self) -> i32 {
        self.core.pid()
    }

    /// Its name, as the kernel shows it.
    #[getter]
    fn name(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        readable(py, &self.core.name())
    }

    /// The group in which it stands.
    #[getter]
    fn group(&self) -> Group {
        Group::of(self.core.group().clone())
    }

    /// The letter of its state; "X" when it has ended.
    #[getter]
    fn state(&self, py: Python<'_>) -> PyResult<String> {
        working(py, || self.core.state()).map(String::from)
    }

    /// Whether it has ended.
    #[getter]
    fn ended(&self, py: Python<'_>) -> bool {
        py.detach(|| self.core.ended())
    }

    /// Ticks that a ticker has reported.
    #[getter]
    fn ticks(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.core.ticks())
    }

    /// Our end of its standard input, where that is a pipe.
    #[getter]
    fn stdin(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.pipe(py, 0)
    }

    /// Our end of its standard output, where that is a pipe.
    #[getter]
    fn stdout(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.pipe(py, 1)
    }

    /// Our end of its standard error, where that is a pipe.
    #[getter]
    fn stderr(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.pipe(py, 2)
    }

    /// A descriptor of the process that becomes readable at its end (a pidfd).
    fn fileno(&self) -> RawFd {
        self.core.pidfd().as_raw_fd()
    }

    /// Waits for its end and gives the verdict.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let outcome = waiting(py, "wait for worker", timeout, |wait| self.core.wait(wait))?;
        crate::account::outcome(py, &outcome)
    }

    /// Sends SIGKILL. A worker that has ended is left alone.
    fn kill(&self, py: Python<'_>) -> PyResult<()> {
        working(py, || self.core.kill())
    }

    /// Sends a signal. A worker that has ended is left alone.
    fn signal(&self, py: Python<'_>, #[pyo3(from_py_with = whole::signal)] signal: i32) -> PyResult<()> {
        working(py, || self.core.signal(signal))
    }

    /// Passes on a signal that this process was sent: where it ends the worker, that sender is named.
    fn pass_on(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = whole::signal)] signal: i32,
        #[pyo3(from_py_with = whole::sender)] pid: i32,
        #[pyo3(from_py_with = whole::uid)] uid: u32,
    ) -> PyResult<()> {
        working(py, || self.core.pass_on(signal, pid, uid))
    }

    fn __repr__(&self) -> String {
        format!("<memoom.Worker {} pid {}>", self.core.name(), self.core.pid())
    }

    /// What a notebook shows.
    fn _repr_html_(slf: Bound<'_, Worker>) -> PyResult<Bound<'_, PyAny>> {
        slf.py().import("memoom._display")?.call_method1("html", (slf,))
    }
}

/// A worker that takes memory in acknowledged steps.
#[pyclass(frozen, extends = Worker, module = "memoom")]
pub(crate) struct Hog {
    core: memoom::Hog,
}

impl Hog {
    pub(crate) fn make(py: Python<'_>, core: memoom::Hog) -> PyResult<Py<Hog>> {
        let worker = Worker { core: core.worker().clone(), pipes: [None, None, None] };
        Py::new(py, PyClassInitializer::from(worker).add_subclass(Hog { core }))
    }
}

#[pymethods]
impl Hog {
    /// Takes one step and says how it ended.
    #[pyo3(signature = (size=None, timeout=None))]
    fn grow(&self, py: Python<'_>, size: Option<Size>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let size = size.map(|size| size.0);
        let grow = waiting(py, "grow", timeout, |wait| self.core.grow(size, wait))?;
        grow_value(py, &grow)
    }

    /// Waits for the answer to a step that was blocked, or still going on at its deadline.
    #[pyo3(signature = (timeout=None))]
    fn finish(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let grow = waiting(py, "grow", timeout, |wait| self.core.finish(wait))?;
        grow_value(py, &grow)
    }

    /// Takes steps at a pace until one of its ends is reached.
    #[pyo3(signature = (*, rate=None, total=None, below=None, until=None, timeout=None))]
    fn pace(
        &self,
        py: Python<'_>,
        rate: Option<Size>,
        total: Option<Size>,
        below: Option<Size>,
        until: Option<String>,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let bytes = |size: Option<Size>| size.map(|size| size.0);
        let pace =
            memoom::Pace { rate_bytes: bytes(rate), total_bytes: bytes(total), below_bytes: bytes(below), until };
        let paced = waiting(py, "pace", timeout, |wait| self.core.pace(&pace, wait))?;
        let document = serde_json::json!({
            "stop": paced.stop.name(),
            "steps": paced.steps,
            "total_bytes": paced.total_bytes,
            "last": paced.last.as_ref().map(grow_document),
        });
        value(py, "Paced", document.to_string(), None)
    }

    /// Gives back the newest `size` bytes, in whole pages, and says how many it was.
    #[pyo3(signature = (size, timeout=None))]
    fn shrink(&self, py: Python<'_>, size: Size, timeout: Option<f64>) -> PyResult<u64> {
        waiting(py, "shrink", timeout, |wait| self.core.shrink(size.0, wait))
    }

    /// Bytes that it holds, by its own word.
    #[getter]
    fn total_bytes(&self) -> u64 {
        self.core.total_bytes()
    }

    /// The kind of memory that it takes.
    #[getter]
    fn kind(&self) -> &'static str {
        self.core.kind().name()
    }

    /// How it touches what it takes.
    #[getter]
    fn pattern(&self) -> &'static str {
        self.core.pattern().name()
    }

    /// Bytes of a step that does not say how many.
    #[getter]
    fn step_bytes(&self) -> u64 {
        self.core.step_bytes()
    }

    /// What shows that it waits in the OOM at this moment; None when it does not.
    #[getter]
    fn blocked(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let blocked = py.detach(|| self.core.blocked());
        blocked.map(|blocked| value(py, "Blocked", blocked.to_json(), None)).transpose()
    }

    fn __repr__(&self) -> String {
        format!("<memoom.Hog {} pid {} {} bytes>", self.core.name(), self.core.pid(), self.core.total_bytes())
    }
}

/// The answer to a step, as the value class has it.
fn grow_value(py: Python<'_>, grow: &memoom::Grow) -> PyResult<Py<PyAny>> {
    value(py, "Grow", grow_document(grow).to_string(), None)
}

fn grow_document(grow: &memoom::Grow) -> serde_json::Value {
    serde_json::json!({
        "status": grow.status.name(),
        "step_bytes": grow.step_bytes,
        "taken_bytes": grow.taken_bytes,
        "errno": grow.errno,
        "total_bytes": grow.total_bytes,
        "blocked": grow.blocked,
    })
}
