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
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod map;
mod order;
mod sys;
mod text;
mod wait;

/// The groups: the host that has them, the lab that keeps them, the limits and counters of each.
pub mod memcg {
    pub(crate) mod cgroup;
    pub(crate) mod contents;
    pub(crate) mod counters;
    pub(crate) mod files;
    pub(crate) mod freeze;
    mod kept;
    pub(crate) mod limits;
    mod names;
    pub(crate) mod owner;
    pub(crate) mod path;
    pub(crate) mod v1;
    pub(crate) mod v2;
    pub(crate) mod version;
    pub(crate) mod workload;

    pub use crate::lab::group::peak::Peak;
    pub use crate::lab::group::stall::{Pressure, Stall};
    pub use crate::lab::group::Group;
    pub use crate::lab::host::{Ability, Hierarchy, Host};
    pub use crate::lab::lab::Lab;
    pub use crate::lab::leftover::{gc, gc_below, Leftover};
    pub use crate::lab::options::LabOptions;
    pub use counters::{Counters, Stat};
    pub use limits::{parse_size, Limit, Limits};
    pub use path::covers;
    pub use version::Version;
    pub use workload::{workload, Workload, WorkloadKind};
}

/// What happened: kernel log, call path, task state, and the watch that joins them.
pub mod observe {
    pub(crate) mod author;
    pub(crate) mod callpath;
    #[cfg(feature = "debug-info")]
    mod elf;
    pub(crate) mod event;
    mod event_text;
    pub(crate) mod finding;
    mod kallsyms;
    pub(crate) mod kmsg;
    pub(crate) mod mappings;
    pub(crate) mod missing;
    pub mod report;
    pub(crate) mod signal;
    pub(crate) mod stack;
    pub(crate) mod task;
    pub(crate) mod trace;
    pub(crate) mod tracefs;

    #[cfg(test)]
    pub(crate) mod live;

    pub use crate::lab::group::alarm::Alarm;
    pub use crate::lab::watch::meant::watch_of;
    pub use crate::lab::watch::Watch;
    pub use crate::wait::Wait;
    pub use author::{Author, KilledBy};
    pub use callpath::{explain, step, Frame, Step};
    pub use event::{Event, EventKind, Source};
    pub use finding::Finding;
    pub use kmsg::Record;
    pub use mappings::{Mapped, Mapping, UserFrame};
    pub use missing::Missing;
    pub use report::{parse_reports, reports_to_json, Report, ReportLog, ReportReader};
}

/// The host's side of processes: the supervisor and the channel to each worker.
mod helper {
    pub(crate) mod channel;
    pub(crate) mod descriptor;
    pub(crate) mod mailbox;
    pub(crate) mod mapping;
    pub(crate) mod process;
    pub(crate) mod supervisor;
    pub(crate) mod wire;
}

/// The findings: the account of an OOM, the outcome of a worker, the timeline of a lab.
pub mod account {
    pub(crate) mod at_limit;
    pub(crate) mod collect;
    pub(crate) mod composition;
    pub(crate) mod findings;
    pub(crate) mod grower;
    pub(crate) mod growth;
    pub(crate) mod holders;
    pub(crate) mod oom;
    pub(crate) mod oom_text;
    pub(crate) mod outcome;
    mod outcome_text;
    pub(crate) mod postmortem;
    mod prediction_text;
    pub(crate) mod record;
    pub(crate) mod scene;
    pub(crate) mod scope;
    pub(crate) mod sign;
    pub(crate) mod start;
    mod summary;
    pub(crate) mod throttled;
    pub(crate) mod timeline;
    mod timeline_text;
    pub(crate) mod victim;
    mod whose;

