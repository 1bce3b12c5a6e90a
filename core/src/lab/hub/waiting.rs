//! Waiting without a thread: whoever waits does the reading, and of several one polls for all.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use super::{Hub, State, LOOK_AGAIN};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::monotonic_ns;
use crate::wait::Wait;

/// What a waiter found.
pub(crate) enum Look<T> {
    /// It is there.
    Done(T),
    /// Not yet; a source will tell.
    Wait,
    /// Not yet, and no source tells: look again soon.
    Again,
}

impl Hub {
    /// Reads what is there, without waiting.
    pub(crate) fn refresh(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        if !state.polling {
            self.drain(&mut state);
        }
        state
    }

    /// Reads until `done` gives something. `None` at the deadline. `done` also says how soon to look again when no
    /// descriptor would tell ([`Look`]).
    pub(crate) fn wait_until<T>(
        &self,
        wait: &mut Wait<'_>,
        mut done: impl FnMut(&mut State) -> Result<Look<T>>,
    ) -> Result<Option<T>> {
        let mut found = None;
        self.wait_while(wait, &mut |state| {
            Ok(match done(state)? {
                Look::Done(value) => {
                    found = Some(value);
                    Look::Done(())
                }
                Look::Wait => Look::Wait,
                Look::Again => Look::Again,
            })
        })?;
        Ok(found)
    }

    /// The waiting itself, one copy for all that is waited for.
    fn wait_while(&self, wait: &mut Wait<'_>, done: &mut dyn FnMut(&mut State) -> Result<Look<()>>) -> Result<()> {
        // Asked first: a thread that held the lock is not there in a forked child.
        self.maker.check("wait")?;
        let mut state = self.lock();
        loop {
            if !state.polling {
                self.drain(&mut state);
                state.sample_when_due();
                state.gauge_when_due();
            }
            let again = match done(&mut state)? {
                Look::Done(()) => return Ok(()),
                Look::Again => Some(LOOK_AGAIN),
                Look::Wait => {
                    (state.collector.looks_on(monotonic_ns()) || state.looks_for_blocks()).then_some(LOOK_AGAIN)
                }
            };
            // Before the deadline is looked at: "nothing happened" would be no answer.
            if let Some(error) = state.lost_error() {
                return Err(error);
            }
            if wait.expired() {
                return Ok(());
            }
            if state.closed {
                return Err(Error::new(
                    ErrorKind::Closed,
                    "wait",
                    "the lab was closed, and nothing more will happen in it",
                ));
            }
            let slice = wait.slice(again);
            if state.polling {
                let longest = slice.unwrap_or(Duration::from_millis(50)).min(Duration::from_millis(50));
                state = self.turn.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner).0;
            } else {
                state.polling = true;
                let slice = [slice, state.samples.due_in(), state.gauge.due_in()].into_iter().flatten().min();
                drop(state);
                let timeout = slice.map_or(PollTimeout::NONE, |slice| {
                    // Rounded up, so that the last slice does not spin.
                    PollTimeout::try_from(slice + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
                });
                let mut fds = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
                let polled = poll(&mut fds, timeout);
                state = self.lock();
                state.polling = false;
                self.turn.notify_all();
                if let Err(errno) = polled {
                    if errno != Errno::EINTR {
                        return Err(Error::os("wait", errno));
                    }
                }
            }
            drop(state);
            // Not under the lock: the question may need a lock of the caller's own.
            wait.check()?;
            state = self.lock();
        }
    }
}
