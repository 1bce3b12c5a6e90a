//! Plays one scenario: makes the groups, starts the processes, brings the OOM about, and looks who is gone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use memoom::{Group, GrowStatus, Hog, HogOptions, Lab, Limit, Limits, Version, Watch, Worker};

use super::plan::{ByHand, Kind, Member, Plan, Trigger};
use super::truth::{self, Choice};
use crate::common::actor::Actor;
use crate::common::{page_bytes, Random, LONG};

/// A member on the stage.
pub enum Player {
    Hog(Hog),
    Ticker(Worker),
    /// A command, and the child or thread that it made.
    Actor {
        actor: Actor,
        other: Option<i32>,
    },
}

impl Player {
    pub fn worker(&self) -> &Worker {
        match self {
            Player::Hog(hog) => hog.worker(),
            Player::Ticker(worker) => worker,
            Player::Actor { actor, .. } => &actor.worker,
        }
    }

    fn start(member: &Member, at: usize, group: &Group) -> Player {
        let name = format!("p{at}");
        match member.kind {
            Kind::Hog => {
                let options = HogOptions { oom_score_adj: member.oom_score_adj, ..HogOptions::named(&name) };
                let hog = group.hog(&options).unwrap();
                if member.bytes > 0 {
                    assert_eq!(hog.grow(Some(member.bytes), LONG).unwrap().status, GrowStatus::Grew, "{member:?}");
                }
                Player::Hog(hog)
            }
            Kind::Ticker => Player::Ticker(group.ticker(&name, Duration::from_millis(200)).unwrap()),
            kind => {
                let mut actor = Actor::start(group, member.oom_score_adj).unwrap();
                let verb = match kind {
                    Kind::Threads => "thread",
                    Kind::Children => "child",
                    _ => "grow",
                };
                let answer = actor.order(&format!("{verb} {}", member.bytes)).expect("an actor that was given room");
                let other = (kind == Kind::Children).then(|| answer.parse().unwrap());
                Player::Actor { actor, other }
            }
        }
    }

    /// Who takes the memory when this one is told to grow.
    pub fn grows(&self) -> i32 {
        match self {
            Player::Actor { other: Some(child), .. } => *child,
            _ => self.worker().pid(),
        }
    }
}

/// What is known of a scenario that was played, without asking any account.
pub struct Played {
    pub groups: Vec<Group>,
    pub watch: Watch,
    pub players: Vec<Player>,
    /// Who had to be chosen first.
    pub choice: Option<Choice>,
    /// How far the reckoning may be off.
    pub slack: u64,
    /// Who was killed by hand.
    pub by_hand: Vec<i32>,
    /// The processes of the scope just before.
    pub scope: Vec<i32>,
    /// Those of the scope whose end must be an OOM kill.
    pub dead: Vec<i32>,
    /// `oom_kill` of the top group and all below.
    pub kills: u64,
    pub limit: u64,
    /// What a step met.
    pub blocked: bool,
}

/// Plays it in a lab, until everybody who is killed has ended.
pub fn play(lab: &Lab, plan: &Plan, random: &mut Random) -> Played {
    let mut stage = Stage::set(lab, plan);
    let mut by_hand = Vec::new();
    if plan.by_hand == ByHand::Before {
        by_hand.push(kill_by_hand(&stage.players[plan.hand_target]));
    }
    stage.slack = stage.slack();
    let scope = truth::processes(&stage.path);
    match plan.trigger {
        Trigger::Grow => {
            let target = stage.players[plan.hand_target].worker().clone();
            let during = (plan.by_hand == ByHand::During).then(|| {
                by_hand.push(target.pid());
                let wait = Duration::from_micros(random.below(20_000));
                std::thread::spawn(move || {
                    // The moment itself is what is random here.
                    std::thread::sleep(wait);
                    target.signal(libc::SIGKILL).unwrap();
                })
            });
            stage.grow(random);
            if let Some(during) = during {
                during.join().unwrap();
            }
        }
        Trigger::Lower => stage.lower(),
        Trigger::Unblock => stage.block_and(|struck, hog| {
            struck.set_oom_killer(true).unwrap();
            let _ = hog.finish(LONG).unwrap();
        }),
        Trigger::KillBlocked => {
            stage.block_and(|_, _| ());
            stage.choice = None;
            by_hand.push(kill_by_hand(&stage.players[plan.grower]));
        }
    }
    let Stage { groups, watch, players, choice, slack, limit, version, .. } = stage;
    let dead = wait_for_the_dead(&scope, &by_hand);
    let dead = match whole_group(plan, &players, &dead) {
        // The kernel kills them one after the other: who has no signal yet gets one.
        Some(top) => {
            let path = groups[top].path();
            let left = || truth::processes(path).into_iter().any(|pid| truth::lives(pid) && !truth::spared(pid));
            assert!(crate::common::gone_by(std::time::Instant::now() + LONG, left), "a part of {path:?} lives on");
            wait_for_the_dead(&scope, &by_hand)
        }
        None => dead,
    };
    if plan.by_hand == ByHand::After && truth::lives(players[plan.hand_target].worker().pid()) {
        by_hand.push(kill_by_hand(&players[plan.hand_target]));
    }
    let kills = truth::kills(groups[0].path(), version);
    let blocked = matches!(plan.trigger, Trigger::Unblock | Trigger::KillBlocked);
    Played { groups, watch, players, choice, slack, by_hand, scope, dead, kills, limit, blocked }
}

