//! Allocation pressure: the workers of a group and the supervisor that starts, reaps and cleans up.

pub(crate) mod channel;
pub(crate) mod command;
pub(crate) mod descriptor;
pub(crate) mod function;
pub(crate) mod ground;
pub(crate) mod hog;
pub(crate) mod kind;
pub(crate) mod mailbox;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod supervisor;
mod trigger;
pub(crate) mod wire;
pub(crate) mod worker;

pub use command::{Command, Stdio};
pub use function::Function;
pub use hog::{Grow, GrowStatus, Hog, HogOptions};
pub use kind::{Kind, Pattern};
pub use resume::Resume;
pub use run::Run;
pub use trigger::{Triggered, Way};
pub use worker::Worker;
