//! Pressure: workers, hogs, commands, pods of them, and the one call that runs a command under a limit.

use pyo3::prelude::*;

mod command;
mod fit;
mod pod;
mod run;
mod start;
mod worker;

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(run::run, module)?)?;
    module.add_function(wrap_pyfunction!(fit::fit, module)?)?;
    module.add_class::<worker::Worker>()?;
    module.add_class::<pod::Pod>()?;
    module.add_class::<pod::Container>()?;
    module.add_class::<worker::Hog>()
}
