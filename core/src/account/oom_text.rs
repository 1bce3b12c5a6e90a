//! The account of an OOM the way a person reads it.

use std::fmt::Write;

use super::oom::{Cause, Oom, Victim};
use crate::memcg::limits::human_size;
use crate::memcg::version::Version;
use crate::memcg::Workload;
use crate::text::{escape, named};

/// A short text has so many lines at most.
pub(super) const SHORT_LINES: usize = 15;
/// And so many rows of holders and of victims.
const SHORT_HOLDERS: usize = 3;
const SHORT_VICTIMS: usize = 2;
/// So long is a line of the summary at most, where a word does not need more.
const WIDTH: usize = 110;

impl Oom {
    /// The whole account as text for a person: the summary, what filled the limit and who held it, the findings, the choice,
    /// the call path with what each step does, and what is missing.
    pub fn to_text(&self) -> String {
        let mut text = wrapped(&self.summary);
        self.headline(&mut text);
        self.numbers(&mut text);
        self.memory(&mut text, usize::MAX);
        self.answers(&mut text);
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

    /// The account in 15 lines at most: the summary, whose limit, what filled it, who held it, and why this one died. The
    /// call path, the kernel's own lines and the sources stand in [`Oom::to_text`].
    pub fn to_short_text(&self) -> String {
        let mut text = wrapped(&self.summary);
        self.headline(&mut text);
        self.numbers(&mut text);
        self.memory(&mut text, SHORT_HOLDERS);
        self.predicted_line(&mut text);
        for victim in self.victims.iter().take(SHORT_VICTIMS) {
            self.victim_line(&mut text, victim);
        }
        shortened(&text, SHORT_LINES)
    }

    /// What filled the limit, and who held so much of it.
    fn memory(&self, text: &mut String, most_holders: usize) {
        if let Some(made) = &self.composition {
            let parts = [
                ("anon", made.anon_bytes),
                ("file", made.file_bytes),
                ("shmem", made.shmem_bytes),
                ("kernel", made.kernel_bytes),
                ("sock", made.sock_bytes),
                ("swap", made.swap_bytes),
            ];
            let parts: Vec<String> =
                parts.iter().filter_map(|(name, bytes)| Some(format!("{name} {}", human_size((*bytes)?)))).collect();
            let _ = writeln!(text, "  holds       {} (by {})", parts.join(", "), made.source);
        }
        for holder in self.holders.iter().take(most_holders) {
            let size = |bytes: Option<u64>| bytes.map_or("unknown".to_string(), human_size);
            let who = match (holder.what, holder.pid) {
                (Some(what), _) => what.to_string(),
                (None, pid) => {
                    let comm = escape(holder.comm.as_deref().unwrap_or_default());
                    pid.map_or(comm.clone(), |pid| format!("{comm} (pid {pid})"))
                }
            };
            let grown = holder.grown_bytes.map_or(String::new(), |grown| format!(", grown by {}", human_size(grown)));
            let of = self.of_another(holder.workload.as_ref(), holder.group.as_deref());
            let _ = writeln!(
                text,
                "    holder    {who}{of}: anon {}, shmem {}, file {}{grown}",
                size(holder.anon_bytes),
                size(holder.shmem_bytes),
                size(holder.file_bytes)
            );
        }
        if most_holders > 1 && self.is_shared() {
            let _ = writeln!(text, "    note      each row counts the pages that it shares with others");
        }
    }

    /// The findings, each with what can be done.
    fn answers(&self, text: &mut String) {
        for finding in &self.findings {
            let _ = writeln!(text, "  why         {}: {}", finding.code, finding.text);
            if let Some(remedy) = &finding.remedy {
                let _ = writeln!(text, "    remedy    {remedy}");
            }
        }
    }

    fn headline(&self, text: &mut String) {
        let group = self.limit_group.as_deref().unwrap_or("a group that no source names");
        let place = self.limit_words().map_or(group.to_string(), |words| format!("{group}, {words}"));
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
                let names: Vec<String> = blocked.iter().map(|one| named(&one.comm, one.pid)).collect();
                writeln!(text, "OOM in {place} ({limit}): the OOM killer is off, and {} waits", names.join(", "))
            }
            (victims, _) => {
                let names: Vec<String> = victims.iter().map(|one| named(&one.comm, one.pid)).collect();
                writeln!(text, "OOM in {place} ({limit}): the kernel killed {}", names.join(", "))
            }
        };
    }

    fn numbers(&self, text: &mut String) {
        if let Some(invoker) = &self.invoker {
            // Who lowers a limit charges nothing.
            let lowers = self.call_path.iter().any(|frame| frame.function == "memory_max_write");
            let did = if lowers { "it set the limit below the usage" } else { "the limit was hit in its charge" };
            let _ = writeln!(text, "  invoker     {}: {did}", named(&invoker.comm, invoker.pid));
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
            // With equal limits of memory and memory+swap (v1) the charge fails at the second, which no file counts.
            // A kill is counted in the group of the victim (v1), which need not be that of the limit.
            let counts_elsewhere =
                before == after && (name == "failcnt" || name == "oom_kill" && self.kills_elsewhere());
            if let (Some(before), Some(after)) = (before.filter(|_| !counts_elsewhere), after) {
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

    /// Whether all victims stood in other groups than that of the limit, whose own counter (v1) then stays as it is.
    fn kills_elsewhere(&self) -> bool {
        let elsewhere = |victim: &Victim| victim.group.is_some() && victim.group != self.limit_group;
        self.hierarchy == Version::V1 && !self.victims.is_empty() && self.victims.iter().all(elsewhere)
    }

    /// Whether the processes hold more together than is charged: after a fork each has its parent's pages.
    fn is_shared(&self) -> bool {
        let held: u64 = self.holders.iter().filter_map(|holder| holder.anon_bytes).sum();
        let charged = self.composition.as_ref().and_then(|made| made.anon_bytes);
        charged.is_some_and(|charged| held > charged + charged / 8)
    }

    /// Whom the formula names, and whether that was said before the kill.
    fn predicted_line(&self, text: &mut String) {
        let Some(predicted) = &self.predicted else { return };
        let who = format!("{}, score {} pages", named(&predicted.comm, predicted.pid), predicted.score);
        let close = if predicted.determined { "" } else { "; the scores were too close to tell" };
        let _ = match (predicted.made, self.predicted_right()) {
            ("before", Some(true)) => writeln!(text, "  predicted   {who}, before the step: as predicted"),
            ("before", Some(false)) => {
                writeln!(text, "  predicted   {who}, before the step: the kernel chose another{close}")
            }
            ("before", None) => writeln!(text, "  predicted   {who}, before the step"),
            (_, Some(true)) => writeln!(text, "  table       the choice agrees with the kernel's table: {who}"),
            (_, Some(false)) => {
                writeln!(text, "  table       the kernel's table names {who}: another was chosen{close}")
            }
            (_, None) => writeln!(text, "  table       the kernel's table names {who}"),
        };
    }

    fn choice(&self, text: &mut String) {
        self.predicted_line(text);
        for candidate in &self.candidates {
            let _ = writeln!(text, "    {}", candidate.line());
        }
        for victim in &self.victims {
            self.victim_line(text, victim);
        }
        for one in &self.blocked {
            let wchan = one.wchan.as_deref().unwrap_or("unknown");
            let _ =
                writeln!(text, "  blocked     {}: state {}, waits in {wchan}", named(&one.comm, one.pid), one.state);
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

    fn victim_line(&self, text: &mut String, victim: &Victim) {
        let cause = match victim.cause {
            Cause::Selected => "selected",
            Cause::Group => "memory.oom.group",
            Cause::SharedMm => "shared the victim's memory",
        };
        let size = victim.anon_rss_bytes.map_or(String::new(), |bytes| format!(", anon-rss {}", human_size(bytes)));
        let of = self.of_another(victim.workload.as_ref(), victim.group.as_deref());
        let _ = writeln!(
            text,
            "  victim      {}{of}: {cause}{size}; by {}",
            named(&victim.comm, victim.pid),
            victim.sources.join(", ")
        );
    }

    /// Whose it is, where that is not the workload or the group of the limit, which stand in the headline.
    fn of_another(&self, workload: Option<&Workload>, group: Option<&str>) -> String {
        if let Some(of) = workload {
            let words = Some(of.words.as_str()).filter(|words| self.limit_words() != Some(words));
            return words.map_or(String::new(), |words| format!(", of {words}"));
        }
        let group =
            group.filter(|_| self.limit_group.is_some()).filter(|group| self.limit_group.as_deref() != Some(group));
        group.map_or(String::new(), |group| format!(", in {group}"))
    }
}

/// Lines of a width that can be read, each ending in a newline.
pub(super) fn wrapped(sentences: &str) -> String {
    let mut text = String::new();
    let mut length = 0;
    for word in sentences.split(' ').filter(|word| !word.is_empty()) {
        if length > 0 && length + 1 + word.len() > WIDTH {
            text.push('\n');
            length = 0;
        }
        if length > 0 {
            text.push(' ');
            length += 1;
        }
        text.push_str(word);
        length += word.len();
    }
    if length > 0 {
        text.push('\n');
    }
    text
}

/// The first lines of a text; where some are left out, the last one says so.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.lines().count() <= most {
        return text.to_string();
    }
    let mut short: String = text.lines().take(most - 1).flat_map(|line| [line, "\n"]).collect();
    short.push_str("  ...         the full text (--full) has the rest\n");
    short
}

#[cfg(test)]
mod tests {
    use super::{shortened, wrapped, WIDTH};
    use crate::account::composition::Composition;
    use crate::account::findings::tests::plain;
    use crate::account::holders::Holder;
    use crate::account::oom::Oom;
    use crate::memcg::version::Version;

    #[test]
    fn a_counter_of_v1_that_another_group_has_is_left_out() {
        let mut oom = Oom { hierarchy: Version::V1, ..plain() };
        for counters in [&mut oom.counters.before, &mut oom.counters.after] {
            counters.oom_kill = Some(0);
        }
        assert!(oom.to_text().contains("oom_kill 0 -> 0"), "{}", oom.to_text());
        oom.victims[0].group = Some("/lab/run/inner".to_string());
        assert!(!oom.to_text().contains("oom_kill"), "{}", oom.to_text());
        oom.hierarchy = Version::V2;
        assert!(oom.to_text().contains("oom_kill 0 -> 0"), "{}", oom.to_text());
    }

    #[test]
    fn rows_that_sum_up_to_more_than_is_charged_say_why() {
        let row = |pid| Holder { pid: Some(pid), anon_bytes: Some(6 << 20), ..Holder::default() };
        let mut oom = Oom { holders: vec![row(1), row(2)], ..plain() };
        for (charged, says) in [(12, false), (6, true)] {
            oom.composition = Some(Composition { anon_bytes: Some(charged << 20), ..Composition::default() });
            assert_eq!(oom.to_text().contains("counts the pages that it shares"), says, "{}", oom.to_text());
        }
    }

    #[test]
    fn sentences_are_wrapped_and_long_texts_are_cut() {
        let text = wrapped(&"word ".repeat(60));
        assert!(text.lines().count() > 1 && text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert_eq!(wrapped(""), "");
        assert_eq!(shortened("a\nb\n", 2), "a\nb\n");
        assert_eq!(shortened("a\nb\nc\n", 2), "a\n  ...         the full text (--full) has the rest\n");
    }
}
