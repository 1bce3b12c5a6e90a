//! A log that is read as it comes: each report as soon as it is complete, in bounded memory.
#![allow(unsafe_code)] // exported names, and strings and descriptors of the caller's

use std::ffi::{c_char, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex, PoisonError};

use memoom::ReportLog;

use super::memoom_report;
use crate::error::{memoom_error, memoom_status, Failure};
use crate::failure::Own;
use crate::ffi::{self, need};

/// A log that is read piece by piece: a file to its end, a pipe or /dev/kmsg for as long as somebody asks.
///
/// Memory is bounded by a window of some MiB and by the largest report, however long the log is. What memoom_report_parse
/// takes it takes too, but nothing that is packed: give it the pipe of zcat(1).
///
/// Thread safety: calls may come from any thread, except memoom_report_reader_free; a call that waits makes other calls on
/// the same reader wait too. A forked child has the same descriptor, so that what one of the two reads the other does not.
pub struct memoom_report_reader {
    log: Mutex<ReportLog>,
    fd: RawFd,
}

impl memoom_report_reader {
    fn of(log: ReportLog) -> Box<memoom_report_reader> {
        let fd = log.as_fd().as_raw_fd();
        Box::new(memoom_report_reader { log: Mutex::new(log), fd })
    }
}

/// Opens a log by its path.
///
/// \param path          a file, a named pipe, or a device such as /dev/kmsg
/// \param ret_reader    where the reader goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_NOT_FOUND, MEMOOM_ERR_PERMISSION_DENIED, MEMOOM_ERR_IO as
/// open(2); MEMOOM_ERR_PANIC.
/// Ownership: free the reader with memoom_report_reader_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_report_reader_open(
    path: *const c_char,
    ret_reader: Option<&mut MaybeUninit<Box<memoom_report_reader>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_report_reader_open", reterr_error, || {
        // SAFETY: the caller promises a string.
        let path = unsafe { ffi::bytes(path, "path") }?;
        let ret_reader = need(ret_reader, "ret_reader")?;
        ret_reader.write(memoom_report_reader::of(ReportLog::open(OsStr::from_bytes(path))?));
        Ok(())
    })
}

/// Reads a log from a descriptor: a pipe, a socket, a terminal, or an open file from where it stands.
///
/// \param fd            an open descriptor, which is copied: it stays the caller's, and may be closed at once
/// \param ret_reader    where the reader goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_IO where the descriptor is not open, or no more can be
/// had; MEMOOM_ERR_PANIC.
/// Ownership: free the reader with memoom_report_reader_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_report_reader_open_fd(
    fd: i32,
    ret_reader: Option<&mut MaybeUninit<Box<memoom_report_reader>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_report_reader_open_fd", reterr_error, || {
        let ret_reader = need(ret_reader, "ret_reader")?;
        let refused = |error| Failure::from(Own::System("fd", error));
        if fd < 0 {
            return Err(refused(std::io::Error::from_raw_os_error(libc::EBADF)));
        }
        // SAFETY: not -1; borrowed for the one call that copies it, which says so where it is not open.
        let own = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned().map_err(refused)?;
        ret_reader.write(memoom_report_reader::of(ReportLog::of(own)?));
        Ok(())
    })
}

/// The descriptor that is read, for poll(2): readable where more of the log is there.
///
/// A report of a pipe or device is whole when for half a second nothing has come: call memoom_report_reader_next then too.
///
/// \param reader  a reader, or NULL
///
/// Returns: the descriptor; -1 for NULL.
/// Ownership: borrowed from the reader: do not read from it and do not close it.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_reader_fd(reader: Option<&memoom_report_reader>) -> i32 {
    ffi::get(reader, -1, |reader| reader.fd)
}

/// The next report, in the order of the log.
///
/// \param reader        the reader
/// \param timeout_ns    how long to read and wait, 0 to look only, or MEMOOM_FOREVER
/// \param ret_report    where the report goes; NULL goes there at the end of the log, and where none was whole in time
///                      (memoom_report_reader_ended tells which)
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK, also where none came; MEMOOM_ERR_INVALID_INPUT for NULL, and for what is no log: it is packed, or a
/// line of it is longer than 64 MiB; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC. After an error the log has ended.
/// Ownership: free the report with memoom_report_free; the reader may go before.
/// Thread safety: any thread; see memoom_report_reader.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_report_reader_next(
    reader: Option<&memoom_report_reader>,
    timeout_ns: u64,
    ret_report: Option<&mut MaybeUninit<Option<Box<memoom_report>>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_report_reader_next", reterr_error, || {
        let (reader, ret_report) = (need(reader, "reader")?, need(ret_report, "ret_report")?);
        let mut log = reader.log.lock().unwrap_or_else(PoisonError::into_inner);
        let report = log.next(ffi::wait(timeout_ns))?;
        ret_report.write(report.map(|report| Box::new(memoom_report::new(Arc::new(report)))));
        Ok(())
    })
}

/// Whether the log has ended and all its reports were given.
///
/// \param reader  a reader, or NULL
///
/// Returns: 1 or 0; 1 for NULL.
/// Thread safety: any thread; see memoom_report_reader.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_reader_ended(reader: Option<&memoom_report_reader>) -> u32 {
    ffi::get(reader, 1, |reader| u32::from(reader.log.lock().unwrap_or_else(PoisonError::into_inner).ended()))
}

/// Where no report was found: how many lines look like a part of one.
///
/// \param reader  a reader, or NULL
///
/// Returns: the number; 0 where there were reports, and for NULL.
/// Thread safety: any thread; see memoom_report_reader.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_reader_lookalike_count(reader: Option<&memoom_report_reader>) -> u64 {
    ffi::get(reader, 0, |reader| reader.log.lock().unwrap_or_else(PoisonError::into_inner).lookalikes().0)
}

/// Closes and frees a reader.
///
/// \param reader  a reader, or NULL, which does nothing
///
/// Ownership: takes the reader; the reports that it gave stay.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_reader_free(reader: Option<Box<memoom_report_reader>>) {
    ffi::free(reader);
}
