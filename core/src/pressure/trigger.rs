//! An OOM at once: the ways to bring a group to its limit, or its limit to the group.

use std::sync::Arc;
use std::time::Duration;

use super::hog::{Hog, HogOptions};
use super::step::GrowStatus;
use super::way::Way;
use super::worker::Worker;
use crate::account::oom::Oom;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::foresee::nearest_limit;
use crate::lab::group::Group;
use crate::lab::hub::Look;
use crate::memcg::cgroup::killer_is_off;
use crate::memcg::counters::charged_ahead_bytes;
use crate::memcg::version::Version;
use crate::memcg::{v2, Limit, Limits};
use crate::sys;
use crate::wait::Wait;

/// The answer to [`Group::oom_now`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Triggered {
    /// The way that brought it about.
    pub way: Way,
    /// The account.
    pub oom: Arc<Oom>,
}

/// The name of the workers that bring an OOM about.
const BALLAST: &str = "ballast";
/// One step of a small worker that meets a limit which stands at the usage.
const PUSH_BYTES: u64 = 64 << 10;
/// One step of a hog that goes all the way.
const GROW_BYTES: u64 = 8 << 20;
/// How long the account may take after the kill.
const ACCOUNT_WITHIN: Duration = Duration::from_secs(15);

impl Group {
    /// Makes an OOM happen in the group now, and gives its account. Without a `way` the surest one is taken: `Squeeze`
    /// where the group has processes, `Inside` where it has none. The answer names the way.
    ///
    /// With a `target` the kernel is made to choose that worker: its `oom_score_adj` is raised if need be, and if the
    /// kernel would still choose another one nothing is done. What was changed (limits, `oom_score_adj`) is put back,
    /// and memoom's own workers are gone when it returns.
    ///
    /// # Errors
    /// `InvalidInput` where the killer is off, for a way that needs a group above, a limit or processes that are not
    /// there, for a target outside or that the kernel would not choose, or for an opened group; `Unsupported` for a way of
    /// v2 on v1; `TimedOut` where no OOM came by the deadline; `WorkerGone` where the target has ended.
    pub fn oom_now<'a>(
        &self,
        target: Option<&Worker>,
        way: Option<Way>,
        wait: impl Into<Wait<'a>>,
    ) -> Result<Triggered> {
        self.made("oom now")?;
        let mut wait = wait.into();
        if let Some(target) = target {
            if !self.covers(target.group().cgroup()) {
                return Err(Error::new(ErrorKind::InvalidInput, "oom now", "the target stands in another group")
                    .path(target.group().path())
                    .value(format!("pid {}", target.pid())));
            }
            if target.ended() {
                return Err(Error::new(ErrorKind::WorkerGone, "oom now", "the target has ended")
                    .value(format!("pid {}", target.pid())));
            }
        }
        let way = match way {
            Some(way) => way,
            None if self.has_processes()? => Way::Squeeze,
            None => Way::Inside,
        };
        if self.version() == Version::V1 && matches!(way, Way::Write | Way::Nonblock) {
            return Err(crate::memcg::v1::lacks("oom now", v2::LIMIT, &self.0.dir)
                .value(way)
                .remedy("v1 refuses a limit below the usage: use squeeze"));
        }
        let at = match way {
            Way::Ancestor | Way::Neighbour => self.parent().cloned().ok_or_else(|| {
                Error::new(ErrorKind::InvalidInput, "oom now", "no group of the lab stands above this one")
                    .path(self.path())
                    .value(way)
                    .remedy("make the group below another one (child), or use squeeze")
            })?,
            _ => self.clone(),
        };
        if killer_is_off(&at.0.cgroup)? {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "oom now",
                "the OOM killer is off, so nobody would be killed",
            )
            .path(at.path())
            .remedy("turn it on first (resume with the killer), or use a hog to make it block"));
        }
        let mut change = Change {
            target: target.map(|target| (target, None)),
            limit: None,
            workers: Vec::new(),
            groups: Vec::new(),
        };
        let done = change.trigger(self, &at, way, &mut wait);
        let put_back = change.put_back(&at);
        let done = done?;
        put_back.map(|()| done)
    }

    /// The limit stands at the usage. A small worker takes memory there, until somebody was killed or `needed` says no.
    pub(crate) fn push_over(&self, wait: &mut Wait<'_>, needed: impl Fn() -> Result<bool>) -> Result<()> {
        let mut change = Change { target: None, limit: None, workers: Vec::new(), groups: Vec::new() };
        let kills = self.0.kills_below()?;
        let pushed = change.ballast(self).and_then(|ballast| {
            while needed()? && !step(&ballast, self, kills, PUSH_BYTES, wait)? {}
            Ok(())
        });
        let put_back = change.put_back(self);
        pushed.and(put_back)
    }

    fn has_processes(&self) -> Result<bool> {
        Ok(!crate::memcg::cgroup::processes_below(&self.0.dir)?.is_empty())
    }
}

