//! Stop at the limit and look: before anybody dies everybody is held, and a hook runs outside.

use std::time::{Duration, Instant};

use super::hook::{Hook, Seen};
use super::worker::Worker;
use crate::account::at_limit::{AtLimit, HookRun};
use crate::account::oom::{Predicted, Process};
use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::still::{self, Meeting, Still};
use crate::lab::group::Group;
use crate::lab::hub::Look;
use crate::lab::lab::Lab;
use crate::memcg::version::Version;
use crate::memcg::{Limit, Limits};
use crate::observe::missing::Missing;
use crate::sys;
use crate::wait::Wait;

mod thrashing;

#[cfg(test)]
mod tests;

use thrashing::Thrashing;

/// What a run does when its limit is met, before anybody dies: everybody in its group is held, and a hook runs outside.
///
/// On v1 the killer's switch (`memory.oom_control`) catches who meets the limit in a page fault; then everybody is stopped
/// by SIGSTOP, which a parent inside that asks for stopped children sees. A system call that meets the limit fails (ENOMEM,
/// EFAULT, or it does less) where the killer would have killed. On v2 the pause of [`Group::block`] comes before the signal.
#[derive(Debug, Clone)]
pub struct StopAtLimit {
    /// What is run.
    pub hook: Hook,
    /// So many bytes of room there are above the limit meanwhile: for what a tracer has brought in of the memory that it
    /// reads. At least a page.
    pub headroom_bytes: u64,
    /// How long the hook may take; then it and all its children are killed.
    pub timeout: Duration,
    /// The limit to which it is raised after the hook, in bytes, where it is lower: then the run goes on, and the hook runs
    /// again at the new one. Without it, and where the hook raises nothing, the kernel's choice takes its course, and the
    /// hook does not run again.
    pub raise_bytes: Option<u64>,
}

impl StopAtLimit {
    /// That hook, with 4 MiB of room and a minute of time; the kernel's choice takes its course after it.
    pub fn new(hook: Hook) -> StopAtLimit {
        StopAtLimit { hook, headroom_bytes: 4 << 20, timeout: Duration::from_secs(60), raise_bytes: None }
    }
}

const NOBODY_WAITS: &str = "nobody waits: files are dropped and read again without end, and the limit is not met";
/// The group in which hooks run.
const BESIDE: &str = "hook";
/// So large a limit no start of a program meets. A smaller one is watched when the program has begun: with the killer off
/// an execution that meets the limit fails.
const ROOM_TO_START: u64 = 8 << 20;

/// A run that is held at its limit, and what was seen so far.
pub(super) struct Watched<'a> {
    stop: &'a StopAtLimit,
    lab: &'a Lab,
    group: &'a Group,
    armed: bool,
    pub(super) met: Vec<AtLimit>,
    /// What kept us from looking, and why.
    pub(super) missing: Vec<Missing>,
    /// How long everybody was held.
    pub(super) held: Duration,
}

