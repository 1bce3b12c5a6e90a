//! What happened: the watch, and the kernel's reports.

use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use memoom::Subject;
use pyo3::prelude::*;
use pyo3::IntoPyObjectExt;

use crate::convert::{ready, timeout, value, waiting, whole, working};
use crate::memcg::Group;

mod report;

/// Who killed what memoom did not watch; the last OOM kill where nothing is named.
#[pyfunction]
#[pyo3(signature = (pid=None, *, group=None, unit=None, container=None, pod=None, slurm=None, record=None, log=None))]
#[allow(clippy::too_many_arguments)] // each is one word of the caller's
fn postmortem(
    py: Python<'_>,
    #[pyo3(from_py_with = whole::pid)] pid: Option<i32>,
    group: Option<PathBuf>,
    unit: Option<String>,
    container: Option<String>,
    pod: Option<String>,
    slurm: Option<String>,
    record: Option<PathBuf>,
    log: Option<PathBuf>,
) -> PyResult<Py<PyAny>> {
    let named = pid.map(Subject::Pid).into_iter().chain(named(unit, container, pod, slurm));
    let subject = one_of(named, group.is_some(), "postmortem")?;
    let mut options = memoom::PostmortemOptions::default();
    (options.record, options.log) = (record, log);
    let answer = match group {
        Some(group) => working(py, move || memoom::postmortem_of_group_with(&group, &options)),
        None => working(py, move || memoom::postmortem_with(&subject, &options)),
    }?;
    let made = value(py, "Postmortem", answer.to_json(), Some(answer.to_text()))?;
    crate::account::with(py, &made, "full_text", answer.to_full_text().into_py_any(py)?)
}

/// Opens a watch of all groups that have a name, those that come later too; of all groups of this machine where none is
/// given.
#[pyfunction]
#[pyo3(signature = (*, unit=None, container=None, pod=None, slurm=None))]
fn watch(
    py: Python<'_>,
    unit: Option<String>,
    container: Option<String>,
    pod: Option<String>,
    slurm: Option<String>,
) -> PyResult<Watch> {
    ready(py)?;
    let subject = one_of(named(unit, container, pod, slurm), false, "watch")?;
    working(py, move || memoom::watch_of(&subject)).map(Watch::of)
}

fn named(
    unit: Option<String>,
    container: Option<String>,
    pod: Option<String>,
    slurm: Option<String>,
) -> impl Iterator<Item = Subject> {
    let subjects = [
        unit.map(Subject::Unit),
        container.map(Subject::Container),
        pod.map(Subject::Pod),
        slurm.as_deref().map(Subject::slurm),
    ];
    subjects.into_iter().flatten()
}

/// The only one; `Last` where there is none.
fn one_of(mut subjects: impl Iterator<Item = Subject>, or_other: bool, function: &str) -> PyResult<Subject> {
    let (subject, more) = (subjects.next(), subjects.next().is_some());
    if more || subject.is_some() && or_other {
        return Err(pyo3::exceptions::PyTypeError::new_err(format!("{function}() takes one of its arguments")));
    }
    Ok(subject.unwrap_or(Subject::Last))
}

/// A pollable stream of the events of a group and of the groups below it.
#[pyclass(frozen, module = "memoom")]
pub(crate) struct Watch {
    core: Mutex<Option<memoom::Watch>>,
    fd: RawFd,
    group: memoom::Group,
}

impl Watch {
    pub(crate) fn of(core: memoom::Watch) -> Watch {
        Watch { fd: core.as_fd().as_raw_fd(), group: core.group().clone(), core: Mutex::new(Some(core)) }
    }

