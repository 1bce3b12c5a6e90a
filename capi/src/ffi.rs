//! The boundary itself: how C's pointers, strings and structs become Rust values, and a result becomes a status.
#![allow(unsafe_code)] // it reads what C's pointers point to

use std::any::Any;
use std::ffi::{c_char, CStr};
use std::mem::{size_of, MaybeUninit};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::time::Duration;

use memoom::Wait;

use crate::failure::{memoom_error, memoom_status, Failure, Own, MEMOOM_OK};
pub(crate) use crate::text::{escape, kept, pointer, text};

/// No limit. As an output too: the group has no limit. 0 bytes is a limit.
pub const MEMOOM_UNLIMITED: u64 = u64::MAX;
/// In options: leave the kernel's own setting alone.
pub const MEMOOM_UNCHANGED: u64 = u64::MAX - 1;
/// In results alone: a number that this kernel or hierarchy does not give. As a limit it is refused.
pub const MEMOOM_UNKNOWN: u64 = u64::MAX - 2;
/// A timeout that never passes. It is the number of MEMOOM_UNLIMITED: both say that there is no end, and nothing takes
/// or gives a time and a size in one place.
pub const MEMOOM_FOREVER: u64 = u64::MAX;
/// An oom_score_adj that no source tells.
pub const MEMOOM_SCORE_UNKNOWN: i32 = i32::MIN;

pub(crate) type Done<T = ()> = Result<T, Failure>;

/// Runs the body of a fallible function: its failure, or its panic, becomes the status and the error object.
pub(crate) fn call(
    function: &'static str,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
    body: impl FnOnce() -> Done,
) -> memoom_status {
    // One copy of what follows, not one for each function of the header.
    let mut body = Some(body);
    guarded(function, reterr_error, &mut || body.take().map_or(Ok(()), |body| body()))
}

fn guarded(
    function: &'static str,
    reterr_error: Option<&mut MaybeUninit<Box<memoom_error>>>,
    body: &mut dyn FnMut() -> Done,
) -> memoom_status {
    // Nothing of ours stays half changed by a panic: the core's locks tolerate poison.
    let result =
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(Own::Panic(panic_text(&*panic)).into()));
    let Err(failure) = result else { return MEMOOM_OK };
    let error = failure.into_error(function);
    let status = error.status;
    if let Some(out) = reterr_error {
        out.write(Box::new(error));
    }
    status
}

/// Runs a pure getter; NULL and a panic give `otherwise`.
pub(crate) fn get<T, R: Copy>(object: Option<&T>, otherwise: R, get: impl FnOnce(&T) -> R) -> R {
    let Some(object) = object else { return otherwise };
    catch_unwind(AssertUnwindSafe(|| get(object))).unwrap_or(otherwise)
}

/// Drops an object; a panic on the way must not reach C.
pub(crate) fn free<T>(object: Option<Box<T>>) {
    // What a panicking drop could not free is lost; nobody could be told.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(object)));
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_string())
}

/// A required pointer.
pub(crate) fn need<T>(pointer: Option<T>, parameter: &'static str) -> Done<T> {
    pointer.ok_or_else(|| Failure::null(parameter))
}

/// A string that the caller may leave out.
///
/// # Safety
/// The pointer is NULL or points to a string that ends in NUL and stays as it is for `'a`.
pub(crate) unsafe fn maybe_bytes<'a>(string: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: not NULL, so the caller's promise holds.
    (!string.is_null()).then(|| unsafe { CStr::from_ptr(string) }.to_bytes())
}

/// A required string.
///
/// # Safety
/// As [`maybe_bytes`].
pub(crate) unsafe fn bytes<'a>(string: *const c_char, parameter: &'static str) -> Done<&'a [u8]> {
    // SAFETY: passed on.
    need(unsafe { maybe_bytes(string) }, parameter)
}

/// A list of strings that ends in a NULL pointer.
///
/// # Safety
/// The pointer is NULL or points to such a list, and each string is as [`maybe_bytes`] wants it.
pub(crate) unsafe fn strings<'a>(list: *const *const c_char) -> Option<Vec<&'a [u8]>> {
    if list.is_null() {
        return None;
    }
    let mut strings = Vec::new();
    loop {
        // SAFETY: the list goes on until its NULL, which has not come yet; its strings are the caller's promise.
        let Some(string) = (unsafe { maybe_bytes(*list.add(strings.len())) }) else { return Some(strings) };
        strings.push(string);
    }
}

