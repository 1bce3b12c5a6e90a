//! The supervisor against the running kernel. Without a cgroup hierarchy that may be written these tests say so and
//! pass; with MEMOOM_REQUIRE=1 they fail instead.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

use super::request::pair;
use super::start::Started;
use super::*;
use crate::helper::wire::{hog, Message};
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) const MIB: u64 = 1 << 20;

pub(super) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn skip(reason: &str) {
    assert!(std::env::var("MEMOOM_REQUIRE").as_deref() != Ok("1"), "MEMOOM_REQUIRE=1, but {reason}");
    eprintln!("skipped: {reason}");
}

/// A group of this test's own, removed with it.
pub(super) struct Group {
    version: u32,
    base: PathBuf,
    name: CString,
}

impl Group {
    fn below(version: u32, base: &str) -> Option<Group> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("memoom-dev-helper-{}-{number}", std::process::id());
        let marker = if version == 1 { "memory.oom_control" } else { "cgroup.controllers" };
        let is_there = Path::new(base).join(if version == 1 { "memory.usage_in_bytes" } else { marker }).exists();
        if !is_there || fs::create_dir(Path::new(base).join(&name)).is_err() {
            return None;
        }
        Some(Group { version, base: base.into(), name: CString::new(name).unwrap() })
    }

    pub(super) fn v1() -> Option<Group> {
        let group = Group::below(1, "/sys/fs/cgroup/memory");
        if group.is_none() {
            skip("there is no cgroup v1 memory hierarchy that may be written");
        }
        group
    }

    fn v2() -> Option<Group> {
        let group = Group::below(2, "/sys/fs/cgroup/unified").or_else(|| Group::below(2, "/sys/fs/cgroup"));
        if group.is_none() {
            skip("there is no cgroup v2 hierarchy that may be written");
        }
        group
    }

    pub(super) fn any() -> Option<Group> {
        Group::below(1, "/sys/fs/cgroup/memory").or_else(Group::v2)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.base.join(self.name.to_str().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    pub(super) fn write(&self, name: &str, value: &str) {
        fs::write(self.file(name), value).unwrap_or_else(|error| panic!("{name} {value}: {error}"));
    }

    pub(super) fn entry(&self) -> File {
        match self.version {
            1 => OpenOptions::new().write(true).open(self.file("tasks")).unwrap(),
            _ => File::open(self.path()).unwrap(),
        }
    }

    pub(super) fn join<'a>(&self, entry: &'a File) -> Join<'a> {
        match self.version {
            1 => Join::Tasks(entry.as_fd()),
            _ => Join::Directory(entry.as_fd()),
        }
    }

    pub(super) fn guard(&self, supervisor: &Supervisor) -> Guard {
        let base = File::open(&self.base).unwrap();
        let guard = supervisor.guard_tree(self.version, base.as_fd(), &self.name).unwrap();
        supervisor.hold_tree(guard, File::open(self.path()).unwrap().as_fd()).unwrap();
        guard
    }

    fn count(&self) -> usize {
        self.read("cgroup.procs").lines().count()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What a failed test leaves; the guard has removed it otherwise.
        let deadline = soon();
        while self.path().exists() && fs::remove_dir(self.path()).is_err() && Instant::now() < deadline {
            std::thread::yield_now();
        }
    }
}

pub(super) fn supervisor() -> Supervisor {
    Supervisor::start(&Options::default()).unwrap()
}

pub(super) fn hog(supervisor: &Supervisor, group: &Group) -> Result<Started> {
    let entry = group.entry();
    let role = Role::Hog { work: hog::ANON, directory: None };
    supervisor.spawn(&Start { name: b"memoom_test_hog", join: group.join(&entry), oom_score_adj: 0, role })
}

/// A command with standard output into a pipe.
fn command(
    supervisor: &Supervisor,
    group: &Group,
    argv: &[&str],
    env: &[CString],
    path: &str,
) -> Result<(Started, File)> {
    let entry = group.entry();
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    let argv: Vec<CString> = argv.iter().map(|argument| CString::new(*argument).unwrap()).collect();
    let paths = [CString::new("/nowhere/program").unwrap(), CString::new(path).unwrap()];
    let stdio = [None, Some(write.as_fd()), None];
    let role = Role::Command { argv: &argv, env, paths: &paths, cwd: None, stdio };
    let start = Start { name: b"", join: group.join(&entry), oom_score_adj: 0, role };
    supervisor.spawn(&start).map(|started| (started, File::from(read)))
}

