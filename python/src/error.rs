//! The core's error as the exception of the package: the classes are Python's own (`memoom._errors`).

use pyo3::prelude::*;

/// The exception that stands for a core error.
pub(crate) fn raise(py: Python<'_>, error: &memoom::Error) -> PyErr {
    match make(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        // The package itself is broken (a module is missing): that is the more urgent news.
        Err(broken) => broken,
    }
}

fn make<'py>(py: Python<'py>, error: &memoom::Error) -> PyResult<Bound<'py, PyAny>> {
    let path = error.concerned_path().map(|path| path.as_os_str());
    py.import("memoom._errors")?.getattr("from_core")?.call1((
        error.kind().name(),
        error.to_string(),
        error.errno(),
        error.operation(),
        path,
    ))
}

/// An argument that has the wrong type or value, before it reaches the core.
pub(crate) fn invalid(py: Python<'_>, operation: &str, message: &str) -> PyErr {
    let made = py.import("memoom._errors").and_then(|module| module.getattr("from_core")).and_then(|from_core| {
        from_core.call1(("invalid-input", format!("{operation}: {message}"), None::<i32>, operation, None::<&str>))
    });
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => broken,
    }
}
