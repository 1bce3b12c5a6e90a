//! The structs of the header have one layout on both sides: Rust says it here, tests/c/layout.h holds it for C.

use std::fmt::Write;
use std::mem::{offset_of, size_of};
use std::path::Path;

use memoom_capi::*;

/// The lines of one struct, after a look that it begins with its size and has no padding.
macro_rules! layout {
    ($text:ident, $name:ident { $($field:ident),* $(,)? }) => {{
        // A pattern without `..`: a new field breaks the build until it is listed.
        let sizes = |it: &$name| {
            let $name { $($field),* } = it;
            [$(std::mem::size_of_val($field)),*]
        };
        // Every bit pattern is a value, NULL and 0 among them.
        #[allow(unsafe_code)]
        // SAFETY: the structs consist of integers and pointers.
        let sizes = sizes(&unsafe { std::mem::zeroed() });
        let offsets = [$((stringify!($field), offset_of!($name, $field))),*];
        assert_eq!(offsets[0], ("struct_size", 0), stringify!($name));
        assert_eq!(sizes.iter().sum::<usize>(), size_of::<$name>(), "{} has padding", stringify!($name));
        for ((field, offset), size) in offsets.iter().zip(sizes) {
            writeln!($text, "LAYOUT_FIELD({}, {field}, {offset}, {size})", stringify!($name)).expect("memory");
        }
        writeln!($text, "LAYOUT_SIZE({}, {})", stringify!($name), size_of::<$name>()).expect("memory");
    }};
}

