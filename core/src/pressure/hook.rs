//! A hook: what is run outside of a group while everybody in it stands still.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{ErrorKind as IoKind, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::fcntl::{fcntl, FcntlArg, OFlag};

use super::command::{Command, Stdio};
use super::worker::Worker;
use crate::account::at_limit::{AtLimit, HookRun};
use crate::error::{Error, Result};
use crate::helper::descriptor::above_stdio;
use crate::lab::group::Group;
use crate::lab::hub::Look;
use crate::observe::author::signal_name;
use crate::observe::mappings::Mapped;
use crate::observe::stack::{busy_thread, frames};
use crate::sys::room;
use crate::wait::Wait;

mod raise;

use raise::Raise;

/// What is run while everybody in the group stands still.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Hook {
    /// A program with its arguments, in a group of its own without a limit. In the arguments `{pid}` (the predicted victim,
    /// or else who met the limit), `{invoker}`, `{group}` and `{pids}` (with commas between) are filled in, and stand in
    /// its environment as `MEMOOM_PID`, `MEMOOM_INVOKER`, `MEMOOM_GROUP` and `MEMOOM_PIDS`; what is not known is empty. Its
    /// standard input is empty. A line `memoom: raise SIZE` of its output raises the limit to that size.
    Command(Vec<OsString>),
    /// A function of this process.
    Function(HookFunction),
    /// The built-in one, which needs nothing: the memory of each process by mapping (`/proc/PID/smaps`), what it has grown by
    /// since it was held the last time, and where the thread stands that met the limit: its callers, with names and lines where
    /// the program tells them.
    Mappings,
}

/// A function that is called while everybody in the group stands still, with what is known by then and the moment at
/// which it should be through: nobody ends it then. An error is told in [`HookRun::error`].
#[derive(Clone)]
pub struct HookFunction(Arc<Body>);

type Body = dyn Fn(&AtLimit, Instant) -> std::result::Result<HookAnswer, String> + Send + Sync;

/// What a function of a hook wants to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HookAnswer {
    /// The kernel's choice takes its course, or what the run was told to do.
    Default,
    /// The limit is raised to so many bytes, and the run goes on.
    Raise(u64),
    /// Its time was over.
    TimedOut,
}

impl HookFunction {
    /// The hook that calls this.
    pub fn new(
        body: impl Fn(&AtLimit, Instant) -> std::result::Result<HookAnswer, String> + Send + Sync + 'static,
    ) -> HookFunction {
        HookFunction(Arc::new(body))
    }
}

impl fmt::Debug for HookFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookFunction")
    }
}

impl Hook {
    /// The hook of a text: a command line for `/bin/sh`.
    pub fn shell(text: impl AsRef<OsStr>) -> Hook {
        Hook::Command(vec!["/bin/sh".into(), "-c".into(), text.as_ref().into()])
    }

    /// The same, but for the text `builtin`: that is the built-in hook.
    pub fn of(text: impl AsRef<OsStr>) -> Hook {
        match text.as_ref() == BUILTIN {
            true => Hook::Mappings,
            false => Hook::shell(text),
        }
    }
}

/// The name of the built-in hook.
const BUILTIN: &str = "builtin";
/// So much of what a hook writes is kept.
const MOST_OUTPUT: usize = 64 << 10;
/// How long the end of a hook that was killed may take.
const END_WITHIN: Duration = Duration::from_secs(5);
/// Instead of a time that no clock can hold.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86400);

impl Hook {
    /// Runs it, and gives the limit to which it raises. What goes wrong with it is told of it, and is no error; an error is
    /// what stops the run.
    pub(super) fn run(
        &self,
        met: &AtLimit,
        seen: &Seen<'_>,
        beside: &dyn Fn() -> Result<Group>,
        within: Duration,
        wait: &mut Wait<'_>,
    ) -> Result<(HookRun, Option<u64>)> {
        let began = Instant::now();
        let deadline = began.checked_add(within).unwrap_or(began + FOR_EVER);
        let (mut run, raise) = match self {
            Hook::Mappings => (mappings(met, seen), None),
            Hook::Function(HookFunction(body)) => {
                let run = HookRun { kind: "function", ..HookRun::default() };
                match body(met, deadline) {
                    Ok(HookAnswer::Default) => (run, None),
                    Ok(HookAnswer::Raise(bytes)) => (run, Some(bytes)),
                    Ok(HookAnswer::TimedOut) => (HookRun { timed_out: true, ..run }, None),
                    Err(error) => (HookRun { error: Some(error), ..run }, None),
                }
            }
            Hook::Command(argv) => {
                let argv: Vec<OsString> = argv.iter().map(|argument| filled(argument, met)).collect();
                let shown = argv.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
                let run = HookRun { kind: "command", argv: shown, ..HookRun::default() };
                match start(argv, met, beside) {
                    Ok(started) => started.watched(run, seen.command, deadline, wait)?,
                    Err(error) => (HookRun { error: Some(error.to_string()), ..run }, None),
                }
            }
        };
        run.elapsed_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Ok((run, raise))
    }
}

