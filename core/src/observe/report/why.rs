//! What a report means: findings of a group's OOM, and those that a group and the machine have in common.

use super::consumers::percent;
use super::{Consumer, Report, Scope, Task};
use crate::memcg::workload::workload;
use crate::observe::finding::Finding;
use crate::order::order_long;
use crate::text::escape;

mod global;

/// A kind of memory that has this many hundredths of all is worth a word.
pub(super) const MUCH: u64 = 25;

impl Report {
    /// Everything that follows from the report as a whole.
    pub(super) fn explain(&mut self) {
        self.workload = self.oom_memcg.as_deref().and_then(workload);
        self.victim_workload = self.task_memcg.as_deref().and_then(workload);
        self.consumers = self.find_consumers();
        self.findings = self.find();
        self.summary = self.sum_up();
    }

    fn find(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.scope == Some(Scope::Global) {
            global::find(self, &mut findings);
        } else if self.scope == Some(Scope::Memcg) {
            self.whose_limit(&mut findings);
        }
        findings.extend(self.before_start());
        self.who_holds(&mut findings);
        self.what_holds(&mut findings);
        self.swap(&mut findings);
        findings.extend(self.score_adjusted());
        self.ending(&mut findings);
        findings
    }

    fn whose_limit(&self, findings: &mut Vec<Finding>) {
        let (Some(limit), Some(task)) = (&self.oom_memcg, &self.task_memcg) else { return };
        let below = task.strip_prefix(limit.as_slice()).is_some_and(|rest| limit == b"/" || rest.starts_with(b"/"));
        if below && limit != task {
            let text = format!(
                "The limit belongs to a group above the victim's own: {} has it, and counts all groups below it together.",
                escape(limit)
            );
            findings.push(
                Finding::new("ancestor-limit", text)
                    .shown_by("oom_memcg", escape(limit))
                    .shown_by("task_memcg", escape(task))
                    .remedied_by("look at the sum of the groups below that limit, not at the victim's own limit"),
            );
        }
    }

    /// A container's runtime that dies before the program of the container runs.
    fn before_start(&self) -> Option<Finding> {
        let invoker = self.invoker.as_ref()?;
        let runtime =
            ["runc:[", "crun", "youki", "conmon"].iter().any(|name| invoker.comm.starts_with(name.as_bytes()));
        let limit = self.memory?.limit_bytes?;
        runtime.then(|| {
            let text = format!(
                "The limit of {} was hit by the container's runtime ({}), before the program itself had begun.",
                size(limit),
                escape(&invoker.comm)
            );
            Finding::new("limit-below-start", text)
                .shown_by("invoker.comm", escape(&invoker.comm))
                .shown_by("memory.limit_bytes", limit)
                .remedied_by("raise the limit: a runtime needs some MiB to start a container")
        })
    }

    fn who_holds(&self, findings: &mut Vec<Finding>) {
        let total = self.total_bytes();
        let processes = self.processes();
        let Some(largest) = processes.first() else { return };
        let Some(share) = percent(largest.bytes, total) else { return };
        let name = named(largest);
        let at = |what: &str| format!("consumers.{}.{what}", self.place_of(largest));
        if share > 33 {
            let other = if largest.killed || self.kills.is_empty() { "" } else { ", and another was killed" };
            let there = self.what_there_was();
            let part = match share {
                ..=100 => format!("{share} % of {there}"),
                _ => format!("more than {there}, with pages that others are charged for"),
            };
            let text = format!("{name} held {}, {part}{other}.", size(largest.bytes));
            findings.push(
                Finding::new("one-process-holds", text)
                    .shown_by(at("bytes"), largest.bytes)
                    .shown_by(at("percent"), share)
                    .remedied_by("find out why it needs that much, or give it more"),
            );
        } else if processes.len() > 3 && self.tasks.len() == processes.len() {
            let sum = processes.iter().map(|one| one.bytes).fold(0, u64::saturating_add);
            if percent(sum, total).is_some_and(|share| share > 50) {
                let text = format!(
                    "No process held more than a third: {} processes together held {}, the largest of them {name} with {}.",
                    processes.len(),
                    size(sum),
                    size(largest.bytes)
                );
                findings.push(
                    Finding::new("many-processes", text)
                        .shown_by("tasks", processes.len())
                        .shown_by(at("bytes"), largest.bytes)
                        .remedied_by("bound their number (pids.max, the size of a pool) or what each of them takes"),
                );
            }
        }
    }

    fn place_of(&self, consumer: &Consumer) -> usize {
        self.consumers.iter().position(|one| one.pid == consumer.pid).unwrap_or(0)
    }

