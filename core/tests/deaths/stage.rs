//! How each death is brought about, and by whom.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memoom::{
    Author, Command, ErrorKind, EventKind, Group, GrowStatus, Hog, HogOptions, Lab, Limits, Oom, Stdio, Version, Watch,
    Worker,
};

use super::common::person::Person;
use super::common::{Random, LONG};
use super::judge::{Death, Truth};
use super::people::People;

const MIB: u64 = 1 << 20;

/// What the kernel's log is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Log {
    Readable,
    Suppressed,
    Absent,
}

impl Log {
    pub const ALL: [Log; 3] = [Log::Readable, Log::Suppressed, Log::Absent];

    pub fn name(self) -> &'static str {
        ["readable", "suppressed", "absent"][self as usize]
    }
}

/// By what a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Means {
    OwnLimit,
    Ancestor,
    Sibling,
    GroupKill,
    SharedMemory,
    Process,
    CgroupKill,
    Daemon,
    Runtime,
    Execution,
}

impl Means {
    pub const ALL: [Means; 10] = [
        Means::OwnLimit,
        Means::Process,
        Means::Ancestor,
        Means::CgroupKill,
        Means::Sibling,
        Means::Daemon,
        Means::GroupKill,
        Means::Runtime,
        Means::SharedMemory,
        Means::Execution,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Means::OwnLimit => "own limit",
            Means::Ancestor => "ancestor's limit",
            Means::Sibling => "sibling's growth",
            Means::GroupKill => "member of a group kill",
            Means::SharedMemory => "shared memory",
            Means::Process => "another process",
            Means::CgroupKill => "cgroup.kill",
            Means::Daemon => "userspace OOM daemon",
            Means::Runtime => "runtime's stop",
            Means::Execution => "exec failure",
        }
    }

    pub fn draw(random: &mut Random) -> Means {
        Means::ALL[usize::try_from(random.below(Means::ALL.len() as u64)).unwrap()]
    }

    pub fn is_oom(self) -> bool {
        !matches!(self, Means::Process | Means::CgroupKill | Means::Daemon | Means::Runtime)
    }
}

pub struct Stage<'a> {
    pub lab: &'a Lab,
    pub people: &'a People,
    /// The groups that were made below the first one.
    pub inner: RefCell<Vec<Group>>,
}