/// What the built-in hook wants to know beside.
pub(super) struct Seen<'a> {
    /// The thread that met the limit.
    pub(super) thread: Option<i32>,
    /// What was mapped when everybody was held before.
    pub(super) before: &'a [Mapped],
    /// The command that is held.
    pub(super) command: &'a Worker,
}

/// The built-in hook.
fn mappings(met: &AtLimit, seen: &Seen<'_>) -> HookRun {
    let mut run = HookRun { kind: BUILTIN, ..HookRun::default() };
    for process in &met.processes {
        let smaps = match room::read(format!("/proc/{}/smaps", process.pid)) {
            Ok(smaps) => smaps,
            Err(error) => {
                run.error = Some(format!("the mappings of pid {}: {error}", process.pid));
                continue;
            }
        };
        let before = seen.before.iter().find(|before| before.pid == process.pid);
        let mut mapped = Mapped::parse(process.pid, &process.comm, &smaps);
        mapped.grown_bytes = before.map(|before| mapped.resident_bytes() as i64 - before.resident_bytes() as i64);
        if met.invoker.as_ref().is_some_and(|invoker| invoker.pid == process.pid) {
            let thread = seen.thread.map_or_else(|| busy_thread(process.pid), Ok);
            match thread.and_then(|thread| frames(process.pid, thread)) {
                Ok(frames) => mapped.frames = frames,
                Err(error) => run.error = Some(format!("the stack of pid {}: {error}", process.pid)),
            }
        }
        run.mapped.push(mapped);
    }
    run
}

/// A hook that runs, in its own group, and the end of the pipe into which it writes.
struct Running {
    group: Group,
    worker: Worker,
    pipe: std::fs::File,
    raise: Raise,
}

fn start(argv: Vec<OsString>, met: &AtLimit, beside: &dyn Fn() -> Result<Group>) -> Result<Running> {
    let failed = |error: std::io::Error| Error::os("start hook", error);
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(|errno| failed(errno.into()))?;
    let (read, write) = (above_stdio(read).map_err(failed)?, above_stdio(write).map_err(failed)?);
    // Ours alone: the hook's end waits as a program expects.
    fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(|errno| failed(errno.into()))?;
    let is_ours = |name: &OsString| Placeholder::ALL.iter().any(|one| *name == *one.variable());
    let mut env: Vec<_> = std::env::vars_os().filter(|(name, _)| !is_ours(name)).collect();
    env.extend(Placeholder::ALL.map(|one| (one.variable().into(), one.value(met).into())));
    let write = Arc::new(write);
    let stdio = [Stdio::Null, Stdio::Fd(write.clone()), Stdio::Fd(write)];
    let group = beside()?;
    let worker = group.command(&Command { env: Some(env), stdio, ..Command::new(argv) })?;
    Ok(Running { group, worker, pipe: read.into(), raise: Raise::default() })
}

impl Running {
    /// Until it ends, its time is over, or the command it looks at is asked to end. Whatever it leaves behind is killed.
    fn watched(
        mut self,
        mut run: HookRun,
        command: &Worker,
        deadline: Instant,
        wait: &mut Wait<'_>,
    ) -> Result<(HookRun, Option<u64>)> {
        let hub = self.group.lab("run hook")?.hub.clone();
        let left = deadline.saturating_duration_since(Instant::now());
        let mut asked = None;
        let ended = hub.wait_until(&mut wait.at_most(left), |_| {
            read_into(&mut self.pipe, &mut run, &mut self.raise);
            asked = command.process.progress().asked_to_end;
            let progress = self.worker.process.progress();
            let exit = progress.exit.map(|exit| exit.returncode);
            Ok(match (exit, progress.abandoned || asked.is_some()) {
                (Some(returncode), _) => Look::Done(Some(returncode)),
                (None, true) => Look::Done(None),
                (None, false) => Look::Again,
            })
        })?;
        // Its children too, which a process group would not hold together.
        self.group.kill()?;
        match ended {
            Some(Some(returncode)) => run.returncode = Some(returncode),
            gone => {
                run.timed_out = gone.is_none();
                run.error = asked.map(|signal| format!("ended early, as the command was sent {}", signal_name(signal)));
                let exit = hub.wait_until(&mut wait.at_most(END_WITHIN), |_| {
                    let exit = self.worker.process.progress().exit;
                    Ok(exit.map_or(Look::Again, |exit| Look::Done(exit.returncode)))
                })?;
                run.returncode = exit;
            }
        }
        read_into(&mut self.pipe, &mut run, &mut self.raise);
        let raise = self.raise.last();
        // A group that the kernel does not let go of yet goes with the lab.
        let _ = self.group.remove();
        Ok((run, raise))
    }
}

