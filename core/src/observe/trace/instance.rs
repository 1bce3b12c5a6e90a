//! The tracepoints from a private tracefs instance, as text: where perf_event_open(2) is not to be had.
//!
//! The instance belongs to memoom alone: nothing of the machine's own tracing changes, and it is removed at the
//! end. Making and removing it takes the kernel some 0.15 s.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{openat, OFlag};
use nix::sys::stat::{mkdirat, Mode};

use super::super::signal;
use super::super::tracefs::{check_name, read_file, remove, Tracefs, DIRECTORY};
use super::text::{parse, Record, Template, Templates};
use super::values::{DELIVER_NEEDS, GENERATE_NEEDS, VICTIM_NEEDS};
use super::{TraceItem, DELIVER, GENERATE, VICTIM};
use crate::memcg::owner::Maker;
use crate::sys::room::{self, Made};
use crate::{Error, ErrorKind, Result};

/// The least trace buffer of a CPU: room for about 250 records with their paths between two reads.
const LEAST_BUFFER_KB: u64 = 64;
/// As long as all buffers together stay below `ALL_BUFFERS_KB`, a CPU has more: the signals of the whole machine come too.
const BUFFER_KB: u64 = 256;
const ALL_BUFFERS_KB: u64 = 4096;

/// A private instance that listens for victims; dropped, it is removed (which takes the kernel some 0.1 s).
///
/// A forked copy of the process that does not exec holds the files too and delays the removal.
#[derive(Debug)]
pub(crate) struct TraceInstance {
    // In this order: the kernel refuses to remove an instance while a file of it is open.
    pipe: Option<File>,
    dir: Option<OwnedFd>,
    instances: OwnedFd,
    name: String,
    maker: Maker,
    templates: Templates,
    has_stacks: bool,
    /// Why nothing is known of signals.
    signals_missing: Option<Error>,
    text: Vec<u8>,
    /// Records whose stack has not come yet, with the thread that it will name.
    pending: Vec<(i32, TraceItem)>,
}

impl TraceInstance {
    /// Makes `instances/NAME` and turns the event on in it.
    ///
    /// # Errors
    /// `AlreadyExists` for a name in use, `Unsupported` when the kernel has no such event, `PermissionDenied`.
    pub(crate) fn create(tracefs: &Tracefs, name: &str) -> Result<TraceInstance> {
        check_name(name)?;
        let fail = |errno| Error::os("create tracefs instance", errno).path(name);
        let instances = tracefs
            .instances_dir()
            .try_clone_to_owned()
            .map_err(|source| Error::os("create tracefs instance", source))?;
        mkdirat(&instances, name, Mode::from_bits_truncate(0o700)).map_err(fail)?;
        // From here on dropping it removes the directory again.
        let mut instance = TraceInstance {
            pipe: None,
            dir: None,
            instances,
            name: name.to_string(),
            maker: Maker::this(),
            templates: Templates::default(),
            has_stacks: false,
            signals_missing: None,
            text: Vec::new(),
            pending: Vec::new(),
        };
        let dir = openat(&instance.instances, name, DIRECTORY, Mode::empty()).map_err(fail)?;
        instance.set_up(&dir)?;
        instance.dir = Some(dir);
        Ok(instance)
    }

