//! What the charged bytes of a group are: anonymous memory, page cache, tmpfs, slab, sockets, and what is left over.

use serde::Serialize;

use crate::memcg::contents::Contents;
use crate::memcg::counters::keyed;
use crate::memcg::version::Version;
use crate::memcg::Stat;
use crate::observe::report::Report;

/// What is told explains what was charged where no more than this part of it is left.
const EXPLAINED: u64 = 16;

/// The charged bytes of a group, by what holds them. A part that the kernel does not tell is `None`, never 0.
///
/// On v2 the numbers are those of `memory.stat`; on v1 its hierarchical `total_` numbers and `memory.kmem.usage_in_bytes`.
/// v1 tells the memory of the kernel in one sum (`kernel_bytes`), none of its parts. The parts that do not overlap
/// (`anon`, `file`, `shmem`, both slabs, `kernel_stack`, `page_tables`, `percpu`, `vmalloc`, `sock`, `hugetlb` and
/// `other`) add up to the usage, up to 64 pages for each CPU that are charged ahead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Composition {
    /// Bytes charged in all.
    pub usage_bytes: Option<u64>,
    /// Anonymous memory of processes.
    pub anon_bytes: Option<u64>,
    /// Page cache of files on a disk, without shmem.
    pub file_bytes: Option<u64>,
    /// tmpfs files, memfds, shared anonymous and System V memory.
    pub shmem_bytes: Option<u64>,
    /// Slab objects that the kernel can drop: inodes and dentries. v2 only.
    pub slab_reclaimable_bytes: Option<u64>,
    /// Slab objects that it cannot drop. v2 only.
    pub slab_unreclaimable_bytes: Option<u64>,
    /// Kernel stacks of threads. v2 only.
    pub kernel_stack_bytes: Option<u64>,
    /// Page tables, also those of virtual machines. v2 from 5.11; on v1 those of the processes, where they are told of each.
    pub page_tables_bytes: Option<u64>,
    /// Buffers of sockets. v1 counts those of TCP apart: they are not in the usage there, and told only where they are
    /// counted (`memory.kmem.tcp.limit_in_bytes` was set).
    pub sock_bytes: Option<u64>,
    /// Memory that the kernel keeps for each CPU. v2 from 5.9.
    pub percpu_bytes: Option<u64>,
    /// The kernel's vmalloc areas. v2 from 5.18.
    pub vmalloc_bytes: Option<u64>,
    /// Huge pages of the reserve, where the kernel charges them (v2 from 6.7, mount option `memory_hugetlb_accounting`).
    pub hugetlb_bytes: Option<u64>,
    /// Bytes in swap; they are no part of the usage.
    pub swap_bytes: Option<u64>,
    /// The rest of the usage, that no part above tells. `kernel_other_bytes` of it are known to be the kernel's.
    pub other_bytes: Option<u64>,
    /// All memory of the kernel for the group: `kernel` of v2 from 5.18, `memory.kmem.usage_in_bytes` of v1. It has the
    /// slabs, stacks, page tables, percpu and vmalloc above in it, and no buffers of sockets.
    pub kernel_bytes: Option<u64>,
    /// What of `kernel_bytes` no part above tells: buffers of pipes and the like; on v1 all of it.
    pub kernel_other_bytes: Option<u64>,
    /// What of the usage no number of the kernel explains: charged ahead, or not counted by this kernel.
    pub unexplained_bytes: Option<u64>,
    /// What of `anon_bytes` and `shmem_bytes` stands in transparent huge pages.
    pub huge_bytes: Option<u64>,
    /// An estimate of what the kernel could drop without swap: page cache that is neither dirty nor under writeback, and
    /// the slab objects that can be dropped. Pages in use may be refused all the same, so it is the most.
    pub reclaimable_bytes: Option<u64>,
    /// Page cache that processes have mapped, shmem among it.
    pub mapped_bytes: Option<u64>,
    /// Page cache that is to be written to the disk first.
    pub dirty_bytes: Option<u64>,
    /// Page cache that is being written.
    pub writeback_bytes: Option<u64>,
    /// Pages that reclaim leaves alone: mlocked, of a ramfs, SHM_LOCKed.
    pub unevictable_bytes: Option<u64>,
    /// Who says it: `report` (the kernel's own report of the OOM), `memory.stat` (read when the kernel notified of the
    /// OOM, or when it was asked for; what a victim had given back by then is added from its mark), `sample` (read before,
    /// at a step or in between).
    pub source: &'static str,
    /// When it was read, in nanoseconds of CLOCK_MONOTONIC; of a report, when the victim was marked, else when the report
    /// was read.
    pub read_ns: u64,
}