/// What a name, a size or a kind must be, as the core takes `str`.
pub(crate) fn utf8<'a>(bytes: &'a [u8], parameter: &'static str) -> Done<&'a str> {
    std::str::from_utf8(bytes)
        .map_err(|_| Failure::input(format!("{parameter} is not UTF-8 (value {})", escape(bytes))))
}

/// A number that no source may tell.
pub(crate) fn known(number: Option<u64>) -> u64 {
    number.unwrap_or(MEMOOM_UNKNOWN)
}

/// A struct of options: the first field is its size as the caller was compiled, every bit pattern is a value, and
/// [`Default`] is its `MEMOOM_..._INIT`.
///
/// # Safety
/// The implementing type is `repr(C)`, begins with a `usize` and consists of integers and pointers without padding.
pub(crate) unsafe trait Struct: Default {
    const NAME: &'static str;
}

/// Reads options by the kernel's rule: a shorter struct keeps the defaults of what it lacks; of a longer one, what we
/// do not know must be 0. NULL is the defaults.
///
/// # Safety
/// The pointer is NULL or points to as many readable bytes as its first field says.
pub(crate) unsafe fn options<T: Struct>(given: *const T) -> Done<T> {
    let mut ours = T::default();
    if given.is_null() {
        return Ok(ours);
    }
    // SAFETY: the caller's promise: its first field is there.
    let size = unsafe { given.cast::<usize>().read_unaligned() };
    if size < size_of::<usize>() {
        return Err(Failure::input(format!(
            "struct_size of {} is {size}; remedy: begin with its _INIT macro",
            T::NAME
        )));
    }
    // SAFETY: `size` readable bytes, by the caller's promise.
    let given = unsafe { std::slice::from_raw_parts(given.cast::<u8>(), size) };
    let known = size.min(size_of::<T>());
    if given[known..].iter().any(|&byte| byte != 0) {
        return Err(Failure::input(format!(
            "{} has fields that this libmemoom does not know (struct_size {size}, known {}); remedy: install a newer libmemoom, or leave them 0",
            T::NAME,
            size_of::<T>()
        )));
    }
    // SAFETY: `known` bytes fit into `ours`, of which every bit pattern is a value.
    unsafe { ptr::copy_nonoverlapping(given.as_ptr(), ptr::from_mut(&mut ours).cast::<u8>(), known) };
    Ok(ours)
}

/// An output struct of the caller's whose size was read and found right; only then is anything done.
pub(crate) struct Output<T> {
    to: *mut T,
    size: usize,
}

/// Looks at the size of an output struct. A shorter struct takes what fits, in a longer one the rest becomes 0.
///
/// # Safety
/// The pointer is NULL or points to as many writable bytes as its first field says, until [`Output::write`].
pub(crate) unsafe fn output<T: Struct>(to: *mut T, parameter: &'static str) -> Done<Output<T>> {
    let to = need((!to.is_null()).then_some(to), parameter)?;
    // SAFETY: the caller's promise: its first field is there.
    let size = unsafe { to.cast::<usize>().read_unaligned() };
    if size < size_of::<usize>() {
        return Err(Failure::input(format!(
            "struct_size of {} is {size}; remedy: begin with its _INIT macro",
            T::NAME
        )));
    }
    Ok(Output { to, size })
}

impl<T: Struct> Output<T> {
    /// Fills the caller's struct; its `struct_size` stays the caller's.
    pub(crate) fn write(self, value: &T) {
        let head = size_of::<usize>();
        let known = self.size.min(size_of::<T>());
        let (from, to) = (ptr::from_ref(value).cast::<u8>(), self.to.cast::<u8>());
        // SAFETY: `output` was promised `size` writable bytes; `known` is within them and within `value`.
        unsafe {
            ptr::copy_nonoverlapping(from.add(head), to.add(head), known - head);
            ptr::write_bytes(to.add(known), 0, self.size - known);
        }
    }
}

pub(crate) fn timeout(timeout_ns: u64) -> Option<Duration> {
    (timeout_ns != MEMOOM_FOREVER).then(|| Duration::from_nanos(timeout_ns))
}

/// The same for a call that waits.
pub(crate) fn wait(timeout_ns: u64) -> Wait<'static> {
    timeout(timeout_ns).into()
}

#[cfg(test)]
mod tests;
