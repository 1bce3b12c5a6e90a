//! One scenario as plain data, drawn at random: groups, processes, and what brings the OOM about.

use memoom::Version;

use crate::common::{page_bytes, Random};

const MIB: u64 = 1 << 20;

/// What kind of process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Hog,
    Ticker,
    /// A command; its first thread takes the memory.
    Command,
    /// A command; another thread of it takes the memory.
    Threads,
    /// A command; a child of it takes the memory.
    Children,
}

#[derive(Debug, Clone)]
pub struct Member {
    pub group: usize,
    pub kind: Kind,
    /// What it takes before anything else happens.
    pub bytes: u64,
    pub oom_score_adj: i16,
}

#[derive(Debug, Clone)]
pub struct Node {
    pub above: Option<usize>,
    pub limit: Option<u64>,
    pub oom_group: bool,
}

/// What brings the OOM about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A member grows until somebody dies; a hog in steps, a command in one order.
    Grow,
    /// v2: the limit is set below the usage.
    Lower,
    /// v1: the killer is off; the hog that grew waits; then the killer is turned on.
    Unblock,
    /// v1: the killer is off; the hog that waits is killed by hand.
    KillBlocked,
}

/// A kill by hand, which is never an OOM kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByHand {
    None,
    Before,
    /// While the OOM goes on, as near as may be.
    During,
    After,
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub nodes: Vec<Node>,
    /// The group whose limit is hit.
    pub struck: usize,
    pub members: Vec<Member>,
    pub trigger: Trigger,
    /// Who grows; always a hog where the trigger is about blocking.
    pub grower: usize,
    /// Steps of a hog are random up to this.
    pub step: u64,
    pub by_hand: ByHand,
    /// Who is killed by hand; stands outside of the choice as far as that can be said beforehand.
    pub hand_target: usize,
}

impl Plan {
    /// Draws one.
    pub fn draw(random: &mut Random, version: Version, may_lower_scores: bool) -> Plan {
        let limit = MIB * (12 + random.below(20));
        let (mut nodes, struck, places) = tree(random, version, limit);
        if version == Version::V2 {
            for node in &mut nodes {
                node.oom_group = random.below(5) == 0;
            }
        }
        let count = 2 + random.below(11) as usize;
        let mut members = members(random, count, limit * 3 / 4, &places, may_lower_scores);
        let trigger = match (version, random.below(8)) {
            (Version::V1, 0) => Trigger::Unblock,
            (Version::V1, 1) => Trigger::KillBlocked,
            (Version::V2, 0 | 1) => Trigger::Lower,
            _ => Trigger::Grow,
        };
        let may_grow =
            |member: &Member| member.kind != Kind::Ticker && (trigger == Trigger::Grow || member.kind == Kind::Hog);
        let growers: Vec<usize> = (0..count).filter(|at| may_grow(&members[*at])).collect();
        let grower = if growers.is_empty() {
            members[0].kind = Kind::Hog;
            0
        } else {
            growers[random.below(growers.len() as u64) as usize]
        };
        // It must be possible to stop it, and somebody must be left to choose from.
        if members[grower].oom_score_adj == -1000 {
            members[grower].oom_score_adj = 0;
        }
        let by_hand = match random.below(8) {
            0 => ByHand::Before,
            1 if trigger == Trigger::Grow => ByHand::During,
            2 => ByHand::After,
            _ => ByHand::None,
        };
        let others: Vec<usize> = (0..count).filter(|at| *at != grower).collect();
        let hand_target = others[random.below(others.len() as u64) as usize];
        let step = MIB / 2 + random.below(8 * MIB);
        Plan { nodes, struck, members, trigger, grower, step, by_hand, hand_target }
    }
}

/// The processes, and where each stands: none takes so much that nothing is left for the rest.
fn members(random: &mut Random, count: usize, mut room: u64, places: &[usize], may_lower_scores: bool) -> Vec<Member> {
    let mut commands = 0;
    let mut members: Vec<Member> = Vec::new();
    for _ in 0..count {
        let mut kind = match random.below(10) {
            0..=4 => Kind::Hog,
            5 | 6 => Kind::Ticker,
            7 => Kind::Command,
            8 => Kind::Threads,
            _ => Kind::Children,
        };
        // A command brings a program with it, which is memory of unknown size.
        if commands >= 2 && !matches!(kind, Kind::Hog | Kind::Ticker) {
            kind = Kind::Hog;
        }
        let overhead = match kind {
            Kind::Hog | Kind::Ticker => MIB / 4,
            Kind::Command | Kind::Threads => 2 * MIB,
            Kind::Children => 4 * MIB,
        };
        if room < overhead + MIB / 2 {
            kind = Kind::Ticker;
        }
        commands += usize::from(!matches!(kind, Kind::Hog | Kind::Ticker));
        room = room.saturating_sub(overhead);
        let share = if random.below(3) == 0 { room } else { room / 3 };
        let bytes = match kind {
            Kind::Ticker => 0,
            _ => page_bytes() * (1 + random.below(1 + share / page_bytes())),
        };
        room = room.saturating_sub(bytes + bytes / 256);
        let oom_score_adj = match random.below(if may_lower_scores { 10 } else { 7 }) {
            0..=3 => 0,
            4 | 5 => random.below(1001) as i16,
            6 => 1000,
            7 | 8 => -(random.below(1000) as i16),
            _ => -1000,
        };
        // A ticker cannot be given a score.
        let oom_score_adj = if kind == Kind::Ticker { 0 } else { oom_score_adj };
        members.push(Member { group: places[random.below(places.len() as u64) as usize], kind, bytes, oom_score_adj });
    }
    members
}

/// Groups in groups. Gives back the nodes, which one is struck, and where processes may stand.
fn tree(random: &mut Random, version: Version, limit: u64) -> (Vec<Node>, usize, Vec<usize>) {
    let node = |above, limit| Node { above, limit, oom_group: false };
    // On v2 no process may stand in a group that has others below it.
    let inner = |places: &[usize], also: &[usize]| -> Vec<usize> {
        if version == Version::V1 {
            [places, also].concat()
        } else {
            places.to_vec()
        }
    };
    match random.below(5) {
        0 | 1 => (vec![node(None, Some(limit))], 0, vec![0]),
        // The limit of the group above strikes.
        2 => {
            let nodes = vec![node(None, Some(limit)), node(Some(0), None), node(Some(0), Some(limit * 2))];
            (nodes, 0, inner(&[1, 2], &[0]))
        }
        // The limit of the inner one strikes, and the one above has room.
        3 => {
            let nodes = vec![node(None, Some(limit * 2)), node(Some(0), Some(limit))];
            (nodes, 1, vec![1])
        }
        _ => {
            let nodes = vec![
                node(None, Some(limit)),
                node(Some(0), None),
                node(Some(1), None),
                node(Some(1), Some(limit + MIB)),
            ];
            (nodes, 0, inner(&[2, 3], &[0, 1]))
        }
    }
}
