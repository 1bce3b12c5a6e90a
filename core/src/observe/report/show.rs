//! A report for people: a few lines that name who, whose limit and how much.

use std::fmt::Write;

use super::{Report, Scope, Usage};

impl Report {
    /// A short description in a few lines, without a newline at the end.
    pub fn to_text(&self) -> String {
        let mut lines = vec![self.headline()];
        let mut usages = Vec::new();
        for (name, usage) in
            [("memory", self.memory), ("swap", self.swap), ("memory+swap", self.memory_swap), ("kmem", self.kmem)]
        {
            if let Some(usage) = usage {
                usages.push(format!("{name} {}", shown(usage)));
            }
        }
        if !usages.is_empty() {
            lines.push(format!("  usage: {}", usages.join(", ")));
        }
        if let Some(invoker) = &self.invoker {
            let mut line = format!("  invoker: {}", named(&invoker.comm, invoker.pid));
            if let Some(flags) = invoker.gfp_flags.as_ref().or(invoker.gfp_mask.as_ref()) {
                let _ = write!(line, ", {flags}");
            }
            if let Some(order) = invoker.order {
                let _ = write!(line, ", order {order}");
            }
            lines.push(line);
        }
        if let Some(chosen) = &self.chosen {
            lines.push(format!("  chosen: {} of {} tasks", named(&chosen.comm, Some(chosen.pid)), self.tasks.len()));
        }
        for kill in &self.kills {
            let mut line = format!("  killed: {}", named(&kill.comm, Some(kill.pid)));
            if let Some(anon) = kill.anon_rss_bytes {
                let _ = write!(line, ", anon {}", size(anon));
            }
            if let Some(adj) = kill.oom_score_adj {
                let _ = write!(line, ", oom_score_adj {adj}");
            }
            lines.push(line);
        }
        if let Some(group) = &self.group_kill {
            lines.push(format!("  the whole group {} was killed", crate::text::escape(group)));
        }
        if self.no_killable {
            lines.push("  nobody could be killed".to_string());
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
            let _ = write!(line, " in {}", crate::text::escape(group));
        }
        if let Some(release) = &self.release {
            let _ = write!(line, ", kernel {}", crate::text::escape(release));
        }
        match (self.time_usec, &self.logged_at) {
            (Some(usec), _) => {
                let _ = write!(line, ", {}.{:06} s after boot", usec / 1_000_000, usec % 1_000_000);
            }
            (None, Some(wall)) => {
                let _ = write!(line, ", {}", crate::text::escape(wall));
            }
            (None, None) => {}
        }
        line
    }
}

fn named(comm: &[u8], pid: Option<i32>) -> String {
    match pid {
        Some(pid) => format!("{} ({pid})", crate::text::escape(comm)),
        None => crate::text::escape(comm),
    }
}

fn shown(usage: Usage) -> String {
    match usage.limit_bytes {
        Some(limit) => format!("{} of {}", size(usage.usage_bytes), size(limit)),
        None => format!("{} (no limit)", size(usage.usage_bytes)),
    }
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