/// Reads what is there, but no longer than a moment: who writes without end must not keep us from the clock.
fn read_into(pipe: &mut std::fs::File, run: &mut HookRun, raise: &mut Raise) {
    let mut bytes = [0; 16 << 10];
    for _ in 0..16 {
        match pipe.read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => {
                let kept = count.min(MOST_OUTPUT - run.output.len());
                run.output.extend_from_slice(&bytes[..kept]);
                run.dropped_bytes += (count - kept) as u64;
                raise.read(&bytes[..count]);
            }
            Err(error) if error.kind() == IoKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// What is filled in.
#[derive(Debug, Clone, Copy)]
enum Placeholder {
    Pid,
    Invoker,
    Group,
    Pids,
}

impl Placeholder {
    const ALL: [Placeholder; 4] = [Placeholder::Pid, Placeholder::Invoker, Placeholder::Group, Placeholder::Pids];

    fn word(self) -> &'static [u8] {
        match self {
            Placeholder::Pid => b"{pid}",
            Placeholder::Invoker => b"{invoker}",
            Placeholder::Group => b"{group}",
            Placeholder::Pids => b"{pids}",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Placeholder::Pid => "MEMOOM_PID",
            Placeholder::Invoker => "MEMOOM_INVOKER",
            Placeholder::Group => "MEMOOM_GROUP",
            Placeholder::Pids => "MEMOOM_PIDS",
        }
    }

    fn value(self, met: &AtLimit) -> String {
        let invoker = || met.invoker.as_ref().map(|invoker| invoker.pid);
        let number = |pid: Option<i32>| pid.map_or_else(String::new, |pid| pid.to_string());
        match self {
            Placeholder::Pid => number(met.predicted.as_ref().map(|victim| victim.pid).or_else(invoker)),
            Placeholder::Invoker => number(invoker()),
            Placeholder::Group => met.group.clone(),
            Placeholder::Pids => {
                let pids: Vec<String> = met.processes.iter().map(|process| process.pid.to_string()).collect();
                pids.join(",")
            }
        }
    }
}

/// An argument with its placeholders filled in. All else in braces stays as it is, and so does a `${pid}` of the shell's.
fn filled(argument: &OsStr, met: &AtLimit) -> OsString {
    let mut rest = argument.as_bytes();
    let mut done = Vec::with_capacity(rest.len());
    while let Some((&first, after)) = rest.split_first() {
        let is_of_the_shell = done.last() == Some(&b'$');
        match Placeholder::ALL.iter().find(|one| rest.starts_with(one.word()) && !is_of_the_shell) {
            Some(found) => {
                done.extend_from_slice(found.value(met).as_bytes());
                rest = &rest[found.word().len()..];
            }
            None => {
                done.push(first);
                rest = after;
            }
        }
    }
    OsString::from_vec(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::oom::Process;

    fn met() -> AtLimit {
        let process = |pid| Process { pid, comm: b"p".to_vec() };
        AtLimit {
            time_ns: 0,
            group: "/lab/run".to_string(),
            limit_bytes: 0,
            usage_bytes: 0,
            headroom_bytes: 0,
            predicted: None,
            invoker: Some(process(7)),
            processes: vec![process(7), process(8)],
            held: "stopped",
            held_ns: 0,
            hook: HookRun::default(),
            died: Vec::new(),
            then: "kernel",
            limit_after_bytes: 0,
            missing: Vec::new(),
        }
    }

    #[test]
    fn placeholders_are_filled_in_and_all_else_stays() {
        let of = |text: &str, met: &AtLimit| filled(OsStr::new(text), met).into_string().unwrap();
        assert_eq!(
            of("{pid} {pids}{group} awk '{print}' {pid ${MEMOOM_PID} ${pid}", &met()),
            "7 7,8/lab/run awk '{print}' {pid ${MEMOOM_PID} ${pid}"
        );
        let unknown = AtLimit { invoker: None, ..met() };
        assert_eq!(of("[{invoker}][{pid}]", &unknown), "[][]", "what is not known is empty, never 0");
    }
}
