//! Allocation pressure: the workers of a group and the supervisor that starts, reaps and cleans up.

pub(crate) mod channel;
pub(crate) mod command;
pub(crate) mod descriptor;
pub(crate) mod function;
pub(crate) mod ground;
pub(crate) mod hog;
pub(crate) mod kind;
pub(crate) mod mailbox;
mod pace;
pub(crate) mod resume;
pub(crate) mod run;
mod spared;
mod step;
pub(crate) mod supervisor;
mod ticker;
mod trigger;
pub(crate) mod wire;
pub(crate) mod worker;

pub use command::{Command, Stdio};
pub use function::Function;
pub use hog::{Hog, HogOptions};
pub use kind::{Kind, Pattern};
pub use pace::{Pace, Paced, Stop};
pub use resume::Resume;
pub use run::Run;
pub use step::{Grow, GrowStatus};
pub use ticker::TickerOptions;
pub use trigger::{Triggered, Way};
pub use worker::Worker;
