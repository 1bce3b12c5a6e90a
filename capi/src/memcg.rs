//! The groups: the host that has them, the lab that keeps them, the limits and counters of each.

pub(crate) mod adopt;
pub(crate) mod composition;
pub(crate) mod control;
pub(crate) mod group;
pub(crate) mod group_limits;
pub(crate) mod host;
pub(crate) mod lab;
pub(crate) mod path;
pub(crate) mod peak;
pub(crate) mod predict;
pub(crate) mod settings;
pub(crate) mod size;
pub(crate) mod stall;
pub(crate) mod workload;
