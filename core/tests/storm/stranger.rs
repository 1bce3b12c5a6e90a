//! A stranger who freezes processes that are not his: by the freezer hierarchy of v1, or by `cgroup.freeze` of v2.

use std::fs;
use std::path::{Path, PathBuf};

use super::common::Random;
use super::process::Held;

const FREEZER: &str = "/sys/fs/cgroup/freezer";

/// What a stranger has frozen.
pub enum Frozen {
    /// Processes, by a group of his own.
    V1(PathBuf),
    /// A group of the lab.
    V2(PathBuf),
}

impl Frozen {
    /// Freezes some of these processes, or one of these groups, as this machine can; `None` where it can neither.
    pub fn some(random: &mut Random, processes: &[Held], groups: &[PathBuf]) -> Option<Frozen> {
        if !groups.is_empty() && groups[0].join("cgroup.freeze").exists() {
            let group = &groups[random.below(groups.len() as u64) as usize];
            return fs::write(group.join("cgroup.freeze"), "1").ok().map(|()| Frozen::V2(group.clone()));
        }
        let all = random.below(2) == 0;
        Frozen::by_v1(processes.iter().filter(|_| all || random.below(2) == 0).collect())
    }

    /// Freezes all of them, where this machine has the freezer of v1.
    pub fn all_by_v1(processes: &[Held]) -> Option<Frozen> {
        Frozen::by_v1(processes.iter().collect())
    }

    fn by_v1(processes: Vec<&Held>) -> Option<Frozen> {
        if processes.is_empty() || !Path::new(FREEZER).join("cgroup.procs").exists() {
            return None;
        }
        let place = Path::new(FREEZER).join(format!("memoom-storm-{}", std::process::id()));
        fs::create_dir(&place).ok()?;
        // One may have ended; signal 0 says that the number is still that of the one we hold.
        for process in processes.into_iter().filter(|process| process.signal(0)) {
            let _ = fs::write(place.join("cgroup.procs"), process.pid.to_string());
        }
        let _ = fs::write(place.join("freezer.state"), "FROZEN");
        Some(Frozen::V1(place))
    }

    /// Lets everybody go on.
    pub fn thaw(self) {
        match self {
            Frozen::V2(group) => {
                // The lab may have gone, or thawed it itself.
                let _ = fs::write(group.join("cgroup.freeze"), "0");
            }
            Frozen::V1(place) => {
                fs::write(place.join("freezer.state"), "THAWED").unwrap();
                let deadline = std::time::Instant::now() + super::common::LONG;
                while let Err(error) = fs::remove_dir(&place) {
                    assert!(std::time::Instant::now() < deadline, "{}: {error}", place.display());
                    for pid in fs::read_to_string(place.join("cgroup.procs")).unwrap_or_default().lines() {
                        let _ = fs::write(Path::new(FREEZER).join("cgroup.procs"), pid);
                    }
                }
            }
        }
    }
}
