//! A ticker: a worker that takes no memory and says that it is alive.

use std::time::Duration;

use super::hog::{check_comm, check_score};
use super::worker::Worker;
use crate::error::{Error, ErrorKind, Result};
use crate::helper::supervisor::Role;
use crate::lab::group::Group;

/// What a new ticker may be told.
#[derive(Debug, Clone)]
pub struct TickerOptions {
    /// Its name, as the kernel shows it (comm): 1 to 15 bytes.
    pub name: String,
    /// The time between two ticks.
    pub every: Duration,
    /// Its `oom_score_adj`, -1000 to 1000. Below the caller's own start value it needs CAP_SYS_RESOURCE.
    pub oom_score_adj: i16,
}

impl Default for TickerOptions {
    fn default() -> TickerOptions {
        TickerOptions { name: "ticker".to_string(), every: Duration::from_secs(1), oom_score_adj: 0 }
    }
}

impl Group {
    /// Starts a ticker: a worker that takes no memory and reports that it is alive, every so often.
    ///
    /// # Errors
    /// As [`Group::hog`]; `InvalidInput` for a period of zero.
    pub fn ticker(&self, name: &str, every: Duration) -> Result<Worker> {
        self.ticker_with(&TickerOptions { name: name.to_string(), every, ..TickerOptions::default() })
    }

    /// Starts a ticker as told.
    ///
    /// # Errors
    /// As [`Group::ticker`]; `PermissionDenied` for an `oom_score_adj` that this process may not set.
    pub fn ticker_with(&self, options: &TickerOptions) -> Result<Worker> {
        let TickerOptions { name, every, oom_score_adj } = options;
        check_comm("start ticker", name)?;
        check_score("start ticker", *oom_score_adj)?;
        if every.is_zero() {
            return Err(Error::new(ErrorKind::InvalidInput, "start ticker", "the period is zero")
                .remedy("give a period above zero"));
        }
        self.start("start ticker", name.as_bytes(), *oom_score_adj, Role::Ticker { every: *every })
    }
}
