//! An owner is dead only on positive proof: whatever hides, the labs of the living stay.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use memoom::{Group, HogOptions, Lab, LabOptions, Limits, Worker};

use super::common::{lab, name_of_a_dead_one, process_is_there};
use super::visitor::{self, Visitor};

/// A directory of ours for labs, and a lab in it whose owner, this process, lives.
struct Neighbour {
    base: Group,
    lab: Lab,
    hog: Worker,
    _outer: Lab,
}

impl Neighbour {
    fn new() -> Option<Neighbour> {
        let outer = lab()?;
        let base = outer.group(Some("base"), &Limits::default()).unwrap();
        let lab = Lab::with(&LabOptions { parent: Some(base.path().into()), ..LabOptions::default() }).unwrap();
        let group = lab.group(Some("kept"), &Limits::bytes(32 << 20)).unwrap();
        let hog = group.hog(&HogOptions::named("kept")).unwrap().worker().clone();
        Some(Neighbour { base, lab, hog, _outer: outer })
    }

    fn lives(&self, beside: &str) {
        assert!(self.lab.path().exists(), "{beside}: the lab beside it is gone");
        assert!(!self.hog.ended() && process_is_there(self.hog.pid()), "{beside}: the worker beside it was killed");
        assert!(process_is_there(self.lab.supervisor_pid()), "{beside}: the supervisor beside it was killed");
    }

    /// The visitor must leave this lab alone and say so, and its own must not be taken for a dead one's from here.
    fn is_visited(&self, task: &str, options: &[&str], setup: &str, expected: &str) {
        let Some(visitor) = Visitor::start(task, options, setup, self.base.path()) else { return };
        self.lives(task);
        let own = visitor.found.iter().find(|(_, path, _)| path.file_name() == self.lab.path().file_name());
        match own {
            Some((removed, _, reason)) => assert!(!removed && reason.contains(expected), "{task}: {reason}"),
            None => assert!(expected.is_empty(), "{task}: its gc does not name the lab: {:?}", visitor.found),
        }
        match &visitor.lab {
            Ok(path) => {
                let name = path.file_name().unwrap();
                let here = self.base.path().join(name);
                let found = memoom::gc_below(self.base.path()).unwrap();
                let it = found.iter().find(|one| one.path == here).unwrap_or_else(|| panic!("{task}: {found:?}"));
                assert!(!it.removed && here.exists(), "{task}: {it:?}");
                println!("{task}: {own:?}; its own lab is seen so: {}", it.reason);
            }
            Err(why) => {
                assert!(why.contains("remedy"), "{task}: {why}");
                println!("{task}: {own:?}; no lab: {why}");
            }
        }
        visitor.end();
        self.lives(task);
    }
}

pub fn owners_that_cannot_be_seen_are_not_dead() {
    let Some(neighbour) = Neighbour::new() else { return };
    let proc = |how: &str| format!("mount -t proc {how} proc /proc && exec \"$@\"");
    let private = ["--mount"];
    neighbour.is_visited("as-usual", &private, &proc(""), "its owner lives");
    neighbour.is_visited("subset-pid", &private, &proc("-o subset=pid"), "its owner lives");
    // From root without that right they are hidden as from another user.
    let blind = "mount -t proc -o hidepid=2,gid=65533 proc /proc && \
        exec setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace \"$@\"";
    neighbour.is_visited("hidepid", &private, blind, "left alone");
    neighbour.is_visited("few-files", &private, "exec \"$@\"", "its owner lives");
    let boot = "printf '%s\\n' 01234567-89ab-4cde-8f01-23456789abcd >/dev/shm/memoom-boot-id && \
        mount --bind /dev/shm/memoom-boot-id /proc/sys/kernel/random/boot_id && \
        rm /dev/shm/memoom-boot-id && exec \"$@\"";
    neighbour.is_visited("boot-id", &private, boot, "its owner lives");
    neighbour.is_visited("time", &["--time", "--boottime", "86400", "--fork"], "exec \"$@\"", "its owner lives");
    neighbour.is_visited("pid", &["--pid", "--fork", "--mount-proc"], "exec \"$@\"", "left alone");
    // With the /proc of the namespace outside.
    neighbour.is_visited("pid-old-proc", &["--pid", "--fork"], "exec \"$@\"", "left alone");
    neighbour.is_visited("no-proc", &private, "mount -t tmpfs tmpfs /proc && exec \"$@\"", "");
}

pub fn an_owner_without_its_first_thread_lives() {
    let Some(neighbour) = Neighbour::new() else { return };
    neighbour.is_visited("headless", &["--mount"], "exec \"$@\"", "its owner lives");
}

pub fn a_process_without_its_first_thread_has_labs() {
    let Some(outer) = lab() else { return };
    let base = outer.group(Some("base"), &Limits::default()).unwrap();
    let said = visitor::hear("headless-before", &["--mount"], "exec \"$@\"", base.path()).expect("nothing to set up");
    assert!(said.starts_with("fine"), "{said}");
    let left: Vec<_> =
        std::fs::read_dir(base.path()).unwrap().flatten().filter(|entry| entry.path().is_dir()).collect();
    assert!(left.is_empty(), "{left:?}");
}

pub fn what_others_have_named_like_a_lab_stays() {
    let Some(neighbour) = Neighbour::new() else { return };
    let base = neighbour.base.path();
    let dead = name_of_a_dead_one(&neighbour.lab);
    let made = |name: &str| -> PathBuf {
        std::fs::create_dir(base.join(name)).unwrap();
        base.join(name)
    };
    // Another user's, who hopes that root kills what stands in it.
    let planted = made(&dead);
    if std::os::unix::fs::chown(&planted, Some(65534), Some(65534)).is_err() {
        eprintln!("skipped: nothing can be given to another user here");
        return;
    }
    let mut inside = sleeper(&planted);
    // Names that are nearly a lab's.
    let alike: Vec<PathBuf> =
        ["memoom-1-2-3-4-5", "memoom-1-2-00000000-4-5", "memoom-"].into_iter().map(made).collect();
    let found = memoom::gc_below(base).unwrap();
    let it = found.iter().find(|one| one.path == planted).unwrap_or_else(|| panic!("{found:?}"));
    assert!(!it.removed && it.reason.contains("another user (uid 65534)"), "{it:?}");
    assert!(found.iter().all(|one| !alike.contains(&one.path)), "{found:?}");
    drop(Lab::with(&LabOptions { parent: Some(base.into()), ..LabOptions::default() }).unwrap());
    assert!(planted.exists() && alike.iter().all(|path| path.exists()));
    assert!(inside.try_wait().unwrap().is_none(), "the process in another user's directory was killed");
    neighbour.lives("alike");
    // Our own user's goes.
    std::os::unix::fs::chown(&planted, Some(0), Some(0)).unwrap();
    let found = memoom::gc_below(base).unwrap();
    assert!(found.iter().any(|one| one.path == planted && one.removed), "{found:?}");
    inside.wait().unwrap();
    for path in alike {
        std::fs::remove_dir(path).unwrap();
    }
}

pub fn sleeper(group: &Path) -> std::process::Child {
    let procs = std::fs::OpenOptions::new().write(true).open(group.join("cgroup.procs")).unwrap();
    let mut command = Command::new("sleep");
    command.arg("1000");
    // SAFETY: one write to a descriptor that is open.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || nix::unistd::write(&procs, b"0").map(drop).map_err(Into::into));
    }
    command.spawn().unwrap()
}
