//! Pressure: workers, hogs, commands, and the one call that runs a command under a limit.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;

use memoom::Command;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::{limits, timeout, value, waiting, working, Most, Size};
use crate::error::invalid;
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
        Py::new(py, Worker { core, pipes: [None, None, None] })
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
    fn name(&self) -> String {
        self.core.name()
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
    fn signal(&self, py: Python<'_>, signal: i32) -> PyResult<()> {
        working(py, || self.core.signal(signal))
    }

    fn __repr__(&self) -> String {
        format!("<memoom.Worker {} pid {}>", self.core.name(), self.core.pid())
    }

    /// What a notebook shows.
    fn _repr_html_(slf: Bound<'_, Worker>) -> PyResult<Bound<'_, PyAny>> {
        slf.py().import("memoom._display")?.call_method1("worker_html", (slf,))
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

/// The three standard descriptors of a command, from what Python was given (`memoom._stdio` reads it).
pub(crate) struct Stdio {
    plan: Py<PyAny>,
    child: [memoom::Stdio; 3],
}

impl Stdio {
    pub(crate) fn open(
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
    pub(crate) fn settle(self, py: Python<'_>, started: PyResult<memoom::Worker>) -> PyResult<Py<Worker>> {
        drop(self.child);
        let plan = self.plan.bind(py);
        match started {
            Ok(core) => {
                let pipes: [Option<Py<PyAny>>; 3] = plan.call_method0("started")?.extract()?;
                Py::new(py, Worker { core, pipes })
            }
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
pub(crate) fn command_of(
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
    let argv = argv.try_iter()?.map(|argument| os_string(&argument?)).collect::<PyResult<Vec<_>>>()?;
    let env = match env {
        None => None,
        Some(env) => {
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

/// Text, bytes or a path, as the system has it.
fn os_string(value: &Bound<'_, PyAny>) -> PyResult<OsString> {
    use std::os::unix::ffi::OsStringExt;
    let plain = value.py().import("os")?.getattr("fsencode")?.call1((value,))?;
    Ok(OsString::from_vec(plain.cast::<PyBytes>()?.as_bytes().to_vec()))
}

/// Runs a command under limits, in a lab of its own, and waits for its end.
#[pyfunction]
#[pyo3(signature = (argv, *, limit=None, swap=Some(Most(memoom::Limit::Bytes(0))), high=None, oom_group=None, oom_killer=None, timeout=None,
                    env=None, cwd=None, stdin=None, stdout=None, stderr=None, oom_score_adj=0, kernel_log=true, call_path=true, started=None),
       text_signature = "(argv, *, limit=None, swap=0, high=None, oom_group=None, oom_killer=None, timeout=None, env=None, cwd=None, stdin=None, stdout=None, stderr=None, oom_score_adj=0, kernel_log=True, call_path=True, started=None)")]
#[allow(clippy::too_many_arguments)] // keywords of one Python call
fn run(
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
    started: Option<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let stdio = Stdio::open(py, stdin, stdout, stderr)?;
    let run = memoom::Run {
        command: command_of(argv, env, cwd, &stdio, oom_score_adj)?,
        limits: limits(limit, swap, high, oom_group, oom_killer),
        timeout: self::timeout(py, "run", timeout)?,
        lab: memoom::LabOptions { kernel_log, call_path, ..Default::default() },
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

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(run, module)?)?;
    module.add_class::<Worker>()?;
    module.add_class::<Hog>()
}
