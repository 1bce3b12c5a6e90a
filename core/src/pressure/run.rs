//! One call for the impatient: a command under a limit, in a lab of its own, and its outcome.

use std::time::{Duration, Instant};

use super::at_limit::{StopAtLimit, Watched};
use super::command::Command;
use super::throttled::throttled;
use super::worker::Worker;
use crate::account::outcome::{Outcome, Verdict};
use crate::account::victim::NEVER;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::Group;
use crate::lab::lab::Lab;
use crate::lab::options::LabOptions;
use crate::memcg::Limits;
use crate::observe::author::{Author, KilledBy};
use crate::observe::missing::Missing;
use crate::observe::task::Proc;
use crate::wait::Wait;

/// A command to be run under limits.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// The command.
    pub command: Command,
    /// The limits of the group in which it runs.
    pub limits: Limits,
    /// How long it may run; then it and all its children are killed, and the verdict is [`Verdict::Timeout`], or
    /// [`Verdict::Throttled`] where `memory.high` held it. A command
    /// of `oom_score_adj` -1000 needs it, as nobody else is there to be killed at the limit.
    pub timeout: Option<Duration>,
    /// The lab in which the group is made.
    pub lab: LabOptions,
    /// What is done when the limit is met, before anybody dies; its time does not count for the timeout.
    pub at_limit: Option<StopAtLimit>,
}

/// A killed worker that has not ended for so long is asked whether it is frozen.
const FROZEN_FOR: Duration = Duration::from_secs(2);

/// How much later than a timeout the supervisor ends a worker.
const LATER: Duration = Duration::from_secs(5);

impl Run {
    /// Runs the command and waits for its end. Whatever it leaves behind in its group is killed then.
    ///
    /// # Errors
    /// As [`Lab::with`], [`Group::command`](crate::Group::command) and [`Lab::group`]; `Interrupted`, with everything
    /// killed; `TimedOut` where its time is over and a freezer of cgroup v1 keeps it from dying: the supervisor ends the lab
    /// when it is thawed. That the command was OOM-killed or failed is an outcome, not an error.
    pub fn run<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<Outcome> {
        self.run_with(wait, |_| ())
    }