    fn set_up(&mut self, dir: &OwnedFd) -> Result<()> {
        let format = read_file(dir.as_fd(), &format!("{VICTIM}/format")).map_err(|error| {
            if error.kind() == ErrorKind::NotFound {
                return error
                    .with_kind(ErrorKind::Unsupported)
                    .reason("this kernel has no event oom/mark_victim")
                    .remedy("use a kernel from 4.14 on; the kernel log still names the victims");
            }
            error
        })?;
        self.templates.victim = Template::from_format(&format, VICTIM_NEEDS).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "read event format", "its print format names no pid").path(VICTIM)
        })?;
        // Before the event is on, so that the buffers are empty and small when it can fire.
        write_file(dir, "buffer_size_kb", &buffer_kb(crate::sys::online_cpus()).to_string())?;
        write_file(dir, "trace_clock", "mono")?;
        self.set_options(dir)?;
        // Where it exists it may hold a poll back until the buffer is that full.
        let _ = write_file(dir, "buffer_percent", "0");
        // Kernels without stack traces refuse the option; the victims are worth having alone. A trigger of the event would
        // do the same, but each trigger costs the removal of the instance some 40 ms more.
        self.has_stacks = write_file(dir, "trace_options", "stacktrace").is_ok();
        self.signals_missing = self.set_up_signals(dir).err();
        write_file(dir, &format!("{VICTIM}/enable"), "1")?;
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let pipe = openat(dir, "trace_pipe", flags, Mode::empty())
            .map_err(|errno| Error::os("open trace pipe", errno).path(&self.name))?;
        self.pipe = Some(File::from(pipe));
        Ok(())
    }

    /// Who sends the signals that end processes, and which of them take effect. The accounts do without.
    fn set_up_signals(&mut self, dir: &OwnedFd) -> Result<()> {
        let template = |event: &str, needed: &[&str]| -> Result<Template> {
            let format = read_file(dir.as_fd(), &format!("{event}/format"))?;
            Template::from_format(&format, needed).ok_or_else(|| {
                Error::new(ErrorKind::Unsupported, "read event format", "its print format lacks a field").path(event)
            })
        };
        self.templates.signal = template(GENERATE, GENERATE_NEEDS)?;
        self.templates.delivered = template(DELIVER, DELIVER_NEEDS)?;
        for (event, filter) in [(GENERATE, signal::generated()), (DELIVER, signal::delivered())] {
            write_file(dir, &format!("{event}/filter"), &filter)?;
            write_file(dir, &format!("{event}/enable"), "1")?;
        }
        Ok(())
    }

    /// Why nothing is known of signals; `None` where they are listened to.
    pub(crate) fn signals_missing(&self) -> Option<&Error> {
        self.signals_missing.as_ref()
    }

    /// An instance inherits the machine's options; what changes the text is set to what the parser expects.
    fn set_options(&self, dir: &OwnedFd) -> Result<()> {
        const WANTED: &[&str] = &[
            "sym-offset",
            "context-info",
            "nosym-addr",
            "noverbose",
            "noraw",
            "nohex",
            "nobin",
            "nofields",
            "nolatency-format",
            // With it, enabling an event hooks every context switch of the machine, only to know names.
            "norecord-cmd",
            "norecord-tgid",
            "nouserstacktrace",
        ];
        let now = read_file(dir.as_fd(), "trace_options")?;
        let now: Vec<&[u8]> = now.split(|&byte| byte == b'\n').collect();
        for option in WANTED {
            let opposite = option.strip_prefix("no").map_or_else(|| format!("no{option}"), str::to_string);
            if now.contains(&opposite.as_bytes()) {
                write_file(dir, "trace_options", option)?;
            }
        }
        Ok(())
    }

    /// The fd to poll: it becomes readable at a victim, and again when the victim's stack is there.
    pub(crate) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Whether that victim has come and its stack has not.
    #[cfg(test)]
    pub(super) fn waits_for(&self, pid: i32) -> bool {
        self.pending.iter().any(|(_, item)| matches!(item, TraceItem::Victim(victim) if victim.pid == pid))
    }

    /// What has come since the last call, without waiting. A victim whose stack is not there yet is kept for the
    /// next call; the fd becomes readable again when it comes.
    pub(crate) fn read(&mut self) -> Result<Vec<TraceItem>> {
        self.take_text()?;
        let text = std::mem::take(&mut self.text);
        let mut items = Vec::new();
        for record in parse(&text, &self.templates) {
            self.join(record, &mut items);
        }
        Ok(items)
    }

    /// The same, for the end: a victim whose stack never came is given without one.
    pub(crate) fn finish(&mut self) -> Result<Vec<TraceItem>> {
        let mut items = self.read()?;
        items.extend(std::mem::take(&mut self.pending).into_iter().map(|(_, item)| item));
        Ok(items)
    }

    /// Reads until the pipe is empty: then every record in the text is whole, because the kernel prints records
    /// whole and only hands them out in pieces.
    fn take_text(&mut self) -> Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        let failed = |source: io::Error| Error::os("read trace pipe", source).path(&self.name);
        let mut chunk = [0u8; 4096];
        loop {
            match pipe.read(&mut chunk) {
                Ok(0) => return room::left_to_make(Made::Lines, self.text.len()).map_err(failed),
                Ok(count) => {
                    self.text.try_reserve(count).map_err(|refused| failed(room::refused(refused)))?;
                    self.text.extend_from_slice(&chunk[..count]);
                }
                Err(source) => match source.kind() {
                    io::ErrorKind::WouldBlock => {
                        return room::left_to_make(Made::Lines, self.text.len()).map_err(failed)
                    }
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(failed(source)),
                },
            }
        }
    }

    fn join(&mut self, record: Record, items: &mut Vec<TraceItem>) {
        match record {
            Record::Victim(victim) => self.hold(victim.invoker_pid, TraceItem::Victim(*victim), items),
            Record::Signal(signal) => self.hold(signal.sender, TraceItem::Signal(signal), items),
            Record::Delivered(delivered) => self.hold(delivered.thread, TraceItem::Delivered(delivered), items),
            Record::Stack { pid, frames } => {
                if let Some(index) = self.pending.iter().position(|(thread, _)| *thread == pid) {
                    let (_, mut item) = self.pending.remove(index);
                    match &mut item {
                        TraceItem::Victim(victim) => victim.call_path = frames,
                        TraceItem::Signal(signal) => signal.call_path = frames,
                        _ => {}
                    }
                    items.push(item);
                }
            }
            Record::Lost { cpu, events } => {
                items.push(TraceItem::Lost { cpu, events });
            }
            Record::Unparsed(text) => items.push(TraceItem::Unparsed(text)),
        }
    }

    /// The stack follows its event at once in the same task, so an older one of that thread has lost its own.
    fn hold(&mut self, thread: i32, item: TraceItem, items: &mut Vec<TraceItem>) {
        let (gone, kept) = std::mem::take(&mut self.pending).into_iter().partition(|(other, _)| *other == thread);
        self.pending = kept;
        let gone: Vec<(i32, TraceItem)> = gone;
        items.extend(gone.into_iter().map(|(_, item)| item));
        match self.has_stacks {
            true => self.pending.push((thread, item)),
            false => items.push(item),
        }
    }

    /// Removes the instance now and says whether that worked.
    ///
    /// # Errors
    /// `Busy` when another process holds one of its files.
    #[cfg(test)]
    pub(crate) fn remove(mut self) -> Result<()> {
        self.tear_down()
    }

    fn tear_down(&mut self) -> Result<()> {
        if self.name.is_empty() {
            return Ok(());
        }
        self.pipe = None;
        self.dir = None;
        let done = remove(self.instances.as_fd(), &self.name);
        self.name.clear();
        done
    }
}

impl Drop for TraceInstance {
    fn drop(&mut self) {
        if !self.maker.is_this() {
            // The instance is the parent's.
            return;
        }
        // Nobody to tell; `remove` is there for those who want to know, and the next lab's start collects leftovers.
        let _ = self.tear_down();
    }
}

/// Of the buffer of one CPU, where there are so many.
fn buffer_kb(cpus: u64) -> u64 {
    (ALL_BUFFERS_KB / cpus.max(1)).clamp(LEAST_BUFFER_KB, BUFFER_KB)
}

fn write_file(dir: &OwnedFd, path: &str, value: &str) -> Result<()> {
    let fail = |source: io::Error| Error::os("write tracefs file", source).path(path).value(value);
    let flags = OFlag::O_WRONLY | OFlag::O_TRUNC | OFlag::O_CLOEXEC;
    let fd = openat(dir, path, flags, Mode::empty()).map_err(|errno| fail(errno.into()))?;
    File::from(fd).write_all(value.as_bytes()).map_err(fail)
}

#[cfg(test)]
mod tests;
