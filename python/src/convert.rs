//! What is common to all rooms: sizes and times from Python, waiting without the GIL, documents to Python.

use std::time::Duration;

use memoom::{Limit, Limits, Wait};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyString};
use pyo3::IntoPyObjectExt;

use crate::error::{invalid, raise};

/// A number of bytes: an `int`, or text as the kernel reads it.
pub(crate) struct Size(pub(crate) u64);

/// A limit: a size, or `"max"` for none.
pub(crate) struct Most(pub(crate) Limit);

impl<'py> FromPyObject<'_, 'py> for Size {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Size> {
        match Most::extract(value)?.0 {
            Limit::Bytes(bytes) => Ok(Size(bytes)),
            Limit::Max => Err(invalid(
                value.py(),
                "read size",
                "\"max\" is no number of bytes here; remedy: give bytes, or text such as \"80M\"",
            )),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Most {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Most> {
        let py = value.py();
        if let Ok(text) = value.cast::<PyString>() {
            return text.to_str()?.parse().map(Most).map_err(|error| raise(py, &error));
        }
        // True is an int in Python, and never meant as one byte.
        if value.cast::<PyBool>().is_err() {
            if let Ok(bytes) = value.extract::<u64>() {
                return Ok(Most(Limit::Bytes(bytes)));
            }
        }
        // Python writes no number of thousands of digits.
        let shown = value.repr().map_or_else(|_| "that".to_string(), |shown| shown.to_string());
        let what = format!(
            "{shown} is no size; remedy: give an int of bytes (0 to 2**64-1) or text such as \"80M\" or \"max\""
        );
        Err(invalid(py, "read size", &what))
    }
}

/// Arguments that are whole numbers, each read by the function of its name, as in `#[pyo3(from_py_with = whole::runs)]`: the
/// error for one that does not fit says which it is. A type of its own would not know the name of its argument.
pub(crate) mod whole {
    use super::*;

    macro_rules! whole {
        ($($name:ident: $number:ty, $takes:literal;)*) => {$(
            pub(crate) fn $name(value: &Bound<'_, PyAny>) -> PyResult<$number> {
                value.extract().map_err(|error| fits(value.py(), error, stringify!($name), $takes))
            }
        )*};
    }

    whole! {
        bytes: u64, "0 to 2**64-1";
        keep_events: Option<usize>, "0 to 2**64-1";
        keep_ooms: Option<usize>, "0 to 2**64-1";
        oom_score_adj: i16, "-1000 to 1000";
        pid: Option<i32>, "1 to 2**31-1";
        runs: u32, "1 to 2**32-1";
        signal: i32, "the number of a signal";
        sender: i32, "0 to 2**31-1";
        uid: u32, "0 to 2**32-1";
    }

    fn fits(py: Python<'_>, error: PyErr, name: &str, takes: &str) -> PyErr {
        match error.is_instance_of::<PyOverflowError>(py) {
            true => invalid(py, "read number", &format!("{name} is out of range; remedy: give {takes}")),
            false => error,
        }
    }
}

/// The name of a group: text, or bytes where it is not UTF-8.
pub(crate) struct Name(pub(crate) Vec<u8>);

impl<'py> FromPyObject<'_, 'py> for Name {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Name> {
        use std::os::unix::ffi::OsStringExt;
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return Ok(Name(bytes.as_bytes().to_vec()));
        }
        // Text goes through the file system encoding, so that surrogate escapes become the bytes that they stand for.
        Ok(Name(value.extract::<std::ffi::OsString>()?.into_vec()))
    }
}

/// A limit as Python has it: bytes, `None` for no limit.
pub(crate) fn limit_to_python(limit: Limit) -> Option<u64> {
    limit.bytes()
}

/// The settings of a new group from its keyword arguments. `None` leaves the kernel's own setting alone.
pub(crate) fn limits(
    limit: Option<Most>,
    swap: Option<Most>,
    high: Option<Most>,
    oom_group: Option<bool>,
    oom_killer: Option<bool>,
) -> Limits {
    let plain = |limit: Option<Most>| limit.map(|Most(limit)| limit);
    Limits { limit: plain(limit), swap: plain(swap), high: plain(high), oom_group, oom_killer }
}