/// The names of one hierarchy's `memory.stat`.
struct Numbers<'a> {
    version: Version,
    get: &'a dyn Fn(&str) -> Option<u64>,
}

impl Numbers<'_> {
    /// A number of the group and those below it: v1 has it under its own name with `total_` before it.
    fn of(&self, name: &str) -> Option<u64> {
        match self.version {
            Version::V1 => (self.get)(&format!("total_{name}")).or_else(|| (self.get)(name)),
            Version::V2 => (self.get)(name),
        }
    }
}

/// What is told beside the statistics.
#[derive(Default)]
struct Beside {
    usage_bytes: Option<u64>,
    kernel_bytes: Option<u64>,
    tcp_bytes: Option<u64>,
    swap_bytes: Option<u64>,
}

impl Composition {
    /// From the files of the group.
    pub(crate) fn of_contents(contents: &Contents, source: &'static str) -> Composition {
        let pairs: Vec<(&str, u64)> = keyed(&contents.stat).collect();
        let get = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let beside = Beside {
            usage_bytes: contents.usage_bytes,
            kernel_bytes: contents.kernel_bytes,
            tcp_bytes: contents.tcp_bytes,
            swap_bytes: contents.swap_bytes,
        };
        Composition::of(&Numbers { version: contents.version, get: &get }, beside, source, contents.read_ns)
    }

    /// From the kernel's report; `None` where it was printed without statistics.
    pub(crate) fn of_report(report: &Report, version: Version, read_ns: u64) -> Option<Composition> {
        if report.stat.is_empty() && report.stats.is_empty() {
            return None;
        }
        let sum = |name: &str| {
            let below = report.stats.iter().filter_map(|group| group.stat.get(name));
            let all: Vec<u64> = report.stat.get(name).into_iter().chain(below).collect();
            (!all.is_empty()).then(|| all.iter().sum())
        };
        // Up to 5.2 the groups below are printed one by one, and not in the numbers of the first.
        let one = |stat: &Stat, name: &str| stat.get(name);
        let get = |name: &str| if report.stats.is_empty() { one(&report.stat, name) } else { sum(name) };
        // Some kernels (6.1 to 6.4) print the names of v2 in the report of a v1 group too.
        let version = if get("rss").or(get("total_rss")).is_some() { version } else { Version::V2 };
        let usage = |usage: &Option<crate::observe::report::Usage>| usage.map(|usage| usage.usage_bytes);
        let beside = Beside {
            usage_bytes: usage(&report.memory),
            kernel_bytes: usage(&report.kmem),
            tcp_bytes: None,
            swap_bytes: usage(&report.swap)
                .or_else(|| Some(usage(&report.memory_swap)?.saturating_sub(usage(&report.memory)?))),
        };
        Some(Composition::of(&Numbers { version, get: &get }, beside, "report", read_ns))
    }