    /// What no process holds, where it is much.
    fn what_holds(&self, findings: &mut Vec<Finding>) {
        for (place, consumer) in self.consumers.iter().enumerate().filter(|(_, one)| one.pid.is_none()) {
            let Some(share) = consumer.percent.filter(|share| *share >= MUCH) else { continue };
            let held = format!("{} ({share} % of {})", size(consumer.bytes), self.what_there_was());
            let Some((code, text, remedy)) = unheld(consumer.what, &held) else { continue };
            if findings.iter().any(|finding| finding.code == code && code == "huge-pages") {
                continue;
            }
            let mut finding = Finding::new(code, text + &self.slab_names(consumer.what))
                .shown_by(format!("consumers.{place}.bytes"), consumer.bytes)
                .shown_by(format!("consumers.{place}.percent"), share)
                .remedied_by(remedy);
            let slabs =
                self.mem_info.iter().filter(|_| consumer.what == "slab").flat_map(|info| &info.slabs).enumerate();
            if let Some((at, slab)) = slabs.max_by_key(|(_, slab)| slab.total_bytes) {
                finding = finding.shown_by(format!("mem_info.slabs.{at}.total_bytes"), slab.total_bytes);
            }
            findings.push(finding);
        }
        let locked = match self.scope {
            Some(Scope::Global) => self.mem_info.as_ref().and_then(|info| info.counted("unevictable")),
            _ => self.statistic()("unevictable"),
        };
        if let Some((locked, share)) = locked.and_then(|locked| Some((locked, percent(locked, self.total_bytes())?))) {
            if share >= MUCH {
                let text = format!(
                    "{} ({share} %) are locked in memory (mlock), where reclaim cannot take them.",
                    size(locked)
                );
                let field =
                    if self.scope == Some(Scope::Global) { "mem_info.pages.unevictable" } else { "stat.unevictable" };
                findings.push(
                    Finding::new("locked-memory", text)
                        .shown_by(field, locked)
                        .remedied_by("lower RLIMIT_MEMLOCK of the program, or let it lock less"),
                );
            }
        }
    }

    /// The largest caches of the slab table.
    fn slab_names(&self, what: &str) -> String {
        let Some(info) = self.mem_info.as_ref().filter(|info| what == "slab" && !info.slabs.is_empty()) else {
            return String::new();
        };
        let mut slabs: Vec<_> = info.slabs.iter().collect();
        order_long(&mut slabs, |slab| !slab.total_bytes);
        let names = slabs.iter().take(3).map(|slab| format!("{} with {}", slab.name, size(slab.total_bytes)));
        format!(" The largest caches: {}.", names.collect::<Vec<_>>().join(", "))
    }

    fn swap(&self, findings: &mut Vec<Finding>) {
        let (total, used, field) = match (self.scope, &self.mem_info) {
            (Some(Scope::Global), Some(info)) => {
                let Some(total) = info.swap_total_bytes else { return };
                (Some(total), info.swap_free_bytes.map(|free| total.saturating_sub(free)), "mem_info.swap_total_bytes")
            }
            (Some(Scope::Global), None) => return,
            _ => match (self.swap, self.memory_swap, self.memory) {
                (Some(swap), _, _) => (swap.limit_bytes, Some(swap.usage_bytes), "swap.limit_bytes"),
                (None, Some(both), Some(memory)) => {
                    let Some((all, limit)) = both.limit_bytes.zip(memory.limit_bytes) else { return };
                    let used = both.usage_bytes.saturating_sub(memory.usage_bytes);
                    (Some(all.saturating_sub(limit)), Some(used), "memory_swap.limit_bytes")
                }
                _ => return,
            },
        };
        let whose = if self.scope == Some(Scope::Global) { "the machine" } else { "the group" };
        match (total, used) {
            // It is being switched off: some is in use.
            (Some(0), _) if self.tasks.iter().any(|task| task.swapents_pages > Some(0)) => {}
            (Some(0), _) => findings.push(
                Finding::new("no-swap", format!("There is no swap for {whose}, so anonymous memory cannot leave."))
                    .shown_by(field, 0)
                    .remedied_by("with swap (or zram), memory that nobody uses could go there"),
            ),
            (Some(total), Some(used)) if used >= total / 100 * 98 => findings.push(
                Finding::new("swap-full", format!("The swap of {whose}, {}, is full.", size(total)))
                    .shown_by(field, total)
                    .remedied_by("more swap only delays it where memory grows without an end"),
            ),
            _ => {}
        }
    }

