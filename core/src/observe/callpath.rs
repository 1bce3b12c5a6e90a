//! The kernel's call path: its frames, and what each step does on the way to an OOM kill or an OOM wait.

use serde::{Deserialize, Serialize};

/// One function of a kernel call path, innermost first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Frame {
    /// The function as the kernel names it, with the compiler's suffix if there is one (`oom_kill_process.cold`).
    pub function: String,
    /// The return address, in bytes from the start of the function.
    pub offset: Option<u64>,
    /// The length of the function in bytes.
    pub size: Option<u64>,
    /// The kernel module of the function; `None` for the kernel itself.
    pub module: Option<String>,
}

impl Frame {
    /// What part of the way this function belongs to; `None` for a function that memoom has no words for.
    pub fn step(&self) -> Option<Step> {
        step(&self.function)
    }

    /// What this function does on the way, in one sentence.
    pub fn explain(&self) -> Option<&'static str> {
        explain(&self.function)
    }
}

/// The parts of the way from the task's access to the kill or the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Step {
    /// The task asked by a system call.
    Syscall,
    /// The task touched memory that has no page yet.
    Fault,
    /// The new page is charged to the memory cgroup.
    Charge,
    /// The kernel tries to free memory of the group first.
    Reclaim,
    /// The group is out of memory.
    Oom,
    /// The victim is chosen.
    Select,
    /// The victim is killed.
    Kill,
    /// The task waits, because the OOM killer of its group is off.
    Wait,
}

impl Step {
    /// The step's name as it stands in documents: lower case.
    pub fn name(self) -> &'static str {
        match self {
            Step::Syscall => "syscall",
            Step::Fault => "fault",
            Step::Charge => "charge",
            Step::Reclaim => "reclaim",
            Step::Oom => "oom",
            Step::Select => "select",
            Step::Kill => "kill",
            Step::Wait => "wait",
        }
    }
}