    pub use crate::lab::postmortem::{
        postmortem, postmortem_of_group, postmortem_of_group_with, postmortem_with, PostmortemOptions,
    };
    pub use crate::lab::recording::replay;
    pub use at_limit::{AtLimit, HookRun};
    pub use composition::Composition;
    pub use grower::Grower;
    pub use holders::Holder;
    pub use oom::{Blocked, Cause, Disagreement, GroupUse, Oom, Predicted, Process, Span, SwapUse, Victim};
    pub use outcome::{Evidence, Outcome, Verdict};
    pub use postmortem::{GroupCount, Postmortem, Subject};
    pub use throttled::Throttled;
    pub use timeline::Timeline;
    pub use victim::{Candidate, Prediction};
}

/// Where the rooms meet: a lab, its groups, and the hub that reads every source of it.
mod lab {
    pub(crate) mod adopt;
    mod bell;
    mod budget;
    pub(crate) mod diary;
    pub(crate) mod ending;
    pub(crate) mod foresee;
    pub(crate) mod group;
    pub(crate) mod host;
    pub(crate) mod hub;
    #[allow(clippy::module_inception)] // a room is called after the chief thing in it
    pub(crate) mod lab;
    pub(crate) mod leftover;
    pub(crate) mod options;
    pub(crate) mod postmortem;
    mod put_back;
    pub(crate) mod recording;
    pub(crate) mod shared;
    pub(crate) mod watch;
}

/// Allocation pressure: the workers of a group and the supervisor that starts, reaps and cleans up.
pub mod pressure {
    mod at_limit;
    pub(crate) mod command;
    mod fit;
    pub(crate) mod function;
    pub(crate) mod hog;
    mod hook;
    mod interpreter;
    mod killed;
    pub(crate) mod kind;
    pub(crate) mod needs;
    mod pace;
    mod pod;
    pub(crate) mod resume;
    pub(crate) mod run;
    mod step;
    mod throttled;
    mod ticker;
    mod trigger;
    mod unkillable;
    mod verdict;
    mod way;
    pub(crate) mod worker;

    pub use at_limit::StopAtLimit;
    pub use command::{Command, Stdio};
    pub use fit::{Fit, FitRun, FitSettings, Fitted};
    pub use function::Function;
    pub use hog::{Hog, HogOptions};
    pub use hook::{Hook, HookAnswer, HookFunction};
    pub use kind::{Kind, Pattern};
    pub use pace::{Pace, Paced, Stop};
    pub use pod::{Container, ContainerKind, ContainerOptions, Pod, PodOptions, Qos};
    pub use resume::Resume;
    pub use run::Run;
    pub use step::{Grow, GrowStatus};
    pub use ticker::TickerOptions;
    pub use trigger::Triggered;
    pub use way::Way;
    pub use worker::Worker;
}

pub use account::{
    postmortem, postmortem_of_group, postmortem_of_group_with, postmortem_with, AtLimit, Blocked, Candidate, Cause,
    Composition, Disagreement, Evidence, HookRun, Oom, Outcome, Postmortem, PostmortemOptions, Prediction, Subject,
    Timeline, Verdict, Victim,
};
pub use error::{Error, ErrorKind, Result};
pub use lab::recording::replay;
pub use memcg::{
    covers, gc, gc_below, parse_size, Ability, Counters, Group, Hierarchy, Host, Lab, LabOptions, Limit, Limits, Peak,
    Pressure, Stall, Stat, Version,
};
pub use observe::{
    explain, parse_reports, reports_to_json, watch_of, Alarm, Author, Event, EventKind, Finding, Frame, KilledBy,
    Missing, Report, ReportLog, ReportReader, Source, Step, Wait, Watch,
};
pub use pressure::{
    Command, Container, ContainerKind, ContainerOptions, Fit, FitRun, FitSettings, Fitted, Function, Grow, GrowStatus,
    Hog, HogOptions, Hook, HookAnswer, HookFunction, Kind, Pace, Paced, Pattern, Pod, PodOptions, Qos, Resume, Run,
    Stdio, Stop, StopAtLimit, TickerOptions, Triggered, Way, Worker,
};
pub use text::{escape, unescape};
