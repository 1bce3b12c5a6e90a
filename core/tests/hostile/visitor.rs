//! A visitor: this program once more, started in surroundings of its own, that makes and collects labs beside those of
//! others, in a directory that is given to it.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use memoom::{Lab, LabOptions, Limits};
use nix::sys::resource::{getrlimit, setrlimit, Resource};

use super::common::lab;

/// What a started copy is to do, and the directory in which it does so.
const TASK: &str = "MEMOOM_VISITOR";
const PARENT: &str = "MEMOOM_PARENT";

/// What a visitor saw and did.
pub struct Visitor {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Its answer of gc: whether it was removed, the path, the reason.
    pub found: Vec<(bool, PathBuf, String)>,
    /// Its own lab, or why it has none.
    pub lab: Result<PathBuf, String>,
}

impl Visitor {
    /// Starts one by `unshare` with these options and, in there, `setup` of the shell; or none where the machine does
    /// not let that be set up.
    pub fn start(task: &str, options: &[&str], setup: &str, parent: &Path) -> Option<Visitor> {
        let script = format!("{setup}\nexit 99");
        let mut process = Command::new("unshare")
            .args(options)
            .args(["sh", "-c", &script, "sh"])
            .arg(std::env::current_exe().unwrap())
            .env(TASK, task)
            .env(PARENT, parent)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut found = Vec::new();
        loop {
            let Some(line) = lines.next() else {
                let status = process.wait().unwrap();
                // A panic ends it with 101; all else is the setup.
                assert!(matches!(status.code(), Some(code) if code != 101), "{task}: the visitor ended: {status}");
                eprintln!("skipped: {task} cannot be set up here ({status})");
                return None;
            };
            let line = line.unwrap();
            let parts: Vec<&str> = line.splitn(4, '\t').collect();
            match parts.as_slice() {
                ["FOUND", removed, path, reason] => found.push((*removed == "true", path.into(), reason.to_string())),
                ["LAB", path] => return Some(Visitor { process, lines, found, lab: Ok(path.into()) }),
                ["NONE", why] => return Some(Visitor { process, lines, found, lab: Err(why.to_string()) }),
                _ => println!("{line}"),
            }
        }
    }

    /// Kills it where it stands.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Has it end, and with it its lab.
    pub fn end(mut self) {
        drop(self.process.stdin.take());
        self.lines.by_ref().for_each(|line| println!("{}", line.unwrap()));
        assert!(self.process.wait().unwrap().success());
    }
}

/// Runs what [`super::INSIDE`] has of that name in surroundings of its own; whether they could be set up. What fails in
/// there fails here.
pub fn run(task: &str, options: &[&str], setup: &str, parent: &Path) -> bool {
    let Some(visitor) = Visitor::start(task, options, setup, parent) else { return false };
    assert_eq!(visitor.lab.as_deref().unwrap_err(), "done");
    visitor.end();
    true
}

/// The same for one that answers in words.
pub fn hear(task: &str, options: &[&str], setup: &str, parent: &Path) -> Option<String> {
    let visitor = Visitor::start(task, options, setup, parent)?;
    let said = visitor.lab.as_deref().unwrap_err().to_string();
    visitor.end();
    Some(said)
}

/// As [`run`], below a directory of its own and with mounts of its own.
pub fn run_apart(task: &str) {
    let Some(lab) = lab() else { return };
    let base = lab.group(Some("base"), &Limits::default()).unwrap();
    run(task, &["--mount"], "exec \"$@\"", base.path());
}

/// The visitor's part; `false` where this is none.
pub fn inside() -> bool {
    let (Ok(task), Some(parent)) = (std::env::var(TASK), std::env::var_os(PARENT)) else { return false };
    let parent = PathBuf::from(parent);
    if task == "headless" {
        // The lab is made before, or after.
        leave_the_first_thread(move |left| visit(&parent, left));
    }
    if task == "headless-before" {
        leave_the_first_thread(move |left| {
            left();
            println!("NONE\t{}", super::life::inside(&parent));
        });
    }
    if task == "few-files" {
        with_few_files(&parent);
    }
    if let Some((_, inside)) = super::INSIDE.iter().find(|(name, _)| *name == task) {
        println!("NONE\t{}", inside(&parent));
        return true;
    }
    visit(&parent, || {});
    true
}

/// Collects and makes; `before_it_is_said` comes when both were done.
fn visit(parent: &Path, before_it_is_said: impl FnOnce()) {
    for one in memoom::gc_below(parent).unwrap_or_else(|error| {
        println!("gc: {error}");
        Vec::new()
    }) {
        println!("FOUND\t{}\t{}\t{}", one.removed, one.path.display(), one.reason);
    }
    let lab = Lab::with(&LabOptions { parent: Some(parent.into()), ..LabOptions::default() });
    before_it_is_said();
    match &lab {
        Ok(lab) => println!("LAB\t{}", lab.path().display()),
        Err(error) => println!("NONE\t{error}"),
    }
    std::io::stdout().flush().unwrap();
    // Until the other side closes its end.
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// With each number of open files on which something may just fail.
fn with_few_files(parent: &Path) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    for most in 0..48 {
        setrlimit(Resource::RLIMIT_NOFILE, most, hard).unwrap();
        let _ = memoom::gc_below(parent);
        let _ = Lab::with(&LabOptions { parent: Some(parent.into()), ..LabOptions::default() });
    }
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
}

/// The process goes on in another thread than its first, which ends when `body` calls what it is given.
#[allow(unsafe_code)]
fn leave_the_first_thread(body: impl FnOnce(&dyn Fn()) + Send + 'static) -> ! {
    let (first, made) = (std::process::id(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        let leave = || {
            made.0.send(()).unwrap();
            let stat = format!("/proc/{first}/stat");
            while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
                std::thread::yield_now();
            }
        };
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(&leave)));
        std::process::exit(if done.is_ok() { 0 } else { 101 });
    });
    made.1.recv().unwrap();
    // SAFETY: nothing of this thread is used by others; the call ends it alone.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!()
}
