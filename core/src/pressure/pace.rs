//! The pace of a hog: how fast it takes its steps, and when it stops by itself.

use std::time::{Duration, Instant};

use super::kind::Kind;
use super::step::{Grow, GrowStatus};
use super::Hog;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::foresee::nearest_limit;
use crate::lab::hub::{Look, State};
use crate::memcg::counters::charged_ahead_bytes;
use crate::memcg::Limit;
use crate::sys;
use crate::wait::Wait;

/// How many steps a second a rate is cut into at most.
const STEPS_PER_SECOND: u64 = 20;

/// How fast a hog takes its steps, and when it stops by itself. Without any of it, it goes on step by step until one is
/// not whole: killed, blocked or short. That ends every pace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    /// Bytes in a second; without, step after step.
    pub rate_bytes: Option<u64>,
    /// Stop when the hog holds so many bytes.
    pub total_bytes: Option<u64>,
    /// Stop when so many bytes are left below the limit that has the least room. The usage then stands at most 64 pages,
    /// which the kernel charges ahead, and one page of the hog's kind below that mark, and never above it.
    pub below_bytes: Option<u64>,
    /// Stop when an event of this kind (such as `notified`, `victim`, `exited`) happens in the hog's group or below it.
    pub until: Option<String>,
}

/// Why a hog stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stop {
    /// It holds the bytes that were wanted.
    Total,
    /// It is as near to the limit as was wanted.
    Below,
    /// The event has happened.
    Event,
    /// The last step was not whole: its status says it.
    Step,
}

impl Stop {
    /// The reason as it stands in documents.
    pub fn name(self) -> &'static str {
        match self {
            Stop::Total => "total",
            Stop::Below => "below",
            Stop::Event => "event",
            Stop::Step => "step",
        }
    }
}

/// How a pace ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Paced {
    /// Why it stopped.
    pub stop: Stop,
    /// Steps that were taken.
    pub steps: u64,
    /// Bytes that the hog holds.
    pub total_bytes: u64,
    /// The last step, if there was one.
    pub last: Option<Grow>,
}

impl Hog {
    /// Has the hog take steps at a pace until one of its ends is reached.
    ///
    /// # Errors
    /// As [`Hog::grow`]; `InvalidInput` for a rate of 0, an event that does not exist, or a hog of the kind file, which
    /// no limit stops, without an end; `TimedOut` where no end was reached by the deadline: the hog stands still then,
    /// unless a step goes on.
    pub fn pace<'a>(&self, pace: &Pace, wait: impl Into<Wait<'a>>) -> Result<Paced> {
        self.check_pace(pace)?;
        let lab = self.worker().group().lab("pace")?.clone();
        let mut wait = wait.into();
        let from = lab.hub.lock().events.end();
        let begin = Instant::now();
        let start = self.total_bytes();
        let (mut steps, mut last) = (0, None);
        loop {
            let paced = |stop, last| Paced { stop, steps, total_bytes: self.total_bytes(), last };
            let due = self.due(pace, begin, self.total_bytes().saturating_sub(start));
            let rest = due.saturating_duration_since(Instant::now());
            // Whoever waits for an event reads the sources too, with or without a rest.
            let happened = lab.hub.wait_until(&mut wait.at_most(rest), |state| {
                Ok(if self.has_happened(pace, state, from) { Look::Done(()) } else { Look::Wait })
            })?;
            if happened.is_some() {
                return Ok(paced(Stop::Event, last));
            }
            if wait.expired() {
                return Err(Error::new(ErrorKind::TimedOut, "pace", "no end of the pace was reached by the deadline")
                    .value(format!("{} bytes in {steps} steps", self.total_bytes()))
                    .remedy("wait longer, or give an end that is reached sooner"));
            }
            let bytes = match self.next_step(pace)? {
                Ok(bytes) => bytes,
                Err(stop) => return Ok(paced(stop, last)),
            };
            let grow = self.grow(Some(bytes), wait.reborrow())?;
            steps += 1;
            let whole = grow.status == GrowStatus::Grew;
            last = Some(grow);
            if !whole {
                return Ok(Paced { stop: Stop::Step, steps, total_bytes: self.total_bytes(), last });
            }
        }
    }

    fn check_pace(&self, pace: &Pace) -> Result<()> {
        let Pace { rate_bytes, total_bytes, below_bytes, until } = pace;
        let wrong =
            |reason: &str, remedy: &str| Err(Error::new(ErrorKind::InvalidInput, "pace", reason).remedy(remedy));
        if *rate_bytes == Some(0) {
            return wrong("the rate is 0 bytes per second", "give a rate of at least 1");
        }
        if let Some(until) = until.as_deref().filter(|until| !EVENTS.contains(until)) {
            let remedy = format!("use one of {}", EVENTS.join(", "));
            return wrong("there is no event of that kind", &remedy).map_err(|error| error.value(until));
        }
        if self.kind() == Kind::File && total_bytes.is_none() && below_bytes.is_none() && until.is_none() {
            let reason = "no limit stops a hog of the kind file: it would fill the file system";
            return wrong(reason, "give total, below or until");
        }
        Ok(())
    }

    /// When the next step is due.
    fn due(&self, pace: &Pace, begin: Instant, taken: u64) -> Instant {
        let Some(rate) = pace.rate_bytes else { return begin };
        begin + Duration::from_secs_f64(taken as f64 / rate as f64)
    }

    fn has_happened(&self, pace: &Pace, state: &State, from: usize) -> bool {
        let Some(until) = &pace.until else { return false };
        let group = self.worker().group();
        state
            .events
            .since(from)
            .any(|event| event.kind.name() == until && event.group.as_deref().is_none_or(|cgroup| group.covers(cgroup)))
    }

    /// The bytes of the next step, or why there is none.
    fn next_step(&self, pace: &Pace) -> Result<Result<u64, Stop>> {
        let mut bytes = self.step_bytes();
        if let Some(rate) = pace.rate_bytes {
            bytes = bytes.min((rate / STEPS_PER_SECOND).max(self.kind().unit()));
        }
        if let Some(total) = pace.total_bytes {
            match total.saturating_sub(self.total_bytes()) {
                0 => return Ok(Err(Stop::Total)),
                left => bytes = bytes.min(left),
            }
        }
        if let Some(below) = pace.below_bytes {
            let (group, limit) = nearest_limit(&self.worker().process.group)?;
            if let Limit::Bytes(limit) = limit {
                let room = limit.saturating_sub(below).saturating_sub(group.usage_bytes()?);
                // A hog stays on one CPU.
                let room = room.saturating_sub(charged_ahead_bytes(sys::page_size(), 1));
                let unit = self.kind().unit();
                if room < unit {
                    return Ok(Err(Stop::Below));
                }
                // Page tables and the like are charged too: the mark is come near to in ever smaller steps.
                let share = room / 16 * self.kind().share();
                bytes = bytes.min((share / unit * unit).max(unit));
            }
        }
        Ok(Ok(bytes))
    }
}

/// The kinds of events that can be waited for; [`EventKind::name`](crate::EventKind::name) gives them.
const EVENTS: [&str; 14] = [
    "alarm",
    "blocked",
    "exited",
    "limit",
    "log",
    "lost",
    "notified",
    "predicted",
    "removed",
    "setting",
    "started",
    "switch",
    "ticked",
    "victim",
];