    /// Runs a waiting call on the watch. While another thread waits on it, this one waits for its turn in slices, so
    /// that the deadline and the caller's signal handlers keep their word.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        operation: &'static str,
        seconds: Option<f64>,
        call: impl Fn(&mut memoom::Watch, memoom::Wait<'_>) -> memoom::Result<Option<T>> + Send + Sync,
    ) -> PyResult<Option<T>> {
        const SLICE: Duration = Duration::from_millis(2);
        let deadline = timeout(py, operation, seconds)?.and_then(|within| Instant::now().checked_add(within));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()).as_secs_f64());
            let mut turn = None;
            let mut closed = false;
            let found = waiting(py, operation, left, |wait| {
                let mut watch = match self.core.try_lock() {
                    Ok(watch) => watch,
                    Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                    Err(TryLockError::WouldBlock) => {
                        std::thread::sleep(SLICE);
                        return Ok(None);
                    }
                };
                turn = Some(());
                match watch.as_mut() {
                    Some(watch) => call(watch, wait),
                    None => {
                        closed = true;
                        Ok(None)
                    }
                }
            })?;
            if closed {
                return Err(self.was_closed(py, operation));
            }
            if turn.is_some() || left == Some(0.0) {
                return Ok(found);
            }
            py.check_signals()?;
        }
    }

    fn was_closed(&self, py: Python<'_>, operation: &str) -> PyErr {
        let message = format!("{operation}: the watch was closed; remedy: open a new one with group.watch()");
        let made = py
            .import("memoom._errors")
            .and_then(|module| module.getattr("from_core"))
            .and_then(|make| make.call1(("closed", message, None::<i32>, operation, self.group.path())));
        made.map_or_else(|broken| broken, PyErr::from_value)
    }

    fn lock(&self) -> MutexGuard<'_, Option<memoom::Watch>> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Group {
    /// Has everything recorded that the accounts of an opened group are made of, by its next watch: for `replay`.
    fn record(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        working(py, || self.core.record(&path))
    }

    /// Opens a watch; open it before the workers start, so that it sees everything. `recursive` reads the counters and
    /// notifications of the groups below too, also of those that are made later; in a lab that is always so.
    #[pyo3(signature = (*, recursive=false))]
    fn watch(&self, py: Python<'_>, recursive: bool) -> PyResult<Watch> {
        working(py, || if recursive { self.core.watch_recursive() } else { self.core.watch() }).map(Watch::of)
    }
}

#[pymethods]
impl Watch {
    /// The group that is watched.
    #[getter]
    fn group(&self) -> Group {
        Group::of(self.group.clone())
    }

    /// Whether a group is there that the watch is of: what has a name may be watched before it is started.
    #[getter]
    fn has_groups(&self, py: Python<'_>) -> PyResult<bool> {
        let found = self.with(py, "look for groups", None, |watch, _| watch.has_groups().map(Some))?;
        Ok(found.unwrap_or(false))
    }