fn shell(supervisor: &Supervisor, group: &Group, script: &str) -> (Started, File) {
    let env = [CString::new("PATH=/usr/bin:/bin").unwrap()];
    command(supervisor, group, &["sh", "-c", script], &env, "/bin/sh").unwrap()
}

fn text(mut output: File) -> String {
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    text
}

/// Waits for the first notice that fits.
fn await_notice<T>(supervisor: &Supervisor, mut fits: impl FnMut(&Notice) -> Option<T>) -> T {
    let deadline = soon();
    loop {
        // All of them are shown to `fits`, as what was read is gone.
        let found: Vec<T> = supervisor.notices().unwrap().iter().filter_map(&mut fits).collect();
        if let Some(found) = found.into_iter().next() {
            return found;
        }
        assert!(readable(supervisor.socket(), deadline).unwrap(), "no such notice");
    }
}

pub(super) fn exit_of(supervisor: &Supervisor, started: &Started) -> ExitStatus {
    await_notice(supervisor, |notice| match *notice {
        Notice::Exit { id, pid, status, .. } if id == started.id && pid == started.pid => {
            Some(ExitStatus::from_raw(status))
        }
        _ => None,
    })
}

pub(super) fn step(started: &Started, bytes: u64) -> Message {
    started.channel.as_ref().unwrap().grow(bytes).unwrap();
    answer(started)
}

/// The next message of a hog or a ticker.
pub(super) fn answer(started: &Started) -> Message {
    started.channel.as_ref().unwrap().receive(started.pidfd.as_fd(), soon()).unwrap()
}

pub(super) fn ended(pidfd: BorrowedFd<'_>, within: Duration) -> bool {
    readable(pidfd, Instant::now() + within).unwrap()
}

pub(super) fn children_of(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default()
}

#[test]
fn a_hog_takes_and_gives_back_in_acknowledged_steps() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    group.guard(&supervisor);
    let hog = hog(&supervisor, &group).unwrap();
    assert_eq!(fs::read_to_string(format!("/proc/{}/comm", hog.pid)).unwrap(), "memoom_test_hog\n");
    assert!(group.read("cgroup.procs").contains(&hog.pid.to_string()));
    for expected in [10 * MIB, 20 * MIB] {
        let Message::Grew { total_bytes, bytes, errno: 0, start_ns, end_ns } = step(&hog, 10 * MIB) else { panic!() };
        assert_eq!((total_bytes, bytes), (expected, 10 * MIB));
        assert!(start_ns < end_ns);
    }
    let resident = fs::read_to_string(format!("/proc/{}/statm", hog.pid)).unwrap();
    let resident: u64 = resident.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(resident * crate::sys::page_size() >= 20 * MIB, "{resident} pages");
    hog.channel.as_ref().unwrap().shrink(10 * MIB).unwrap();
    let Message::Shrunk { total_bytes, bytes, .. } = answer(&hog) else { panic!() };
    assert_eq!((total_bytes, bytes), (10 * MIB, 10 * MIB));
    // Any number of steps, and odd sizes are rounded up to pages.
    for _ in 0..5000 {
        let Message::Grew { bytes, .. } = step(&hog, 1) else { panic!() };
        assert!(bytes > 0 && bytes.is_power_of_two());
    }
    // What cannot be mapped is refused, and the hog lives on.
    let Message::Failed { errno: libc::ENOMEM, total_bytes } = step(&hog, 1 << 60) else { panic!() };
    assert!(total_bytes > 10 * MIB);
    drop(hog.channel);
    let hog = Started { channel: None, ..hog };
    assert_eq!(exit_of(&supervisor, &hog).code(), Some(0));
    supervisor.end(soon()).unwrap();
    assert!(!group.path().exists());
    assert!(!Path::new(&format!("/proc/{}", supervisor.pid())).exists());
}

