//! The answer in a few sentences: what ran out and why, who held it, and why this one was killed.

use super::why::{named, size};
use super::{Consumer, Report, Scope, Task};
use crate::text::escape;

/// Findings that say why memory ran out although some looks free; one of them belongs into the answer.
const CAUSES: [&str; 7] =
    ["manual", "cpuset-confined", "mempolicy-confined", "dma-zone", "lowmem-exhausted", "fragmentation", "cma-only"];
/// Consumers with less than this many hundredths are left to the list.
const WORTH: u64 = 5;

impl Report {
    /// `None` where the report holds nothing to be told.
    pub(super) fn sum_up(&self) -> Option<String> {
        let cause = self.findings.iter().find(|finding| CAUSES.contains(&finding.code));
        let asked = cause.is_some_and(|cause| cause.code == "manual");
        let sentences = [
            self.what_ran_out().filter(|_| !asked),
            cause.map(|cause| cause.text.clone()),
            self.who_held(),
            self.why_this_victim(),
        ];
        let sentences: Vec<String> = sentences.into_iter().flatten().collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }

    fn what_ran_out(&self) -> Option<String> {
        if self.scope == Some(Scope::Global) {
            let info = self.mem_info.as_ref();
            let sizes = info.and_then(|info| Some((info.counted("free")?, info.total_bytes?)));
            return Some(match sizes {
                Some((free, total)) => {
                    format!("The machine ran out of memory: {} of {} were free.", size(free), size(total))
                }
                None => "The machine ran out of memory.".to_string(),
            });
        }
        self.scope?;
        let path = self.oom_memcg.as_deref().map(escape);
        let whose = match (&self.workload, path) {
            (Some(workload), _) => capital(&workload.words),
            (None, Some(path)) => format!("The group {path}"),
            (None, None) => "A memory cgroup".to_string(),
        };
        let its = if whose.starts_with("All ") { "their" } else { "its" };
        Some(match self.memory.and_then(|memory| Some((memory.usage_bytes, memory.limit_bytes?))) {
            Some((_, limit)) => format!("{whose} reached {its} memory limit of {}.", size(limit)),
            None => format!("{whose} reached {its} memory limit."),
        })
    }

    fn who_held(&self) -> Option<String> {
        let worth = |one: &&Consumer| one.percent.is_some_and(|share| share >= WORTH);
        let told = |one: &Consumer, name: String| format!("{name} held {}{}", size(one.bytes), share(one));
        let mut parts: Vec<String> = Vec::new();
        // Without a table the sentence about the victim tells it.
        let processes = self.consumers.iter().filter(|one| one.pid.is_some() && !self.tasks.is_empty());
        parts.extend(
            processes
                .take(2)
                .enumerate()
                .filter(|(at, one)| *at == 0 || worth(one))
                .map(|(_, one)| told(one, named(one))),
        );
        let unheld = self.consumers.iter().filter(|one| one.pid.is_none() && worth(one)).take(2);
        let unheld: Vec<String> =
            unheld.map(|one| format!("{} of {}{}", size(one.bytes), in_words(one.what), share(one))).collect();
        let mut text = parts.join(", ");
        if !unheld.is_empty() {
            let lead = if text.is_empty() { "No process holds the " } else { "; no process holds the " };
            text.push_str(lead);
            text.push_str(&unheld.join(" and the "));
        }
        (!text.is_empty()).then(|| format!("{text}."))
    }

