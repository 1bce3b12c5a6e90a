//! A program that does as it is told: the test program itself, started again as a worker. Orders come in over its
//! standard input, one a line; each answer is one line too.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio as ProcessStdio};
use std::sync::Arc;

use memoom::{Command, Group, Stdio, Worker};

use super::LONG;

/// Tells a started copy that it is to act, and where its answers go: `socket` (back over standard input) or `pipe`.
const ROLE: &str = "MEMOOM_ACTOR";

/// A worker that acts, and the line to it.
pub struct Actor {
    pub worker: Worker,
    line: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Actor {
    /// Starts one in a group.
    pub fn start(group: &Group, oom_score_adj: i16) -> memoom::Result<Actor> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new([program]);
        command.env = Some(vec![(ROLE.into(), "socket".into())]);
        command.stdio = [Stdio::Fd(Arc::new(OwnedFd::from(theirs))), Stdio::Null, Stdio::Null];
        command.oom_score_adj = oom_score_adj;
        // One that is spared may come before those that are not.
        command.force_within = (oom_score_adj == -1000).then_some(LONG * 4);
        let worker = group.command(&command)?;
        ours.set_read_timeout(Some(LONG)).unwrap();
        Ok(Actor { worker, answers: BufReader::new(ours.try_clone().unwrap()), line: ours })
    }

    /// Gives an order; its answer, or `None` when the actor has ended instead.
    pub fn order(&mut self, order: &str) -> Option<String> {
        self.tell(order);
        self.answer()
    }

    /// Gives an order without waiting.
    pub fn tell(&mut self, order: &str) {
        // Where it has ended already, the missing answer says so.
        let _ = self.line.write_all(format!("{order}\n").as_bytes());
    }

    /// The next answer; `None` when the actor has ended instead.
    pub fn answer(&mut self) -> Option<String> {
        read_answer(&mut self.answers)
    }
}

fn read_answer(from: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    match from.read_line(&mut line) {
        Ok(0) => None,
        Ok(_) => Some(line.trim().to_string()),
        // Whoever is killed with unread orders resets the line.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
        Err(error) => panic!("no answer of the actor: {error}"),
    }
}

/// Acts, if this program was started for that. A test program that uses actors has a `main` of its own, so that an
/// actor is its first thread and no other, and calls this first.
pub fn act_if_told() {
    let Ok(role) = std::env::var(ROLE) else { return };
    // A panic of the actor ends it with 101, which no test takes for a kill.
    let orders = BufReader::new(std::io::stdin());
    if role == "socket" {
        let back = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
        act(orders, back);
    } else {
        act(orders, std::io::stdout());
    }
    // Whoever gave the orders has gone: stay as you are, so that an end is always somebody's doing.
    loop {
        std::thread::park();
    }
}

fn act(orders: impl BufRead, mut back: impl Write) {
    let mut children = Vec::new();
    for order in orders.lines() {
        let Ok(order) = order else { return };
        let (verb, rest) = order.split_once(' ').unwrap_or((&order, ""));
        let number: u64 = rest.parse().unwrap_or(0);
        let answer = match verb {
            "grow" => {
                take(number);
                std::process::id().to_string()
            }
            // A thread other than the first takes the memory, and stays.
            "thread" => {
                let (tell, told) = std::sync::mpsc::channel();
                std::thread::spawn(move || {
                    let link = std::fs::read_link("/proc/thread-self").unwrap();
                    take(number);
                    tell.send(link.file_name().unwrap().to_string_lossy().into_owned()).unwrap();
                    loop {
                        std::thread::park();
                    }
                });
                told.recv().unwrap()
            }
            "child" => {
                let mut child = Offspring::start();
                child.order(&format!("grow {number}"));
                let pid = child.process.id();
                children.push(child);
                pid.to_string()
            }
            // The first child takes more; an end of it shows in the answer.
            "child-grow" => {
                match children.first_mut().map(|child: &mut Offspring| child.order(&format!("grow {number}"))) {
                    Some(Some(_)) => "grew".to_string(),
                    _ => "ended".to_string(),
                }
            }
            "exit" => std::process::exit(i32::try_from(number).unwrap()),
            other => super::processes::act(other, number).unwrap_or_else(|| panic!("unknown order {other}")),
        };
        if writeln!(back, "{answer}").and_then(|()| back.flush()).is_err() {
            return;
        }
    }
}

/// A child of an actor, itself an actor.
struct Offspring {
    process: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Offspring {
    fn start() -> Offspring {
        let mut process = std::process::Command::new(std::env::current_exe().unwrap())
            .env(ROLE, "pipe")
            .stdin(ProcessStdio::piped())
            .stdout(ProcessStdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Offspring { process, answers }
    }

    fn order(&mut self, order: &str) -> Option<String> {
        let _ = self.process.stdin.as_mut()?.write_all(format!("{order}\n").as_bytes());
        read_answer(&mut self.answers)
    }
}

/// Takes so many bytes for good: zeroed memory of its own, one byte of each page written.
pub fn take(bytes: u64) {
    let mut memory = vec![0u8; usize::try_from(bytes).unwrap()];
    for page in memory.chunks_mut(4096) {
        page[0] = 1;
    }
    std::hint::black_box(&memory);
    std::mem::forget(memory);
}

/// Reads a whole file of the kernel's; empty when it is not there (any more).
pub fn read(path: impl AsRef<std::path::Path>) -> String {
    let mut text = Vec::new();
    if let Ok(mut file) = std::fs::File::open(path) {
        let _ = file.read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}
