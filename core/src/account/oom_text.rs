//! The account of an OOM the way a person reads it.

use std::fmt::Write;

use super::oom::{Cause, Oom};
use crate::memcg::limits::human_size;
use crate::text::escape;

impl Oom {
    /// The account as text for a person: a few lines, the call path with what each step does, and what is missing.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.headline(&mut text);
        self.numbers(&mut text);
        self.choice(&mut text);
        self.path(&mut text);
        for disagreement in &self.disagreements {
            let because = disagreement.because.as_deref().unwrap_or("no known cause fits");
            let _ = writeln!(text, "  disagrees   {}: {because}", disagreement.says);
        }
        for missing in &self.missing {
            let _ = writeln!(text, "  missing     {}: {}", missing.source, missing.reason);
        }
        text
    }

    fn headline(&self, text: &mut String) {
        let place = self.limit_group.as_deref().unwrap_or("a group that no source names");
        let limit = match self.limit_bytes {
            Some(bytes) => format!("limit {}", human_size(bytes)),
            None if self.limit_is_known() => "no limit".to_string(),
            None => "limit unknown".to_string(),
        };
        let _ = match (self.victims.as_slice(), self.blocked.as_slice()) {
            ([], []) if self.names_nobody() => {
                writeln!(text, "OOM in {place} ({limit}): a process was killed, and no source tells which")
            }
            ([], []) => writeln!(text, "OOM in {place} ({limit}): the kernel killed nobody"),
            ([], blocked) => {
                let names: Vec<String> =
                    blocked.iter().map(|one| format!("{} (pid {})", escape(&one.comm), one.pid)).collect();
                writeln!(text, "OOM in {place} ({limit}): the OOM killer is off, and {} waits", names.join(", "))
            }
            (victims, _) => {
                let names: Vec<String> =
                    victims.iter().map(|one| format!("{} (pid {})", escape(&one.comm), one.pid)).collect();
                writeln!(text, "OOM in {place} ({limit}): the kernel killed {}", names.join(", "))
            }
        };
    }

    fn numbers(&self, text: &mut String) {
        if let Some(invoker) = &self.invoker {
            let _ = writeln!(
                text,
                "  invoker     {} (pid {}): the limit was hit in its charge",
                escape(&invoker.comm),
                invoker.pid
            );
        }
        let size = |bytes: Option<u64>| bytes.map_or("unknown".to_string(), human_size);
        let _ = writeln!(
            text,
            "  usage       {} before, {} after",
            size(self.usage_bytes.before),
            size(self.usage_bytes.after)
        );
        let (before, after) = (&self.counters.before, &self.counters.after);
        let mut counters = Vec::new();
        for (name, before, after) in [
            ("oom", before.oom, after.oom),
            ("oom_kill", before.oom_kill, after.oom_kill),
            ("oom_group_kill", before.oom_group_kill, after.oom_group_kill),
            ("max", before.max, after.max),
            ("failcnt", before.failcnt, after.failcnt),
        ] {
            if let (Some(before), Some(after)) = (before, after) {
                counters.push(format!("{name} {before} -> {after}"));
            }
        }
        if let Some(under_oom) = after.under_oom {
            counters.push(format!("under_oom {}", u8::from(under_oom)));
        }
        if !counters.is_empty() {
            let _ = writeln!(text, "  counters    {}", counters.join(", "));
        }
    }

    fn choice(&self, text: &mut String) {
        match &self.predicted {
            Some(predicted) => {
                let verdict = match (self.predicted_right(), predicted.determined) {
                    (Some(true), _) => ", and the kernel chose it",
                    (Some(false), true) => ", and the kernel chose another",
                    (Some(false), false) => ", and the kernel chose another; the scores were too close to tell",
                    (None, _) => "",
                };
                let from = if predicted.source == "procfs" { "before the step" } else { "from the kernel's own table" };
                let _ = writeln!(
                    text,
                    "  predicted   {} (pid {}), score {} pages, {from}{verdict}",
                    escape(&predicted.comm),
                    predicted.pid,
                    predicted.score
                );
            }
            None => {
                let _ = writeln!(text, "  predicted   nobody: there was nothing to compute it from");
            }
        }
        for candidate in &self.candidates {
            let _ = writeln!(text, "    {}", candidate.line());
        }
        for victim in &self.victims {
            let cause = match victim.cause {
                Cause::Selected => "selected",
                Cause::Group => "memory.oom.group",
                Cause::SharedMm => "shared the victim's memory",
            };
            let size = victim.anon_rss_bytes.map_or(String::new(), |bytes| format!(", anon-rss {}", human_size(bytes)));
            let _ = writeln!(
                text,
                "  victim      {} (pid {}): {cause}{size}; by {}",
                escape(&victim.comm),
                victim.pid,
                victim.sources.join(", ")
            );
        }
        for one in &self.blocked {
            let wchan = one.wchan.as_deref().unwrap_or("unknown");
            let _ = writeln!(
                text,
                "  blocked     {} (pid {}): state {}, waits in {wchan}",
                escape(&one.comm),
                one.pid,
                one.state
            );
        }
    }

    fn path(&self, text: &mut String) {
        if !self.call_path.is_empty() {
            let _ = writeln!(text, "  call path   the innermost function first");
            for frame in &self.call_path {
                let offset = frame.offset.map_or(String::new(), |offset| format!("+0x{offset:x}"));
                let place = format!("{}{offset}", frame.function);
                let _ = match (frame.step(), frame.explain()) {
                    (Some(step), Some(what)) => writeln!(text, "    {place:<44} {:<8} {what}", step.name()),
                    _ => writeln!(text, "    {place}"),
                };
            }
        }
        if let Some(report) = &self.report {
            let _ = writeln!(text, "  report      as the kernel printed it");
            for line in report.text.lines() {
                let _ = writeln!(text, "    | {line}");
            }
        }
    }
}