#[test]
fn an_unknown_kind_of_hog_is_refused() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let entry = group.entry();
    let start =
        Start { name: b"x", join: group.join(&entry), oom_score_adj: 0, role: Role::Hog { work: 99, directory: None } };
    assert_eq!(supervisor.spawn(&start).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_ticker_ticks_and_its_death_by_a_signal_is_told() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let entry = group.entry();
    let role = Role::Ticker { every: Duration::from_millis(20) };
    let ticker =
        supervisor.spawn(&Start { name: b"ticker", join: group.join(&entry), oom_score_adj: 0, role }).unwrap();
    let mut last = (0, 0);
    for _ in 0..3 {
        let message = answer(&ticker);
        let Message::Tick { n, time_ns } = message else { panic!("{message:?}") };
        assert!(n > last.0 && time_ns > last.1);
        last = (n, time_ns);
    }
    sys::pidfd_send_signal(ticker.pidfd.as_fd(), libc::SIGKILL).unwrap();
    assert_eq!(exit_of(&supervisor, &ticker).signal(), Some(libc::SIGKILL));
    // Its last tick may still be there; then its end shows, and what is sent to it is lost without an error.
    let channel = ticker.channel.as_ref().unwrap();
    while channel.try_receive().unwrap().is_some() {}
    channel.grow(1).unwrap();
    assert_eq!(channel.receive(ticker.pidfd.as_fd(), soon()).unwrap_err().kind(), ErrorKind::WorkerGone);
}

#[test]
fn a_command_gets_arguments_two_mebibytes_of_environment_and_its_directory() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let env: Vec<CString> =
        (0..19).map(|index| CString::new(format!("V{index}={}", "x".repeat(100_000))).unwrap()).collect();
    let script = "printf '%s ' \"$1\" ${#V0} ${#V18}; pwd -P; exit 7";
    let argv = ["sh", "-c", script, "name", "ar g"];
    let (started, output) = command(&supervisor, &group, &argv, &env, "/bin/sh").unwrap();
    let here = std::env::current_dir().unwrap();
    assert_eq!(text(output), format!("ar g 100000 100000 {}\n", here.display()));
    assert_eq!(exit_of(&supervisor, &started).code(), Some(7));
    // Defaults for every signal, an empty mask, no descriptor but the three, the caller's process group.
    let (started, output) =
        shell(&supervisor, &group, "grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | wc -l");
    assert_eq!(text(output), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n4\n");
    exit_of(&supervisor, &started);
    let (started, output) = shell(&supervisor, &group, "cut -d' ' -f5 /proc/self/stat");
    assert_eq!(text(output).trim(), nix::unistd::getpgrp().to_string());
    exit_of(&supervisor, &started);
}

#[test]
fn a_command_that_cannot_be_executed_leaves_nothing() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let directory = tempfile::tempdir().unwrap();
    let plain = directory.path().join("plain");
    fs::write(&plain, "echo from $0 $1").unwrap();
    let cases = [("/nowhere/at/all", libc::ENOENT), (plain.to_str().unwrap(), libc::EACCES)];
    for (path, errno) in cases {
        let error = command(&supervisor, &group, &["program"], &[], path).unwrap_err();
        assert_eq!(error.errno(), Some(errno), "{error}");
        assert!(error.to_string().contains("could not execute"), "{error}");
    }
    // Another step's failure is not taken for the execution's.
    let entry = group.entry();
    let name = [CString::new("true").unwrap()];
    let path = [CString::new("/bin/true").unwrap()];
    let file = File::open(&plain).unwrap();
    let role = Role::Command { argv: &name, env: &[], paths: &path, cwd: Some(file.as_fd()), stdio: [None; 3] };
    let error = supervisor.spawn(&Start { name: b"", join: group.join(&entry), oom_score_adj: 0, role }).unwrap_err();
    assert!(error.errno() == Some(libc::ENOTDIR) && error.to_string().contains("directory"), "{error}");
    assert_eq!(children_of(supervisor.pid()), "");
    assert_eq!(group.count(), 0);
    assert!(supervisor.notices().unwrap().is_empty());
    // A text without `#!` goes to the shell, as with execvp.
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o755)).unwrap();
    let (_, output) = command(&supervisor, &group, &["program", "one"], &[], plain.to_str().unwrap()).unwrap();
    assert_eq!(text(output), format!("from {} one\n", plain.display()));
}

