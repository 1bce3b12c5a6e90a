//! One memory cgroup, as Python has it. What starts workers in it, and what watches it, stands with those.

use std::path::PathBuf;

use pyo3::prelude::*;

use crate::convert::{
    blocked_values, limit_to_python, limits, readable, ready, value, version, waiting, working, Most, Name, Size,
};
use crate::error::raise;

/// One memory cgroup.
#[pyclass(frozen, module = "memoom")]
pub(crate) struct Group {
    pub(crate) core: memoom::Group,
}

impl Group {
    pub(crate) fn of(core: memoom::Group) -> Group {
        Group { core }
    }
}

#[pymethods]
impl Group {
    /// Opens an existing group by the path of its directory, to be observed only.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Group> {
        ready(py)?;
        working(py, || memoom::Group::open(&path)).map(Group::of)
    }

    /// Borrows an existing group that this process may write: workers can be started in it, its limit lowered and its
    /// switches set. Everything is put back by `give_back`, at the end of a `with`, and whoever dies. It must be delegated
    /// to this process; `forced` takes any other.
    #[staticmethod]
    #[pyo3(signature = (path, *, forced=false))]
    fn adopt(py: Python<'_>, path: PathBuf, forced: bool) -> PyResult<Group> {
        ready(py)?;
        working(py, || memoom::Group::adopt(&path, forced)).map(Group::of)
    }

    /// Ends what memoom has started in a borrowed group and puts back what was changed. Twice is fine.
    fn give_back(&self, py: Python<'_>) -> PyResult<()> {
        working(py, || self.core.give_back())
    }

    /// Whether it is somebody else's, and borrowed.
    #[getter]
    fn adopted(&self) -> bool {
        self.core.is_adopted()
    }

    fn __enter__(slf: Py<Group>) -> Py<Group> {
        slf
    }

    /// Gives a borrowed group back; a lab's own stays until the lab ends.
    #[pyo3(signature = (*_args))]
    fn __exit__(&self, py: Python<'_>, _args: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
        match self.core.is_adopted() {
            true => self.give_back(py),
            false => Ok(()),
        }
    }

    /// The last component of its path.
    #[getter]
    fn name(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        readable(py, &self.core.name())
    }

    /// Its directory.
    #[getter]
    fn path(&self) -> PathBuf {
        self.core.path().to_path_buf()
    }

    /// Its path from the top of the hierarchy, as the kernel writes it.
    #[getter]
    fn cgroup(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        readable(py, self.core.cgroup())
    }

    /// The hierarchy in which it stands: "v1" or "v2".
    #[getter]
    fn hierarchy(&self) -> &'static str {
        version(self.core.version())
    }

    /// The group above it in the lab.
    #[getter]
    fn parent(&self) -> Option<Group> {
        self.core.parent().cloned().map(Group::of)
    }

    /// Bytes charged now.
    #[getter]
    fn usage_bytes(&self, py: Python<'_>) -> PyResult<u64> {
        working(py, || self.core.usage_bytes())
    }

    /// The most that was ever charged, in bytes; None where this kernel does not keep it.
    #[getter]
    fn peak_bytes(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        working(py, || self.core.peak_bytes())
    }

    /// All counters at this moment.
    #[getter]
    fn counters(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let counters = working(py, || self.core.counters())?;
        value(py, "Counters", counters.to_json(), None)
    }

    /// The hard limit in bytes; None for no limit.
    #[getter]
    fn limit(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        working(py, || self.core.limit()).map(limit_to_python)
    }

    /// Sets the hard limit.
    fn set_limit(&self, py: Python<'_>, limit: Most) -> PyResult<()> {
        working(py, || self.core.set_limit(limit.0))
    }

    /// The throttling limit in bytes (v2); None for no limit.
    #[getter]
    fn high(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        working(py, || self.core.high()).map(limit_to_python)
    }

    /// Sets the throttling limit (v2).
    fn set_high(&self, py: Python<'_>, high: Most) -> PyResult<()> {
        working(py, || self.core.set_high(high.0))
    }

    /// Whether the OOM killer of the group is on (v1).
    #[getter]
    fn oom_killer(&self, py: Python<'_>) -> PyResult<bool> {
        working(py, || self.core.oom_killer())
    }

    /// Turns the OOM killer of the group on or off (v1).
    fn set_oom_killer(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        working(py, || self.core.set_oom_killer(on))
    }

    /// Whether an OOM kill takes the whole group (v2); False on v1, which has no such thing.
    #[getter]
    fn oom_group(&self, py: Python<'_>) -> PyResult<bool> {
        working(py, || self.core.oom_group())
    }

    /// Makes an OOM kill take the whole group, or not (v2).
    fn set_oom_group(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        working(py, || self.core.set_oom_group(on))
    }

    /// The protected amount memory.min in bytes (v2); None for all.
    #[getter]
    fn min(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        working(py, || self.core.min()).map(limit_to_python)
    }

    /// Sets the protected amount memory.min (v2).
    fn set_min(&self, py: Python<'_>, min: Most) -> PyResult<()> {
        working(py, || self.core.set_min(min.0))
    }

    /// The protected amount memory.low in bytes (v2); None for all.
    #[getter]
    fn low(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        working(py, || self.core.low()).map(limit_to_python)
    }

    /// Sets the protected amount memory.low (v2).
    fn set_low(&self, py: Python<'_>, low: Most) -> PyResult<()> {
        working(py, || self.core.set_low(low.0))
    }

    /// Swap that the group may use beyond its memory, in bytes; None for no limit.
    #[getter]
    fn swap(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        working(py, || self.core.swap()).map(limit_to_python)
    }

    /// Sets the swap that the group may use beyond its memory.
    fn set_swap(&self, py: Python<'_>, swap: Most) -> PyResult<()> {
        working(py, || self.core.set_swap(swap.0))
    }

    /// Compressed swap that the group may use, in bytes (v2); None for no limit.
    #[getter]
    fn zswap(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        working(py, || self.core.zswap()).map(limit_to_python)
    }

    /// Sets the compressed swap that the group may use (v2).
    fn set_zswap(&self, py: Python<'_>, zswap: Most) -> PyResult<()> {
        working(py, || self.core.set_zswap(zswap.0))
    }

    /// Swap that the group uses now; None where this kernel does not account it.
    #[getter]
    fn swap_usage_bytes(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        working(py, || self.core.swap_usage_bytes())
    }

    /// memory.stat at this moment; right after a change it may still show what was before.
    #[getter]
    fn stat(&self, py: Python<'_>) -> PyResult<std::collections::BTreeMap<String, u64>> {
        let stat = working(py, || self.core.stat())?;
        Ok(stat.iter().map(|(name, number)| (name.to_string(), number)).collect())
    }

    /// Has the kernel reclaim so many bytes; whether it found as much (v2).
    fn reclaim(&self, py: Python<'_>, size: Size) -> PyResult<bool> {
        working(py, || self.core.reclaim(size.0))
    }

    /// Has the kernel take back all that it can (v1).
    fn force_empty(&self, py: Python<'_>) -> PyResult<()> {
        working(py, || self.core.force_empty())
    }

    /// Sets the fail counters back to 0 (v1).
    fn reset_failcnt(&self, py: Python<'_>) -> PyResult<()> {
        working(py, || self.core.reset_failcnt())
    }

    /// What the charged bytes are now, by what holds them.
    fn composition(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let composition = working(py, || self.core.composition())?;
        value(py, "Composition", composition.to_json(), None)
    }

    /// How long tasks of the group have waited for memory (v2).
    #[getter]
    fn pressure(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let pressure = working(py, || self.core.pressure())?;
        value(py, "Pressure", pressure.to_json(), None)
    }

    /// Asks the kernel for a notification, as "alarm" events of the watches.
    fn add_alarm(&self, py: Python<'_>, alarm: &str) -> PyResult<()> {
        let alarm: memoom::Alarm = alarm.parse().map_err(|error| raise(py, &error))?;
        working(py, || self.core.add_alarm(&alarm))
    }

    /// Stops every process of the group where it stands (v2).
    #[pyo3(signature = (timeout=None))]
    fn freeze(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        waiting(py, "freeze", timeout, |wait| self.core.freeze(wait))
    }

    /// Lets the processes of a frozen group go on (v2).
    fn thaw(&self, py: Python<'_>) -> PyResult<()> {
        working(py, || self.core.thaw())
    }

    /// Whether every process of the group stands still (v2).
    #[getter]
    fn frozen(&self, py: Python<'_>) -> PyResult<bool> {
        working(py, || self.core.frozen())
    }

    /// From now on a process that meets the limit waits instead of being killed, until `resume`.
    fn block(&self, py: Python<'_>) -> PyResult<()> {
        working(py, || self.core.block())
    }

    /// Whether a process that meets the limit would wait.
    #[getter]
    fn blocking(&self, py: Python<'_>) -> PyResult<bool> {
        working(py, || self.core.blocking())
    }

    /// The processes that wait in an OOM at this moment.
    #[getter]
    fn blocked(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        blocked_values(py, &working(py, || self.core.blocked())?)
    }

    /// Waits until a process of the group waits in an OOM, and says who; None where none does by the deadline.
    #[pyo3(signature = (timeout=None))]
    fn wait_blocked(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<Vec<Py<PyAny>>>> {
        let blocked = waiting(py, "wait for block", timeout, |wait| self.core.wait_blocked(wait))?;
        blocked.map(|blocked| blocked_values(py, &blocked)).transpose()
    }

    /// The pids of the group, in the order in which the kernel scans them.
    #[getter]
    fn processes(&self, py: Python<'_>) -> PyResult<Vec<i32>> {
        working(py, || self.core.processes())
    }

    /// Whom the kernel would kill if the limit were met now.
    fn predict(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let prediction = working(py, || self.core.predict())?;
        value(py, "Prediction", prediction.to_json(), Some(prediction.to_text()))
    }

    /// Makes a group below this one.
    #[pyo3(signature = (name, *, limit=None, swap=Some(Most(memoom::Limit::Bytes(0))), oom_group=None, oom_killer=None, high=None),
           text_signature = "($self, name, *, limit=None, swap=0, oom_group=None, oom_killer=None, high=None)")]
    #[allow(clippy::too_many_arguments)] // keywords of one Python call
    fn child(
        &self,
        py: Python<'_>,
        name: Name,
        limit: Option<Most>,
        swap: Option<Most>,
        oom_group: Option<bool>,
        oom_killer: Option<bool>,
        high: Option<Most>,
    ) -> PyResult<Group> {
        let limits = limits(limit, swap, high, oom_group, oom_killer);
        working(py, || self.core.child(&name.0, &limits)).map(Group::of)
    }

    /// Notes in the lab's timeline what the group uses now, and what each process in it and below it holds.
    fn sample(&self, py: Python<'_>) -> PyResult<()> {
        working(py, || self.core.sample())
    }

    /// Ends every process of the group and below it with SIGKILL.
    fn kill(&self, py: Python<'_>) -> PyResult<()> {
        working(py, || self.core.kill())
    }

    /// Removes the group, which must be empty.
    fn remove(&self, py: Python<'_>) -> PyResult<()> {
        working(py, || self.core.remove())
    }

    fn __eq__(&self, other: &Group) -> bool {
        self.core.path() == other.core.path()
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.core.path().hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        format!("<memoom.Group {}>", self.core.cgroup())
    }

    /// What a notebook shows.
    fn _repr_html_(slf: Bound<'_, Group>) -> PyResult<Bound<'_, PyAny>> {
        slf.py().import("memoom._display")?.call_method1("html", (slf,))
    }
}