/// The first rule that matches counts: a name, or the start of one where it ends in `*`.
/// Prefixes are used where kernels between 4.19 and 7.x renamed or split the function.
const RULES: &[(&str, Step, &str)] = &[
    (
        "mem_cgroup_oom_synchronize",
        Step::Wait,
        "puts the task to sleep until its group has memory again, because its OOM killer is off",
    ),
    (
        "pagefault_out_of_memory",
        Step::Wait,
        "ends a page fault that got no memory: wait for the group, or let the task fault again",
    ),
    ("schedule_timeout_killable", Step::Wait, "gives the victim a moment to die before the allocation is tried again"),
    ("mark_oom_victim", Step::Kill, "marks the victim, so that it may use the last reserves in order to die"),
    ("queue_oom_reaper", Step::Kill, "hands the victim's memory to the OOM reaper, in case it cannot exit by itself"),
    ("wake_oom_reaper", Step::Kill, "wakes the OOM reaper, which frees the victim's memory for it"),
    ("oom_kill_memcg_member", Step::Kill, "kills one more process of the group, because memory.oom.group is set"),
    ("__oom_kill_process", Step::Kill, "sends SIGKILL to the victim and to every process that shares its memory"),
    ("oom_kill_process", Step::Kill, "prints the report, then kills the victim"),
    ("do_send_sig_info", Step::Kill, "delivers SIGKILL"),
    ("dump_header", Step::Kill, "prints the header of the OOM report"),
    ("dump_stack*", Step::Kill, "prints the call path into the OOM report"),
    ("select_bad_process", Step::Select, "scores every process of the group and keeps the highest"),
    ("oom_evaluate_task", Step::Select, "compares one process with the best candidate so far"),
    ("oom_badness", Step::Select, "computes a score: resident pages, swap, page tables, and oom_score_adj"),
    ("mem_cgroup_scan_tasks", Step::Select, "walks the processes of the group and of the groups below it"),
    ("out_of_memory", Step::Oom, "decides about the OOM: chooses a victim and has it killed"),
    ("mem_cgroup_out_of_memory", Step::Oom, "starts the OOM of one group; the scope is the group whose limit was hit"),
    ("mem_cgroup_oom*", Step::Oom, "finds that the group stays over its limit and turns to the OOM killer"),
    ("__alloc_pages_may_oom", Step::Oom, "finds the whole machine out of memory: not the limit of a group"),
    ("try_to_free_mem_cgroup_pages", Step::Reclaim, "tries to free pages of the group before any OOM"),
    ("do_try_to_free_pages", Step::Reclaim, "frees pages in rounds of growing effort"),
    ("shrink_*", Step::Reclaim, "walks the lists of pages and frees the ones that can be written out or dropped"),
    ("reclaim_high", Step::Reclaim, "frees memory because the group is above memory.high"),
    ("mem_cgroup_handle_over_high", Step::Reclaim, "holds the task back because its group is above memory.high"),
    ("__mem_cgroup_handle_over_high", Step::Reclaim, "holds the task back because its group is above memory.high"),
    ("mem_cgroup_resize_max", Step::Charge, "lowers the limit of the group (v1)"),
    ("memory_max_write", Step::Charge, "lowers memory.max below the usage, which may kill"),
    (
        "try_charge*",
        Step::Charge,
        "adds the page to the usage of the group; over the limit it reclaims, then goes to the OOM",
    ),
    ("charge_memcg", Step::Charge, "charges a folio to the group of the task"),
    ("mem_cgroup_charge*", Step::Charge, "charges a folio to the group of the task"),
    ("__mem_cgroup_charge*", Step::Charge, "charges a folio to the group of the task"),
    ("mem_cgroup_try_charge*", Step::Charge, "charges a page to the group of the task"),
    ("mem_cgroup_swapin_charge*", Step::Charge, "charges a page that comes back from swap"),
    ("__memcg_kmem_charge*", Step::Charge, "charges kernel memory, such as a page table, to the group"),
    ("obj_cgroup_charge*", Step::Charge, "charges kernel memory, such as a page table, to the group"),
    ("charge_anon_folio", Step::Charge, "charges a new anonymous folio to the group"),
    ("alloc_anon_folio", Step::Fault, "takes a new page for anonymous memory and has it charged"),
    ("alloc_charge_folio", Step::Charge, "takes a huge page and charges it"),
    ("do_anonymous_page", Step::Fault, "gives anonymous memory its first page"),
    ("do_huge_pmd_anonymous_page", Step::Fault, "gives anonymous memory a huge page"),
    ("__do_huge_pmd_anonymous_page", Step::Fault, "gives anonymous memory a huge page"),
    ("vma_alloc_anon_folio_pmd", Step::Fault, "takes a huge page for anonymous memory and has it charged"),
    ("do_fault", Step::Fault, "brings in a page of a file or of shared memory"),
    ("do_read_fault", Step::Fault, "brings in a page of a file for reading"),
    ("do_shared_fault", Step::Fault, "brings in a page of shared memory for writing"),
    ("do_cow_fault", Step::Fault, "copies a page of a file before it is written to"),
    ("__do_fault", Step::Fault, "asks the filesystem for the page"),
    ("do_wp_page", Step::Fault, "copies a shared page before it is written to"),
    ("wp_page_copy", Step::Fault, "copies a shared page before it is written to"),
    ("do_swap_page", Step::Fault, "brings a page back from swap"),
    ("shmem_*", Step::Fault, "takes a page for shared memory or a tmpfs file"),
    ("filemap_*", Step::Fault, "takes a page for the page cache of a file"),
    ("__filemap_*", Step::Fault, "takes a page for the page cache of a file"),
    ("handle_pte_fault", Step::Fault, "finds out what the missing page should hold"),
    ("__handle_mm_fault", Step::Fault, "walks the page tables to the missing entry"),
    ("handle_mm_fault", Step::Fault, "handles the fault for the memory area of the address"),
    ("faultin_page*", Step::Fault, "faults pages in on behalf of a system call"),
    ("__get_user_pages", Step::Fault, "faults pages in on behalf of a system call"),
    ("populate_vma_page_range", Step::Fault, "fills a memory area with pages at once (MAP_POPULATE, mlock)"),
    ("do_user_addr_fault", Step::Fault, "finds the memory area of a user address"),
    ("__do_page_fault", Step::Fault, "finds the memory area of the address"),
    ("do_page_fault", Step::Fault, "finds the memory area of the address"),
    ("do_translation_fault", Step::Fault, "finds the memory area of the address (arm64)"),
    ("do_mem_abort", Step::Fault, "receives the memory fault (arm64)"),
    ("el0_da", Step::Fault, "enters the kernel because user code touched memory that has no page (arm64)"),
    ("exc_page_fault", Step::Fault, "receives the page fault exception"),
    ("asm_exc_page_fault", Step::Fault, "enters the kernel because user code touched memory that has no page"),
    ("page_fault", Step::Fault, "enters the kernel because user code touched memory that has no page"),
    ("async_page_fault", Step::Fault, "enters the kernel because user code touched memory that has no page"),
    ("vfs_write", Step::Syscall, "writes to a file"),
    ("vfs_read", Step::Syscall, "reads from a file"),
    ("vfs_fallocate", Step::Syscall, "gives a file its pages in advance"),
    ("do_syscall_64", Step::Syscall, "runs the system call"),
    ("el0_svc*", Step::Syscall, "runs the system call (arm64)"),
    ("entry_SYSCALL_64*", Step::Syscall, "enters the kernel by a system call"),
    ("__x64_sys_*", Step::Syscall, "is the entry of one system call"),
    ("__arm64_sys_*", Step::Syscall, "is the entry of one system call (arm64)"),
];

