//! Everything that can come to the mind of a host of the storm.

use std::time::Duration;

use memoom::{
    Command, ErrorKind, Function, Group, HogOptions, Kind, Limit, Limits, Pace, Result, Resume, Run, Stdio, Version,
};

use super::activity::{Hands, Host};

const MIB: u64 = 1 << 20;
/// Nothing of what it waits for needs longer, and a host that waits does nothing else.
const SHORT: Duration = Duration::from_millis(300);

/// One thing that it can do.
pub type Act = fn(&mut Host) -> Result<()>;

/// Everything that comes to its mind, and how often.
pub const ACTS: &[(u64, &str, Act)] = &[
    (8, "group", Host::make_group),
    (8, "hog", Host::start_hog),
    (12, "grow", Host::grow),
    (3, "shrink", Host::shrink),
    (3, "ticker", Host::start_ticker),
    (4, "command", Host::start_command),
    (2, "function", Host::start_function),
    (3, "block", Host::block),
    (2, "resume", Host::resume),
    (2, "freeze", Host::freeze),
    (3, "watch", Host::watch),
    (3, "wait", Host::wait),
    (3, "kill", Host::kill),
    (3, "remove", Host::remove),
    (1, "pace", Host::pace),
    (1, "limit", Host::set_limit),
    (2, "look", Host::look),
    (2, "run", Host::run),
    (1, "gc", Host::gc),
    (2, "close", Host::close),
    (3, "oom", Host::oom),
];

impl Host {
    pub fn make_group(&mut self) -> Result<()> {
        let mut limits = Limits::bytes((24 + self.random.below(40)) * MIB);
        match (self.lab().version(), self.random.below(4)) {
            (Version::V1, 0) => limits.oom_killer = Some(false),
            (Version::V2, 0) => limits.oom_group = Some(true),
            _ => {}
        }
        let above = if self.random.below(3) == 0 { self.any_group() } else { None };
        let group = match above {
            Some(above) => above.child(format!("below{}", self.random.below(1000)), &limits)?,
            None => self.lab().group(None, &limits)?,
        };
        self.hands.groups.push(group);
        Ok(())
    }

    fn start_hog(&mut self) -> Result<()> {
        let Some(group) = self.any_group() else { return Ok(()) };
        // Half of them of the usual kind.
        let kind = Kind::ALL[(self.random.below(30) as usize).saturating_sub(15)];
        let hog = group.hog(&HogOptions { kind, ..HogOptions::named("storm") })?;
        self.hands.workers.push(hog.worker().clone());
        self.hands.hogs.push(hog);
        Ok(())
    }

    /// What a group has room for before its limit, with some distance.
    fn room(group: &Group) -> Result<u64> {
        let mut room = u64::MAX;
        for at in std::iter::successors(Some(group), |at| at.parent()) {
            if let Limit::Bytes(limit) = at.limit()? {
                room = room.min(limit.saturating_sub(at.usage_bytes()? + 8 * MIB));
            }
        }
        Ok(room)
    }

    fn grow(&mut self) -> Result<()> {
        let Some(hog) = self.any_hog() else { return Ok(()) };
        let bytes = (1 + self.random.below(4)) * MIB;
        if Host::room(hog.worker().group())? < 2 * bytes {
            return Ok(());
        }
        hog.grow(Some(bytes), SHORT).map(drop)
    }

    fn shrink(&mut self) -> Result<()> {
        let Some(hog) = self.any_hog() else { return Ok(()) };
        hog.shrink(hog.total_bytes() / 2, SHORT).map(drop)
    }

    fn start_ticker(&mut self) -> Result<()> {
        let Some(group) = self.any_group() else { return Ok(()) };
        self.hands.workers.push(group.ticker("storm", Duration::from_millis(20))?);
        Ok(())
    }

    fn start_command(&mut self) -> Result<()> {
        const SCRIPTS: [&str; 5] = [
            "exit 3",
            "sleep 1000",
            "sleep 1000 & sleep 1000 & wait",
            // Its children outlive it.
            "sleep 1000 & sleep 1000 & exit 0",
            "while :; do sleep 0.01 & wait; done",
        ];
        let Some(group) = self.any_group() else { return Ok(()) };
        let script = SCRIPTS[self.random.below(5) as usize];
        let mut command = Command::new(["sh", "-c", script]);
        command.stdio = [Stdio::Null, Stdio::Null, Stdio::Null];
        command.force_within = (self.random.below(8) == 0).then_some(Duration::from_millis(50));
        self.hands.workers.push(group.command(&command)?);
        Ok(())
    }

    #[allow(unsafe_code)]
    fn start_function(&mut self) -> Result<()> {
        let Some(group) = self.any_group() else { return Ok(()) };
        // SAFETY: this process has one thread, and the body calls nothing but pause.
        let worker = unsafe {
            group.function(&Function::default(), || loop {
                libc::pause();
            })
        }?;
        self.hands.workers.push(worker);
        Ok(())
    }