// Long: one table, an entry for each struct.
#[test]
fn the_layout_is_the_one_that_c_programs_assert() {
    let mut text = String::from(
        "/*\n * The layout of every struct of memoom.h on 64-bit machines, for layout.c. Generated from the Rust side by\n \
         * capi/tests/layout.rs; MEMOOM_UPDATE=1 rewrites it.\n */\n",
    );
    layout!(
        text,
        memoom_fit_options { struct_size, most_bytes, check, runs, within_permille, slower_permille, high_permille }
    );
    layout!(text, memoom_postmortem_options { struct_size, record, log });
    layout!(text, memoom_consumer { struct_size, what, comm, bytes, swap_bytes, percent, pid, killed });
    layout!(
        text,
        memoom_task {
            struct_size,
            comm,
            uid,
            total_vm_pages,
            rss_pages,
            rss_anon_pages,
            rss_file_pages,
            rss_shmem_pages,
            pgtables_bytes,
            swapents_pages,
            pid,
            tgid,
            oom_score_adj,
            reserved
        }
    );
    layout!(
        text,
        memoom_mem_info {
            struct_size,
            page_bytes,
            total_bytes,
            page_cache_pages,
            swap_cache_pages,
            swap_total_bytes,
            swap_free_bytes,
            ram_pages,
            highmem_pages,
            reserved_pages,
            cma_reserved_pages,
            hwpoisoned_pages
        }
    );
    layout!(
        text,
        memoom_zone {
            struct_size,
            name,
            free_bytes,
            boost_bytes,
            min_bytes,
            low_bytes,
            high_bytes,
            present_bytes,
            managed_bytes,
            free_cma_bytes,
            node,
            reserved
        }
    );
    layout!(text, memoom_free_blocks { struct_size, zone, types, bytes, count, order, node });
    layout!(text, memoom_huge_pages { struct_size, size_bytes, total, free, surplus, node, reserved });
    layout!(text, memoom_slab { struct_size, name, used_bytes, total_bytes });
    layout!(text, memoom_process { struct_size, comm, pid, reserved });
    layout!(
        text,
        memoom_composition {
            struct_size,
            usage_bytes,
            anon_bytes,
            file_bytes,
            shmem_bytes,
            slab_reclaimable_bytes,
            slab_unreclaimable_bytes,
            kernel_stack_bytes,
            page_tables_bytes,
            sock_bytes,
            percpu_bytes,
            vmalloc_bytes,
            hugetlb_bytes,
            swap_bytes,
            other_bytes,
            kernel_bytes,
            kernel_other_bytes,
            unexplained_bytes,
            huge_bytes,
            reclaimable_bytes,
            mapped_bytes,
            dirty_bytes,
            writeback_bytes,
            unevictable_bytes,
            read_ns,
            source
        }
    );
    layout!(
        text,
        memoom_holder {
            struct_size,
            comm,
            group,
            what,
            source,
            rss_bytes,
            anon_bytes,
            shmem_bytes,
            file_bytes,
            swap_bytes,
            pss_bytes,
            grown_bytes,
            grown_since_ns,
            processes,
            read_ns,
            pid,
            alive
        }
    );
    layout!(
        text,
        memoom_grower {
            struct_size,
            comm,
            group,
            source,
            from_bytes,
            to_bytes,
            grown_bytes,
            over_ns,
            bytes_per_sec,
            limit_percent,
            since_ns,
            pid,
            alive
        }
    );
    layout!(text, memoom_finding { struct_size, code, text, evidence, remedy });
    layout!(
        text,
        memoom_at_limit {
            struct_size,
            hook_output,
            hook_error,
            then,
            limit_bytes,
            usage_bytes,
            limit_after_bytes,
            held_ns,
            predicted_pid,
            invoker_pid,
            hook_returncode,
            hook_timed_out,
        }
    );
    layout!(
        text,
        memoom_throttled {
            struct_size,
            group,
            wchan,
            high_bytes,
            usage_bytes,
            over_bytes,
            high_events,
            stalled_usec,
            elapsed_usec,
            pid,
            reserved
        }
    );
    layout!(
        text,
        memoom_killed_by { struct_size, by, comm, group, unit, source, reason, text, at_ns, uid, pid, signal }
    );
    layout!(text, memoom_predicted { struct_size, comm, source, score, pid, determined, made });
    layout!(
        text,
        memoom_candidate {
            struct_size,
            comm,
            group,
            reason,
            score,
            rss_pages,
            swap_pages,
            pgtable_pages,
            pid,
            oom_score_adj,
            eligible,
            reserved
        }
    );
    layout!(
        text,
        memoom_victim { struct_size, comm, group, sources, anon_rss_bytes, pid, oom_score_adj, cause, reserved }
    );
    layout!(
        text,
        memoom_counters {
            struct_size,
            usage_bytes,
            peak_bytes,
            oom_kill,
            oom,
            oom_group_kill,
            max,
            high,
            low,
            failcnt,
            under_oom,
            oom_kill_disable
        }
    );
    layout!(
        text,
        memoom_pressure {
            struct_size,
            some_avg10,
            some_avg60,
            some_avg300,
            some_total_usec,
            full_avg10,
            full_avg60,
            full_avg300,
            full_total_usec
        }
    );
    layout!(text, memoom_frame { struct_size, function, module, step, explanation, offset, size });
    layout!(text, memoom_blocked { struct_size, comm, wchan, pid, state });
    layout!(text, memoom_missing { struct_size, source, reason });
    layout!(text, memoom_disagreement { struct_size, says, because });
    layout!(text, memoom_evidence { struct_size, source, says });
    layout!(text, memoom_group_options { struct_size, limit_bytes, swap_bytes, high_bytes, oom_group, oom_killer });
    layout!(text, memoom_ability { struct_size, name, reason, remedy, available, reserved });
    layout!(
        text,
        memoom_lab_options {
            struct_size,
            parent,
            helper_dir,
            flags,
            sample_every_usec,
            keep_events,
            keep_ooms,
            record
        }
    );
    layout!(text, memoom_leftover { struct_size, path, reason, removed, reserved });
    layout!(
        text,
        memoom_kill {
            struct_size,
            comm,
            total_vm_bytes,
            anon_rss_bytes,
            file_rss_bytes,
            shmem_rss_bytes,
            pgtables_bytes,
            uid,
            pid,
            oom_score_adj
        }
    );
    layout!(
        text,
        memoom_command_options {
            struct_size,
            env,
            cwd,
            stdin_fd,
            stdout_fd,
            stderr_fd,
            oom_score_adj,
            force_within_ns
        }
    );
    layout!(text, memoom_function_options { struct_size, name, oom_score_adj, reserved, force_within_ns });
    layout!(text, memoom_hog_options { struct_size, name, kind, step_bytes, oom_score_adj, force, pattern, directory });
    layout!(text, memoom_ticker_options { struct_size, name, every_ns, oom_score_adj, reserved });
    layout!(text, memoom_pod_options { struct_size, limit_bytes, node_bytes, single_process_oom_kill, reserved });
    layout!(
        text,
        memoom_container_options { struct_size, limit_bytes, request_bytes, swap_bytes, kind, oom_group, reserved }
    );
    layout!(text, memoom_pace { struct_size, rate_bytes, total_bytes, below_bytes, until });
    layout!(text, memoom_paced { struct_size, steps, total_bytes, stop, status, error_number, reserved });
    layout!(
        text,
        memoom_grow {
            struct_size,
            step_bytes,
            total_bytes,
            status,
            blocked_state,
            taken_bytes,
            error_number,
            reserved
        }
    );
    layout!(
        text,
        memoom_run_options {
            struct_size,
            limit_bytes,
            swap_bytes,
            high_bytes,
            timeout_ns,
            env,
            cwd,
            oom_group,
            stdin_fd,
            stdout_fd,
            stderr_fd,
            oom_score_adj,
            reserved,
            record,
            at_limit,
            headroom_bytes,
            at_limit_timeout_ns,
            raise_bytes
        }
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/c/layout.h");
    if std::env::var_os("MEMOOM_UPDATE").is_some() {
        std::fs::write(&path, &text).expect("tests/c/layout.h");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "tests/c/layout.h is not what Rust has. A struct may only grow at its end; MEMOOM_UPDATE=1 rewrites it"
    );
    let header =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/memoom.h")).expect("the header");
    for name in header.lines().filter_map(|line| line.strip_prefix("typedef struct ")?.strip_suffix(" {")) {
        assert!(text.contains(&format!("LAYOUT_SIZE({name}, ")), "{name} is not listed");
    }
}
