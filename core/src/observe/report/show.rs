//! A report for people: everything that it holds, a line for each thing.

use std::fmt::Write;

use super::{Kill, Report, Scope, Stat, Task, TraceFrame, Usage};
use crate::text::escape;

/// Lists of statistics and frames are broken before this column.
const WIDTH: usize = 118;

impl Report {
    /// All of the report as text for a person, without a newline at the end: whose memory, who asked, what was in use,
    /// who was there, who was chosen and killed, and what is missing. The kernel's own lines are in
    /// [`text`](Report::text).
    pub fn to_text(&self) -> String {
        let mut lines = vec![self.headline()];
        self.numbers(&mut lines);
        self.asked(&mut lines);
        self.statistics(&mut lines);
        self.choice(&mut lines);
        self.kill(&mut lines);
        if !self.call_trace.is_empty() {
            lines.push("  call trace:".to_string());
            wrapped(&mut lines, self.call_trace.iter().map(framed));
        }
        if let Some(count) = self.suppressed_before {
            lines.push(format!("  before this the kernel left out {count} reports"));
        }
        for missing in &self.missing {
            lines.push(format!("  missing: {} ({})", missing.source, missing.reason));
        }
        lines.join("\n")
    }

    fn headline(&self) -> String {
        let mut line = match self.scope {
            Some(Scope::Memcg) => "memory cgroup out of memory".to_string(),
            Some(Scope::Global) => "out of memory".to_string(),
            None => "out of memory (of a group or of the machine, the log does not tell)".to_string(),
        };
        if let Some(group) = &self.oom_memcg {
            let _ = write!(line, " in {}", escape(group));
        }
        if let Some(release) = &self.release {
            let _ = write!(line, ", kernel {}", escape(release));
        }
        match (self.time_usec, &self.logged_at) {
            (Some(usec), _) => {
                let _ = write!(line, ", {}.{:06} s after boot", usec / 1_000_000, usec % 1_000_000);
            }
            (None, Some(wall)) => {
                let _ = write!(line, ", {}", escape(wall));
            }
            (None, None) => {}
        }
        line
    }

    fn numbers(&self, lines: &mut Vec<String>) {
        let usages: Vec<String> =
            [("memory", self.memory), ("swap", self.swap), ("memory+swap", self.memory_swap), ("kmem", self.kmem)]
                .into_iter()
                .filter_map(|(name, usage)| Some(format!("{name} {}", shown(usage?))))
                .collect();
        if !usages.is_empty() {
            lines.push(format!("  usage: {}", usages.join(", ")));
        }
        if let Some(protection) = self.protection {
            let (min, low) = (size(protection.min_bytes), size(protection.low_bytes));
            lines.push(format!("  protected of the groups below: {min} by memory.min, {low} by memory.low"));
        }
    }

    fn asked(&self, lines: &mut Vec<String>) {
        if let Some(invoker) = &self.invoker {
            let mut line = format!("  invoker: {}", named(&invoker.comm, invoker.pid));
            if let Some(flags) = invoker.gfp_flags.as_ref().or(invoker.gfp_mask.as_ref()) {
                let _ = write!(line, ", {flags}");
            }
            if let Some(order) = invoker.order {
                let _ = write!(line, ", order {order}");
            }
            if let Some(adj) = invoker.oom_score_adj {
                let _ = write!(line, ", oom_score_adj {adj}");
            }
            if let Some(cpu) = self.cpu {
                let _ = write!(line, ", on CPU {cpu}");
            }
            lines.push(line);
        }
        let mut confined = Vec::new();
        if let Some(constraint) = &self.constraint {
            confined.push(constraint.clone());
        }
        for (name, value) in
            [("nodemask", &self.nodemask), ("cpuset", &self.cpuset), ("mems_allowed", &self.mems_allowed)]
        {
            if let Some(value) = value {
                confined.push(format!("{name} {}", escape(value)));
            }
        }
        if !confined.is_empty() {
            lines.push(format!("  confined by: {}", confined.join(", ")));
        }
    }

    fn statistics(&self, lines: &mut Vec<String>) {
        let mut list = |title: String, stat: &Stat| {
            if !stat.is_empty() {
                lines.push(title);
                wrapped(lines, stat.iter().map(|(name, value)| format!("{name} {value}")));
            }
        };
        let cut = if self.stat_truncated { " (the kernel cut them)" } else { "" };
        list(format!("  statistics{cut}:"), &self.stat);
        for group in &self.stats {
            list(format!("  statistics of {}:", escape(&group.path)), &group.stat);
        }
    }

    fn choice(&self, lines: &mut Vec<String>) {
        if !self.tasks.is_empty() {
            let page = self.page_bytes.map_or_else(String::new, |bytes| format!(" of {} KiB", bytes >> 10));
            lines.push(format!("  tasks: {}, sizes in pages{page}", self.tasks.len()));
            lines.extend(self.tasks.iter().map(|task| format!("    {}", row(task))));
        }
        if let Some(chosen) = &self.chosen {
            let mut line = format!("  chosen: {}", named(&chosen.comm, Some(chosen.pid)));
            if let Some(uid) = chosen.uid {
                let _ = write!(line, ", uid {uid}");
            }
            if let Some(group) = &self.task_memcg {
                let _ = write!(line, ", in {}", escape(group));
            }
            lines.push(line);
        }
        if let Some(sacrifice) = &self.sacrifice {
            let score = sacrifice.score.map_or_else(|| "unknown".to_string(), |score| score.to_string());
            lines.push(format!("  its score: {score}; a child of it may be taken instead"));
        }
    }

