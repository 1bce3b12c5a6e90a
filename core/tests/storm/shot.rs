//! One shot: whom it hits, with which signal, and what becomes of those that were stopped.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::common::Random;
use super::left::{processes, Before};
use super::process::{children, Held};

/// Whom a shot can hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    Host,
    Supervisor,
    Worker,
}

/// The signals, the rarer ones once.
const SIGNALS: [i32; 9] = [
    libc::SIGKILL,
    libc::SIGKILL,
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGSTOP,
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGPIPE,
];

/// Any of the signals.
pub fn any_signal(random: &mut Random) -> i32 {
    SIGNALS[random.below(SIGNALS.len() as u64) as usize]
}

/// One that ends a host.
pub fn end_signal(random: &mut Random) -> i32 {
    const ENDS: [i32; 6] = [libc::SIGKILL, libc::SIGKILL, libc::SIGKILL, libc::SIGTERM, libc::SIGINT, libc::SIGHUP];
    ENDS[random.below(6) as usize]
}

/// The name of a signal, as kill(1) has it.
pub fn name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal).map_or(signal.to_string(), |known| known.as_str().to_string())
}

/// Whoever was stopped goes on at its time.
#[derive(Default)]
pub struct Stopped(Vec<(Instant, Held)>);

impl Stopped {
    /// Sends a signal; whether there was anybody. What stops is noted, and goes on after `hold`.
    pub fn send(&mut self, held: Held, signal: i32, hold: Duration) -> bool {
        let sent = held.signal(signal);
        if sent && signal == libc::SIGSTOP {
            self.0.push((Instant::now() + hold, held));
        }
        sent
    }

    /// Waits so long, and lets go on whose time has come.
    pub fn pass(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let now = Instant::now();
            self.0.retain(|(at, held)| {
                let due = *at <= now;
                if due {
                    held.signal(libc::SIGCONT);
                }
                !due
            });
            let next = self.0.iter().map(|(at, _)| *at).min().unwrap_or(until).min(until);
            if now >= until {
                return;
            }
            std::thread::sleep(next.saturating_duration_since(now));
        }
    }

    /// Waits until the last of them goes on.
    pub fn pass_all(&mut self) {
        let last = self.0.iter().map(|(at, _)| *at).max();
        if let Some(last) = last {
            self.pass(last.saturating_duration_since(Instant::now()) + Duration::from_millis(1));
        }
    }
}

/// The supervisors of a host, that are its children (a forked function is one too).
pub fn supervisors(host: i32) -> Vec<Held> {
    children(host).into_iter().filter_map(|pid| Held::take(pid, || children(host))).collect()
}

/// Somebody of the labs of that host: in a group, or not yet.
pub fn workers(before: &Before, host: i32) -> Vec<Held> {
    let look = || -> Vec<i32> {
        let standing = before.labs(host).iter().flat_map(|lab| processes(lab)).collect::<Vec<_>>();
        let started = children(host).into_iter().flat_map(children);
        started.chain(standing).filter(|pid| *pid > 0 && *pid != host).collect()
    };
    look().into_iter().filter_map(|pid| Held::take(pid, look)).collect()
}

/// Who stands in a tree of groups.
pub fn standing(lab: &Path) -> Vec<Held> {
    processes(lab).into_iter().filter_map(|pid| Held::take(pid, || processes(lab))).collect()
}

/// One of several.
pub fn one(random: &mut Random, mut of: Vec<Held>) -> Option<Held> {
    if of.is_empty() {
        return None;
    }
    let at = random.below(of.len() as u64) as usize;
    Some(of.swap_remove(at))
}

/// The groups of a host's labs, the labs among them.
pub fn groups(before: &Before, host: i32) -> Vec<PathBuf> {
    before.labs(host).iter().flat_map(|lab| super::left::groups(lab)).collect()
}
