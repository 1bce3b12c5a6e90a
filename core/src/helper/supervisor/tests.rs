//! The supervisor against the running kernel. Without a cgroup hierarchy that may be written these tests say so and
//! pass; with MEMOOM_REQUIRE=1 they fail instead.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

mod end;
mod host;
mod measure;
mod workers;

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
fn the_helper_runs_from_a_file_where_memory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = io::Error::from_raw_os_error(libc::EACCES);
    let file = image::in_file(Some(directory.path()), &refused).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    let (ours, theirs) = pair().unwrap();
    let child = image::spawn(file.as_fd(), theirs.as_fd(), None, 0).unwrap();
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