    /// Who would have died if every oom_score_adj were 0.
    fn score_adjusted(&self) -> Option<Finding> {
        let chosen = self.chosen.as_ref().filter(|_| self.page().is_some() && self.tasks.len() > 1)?;
        let page = self.page()?;
        let points = |task: &Task| {
            let tables = task.pgtables_bytes.map(|bytes| bytes / page).or(task.nr_ptes).unwrap_or(0);
            Some(task.rss_pages?.saturating_add(task.swapents_pages.unwrap_or(0)).saturating_add(tables))
        };
        let (first, most) =
            self.tasks.iter().filter_map(|task| Some((task, points(task)?))).max_by_key(|(_, points)| *points)?;
        let (victim, its) =
            self.tasks.iter().find(|task| task.pid == chosen.pid).and_then(|task| Some((task, points(task)?)))?;
        // The table is a little older or younger than the choice.
        let (own, adj) = (first.oom_score_adj?, victim.oom_score_adj?);
        if first.process() == victim.process() || most <= its.saturating_add(its / 16) || own >= adj {
            return None;
        }
        let text = format!(
            "By size alone {} (pid {}) would have been chosen: its oom_score_adj of {own} spared it, and {} (pid {}) has {adj}.",
            escape(&first.comm),
            first.process(),
            escape(&victim.comm),
            victim.process()
        );
        Some(
            Finding::new("score-adjusted", text)
                .shown_by(format!("oom_score_adj of {}", first.process()), own)
                .shown_by(format!("oom_score_adj of {}", victim.process()), adj),
        )
    }

    fn ending(&self, findings: &mut Vec<Finding>) {
        if let Some(group) = &self.group_kill {
            let text = format!(
                "All of {} was killed at once, {} processes, as memory.oom.group is set.",
                escape(group),
                self.kills.len()
            );
            findings.push(
                Finding::new("group-kill", text)
                    .shown_by("group_kill", escape(group))
                    .shown_by("kills", self.kills.len()),
            );
        }
        if self.no_killable {
            let immune = self.tasks.iter().filter(|task| task.oom_score_adj == Some(-1000)).count();
            let why = if immune > 0 {
                format!(" {immune} of {} tasks have oom_score_adj -1000.", self.tasks.len())
            } else {
                String::new()
            };
            let remedy = match self.scope {
                Some(Scope::Global) if immune > 0 => "add memory, or give a process an oom_score_adj above -1000",
                Some(Scope::Global) => "add memory, or find what holds it: no kill gives it back",
                _ => "raise the limit, or give a process of the group an oom_score_adj above -1000",
            };
            findings.push(
                Finding::new("nobody-to-kill", format!("The kernel found nobody that it may kill.{why}"))
                    .shown_by("no_killable", true)
                    .remedied_by(remedy),
            );
        }
    }

    /// What the parts are parts of.
    pub(super) fn what_there_was(&self) -> &'static str {
        if self.scope == Some(Scope::Global) {
            "the machine's memory"
        } else {
            "the group's memory"
        }
    }
}

/// What a kind of memory that no process holds means.
fn unheld(what: &str, held: &str) -> Option<(&'static str, String, &'static str)> {
    Some(match what {
        "shared-memory" => (
            "shared-memory",
            format!("Shared memory (files in a tmpfs such as /dev/shm or /tmp, memfd, System V) is {held}. Killing a process does not free it as long as the files stay."),
            "remove the files, or bound them by the tmpfs's size option",
        ),
        "page-cache" => (
            "page-cache-stuck",
            format!("The page cache is {held} and could not be dropped in time: it is in use, dirty, or being written."),
            "look at slow disks, at memory.stat's file_dirty and file_writeback, and at programs that map or lock files",
        ),
        "slab" => (
            "kernel-memory",
            format!("The kernel's own objects (unreclaimable slab) are {held}: no process holds them, and no kill frees them."),
            "look at /proc/slabinfo or slabtop; a cache that only grows is a leak of the kernel or of a driver",
        ),
        "kernel" | "kernel-stacks" | "page-tables" | "sockets" | "percpu" | "vmalloc" => (
            "kernel-memory",
            format!("Memory of the kernel ({}) is {held}.", what.replace('-', " ")),
            "find what makes the kernel hold it: threads, mappings, sockets, mounts, groups",
        ),
        "huge-pages" => (
            "huge-pages",
            format!("Huge pages that were set aside are {held}: only who asks for huge pages can use them."),
            "lower vm.nr_hugepages",
        ),
        "untold" => (
            "untold-memory",
            format!("{held} are held by nothing that the report names: drivers (graphics, network), a balloon of the hypervisor, vmalloc, per-CPU memory."),
            "compare with /proc/meminfo and /proc/vmallocinfo of the running machine; in a virtual machine look for ballooning",
        ),
        _ => return None,
    })
}

/// A process as a sentence names it.
pub(super) fn named(consumer: &Consumer) -> String {
    let comm = consumer.comm.as_deref().unwrap_or_default();
    consumer.pid.map_or_else(|| escape(comm), |pid| crate::text::named(comm, pid))
}

/// A size in MiB, the unit that all of a report's sentences have in common; what is less than one in KiB.
pub(super) fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    match bytes {
        0 => "0".to_string(),
        bytes if bytes < MIB => format!("{} KiB", bytes.div_ceil(1024)),
        bytes if bytes % MIB == 0 || bytes >= 100 * MIB => format!("{} MiB", bytes.saturating_add(MIB / 2) / MIB),
        bytes => {
            let tenths = (bytes * 10 + MIB / 2) / MIB;
            format!("{}.{} MiB", tenths / 10, tenths % 10)
        }
    }
}
