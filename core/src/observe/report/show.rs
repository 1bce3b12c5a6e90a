//! A report for people: everything that it holds, a line for each thing.

use std::fmt::Write;

use self::words::{dated, filled, hanging, named, part, shown, size, wrapped};
use super::sum_up::in_words;
use super::{consumers, why, Kill, Report, Scope, Stat, Task, TraceFrame};
use crate::order::order_long;
use crate::text::escape;

mod words;

/// Lists of statistics and frames are broken before this column.
const WIDTH: usize = 118;

impl Report {
    /// All of the report as text for a person, without a newline at the end: whose memory, who asked, what was in use,
    /// who was there, who was chosen and killed, and what is missing. The kernel's own lines are in
    /// [`text`](Report::text).
    pub fn to_text(&self) -> String {
        let mut lines = vec![self.headline()];
        self.answer(&mut lines);
        self.numbers(&mut lines);
        self.memory_of_machine(&mut lines);
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

    /// The report on one line: when, whose memory, what was killed, and who held the most.
    pub fn to_line(&self) -> String {
        let mut line = match (self.time_usec, &self.logged_at) {
            (Some(usec), _) => format!("[{:>5}.{:06}] ", usec / 1_000_000, usec % 1_000_000),
            (None, Some(wall)) => format!("{} ", dated(wall)),
            (None, None) => String::new(),
        };
        line.push_str(&match (&self.workload, &self.oom_memcg, self.scope) {
            (Some(workload), ..) => workload.words.clone(),
            (None, Some(group), _) => format!("group {}", escape(group)),
            (None, None, Some(Scope::Global)) => "the machine".to_string(),
            (None, None, Some(Scope::Memcg)) => "a group that the log does not name".to_string(),
            (None, None, None) => "out of memory".to_string(),
        });
        if let Some(limit) = self.memory.and_then(|memory| memory.limit_bytes) {
            let _ = write!(line, ", limit {}", why::size(limit));
        }
        let _ = match (&self.kills[..], &self.chosen) {
            ([], _) if self.no_killable => write!(line, ": nobody could be killed"),
            ([], Some(chosen)) => write!(line, ": {} chosen", named(&chosen.comm, Some(chosen.pid))),
            ([], None) => write!(line, ": nobody killed that the log tells"),
            ([kill, others @ ..], _) => {
                let held = kill.anon_rss_bytes.map_or(String::new(), |bytes| format!(", anon {}", why::size(bytes)));
                let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
                write!(line, ": killed {}{held}{more}", named(&kill.comm, Some(kill.pid)))
            }
        };
        if let Some(most) = self.consumers.first().filter(|most| !most.killed) {
            let what = most.comm.as_ref().map_or_else(|| in_words(most.what).to_string(), |comm| named(comm, most.pid));
            let _ = write!(line, "; most was held by {what}, {}", why::size(most.bytes));
        }
        line
    }

    /// The answer first, then what can be done and who held the memory.
    fn answer(&self, lines: &mut Vec<String>) {
        if let Some(summary) = &self.summary {
            lines.extend(filled(summary, WIDTH - 2).into_iter().map(|line| format!("  {line}")));
        }
        for finding in &self.findings {
            let told = self.summary.as_ref().is_some_and(|summary| summary.contains(&finding.text));
            if !told {
                hanging(lines, "  - ", &finding.text);
            }
            if let Some(remedy) = &finding.remedy {
                hanging(lines, if told { "  remedy: " } else { "      remedy: " }, remedy);
            }
        }
        let mut shown: Vec<&str> = Vec::new();
        for workload in [&self.workload, &self.victim_workload].into_iter().flatten() {
            if let Some(ask) = workload.ask.as_deref().filter(|ask| !shown.contains(ask)) {
                lines.push(format!("  more about {}: {ask}", workload.words));
                shown.push(ask);
            }
        }
        if !self.consumers.is_empty() {
            lines.push("  held by:".to_string());
        }
        for one in &self.consumers {
            let share = part(one.percent);
            let what = match &one.comm {
                Some(comm) => named(comm, one.pid),
                None => format!("no process: {}", in_words(one.what)),
            };
            let swap = one.swap_bytes.map_or(String::new(), |bytes| format!(", and {} in swap", why::size(bytes)));
            let killed = if one.killed { ", killed" } else { "" };
            lines.push(format!("    {:>10}  {share}  {what}{swap}{killed}", why::size(one.bytes)));
        }
    }

    /// Mem-Info, a line for each zone.
    fn memory_of_machine(&self, lines: &mut Vec<String>) {
        let Some(info) = &self.mem_info else { return };
        let size = |bytes: Option<u64>| bytes.map_or("unknown".to_string(), why::size);
        if let Some(total) = info.swap_total_bytes {
            lines.push(format!("  swap: {} of {} free", size(info.swap_free_bytes), why::size(total)));
        }
        for node in &info.nodes {
            // Of some only the name is in the log.
            for zone in node.zones.iter().filter(|zone| zone.free_bytes.is_some() || !zone.free_blocks.is_empty()) {
                let largest = zone.free_blocks.iter().rev().find(|block| block.count > 0 && !zone.blocks_cut);
                let block = largest
                    .map_or(String::new(), |block| format!(", the largest free block {}", why::size(block.bytes)));
                let cma = zone.free_cma_bytes.filter(|bytes| *bytes > 0);
                let cma = cma.map_or(String::new(), |bytes| format!(", {} of it for CMA alone", why::size(bytes)));
                lines.push(format!(
                    "  node {} zone {}: {} free of {} (min {}, low {}, high {}){block}{cma}",
                    node.node,
                    zone.name,
                    size(zone.free_bytes),
                    size(zone.managed_bytes.or(zone.present_bytes)),
                    size(zone.min_bytes),
                    size(zone.low_bytes),
                    size(zone.high_bytes)
                ));
            }
            for huge in node.huge_pages.iter().filter(|huge| huge.total > 0) {
                lines.push(format!(
                    "  node {} huge pages of {}: {} set aside, {} free",
                    node.node,
                    why::size(huge.size_bytes),
                    huge.total,
                    huge.free
                ));
            }
        }
        if !info.pages.is_empty() {
            lines.push("  the machine's memory in pages:".to_string());
            wrapped(lines, info.pages.iter().map(|(name, value)| format!("{name} {value}")));
        }
        let mut slabs: Vec<_> = info.slabs.iter().collect();
        order_long(&mut slabs, |slab| !slab.total_bytes);
        if !slabs.is_empty() {
            lines.push("  unreclaimable slab:".to_string());
            wrapped(lines, slabs.into_iter().map(|slab| format!("{} {}", slab.name, why::size(slab.total_bytes))));
        }
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
                let _ = write!(line, ", {}", dated(wall));
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
            let named = invoker.gfp_flags.as_ref().filter(|flags| !flags.is_empty());
            if let Some(flags) = named.or(invoker.gfp_mask.as_ref()) {
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
            let page = self.page();
            let pages = page.map_or_else(String::new, |bytes| format!(" of {} KiB", bytes >> 10));
            let mut tasks: Vec<&Task> = self.tasks.iter().collect();
            // Whose pages nobody tells stand last.
            order_long(&mut tasks, |task| task.held_pages().map_or(u64::MAX, |pages| (!pages).saturating_sub(1)));
            let total = self.total_bytes();
            let bytes = |task: &Task| task.held_pages().zip(page).and_then(|(pages, page)| pages.checked_mul(page));
            let share = |task: &Task| consumers::percent(bytes(task)?, total);
            let more = if tasks.iter().any(|task| share(task) > Some(100)) {
                "; above 100 %: pages that others are charged for are resident too"
            } else {
                ""
            };
            let count = tasks.len();
            lines.push(format!("  tasks: {count}, the largest first, columns in pages{pages}{more}"));
            lines.extend(tasks.into_iter().map(|task| {
                let held = bytes(task).map_or("unknown".to_string(), why::size);
                format!("    {held:>10} {}  {}", part(share(task)), row(task))
            }));
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
    let pid = if task.pid == 0 { "unknown".to_string() } else { task.pid.to_string() };
    let mut line = format!("{:<16} pid {pid:<7}", escape(&task.comm));
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
    let place =
        frame.offset.zip(frame.size).map_or(String::new(), |(offset, size)| format!("+0x{offset:x}/0x{size:x}"));
    format!("{mark}{}{place}{module}", frame.function)
}