#[test]
fn a_group_that_is_gone_is_named() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let entry = group.entry();
    fs::remove_dir(group.path()).unwrap();
    let role = Role::Hog { work: hog::ANON, directory: None };
    let start = Start { name: b"x", join: group.join(&entry), oom_score_adj: 0, role };
    let error = supervisor.spawn(&start).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(children_of(supervisor.pid()), "");
}

#[test]
fn a_score_is_set_or_refused() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let entry = group.entry();
    let role = Role::Hog { work: hog::ANON, directory: None };
    let start = |oom_score_adj| Start { name: b"x", join: group.join(&entry), oom_score_adj, role };
    let read = |pid: i32| fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
    let worker = supervisor.spawn(&start(321)).unwrap();
    assert_eq!(read(worker.pid), "321\n");
    assert_eq!(read(supervisor.pid()), read(std::process::id() as i32));
    match supervisor.spawn(&start(-500)) {
        Ok(worker) => assert_eq!(read(worker.pid), "-500\n"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}"),
    }
}

#[test]
fn orphans_are_told() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    // The one left behind ends when its parent has been reaped.
    let script = "(while kill -0 $$ 2>/dev/null; do :; done; exit 5) & exit 4";
    let (started, _output) = shell(&supervisor, &group, script);
    let (mut exit, mut orphan) = (None, None);
    while exit.is_none() || orphan.is_none() {
        await_notice(&supervisor, |notice| {
            match *notice {
                Notice::Exit { id, status, .. } if id == started.id => exit = ExitStatus::from_raw(status).code(),
                Notice::Orphan { pid, status, .. } if pid != started.pid => {
                    orphan = ExitStatus::from_raw(status).code();
                }
                other => panic!("{other:?}"),
            }
            Some(())
        });
    }
    assert_eq!((exit, orphan), (Some(4), Some(5)));
}

#[test]
fn notices_wait_for_a_host_that_does_not_read() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let mut started = Vec::new();
    let mut heard = Vec::new();
    for _ in 0..1500 {
        match command(&supervisor, &group, &["true"], &[], "/bin/true") {
            Ok((worker, _)) => started.push(worker.id),
            // Full of unreported exits: read, and go on.
            Err(error) => {
                assert_eq!(error.errno(), Some(libc::EAGAIN), "{error}");
                heard.extend(supervisor.notices().unwrap());
            }
        }
    }
    let deadline = soon();
    while heard.len() < started.len() {
        heard.extend(supervisor.notices().unwrap());
        assert!(readable(supervisor.socket(), Instant::now() + Duration::from_millis(10)).is_ok());
        assert!(Instant::now() < deadline, "{} of {}", heard.len(), started.len());
    }
    let mut ids: Vec<u64> = heard
        .iter()
        .map(|notice| match notice {
            Notice::Exit { id, status: 0, .. } => *id,
            other => panic!("{other:?}"),
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, started);
}

#[test]
fn a_dead_supervisor_takes_its_workers_along_and_is_named() {
    let Some(group) = Group::any() else { return };
    let supervisor = supervisor();
    let hog = hog(&supervisor, &group).unwrap();
    let (command, _output) = shell(&supervisor, &group, "exec sleep 1000");
    sys::pidfd_send_signal(supervisor.pidfd.as_fd(), libc::SIGKILL).unwrap();
    for worker in [&hog, &command] {
        assert!(ended(worker.pidfd.as_fd(), Duration::from_secs(5)));
    }
    let error = self::hog(&supervisor, &group).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().contains("supervisor has died"), "{error}");
    assert_eq!(supervisor.notices().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(supervisor.end(soon()).unwrap_err().kind(), ErrorKind::Closed);
    supervisor.end(soon()).unwrap();
}

