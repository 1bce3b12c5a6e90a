//! Places in which much is not to be had: each lets a whole life of a lab be lived, with what is missing named, or it is an
//! error with what helps.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use memoom::{Group, GrowStatus, HogOptions, Kind, Lab, LabOptions, Limits};
use nix::sys::resource::{getrlimit, setrlimit, Resource};

use super::common::{lab, EATS, LONG};
use super::{life, visitor};

/// What a place must lead to.
enum Then {
    /// A whole life, and these sources named as missing.
    Lives(&'static [&'static str]),
    /// An error with a remedy and these words.
    Refuses(&'static [&'static str]),
    /// One of the two.
    EitherClearly,
}

/// Lives in that place, made by `unshare` with these options and then by `setup`, below a directory of its own.
fn in_place(name: &str, task: &str, options: &[&str], setup: &str, then: &Then) {
    let Some(outer) = lab() else { return };
    let base = outer.group(Some("base"), &Limits::default()).unwrap();
    let Some(said) = visitor::hear(task, options, &format!("{setup} exec \"$@\""), base.path()) else { return };
    println!("{name}: {said}");
    let refuses = |words: &[&str]| said.contains("remedy: ") && words.iter().all(|word| said.contains(word));
    let lives = |sources: &[&str]| said.starts_with("fine") && sources.iter().all(|source| said.contains(source));
    let holds = match then {
        Then::Lives(sources) => lives(sources),
        Then::Refuses(words) => refuses(words),
        Then::EitherClearly => lives(&[]) || refuses(&[]),
    };
    assert!(holds, "{name}: {said}");
    let left = std::fs::read_dir(base.path()).unwrap().flatten();
    let left: Vec<_> =
        left.map(|entry| entry.path()).filter(|path| path.is_dir() && !path.ends_with("inside")).collect();
    assert!(left.is_empty(), "{name} leaves {left:?}");
    let _ = std::fs::remove_dir(base.path().join("inside"));
    outer.close().unwrap();
}

const MOUNTS: &[&str] = &["--mount"];

pub fn the_cgroup_file_system_is_read_only_or_absent() {
    // The default place, and one that is named.
    let read_only = "for at in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,bind,ro $at 2>/dev/null; done;";
    let words = &["read-only", "docker run"];
    in_place("cgroups read-only", "anywhere", MOUNTS, read_only, &Then::Refuses(words));
    in_place("cgroups read-only, named", "live", MOUNTS, read_only, &Then::Refuses(&["read-only", "docker run"]));
    let absent = "for at in /sys/fs/cgroup/* /sys/fs/cgroup; do umount -l $at 2>/dev/null; done;";
    in_place("cgroups absent", "anywhere", MOUNTS, absent, &Then::Refuses(&["no cgroup file system is mounted"]));
    in_place("cgroups absent, named", "live", MOUNTS, absent, &Then::Refuses(&["ENOENT"]));
    // A directory of the same names over it.
    let covered = "mount -t tmpfs tmpfs /sys/fs/cgroup && mkdir -p \"$MEMOOM_PARENT\" &&
        for file in memory.limit_in_bytes memory.max cgroup.procs; do echo 1 >\"$MEMOOM_PARENT\"/$file; done;";
    in_place("cgroups covered", "live", MOUNTS, covered, &Then::Refuses(&["not in a cgroup file system"]));
}

pub fn another_root() {
    let tree = tempfile::tempdir().unwrap();
    let at = tree.path().display();
    let root = |how: &str| format!("mount {how} / {at} || exit 98; exec chroot {at} \"$@\";");
    in_place("chroot", "live", MOUNTS, &root("--rbind"), &Then::Lives(&[]));
    in_place("chroot without mounts", "live", MOUNTS, &root("--bind"), &Then::Refuses(&["/proc", "mount"]));
}

