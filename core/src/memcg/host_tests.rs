//! fixture hosts
