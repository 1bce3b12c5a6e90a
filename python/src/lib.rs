//! `memoom._native`: the Python face of the core, in the same rooms.
//!
//! This module only converts: arguments to the core's types, results to the documents from which the package's value
//! classes are made, errors to the package's exceptions. Every call that may wait gives up the GIL while it waits.

use pyo3::prelude::*;

mod account;
mod convert;
mod error;
mod memcg;
mod observe;
mod pressure;

/// The native part of the package `memoom`; use the package, not this module.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    // What an error is made of is read now: where no file can be opened any more, that is to be told.
    module.py().import("memoom._errors")?;
    memcg::add(module)?;
    pressure::add(module)?;
    observe::add(module)?;
    account::add(module)
}