    /// A group without a killer, and a hog that waits in it.
    fn block(&mut self) -> Result<()> {
        let limits = Limits::bytes(16 * MIB);
        let group = self.lab().group(None, &limits)?;
        let hog = group.hog(&HogOptions::named("blocked"))?;
        group.block()?;
        let kind = hog.grow(Some(24 * MIB), SHORT).map(drop);
        self.hands.workers.push(hog.worker().clone());
        self.hands.hogs.push(hog);
        self.hands.groups.push(group);
        kind
    }

    fn resume(&mut self) -> Result<()> {
        let (Some(group), Some(worker)) = (self.any_group(), self.any_worker()) else { return Ok(()) };
        if !group.blocking()? {
            return Ok(());
        }
        match self.random.below(2) {
            0 => group.resume(Resume::Raise(Limit::Bytes(80 * MIB)), SHORT),
            _ => group.resume(Resume::Kill(&worker), SHORT),
        }
    }

    fn freeze(&mut self) -> Result<()> {
        if self.lab().version() == Version::V1 {
            return Ok(());
        }
        let Some(group) = self.any_group() else { return Ok(()) };
        if self.random.below(3) == 0 {
            group.thaw()
        } else {
            group.freeze(SHORT)
        }
    }

    fn watch(&mut self) -> Result<()> {
        let at = Host::any(&mut self.random, &self.hands.watches);
        match (at, self.random.below(2)) {
            (Some(at), 0) => self.hands.watches[at].next(Duration::from_millis(20)).map(drop),
            (Some(at), _) if self.random.below(2) == 0 => {
                self.hands.watches[at].wait_oom(Duration::from_millis(20)).map(drop)
            }
            _ => {
                let watch = match (self.any_group(), self.random.below(2)) {
                    (Some(group), 0) => group.watch()?,
                    // Everybody's labs, as one who only observes.
                    _ => Group::open(&self.base)?.watch_recursive()?,
                };
                self.hands.watches.push(watch);
                Ok(())
            }
        }
    }

    fn wait(&mut self) -> Result<()> {
        let Some(worker) = self.any_worker() else { return Ok(()) };
        match worker.wait(Duration::from_millis(self.random.below(30))) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(()),
            other => other.map(drop),
        }
    }

    fn kill(&mut self) -> Result<()> {
        match (self.random.below(2), self.any_group(), self.any_worker()) {
            (0, Some(group), _) => group.kill(),
            (_, _, Some(worker)) => worker.kill(),
            _ => Ok(()),
        }
    }

    fn remove(&mut self) -> Result<()> {
        let Some(at) = Host::any(&mut self.random, &self.hands.groups) else { return Ok(()) };
        let group = self.hands.groups.swap_remove(at);
        group.kill()?;
        group.remove()
    }

    fn pace(&mut self) -> Result<()> {
        let Some(hog) = self.any_hog() else { return Ok(()) };
        if Host::room(hog.worker().group())? < 4 * MIB {
            return Ok(());
        }
        let total_bytes = Some(hog.total_bytes() + MIB);
        hog.pace(&Pace { rate_bytes: Some(8 * MIB), total_bytes, ..Pace::default() }, SHORT).map(drop)
    }

    fn set_limit(&mut self) -> Result<()> {
        let Some(group) = self.any_group() else { return Ok(()) };
        group.set_limit(Limit::Bytes((64 + self.random.below(64)) * MIB))
    }

    fn look(&mut self) -> Result<()> {
        let Some(group) = self.any_group() else { return Ok(()) };
        group.counters()?;
        group.composition()?;
        group.processes()?;
        drop(self.lab().timeline());
        Ok(())
    }

    fn run(&mut self) -> Result<()> {
        let script = if self.random.below(2) == 0 { "exit 0" } else { "sleep 1000" };
        let mut command = Command::new(["sh", "-c", script]);
        command.stdio = [Stdio::Null, Stdio::Null, Stdio::Null];
        let lab = self.options();
        let timeout = Some(Duration::from_millis(self.random.below(50)));
        Run { command, limits: Limits::bytes(32 * MIB), timeout, lab, at_limit: None }
            .run(super::common::LONG)
            .map(drop)
    }

    fn gc(&mut self) -> Result<()> {
        memoom::gc_below(&self.base).map(drop)
    }

    fn close(&mut self) -> Result<()> {
        let lab = self.lab.take().unwrap();
        // The hands may be emptied before or after.
        if self.random.below(2) == 0 {
            self.hands = Hands::default();
        }
        let closed = lab.close();
        self.hands = Hands::default();
        closed
    }

    /// A kill by the kernel, at once or by growing.
    fn oom(&mut self) -> Result<()> {
        if !self.ooms {
            return Ok(());
        }
        // One a round: the log of the machine is everybody's.
        self.ooms = std::env::var_os("MEMOOM_ENTRY").is_some();
        let group = self.lab().group(None, &Limits::bytes(12 * MIB))?;
        let hog = group.hog(&HogOptions::named("killed"))?;
        self.hands.groups.push(group.clone());
        self.hands.workers.push(hog.worker().clone());
        if self.random.below(2) == 0 {
            hog.grow(Some(20 * MIB), SHORT)?;
        } else {
            group.oom_now(None, None, SHORT)?;
        }
        hog.worker().wait(SHORT).map(drop)
    }
}
