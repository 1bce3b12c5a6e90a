//! What a host of the storm does: whatever comes to its mind, until somebody ends it. Its errors are its answers: it says
//! them and goes on.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use memoom::{ErrorKind, Group, Hog, HogOptions, Lab, LabOptions, Limits, Result, Watch, Worker};

use super::acts::ACTS;
use super::common::Random;

/// Tells a started copy that it is a host: the seed of what it does, or `idle`.
pub const ROLE: &str = "MEMOOM_STORM_HOST";
/// Where it makes its labs.
pub const BASE: &str = "MEMOOM_STORM_BASE";
/// Whether it may have OOMs that kill.
pub const OOMS: &str = "MEMOOM_STORM_OOMS";

const MIB: u64 = 1 << 20;

/// Acts, if this program was started for that; `false` if not.
pub fn act_if_told() -> bool {
    let (Ok(role), Some(base)) = (std::env::var(ROLE), std::env::var_os(BASE)) else { return false };
    let base = PathBuf::from(base);
    if role == "idle" {
        stand_by(&base);
        return true;
    }
    if role == "observe" {
        observe(&base);
        return true;
    }
    let ooms = std::env::var(OOMS).is_ok_and(|value| value == "1");
    let mut host =
        Host { random: Random::seeded(role.parse().unwrap()), base, ooms, lab: None, hands: Hands::default() };
    loop {
        host.act();
    }
}

/// A lab with a worker, until the other side closes its end.
fn stand_by(base: &std::path::Path) {
    let lab = Lab::with(&LabOptions { parent: Some(base.into()), ..LabOptions::default() }).unwrap();
    let group = lab.group(Some("kept"), &Limits::bytes(32 * MIB)).unwrap();
    let hog = group.hog(&HogOptions::named("kept")).unwrap();
    hog.grow(Some(4 * MIB), super::common::LONG).unwrap();
    println!("{}", lab.path().display());
    std::io::stdout().flush().unwrap();
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// Watches what is there, without a lab, until the other side closes its end.
fn observe(base: &std::path::Path) {
    let watch = Group::open(base).unwrap().watch_recursive().unwrap();
    println!("{:?}", watch.group());
    std::io::stdout().flush().unwrap();
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// What a host has in its hands of its lab.
#[derive(Default)]
pub struct Hands {
    pub groups: Vec<Group>,
    pub hogs: Vec<Hog>,
    pub workers: Vec<Worker>,
    pub watches: Vec<Watch>,
}

/// A host and its chance.
pub struct Host {
    pub random: Random,
    pub base: PathBuf,
    pub ooms: bool,
    pub lab: Option<Lab>,
    pub hands: Hands,
}

impl Host {
    fn act(&mut self) {
        let (what, done) = if self.lab.is_none() {
            ("lab", self.make_lab())
        } else {
            let all: u64 = ACTS.iter().map(|(often, ..)| often).sum();
            let mut at = self.random.below(all);
            let (_, what, act) = ACTS
                .iter()
                .find(|(often, ..)| {
                    let here = at < *often;
                    at = at.saturating_sub(*often);
                    here
                })
                .unwrap();
            (*what, act(self))
        };
        let Err(error) = done else { return };
        println!("{what} {:?}: {error}", error.kind());
        if error.kind() == ErrorKind::Closed {
            self.let_go();
        }
    }

    pub fn let_go(&mut self) {
        self.hands = Hands::default();
        self.lab = None;
    }

    pub fn options(&mut self) -> LabOptions {
        let evidence = self.random.below(3) > 0;
        LabOptions {
            parent: Some(self.base.clone()),
            call_path: evidence && self.random.below(2) == 0,
            kernel_log: evidence,
            sample_every: (self.random.below(4) == 0).then_some(Duration::from_millis(5)),
            ..LabOptions::default()
        }
    }

    fn make_lab(&mut self) -> Result<()> {
        self.lab = Some(Lab::with(&self.options())?);
        self.make_group()
    }

    /// The lab; whoever asks has one.
    pub fn lab(&self) -> &Lab {
        self.lab.as_ref().unwrap()
    }

    /// One of those in hand; `None` where there is none.
    pub fn any<T>(random: &mut Random, of: &[T]) -> Option<usize> {
        (!of.is_empty()).then(|| random.below(of.len() as u64) as usize)
    }

    pub fn any_group(&mut self) -> Option<Group> {
        Host::any(&mut self.random, &self.hands.groups).map(|at| self.hands.groups[at].clone())
    }

    pub fn any_hog(&mut self) -> Option<Hog> {
        Host::any(&mut self.random, &self.hands.hogs).map(|at| self.hands.hogs[at].clone())
    }

    pub fn any_worker(&mut self) -> Option<Worker> {
        Host::any(&mut self.random, &self.hands.workers).map(|at| self.hands.workers[at].clone())
    }
}