impl Stage<'_> {
    /// Whether this kernel has such a death.
    pub fn can(&self, means: Means) -> bool {
        match means {
            Means::GroupKill => self.lab.version() == Version::V2,
            // From 5.14.
            Means::CgroupKill => self.lab.path().join("cgroup.kill").exists(),
            _ => true,
        }
    }

    pub fn play(&self, means: Means, random: &mut Random) -> Death {
        let limit = (8 + 4 * random.below(5)) * MIB;
        let top = self.lab.group(None, &Limits::bytes(limit)).unwrap();
        let death = match means {
            Means::OwnLimit => self.own_limit(&top, random),
            Means::Ancestor => self.ancestor(&top, random),
            Means::Sibling => self.sibling(&top, random),
            Means::GroupKill => self.group_kill(&top, random),
            Means::SharedMemory => self.shared_memory(&top, limit, random),
            Means::Process => self.process(&top, random),
            Means::CgroupKill => self.cgroup_kill(&top, random),
            Means::Daemon => self.daemon(&top, random),
            Means::Runtime => self.runtime(&top, random),
            Means::Execution => self.execution(&top, random),
        };
        top.kill().unwrap();
        for inner in self.inner.take().iter().rev() {
            inner.remove().unwrap();
        }
        top.remove().unwrap();
        death
    }

    fn child(&self, of: &Group, name: &str, limits: &Limits) -> Group {
        let child = of.child(name, limits).unwrap();
        self.inner.borrow_mut().push(child.clone());
        child
    }

    fn own_limit(&self, group: &Group, random: &mut Random) -> Death {
        let worker = eater(group, random);
        let limit = group.cgroup().to_string();
        of_worker(&worker, Truth::Oom { limit, grower: Some(worker.pid()), code: Some("one-process-grew") })
    }

    fn ancestor(&self, top: &Group, random: &mut Random) -> Death {
        let own = if random.below(2) == 0 { Limits::default() } else { Limits::bytes(64 * MIB) };
        let mut inner = self.child(top, "app", &own);
        if random.below(2) == 0 {
            inner = self.child(&inner, "tools", &Limits::default());
        }
        let worker = eater(&inner, random);
        let limit = top.cgroup().to_string();
        of_worker(&worker, Truth::Oom { limit, grower: Some(worker.pid()), code: Some("ancestor-limit") })
    }

    fn sibling(&self, top: &Group, random: &mut Random) -> Death {
        let [small, large] = ["small", "large"].map(|name| self.child(top, name, &Limits::default()));
        let victim = hog(&small, "bystander", 1000);
        grow(&victim, MIB + random.below(2) * MIB);
        let grower = hog(&large, "grower", 0);
        while !victim.worker().ended() && grower.grow(Some(MIB), LONG).unwrap().status == GrowStatus::Grew {}
        let limit = top.cgroup().to_string();
        let grower = Some(grower.worker().pid());
        of_worker(victim.worker(), Truth::Oom { limit, grower, code: Some("grower-survived") })
    }

    fn group_kill(&self, top: &Group, random: &mut Random) -> Death {
        top.set_oom_group(true).unwrap();
        let member = top.command(&sleeps()).unwrap();
        let grower = eater(top, random);
        let limit = top.cgroup().to_string();
        of_worker(&member, Truth::Oom { limit, grower: Some(grower.pid()), code: Some("group-kill") })
    }

    /// A file that is nobody's fills the limit: its writer has gone, or is killed in the act.
    fn shared_memory(&self, top: &Group, limit: u64, random: &mut Random) -> Death {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let file = Arc::new(OwnedFd::from(File::create(directory.path().join("file")).unwrap()));
        let writer = |bytes: u64| {
            let mut command = Command::new(["head".to_string(), "-c".to_string(), bytes.to_string()]);
            command.argv.push("/dev/zero".into());
            command.stdio[1] = Stdio::Fd(file.clone());
            top.command(&command).unwrap()
        };
        let truth = Truth::Oom { limit: top.cgroup().to_string(), grower: None, code: Some("shared-memory") };
        if random.below(2) == 0 {
            return of_worker(&writer(4 * limit), truth);
        }
        assert_eq!(writer(limit * 3 / 4).wait(LONG).unwrap().returncode, 0);
        of_worker(&eater(top, random), truth)
    }

    fn process(&self, top: &Group, random: &mut Random) -> Death {
        let signals: &[&[i32]] =
            &[&[libc::SIGKILL], &[libc::SIGTERM], &[libc::SIGINT], &[libc::SIGSEGV], &[libc::SIGALRM]];
        let signals = signals[usize::try_from(random.below(signals.len() as u64)).unwrap()];
        // What a shell starts in the background ignores it.
        let is_child = random.below(2) == 0 && signals[0] != libc::SIGINT;
        let kills = |pid: i32| self.people.does("person", &format!("kill -{} {pid}", signals[0]));
        let truth = |person: &Person| Truth::Sent { authors: &[Author::Process], pid: person.pid(), signals };
        if !is_child {
            let worker = top.command(&sleeps()).unwrap();
            let person = kills(worker.pid());
            return of_worker(&worker, truth(&person));
        }
        let parent = Parent::start(top, "sleep 1000 & echo $!; wait");
        let child = parent.child();
        let person = kills(child);
        parent.told_of(child, truth(&person))
    }

    fn cgroup_kill(&self, top: &Group, random: &mut Random) -> Death {
        let inner = match random.below(2) {
            0 => top.clone(),
            _ => self.child(top, "inner", &Limits::default()),
        };
        let worker = inner.command(&sleeps()).unwrap();
        let line = format!("echo 1 > {}", top.path().join("cgroup.kill").display());
        let person = self.people.does("person", &line);
        let signals = &[libc::SIGKILL];
        of_worker(&worker, Truth::Sent { authors: &[Author::CgroupKill], pid: person.pid(), signals })
    }

    /// It reads how much the group uses; when that is too much it asks the largest process to go, and then kills it.
    fn daemon(&self, top: &Group, random: &mut Random) -> Death {
        let usage = top.path().join(match top.version() {
            Version::V1 => "memory.usage_in_bytes",
            Version::V2 => "memory.current",
        });
        let line = format!(
            "u=0; until [ $u -gt {} ]; do read u < {}; done; most=0; while read p; do read s r rest < /proc/$p/statm; \
             [ $r -gt $most ] && most=$r && victim=$p; done < {}; {}",
            3 * MIB,
            usage.display(),
            top.path().join("cgroup.procs").display(),
            stop("$victim"),
        );
        let small = hog(top, "small", 0);
        grow(&small, MIB);
        let truth = |person: &Person| Truth::Sent {
            authors: &[Author::Earlyoom, Author::Process],
            pid: person.pid(),
            signals: &[libc::SIGTERM, libc::SIGKILL],
        };
        if random.below(2) == 0 {
            let large = hog(top, "large", 0);
            let daemon = self.people.does("earlyoom", &line);
            // It may be killed before it says that it has grown.
            let _ = large.grow(Some(4 * MIB), LONG);
            return of_worker(large.worker(), truth(&daemon));
        }
        // One that does not go when it is asked to.
        let grows = "x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do x=$x$x; done";
        let parent = Parent::start(top, &format!("trap '' TERM; echo $$; read go; {grows}; read never"));
        let daemon = self.people.does("earlyoom", &line);
        parent.go();
        of_worker(&parent.worker, truth(&daemon))
    }

    /// A runtime asks the first process of its container to go, and kills it after a time of grace.
    fn runtime(&self, top: &Group, random: &mut Random) -> Death {
        let stubborn = random.below(2) == 0;
        let inner =
            if stubborn { "trap '' TERM; echo \\$\\$; exec sleep 1000" } else { "echo \\$\\$; exec sleep 1000" };
        let signals = if stubborn { &[libc::SIGKILL][..] } else { &[libc::SIGTERM] };
        let authors = &[Author::ContainerRuntime, Author::Process];
        if random.below(2) == 0 {
            let parent = Parent::start(top, &inner.replace('\\', ""));
            let pid = parent.child();
            let shim = self.people.does("containerd-shim", &stop(&pid.to_string()));
            return of_worker(&parent.worker, Truth::Sent { authors, pid: shim.pid(), signals });
        }
        // The runtime stands in the group too, and is its parent.
        let shell = self.people.program("person").display().to_string();
        let line = format!("exec 3<&0; {shell} -c \"{inner}\" <&3 & p=$!; read go; {}; wait", stop("$p"));
        let parent = Parent::of(top, &self.people.program("containerd-shim").display().to_string(), &line);
        let child = parent.child();
        parent.go();
        let pid = parent.worker.pid();
        parent.told_of(child, Truth::Sent { authors, pid, signals })
    }

    /// The old program has gone, and the new one cannot be: it is broken, or the limit leaves no room for it.
    fn execution(&self, top: &Group, random: &mut Random) -> Death {
        if random.below(2) != 0 {
            let tight = self.child(top, "tight", &Limits::bytes(128 << 10));
            match tight.command(&Command::new(["cat", "/dev/null"])) {
                Ok(worker) => {
                    let limit = tight.cgroup().to_string();
                    return of_worker(&worker, Truth::Oom { limit, grower: None, code: None });
                }
                // There was no memory for the call itself, which failed, and nobody has died: so the other one it is.
                Err(error) => assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}"),
            }
        }
        let worker = top.command(&Command::new([self.people.program("broken")])).unwrap();
        of_worker(&worker, Truth::Kernel { because: "execve failed" })
    }
}

