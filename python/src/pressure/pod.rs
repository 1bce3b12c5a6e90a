//! Pods and their containers, as Python has them.

use std::path::PathBuf;

use memoom::{ContainerOptions, Limit, PodOptions};
use pyo3::prelude::*;

use super::command::{command_of, Stdio};
use super::start::{hog_options, started, ticker_options};
use super::worker::{Hog, Worker};
use crate::convert::{readable, waiting, whole, working, Most, Name, Size};
use crate::error::raise;
use crate::memcg::{Group, Lab};

/// A pod as the kubelet lays it out.
#[pyclass(frozen, module = "memoom")]
pub(crate) struct Pod {
    core: memoom::Pod,
}

#[pymethods]
impl Lab {
    /// Makes a pod at the lab's top: its group, and in a group below that the pause process.
    #[pyo3(signature = (name=None, *, limit=None, node=None, single_process_oom_kill=false))]
    fn pod(
        &self,
        py: Python<'_>,
        name: Option<Name>,
        limit: Option<Most>,
        node: Option<Size>,
        single_process_oom_kill: bool,
    ) -> PyResult<Pod> {
        let options = PodOptions {
            limit: limit.map(|Most(limit)| limit),
            node_bytes: node.map(|Size(bytes)| bytes),
            single_process_oom_kill,
        };
        let core = working(py, || match name {
            Some(Name(name)) => self.core.pod_named(&name, &options),
            None => self.core.pod(None, &options),
        })?;
        Ok(Pod { core })
    }
}

#[pymethods]
impl Pod {
    /// Makes a container: a group below the pod's, with the limit, and on v2 with memory.oom.group. Nothing runs in it yet.
    #[pyo3(signature = (name, *, kind="app", limit=None, request=None, swap=Some(Most(Limit::Bytes(0))), oom_group=None),
           text_signature = "($self, name, *, kind='app', limit=None, request=None, swap=0, oom_group=None)")]
    #[allow(clippy::too_many_arguments)] // keywords of one Python call
    fn container(
        &self,
        py: Python<'_>,
        name: Name,
        kind: &str,
        limit: Option<Most>,
        request: Option<Size>,
        swap: Option<Most>,
        oom_group: Option<bool>,
    ) -> PyResult<Container> {
        let options = ContainerOptions {
            kind: kind.parse().map_err(|error| raise(py, &error))?,
            limit: limit.map_or(Limit::Max, |Most(limit)| limit),
            request: request.map(|Size(bytes)| bytes),
            swap: swap.map(|Most(limit)| limit),
            oom_group,
        };
        working(py, || self.core.container(&name.0, &options)).map(|core| Container { core })
    }

    /// Its group, which has the pod's limit.
    #[getter]
    fn group(&self) -> Group {
        Group::of(self.core.group().clone())
    }

    /// The pause process.
    #[getter]
    fn pause(&self, py: Python<'_>) -> PyResult<Py<Worker>> {
        Worker::make(py, self.core.pause().clone())
    }

    /// Its class: "guaranteed", "burstable" or "besteffort".
    #[getter]
    fn qos(&self) -> &'static str {
        self.core.qos().name()
    }

    /// Ends every process of the pod and removes its groups.
    fn remove(&self, py: Python<'_>) -> PyResult<()> {
        working(py, || self.core.remove())
    }

    fn __repr__(&self) -> String {
        format!("<memoom.Pod {} {}>", self.core.group().cgroup(), self.core.qos())
    }
}

/// A container of a pod.
#[pyclass(frozen, module = "memoom")]
pub(crate) struct Container {
    core: memoom::Container,
}

#[pymethods]
impl Container {
    /// Its group.
    #[getter]
    fn group(&self) -> Group {
        Group::of(self.core.group().clone())
    }

    /// The last component of the path of its group.
    #[getter]
    fn name(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        readable(py, &self.core.name())
    }

    /// When it runs: "app", "init" or "sidecar".
    #[getter]
    fn kind(&self) -> &'static str {
        self.core.kind().name()
    }

    /// The memory that it requests; None where it requests nothing and has no limit.
    #[getter]
    fn request_bytes(&self) -> Option<u64> {
        self.core.request_bytes()
    }

    /// The oom_score_adj of what is started in it.
    #[getter]
    fn oom_score_adj(&self) -> i16 {
        self.core.oom_score_adj()
    }

    /// How often its main process was started again.
    #[getter]
    fn restarts(&self) -> u32 {
        self.core.restarts()
    }

    /// Starts a command in it; the first is its main process.
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

    /// Starts a hog in it.
    #[pyo3(signature = (name="hog", *, kind="anon", pattern="write", directory=None, step=Size(10 << 20), oom_score_adj=0, force=false),
           text_signature = "($self, name='hog', *, kind='anon', pattern='write', directory=None, step='10M', oom_score_adj=0, force=False)")]
    #[allow(clippy::too_many_arguments)] // keywords of one Python call
    fn hog(
        &self,
        py: Python<'_>,
        name: &str,
        kind: &str,
        pattern: &str,
        directory: Option<PathBuf>,
        step: Size,
        #[pyo3(from_py_with = whole::oom_score_adj)] oom_score_adj: i16,
        force: bool,
    ) -> PyResult<Py<Hog>> {
        let options = hog_options(py, name, kind, pattern, directory, step, oom_score_adj, force)?;
        Hog::make(py, working(py, || self.core.hog(&options))?)
    }

    /// Starts a ticker in it.
    #[pyo3(signature = (name="ticker", every=1.0, *, oom_score_adj=0))]
    fn ticker(
        &self,
        py: Python<'_>,
        name: &str,
        every: f64,
        #[pyo3(from_py_with = whole::oom_score_adj)] oom_score_adj: i16,
    ) -> PyResult<Py<Worker>> {
        let options = ticker_options(py, name, every, oom_score_adj)?;
        Worker::make(py, working(py, || self.core.ticker(&options))?)
    }

    /// Waits for the end of its main process and starts the same command again; how the one ended, and the other.
    #[pyo3(signature = (timeout=None))]
    fn restart(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<(Py<PyAny>, Py<Worker>)> {
        let (outcome, worker) = waiting(py, "restart container", timeout, |wait| self.core.restart(wait))?;
        Ok((crate::account::outcome(py, &outcome)?, Worker::make(py, worker)?))
    }

    /// Gives it another limit, and its pod's limit follows.
    #[pyo3(signature = (limit, *, request=None, forced=false))]
    fn resize(&self, py: Python<'_>, limit: Most, request: Option<Size>, forced: bool) -> PyResult<()> {
        working(py, || self.core.resize(limit.0, request.map(|Size(bytes)| bytes), forced))
    }

    fn __repr__(&self) -> String {
        format!("<memoom.Container {} {}>", self.core.group().cgroup(), self.core.kind())
    }
}
