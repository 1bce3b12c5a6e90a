//! One round: a host that does what comes to its mind, shots at it and its people, and the look at what is left.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use memoom::{gc_below, Lab};

use super::activity;
use super::beside::Beside;
use super::common::{gone_by, patience, process_is_there, slow, Random, LONG};
use super::left::Before;
use super::process::Held;
use super::shot::{self, Stopped, Victim};
use super::stranger::Frozen;

/// What has happened so far.
#[derive(Default)]
pub struct Tally {
    pub rounds: u64,
    shots: BTreeMap<(Victim, String), u64>,
    frozen: u64,
    orphaned: u64,
    slowest: Duration,
    /// Python hosts that SIGINT ended before they were up.
    not_up: u64,
    /// Each error of a host, by the call and its kind, and what it said the first time.
    errors: BTreeMap<String, (u64, String)>,
    pub left: Vec<String>,
}

impl Tally {
    pub fn signals(&self) -> u64 {
        self.shots.values().sum()
    }

    fn note(&mut self, victim: Victim, signal: i32) {
        *self.shots.entry((victim, shot::name(signal))).or_default() += 1;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} signals in {} rounds, {} left something", self.signals(), self.rounds, self.left.len())?;
        for ((victim, signal), count) in &self.shots {
            writeln!(f, "  {count:>6} {signal} to a {victim:?}")?;
        }
        writeln!(
            f,
            "  {} times frozen by a stranger, {} times host and supervisor both died, {} times Python was not up yet",
            self.frozen, self.orphaned, self.not_up
        )?;
        for (what, (count, said)) in &self.errors {
            writeln!(f, "  {count:>6} errors of {what}, such as: {said}")?;
        }
        write!(f, "  the slowest end took {} ms", self.slowest.as_millis())
    }
}

/// A time that is mostly short, as most of what goes wrong goes wrong at a beginning or an end.
fn moment(random: &mut Random) -> Duration {
    let most = [3_000, 30_000, 120_000, 500_000][random.below(4) as usize];
    // A slow machine comes as far in ten times the time.
    let slow = if slow() { 10 } else { 1 };
    Duration::from_micros(slow * random.below(most))
}

struct Round<'a> {
    random: Random,
    before: &'a Before,
    tally: &'a mut Tally,
    host: Child,
    pid: i32,
    stopped: Stopped,
    frozen: Option<Frozen>,
    /// A supervisor was killed, so that its lab may be left to the next one.
    orphaned: bool,
    /// The host is Python, which has been sent SIGINT.
    python: bool,
    interrupted: bool,
    /// What was done, for whoever reads that something is left.
    story: Vec<String>,
}

/// Plays the round of a seed; what it has left behind.
pub fn play(seed: u64, beside: &mut Beside, before: &Before, tally: &mut Tally) -> Vec<String> {
    let mut random = Random::seeded(seed);
    tally.rounds += 1;
    let python = std::env::var_os("MEMOOM_STORM_PYTHON").filter(|_| random.below(12) == 0);
    let mut command = match &python {
        Some(python) => {
            let mut command = Command::new(python);
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/storm/activity.py"));
            command
        }
        None => Command::new("/proc/self/exe"),
    };
    let host = command
        .env(activity::ROLE, random.below(u64::MAX).to_string())
        .env(activity::BASE, beside.base())
        // The kernel's log is everybody's: few rounds have OOMs.
        .env(activity::OOMS, if random.below(4) == 0 { "1" } else { "0" })
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = i32::try_from(host.id()).unwrap();
    let mut round = Round {
        random,
        before,
        tally,
        host,
        pid,
        stopped: Stopped::default(),
        frozen: None,
        orphaned: false,
        python: python.is_some(),
        interrupted: false,
        story: vec![if python.is_some() { "a Python host".to_string() } else { "a host".to_string() }],
    };
    round.wait_for_a_lab();
    for _ in 0..round.random.below(4) {
        round.shoot();
    }
    round.end();
    let mut found = round.look();
    found.extend(beside.touched());
    let story = round.story.join(", ");
    found.into_iter().map(|one| format!("{one}\n  after: {story}")).collect()
}

