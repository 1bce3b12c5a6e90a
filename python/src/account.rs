//! The accounts as values of the package.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyTuple};
use pyo3::IntoPyObjectExt;

use crate::convert::{value, working};

/// An account, with its human text and that of the kernel's report in it.
pub(crate) fn oom(py: Python<'_>, oom: &memoom::Oom) -> PyResult<Py<PyAny>> {
    let made = value(py, "Oom", oom.to_json(), Some(oom.to_text()))?;
    let made = with(py, &made, "short_text", oom.to_short_text().into_py_any(py)?)?;
    match &oom.report {
        Some(report) => with(py, &made, "report", self::report(py, report.clone())?),
        None => Ok(made),
    }
}

/// A report whose document and texts are made when somebody asks for them: a log may hold thousands.
#[pyclass(frozen, module = "memoom")]
struct ReportSource(Arc<memoom::Report>);

#[pymethods]
impl ReportSource {
    fn json(&self) -> String {
        self.0.to_json()
    }

    fn text(&self) -> String {
        self.0.to_text()
    }

    fn line(&self) -> String {
        self.0.to_line()
    }
}

/// A report as a value of the package.
pub(crate) fn report(py: Python<'_>, report: Arc<memoom::Report>) -> PyResult<Py<PyAny>> {
    let class = py.import("memoom._values")?.getattr("Report")?;
    class.call_method1("_later", (ReportSource(report),))?.into_py_any(py)
}

/// An outcome, with the accounts in it.
pub(crate) fn outcome(py: Python<'_>, outcome: &memoom::Outcome) -> PyResult<Py<PyAny>> {
    let made = value(py, "Outcome", outcome.to_json(), Some(outcome.to_text()))?;
    let made = with(py, &made, "short_text", outcome.to_short_text().into_py_any(py)?)?;
    with(py, &made, "ooms", ooms(py, &outcome.ooms)?)
}

/// A timeline, with the accounts beside it.
pub(crate) fn timeline(py: Python<'_>, timeline: &memoom::Timeline) -> PyResult<Py<PyAny>> {
    let made = value(py, "Timeline", timeline.to_json(), Some(timeline.to_text(false)))?;
    let made = with(py, &made, "full_text", timeline.to_text(true).into_py_any(py)?)?;
    with(py, &made, "ooms", ooms(py, &timeline.ooms)?)
}

fn ooms(py: Python<'_>, ooms: &[Arc<memoom::Oom>]) -> PyResult<Py<PyAny>> {
    let ooms = ooms.iter().map(|one| oom(py, one)).collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, ooms)?.into_py_any(py)
}

/// Puts a value that has a text of its own under a key of another.
pub(crate) fn with(py: Python<'_>, made: &Py<PyAny>, key: &str, part: Py<PyAny>) -> PyResult<Py<PyAny>> {
    made.call_method1(py, "_with", ([(key, part)].into_py_dict(py)?,))
}

/// Makes the accounts of a recording again.
#[pyfunction]
fn replay(py: Python<'_>, path: PathBuf) -> PyResult<Vec<Py<PyAny>>> {
    working(py, || memoom::replay(&path))?.iter().map(|one| oom(py, one)).collect()
}

/// What a kernel function does on the way to an OOM, in one sentence; None for one that memoom has no words for.
#[pyfunction]
fn explain(function: &str) -> Option<&'static str> {
    memoom::observe::explain(function)
}

/// What part of the way a kernel function belongs to: "fault", "charge", "oom", "kill", "wait", ...
#[pyfunction]
fn step(function: &str) -> Option<&'static str> {
    memoom::observe::step(function).map(memoom::observe::Step::name)
}

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(explain, module)?)?;
    module.add_function(wrap_pyfunction!(replay, module)?)?;
    module.add_function(wrap_pyfunction!(step, module)?)
}
