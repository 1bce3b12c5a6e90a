//! Calls of the exported functions: what they write as a result, and objects that free themselves.
#![allow(unsafe_code)] // what a call has written

use std::ffi::{c_char, CString};
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

use memoom_capi::*;

use super::c_account::text;
use super::face::{Failure, Got};

/// An object of ours that goes back through its `_free`.
pub struct Owned<T>(pub Option<Box<T>>, pub extern "C" fn(Option<Box<T>>));

impl<T> Owned<T> {
    pub fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        self.1(self.0.take());
    }
}

/// Makes a call and gives what it wrote: its output on success, its error on failure.
pub fn call<T>(
    function: impl FnOnce(Option<&mut MaybeUninit<T>>, Option<&mut MaybeUninit<Box<memoom_error>>>) -> memoom_status,
) -> Got<T> {
    let (mut output, mut error) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    let status = function(Some(&mut output), Some(&mut error));
    if status == MEMOOM_OK {
        // SAFETY: outputs are written on success; that is what we test.
        return Ok(unsafe { output.assume_init() });
    }
    // SAFETY: the error is written on failure.
    let error = Owned(Some(unsafe { error.assume_init() }), memoom_error_free);
    let it = error.get();
    assert_eq!(memoom_error_status(it), status);
    assert!(!memoom_error_operation(it).is_null());
    Err(Failure {
        kind: text(memoom_status_name(status)).unwrap(),
        message: text(memoom_error_message(it)).unwrap(),
        errno: memoom_error_errno(it),
    })
}

pub fn made<T>(
    free: extern "C" fn(Option<Box<T>>),
    function: impl FnOnce(Option<&mut MaybeUninit<Box<T>>>, Option<&mut MaybeUninit<Box<memoom_error>>>) -> memoom_status,
) -> Got<Owned<T>> {
    Ok(Owned(Some(call(function)?), free))
}

/// A call without an output.
pub fn done(function: impl FnOnce(Option<&mut MaybeUninit<Box<memoom_error>>>) -> memoom_status) -> Got<()> {
    call(|output: Option<&mut MaybeUninit<()>>, error| {
        output.unwrap().write(());
        function(error)
    })
}

/// A call with an output struct.
pub fn filled<T: Default>(
    function: impl FnOnce(*mut T, Option<&mut MaybeUninit<Box<memoom_error>>>) -> memoom_status,
) -> Got<T> {
    let mut filled = T::default();
    done(|error| function(&mut filled, error))?;
    Ok(filled)
}

pub fn c(text: impl AsRef<[u8]>) -> CString {
    CString::new(text.as_ref()).expect("a string without NUL")
}

pub fn ns(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_nanos()).unwrap()
}

/// A list of strings that ends in NULL, and the strings.
pub fn list(items: &[&str]) -> (Vec<CString>, Vec<*const c_char>) {
    let strings: Vec<CString> = items.iter().map(c).collect();
    let pointers = strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect();
    (strings, pointers)
}