impl Round<'_> {
    /// Three of four hosts have a lab before the first shot, however slow the machine is.
    fn wait_for_a_lab(&mut self) {
        if self.random.below(4) > 0 {
            let none = || self.before.labs(self.pid).is_empty() && process_is_there(self.pid);
            gone_by(Instant::now() + LONG, none);
        }
    }

    fn pass(&mut self) {
        let time = moment(&mut self.random);
        self.stopped.pass(time);
    }

    fn hit(&mut self, victim: Victim, held: Held, signal: i32) {
        let hold = Duration::from_millis([30, 300, 1500][self.random.below(3) as usize]);
        let hold = hold.mul_f64(self.random.below(1000) as f64 / 1000.0);
        self.story.push(format!("{} to {victim:?} {}", shot::name(signal), held.pid));
        if self.stopped.send(held, signal, hold) {
            self.tally.note(victim, signal);
            self.orphaned |= victim == Victim::Supervisor && signal == libc::SIGKILL;
            self.interrupted |= victim == Victim::Host && signal == libc::SIGINT;
        }
    }

    /// The host as one that can be shot at: our own child, which nobody else reaps.
    fn host(&self) -> Option<Held> {
        Held::take(self.pid, || vec![self.pid])
    }

    /// A shot that need not end the host, after a moment; or a stranger's hand.
    fn shoot(&mut self) {
        self.pass();
        let signal = shot::any_signal(&mut self.random);
        match self.random.below(8) {
            0 => {
                if let Some(host) = self.host() {
                    // What ends it comes last.
                    let signal = if signal == libc::SIGPIPE { signal } else { libc::SIGSTOP };
                    self.hit(Victim::Host, host, signal);
                }
            }
            1 | 2 => {
                if let Some(one) = shot::one(&mut self.random, shot::supervisors(self.pid)) {
                    self.hit(Victim::Supervisor, one, signal);
                }
            }
            3 if self.frozen.is_none() => {
                let groups = shot::groups(self.before, self.pid);
                let mut whom = shot::workers(self.before, self.pid);
                if self.random.below(4) == 0 {
                    whom.extend(shot::supervisors(self.pid));
                    whom.extend(self.host());
                }
                self.frozen = Frozen::some(&mut self.random, &whom, &groups);
                if self.frozen.is_some() {
                    self.story.push("frozen".to_string());
                    self.tally.frozen += 1;
                }
            }
            _ => {
                if let Some(one) = shot::one(&mut self.random, shot::workers(self.before, self.pid)) {
                    self.hit(Victim::Worker, one, signal);
                }
            }
        }
    }

    /// The shots that end the host, and perhaps its supervisor; whoever was stopped or frozen goes on.
    fn end(&mut self) {
        self.pass();
        let signal = shot::end_signal(&mut self.random);
        let both = self.random.below(4) == 0;
        let supervisors = if both { shot::supervisors(self.pid) } else { Vec::new() };
        let first = both && self.random.below(2) == 0;
        if let (true, Some(host)) = (!first, self.host()) {
            self.hit(Victim::Host, host, signal);
        }
        for supervisor in supervisors {
            if self.random.below(2) == 0 {
                let time = Duration::from_micros(self.random.below(4000));
                self.stopped.pass(time);
            }
            let signal = if self.random.below(3) == 0 { libc::SIGSTOP } else { libc::SIGKILL };
            self.hit(Victim::Supervisor, supervisor, signal);
        }
        if let (true, Some(host)) = (first, self.host()) {
            self.hit(Victim::Host, host, signal);
        }
        if self.random.below(2) == 0 {
            self.pass();
        }
        if let Some(frozen) = self.frozen.take() {
            frozen.thaw();
            self.story.push("thawed".to_string());
        }
        self.stopped.pass_all();
    }

    /// What is left two seconds after the end.
    fn look(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        if !gone_by(Instant::now() + LONG, || self.host.try_wait().unwrap().is_none()) {
            found.push(format!("the host does not end: {}", super::process::describe(self.pid)));
            let _ = self.host.kill();
        }
        let over = Instant::now();
        let status = self.host.wait().unwrap();
        let said = self.said();
        // SIGINT before the host's first line: where Python is finding its modules it ends with 1, and says so itself.
        let python_failed = self.python && self.interrupted && status.code() == Some(1) && !said.starts_with("up\n");
        self.tally.not_up += u64::from(python_failed);
        if status.signal().is_none() && status.code() != Some(0) && !python_failed {
            found.push(format!("the host failed: {status}"));
        }
        if self.orphaned {
            found.extend(self.collect());
        }
        let gone = gone_by(over + patience(), || !self.before.left(self.pid).is_empty());
        if gone {
            self.tally.slowest = self.tally.slowest.max(over.elapsed());
        } else {
            found.extend(self.before.left(self.pid));
            self.clear();
        }
        found.extend(self.before.changed());
        self.hear(&said);
        found
    }

    /// Where host and supervisor died, the next lab and `gc` have the duty.
    fn collect(&mut self) -> Vec<String> {
        self.tally.orphaned += 1;
        let mut found = Vec::new();
        // The other supervisors of that host, if it had any, do theirs meanwhile.
        match gc_below(self.before.base()) {
            Ok(all) => {
                let prefix = format!("memoom-{:x}-", self.pid);
                let of_it = |path: &std::path::Path| {
                    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
                };
                let refused = all.iter().filter(|one| of_it(&one.path) && !one.removed);
                found.extend(refused.map(|one| format!("gc: {}: {}", one.path.display(), one.reason)));
            }
            Err(error) => found.push(format!("gc: {error}")),
        }
        if let Err(error) = Lab::new() {
            found.push(format!("the next lab: {error}"));
        }
        found
    }

    /// Removes by hand what the product has left, so that it is told once.
    fn clear(&self) {
        for lab in self.before.labs(self.pid) {
            for held in shot::standing(&lab) {
                held.signal(libc::SIGKILL);
            }
            let _ = gone_by(Instant::now() + Duration::from_secs(2), || {
                let groups = super::left::groups(&lab);
                groups.iter().rev().any(|group| std::fs::remove_dir(group).is_err() && group.exists())
            });
        }
        for pid in self.before.strangers() {
            if let Some(held) = Held::take(pid, || self.before.strangers()) {
                held.signal(libc::SIGKILL);
            }
        }
        let _ = gone_by(Instant::now() + Duration::from_secs(2), || !self.before.strangers().is_empty());
        drop(memoom::gc());
    }

    /// What the host has said.
    fn said(&mut self) -> String {
        let Some(mut out) = self.host.stdout.take() else { return String::new() };
        let mut said = Vec::new();
        // Whoever is left, as a mistake, may hold the other end.
        let flags = nix::fcntl::OFlag::O_NONBLOCK;
        nix::fcntl::fcntl(&out, nix::fcntl::FcntlArg::F_SETFL(flags)).unwrap();
        let _ = std::io::Read::read_to_end(&mut out, &mut said);
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Counts the errors among it.
    fn hear(&mut self, said: &str) {
        for line in said.lines() {
            if let Some((what, text)) = line.split_once(": ") {
                self.tally.errors.entry(what.to_string()).or_insert_with(|| (0, text.to_string())).0 += 1;
            }
        }
    }
}
