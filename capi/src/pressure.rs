//! Allocation pressure: hogs, tickers, commands and functions, pods of them, and the one call that does it all.

pub(crate) mod command;
pub(crate) mod container;
pub(crate) mod fit;
pub(crate) mod function;
pub(crate) mod hog;
pub(crate) mod pace;
pub(crate) mod pod;
pub(crate) mod run;
pub(crate) mod ticker;
pub(crate) mod trigger;
pub(crate) mod worker;