    fn kill(&self, lines: &mut Vec<String>) {
        lines.extend(self.kills.iter().map(killed));
        if let Some(group) = &self.group_kill {
            lines.push(format!("  the whole group {} was killed", escape(group)));
        }
        for (processes, what) in [
            (&self.shared_memory, "killed as it shares the memory"),
            (&self.pinned, "holds a victim's memory and could not be killed"),
            (&self.already_exiting, "was ending anyway and was spared"),
        ] {
            lines.extend(processes.iter().map(|one| format!("  {what}: {}", named(&one.comm, Some(one.pid)))));
        }
        if self.no_killable {
            lines.push("  nobody could be killed".to_string());
        }
        for reaped in &self.reaper {
            let mut line = format!("  reaper: {}", named(&reaped.comm, Some(reaped.pid)));
            line.push_str(if reaped.reaped { " was reaped" } else { " could not be reaped" });
            for (name, bytes) in
                [("anon", reaped.anon_rss_bytes), ("file", reaped.file_rss_bytes), ("shmem", reaped.shmem_rss_bytes)]
            {
                if let Some(bytes) = bytes {
                    let _ = write!(line, ", {name} {} left", size(bytes));
                }
            }
            lines.push(line);
        }
    }
}

fn killed(kill: &Kill) -> String {
    let mut line = format!("  killed: {}", named(&kill.comm, Some(kill.pid)));
    if let Some(uid) = kill.uid {
        let _ = write!(line, ", uid {uid}");
    }
    for (name, bytes) in [
        ("anon", kill.anon_rss_bytes),
        ("file", kill.file_rss_bytes),
        ("shmem", kill.shmem_rss_bytes),
        ("page tables", kill.pgtables_bytes),
        ("address space", kill.total_vm_bytes),
    ] {
        if let Some(bytes) = bytes {
            let _ = write!(line, ", {name} {}", size(bytes));
        }
    }
    if let Some(adj) = kill.oom_score_adj {
        let _ = write!(line, ", oom_score_adj {adj}");
    }
    line
}

/// A row of the task table with the columns that this kernel prints.
fn row(task: &Task) -> String {
    let mut line = format!("{:<16} pid {:<7}", escape(&task.comm), task.pid);
    if let Some(tgid) = task.tgid.filter(|tgid| *tgid != task.pid) {
        let _ = write!(line, " tgid {tgid}");
    }
    if let Some(uid) = task.uid {
        let _ = write!(line, " uid {uid}");
    }
    for (name, value) in [
        ("total_vm", task.total_vm_pages),
        ("rss", task.rss_pages),
        ("anon", task.rss_anon_pages),
        ("file", task.rss_file_pages),
        ("shmem", task.rss_shmem_pages),
        ("pgtables_bytes", task.pgtables_bytes),
        ("nr_ptes", task.nr_ptes),
        ("nr_pmds", task.nr_pmds),
        ("nr_puds", task.nr_puds),
        ("swapents", task.swapents_pages),
    ] {
        if let Some(value) = value {
            let _ = write!(line, " {name} {value}");
        }
    }
    if let Some(adj) = task.oom_score_adj {
        let _ = write!(line, " oom_score_adj {adj}");
    }
    line
}

fn framed(frame: &TraceFrame) -> String {
    let mark = if frame.uncertain { "? " } else { "" };
    let module = frame.module.as_ref().map_or(String::new(), |module| format!(" [{module}]"));
    format!("{mark}{}+0x{:x}/0x{:x}{module}", frame.function, frame.offset, frame.size)
}

/// Adds a list, separated by commas, in indented lines.
fn wrapped(lines: &mut Vec<String>, items: impl Iterator<Item = String>) {
    let mut line = String::new();
    for item in items {
        if !line.is_empty() {
            line.push(',');
            if line.len() + item.len() + 5 > WIDTH {
                lines.push(format!("    {line}"));
                line.clear();
            } else {
                line.push(' ');
            }
        }
        line.push_str(&item);
    }
    if !line.is_empty() {
        lines.push(format!("    {line}"));
    }
}

fn named(comm: &[u8], pid: Option<i32>) -> String {
    match pid {
        Some(pid) => format!("{} ({pid})", escape(comm)),
        None => escape(comm),
    }
}

fn shown(usage: Usage) -> String {
    let mut line = match usage.limit_bytes {
        Some(limit) => format!("{} of {}", size(usage.usage_bytes), size(limit)),
        None => format!("{} (no limit)", size(usage.usage_bytes)),
    };
    if usage.failcnt > 0 {
        let _ = write!(line, " (hit {} times)", usage.failcnt);
    }
    line
}

/// Exact in the largest unit that divides it.
fn size(bytes: u64) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes != 0 && bytes % (1 << shift) == 0 {
            return format!("{} {unit}", bytes >> shift);
        }
    }
    format!("{bytes} B")
}