/// A time span in seconds.
pub(crate) fn duration(py: Python<'_>, operation: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| invalid(py, operation, &format!("{seconds} is no time span; remedy: give seconds, 0 or more")))
}

/// A time span above zero, in seconds.
pub(crate) fn period(py: Python<'_>, operation: &str, seconds: f64) -> PyResult<Duration> {
    match duration(py, operation, seconds)? {
        Duration::ZERO => Err(invalid(py, operation, "the period is zero; remedy: give seconds above 0")),
        period => Ok(period),
    }
}

/// A timeout in seconds; `None` waits for ever, and so does infinity.
pub(crate) fn timeout(py: Python<'_>, operation: &str, seconds: Option<f64>) -> PyResult<Option<Duration>> {
    match seconds {
        None => Ok(None),
        Some(seconds) if seconds == f64::INFINITY => Ok(None),
        // A deadline that has passed is no error: whoever counts down comes here with less than nothing.
        Some(seconds) if seconds < 0.0 => Ok(Some(Duration::ZERO)),
        Some(seconds) => duration(py, operation, seconds).map(Some),
    }
}

/// Runs a call that waits, without the GIL. Python's signal handlers run meanwhile; what one of them raises (Ctrl-C:
/// `KeyboardInterrupt`) ends the wait and is raised here.
pub(crate) fn waiting<T: Send>(
    py: Python<'_>,
    operation: &str,
    seconds: Option<f64>,
    call: impl FnOnce(Wait<'_>) -> memoom::Result<T> + Send,
) -> PyResult<T> {
    let within = timeout(py, operation, seconds)?;
    let mut raised = None;
    let result = py.detach(|| {
        let mut go_on = || match Python::attach(|py| py.check_signals()) {
            Ok(()) => true,
            Err(error) => {
                raised = Some(error);
                false
            }
        };
        call(Wait::from(within).asking(&mut go_on))
    });
    match raised {
        Some(error) => Err(error),
        None => result.map_err(|error| raise(py, &error)),
    }
}

/// Runs a short call of the core that does system calls, without the GIL.
pub(crate) fn working<T: Send>(py: Python<'_>, call: impl FnOnce() -> memoom::Result<T> + Send) -> PyResult<T> {
    py.detach(call).map_err(|error| raise(py, &error))
}

/// Reads what results are made of, before there is a lab or an observer whose results could no longer be told: where no
/// file can be opened any more, nothing is imported.
pub(crate) fn ready(py: Python<'_>) -> PyResult<()> {
    py.import("memoom._values").map(drop)
}

/// The value class of the package made from a document and, where the core has one, its human text.
pub(crate) fn value(py: Python<'_>, class: &str, json: String, text: Option<String>) -> PyResult<Py<PyAny>> {
    let class = py.import("memoom._values")?.getattr(class)?;
    class.getattr("_of")?.call1((json, text))?.into_py_any(py)
}

/// Those that wait in an OOM, as values.
pub(crate) fn blocked_values(py: Python<'_>, blocked: &[memoom::Blocked]) -> PyResult<Vec<Py<PyAny>>> {
    blocked.iter().map(|one| value(py, "Blocked", one.to_json(), None)).collect()
}

/// The version of a hierarchy, as Python has it.
pub(crate) fn version(version: memoom::Version) -> &'static str {
    match version {
        memoom::Version::V1 => "v1",
        memoom::Version::V2 => "v2",
    }
}

/// A text of the core as Python has it: as it was given where that is printable UTF-8 (`memoom._text` says it).
pub(crate) fn readable(py: Python<'_>, text: &str) -> PyResult<Py<PyAny>> {
    py.import("memoom._text")?.getattr("readable")?.call1((text,))?.into_py_any(py)
}
