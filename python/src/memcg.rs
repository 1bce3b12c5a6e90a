//! The machine, and the lab on it, as Python has them; groups stand in the files below.

use std::path::PathBuf;

use memoom::LabOptions;
use pyo3::prelude::*;

use crate::convert::{limits, period, ready, value, version, whole, working, Most, Name, Size};
use crate::error::invalid;

mod group;
mod peak;

pub(crate) use group::Group;

/// Looks at this machine.
#[pyfunction]
fn probe(py: Python<'_>) -> PyResult<Py<PyAny>> {
    let found = working(py, memoom::Host::probe)?;
    host(py, &found)
}

/// A host, with its human text.
fn host(py: Python<'_>, host: &memoom::Host) -> PyResult<Py<PyAny>> {
    value(py, "Host", host.to_json(), Some(host.to_text()))
}

/// Raises why no lab can be made here; returns where one can.
#[pyfunction]
fn require_lab(py: Python<'_>) -> PyResult<()> {
    working(py, || memoom::Host::probe()?.require_lab())
}

/// Removes the labs of dead owners; the documents of what was found. With `parent` those that were made in there.
#[pyfunction]
#[pyo3(signature = (parent=None))]
fn gc(py: Python<'_>, parent: Option<PathBuf>) -> PyResult<Vec<Py<PyAny>>> {
    let found = working(py, || parent.map_or_else(memoom::gc, memoom::gc_below))?;
    found.iter().map(|one| value(py, "Leftover", one.to_json(), None)).collect()
}

/// What is behind the path of a group, as far as its names tell; None where they tell nothing.
#[pyfunction]
fn workload(py: Python<'_>, path: Name) -> PyResult<Option<Py<PyAny>>> {
    let found = memoom::memcg::workload(&path.0);
    found.map(|one| value(py, "Workload", one.to_json(), Some(one.words.clone()))).transpose()
}

/// Whether a group is another one or stands below it, by their paths.
#[pyfunction]
fn covers(outer: &str, inner: &str) -> bool {
    memoom::covers(outer, inner)
}

/// A size as the kernel reads it, in bytes.
#[pyfunction]
fn parse_size(size: Size) -> u64 {
    size.0
}

/// One safe place for experiments; `memoom.Lab` is this class with the manners of a context manager.
#[pyclass(frozen, subclass, module = "memoom._native")]
pub(crate) struct Lab {
    pub(crate) core: memoom::Lab,
}

#[pymethods]
impl Lab {
    #[new]
    #[pyo3(signature = (*, parent=None, helper_dir=None, kernel_log=true, call_path=true, sample_every=None, keep_events=None, keep_ooms=None, record=None))]
    #[allow(clippy::too_many_arguments)] // keywords, all of them
    fn new(
        py: Python<'_>,
        parent: Option<PathBuf>,
        helper_dir: Option<PathBuf>,
        kernel_log: bool,
        call_path: bool,
        sample_every: Option<f64>,
        #[pyo3(from_py_with = whole::keep_events)] keep_events: Option<usize>,
        #[pyo3(from_py_with = whole::keep_ooms)] keep_ooms: Option<usize>,
        record: Option<PathBuf>,
    ) -> PyResult<Lab> {
        ready(py)?;
        let sample_every = sample_every.map(|seconds| period(py, "make lab", seconds)).transpose()?;
        let default = LabOptions::default();
        let options = LabOptions {
            parent,
            helper_dir,
            kernel_log,
            call_path,
            sample_every,
            keep_events: keep_events.unwrap_or(default.keep_events),
            keep_ooms: keep_ooms.unwrap_or(default.keep_ooms),
            record,
        };
        let core = working(py, || memoom::Lab::with(&options))?;
        // A Ctrl-C of these milliseconds ends the lab here, before anybody has it to be closed.
        py.check_signals()?;
        Ok(Lab { core })
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    // Native, so that a second Ctrl-C cannot come between this call and the closing. A forked child that leaves the body
    // has nothing to close.
    #[pyo3(signature = (_kind, error, _trace))]
    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: Option<Bound<'_, PyAny>>,
        error: Option<Bound<'_, PyAny>>,
        _trace: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        if self.core.check_process("close lab").is_err() {
            return Ok(());
        }
        match (self.close(py), error) {
            (Err(later), Some(error)) => {
                // The first error is the one to be seen; what closing has to say is added to it as a note.
                let note = format!("closing {} failed too: {}", self.__repr__(), later.value(py));
                let _ = py.import("memoom._text").and_then(|text| text.getattr("note")?.call1((error, note)));
                Ok(())
            }
            (closed, _) => closed,
        }
    }