/// Asks a process to go, and kills it when it has not gone after a time.
fn stop(pid: &str) -> String {
    format!(
        "kill -TERM {pid}; n=0; while [ $n -lt 20 ] && kill -0 {pid} 2>/dev/null; do sleep 0.01; n=$((n+1)); done; \
         kill -KILL {pid} 2>/dev/null"
    )
}

fn sleeps() -> Command {
    Command::new(["sleep", "1000"])
}

fn hog(group: &Group, name: &str, oom_score_adj: i16) -> Hog {
    group.hog(&HogOptions { oom_score_adj, ..HogOptions::named(name) }).unwrap()
}

fn grow(hog: &Hog, bytes: u64) {
    assert_eq!(hog.grow(Some(bytes), LONG).unwrap().status, GrowStatus::Grew);
}

/// One that takes memory until it is killed: a hog, or a command.
fn eater(group: &Group, random: &mut Random) -> Worker {
    if random.below(3) == 0 {
        return group.command(&Command::new(["tail", "/dev/zero"])).unwrap();
    }
    let hog = hog(group, "eater", 0);
    let step = (1 + random.below(4)) * MIB;
    while hog.grow(Some(step), LONG).unwrap().status == GrowStatus::Grew {}
    hog.worker().clone()
}

/// What its outcome says of the death of a worker.
fn of_worker(worker: &Worker, truth: Truth) -> Death {
    let outcome = worker.wait(LONG).unwrap();
    Death { truth, by: outcome.killed_by.clone(), oom: outcome.oom().cloned(), untold: false, text: outcome.to_text() }
}

/// A shell in a group that starts the one who is to die, and says its pid.
struct Parent {
    worker: Worker,
    watch: Watch,
    line: UnixStream,
}

impl Parent {
    fn start(group: &Group, line: &str) -> Parent {
        Parent::of(group, "sh", line)
    }

    fn of(group: &Group, program: &str, line: &str) -> Parent {
        let watch = group.watch().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(LONG)).unwrap();
        let mut command = Command::new([program, "-c", line]);
        let theirs = Arc::new(OwnedFd::from(theirs));
        command.stdio = [Stdio::Fd(theirs.clone()), Stdio::Fd(theirs), Stdio::Inherit];
        Parent { worker: group.command(&command).unwrap(), watch, line: ours }
    }

    /// The pid that it says.
    fn child(&self) -> i32 {
        let mut line = String::new();
        BufReader::new(&self.line).read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }

    fn go(&self) {
        use std::io::Write;
        writeln!(&self.line, "go").unwrap();
    }

    /// What the watch says of the death of a child: by the end of its parent all that there is to say is said.
    fn told_of(mut self, child: i32, truth: Truth) -> Death {
        let outcome = self.worker.wait(LONG).unwrap();
        let mut text = outcome.to_text();
        let mut by = None;
        let deadline = Instant::now() + Duration::from_millis(500);
        while let Some(event) = self.watch.next(deadline).unwrap() {
            text += &format!("{}\n", event.to_text());
            if let (EventKind::Killed { killed_by, .. }, true) = (&event.kind, event.pid == Some(child)) {
                by = Some((**killed_by).clone());
                break;
            }
        }
        let oom: Option<Arc<Oom>> = None;
        Death { truth, untold: by.is_none(), by, oom, text }
    }
}
