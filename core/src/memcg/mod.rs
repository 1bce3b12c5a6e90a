//! The groups: the host that has them, the lab that keeps them, the limits and counters of each.