/// What is changed for an OOM, to be put back whatever happens.
struct Change<'a> {
    /// The target, and its `oom_score_adj` before it was raised.
    target: Option<(&'a Worker, Option<i16>)>,
    /// The limit before.
    limit: Option<Limit>,
    workers: Vec<Hog>,
    groups: Vec<Group>,
}

/// What the kernel is to choose the target at.
#[derive(Clone, Copy)]
enum Aim<'a> {
    /// A worker grows until it meets the limit as it stands.
    Growing(&'a Hog),
    /// Everybody stands as they are, and the limit is this.
    At(Limit),
}

impl Change<'_> {
    fn trigger(&mut self, group: &Group, at: &Group, way: Way, wait: &mut Wait<'_>) -> Result<Triggered> {
        let mut watch = at.watch()?;
        let kills = at.0.kills_below()?;
        let mut way = way;
        match way {
            Way::Inside => {
                needs_limit(group)?;
                let hog = self.ballast(group)?;
                self.aim(at, Aim::Growing(&hog))?;
                push(&hog, at, kills, GROW_BYTES, wait)?;
            }
            Way::Neighbour => {
                needs_limit(at)?;
                let beside = at.child("memoom-neighbour", &Limits::default())?;
                self.groups.push(beside.clone());
                let hog = self.ballast(&beside)?;
                self.aim(at, Aim::Growing(&hog))?;
                push(&hog, at, kills, GROW_BYTES, wait)?;
            }
            Way::Squeeze | Way::Ancestor => {
                self.squeeze(group, at, kills, wait)?;
            }
            Way::Write | Way::Nonblock => {
                if !group.has_processes()? {
                    return Err(Error::new(
                        ErrorKind::InvalidInput,
                        "oom now",
                        "the group has no process to be killed",
                    )
                    .path(group.path())
                    .value(way)
                    .remedy("start a worker in it, or use inside"));
                }
                let ballast = if way == Way::Nonblock { Some(self.ballast(group)?) } else { None };
                drop_cache(at)?;
                self.limit = Some(at.kernel_limit()?);
                // As far below as the kernel may have charged in advance: else the write could find room there.
                let usage = at.usage_bytes()?;
                let ahead = charged_ahead_bytes(sys::page_size(), sys::online_cpus());
                let below = usage.saturating_sub(ahead).max(sys::page_size());
                self.aim(at, Aim::At(Limit::Bytes(below)))?;
                at.0.dir.write_with(v2::LIMIT, &below.to_string(), way == Way::Nonblock)?;
                match ballast {
                    // A kernel that does not know the flag has killed in the write.
                    Some(_) if at.0.kills_below()? > kills => way = Way::Write,
                    Some(ballast) => push(&ballast, at, kills, PUSH_BYTES, wait)?,
                    None => {}
                }
            }
        }
        let oom = watch.wait_oom(wait.at_most(ACCOUNT_WITHIN))?;
        let oom = oom.ok_or_else(|| {
            Error::new(ErrorKind::TimedOut, "oom now", "no OOM came by the deadline").path(at.path()).value(way)
        })?;
        Ok(Triggered { way, oom })
    }

    fn squeeze(&mut self, group: &Group, at: &Group, kills: u64, wait: &mut Wait<'_>) -> Result<()> {
        let ballast = self.ballast(group)?;
        drop_cache(at)?;
        // Before the limit is there: whoever takes memory meanwhile may meet it at once.
        self.aim(at, Aim::At(to_usage(at)?))?;
        self.lower_to_usage(at, wait)?;
        let aimed = at.limit().and_then(|limit| self.aim(at, Aim::At(limit)));
        if at.0.kills_below()? == kills {
            aimed?;
        }
        push(&ballast, at, kills, PUSH_BYTES, wait)
    }

    /// A worker of memoom's own in the group, or in a group below it where that one may have no processes (v2).
    fn ballast(&mut self, group: &Group) -> Result<Hog> {
        let options = HogOptions { step_bytes: PUSH_BYTES, ..HogOptions::named(BALLAST) };
        let hog = match group.hog(&options) {
            Err(error) if error.errno() == Some(libc::EBUSY) && group.version() == Version::V2 => {
                let below = group.child("memoom-ballast", &Limits { swap: None, ..Limits::default() })?;
                self.groups.push(below.clone());
                below.hog(&options)?
            }
            started => started?,
        };
        self.workers.push(hog.clone());
        Ok(hog)
    }

    /// Lowers the limit to the usage. While processes run the usage moves: v1 then refuses, and it is tried again.
    fn lower_to_usage(&mut self, at: &Group, wait: &mut Wait<'_>) -> Result<()> {
        let old = at.limit()?;
        let lab = at.lab("oom now")?.clone();
        loop {
            let limit = to_usage(at)?;
            if limit >= old {
                return Ok(());
            }
            self.limit.get_or_insert(old);
            match at.set_limit(limit) {
                Err(error) if error.errno() == Some(libc::EBUSY) && !wait.expired() => {}
                set => return set,
            }
            // What others charge meanwhile is none of our news; but the caller may want to stop.
            let _: Option<()> = lab.hub.wait_until(&mut wait.at_most(Duration::ZERO), |_| Ok(Look::Wait))?;
        }
    }

    /// Makes the kernel choose the target, and checks that it would.
    fn aim(&mut self, at: &Group, aim: Aim<'_>) -> Result<()> {
        let Some((target, raised)) = &mut self.target else { return Ok(()) };
        let would = |at: &Group| -> Result<(Option<i32>, bool)> {
            let prediction = match aim {
                // It will have grown to the room that is left.
                Aim::Growing(hog) => {
                    let limit = at.limit()?.bytes().unwrap_or(u64::MAX);
                    let room = limit.saturating_sub(at.usage_bytes()?) + GROW_BYTES;
                    crate::lab::foresee::scope(&at.0.cgroup, Some(hog.growing(room)))?.prediction
                }
                Aim::At(limit) => at.foreseen(limit)?,
            };
            Ok((prediction.victim().map(|victim| victim.pid), prediction.determined))
        };
        // Where the others are as large it is not left to chance.
        let (chosen, determined) = would(at)?;
        if chosen == Some(target.pid()) && (determined || raised.is_some()) {
            return Ok(());
        }
        let failed =
            |error: std::io::Error| Error::os("set oom_score_adj", error).value(format!("pid {}", target.pid()));
        let path = format!("/proc/{}/oom_score_adj", target.pid());
        if raised.is_none() {
            let before = std::fs::read_to_string(&path).map_err(failed)?;
            std::fs::write(&path, "1000").map_err(failed)?;
            *raised = before.trim().parse().ok();
        }
        match would(at)?.0 {
            Some(pid) if pid == target.pid() => Ok(()),
            other => Err(Error::new(
                ErrorKind::InvalidInput,
                "oom now",
                &match other {
                    Some(pid) => {
                        format!("even at oom_score_adj 1000 the kernel would not choose the target but pid {pid}")
                    }
                    None => "the kernel would choose nobody".to_string(),
                },
            )
            .value(format!("pid {}", target.pid()))
            .remedy(
                "below a limit of 1000 pages oom_score_adj has no effect: let the target grow, or give the others less",
            )),
        }
    }

    /// Ends our workers, and puts limit and score back; the first error of all is told.
    fn put_back(&mut self, at: &Group) -> Result<()> {
        let mut first = Ok(());
        for worker in std::mem::take(&mut self.workers) {
            let ended = worker.kill().and_then(|()| worker.wait(Wait::from(ACCOUNT_WITHIN))).map(drop);
            first = first.and(ended);
        }
        if let Some(limit) = self.limit.take() {
            first = first.and(at.set_limit(limit));
        }
        while let Some(group) = self.groups.pop() {
            first = first.and(group.remove());
        }
        if let Some((target, Some(before))) = &self.target {
            let path = format!("/proc/{}/oom_score_adj", target.pid());
            if !target.ended() {
                let written = std::fs::write(path, before.to_string());
                let gone = target.ended();
                first = first.and(written.or_else(|error| if gone { Ok(()) } else { Err(error) }).map_err(|error| {
                    Error::os("put oom_score_adj back", error).value(format!("pid {}", target.pid()))
                }));
            }
        }
        first
    }
}

