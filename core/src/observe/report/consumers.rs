//! Who held the memory that ran out: processes by the table, and what no process holds by the statistics.

use serde::Serialize;

use super::{Report, Scope, Task};
use crate::order::order_long;

/// Something that held memory at the OOM: a process, or a kind of memory that belongs to no process.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Consumer {
    /// `process`; or the kind of memory that no process holds: `shared-memory` (tmpfs, memfd), `page-cache`, `slab`,
    /// `reclaimable-slab`, `kernel-stacks`, `page-tables`, `sockets`, `percpu`, `vmalloc`, `huge-pages`, `kernel` (where the
    /// kernel does not tell its parts), `untold` (what no number of the report explains: drivers, balloons, direct users
    /// of the page allocator).
    pub what: &'static str,
    /// The process's name.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub comm: Option<Vec<u8>>,
    /// The process's id.
    pub pid: Option<i32>,
    /// Bytes held: of a process its anonymous memory where the table (since 6.8) or the kill line tells it, else its
    /// resident memory.
    pub bytes: u64,
    /// Bytes of it that are swapped out, not in `bytes`.
    pub swap_bytes: Option<u64>,
    /// Its part of what there was in hundredths: of the group's usage, or of the machine's memory.
    pub percent: Option<u64>,
    /// Whether the kernel killed it.
    pub killed: bool,
}

/// Of how many processes the document tells. The table has them all.
const PROCESSES: usize = 8;

impl Report {
    /// The largest consumers first.
    pub(super) fn find_consumers(&self) -> Vec<Consumer> {
        let total = self.total_bytes();
        let mut consumers = self.processes();
        consumers.truncate(PROCESSES);
        consumers.extend(self.unheld().into_iter().map(|(what, bytes)| Consumer {
            what,
            bytes,
            ..Consumer::default()
        }));
        consumers.retain(|consumer| consumer.bytes > 0);
        for consumer in &mut consumers {
            consumer.percent = percent(consumer.bytes, total);
        }
        order_long(&mut consumers, |consumer| !consumer.bytes);
        consumers
    }

    /// What there was in all: the group's usage, or the machine's memory.
    pub(super) fn total_bytes(&self) -> Option<u64> {
        match self.scope {
            Some(Scope::Global) => self.mem_info.as_ref()?.total_bytes,
            _ => self.memory.map(|memory| memory.usage_bytes),
        }
    }

    /// The size of a page, by what the report has to tell it.
    pub(super) fn page(&self) -> Option<u64> {
        self.page_bytes.or_else(|| self.mem_info.as_ref()?.page_bytes)
    }

    /// The processes of the table, the largest first.
    pub(super) fn processes(&self) -> Vec<Consumer> {
        let Some(page) = self.page() else { return self.killed_processes() };
        let bytes = |pages: Option<u64>| pages.and_then(|pages| pages.checked_mul(page));
        let process = |task: &Task| {
            let kill = self.kills.iter().find(|kill| kill.pid == task.pid || kill.pid == task.process());
            let anon = kill.filter(|_| task.rss_anon_pages.is_none()).and_then(|kill| kill.anon_rss_bytes);
            Some(Consumer {
                what: "process",
                comm: Some(task.comm.clone()),
                pid: Some(task.process()),
                bytes: anon.or_else(|| bytes(task.held_pages()))?,
                swap_bytes: bytes(task.swapents_pages).filter(|bytes| *bytes > 0),
                percent: None,
                killed: kill.is_some(),
            })
        };
        let mut processes: Vec<Consumer> = self.tasks.iter().filter_map(process).collect();
        if processes.is_empty() {
            return self.killed_processes();
        }
        order_long(&mut processes, |one| !one.bytes);
        processes
    }

    /// Without a table, of those that were killed the kill line tells.
    fn killed_processes(&self) -> Vec<Consumer> {
        let held = |kill: &super::Kill| {
            Some(Consumer {
                what: "process",
                comm: Some(kill.comm.clone()),
                pid: Some(kill.pid),
                bytes: kill.anon_rss_bytes?,
                swap_bytes: None,
                percent: None,
                killed: true,
            })
        };
        self.kills.iter().filter_map(held).collect()
    }

    /// What no process holds, by its kind.
    pub(super) fn unheld(&self) -> Vec<(&'static str, u64)> {
        match self.scope {
            Some(Scope::Global) => self.unheld_of_machine(),
            _ => self.unheld_of_group(),
        }
    }

