//! Allocation pressure: the workers of a group and the supervisor that starts, reaps and cleans up.

pub(crate) mod supervisor;
pub(crate) mod wire;