fn rule(function: &str) -> Option<&'static (&'static str, Step, &'static str)> {
    let base = base_name(function);
    RULES.iter().find(|(name, ..)| match name.strip_suffix('*') {
        Some(start) => base.starts_with(start),
        None => base == *name,
    })
}

/// What `function` does on the way to an OOM kill or wait, in one sentence; compiler suffixes do not matter.
pub fn explain(function: &str) -> Option<&'static str> {
    rule(function).map(|(_, _, text)| *text)
}

/// What part of the way `function` belongs to; compiler suffixes do not matter.
pub fn step(function: &str) -> Option<Step> {
    rule(function).map(|(_, step, _)| *step)
}

/// The function without what compilers append (`.cold`, `.isra.0`, `.constprop.0`, `.llvm.123`).
pub(crate) fn base_name(function: &str) -> &str {
    function.split('.').next().unwrap_or(function)
}

/// One symbol as the kernel prints it: `name`, `name+0x1f/0x90`, `name+0x1f/0x90 [module]`; `None` for an address.
pub(crate) fn parse_symbol(text: &[u8]) -> Option<Frame> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let mut words = text.split_ascii_whitespace();
    let symbol = words.next()?;
    // Newer kernels may append the build id inside the brackets: `[xfs 1234abcd]`.
    let module =
        words.next().and_then(|word| word.strip_prefix('[')).map(|name| name.trim_end_matches(']').to_string());
    let (function, place) = match symbol.split_once('+') {
        Some((function, place)) => (function, Some(place)),
        None => (symbol, None),
    };
    let starts_well = function.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    if !starts_well || !function.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.$".contains(&byte)) {
        return None;
    }
    let (offset, size) = match place.map(|place| place.split_once('/').unwrap_or((place, ""))) {
        Some((offset, size)) => (hex(offset), hex(size)),
        None => (None, None),
    };
    Some(Frame { function: function.to_string(), offset, size, module })
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// The frames of a `/proc/PID/stack` (`[<0>] name+0x1f/0x90`, one a line, innermost first).
pub(crate) fn parse_proc_stack(text: &[u8]) -> Vec<Frame> {
    text.split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let line = line.trim_ascii();
            let end = line.windows(2).position(|pair| pair == b">]")?;
            line.strip_prefix(b"[<").and_then(|_| parse_symbol(&line[end + 2..]))
        })
        .collect()
}