    fn of(numbers: &Numbers, beside: Beside, source: &'static str, read_ns: u64) -> Composition {
        let v1 = numbers.version == Version::V1;
        let get = |name: &str| numbers.of(name);
        let shmem_bytes = get("shmem");
        let cache_bytes = if v1 { get("cache") } else { get("file") };
        let dirty_bytes = get(if v1 { "dirty" } else { "file_dirty" });
        let writeback_bytes = get(if v1 { "writeback" } else { "file_writeback" });
        let tables = get("pagetables").map(|own| own + get("sec_pagetables").unwrap_or(0));
        let mut made = Composition {
            usage_bytes: beside.usage_bytes,
            anon_bytes: if v1 { get("rss") } else { get("anon") },
            file_bytes: cache_bytes.zip(shmem_bytes).map(|(cache, shmem)| cache.saturating_sub(shmem)),
            shmem_bytes,
            sock_bytes: if v1 { beside.tcp_bytes.filter(|bytes| *bytes > 0) } else { get("sock") },
            swap_bytes: if v1 { get("swap") } else { beside.swap_bytes },
            huge_bytes: if v1 {
                get("rss_huge")
            } else {
                get("anon_thp").map(|anon| anon + get("shmem_thp").unwrap_or(0))
            },
            mapped_bytes: get(if v1 { "mapped_file" } else { "file_mapped" }),
            dirty_bytes,
            writeback_bytes,
            unevictable_bytes: get("unevictable"),
            kernel_bytes: if v1 { beside.kernel_bytes } else { get("kernel") },
            source,
            read_ns,
            ..Composition::default()
        };
        if !v1 {
            made.slab_reclaimable_bytes = get("slab_reclaimable");
            made.slab_unreclaimable_bytes = get("slab_unreclaimable");
            made.kernel_stack_bytes = get("kernel_stack");
            made.page_tables_bytes = tables;
            made.percpu_bytes = get("percpu");
            made.vmalloc_bytes = get("vmalloc");
            made.hugetlb_bytes = get("hugetlb");
        }
        let lists = get("active_file").zip(get("inactive_file")).map(|(active, inactive)| active + inactive);
        made.reclaimable_bytes = lists.map(|lists| {
            let busy = dirty_bytes.unwrap_or(0) + writeback_bytes.unwrap_or(0);
            lists.saturating_sub(busy) + made.slab_reclaimable_bytes.unwrap_or(0)
        });
        made.rest(v1);
        made
    }

    /// What is left when the parts are taken away, and how much of that is known to be the kernel's.
    fn rest(&mut self, v1: bool) {
        let sum = |parts: &[Option<u64>]| parts.iter().flatten().sum::<u64>();
        let kernel_parts = sum(&[
            self.slab_reclaimable_bytes,
            self.slab_unreclaimable_bytes,
            self.kernel_stack_bytes,
            self.page_tables_bytes,
            self.percpu_bytes,
            self.vmalloc_bytes,
        ]);
        self.kernel_other_bytes = self.kernel_bytes.map(|all| all.saturating_sub(kernel_parts));
        let sockets = if v1 { None } else { self.sock_bytes };
        let told = sum(&[self.anon_bytes, self.file_bytes, self.shmem_bytes, sockets, self.hugetlb_bytes]);
        // Without the first of them nothing can be said of what is left.
        let usage = self.usage_bytes.filter(|_| self.anon_bytes.is_some() && self.file_bytes.is_some());
        self.other_bytes = usage.map(|usage| usage.saturating_sub(told + kernel_parts));
        self.unexplained_bytes =
            self.other_bytes.map(|other| other.saturating_sub(self.kernel_other_bytes.unwrap_or(0)));
    }

    /// What it was before a kill, where it was read when the dead had given back their memory, or a part of it: with the
    /// anonymous memory that they had by their marks, up to what was charged. `None` where that does not explain it: then
    /// they had something else as well.
    pub(crate) fn before_a_kill(
        &self,
        dead_anon_bytes: u64,
        charged_bytes: u64,
        version: Version,
    ) -> Option<Composition> {
        let (anon, v1) = (self.anon_bytes?, version == Version::V1);
        let told = self.usage_bytes? - self.other_bytes?.min(self.usage_bytes?);
        let others = (told + self.kernel_other_bytes.unwrap_or(0)).saturating_sub(anon);
        let room = charged_bytes.checked_sub(others)?;
        if anon.saturating_add(dead_anon_bytes) < room - room / EXPLAINED {
            return None;
        }
        let mut made = Composition {
            usage_bytes: Some(charged_bytes),
            anon_bytes: Some(anon.saturating_add(dead_anon_bytes).min(room)),
            // Of what they had nobody knows how much was so.
            unevictable_bytes: None,
            huge_bytes: None,
            mapped_bytes: None,
            reclaimable_bytes: None,
            ..self.clone()
        };
        made.rest(v1);
        Some(made)
    }

