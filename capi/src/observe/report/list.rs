//! The reports of a saved log.
#![allow(unsafe_code)] // exported names, and bytes of the caller's

use std::ffi::{c_char, c_void, CString};
use std::mem::MaybeUninit;
use std::ptr;

use super::memoom_report;
use crate::error::{memoom_error, memoom_status, Failure};
use crate::ffi::{self, need, text};

/// The reports of a log.
///
/// Thread safety: it never changes, so any number of threads may read it; a forked child may too.
pub struct memoom_report_list {
    reports: Vec<memoom_report>,
    json: CString,
}

/// Reads every OOM report of a saved kernel log: raw /dev/kmsg records, or the text that dmesg, journalctl, syslog or a
/// console made of them, of any kernel from 3.10 on.
///
/// Lines that are no part of a report are passed over; a log without any gives an empty list.
///
/// \param bytes         the log; may be NULL where length is 0
/// \param length        its length in bytes
/// \param ret_list      where the list goes
/// \param reterr_error  where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_PANIC.
/// Ownership: free the list with memoom_report_list_free; the log may go before.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn memoom_report_parse(
    bytes: *const c_void,
    length: usize,
    ret_list: Option<&mut MaybeUninit<Box<memoom_report_list>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_report_parse", reterr_error, || {
        let ret_list = need(ret_list, "ret_list")?;
        if isize::try_from(length).is_err() {
            return Err(Failure::input(format!("length is more than memory can hold (value {length})")));
        }
        let log = match length {
            0 => &[],
            length => {
                need((!bytes.is_null()).then_some(()), "bytes")?;
                // SAFETY: the caller promises `length` readable bytes.
                unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) }
            }
        };
        let reports = memoom::parse_reports(log);
        let json = text(memoom::reports_to_json(&reports));
        ret_list.write(Box::new(memoom_report_list {
            reports: reports.into_iter().map(|report| memoom_report::new(report.into())).collect(),
            json,
        }));
        Ok(())
    })
}

/// How many reports there are.
///
/// \param list  a list, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_list_count(list: Option<&memoom_report_list>) -> usize {
    ffi::get(list, 0, |list| list.reports.len())
}

/// One of the reports, in the order of their first lines.
///
/// \param list   a list, or NULL
/// \param index  from 0 to memoom_report_list_count - 1
///
/// Returns: the report; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the list.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_list_at(list: Option<&memoom_report_list>, index: usize) -> *const memoom_report {
    ffi::get(list, ptr::null(), |list| list.reports.get(index).map_or(ptr::null(), ptr::from_ref))
}

/// All reports as one JSON document ("memoom.reports/1").
///
/// \param list  a list, or NULL
///
/// Returns: the document; NULL for NULL.
/// Ownership: borrowed from the list.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_list_to_json(list: Option<&memoom_report_list>) -> *const c_char {
    ffi::get(list, ptr::null(), |list| list.json.as_ptr())
}

/// Frees a list.
///
/// \param list  a list, or NULL, which does nothing
///
/// Ownership: takes the list; its reports end with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_report_list_free(list: Option<Box<memoom_report_list>>) {
    ffi::free(list);
}
