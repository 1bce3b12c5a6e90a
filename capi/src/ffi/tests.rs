//! The rules of the boundary: sizes of structs, panics, strings.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::error::{memoom_error_message, MEMOOM_ERR_INVALID_INPUT, MEMOOM_ERR_PANIC};

#[repr(C)]
struct Old {
    struct_size: usize,
    first: u64,
}

#[repr(C)]
#[derive(Debug, PartialEq)]
struct Now {
    struct_size: usize,
    first: u64,
    second: u64,
}

impl Default for Now {
    fn default() -> Now {
        Now { struct_size: size_of::<Now>(), first: 1, second: 2 }
    }
}

// SAFETY: repr(C), a usize first, integers only.
unsafe impl Struct for Now {
    const NAME: &'static str = "now";
}

#[repr(C)]
struct Later {
    now: Now,
    third: u64,
}

fn read<T>(given: &T) -> Result<Now, String> {
    // SAFETY: `given` is as large as its first field says.
    let read = unsafe { options(ptr::from_ref(given).cast::<Now>()) };
    read.map_err(|failure| {
        let error = failure.into_error("f");
        // SAFETY: the string lives as long as the error.
        unsafe { CStr::from_ptr(memoom_error_message(Some(&error))) }.to_str().unwrap().to_string()
    })
}

#[test]
fn a_short_struct_keeps_the_defaults_of_what_it_lacks() {
    let now = read(&Old { struct_size: size_of::<Old>(), first: 7 }).unwrap();
    assert_eq!((now.first, now.second), (7, 2));
}

#[test]
fn a_long_struct_is_taken_when_what_we_do_not_know_is_zero() {
    let now = || Now { struct_size: size_of::<Later>(), first: 3, second: 4 };
    let found = read(&Later { now: now(), third: 0 }).unwrap();
    assert_eq!((found.first, found.second), (3, 4));
    let message = read(&Later { now: now(), third: 1 << 40 }).unwrap_err();
    assert!(message.contains("does not know (struct_size 32, known 24)"), "{message}");
}

#[test]
fn a_struct_without_its_size_is_refused() {
    for struct_size in [0, size_of::<usize>() - 1] {
        let message = read(&Now { struct_size, first: 0, second: 0 }).unwrap_err();
        assert!(message.contains("_INIT macro"), "{message}");
    }
}

#[test]
fn null_is_the_defaults() {
    // SAFETY: NULL is allowed.
    let now: Now = unsafe { options(ptr::null()) }.unwrap_or_else(|_| panic!("NULL was refused"));
    assert_eq!(now, Now::default());
}

#[test]
fn an_output_struct_is_filled_as_far_as_it_goes() {
    let value = Now { struct_size: 0, first: 5, second: 6 };
    let mut old = Old { struct_size: size_of::<Old>(), first: 0 };
    // SAFETY: `old` is as large as its first field says.
    unsafe { output(ptr::from_mut(&mut old).cast::<Now>(), "old") }.unwrap_or_else(|_| panic!()).write(&value);
    assert_eq!((old.struct_size, old.first), (size_of::<Old>(), 5));
    let mut later = Later { now: Now { struct_size: size_of::<Later>(), first: 0, second: 0 }, third: 9 };
    // SAFETY: as above.
    unsafe { output(ptr::from_mut(&mut later).cast::<Now>(), "later") }.unwrap_or_else(|_| panic!()).write(&value);
    assert_eq!((later.now.first, later.now.second, later.third), (5, 6, 0));
}

#[test]
fn a_panic_becomes_a_status_and_its_message() {
    let mut error = MaybeUninit::uninit();
    let status = call("memoom_test", Some(&mut error), || panic!("told {}", 5));
    assert_eq!(status, MEMOOM_ERR_PANIC);
    // SAFETY: the call failed, so it wrote the error.
    let error = unsafe { error.assume_init() };
    // SAFETY: the string lives as long as the error.
    let message = unsafe { CStr::from_ptr(memoom_error_message(Some(&error))) }.to_str().unwrap();
    assert!(message.contains("memoom_test: a defect of memoom was caught: told 5"), "{message}");
    assert_eq!(call("memoom_test", None, || Err(Failure::null("x"))), MEMOOM_ERR_INVALID_INPUT);
    assert_eq!(get(Some(&1), 4, |_| panic!("again")), 4);
}

#[test]
fn strings_for_c_hide_nothing() {
    assert_eq!(text(b"a\0b").to_bytes(), b"a\\x00b");
    assert_eq!(escape(b"a\xff\\\n~"), "a\\xff\\x5c\\x0a~");
}

#[test]
fn for_ever_is_no_duration() {
    assert_eq!(timeout(MEMOOM_FOREVER), None);
    assert_eq!(timeout(0), Some(Duration::ZERO));
}