    /// The page tables of the processes, which v1 does not tell apart.
    pub(crate) fn with_page_tables(mut self, bytes: u64) -> Composition {
        self.page_tables_bytes = self.kernel_bytes.map(|kernel| bytes.min(kernel));
        self.rest(true);
        self
    }

    /// The contents as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::report::parse_reports;

    #[test]
    fn what_the_dead_gave_back_is_added_where_it_explains_what_was_charged() {
        const MIB: u64 = 1 << 20;
        let mut late = Composition {
            usage_bytes: Some(6 * MIB),
            anon_bytes: Some(2 * MIB),
            file_bytes: Some(MIB),
            shmem_bytes: Some(2 * MIB),
            kernel_bytes: Some(MIB),
            unevictable_bytes: Some(0),
            source: "memory.stat",
            ..Composition::default()
        };
        late.rest(true);
        let before = |dead, late: &Composition| late.before_a_kill(dead, 16 * MIB, Version::V1);
        // It had gone when the files were read, or was about to; what it had of it was of its own.
        for dead in [10 * MIB, 12 * MIB] {
            let made = before(dead, &late).expect("it explains it");
            assert_eq!((made.usage_bytes, made.anon_bytes), (Some(16 * MIB), Some(12 * MIB)));
            assert_eq!((made.other_bytes, made.unexplained_bytes), (Some(MIB), Some(0)));
            assert_eq!(made.unevictable_bytes, None, "what it had locked is gone, and unknown");
        }
        assert_eq!(before(MIB, &late), None, "it had something else as well");
        assert_eq!(before(10 * MIB, &Composition { anon_bytes: None, ..late.clone() }), None);
        let told = late.with_page_tables(MIB / 2);
        assert_eq!((told.page_tables_bytes, told.kernel_other_bytes), (Some(MIB / 2), Some(MIB / 2)));
    }

    #[test]
    fn a_report_of_v1_is_read_by_either_names() {
        let text = |stat: &str| {
            format!(
                "a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\nmemory: usage 24576kB, limit \
                 24576kB, failcnt 0\nmemory+swap: usage 24580kB, limit 24576kB, failcnt 78\nkmem: usage 88kB, limit \
                 9007199254740988kB, failcnt 0\nMemory cgroup stats for /g:\n{stat}\nMemory cgroup out of memory: Killed \
                 process 190 (a) total-vm:20680kB, anon-rss:20056kB, file-rss:0kB, shmem-rss:40kB, UID:0 pgtables:72kB \
                 oom_score_adj:0\n"
            )
        };
        let of = |stat: &str| {
            let reports = parse_reports(text(stat).as_bytes());
            Composition::of_report(&reports[0], Version::V1, 5).unwrap()
        };
        let old = of("cache 4096\nrss 24829952\nshmem 4096\ntotal_cache 8192\ntotal_rss 24900000\ntotal_shmem 8192");
        assert_eq!((old.anon_bytes, old.file_bytes, old.shmem_bytes), (Some(24_900_000), Some(0), Some(8192)));
        assert_eq!((old.kernel_bytes, old.slab_reclaimable_bytes), (Some(88 << 10), None));
        let new = of("anon 24829952\nfile 8192\nkernel 90112\nshmem 4096\nsock 0");
        assert_eq!((new.anon_bytes, new.file_bytes, new.shmem_bytes), (Some(24_829_952), Some(4096), Some(4096)));
        assert_eq!((new.kernel_bytes, new.swap_bytes, new.read_ns), (Some(90_112), Some(4096), 5));
    }
}
