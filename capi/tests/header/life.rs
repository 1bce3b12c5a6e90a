//! The order in which the header tells its things: the order in which a program meets them.

/// One part of the header: its banner, what the banner says, and whose names stand in it.
pub struct Section {
    pub title: &'static str,
    pub about: &'static str,
    /// Names without `memoom_`, or how they begin; the longest that fits decides, and the order here is the order of
    /// what stands in the section.
    pub names: &'static [&'static str],
}

const fn section(title: &'static str, about: &'static str, names: &'static [&'static str]) -> Section {
    Section { title, about, names }
}

/// From the first call of a program to the last.
pub const SECTIONS: &[Section] = &[
    section(
        "Status and values",
        "What calls give back, and the values that mean the same in every option and output.",
        &[
            "status",
            "ok",
            "err",
            "unlimited",
            "unchanged",
            "unknown",
            "forever",
            "score_unknown",
            "switch",
            "off",
            "on",
        ],
    ),
    section(
        "One call",
        "A command, or a function, under a limit; its outcome has the account. The rest of the header is for more.",
        &["fd", "run", "run_function", "function", "function_options"],
    ),
    section("Error", "Why a call failed, and what to do about it.", &["error"]),
    section(
        "Host",
        "What this machine can do, and why it cannot do the rest.",
        &["cgroup", "hierarchy", "ability", "host"],
    ),
    section(
        "Lab",
        "One safe place for experiments: a subtree of cgroups and one supervisor. Nothing of it outlives its owner.",
        &["lab", "leftover", "leftover_list", "gc"],
    ),
    section(
        "Group",
        "One memory cgroup: how it is made, its limits and switches, what the kernel counts, who stands in it.",
        &[
            "group",
            "group_options",
            "counters",
            "pressure",
            "composition",
            "lab_group",
            "group_create",
            "group_create_child",
            "group_open",
            "group_free",
            "group_name",
            "group_path",
            "group_cgroup",
            "group_version",
            "group_usage",
            "group_peak",
            "group_counters",
            "group_composition",
            "group_stat",
            "group_pressure",
            "group_processes",
            "group_sample",
            "group_record",
            "group_limit",
            "group_set_limit",
            "group_high",
            "group_set_high",
            "group_oom_killer",
            "group_set_oom_killer",
            "group_oom_group",
            "group_set_oom_group",
            "group_min",
            "group_set_min",
            "group_low",
            "group_set_low",
            "group_swap",
            "group_set_swap",
            "group_swap_usage",
            "group_zswap",
            "group_set_zswap",
            "group_reclaim",
            "group_force_empty",
            "group_reset_failcnt",
            "group_freeze",
            "group_thaw",
            "group_frozen",
            "group_kill",
            "group_remove",
            "peak",
            "candidate",
            "group_predict",
            "prediction",
            "parse_size",
        ],
    ),
    section(
        "Worker",
        "One process in a group: a command, a function of the caller's, or a ticker that only shows that it is alive.",
        &[
            "state",
            "worker",
            "command",
            "command_options",
            "command_spawn",
            "function_spawn",
            "ticker",
            "ticker_options",
            "ticker_spawn",
        ],
    ),
    section(
        "Hog",
        "A worker that takes memory in acknowledged steps, and the ways to bring a group to its limit and back.",
        &[
            "kind",
            "pattern",
            "hog",
            "hog_options",
            "grow",
            "stop",
            "pace",
            "paced",
            "hog_spawn",
            "hog_grow",
            "hog_finish",
            "hog_shrink",
            "hog_total",
            "hog_pace",
            "way",
            "group_oom_now",
            "group_block",
            "group_blocking",
            "group_wait_blocked",
            "group_resume",
        ],
    ),
    section("Fit", "The least limit under which a command passes.", &["fit", "fit_options", "fitted"]),
    section("Watch", "What happens in a group, as it happens.", &["event", "watch", "group_add_alarm"]),
    section(
        "Oom",
        "The account of one OOM: whose limit, who asked, who was chosen, what filled the limit, and what is missing.",
        &[
            "missing",
            "disagreement",
            "process",
            "predicted",
            "cause",
            "victim",
            "frame",
            "blocked",
            "holder",
            "grower",
            "finding",
            "oom",
            "oom_version",
            "oom_summary",
            "oom_finding",
            "oom_limit",
            "oom_usage",
            "oom_composition",
            "oom_holder",
            "oom_grower",
            "oom_invoker",
            "oom_predicted",
            "oom_candidate",
            "oom_victim",
            "oom_killed",
            "oom_blocked",
            "oom_frame",
            "oom_counters",
            "oom_timing",
            "oom_report",
            "oom_disagreement",
            "oom_missing",
            "oom_to",
            "oom_free",
        ],
    ),
    section(
        "Outcome",
        "How a worker ended, and who ended it.",
        &["verdict", "evidence", "killer", "killed_by", "throttled", "at_limit", "outcome", "subject", "postmortem"],
    ),
    section(
        "Timeline",
        "Every event of a lab, in order; recorded, it can be replayed.",
        &["timeline", "lab_timeline", "oom_list", "replay"],
    ),
    section(
        "Report",
        "The kernel's own text of OOMs, parsed from any log.",
        &[
            "workload",
            "kill",
            "task",
            "scope",
            "consumer",
            "mem_info",
            "zone",
            "free_blocks",
            "huge_pages",
            "slab",
            "report_list",
            "report_reader",
            "report_parse",
            "report",
            "report_free",
            "place",
        ],
    ),
    section("Library", "Which library is running.", &["version"]),
];

/// The section of a name and its place there; `None` where no section has it.
pub fn place(name: &str) -> Option<(usize, usize)> {
    let name = name.to_ascii_lowercase();
    let bare = name.strip_prefix("memoom_")?;
    let mut best = None;
    for (section, entry) in SECTIONS.iter().enumerate() {
        for (place, prefix) in entry.names.iter().enumerate() {
            let rest = bare.strip_prefix(prefix);
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
                && best.is_none_or(|(longest, _)| prefix.len() > longest)
            {
                best = Some((prefix.len(), (section, place)));
            }
        }
    }
    best.map(|(_, place)| place)
}
