//! Others who rename, mount over, remove, move and change things under us: nobody of theirs is harmed, and nothing of ours is
//! left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use memoom::{ErrorKind, Group, GrowStatus, HogOptions, Lab, LabOptions, Limit, Limits, Version};

use super::common::{gone_by, lab, lab_with, name_of_a_dead_one, process_is_there, LONG};
use super::life;
use super::owners::sleeper;
use super::visitor::{self, Visitor};

/// A directory of ours for labs; beside them stands a group of somebody else, with a process in it.
struct Street {
    base: Group,
    foreign: PathBuf,
    process: Child,
    outer: Lab,
}

impl Street {
    fn beside(outer: Option<Lab>) -> Option<Street> {
        let outer = outer?;
        let base = outer.group(Some("base"), &Limits::default()).unwrap();
        let foreign = base.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        let process = sleeper(&foreign);
        Some(Street { base, foreign, process, outer })
    }

    fn lab(&self) -> Lab {
        Lab::with(&LabOptions { parent: Some(self.base.path().into()), ..LabOptions::default() }).unwrap()
    }

    /// The process of the others lives, in their group, which is now at `place`.
    fn lives(&mut self, place: &Path, after: &str) {
        assert!(self.process.try_wait().unwrap().is_none(), "after {after} the process of the others is dead");
        let inside = fs::read_to_string(place.join("cgroup.procs")).unwrap();
        assert_eq!(inside.trim(), self.process.id().to_string(), "after {after}");
    }

    /// Ends what is the others'; beside it nothing is left.
    fn close(mut self, foreign: &Path) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        assert!(gone_by(Instant::now() + LONG, || fs::remove_dir(foreign).is_err()));
        let left: Vec<PathBuf> = groups_in(self.base.path());
        assert!(left.is_empty(), "{left:?}");
        self.outer.close().unwrap();
    }
}

fn groups_in(path: &Path) -> Vec<PathBuf> {
    fs::read_dir(path).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// v1 lets a group be renamed: ours gets another name, and theirs gets ours.
fn swap(ours: &Path, theirs: &Path) -> PathBuf {
    let elsewhere = ours.with_file_name("elsewhere");
    fs::rename(ours, &elsewhere).unwrap();
    fs::rename(theirs, ours).unwrap();
    elsewhere
}

pub fn a_lab_is_known_by_its_directory() {
    let Some(mut street) = Street::beside(lab_with(Version::V1)) else { return };
    let lab = street.lab();
    let group = lab.group(Some("inner"), &Limits::bytes(24 << 20)).unwrap();
    let hog = group.hog(&HogOptions::named("renamed")).unwrap();
    let elsewhere = swap(lab.path(), &street.foreign);
    lab.close().unwrap();
    assert!(hog.ended() && !elsewhere.exists());
    let place = lab.path().to_path_buf();
    street.lives(&place, "the end of a lab whose name they have");
    street.close(&place);
}

/// The same where the host is killed, so that the supervisor does it alone.
pub fn a_dead_hosts_lab_is_known_by_its_directory() {
    let Some(mut street) = Street::beside(lab_with(Version::V1)) else { return };
    let visitor = Visitor::start("stays", &["--mount"], "exec \"$@\"", street.base.path()).unwrap();
    let path = visitor.lab.clone().unwrap();
    let elsewhere = swap(&path, &street.foreign);
    visitor.kill();
    assert!(gone_by(Instant::now() + LONG, || elsewhere.exists()), "the renamed lab stays");
    street.lives(&path, "the end of a lab whose name they have");
    street.close(&path);
}

/// A group of ours by their name, and theirs by ours.
pub fn a_group_is_known_by_its_directory() {
    let Some(outer) = lab_with(Version::V1) else { return };
    let group = outer.group(Some("ours"), &Limits::default()).unwrap();
    let theirs = outer.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    let elsewhere = swap(group.path(), &theirs);
    group.remove().unwrap();
    assert!(!elsewhere.exists() && group.path().exists());
    // It has gone, whatever stands there.
    assert_eq!(group.usage_bytes().unwrap_err().kind(), ErrorKind::NotFound);
    outer.close().unwrap();
}

/// Who may write to a directory may rename what stands in it (v1), also what root has made there.
pub fn what_others_may_have_renamed_stays() {
    let Some(mut street) = Street::beside(lab_with(Version::V1)) else { return };
    let base = street.base.path().to_path_buf();
    let planted = base.join(name_of_a_dead_one(&street.outer));
    fs::rename(&street.foreign, &planted).unwrap();
    std::os::unix::fs::chown(&base, Some(65534), Some(65534)).unwrap();
    let found = memoom::gc_below(&base).unwrap();
    let it = found.iter().find(|one| one.path == planted).unwrap();
    assert!(!it.removed && it.reason.contains("another user (uid 65534) may rename groups here"), "{it:?}");
    drop(street.lab());
    street.lives(&planted, "gc");
    std::os::unix::fs::chown(&base, Some(0), Some(0)).unwrap();
    street.close(&planted);
}

/// A directory that only looks like one of groups names whatever pids it likes.
pub fn a_directory_that_only_looks_like_a_group() {
    let Some(outer) = lab() else { return };
    let mut process = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let tree = tempfile::tempdir().unwrap();
    let planted = tree.path().join(name_of_a_dead_one(&outer));
    for directory in [tree.path(), &planted] {
        fs::create_dir_all(directory).unwrap();
        for file in ["memory.limit_in_bytes", "memory.max", "cgroup.controllers", "memory.current"] {
            fs::write(directory.join(file), "1\n").unwrap();
        }
        fs::write(directory.join("cgroup.procs"), format!("{}\n", process.id())).unwrap();
    }
    assert_eq!(memoom::gc_below(tree.path()).unwrap(), []);
    let options = LabOptions { parent: Some(tree.path().into()), ..LabOptions::default() };
    let error = Lab::with(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("not in a cgroup file system"), "{error}");
    assert!(planted.exists() && process.try_wait().unwrap().is_none());
    process.kill().unwrap();
    process.wait().unwrap();
}

/// Theirs is mounted over ours: over the lab, over a group in it, over the file that lists the processes.
pub fn what_is_mounted_over_ours_is_not_touched() {
    let Some(mut street) = Street::beside(lab()) else { return };
    let foreign = street.foreign.clone();
    for what in ["lab", "group", "list"] {
        // Its own mount namespace, so that nobody else sees the mount.
        let Some(said) = visitor::hear(what, &["--mount"], "exec \"$@\"", street.base.path()) else { return };
        println!("over the {what}: {said}");
        // A covered list of processes is none; those that are children of ours end without it.
        let clear = said.contains("mounted over") && said.contains("remedy") || what == "list" && said == "fine";
        assert!(clear, "over the {what}: {said}");
        street.lives(&foreign, what);
        // Here nothing is mounted over it.
        for one in memoom::gc_below(street.base.path()).unwrap() {
            assert!(one.removed, "{one:?}");
        }
        street.lives(&foreign, what);
    }
    street.close(&foreign);
}

/// The part that is done inside: `what` is what the group beside the labs is mounted over.
fn mounted_over(what: &str, base: &Path) -> String {
    let lab = Lab::with(&LabOptions { parent: Some(base.into()), ..LabOptions::default() }).unwrap();
    let group = lab.group(Some("covered"), &Limits::bytes(24 << 20)).unwrap();
    let hog = group.hog(&HogOptions::named("covered")).unwrap();
    let foreign = base.join("foreign");
    let (from, to) = match what {
        "lab" => (foreign, lab.path().to_path_buf()),
        "group" => (foreign, group.path().to_path_buf()),
        _ => (foreign.join("cgroup.procs"), group.path().join("cgroup.procs")),
    };
    let mounted = std::process::Command::new("mount").arg("--bind").arg(from).arg(to).status().unwrap();
    assert!(mounted.success());
    let began = Instant::now();
    let said = life::said(lab.close().map(|()| None));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}: {said}", began.elapsed());
    // What is ours and a child of ours has ended all the same.
    assert!(!process_is_there(hog.pid()), "{said}");
    said
}

