//! The kernel's reports out of a log: as a whole, and piece by piece.

use std::borrow::Cow;
use std::mem::align_of;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::convert::{readable, ready};

/// Every OOM report in a log.
#[pyfunction]
fn parse_reports(py: Python<'_>, text: &Bound<'_, PyAny>) -> PyResult<Vec<Py<PyAny>>> {
    let text = encoded(text)?;
    let bytes = bytes_of(&text)?;
    let reports = py.detach(|| memoom::parse_reports(&bytes));
    values(py, reports)
}

/// The document `memoom.reports/1` of a log.
#[pyfunction]
fn reports_to_json(py: Python<'_>, text: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = encoded(text)?;
    let bytes = bytes_of(&text)?;
    Ok(py.detach(|| memoom::reports_to_json(&memoom::parse_reports(&bytes))))
}

fn values(py: Python<'_>, reports: Vec<memoom::Report>) -> PyResult<Vec<Py<PyAny>>> {
    reports.into_iter().map(|one| crate::account::report(py, Arc::new(one))).collect()
}

/// Logs hold any bytes; text that was read with surrogateescape or surrogatepass goes back to them.
fn encoded<'py>(text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match text.cast::<PyString>() {
        Ok(text) => text.call_method1("encode", ("utf-8", "surrogateescape")),
        Err(_) => Ok(text.clone()),
    }
}

fn bytes_of<'a>(text: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    match text.cast::<PyBytes>() {
        Ok(bytes) => Ok(Cow::Borrowed(bytes.as_bytes())),
        Err(_) => text.extract::<Vec<u8>>().map(Cow::Owned),
    }
}

/// Reads reports from a log that is fed piece by piece; its memory is bounded by a window, never by the log.
#[pyclass(frozen, module = "memoom")]
struct ReportReader {
    /// Boxed: its searches hold vectors that must lie at a multiple of 32, and Python's allocator gives 16.
    core: Mutex<Box<memoom::ReportReader>>,
}

/// Python's allocator gives no more.
const _: () = assert!(align_of::<ReportReader>() <= 16);

impl ReportReader {
    fn with<T: Send>(&self, py: Python<'_>, call: impl FnOnce(&mut memoom::ReportReader) -> T + Send) -> T {
        py.detach(|| call(&mut self.core.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[pymethods]
impl ReportReader {
    /// A reader at the beginning of a log.
    #[new]
    fn new(py: Python<'_>) -> PyResult<ReportReader> {
        ready(py)?;
        Ok(ReportReader { core: Mutex::new(Box::new(memoom::ReportReader::new())) })
    }

    /// Takes the next piece of the log, cut anywhere; gives the reports that are complete.
    fn feed(&self, py: Python<'_>, piece: &Bound<'_, PyAny>) -> PyResult<Vec<Py<PyAny>>> {
        let piece = encoded(piece)?;
        let bytes = bytes_of(&piece)?;
        values(py, self.with(py, |reader| reader.feed(&bytes)))
    }

    /// Gives what is whole so far, to be called now and then where a log is followed. A report that has begun and names
    /// no victim yet stays open, however slowly it comes.
    fn settle(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        values(py, self.with(py, memoom::ReportReader::settle))
    }

    /// Nothing has come for a while: what was read so far is complete. For logs that are followed.
    fn quiet(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        values(py, self.with(py, memoom::ReportReader::quiet))
    }

    /// The log ends here: gives the rest.
    fn finish(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        values(py, self.with(py, memoom::ReportReader::finish))
    }

    /// How long the line is that has not ended yet, in bytes. What has no ends of lines is no log.
    #[getter]
    fn line_bytes(&self, py: Python<'_>) -> u64 {
        self.with(py, |reader| reader.line_bytes())
    }

    /// Where no report was found: how many lines look like a part of one, and the first of them, each cut to 240 bytes,
    /// control characters escaped.
    fn lookalikes(&self, py: Python<'_>) -> PyResult<(u64, Vec<Py<PyAny>>)> {
        let (count, lines) = self.with(py, |reader| {
            let (count, lines) = reader.lookalikes();
            (count, lines.iter().map(|line| memoom::escape(line)).collect::<Vec<_>>())
        });
        Ok((count, lines.iter().map(|line| readable(py, line)).collect::<PyResult<_>>()?))
    }
}

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(parse_reports, module)?)?;
    module.add_function(wrap_pyfunction!(reports_to_json, module)?)?;
    module.add_class::<ReportReader>()
}
