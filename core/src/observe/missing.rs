//! What could not be had, and why.

use std::borrow::Cow;

use serde::Serialize;

/// Evidence that could not be had, and why. Nothing is lost silently.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Missing {
    /// The source: `kernel-log`, `tracefs`, `counters`, `report`, ...
    pub source: &'static str,
    /// Why.
    pub reason: Cow<'static, str>,
}

impl Missing {
    pub(crate) fn new(source: &'static str, reason: impl Into<Cow<'static, str>>) -> Missing {
        Missing { source, reason: reason.into() }
    }
}