#[test]
fn the_end_removes_nested_groups_and_forking_processes() {
    for group in [Group::v1(), Group::v2()].into_iter().flatten() {
        let supervisor = supervisor();
        group.guard(&supervisor);
        let nested = group.path().join("a/b/c");
        fs::create_dir_all(&nested).unwrap();
        if group.version == 1 {
            group.write("memory.limit_in_bytes", "256M");
        }
        // Two bombs: one that grows, one whose processes fork and exit at once, so that every pid is soon another's.
        let script = "g() { [ $1 = 0 ] || { g $(($1-1)) & g $(($1-1)) & }; exec sleep 1000; }; g 7 &
            f() { f & exit; }; for i in 1 2 3 4 5 6 7 8; do f & done; wait";
        let (_, _output) = shell(&supervisor, &group, script);
        let (_, _other) =
            shell(&supervisor, &group, &format!("echo $$ > {}/cgroup.procs; exec sleep 1000", nested.display()));
        let deadline = soon();
        while group.count() < 100 {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        let start = Instant::now();
        supervisor.end(soon()).unwrap();
        println!("v{}: emptied and removed in {:?}", group.version, start.elapsed());
        assert!(!group.path().exists());
    }
}

#[test]
fn a_frozen_group_is_refused_and_removed() {
    let Some(group) = Group::v2() else { return };
    if !group.file("cgroup.freeze").exists() {
        return skip("this kernel cannot freeze a group");
    }
    let supervisor = supervisor();
    group.guard(&supervisor);
    let hog = hog(&supervisor, &group).unwrap();
    group.write("cgroup.freeze", "1");
    let deadline = soon();
    while !group.read("cgroup.events").contains("frozen 1") {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    let error = self::hog(&supervisor, &group).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    supervisor.end(soon()).unwrap();
    assert!(ended(hog.pidfd.as_fd(), Duration::ZERO) && !group.path().exists());
}

#[test]
fn a_blocked_hog_goes_on_when_there_is_room() {
    let Some(group) = Group::v1() else { return };
    let supervisor = supervisor();
    group.guard(&supervisor);
    let hog = blocked_hog(&supervisor, &group);
    group.write("memory.limit_in_bytes", "64M");
    let Message::Grew { bytes, .. } = answer(&hog) else { panic!() };
    assert_eq!(bytes, 32 * MIB);
    supervisor.end(soon()).unwrap();
    assert!(!group.path().exists());
}

/// A hog in state D at a limit of 16 MiB with the killer off.
pub(super) fn blocked_hog(supervisor: &Supervisor, group: &Group) -> Started {
    let hog = hog(supervisor, group).unwrap();
    group.write("memory.limit_in_bytes", "16M");
    group.write("memory.oom_control", "1");
    hog.channel.as_ref().unwrap().grow(32 * MIB).unwrap();
    let deadline = soon();
    while !group.read("memory.oom_control").contains("under_oom 1") {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    hog
}

#[test]
fn settings_and_instances_are_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let path = directory.path().join(name);
        fs::create_dir(&path).unwrap();
        (File::open(&path).unwrap(), path)
    };
    let (empty, empty_path) = make("empty");
    let (used, used_path) = make("used");
    fs::create_dir(used_path.join("child")).unwrap();
    fs::create_dir(empty_path.join("instance")).unwrap();
    let text = CString::new("-memory").unwrap();
    let files = [empty_path.join("control"), used_path.join("control")];
    let supervisor = supervisor();
    let root = File::open(directory.path()).unwrap();
    supervisor.guard_instance(empty.as_fd(), c"instance").unwrap();
    let token = supervisor.guard_instance(root.as_fd(), c"used").unwrap();
    supervisor.unguard(token).unwrap();
    assert_eq!(supervisor.unguard(token).unwrap_err().kind(), ErrorKind::NotFound);
    for (path, holder) in files.iter().zip([&root, &used]) {
        let file = File::create(path).unwrap();
        // `root` has children, `used` has one; only the first file's directory below will have none.
        let _ = holder;
        let holder = if path.starts_with(&empty_path) { &empty } else { &used };
        supervisor.guard_restore(file.as_fd(), holder.as_fd(), &text).unwrap();
    }
    for bad in [c"..", c".", c"a/b", c""] {
        assert_eq!(supervisor.guard_instance(root.as_fd(), bad).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    // The instance stands in the first directory, and guards run in the order of registration.
    supervisor.end(soon()).unwrap();
    assert!(!empty_path.join("instance").exists() && used_path.exists());
    assert_eq!(fs::read_to_string(&files[0]).unwrap(), "-memory");
    assert_eq!(fs::read_to_string(&files[1]).unwrap(), "");
}

#[test]
fn what_cannot_be_removed_is_named_at_the_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let root = File::open(directory.path()).unwrap();
    fs::create_dir_all(directory.path().join("full/child")).unwrap();
    let supervisor = supervisor();
    supervisor.guard_instance(root.as_fd(), c"full").unwrap();
    let error = supervisor.end(Instant::now() + Duration::from_millis(50)).unwrap_err();
    assert!(error.to_string().contains("full") && error.errno() == Some(libc::ENOTEMPTY), "{error}");
}

#[test]
fn a_symbolic_link_is_never_followed() {
    let directory = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("kept")).unwrap();
    fs::create_dir(directory.path().join("tree")).unwrap();
    std::os::unix::fs::symlink(outside.path(), directory.path().join("tree/link")).unwrap();
    std::os::unix::fs::symlink(outside.path(), directory.path().join("top")).unwrap();
    let root = File::open(directory.path()).unwrap();
    let supervisor = supervisor();
    supervisor.guard_tree(1, root.as_fd(), c"tree").unwrap();
    supervisor.guard_tree(1, root.as_fd(), c"top").unwrap();
    assert!(supervisor.end(Instant::now() + Duration::from_millis(50)).is_err());
    assert!(outside.path().join("kept").exists());
}

#[test]
fn the_helper_runs_from_a_file_where_memory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = io::Error::from_raw_os_error(libc::EACCES);
    let file = image::in_file(Some(directory.path()), &refused).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    let (ours, theirs) = pair().unwrap();
    let child = image::spawn(file.as_fd(), theirs.as_fd(), None).unwrap();
    drop(theirs);
    assert!(readable(ours.as_fd(), soon()).unwrap());
    let mut bytes = [0u8; wire::MOST];
    let (length, _) = spawn::receive(ours.as_fd(), &mut bytes).unwrap();
    let hello = wire::Notice::decode(&bytes[..length]);
    assert_eq!(hello, Some(wire::Notice::Hello { version: wire::VERSION, pid: child.pid }));
    drop(ours);
    assert!(ended(child.pidfd.as_fd(), Duration::from_secs(5)));
    spawn::reap(child.pidfd.as_fd()).unwrap();
    let error = image::in_file(Some(Path::new("/nowhere")), &refused).unwrap_err();
    assert!(error.to_string().contains("/nowhere") && error.to_string().contains("remedy"), "{error}");
}