/// A scenario while it is played.
struct Stage<'a> {
    plan: &'a Plan,
    version: Version,
    groups: Vec<Group>,
    watch: Watch,
    players: Vec<Player>,
    /// The directory of the group that is struck, and its limit.
    path: PathBuf,
    limit: u64,
    choice: Option<Choice>,
    slack: u64,
}

impl<'a> Stage<'a> {
    /// Makes the groups and starts the processes.
    fn set(lab: &Lab, plan: &'a Plan) -> Stage<'a> {
        let version = lab.version();
        let mut groups: Vec<Group> = Vec::new();
        for node in &plan.nodes {
            let limits = Limits {
                limit: node.limit.map(Limit::Bytes),
                oom_group: (version == Version::V2).then_some(node.oom_group),
                ..Limits::default()
            };
            let group = match node.above {
                None => lab.group(None, &limits).unwrap(),
                Some(above) => groups[above].child(format!("g{}", groups.len()), &limits).unwrap(),
            };
            groups.push(group);
        }
        let watch = groups[0].watch().unwrap();
        let mut players: Vec<Player> = Vec::new();
        for (at, member) in plan.members.iter().enumerate() {
            players.push(Player::start(member, at, &groups[member.group]));
        }
        let path = groups[plan.struck].path().to_path_buf();
        let limit = plan.nodes[plan.struck].limit.unwrap();
        Stage { plan, version, groups, watch, players, path, limit, choice: None, slack: 0 }
    }

    /// Who has to be chosen, as things stand now.
    fn reckon(&mut self, grower: Option<i32>) {
        let room = self.limit.saturating_sub(truth::usage(&self.path, self.version)) / page_bytes();
        self.choice = truth::choice(&truth::tasks(&self.path), grower, self.limit / page_bytes(), room);
        self.slack = self.slack();
    }

    fn slack(&self) -> u64 {
        let program = matches!(self.players[self.plan.grower], Player::Actor { .. });
        slack(&self.path, self.version, program)
    }

    /// One grows until somebody is killed.
    fn grow(&mut self, random: &mut Random) {
        let plan = self.plan;
        let grower = self.players[plan.grower].grows();
        loop {
            self.reckon(Some(grower));
            match &mut self.players[plan.grower] {
                Player::Hog(hog) => {
                    let step = page_bytes() * (1 + random.below(plan.step / page_bytes()));
                    let status = hog.grow(Some(step), LONG).unwrap().status;
                    if status == GrowStatus::Killed || truth::kills(self.groups[0].path(), self.version) > 0 {
                        return;
                    }
                }
                Player::Actor { actor, .. } => {
                    let verb = match plan.members[plan.grower].kind {
                        Kind::Threads => "thread",
                        Kind::Children => "child-grow",
                        _ => "grow",
                    };
                    actor.order(&format!("{verb} {}", self.limit));
                    return;
                }
                Player::Ticker(_) => unreachable!("a ticker does not grow"),
            }
        }
    }

    /// The limit comes down to where somebody has to die.
    fn lower(&mut self) {
        let usage = truth::usage(&self.path, self.version);
        let may_die = truth::tasks(&self.path).into_iter().filter(|task| task.oom_score_adj != -1000);
        let largest = may_die.map(|task| task.own).max().unwrap_or(0) * page_bytes();
        // Room for all but half of the largest: one death is enough, if it is the largest that dies. Page cache
        // goes before anybody.
        let room = usage.saturating_sub(truth::reclaimable(&self.path, self.version) + largest / 2);
        self.limit = room / page_bytes() * page_bytes();
        self.reckon(None);
        self.groups[self.plan.struck].set_limit(Limit::Bytes(self.limit)).unwrap();
    }

    /// With the killer off one grows until it waits; then comes what ends that.
    fn block_and(&mut self, end: impl FnOnce(&Group, &Hog)) {
        let plan = self.plan;
        let struck = self.groups[plan.struck].clone();
        struck.set_oom_killer(false).unwrap();
        let Player::Hog(hog) = &self.players[plan.grower] else { unreachable!("only hogs are blocked") };
        let hog = hog.clone();
        while hog.grow(Some(plan.step / page_bytes() * page_bytes()), LONG).unwrap().status == GrowStatus::Grew {}
        self.reckon(None);
        end(&struck, &hog);
    }
}

/// Ends everybody who is left, and removes the groups.
pub fn clear(played: Played) {
    let Played { groups, players, dead, by_hand, .. } = played;
    groups[0].kill().unwrap();
    for player in &players {
        let outcome = player.worker().wait(LONG).unwrap();
        let pid = player.worker().pid();
        // Whoever was left died by this kill, after an OOM in its own group: that is no OOM kill.
        if !dead.contains(&pid) && !by_hand.contains(&pid) {
            assert_eq!((outcome.verdict, outcome.returncode), (memoom::Verdict::Killed, -9), "{outcome:#?}");
        }
    }
    for group in groups.iter().rev() {
        group.remove().unwrap();
    }
}

/// The reckoning and the kernel's may differ by what each CPU keeps charged ahead, by the batches of the resident
/// counters, by caches that go before anybody is killed, and by pages of a program's file: who runs on comes to have more
/// of them, and they count for its score, not for the usage.
fn slack(path: &Path, version: Version, program: bool) -> u64 {
    let cpus = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let file = std::env::current_exe().and_then(std::fs::metadata).map_or(0, |file| file.len());
    let mapped = if program { file / page_bytes() } else { 0 };
    cpus * (64 + 64) + 64 + truth::reclaimable(path, version) / page_bytes() + mapped
}

/// SIGKILL without memoom's own call to kill, so that memoom does not know of it.
fn kill_by_hand(player: &Player) -> i32 {
    let worker = player.worker();
    worker.signal(libc::SIGKILL).unwrap();
    assert!(crate::common::gone_by(std::time::Instant::now() + LONG, || truth::lives(worker.pid())));
    worker.pid()
}

/// The topmost group with memory.oom.group between one of the dead and the limit: all of it dies.
fn whole_group(plan: &Plan, players: &[Player], dead: &[i32]) -> Option<usize> {
    let at = players.iter().position(|player| {
        dead.contains(&player.worker().pid())
            || matches!(player, Player::Actor { other: Some(child), .. } if dead.contains(child))
    })?;
    let mut top = None;
    let mut next = Some(plan.members[at].group);
    while let Some(node) = next {
        if plan.nodes[node].oom_group {
            top = Some(node);
        }
        next = plan.nodes[node].above.filter(|_| node != plan.struck);
    }
    top
}

/// Waits until everybody who is about to die has died: with SIGKILL pending a process never goes on. Gives back
/// those of the scope that were not killed by hand.
fn wait_for_the_dead(scope: &[i32], by_hand: &[i32]) -> Vec<i32> {
    let doomed = |pid: &i32| {
        let status = crate::common::actor::read(format!("/proc/{pid}/status"));
        let pending = ["SigPnd:", "ShdPnd:"].iter().any(|key| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("0");
            u64::from_str_radix(line.trim(), 16).is_ok_and(|signals| signals >> (libc::SIGKILL - 1) & 1 == 1)
        });
        pending || !truth::lives(*pid)
    };
    for pid in scope.iter().filter(|pid| doomed(pid)) {
        let gone = crate::common::gone_by(std::time::Instant::now() + LONG, || truth::lives(*pid));
        assert!(gone, "{pid} was killed and does not end");
    }
    scope.iter().copied().filter(|pid| !truth::lives(*pid) && !by_hand.contains(pid)).collect()
}
