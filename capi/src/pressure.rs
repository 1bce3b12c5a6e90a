//! Allocation pressure: hogs, tickers and commands, and the one call that does it all.

pub(crate) mod command;
pub(crate) mod hog;
pub(crate) mod run;
pub(crate) mod worker;