impl<'a> Watched<'a> {
    /// Before the command starts.
    pub(super) fn new(stop: &'a StopAtLimit, lab: &'a Lab, group: &'a Group) -> Result<Watched<'a>> {
        let Limit::Bytes(limit) = group.limit()? else {
            return Err(Error::new(ErrorKind::InvalidInput, "stop at limit", "the run has no limit that could be met")
                .path(group.path())
                .remedy("give it one (limit)"));
        };
        let mut watched =
            Watched { stop, lab, group, armed: false, met: Vec::new(), missing: Vec::new(), held: Duration::ZERO };
        if limit >= ROOM_TO_START || group.version() == Version::V2 {
            watched.arm()?;
        }
        Ok(watched)
    }

    fn arm(&mut self) -> Result<()> {
        // Whoever waits is told in what was seen at the limit.
        self.group.lab("stop at limit")?.hub.tell_no_waits();
        self.group.arm()?;
        self.armed = true;
        Ok(())
    }

    /// Holds the group whenever it meets its limit, until the command has ended, its time is over, or the kernel is to
    /// choose.
    pub(super) fn watch(&mut self, worker: &Worker, deadline: Option<Instant>, wait: &mut Wait<'_>) -> Result<()> {
        if !self.armed {
            self.arm()?;
        }
        let hub = self.group.lab("stop at limit")?.hub.clone();
        let mut thrashing = Thrashing::default();
        while self.armed {
            let left = deadline
                .and_then(|deadline| deadline.checked_add(self.held))
                .map(|deadline| deadline.saturating_duration_since(Instant::now()));
            // On v2 it is above `memory.high` by then, and frozen.
            let looks = self.group.version() == Version::V1;
            let mut bounded = match (left, looks) {
                (Some(left), true) => wait.at_most(left.min(thrashing::EVERY)),
                (None, true) => wait.at_most(thrashing::EVERY),
                (Some(left), false) => wait.at_most(left),
                (None, false) => wait.reborrow(),
            };
            let met = hub.wait_until(&mut bounded, |_| {
                let progress = worker.process.progress();
                if progress.exit.is_some() || progress.abandoned {
                    return Ok(Look::Done(None));
                }
                drop(progress);
                Ok(match self.group.meeting()? {
                    Look::Done(meeting) => Look::Done(Some(meeting)),
                    Look::Wait => Look::Wait,
                    Look::Again => Look::Again,
                })
            })?;
            let meeting = match met {
                Some(Some(meeting)) => meeting,
                // It has ended.
                Some(None) => break,
                None if left.is_some_and(|left| !looks || left <= thrashing::EVERY) || wait.expired() => break,
                None => match self.thrashes(&mut thrashing) {
                    Some(meeting) => meeting,
                    None => continue,
                },
            };
            self.hold(worker, &meeting, wait)?;
            thrashing = Thrashing::default();
        }
        if self.armed {
            // The verdict on what comes now is the kernel's again; a group that has gone needs nothing.
            let _ = self.group.disarm();
            self.armed = false;
        }
        Ok(())
    }

    /// A group that goes on for ever without meeting its limit, as if it had met it. What cannot be read shows nothing.
    fn thrashes(&self, thrashing: &mut Thrashing) -> Option<Meeting> {
        let stat = self.group.stat().ok()?;
        let seen = thrashing::Seen {
            usage_bytes: self.group.usage_bytes().ok()?,
            limit_bytes: self.group.limit().ok()?.bytes()?,
            file_bytes: stat.get("cache")?,
            refault_bytes: stat.refaults()? * sys::page_size(),
        };
        thrashing.is_shown(seen).then(|| Meeting { waiting: Vec::new(), thread: None })
    }

    /// One time: everybody is held, the hook runs, and the group goes on.
    fn hold(&mut self, worker: &Worker, meeting: &Meeting, wait: &mut Wait<'_>) -> Result<()> {
        let began = Instant::now();
        // What it was sent before it could still take.
        worker.process.progress().asked_to_end = None;
        let limit = self.group.limit()?;
        let room = self.stop.headroom_bytes.max(sys::page_size());
        let usage_bytes = self.group.usage_bytes()?;
        // On v2 the usage rests above the limit.
        let held_at = Limit::Bytes(limit.bytes().unwrap_or(0).max(usage_bytes).saturating_add(room));
        let still = match self.group.hold(held_at, wait) {
            Ok(still) => still,
            Err(error) if error.kind() == ErrorKind::Interrupted || error.kind() == ErrorKind::Closed => {
                return Err(error)
            }
            Err(error) => {
                // It cannot be held: nobody is to wait for ever.
                self.missing.push(Missing::new("at-limit", error.to_string()));
                self.armed = false;
                return self.group.disarm();
            }
        };
        let mut met = self.seen(meeting, &still, limit, usage_bytes);
        let beside = || self.lab.group(Some(BESIDE), &Limits::default());
        let before = self.met.last().map_or(&[][..], |before| &before.hook.mapped);
        let seen = Seen { thread: meeting.thread, before, command: worker };
        let ran = self.stop.hook.run(&met, &seen, &beside, self.stop.timeout, wait);
        let ran = ran.and_then(|(hook, raise)| Ok((hook, raise, self.group.ended(&still, wait)?)));
        let (hook, raise, died) = match ran {
            Ok(ran) => ran,
            Err(error) => {
                // The run ends with this error; whoever closes the lab must not find anybody stopped by us.
                let _ = self.group.leave_to_kernel(&still, limit);
                return Err(error);
            }
        };
        (met.hook, met.died) = (hook, died);
        let went_on = still.went_on();
        if !went_on.is_empty() {
            let reason = format!("threads that somebody let go on while they were held: {}", went_on.join(", "));
            met.missing.push(Missing::new("at-limit", reason));
        }
        let raise = raise.or(self.stop.raise_bytes).map(Limit::Bytes).filter(|raised| *raised > limit);
        self.go_on(&still, limit, raise, &mut met)?;
        met.held_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.held += began.elapsed();
        self.met.push(met);
        Ok(())
    }

    fn go_on(&mut self, still: &Still, limit: Limit, raise: Option<Limit>, met: &mut AtLimit) -> Result<()> {
        let alone = met.died.len() == met.processes.len();
        if let Some(raised) = raise.filter(|_| !alone) {
            match self.group.leave_to_run(still, raised) {
                Ok(()) => {
                    met.then = "raised";
                    met.limit_after_bytes = raised.bytes().unwrap_or(u64::MAX);
                    return Ok(());
                }
                // More than the host has, perhaps.
                Err(error) => met.missing.push(Missing::new("raise", error.to_string())),
            }
        }
        self.armed = false;
        let after = self.group.leave_to_kernel(still, limit)?;
        met.then = if alone { "ended" } else { "kernel" };
        met.limit_after_bytes = after.bytes().unwrap_or(u64::MAX);
        Ok(())
    }

    /// Who met the limit, or why that is not known.
    fn invoker(&self, meeting: &Meeting, processes: &[Process], missing: &mut Vec<Missing>) -> Option<Process> {
        match (&meeting.waiting[..], processes) {
            // Whoever charges to a group of one process is that one.
            ([one], _) | ([], [one]) => Some(one.clone()),
            ([], _) => {
                let reason = match self.group.version() {
                    Version::V1 => NOBODY_WAITS,
                    Version::V2 => "cgroup v2 does not tell which of several processes went over memory.high",
                };
                missing.push(Missing::new("invoker", reason));
                None
            }
            (several, _) => {
                let pids: Vec<String> = several.iter().map(|one| one.pid.to_string()).collect();
                let reason =
                    format!("several wait in the OOM (pids {}), and which was first is not told", pids.join(", "));
                missing.push(Missing::new("invoker", reason));
                None
            }
        }
    }

    /// What is known before the hook runs.
    fn seen(&self, meeting: &Meeting, still: &Still, limit: Limit, usage_bytes: u64) -> AtLimit {
        let mut missing = Vec::new();
        let processes = still.processes();
        let invoker = self.invoker(meeting, &processes, &mut missing);
        let predicted = match self.group.foreseen(limit) {
            Ok(prediction) => prediction.victim().map(|victim| Predicted {
                pid: victim.pid,
                comm: victim.comm.clone(),
                score: victim.score,
                determined: prediction.determined,
                source: "procfs",
                made: "before",
            }),
            Err(error) => {
                missing.push(Missing::new("prediction", error.to_string()));
                None
            }
        };
        if self.group.version() == Version::V1 && meeting.waiting.is_empty() {
            missing.push(Missing::new("at-limit", NOBODY_WAITS));
        }
        if !still.restless.is_empty() {
            let reason = format!(
                "threads that had not come to rest in time: {}",
                still::shown(still.restless.iter().copied()).join(", ")
            );
            missing.push(Missing::new("at-limit", reason));
        }
        AtLimit {
            time_ns: sys::monotonic_ns(),
            group: self.group.cgroup().to_string(),
            limit_bytes: limit.bytes().unwrap_or(u64::MAX),
            usage_bytes,
            headroom_bytes: self.stop.headroom_bytes.max(sys::page_size()),
            predicted,
            invoker,
            processes,
            held: "stopped",
            held_ns: 0,
            hook: HookRun::default(),
            died: Vec::new(),
            then: "kernel",
            limit_after_bytes: 0,
            missing,
        }
    }
}