// The scenarios below need a host process of their own: this test program runs itself again as that host.

const SCENARIO: &str = "MEMOOM_TEST_SCENARIO";

fn host(scenario: &str, shell_prefix: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    let exe = std::env::current_exe().unwrap();
    let script = format!("{shell_prefix} exec \"$0\" --ignored --exact --nocapture \"$1\"");
    command.arg("-c").arg(script).arg(exe).arg("helper::supervisor::tests::as_host").env(SCENARIO, scenario);
    command
}

#[test]
#[ignore = "run by other tests, as a host of its own"]
#[allow(clippy::zombie_processes)] // it outlives this host on purpose
fn as_host() {
    match std::env::var(SCENARIO).as_deref() {
        Ok("blocked") => {
            let group = Group::v1().unwrap();
            let supervisor = supervisor();
            group.guard(&supervisor);
            let hog = blocked_hog(&supervisor, &group);
            println!("\nHERE {} {} {}", group.path().display(), supervisor.pid(), hog.pid);
            // A forked child that outlives the host keeps the socket open; the host's pidfd must do.
            nix::fcntl::fcntl(&supervisor.socket, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
            let held = Command::new("/bin/sleep").arg("5").stdout(Stdio::null()).spawn().unwrap();
            assert!(held.id() > 0);
            loop {
                std::thread::park();
            }
        }
        Ok("complete") => {
            // With standard input, output and error closed, and SIGCHLD ignored.
            for number in 0..3 {
                let _ = nix::unistd::close(number);
            }
            let Some(group) = Group::any() else { return };
            let supervisor = supervisor();
            group.guard(&supervisor);
            assert!(supervisor.socket.as_raw_fd() > 2 && supervisor.pidfd.as_raw_fd() > 2);
            let hog = hog(&supervisor, &group).unwrap();
            assert!(matches!(step(&hog, MIB), Message::Grew { .. }));
            let (started, output) = shell(&supervisor, &group, "echo out; read line; exit 9");
            assert_eq!(text(output), "out\n");
            assert_eq!(exit_of(&supervisor, &started).code(), Some(9));
            supervisor.end(soon()).unwrap();
            assert!(!group.path().exists());
        }
        _ => {}
    }
}

#[test]
fn closed_standard_files_and_an_ignored_sigchld_change_nothing() {
    for prefix in ["", "trap '' CHLD;"] {
        let status = host("complete", prefix).stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "{prefix:?}: {status}");
    }
}

