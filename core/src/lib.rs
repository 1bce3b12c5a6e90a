//! memoom makes a Linux memory-cgroup OOM happen on purpose, safely, on cgroup v1 and v2, and hands back a
//! complete, checked account of what the kernel did.

mod error;
mod text;

pub mod account;
pub mod memcg;
pub mod observe;
pub mod pressure;
mod sys;

pub use error::{Error, ErrorKind, Result};