/// The frames without those of the tracing machinery, which stand on top of every traced path.
pub(crate) fn without_machinery(mut frames: Vec<Frame>) -> Vec<Frame> {
    const MACHINERY: &[&str] = &[
        "trace_event_",
        "__traceiter_",
        "__bpf_trace_",
        "perf_trace_",
        "event_trigger",
        "__trace_stack",
        "trace_dump_stack",
        "stacktrace_trigger",
        "stack_trace_",
        "ftrace_trace_stack",
        "__ftrace_trace_stack",
        "__trace_event_",
        "do_trace_event_raw_event_",
        "do_trace_mark_victim",
        "__do_trace_",
    ];
    let first = frames
        .iter()
        .position(|frame| !MACHINERY.iter().any(|start| frame.function.starts_with(start)))
        .unwrap_or(frames.len());
    frames.drain(..first);
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_has_name_offset_size_and_module() {
        let frame = parse_symbol(b"oom_kill_process.cold+0x8/0x8a").expect("a symbol");
        assert_eq!((frame.function.as_str(), frame.offset, frame.size), ("oom_kill_process.cold", Some(8), Some(0x8a)));
        assert_eq!(frame.module, None);
        let frame = parse_symbol(b" xfs_bmapi+0x1/0x2 [xfs]").expect("a symbol");
        assert_eq!(frame.module.as_deref(), Some("xfs"));
        let frame = parse_symbol(b"handle_mm_fault").expect("a symbol");
        assert_eq!((frame.offset, frame.size), (None, None));
        for bad in [b"0xffffffffffffffff".as_slice(), b"", b"  ", b"+0x1/0x2", b"a b+0x", b"\xff+0x1/0x2", b"a-b"] {
            assert!(parse_symbol(bad).is_none_or(|frame| frame.function == "a"), "{bad:?}");
        }
    }

    #[test]
    fn a_proc_stack_becomes_frames_in_order() {
        // A blocked hog on 6.18, and the end mark and addresses that kernels before 4.15 printed.
        let text = b"[<0>] mem_cgroup_oom_synchronize+0x167/0x1b0\n[<0>] pagefault_out_of_memory+0x17/0x70\n\
            [<0>] exc_page_fault+0x2e3/0x770\n[<0>] asm_exc_page_fault+0x22/0x30\n[<ffffffffffffffff>] 0xffffffffffffffff\n";
        let names: Vec<_> = parse_proc_stack(text).into_iter().map(|frame| frame.function).collect();
        assert_eq!(
            names,
            ["mem_cgroup_oom_synchronize", "pagefault_out_of_memory", "exc_page_fault", "asm_exc_page_fault"]
        );
        assert!(parse_proc_stack(b"").is_empty());
        assert_eq!(parse_proc_stack(b"[<ffffffff81001234>] do_exit+0x1/0x2\n").len(), 1);
    }

    #[test]
    fn suffixes_of_the_compiler_do_not_hide_a_step() {
        for name in [
            "oom_kill_process",
            "oom_kill_process.cold",
            "oom_kill_process.isra.0",
            "oom_kill_process.constprop.0.cold",
        ] {
            assert_eq!(step(name), Some(Step::Kill), "{name}");
        }
        assert_eq!(step("try_charge_memcg"), Some(Step::Charge));
        assert_eq!(step("try_charge"), Some(Step::Charge));
        assert_eq!(step("mem_cgroup_oom_synchronize"), Some(Step::Wait));
        assert_eq!(step("mem_cgroup_out_of_memory"), Some(Step::Oom));
        assert_eq!(step("some_driver_function"), None);
        assert!(explain("select_bad_process.part.0").is_some());
    }

    #[test]
    fn only_the_machinery_on_top_is_dropped() {
        let names =
            ["trace_event_raw_event_mark_victim", "__traceiter_mark_victim", "mark_oom_victim", "stack_trace_save"];
        let frames = names.iter().filter_map(|name| parse_symbol(name.as_bytes())).collect();
        let left: Vec<_> = without_machinery(frames).into_iter().map(|frame| frame.function).collect();
        assert_eq!(left, ["mark_oom_victim", "stack_trace_save"]);
        assert!(without_machinery(Vec::new()).is_empty());
    }

    #[test]
    fn every_rule_can_be_reached() {
        for (index, (name, step_of_rule, _)) in RULES.iter().enumerate() {
            let example = name.replace('*', "x");
            let found = RULES.iter().position(|(other, ..)| match other.strip_suffix('*') {
                Some(start) => example.starts_with(start),
                None => example == *other,
            });
            assert_eq!(found, Some(index), "{name} is hidden by an earlier rule");
            assert_eq!(step(&example), Some(*step_of_rule));
        }
    }
}