    fn why_this_victim(&self) -> Option<String> {
        if self.no_killable {
            return Some("The kernel found nobody that it may kill.".to_string());
        }
        let kill = self.kills.first();
        let (comm, pid) = match (kill, &self.chosen) {
            (Some(kill), _) => (&kill.comm, kill.pid),
            (None, Some(chosen)) => (&chosen.comm, chosen.pid),
            (None, None) => return None,
        };
        let victim = crate::text::named(comm, pid);
        let others = match self.kills.len() {
            0 => return Some(format!("The kernel chose {victim}; no line says that it was killed.")),
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let mut text = format!("The kernel killed {victim}{others}");
        match self.reason(pid) {
            Some(reason) => text.push_str(&format!(": {reason}.")),
            None => {
                if let Some(bytes) = kill.and_then(|kill| kill.anon_rss_bytes).filter(|_| self.tasks.is_empty()) {
                    text.push_str(&format!(", which held {} of anonymous memory", size(bytes)));
                }
                text.push('.');
            }
        }
        Some(text)
    }

    fn reason(&self, pid: i32) -> Option<String> {
        if self.text.contains("(oom_kill_allocating_task)") {
            return Some("it was the one that asked (vm.oom_kill_allocating_task)".to_string());
        }
        if let Some(chosen) = self.chosen.as_ref().filter(|_| self.sacrifice.is_some()) {
            let named = crate::text::named(&chosen.comm, chosen.pid);
            match self.process_of(chosen.pid) {
                _ if chosen.pid == pid => {}
                Some(process) if process == pid => {}
                Some(_) => return Some(format!("a child of {named}, which was chosen")),
                // Kernels of this form choose any thread, and their table lists processes alone.
                None => return Some(format!("{named} was chosen, which is a thread of it or its parent")),
            }
        }
        let victim = self.tasks.iter().find(|task| task.pid == pid || task.process() == pid)?;
        let points = self.points(victim)?;
        let best = self
            .tasks
            .iter()
            .filter(|task| task.process() != victim.process() && task.oom_score_adj != Some(-1000))
            .filter_map(|task| self.points(task))
            .max();
        let adj = victim.oom_score_adj.unwrap_or(0);
        if best.is_some_and(|best| best > points) {
            return None;
        }
        Some(match (best, adj) {
            (None, _) => "it was the only one that may be killed".to_string(),
            (Some(_), 0) => "it had the highest score, by its size".to_string(),
            (Some(_), adj) => format!("it had the highest score, with an oom_score_adj of {adj}"),
        })
    }

    /// The points that the kernel compares, in pages.
    fn points(&self, task: &Task) -> Option<i64> {
        let page = self.page()?;
        let tables = task.pgtables_bytes.map(|bytes| bytes / page).or(task.nr_ptes).unwrap_or(0);
        let held = task.rss_pages?.saturating_add(task.swapents_pages.unwrap_or(0)).saturating_add(tables);
        let all = match self.scope {
            Some(Scope::Global) => {
                let info = self.mem_info.as_ref()?;
                info.total_bytes?.saturating_add(info.swap_total_bytes.unwrap_or(0))
            }
            _ => self.memory?.limit_bytes?,
        };
        let adj = i64::from(task.oom_score_adj?);
        let all = i64::try_from(all / page).ok()?;
        Some(i64::try_from(held).ok()?.saturating_add(adj.saturating_mul(all / 1000)))
    }
}

/// A kind of memory as a sentence names it.
pub(super) fn in_words(what: &str) -> &'static str {
    match what {
        "shared-memory" => "shared memory (tmpfs, memfd)",
        "page-cache" => "page cache",
        "slab" => "unreclaimable slab",
        "reclaimable-slab" => "reclaimable slab",
        "kernel-stacks" => "kernel stacks",
        "page-tables" => "page tables",
        "sockets" => "socket buffers",
        "percpu" => "per-CPU memory",
        "vmalloc" => "vmalloc memory",
        "huge-pages" => "huge pages that were set aside",
        "kernel" => "kernel memory",
        "untold" => "what no number tells (drivers, balloon)",
        _ => "processes",
    }
}

/// Its part of the whole; a process that held next to nothing is said to.
fn share(one: &Consumer) -> String {
    match one.percent {
        None => String::new(),
        Some(0) => " (less than 1 %)".to_string(),
        Some(percent @ ..=100) => format!(" ({percent} %)"),
        Some(_) if one.pid.is_some() => " (more than all, with pages that others are charged for)".to_string(),
        Some(_) => " (more than all)".to_string(),
    }
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
