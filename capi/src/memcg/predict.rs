//! Whom the kernel would kill.
#![allow(unsafe_code)] // exported names

use std::ffi::{c_char, CString};
use std::mem::MaybeUninit;
use std::ptr;

use memoom::Prediction;

use super::group::memoom_group;
use crate::error::{memoom_error, memoom_status};
use crate::ffi::{self, need, text};
use crate::list::{candidates, memoom_candidate, Rows};

/// Whom the kernel would kill if the limit were hit now.
///
/// Thread safety: it never changes, so any number of threads may read it.
pub struct memoom_prediction {
    prediction: Prediction,
    candidates: Rows<memoom_candidate>,
    json: CString,
    text: CString,
}

/// Computes whom the kernel would kill if the limit of the group, or of the nearest group above it that has one, were
/// hit now.
///
/// \param group           the group
/// \param ret_prediction  where the prediction goes
/// \param reterr_error    where the error goes on failure, or NULL
///
/// Returns: MEMOOM_OK; MEMOOM_ERR_INVALID_INPUT for NULL; MEMOOM_ERR_NOT_FOUND where the group was removed;
/// MEMOOM_ERR_CLOSED; MEMOOM_ERR_IO; MEMOOM_ERR_PANIC.
/// Ownership: free the prediction with memoom_prediction_free.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[must_use]
pub extern "C" fn memoom_group_predict(
    group: Option<&memoom_group>,
    ret_prediction: Option<&mut MaybeUninit<Box<memoom_prediction>>>,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
) -> memoom_status {
    ffi::call("memoom_group_predict", reterr_error, || {
        let (group, ret_prediction) = (need(group, "group")?, need(ret_prediction, "ret_prediction")?);
        let prediction = group.group.predict()?;
        ret_prediction.write(Box::new(memoom_prediction {
            candidates: candidates(&prediction.candidates),
            json: text(prediction.to_json()),
            text: text(prediction.to_text()),
            prediction,
        }));
        Ok(())
    })
}

/// The predicted victim.
///
/// \param prediction  a prediction, or NULL
///
/// Returns: its pid; 0 where nobody is eligible or the kernel waits for an earlier victim, and for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_prediction_pid(prediction: Option<&memoom_prediction>) -> i32 {
    ffi::get(prediction, 0, |prediction| prediction.prediction.predicted.unwrap_or(0))
}

/// Whether the distance to the next candidate is larger than what the readings can be off by.
///
/// \param prediction  a prediction, or NULL
///
/// Returns: 1 where the prediction must hold, else 0; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_prediction_determined(prediction: Option<&memoom_prediction>) -> u32 {
    ffi::get(prediction, 0, |prediction| u32::from(prediction.prediction.determined))
}

/// How many processes there are to choose from.
///
/// \param prediction  a prediction, or NULL
///
/// Returns: the number; 0 for NULL.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_prediction_candidate_count(prediction: Option<&memoom_prediction>) -> usize {
    ffi::get(prediction, 0, |prediction| prediction.candidates.len())
}

/// One of the processes, in the order in which the kernel scans them.
///
/// \param prediction  a prediction, or NULL
/// \param index       from 0 to memoom_prediction_candidate_count - 1
///
/// Returns: the process; NULL beyond the end, and for NULL.
/// Ownership: borrowed from the prediction.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_prediction_candidate_at(
    prediction: Option<&memoom_prediction>,
    index: usize,
) -> *const memoom_candidate {
    ffi::get(prediction, ptr::null(), |prediction| prediction.candidates.at(index))
}

/// The prediction as a person reads it: who, by what margin, and every candidate.
///
/// \param prediction  a prediction, or NULL
///
/// Returns: the text; NULL for NULL.
/// Ownership: borrowed from the prediction.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_prediction_to_text(prediction: Option<&memoom_prediction>) -> *const c_char {
    ffi::get(prediction, ptr::null(), |prediction| prediction.text.as_ptr())
}

/// The prediction as one JSON document ("memoom.prediction/1").
///
/// \param prediction  a prediction, or NULL
///
/// Returns: the document; NULL for NULL.
/// Ownership: borrowed from the prediction.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_prediction_to_json(prediction: Option<&memoom_prediction>) -> *const c_char {
    ffi::get(prediction, ptr::null(), |prediction| prediction.json.as_ptr())
}

/// Frees a prediction.
///
/// \param prediction  a prediction, or NULL, which does nothing
///
/// Ownership: takes the prediction; what it holds ends with it.
/// Thread safety: no other thread may use it any more.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn memoom_prediction_free(prediction: Option<Box<memoom_prediction>>) {
    ffi::free(prediction);
}
