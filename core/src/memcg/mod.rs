//! The groups: the host that has them, the lab that keeps them, the limits and counters of each.

pub(crate) mod block;
pub(crate) mod control;
pub(crate) mod counters;
pub(crate) mod ending;
pub(crate) mod files;
pub(crate) mod group;
pub(crate) mod host;
mod host_evidence;
mod host_text;
pub(crate) mod lab;
pub(crate) mod leftover;
pub(crate) mod limits;
mod mountinfo;
pub(crate) mod peak;
mod settings;
pub(crate) mod stall;
pub(crate) mod v1;
pub(crate) mod v2;
mod wake;

pub use counters::{Counters, Stat};
pub use group::Group;
pub use host::{Ability, Hierarchy, Host, Version};
pub use lab::{Lab, LabOptions};
pub use leftover::{gc, Leftover};
pub use limits::{parse_size, Limit, Limits};
pub use peak::Peak;
pub use stall::{Pressure, Stall};
