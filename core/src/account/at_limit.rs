//! One time that a limit was met and everybody was held before anybody died: who, for how long, and what the hook said.

use std::fmt::Write;

use serde::Serialize;

use super::oom::{Predicted, Process};
use crate::memcg::limits::human_size;
use crate::observe::mappings::{Mapped, UserFrame};
use crate::observe::missing::Missing;
use crate::text::escape;

/// One time that the limit of a run was met and its group was held before anybody died.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AtLimit {
    /// When it was seen, in nanoseconds of CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// The group whose limit it was.
    pub group: String,
    /// Its limit in bytes.
    pub limit_bytes: u64,
    /// What was charged to it just then, in bytes.
    pub usage_bytes: u64,
    /// The room that there was above the limit while everybody stood still, in bytes.
    pub headroom_bytes: u64,
    /// Whom the kernel would have killed; null where it could take nobody.
    pub predicted: Option<Predicted>,
    /// Who met the limit; null where that could not be told: `missing` says why, as `invoker`.
    pub invoker: Option<Process>,
    /// Every process of the group and of the groups below it.
    pub processes: Vec<Process>,
    /// How everybody was held: `stopped` by SIGSTOP, after the OOM killer's switch (v1) or `cgroup.freeze` (v2) had caught
    /// who met the limit.
    pub held: &'static str,
    /// How long they were held, in nanoseconds.
    pub held_ns: u64,
    /// The hook.
    pub hook: HookRun,
    /// Who ended while it was held: the hook may have killed it.
    pub died: Vec<Process>,
    /// What came next: `kernel` (the kernel chooses its victim), `raised` (a higher limit) or `ended` (nobody was left).
    pub then: &'static str,
    /// The limit with which the group went on, in bytes.
    pub limit_after_bytes: u64,
    /// What could not be had or done, and why.
    pub missing: Vec<Missing>,
}

/// How a hook went.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct HookRun {
    /// `command`, `function` or `builtin`.
    pub kind: &'static str,
    /// The command with its arguments, the placeholders filled in; empty for a function.
    pub argv: Vec<String>,
    /// Its status as subprocess has it; null for a function, and where it did not start.
    pub returncode: Option<i32>,
    /// Whether its time was over, and it was killed.
    pub timed_out: bool,
    /// Why it could not be run, or what the function answered with instead of a result.
    pub error: Option<String>,
    /// How long it took, in nanoseconds.
    pub elapsed_ns: u64,
    /// What it wrote to standard output and error, as far as it was kept.
    #[serde(serialize_with = "crate::text::bytes")]
    pub output: Vec<u8>,
    /// How many bytes of that were dropped, beyond what is kept.
    pub dropped_bytes: u64,
    /// What the built-in hook has seen of each process; empty for the others.
    pub mapped: Vec<Mapped>,
}

impl AtLimit {
    /// It as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }

    /// It as text for a person.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "  at limit    {} of {} were used; {} was {} for {} ms",
            human_size(self.usage_bytes),
            human_size(self.limit_bytes),
            match self.processes.len() {
                1 => "1 process".to_string(),
                several => format!("each of {several} processes"),
            },
            self.held,
            self.held_ns / 1_000_000
        );
        let named = |one: &Process| crate::text::named(&one.comm, one.pid);
        if let Some(invoker) = &self.invoker {
            let _ = write!(text, "; {} met it", named(invoker));
        }
        if let Some(victim) = &self.predicted {
            let _ = write!(text, "; the kernel would have taken {}", crate::text::named(&victim.comm, victim.pid));
        }
        text.push('\n');
        let _ = writeln!(text, "  hook        {}", self.hook.headline());
        for line in String::from_utf8_lossy(&self.hook.output).lines() {
            let _ = writeln!(text, "  | {}", escape_line(line));
        }
        if self.hook.dropped_bytes > 0 {
            let _ = writeln!(text, "  | ... and {} bytes more, which were dropped", self.hook.dropped_bytes);
        }
        for one in &self.hook.mapped {
            text.push_str(&mapped_text(one));
        }
        for one in &self.died {
            let _ = writeln!(text, "  died        {} ended while it was held", named(one));
        }
        let then = match self.then {
            "raised" => format!("it went on with a limit of {}", human_size(self.limit_after_bytes)),
            "ended" => "nobody was left to go on".to_string(),
            _ => "the kernel's choice took its course".to_string(),
        };
        let _ = writeln!(text, "  then        {then}");
        for missing in &self.missing {
            let _ = writeln!(text, "  missing     {}: {}", missing.source, missing.reason);
        }
        text
    }
}

impl HookRun {
    fn headline(&self) -> String {
        let mut text = match self.kind {
            "command" => self.argv.join(" "),
            "builtin" => "the memory by mapping".to_string(),
            _ => "a function of the caller's".to_string(),
        };
        let took = self.elapsed_ns / 1_000_000;
        let _ = match (self.returncode, self.timed_out) {
            (_, true) => write!(text, ": its time was over after {took} ms"),
            (Some(status), _) if status < 0 => write!(text, ": killed by signal {} after {took} ms", -status),
            (Some(status), _) => write!(text, ": status {status} after {took} ms"),
            (None, _) => write!(text, ": {took} ms"),
        };
        if let Some(error) = &self.error {
            let _ = write!(text, ": {error}");
        }
        text
    }
}

/// The memory of one process by mapping, and where it stands.
fn mapped_text(one: &Mapped) -> String {
    let size = human_size;
    let mut text = format!(
        "  memory      {} (pid {}): heap {}, stack {}, anonymous {}, files {}, shared {}, swap {}",
        escape(&one.comm),
        one.pid,
        size(one.heap_bytes),
        size(one.stack_bytes),
        size(one.anonymous_bytes),
        size(one.file_bytes),
        size(one.shared_bytes),
        size(one.swap_bytes)
    );
    if let Some(grown) = one.grown_bytes {
        let sign = if grown < 0 { "-" } else { "+" };
        let _ = write!(text, "; {sign}{} since it was held before", size(grown.unsigned_abs()));
    }
    text.push('\n');
    for part in &one.largest {
        let _ = writeln!(
            text,
            "    {:>8}  {:<9} {} ({})",
            size(part.resident_bytes),
            part.kind,
            escape(&part.name),
            part.count
        );
    }
    for frame in &one.frames {
        let _ = writeln!(text, "    at        {}", frame_text(frame));
    }
    text
}

/// A frame: what it is called and where that stands, or its file and the offset there.
fn frame_text(frame: &UserFrame) -> String {
    let place = match (&frame.source, frame.line, &frame.file, frame.offset) {
        (Some(source), Some(line), ..) => format!("{}:{line}", escape(source)),
        (_, _, Some(file), Some(offset)) => format!("{}+{offset:#x}", escape(file)),
        _ => format!("{:#x}", frame.address),
    };
    frame.function.as_ref().map_or(place.clone(), |function| format!("{} ({place})", escape(function)))
}

/// A line of a program's output as it may stand in a text: what would move the cursor is escaped, the rest stays.
fn escape_line(line: &str) -> String {
    line.chars()
        .flat_map(|one| match one {
            '\t' => vec![' '; 4],
            one if one.is_control() => format!("\\x{:02x}", u32::from(one)).chars().collect(),
            one => vec![one],
        })
        .collect()
}
