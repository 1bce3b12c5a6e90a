//! The mark of the most that a group has used, as Python has it.

use pyo3::prelude::*;

use super::group::Group;
use crate::convert::working;

/// The mark of the most that a group has used.
#[pyclass(frozen, module = "memoom")]
pub(crate) struct Peak {
    core: memoom::Peak,
}

impl Peak {
    fn of(core: memoom::Peak) -> Peak {
        Peak { core }
    }
}

#[pymethods]
impl Group {
    /// Opens the mark of the most that was charged, which can begin anew.
    fn open_peak(&self, py: Python<'_>) -> PyResult<Peak> {
        working(py, || self.core.open_peak()).map(Peak::of)
    }
}

#[pymethods]
impl Peak {
    /// The group.
    #[getter]
    fn group(&self) -> Group {
        Group::of(self.core.group().clone())
    }

    /// The most that was charged since the last reset, or ever, in bytes.
    #[getter]
    fn bytes(&self, py: Python<'_>) -> PyResult<u64> {
        working(py, || self.core.bytes())
    }

    /// Begins anew: for this object alone (v2), for everybody (v1).
    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        working(py, || self.core.reset())
    }

    fn __repr__(&self) -> String {
        format!("<memoom.Peak of {}>", self.core.group().cgroup())
    }
}