    /// Says that this process is about to pass on a signal that it was sent, and who that names where it ends `target`.
    fn will_pass_on(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = whole::sender)] target: i32,
        #[pyo3(from_py_with = whole::signal)] signal: i32,
        #[pyo3(from_py_with = whole::sender)] pid: i32,
        #[pyo3(from_py_with = whole::uid)] uid: u32,
    ) -> PyResult<Option<Py<PyAny>>> {
        let say =
            |watch: &mut memoom::Watch, _: memoom::Wait<'_>| watch.will_pass_on(target, signal, pid, uid).map(Some);
        let by = self.with(py, "pass on signal", None, say)?;
        by.map(|by| value(py, "KilledBy", serde_json::json!(by).to_string(), Some(by.to_text()))).transpose()
    }

    /// Keeps a record of whatever dies from now on in a directory, for `postmortem`: `bytes` is the most that it may hold.
    #[pyo3(signature = (directory, bytes=67_108_864))]
    fn keep_record(
        &self,
        py: Python<'_>,
        directory: PathBuf,
        #[pyo3(from_py_with = whole::bytes)] bytes: u64,
    ) -> PyResult<()> {
        self.with(py, "keep record", None, |watch, _| watch.keep_record(&directory, bytes).map(Some)).map(drop)
    }

    /// The next event; None when there is none by the deadline.
    #[pyo3(signature = (timeout=None))]
    fn next(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<Py<PyAny>>> {
        let event = self.with(py, "read watch", timeout, |watch, wait| watch.next(wait))?;
        event.map(|event| value(py, "Event", event.to_json(), Some(event.to_text()))).transpose()
    }

    /// The account of the next OOM; None when there is none by the deadline.
    #[pyo3(signature = (timeout=None))]
    fn wait_oom(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<Py<PyAny>>> {
        let oom = self.with(py, "wait for OOM", timeout, |watch, wait| watch.wait_oom(wait))?;
        oom.map(|oom| crate::account::oom(py, &oom)).transpose()
    }

    /// The next event, awaitable.
    #[pyo3(signature = (timeout=None))]
    fn next_async(slf: Bound<'_, Watch>, timeout: Option<f64>) -> PyResult<Bound<'_, PyAny>> {
        slf.py().import("memoom._aio")?.getattr("next_event")?.call1((&slf, timeout))
    }

    /// The account of the next OOM, awaitable.
    #[pyo3(signature = (timeout=None))]
    fn wait_oom_async(slf: Bound<'_, Watch>, timeout: Option<f64>) -> PyResult<Bound<'_, PyAny>> {
        slf.py().import("memoom._aio")?.getattr("next_oom")?.call1((&slf, timeout))
    }

    /// The descriptor to poll for reading: readable when `next` or `wait_oom` may have something.
    fn fileno(&self, py: Python<'_>) -> PyResult<RawFd> {
        // A watch that another thread waits on is open.
        match self.core.try_lock() {
            Ok(watch) if watch.is_none() => Err(self.was_closed(py, "read watch")),
            _ => Ok(self.fd),
        }
    }

    /// Closes the watch. Closing twice is fine.
    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(self.lock().take()));
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.core.try_lock().is_ok_and(|watch| watch.is_none())
    }

    fn __enter__(slf: Py<Watch>) -> Py<Watch> {
        slf
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, py: Python<'_>, _args: &Bound<'_, pyo3::types::PyTuple>) {
        self.close(py);
    }

    fn __iter__(slf: Py<Watch>) -> Py<Watch> {
        slf
    }

    /// The next event; the stream ends when the group has gone.
    fn __next__(slf: Bound<'_, Watch>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        let found = py.import("memoom._aio")?.getattr("next_or_end")?.call1((&slf,))?;
        Ok((!found.is_none()).then(|| found.unbind()))
    }

    /// For `async with`: the same watch, with waits that are awaited.
    fn __aenter__(slf: Bound<'_, Watch>) -> PyResult<Bound<'_, PyAny>> {
        let waits = slf.py().import("memoom._aio")?.getattr("AsyncWatch")?.call1((&slf,))?;
        waits.call_method0("__aenter__")
    }

    #[pyo3(signature = (*args))]
    fn __aexit__<'py>(slf: &Bound<'py, Watch>, args: &Bound<'py, pyo3::types::PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let waits = slf.py().import("memoom._aio")?.getattr("AsyncWatch")?.call1((slf,))?;
        waits.call_method1("__aexit__", args)
    }

    fn __aiter__(slf: Py<Watch>) -> Py<Watch> {
        slf
    }

    fn __anext__(slf: Bound<'_, Watch>) -> PyResult<Bound<'_, PyAny>> {
        slf.py().import("memoom._aio")?.getattr("next_or_stop")?.call1((&slf,))
    }

    fn __repr__(&self) -> String {
        format!("<memoom.Watch of {}>", self.group.cgroup())
    }
}

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(postmortem, module)?)?;
    module.add_function(wrap_pyfunction!(watch, module)?)?;
    report::add(module)?;
    module.add_class::<Watch>()
}