    /// Whether it is still to be closed by this process; a forked child has nothing to close.
    #[getter]
    fn _open(&self) -> bool {
        !self.core.closed() && self.core.check_process("close lab").is_ok()
    }

    /// The last component of its directory; it records the owner.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    /// Its directory.
    #[getter]
    fn path(&self) -> PathBuf {
        self.core.path().to_path_buf()
    }

    /// The hierarchy in which it stands: "v1" or "v2".
    #[getter]
    fn hierarchy(&self) -> &'static str {
        version(self.core.version())
    }

    /// The process that starts, reaps and cleans up.
    #[getter]
    fn supervisor_pid(&self) -> i32 {
        self.core.supervisor_pid()
    }

    /// The host on which it stands, as it was when the lab was made.
    #[getter]
    fn host(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        host(py, self.core.host())
    }

    /// Makes a group at the lab's top, or below `parent`.
    #[pyo3(signature = (name=None, *, limit=None, swap=Some(Most(memoom::Limit::Bytes(0))), oom_group=None, oom_killer=None, high=None, parent=None),
           text_signature = "($self, name=None, *, limit=None, swap=0, oom_group=None, oom_killer=None, high=None, parent=None)")]
    #[allow(clippy::too_many_arguments)] // keywords of one Python call
    fn group(
        &self,
        py: Python<'_>,
        name: Option<Name>,
        limit: Option<Most>,
        swap: Option<Most>,
        oom_group: Option<bool>,
        oom_killer: Option<bool>,
        high: Option<Most>,
        parent: Option<Py<Group>>,
    ) -> PyResult<Group> {
        let limits = limits(limit, swap, high, oom_group, oom_killer);
        match (parent, name) {
            (Some(parent), Some(Name(name))) => working(py, || parent.get().core.child(&name, &limits)).map(Group::of),
            (Some(_), None) => {
                Err(invalid(py, "create group", "a group below another needs a name; remedy: give name="))
            }
            (None, Some(Name(name))) => working(py, || self.core.group_named(&name, &limits)).map(Group::of),
            (None, None) => working(py, || self.core.group(None, &limits)).map(Group::of),
        }
    }

    /// The groups that are there, in the order in which they were made.
    #[getter]
    fn groups(&self, py: Python<'_>) -> PyResult<Vec<Group>> {
        let groups = working(py, || self.core.check_process("get groups").map(|()| self.core.groups()))?;
        Ok(groups.into_iter().map(Group::of).collect())
    }

    /// Everything that happened so far, in order.
    fn timeline(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        working(py, || self.core.check_process("get timeline"))?;
        let timeline = py.detach(|| self.core.timeline());
        crate::account::timeline(py, &timeline)
    }

    /// Ends the lab: every worker is killed, every group removed. Closing twice is fine.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        working(py, || self.core.close())
    }

    /// Whether the lab was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.core.closed()
    }

    fn __repr__(&self) -> String {
        let closed = if self.core.closed() { ", closed" } else { "" };
        format!("<memoom.Lab {}{closed}>", self.core.name())
    }
}

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(probe, module)?)?;
    module.add_function(wrap_pyfunction!(require_lab, module)?)?;
    module.add_function(wrap_pyfunction!(gc, module)?)?;
    module.add_function(wrap_pyfunction!(covers, module)?)?;
    module.add_function(wrap_pyfunction!(workload, module)?)?;
    module.add_function(wrap_pyfunction!(parse_size, module)?)?;
    module.add_class::<Lab>()?;
    module.add_class::<peak::Peak>()?;
    module.add_class::<Group>()
}
