//! How long a call may wait, and who may interrupt it.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// How long a call may wait: for ever, until a deadline, and perhaps asking somebody now and then whether to go on.
///
/// Calls that wait take `impl Into<Wait>`: a `Duration`, an `Option<Duration>` (`None` waits for ever), or a `Wait`.
#[derive(Default)]
pub struct Wait<'a> {
    deadline: Option<Instant>,
    go_on: Option<&'a mut dyn FnMut() -> bool>,
}

impl<'a> Wait<'a> {
    /// Waits for ever.
    pub fn forever() -> Wait<'static> {
        Wait::default()
    }

    /// Waits until that moment.
    pub fn until(deadline: Instant) -> Wait<'static> {
        Wait { deadline: Some(deadline), go_on: None }
    }

    /// Asks `go_on` whenever a signal arrives and at least every 50 ms; `false` ends the wait with `Interrupted`.
    /// Interpreters use it to run their signal handlers.
    pub fn asking<'b>(self, go_on: &'b mut dyn FnMut() -> bool) -> Wait<'b> {
        // A wait of its own: the one that was given (mostly `Wait<'static>`) cannot hold a shorter borrow.
        Wait { deadline: self.deadline, go_on: Some(go_on) }
    }

    /// Whether there is a deadline.
    pub(crate) fn ends(&self) -> bool {
        self.deadline.is_some()
    }

    pub(crate) fn expired(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// The longest that one poll may take, given that something must be looked at again within `slice`.
    pub(crate) fn slice(&self, slice: Option<Duration>) -> Option<Duration> {
        const ASK_EVERY: Duration = Duration::from_millis(50);
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let ask = self.go_on.is_some().then_some(ASK_EVERY);
        [left, ask, slice].into_iter().flatten().min()
    }

    pub(crate) fn check(&mut self) -> Result<()> {
        let go_on = self.go_on.as_mut().is_none_or(|go_on| go_on());
        if go_on {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Interrupted, "wait", "the caller was interrupted"))
    }

    /// The same wait, lent for one call.
    pub(crate) fn reborrow(&mut self) -> Wait<'_> {
        Wait { deadline: self.deadline, go_on: self.go_on.as_mut().map(|go_on| &mut **go_on as _) }
    }

    /// The same end, no longer than so far ahead.
    pub(crate) fn at_most(&mut self, longest: Duration) -> Wait<'_> {
        let bound = Instant::now() + longest;
        let deadline = self.deadline.map_or(bound, |deadline| deadline.min(bound));
        Wait { deadline: Some(deadline), go_on: self.go_on.as_mut().map(|go_on| &mut **go_on as _) }
    }
}

impl From<Duration> for Wait<'static> {
    fn from(timeout: Duration) -> Self {
        Wait { deadline: Instant::now().checked_add(timeout), go_on: None }
    }
}

impl From<Option<Duration>> for Wait<'static> {
    fn from(timeout: Option<Duration>) -> Self {
        timeout.map_or_else(Wait::forever, Wait::from)
    }
}

impl From<Instant> for Wait<'static> {
    fn from(deadline: Instant) -> Self {
        Wait::until(deadline)
    }
}