pub fn over_the_lab(base: &Path) -> String {
    mounted_over("lab", base)
}

pub fn over_a_group(base: &Path) -> String {
    mounted_over("group", base)
}

pub fn over_the_list(base: &Path) -> String {
    mounted_over("list", base)
}

/// Groups that others remove have gone, and that is what is said; the lab goes on and ends.
pub fn groups_that_others_remove() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("ours"), &Limits::bytes(24 << 20)).unwrap();
    let kept = lab.group(Some("kept"), &Limits::bytes(24 << 20)).unwrap();
    fs::remove_dir(group.path()).unwrap();
    for error in [
        group.usage_bytes().unwrap_err(),
        group.set_limit(Limit::Bytes(32 << 20)).unwrap_err(),
        group.hog(&HogOptions::default()).unwrap_err(),
        group.kill().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains("removed"), "{error}");
    }
    group.remove().unwrap();
    let hog = kept.hog(&HogOptions::named("kept")).unwrap();
    assert_eq!(hog.grow(Some(1 << 20), LONG).unwrap().status, GrowStatus::Grew);
    lab.close().unwrap();
    // The whole of it, from below upwards.
    let lab = Lab::new().unwrap();
    fs::remove_dir(lab.path()).unwrap();
    let error = lab.group(None, &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    lab.close().unwrap();
}

/// A worker that somebody moves away ends with its lab, and nobody else where it stands then.
pub fn a_worker_that_others_move() {
    let Some(mut street) = Street::beside(lab()) else { return };
    let foreign = street.foreign.clone();
    let lab = street.lab();
    let group = lab.group(Some("left"), &Limits::bytes(24 << 20)).unwrap();
    let hog = group.hog(&HogOptions::named("moved")).unwrap();
    fs::write(foreign.join("cgroup.procs"), hog.pid().to_string()).unwrap();
    // What it takes now is the others'.
    assert_eq!(hog.grow(Some(1 << 20), LONG).unwrap().status, GrowStatus::Grew);
    lab.close().unwrap();
    assert!(!process_is_there(hog.pid()));
    street.lives(&foreign, "the end of the lab");
    street.close(&foreign);
}

/// A limit that somebody changes is the one that the account names.
pub fn a_limit_that_others_change() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("changed"), &Limits::bytes(64 << 20)).unwrap();
    let mut watch = group.watch().unwrap();
    let hog = group.hog(&HogOptions::named("changed")).unwrap();
    hog.grow(Some(4 << 20), LONG).unwrap();
    let files: &[&str] = match lab.version() {
        // Memory and swap together cannot be below memory alone.
        Version::V1 => &["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"],
        Version::V2 => &["memory.max"],
    };
    for file in files.iter().map(|file| group.path().join(file)).filter(|file| file.exists()) {
        fs::write(file, "24M").unwrap();
    }
    while hog.grow(Some(4 << 20), LONG).unwrap().status == GrowStatus::Grew {}
    let oom = watch.wait_oom(LONG).unwrap().expect("an account");
    assert!(oom.killed(hog.pid()), "{}", oom.to_text());
    assert_eq!(oom.limit_bytes, Some(24 << 20), "{}", oom.to_text());
    lab.close().unwrap();
}
