//! memoom makes a Linux memory-cgroup OOM happen on purpose, safely, on cgroup v1 and v2, and hands back a
//! complete, checked account of what the kernel did.
//!
//! The way is always the same: a [`Host`] has a place for a [`Lab`]; a lab has [`Group`]s; workers ([`Hog`],
//! [`Worker`]) put pressure on a group; a [`Watch`] sees what happens; an [`Oom`] accounts for it and an [`Outcome`]
//! says how a worker ended.
//!
//! ```no_run
//! use memoom::{GrowStatus, HogOptions, Lab, Limits};
//!
//! # fn main() -> memoom::Result<()> {
//! let lab = Lab::new()?;
//! let group = lab.group(Some("example"), &Limits::bytes(80 << 20))?;
//! let mut watch = group.watch()?;
//! let hog = group.hog(&HogOptions::named("alloc_memory_1"))?;
//! while hog.grow(None, None)?.status == GrowStatus::Grew {}
//! let oom = watch.wait_oom(std::time::Duration::from_secs(5))?;
//! println!("{}", oom.map_or_else(|| "no OOM".to_string(), |oom| oom.to_text()));
//! lab.close()
//! # }
//! ```

mod error;
mod map;
mod order;
mod text;

pub mod account;
pub mod memcg;
pub mod observe;
pub mod pressure;
mod sys;

pub use account::{
    Blocked, Candidate, Cause, Disagreement, Evidence, Oom, Outcome, Prediction, Timeline, Verdict, Victim,
};
pub use error::{Error, ErrorKind, Result};
pub use memcg::{
    gc, parse_size, Ability, Counters, Group, Hierarchy, Host, Lab, LabOptions, Limit, Limits, Peak, Pressure, Stall,
    Stat, Version,
};
pub use observe::{
    explain, parse_reports, reports_to_json, Alarm, Event, EventKind, Finding, Frame, Missing, Report, Source, Step,
    Wait, Watch,
};
pub use pressure::{
    Command, Function, Grow, GrowStatus, Hog, HogOptions, Kind, Pace, Paced, Pattern, Resume, Run, Stdio, Stop,
    TickerOptions, Triggered, Way, Worker,
};
pub use text::{escape, unescape};