    fn unheld_of_group(&self) -> Vec<(&'static str, u64)> {
        let stat = self.statistic();
        let v1 = stat("rss").is_some() && stat("anon").is_none();
        let shmem = stat("shmem");
        let cache = if v1 { stat("cache") } else { stat("file") };
        let mut unheld =
            vec![("shared-memory", shmem), ("page-cache", cache.map(|cache| cache.saturating_sub(shmem.unwrap_or(0))))];
        if v1 {
            unheld.push(("kernel", self.kmem.map(|kmem| kmem.usage_bytes)));
        } else {
            unheld.extend([
                ("slab", stat("slab_unreclaimable")),
                ("reclaimable-slab", stat("slab_reclaimable")),
                ("kernel-stacks", stat("kernel_stack")),
                ("page-tables", stat("pagetables").map(|own| own.saturating_add(stat("sec_pagetables").unwrap_or(0)))),
                ("sockets", stat("sock")),
                ("percpu", stat("percpu")),
                ("vmalloc", stat("vmalloc")),
                ("huge-pages", stat("hugetlb")),
            ]);
        }
        unheld.into_iter().filter_map(|(what, bytes)| Some((what, bytes?))).collect()
    }

    /// A statistic of the group with those below it.
    pub(super) fn statistic(&self) -> impl Fn(&str) -> Option<u64> + '_ {
        |name| {
            // v1 since 6.5 tells the sum by its own name; up to 5.2 each group below has a list of its own.
            let sum = self.stat.iter().find(|(key, _)| key.strip_prefix("total_") == Some(name));
            let whole = sum.map(|(_, value)| value).or_else(|| self.stat.get(name));
            let below = self.stats.iter().filter_map(|group| group.stat.get(name));
            whole.into_iter().chain(below).reduce(u64::saturating_add)
        }
    }

    fn unheld_of_machine(&self) -> Vec<(&'static str, u64)> {
        let Some(info) = &self.mem_info else { return Vec::new() };
        let sum = |names: &[&str]| names.iter().filter_map(|name| info.counted(name)).reduce(u64::saturating_add);
        let mut unheld = vec![
            ("shared-memory", info.counted("shmem")),
            ("page-cache", sum(&["active_file", "inactive_file", "isolated_file"])),
            ("slab", info.counted("slab_unreclaimable").or_else(|| info.counted("slab"))),
            ("reclaimable-slab", info.counted("slab_reclaimable")),
            ("kernel-stacks", info.summed("kernel_stack")),
            ("page-tables", sum(&["pagetables", "sec_pagetables"])),
            ("huge-pages", info.huge().map(|(total, _)| total)),
        ];
        unheld.push(("untold", self.untold(&unheld)));
        unheld.into_iter().filter_map(|(what, bytes)| Some((what, bytes?))).collect()
    }

    /// What of the machine's memory no number explains.
    fn untold(&self, told: &[(&'static str, Option<u64>)]) -> Option<u64> {
        let info = self.mem_info.as_ref()?;
        // Shared memory is among the anonymous lists.
        let anon = info.counted("active_anon")?.saturating_add(info.counted("inactive_anon")?);
        let others = ["isolated_anon", "unevictable", "free", "free_pcp"];
        let rest = others.iter().filter_map(|name| info.counted(name)).fold(0, u64::saturating_add);
        // Without one of its lines it is not known what that would have told.
        for name in ["free", "active_file", "inactive_file"] {
            info.pages.get(name)?;
        }
        info.pages.get("slab_unreclaimable").or_else(|| info.pages.get("slab"))?;
        let told = told.iter().filter(|(what, _)| *what != "shared-memory").filter_map(|(_, bytes)| *bytes);
        let all = told.fold(anon.saturating_add(rest), u64::saturating_add);
        Some(info.total_bytes?.saturating_sub(all))
    }
}

impl Task {
    /// Pages that go with the process.
    pub(super) fn held_pages(&self) -> Option<u64> {
        self.rss_anon_pages.or(self.rss_pages)
    }
}

pub(super) fn percent(part: u64, whole: Option<u64>) -> Option<u64> {
    let whole = whole.filter(|whole| *whole > 0)?;
    u64::try_from(u128::from(part) * 100 / u128::from(whole)).ok()
}
