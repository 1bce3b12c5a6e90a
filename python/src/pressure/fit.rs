//! The least limit under which a command passes.

use std::path::PathBuf;

use pyo3::prelude::*;

use super::command::{command_of, Stdio};
use super::run::limit_of;
use crate::convert::{limits, value, waiting, whole, Most};

/// Looks for the least limit under which a command passes.
#[pyfunction]
#[pyo3(signature = (argv, *, check=None, most=None, swap=Some(Most(memoom::Limit::Bytes(0))), timeout=None, runs=12, within=0.02, slower=0.1, high=None,
                    env=None, cwd=None, stdin=None, stdout=None, stderr=None, oom_score_adj=0),
       text_signature = "(argv, *, check=None, most=None, swap=0, timeout=None, runs=12, within=0.02, slower=0.1, high=None, env=None, cwd=None, stdin=None, stdout=None, stderr=None, oom_score_adj=0)")]
#[allow(clippy::too_many_arguments)] // keywords of one Python call
pub(super) fn fit(
    py: Python<'_>,
    argv: &Bound<'_, PyAny>,
    check: Option<&Bound<'_, PyAny>>,
    most: Option<Most>,
    swap: Option<Most>,
    timeout: Option<f64>,
    #[pyo3(from_py_with = whole::runs)] runs: u32,
    within: f64,
    slower: f64,
    high: Option<f64>,
    env: Option<&Bound<'_, PyAny>>,
    cwd: Option<PathBuf>,
    stdin: Option<&Bound<'_, PyAny>>,
    stdout: Option<&Bound<'_, PyAny>>,
    stderr: Option<&Bound<'_, PyAny>>,
    #[pyo3(from_py_with = whole::oom_score_adj)] oom_score_adj: i16,
) -> PyResult<Py<PyAny>> {
    let stdio = Stdio::open(py, stdin, stdout, stderr)?;
    let check = check.map(|argv| command_of(argv, env, cwd.clone(), &stdio, 0)).transpose()?;
    let run = memoom::Run {
        command: command_of(argv, env, cwd, &stdio, oom_score_adj)?,
        limits: limits(None, swap, None, None, None),
        timeout: limit_of(py, timeout)?,
        ..Default::default()
    };
    drop(stdio.child);
    let most = match most {
        Some(Most(memoom::Limit::Bytes(bytes))) => Some(bytes),
        Some(Most(memoom::Limit::Max)) | None => None,
    };
    // Shares that are no number, or less than nothing, become 0, which the core refuses where it must.
    let permille = |share: f64| (share * 1000.0).round() as u32;
    let fit = memoom::Fit {
        check,
        most,
        runs,
        within_permille: permille(within),
        slower_permille: permille(slower),
        high_permille: high.map(permille),
        ..memoom::Fit::new(run)
    };
    let fitted = waiting(py, "fit", None, |wait| fit.fit(wait))?;
    value(py, "Fitted", fitted.to_json(), Some(fitted.to_text()))
}