/// The limit that stands at the usage.
fn to_usage(at: &Group) -> Result<Limit> {
    let page = sys::page_size();
    Ok(Limit::Bytes(at.usage_bytes()?.next_multiple_of(page).max(page)))
}

fn needs_limit(group: &Group) -> Result<()> {
    if nearest_limit(&group.0.cgroup)?.1 != Limit::Max {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, "oom now", "nothing has a limit that could be met")
        .path(group.path())
        .remedy("set a limit, or use squeeze"))
}

/// Steps until a kill is counted at `at`, below it, or whoever steps is killed.
fn push(hog: &Hog, at: &Group, kills: u64, bytes: u64, wait: &mut Wait<'_>) -> Result<()> {
    while !step(hog, at, kills, bytes, wait)? {}
    Ok(())
}

/// One step; whether it met the limit.
fn step(hog: &Hog, at: &Group, kills: u64, bytes: u64, wait: &mut Wait<'_>) -> Result<bool> {
    let grow = hog.grow(Some(bytes), wait.reborrow())?;
    if grow.status != GrowStatus::Grew || at.0.kills_below()? > kills {
        return Ok(true);
    }
    if wait.expired() {
        return Err(Error::new(ErrorKind::TimedOut, "oom now", "no OOM came by the deadline").path(at.path()));
    }
    Ok(false)
}

/// Has the kernel give up what it can of the group without an OOM, so that the next charge meets processes' memory.
fn drop_cache(at: &Group) -> Result<()> {
    match at.version() {
        Version::V1 => at.force_empty(),
        Version::V2 => match at.reclaim(at.usage_bytes()?) {
            Ok(_) => Ok(()),
            // Older kernels reclaim when memory.high is lowered.
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                let high = at.high()?;
                let lowered = at.set_high(Limit::Bytes(0));
                at.set_high(high)?;
                lowered
            }
            Err(error) => Err(error),
        },
    }
}