    /// The same, and shows the worker when it has started: for instance to pass signals on to it.
    ///
    /// # Errors
    /// As [`Run::run`].
    pub fn run_with<'a>(&self, wait: impl Into<Wait<'a>>, started: impl FnOnce(&Worker)) -> Result<Outcome> {
        let force_within = self.command.force_within.or(self.forced(self.command.oom_score_adj));
        let command = Command { force_within, ..self.command.clone() };
        let (lab, group) = self.make_lab()?;
        let watched = self.watched(&lab, &group)?;
        let worker = match group.command(&command) {
            Ok(worker) => worker,
            Err(error) => return Err(nothing_left(error, &lab.close())),
        };
        started(&worker);
        self.outcome(&lab, &worker, watched, wait.into())
    }

    /// A worker that nobody may kill is forced by its timeout. The supervisor's deadline is for the case that this
    /// process does not come to keep its own, so it comes later.
    pub(crate) fn forced(&self, oom_score_adj: i16) -> Option<Duration> {
        self.timeout.filter(|_| oom_score_adj == NEVER).map(|timeout| timeout.saturating_add(LATER))
    }

    /// A lab of its own, and the group for the worker.
    pub(super) fn make_lab(&self) -> Result<(Lab, Group)> {
        let lab = Lab::with(&self.lab)?;
        let group = lab.group(Some("run"), &self.limits)?;
        Ok((lab, group))
    }

    /// Who holds the group at its limit, where that was asked for.
    pub(super) fn watched<'a>(&'a self, lab: &'a Lab, group: &'a Group) -> Result<Option<Watched<'a>>> {
        self.at_limit.as_ref().map(|stop| Watched::new(stop, lab, group)).transpose()
    }

    /// Waits for the end of the worker, and closes its lab.
    pub(super) fn outcome(
        &self,
        lab: &Lab,
        worker: &Worker,
        watched: Option<Watched<'_>>,
        wait: Wait<'_>,
    ) -> Result<Outcome> {
        let outcome = self.ended(worker, watched, wait);
        let closed = lab.close();
        let outcome = outcome.map_err(|error| nothing_left(error, &closed))?;
        closed.map_err(|error: Error| error.value(format!("after {} had ended", outcome.pid)))?;
        Ok(outcome)
    }

    /// Waits for the end of the worker, and reads what its group, which is the run's own, has used at most.
    pub(super) fn ended(
        &self,
        worker: &Worker,
        mut watched: Option<Watched<'_>>,
        mut wait: Wait<'_>,
    ) -> Result<Outcome> {
        let mut deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        if let Some(watched) = &mut watched {
            watched.watch(worker, deadline, &mut wait)?;
            deadline = deadline.and_then(|deadline| deadline.checked_add(watched.held));
        }
        let mut outcome = self.ended_in_time(worker, deadline, wait)?;
        if let Some(Watched { met, missing, .. }) = watched {
            outcome.at_limit = Some(met);
            outcome.missing.extend(missing);
        }
        match worker.group().peak_bytes() {
            Ok(peak) => outcome.peak_bytes = peak,
            Err(error) => outcome.missing.push(Missing::new("peak", error.to_string())),
        }
        Ok(outcome)
    }

    /// Waits for the end of the worker, or brings it about when its time is over.
    fn ended_in_time(&self, worker: &Worker, deadline: Option<Instant>, mut wait: Wait<'_>) -> Result<Outcome> {
        let first = match deadline {
            Some(deadline) => worker.wait(wait.at_most(deadline.saturating_duration_since(Instant::now()))),
            None => worker.wait(wait.reborrow()),
        };
        match first {
            Err(error)
                if error.kind() == ErrorKind::TimedOut
                    && deadline.is_some_and(|deadline| Instant::now() >= deadline) =>
            {
                let held = throttled(worker);
                // An OOM kill in the same moment is still an OOM kill: the verdict looks at the evidence first.
                worker.group().kill()?;
                let mut outcome = killed(worker, wait)?;
                // Nor does memoom answer for a signal that somebody else had sent before.
                let others = |by: &KilledBy| !matches!(by.by, Author::Memoom | Author::Unknown);
                if !outcome.oom_killed && !outcome.killed_by.as_ref().is_some_and(others) {
                    outcome.verdict = if held.is_some() { Verdict::Throttled } else { Verdict::Timeout };
                    outcome.throttled = held;
                    for by in outcome.killed_by.iter_mut().filter(|by| by.by == Author::Memoom) {
                        by.reason = self.timeout.map(|after| format!("its timeout of {} s was over", seconds(after)));
                    }
                    outcome = outcome.explained();
                }
                Ok(outcome)
            }
            other => other,
        }
    }
}

/// Where the supervisor of a run has died, the lab that is made anew is another run's.
fn nothing_left(error: Error, closed: &Result<()>) -> Error {
    match (error.kind(), closed) {
        (ErrorKind::Closed, Ok(())) => error.remedy("run it again; nothing of this run is left"),
        _ => error,
    }
}

/// Waits for the end of a worker that was killed, unless a freezer holds it: then only who froze it can let it die.
fn killed(worker: &Worker, mut wait: Wait<'_>) -> Result<Outcome> {
    loop {
        match worker.wait(wait.at_most(FROZEN_FOR)) {
            Err(error) if error.kind() == ErrorKind::TimedOut && !wait.expired() => {}
            ended => return ended,
        }
        let pid = worker.pid();
        let wchan = Proc::system().wchan(pid).ok().flatten().flatten();
        if wchan.as_deref() == Some("__refrigerator") {
            return Err(Error::new(
                ErrorKind::TimedOut,
                "end run",
                "a freezer of cgroup v1 holds the command, which was killed and ends when it is thawed",
            )
            .value(format!("pid {pid}"))
            .remedy("write THAWED to freezer.state of its group in the freezer's hierarchy (/proc/PID/cgroup)"));
        }
    }
}

/// Seconds as a decimal number. A float would bring the code that shows floats, of which there is no other.
fn seconds(time: Duration) -> String {
    let text = format!("{}.{:09}", time.as_secs(), time.subsec_nanos());
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn seconds_as_people_write_them() {
        for (nanoseconds, text) in [(30_000_000_000, "30"), (100_000_000, "0.1"), (1_050_000_000, "1.05"), (0, "0")] {
            assert_eq!(super::seconds(Duration::from_nanos(nanoseconds)), text);
        }
    }
}