pub fn other_namespaces() {
    let kinds: &[(&str, &[&str])] = &[
        ("user", &["--user"]),
        ("user, as root", &["--user", "--map-root-user"]),
        ("user and mount", &["--user", "--map-root-user", "--mount"]),
        ("user, pid and mount", &["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc"]),
        ("pid", &["--pid", "--fork", "--mount-proc"]),
        ("cgroup", &["--cgroup"]),
        ("network, ipc, names and time", &["--net", "--ipc", "--uts", "--time"]),
        ("all", &["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "--cgroup", "--net"]),
    ];
    for (name, options) in kinds {
        in_place(&format!("namespaces: {name}"), "live", options, "", &Then::EitherClearly);
    }
    in_place(
        "without /proc",
        "live",
        MOUNTS,
        "mount -t tmpfs tmpfs /proc || exit 98;",
        &Then::Refuses(&["/proc", "mount /proc"]),
    );
    let hidden = "mount -t proc -o subset=pid proc /proc || exit 98;";
    in_place("/proc without the rest", "live", MOUNTS, hidden, &Then::Lives(&[]));
}

/// To become a user without any right, in a group of the directory that is given to it.
const AS_A_USER: &str = "mkdir \"$MEMOOM_PARENT\"/inside && echo $$ >\"$MEMOOM_PARENT\"/inside/cgroup.procs &&";
const USER: &str = "setpriv --reuid 54321 --regid 54321 --clear-groups";

pub fn an_ordinary_user() {
    let refused = &["Permission denied", "in a group that is delegated to you", "memoom doctor"];
    in_place("a user", "live", MOUNTS, &format!("exec {USER} \"$@\";"), &Then::Refuses(refused));
    in_place(
        "a user, anywhere",
        "anywhere",
        MOUNTS,
        &format!("exec {USER} \"$@\";"),
        // By whoever hands them out here.
        &Then::Refuses(&["run as root, or ", " a group"]),
    );
    let given = format!("{AS_A_USER} chown -R 54321 \"$MEMOOM_PARENT\" && exec {USER} \"$@\"; exit 98;");
    in_place("a user with a subtree", "live", MOUNTS, &given, &Then::Lives(&["tracefs"]));
    let hidden = format!("mount -t proc -o hidepid=2 proc /proc || exit 98; {given}");
    in_place("a user whose /proc hides", "live", MOUNTS, &hidden, &Then::Lives(&["tracefs"]));
    for most in [0, 1] {
        let few =
            format!("{AS_A_USER} chown -R 54321 \"$MEMOOM_PARENT\" && exec prlimit --nproc={most} {USER} \"$@\";");
        in_place("a user with few processes", "live", MOUNTS, &few, &Then::Refuses(&["EAGAIN", "RLIMIT_NPROC"]));
    }
}

/// A user without any right sees an OOM of the group in which they stand: on v1 the kernel may not be asked to ring.
pub fn a_user_who_only_watches() {
    let Some(outer) = lab() else { return };
    let base = outer.group(Some("base"), &Limits::bytes(64 << 20)).unwrap();
    let setup = format!("echo $$ >\"$MEMOOM_PARENT\"/cgroup.procs && exec {USER} \"$@\"");
    visitor::run("watches", MOUNTS, &setup, base.path());
}

/// The user's part of it.
pub fn watching(parent: &Path) -> String {
    let group = Group::open(parent).unwrap();
    let mut watch = group.watch().unwrap();
    let status = Command::new("/bin/sh").args(["-c", EATS]).status().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    let oom = watch.wait_oom(LONG).unwrap().expect("an account");
    assert_eq!(oom.limit_group.as_deref(), Some(group.cgroup()), "{}", oom.to_text());
    assert!(oom.missing.iter().any(|missing| missing.source == "victim"), "{}", oom.to_text());
    assert!(watch.wait_oom(Duration::ZERO).unwrap().is_none(), "one kill, one account");
    "done".to_string()
}

/// memoom itself stands in a group too: where it would be the victim, that is said before.
pub fn a_group_that_is_nearly_full() {
    let limited = |bytes: u64| {
        format!(
            "cd \"$MEMOOM_PARENT\" && mkdir inside && {{ [ ! -e cgroup.subtree_control ] || echo +memory >cgroup.subtree_control; }} &&
            for file in memory.limit_in_bytes memory.max; do [ ! -e inside/$file ] || echo {bytes} >inside/$file; done &&
            echo $$ >inside/cgroup.procs || exit 98;"
        )
    };
    let words = &["in which this process stands", "the kernel may kill memoom itself", "raise that limit"];
    in_place("a nearly full group", "live", MOUNTS, &limited(6 << 20), &Then::Refuses(words));
    in_place("a nearly full group, anywhere", "anywhere", MOUNTS, &limited(6 << 20), &Then::Refuses(words));
    // With what is asked for it is not the victim.
    in_place("a group with little room", "live", MOUNTS, &limited(10 << 20), &Then::EitherClearly);
    in_place("a group with room", "live", MOUNTS, &limited(32 << 20), &Then::Lives(&[]));
}

pub fn few_processes() {
    // The controller may stand in either hierarchy, and this process in a group of it that is not the top.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let v1 = mounts.lines().find(|line| line.ends_with("pids")).and_then(|line| line.split(' ').nth(4));
    let Some(at) = v1 else {
        eprintln!("skipped: there is no pids controller of v1 here");
        return;
    };
    let group = Path::new(at).join(format!("memoom-test-pids-{}", std::process::id()));
    std::fs::create_dir(&group).unwrap();
    for most in 1..5 {
        std::fs::write(group.join("pids.max"), most.to_string()).unwrap();
        let setup = format!("echo $$ >{}/cgroup.procs;", group.display());
        in_place(&format!("pids.max {most}"), "live", MOUNTS, &setup, &Then::EitherClearly);
    }
    std::fs::remove_dir(&group).unwrap();
}

pub fn a_full_or_read_only_tmp() {
    let over = |options: &str, fill: &str| {
        format!("for at in /tmp /var/tmp /run /dev/shm; do mount -t tmpfs {options} tmpfs $at; done; {fill}")
    };
    let full = over(
        "-o size=4k",
        "for at in /tmp /var/tmp /run /dev/shm; do head -c 9999 /dev/zero >$at/full; done 2>/dev/null;",
    );
    in_place("/tmp full", "live", MOUNTS, &full, &Then::Lives(&[]));
    in_place("/tmp read-only", "live", MOUNTS, &over("-o ro", ""), &Then::Lives(&[]));
    // Where nothing may be executed from memory: told to this pid namespace alone.
    let pids: &[&str] = &["--pid", "--fork", "--mount-proc"];
    let no_exec = |rest: &str| format!("echo 2 >/proc/sys/vm/memfd_noexec || exit 98; {rest}");
    in_place("no memfd", "live", pids, &no_exec(""), &Then::Lives(&[]));
    let words = &["executing the helper from memory was refused", "helper_dir"];
    in_place("no memfd, /tmp full", "live", pids, &no_exec(&full), &Then::Refuses(words));
    in_place("no memfd, /tmp read-only", "live", pids, &no_exec(&over("-o ro", "")), &Then::Refuses(words));
}

/// The limits of a process, from none to enough of it.
pub fn few_resources() {
    for open in 8..25 {
        in_place(&format!("NOFILE {open}"), "live", MOUNTS, &format!("ulimit -n {open};"), &Then::EitherClearly);
    }
    for size in ["0", "1", "64", "1024"] {
        let setup = format!("exec prlimit --fsize={size}:{size} \"$@\";");
        in_place(&format!("FSIZE {size}"), "live", MOUNTS, &setup, &Then::Refuses(&["EFBIG", "RLIMIT_FSIZE"]));
    }
    // From no room at all to enough for all sources: whatever cannot be allocated is an error, or a source that is missing.
    for room in (0..16).map(|room| room << 20).chain([4300 << 10, 7424 << 10, 7552 << 10]) {
        let setup = format!("export {ROOM}={room};");
        in_place(&format!("AS, {} KiB", room >> 10), "little-memory", MOUNTS, &setup, &Then::EitherClearly);
    }
    in_place("FSIZE of a file", "short-files", MOUNTS, "", &Then::Refuses(&["RLIMIT_FSIZE"]));
}

/// Tells a visitor how many bytes of address space it may have more.
const ROOM: &str = "MEMOOM_TEST_ROOM";

/// A lab with little room, whose hog has all that it wants.
pub fn little_memory(parent: &Path) -> String {
    let room: u64 = std::env::var(ROOM).unwrap().parse().unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB")).unwrap();
    let (_, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
    setrlimit(Resource::RLIMIT_AS, (size.trim().parse::<u64>().unwrap() << 10) + room, hard).unwrap();
    let lived = (|| {
        let lab = Lab::with(&LabOptions { parent: Some(parent.into()), ..LabOptions::default() })?;
        let group = lab.group(Some("little"), &Limits::bytes(24 << 20))?;
        let mut watch = group.watch()?;
        let hog = group.hog(&HogOptions::named("little"))?;
        let freed = Command::new("prlimit").arg(format!("--pid={}", hog.pid())).arg("--as=unlimited").status();
        assert!(freed.unwrap().success());
        let mut last = GrowStatus::Grew;
        while last == GrowStatus::Grew {
            last = hog.grow(Some(4 << 20), LONG)?.status;
        }
        let oom = watch.wait_oom(LONG)?.expect("an account");
        assert!(oom.killed(hog.pid()), "{}", oom.to_text());
        lab.close()?;
        Ok(oom.missing.iter().map(|missing| missing.source).collect::<Vec<_>>())
    })();
    life::said(lived)
}

/// A hog of files that may not be so large.
pub fn short_files(parent: &Path) -> String {
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    let lived = (|| {
        let lab = Lab::with(&LabOptions { parent: Some(parent.into()), ..LabOptions::default() })?;
        let group = lab.group(Some("files"), &Limits::bytes(64 << 20))?;
        setrlimit(Resource::RLIMIT_FSIZE, 2 << 20, hard).unwrap();
        let limited = Lab::with(&LabOptions { parent: Some(parent.into()), ..LabOptions::default() })?;
        let group = limited.group(Some("files"), &Limits::bytes(64 << 20)).inspect(|_| drop(group))?;
        let hog = group.hog(&HogOptions { kind: Kind::Memfd, ..HogOptions::named("files") })?;
        while hog.grow(Some(1 << 20), LONG)?.status == GrowStatus::Grew {}
        Ok(None)
    })();
    life::said(lived)
}

/// Where memoom itself is to find a place.
pub fn anywhere(_: &Path) -> String {
    life::said(life::live(&LabOptions::default()))
}
