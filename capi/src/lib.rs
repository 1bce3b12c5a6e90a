//! The C face of memoom: every function of `<memoom.h>`, in the same rooms as the core.
//!
//! The comments of the exported items are written for readers of the header, which is generated from them; the
//! contract behind all of them is docs/c-api.md. Pointers arrive as `Option<&T>` (NULL is `None`), owned objects as
//! `Option<Box<T>>`, outputs as `Option<&mut MaybeUninit<T>>`: what the caller promises is said by the type, and little
//! unsafe code is left.

// The names are those of the header.
#![allow(non_camel_case_types)]
// What an unsafe function demands is in its comment for C readers; there is nothing beyond it.
#![allow(clippy::missing_safety_doc)]

mod account;
mod error;
mod failure;
mod ffi;
mod list;
mod memcg;
mod observe;
mod pressure;
mod text;
mod words;

pub use account::{
    killed_by::*, oom::holders::*, oom::lists::*, oom::rows::*, oom::why::*, oom::*, outcome::at_limit::*,
    outcome::verdict::*, outcome::why::*, outcome::*, postmortem::*, timeline::*,
};
pub use error::*;
pub use ffi::{MEMOOM_FOREVER, MEMOOM_SCORE_UNKNOWN, MEMOOM_UNCHANGED, MEMOOM_UNKNOWN, MEMOOM_UNLIMITED};
pub use list::*;
pub use memcg::{
    adopt::*, composition::*, control::*, group::*, group_limits::*, host::*, lab::*, peak::*, predict::*, settings::*,
    size::*, stall::*, workload::*,
};
pub use observe::{
    event::*, report::list::*, report::memory::*, report::memory_parts::*, report::reader::*, report::tasks::*,
    report::why::*, report::*, watch::*,
};
pub use pressure::{
    command::*, container::*, fit::*, function::*, hog::*, pace::*, pod::*, run::*, ticker::*, trigger::*, worker::*,
};

/// The major version of the library that this header belongs to.
pub const MEMOOM_VERSION_MAJOR: u32 = 0;
/// The minor version of the library that this header belongs to.
pub const MEMOOM_VERSION_MINOR: u32 = 1;
/// The patch version of the library that this header belongs to.
pub const MEMOOM_VERSION_PATCH: u32 = 0;

/// The version of the library that is running, such as "0.1.0".
///
/// Compare with MEMOOM_VERSION_STRING, the version of the header the program was compiled with.
///
/// Returns: the version.
/// Ownership: static; never freed.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[allow(unsafe_code)] // the attribute alone counts as unsafe: the name is ours, by its prefix
pub extern "C" fn memoom_version() -> *const std::ffi::c_char {
    const VERSION: &std::ffi::CStr =
        match std::ffi::CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    VERSION.as_ptr()
}

/// The version of the library that is running as one number: major * 65536 + minor * 256 + patch.
///
/// Compare with MEMOOM_VERSION_NUMBER.
///
/// Returns: the number.
/// Thread safety: any thread.
/// Since 0.1.
#[no_mangle]
#[allow(unsafe_code)] // as above
pub extern "C" fn memoom_version_number() -> u32 {
    MEMOOM_VERSION_MAJOR << 16 | MEMOOM_VERSION_MINOR << 8 | MEMOOM_VERSION_PATCH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_and_the_text_of_the_version_are_the_same() {
        let text = format!("{MEMOOM_VERSION_MAJOR}.{MEMOOM_VERSION_MINOR}.{MEMOOM_VERSION_PATCH}");
        assert_eq!(text, env!("CARGO_PKG_VERSION"));
    }
}