#[test]
fn a_host_killed_while_its_hog_is_blocked_leaves_nothing() {
    if Group::v1().is_none() {
        return;
    }
    let mut child = host("blocked", "").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.map_while(|line| line.ok()).find(|line| line.starts_with("HERE ")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let pidfds: Vec<OwnedFd> = words[2..].iter().map(|pid| sys::pidfd_open(pid.parse().unwrap()).unwrap()).collect();
    let start = Instant::now();
    child.kill().unwrap();
    child.wait().unwrap();
    for pidfd in &pidfds {
        assert!(ended(pidfd.as_fd(), Duration::from_secs(2).saturating_sub(start.elapsed())));
    }
    println!("nothing left {:?} after the kill", start.elapsed());
    assert!(!Path::new(words[1]).exists());
}

/// Prints what a start costs, to be read beside `benches/floor/start.c`, and what a worker charges before its first step.
/// MEMOOM_BENCH_MIB is resident in this process meanwhile.
#[test]
#[ignore = "a measurement"]
fn measure_starts() {
    let Some(group) = Group::any() else { return };
    let resident: usize = std::env::var("MEMOOM_BENCH_MIB").map_or(0, |value| value.parse().unwrap());
    let ballast = vec![1u8; resident << 20];
    let supervisor = supervisor();
    group.guard(&supervisor);
    let entry = group.entry();
    let role = Role::Hog { work: hog::ANON, directory: None };
    let start = Start { name: b"hog", join: group.join(&entry), oom_score_adj: 0, role };
    for (label, count, pause) in [("back to back", 1000, 0), ("after 50 ms", 100, 50)] {
        let mut took: Vec<f64> = (0..count)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(pause));
                let begin = Instant::now();
                let worker = supervisor.spawn(&start).unwrap();
                let took = begin.elapsed().as_secs_f64() * 1e6;
                drop(worker.channel);
                assert!(ended(worker.pidfd.as_fd(), Duration::from_secs(1)));
                supervisor.notices().unwrap();
                took
            })
            .collect();
        took.sort_by(f64::total_cmp);
        println!("{label}: median {:.1} us, p99 {:.1} us ({count})", took[count / 2], took[count * 99 / 100]);
    }
    if group.version == 1 {
        // Ten, so that what the group's first process costs and the per-CPU batches of the counter weigh less.
        let fresh = Group::v1().unwrap();
        fresh.guard(&supervisor);
        let entry = fresh.entry();
        let start = Start { join: fresh.join(&entry), ..start };
        let workers: Vec<Started> = (0..10).map(|_| supervisor.spawn(&start).unwrap()).collect();
        println!("ten hogs, kernel: {} bytes", fresh.read("memory.kmem.usage_in_bytes").trim());
        let stat = fresh.read("memory.stat");
        println!("ten hogs, pages: {}", stat.lines().find(|line| line.starts_with("rss ")).unwrap());
        let status = fs::read_to_string(format!("/proc/{}/status", workers[0].pid)).unwrap();
        for line in status.lines().filter(|line| line.starts_with("Rss") || line.starts_with("VmPTE")) {
            println!("one hog: {line}");
        }
    }
    let mut lives: Vec<f64> = (0..100)
        .map(|_| {
            let begin = Instant::now();
            let lab = self::supervisor();
            lab.end(soon()).unwrap();
            begin.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    lives.sort_by(f64::total_cmp);
    println!("supervisor start and end: median {:.1} us, p99 {:.1} us", lives[50], lives[99]);
    drop(ballast);
}
