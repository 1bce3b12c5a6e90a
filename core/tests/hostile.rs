//! Surroundings that hide, refuse or lie: nobody else is harmed in them, and what cannot be had is said.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;
#[path = "hostile/crowds.rs"]
mod crowds;
#[path = "hostile/descriptors.rs"]
mod descriptors;
#[path = "hostile/devices.rs"]
mod devices;
#[path = "hostile/forgers.rs"]
mod forgers;
#[path = "hostile/forked.rs"]
mod forked;
#[path = "hostile/heirs.rs"]
mod heirs;
#[path = "hostile/life.rs"]
mod life;
#[path = "hostile/listeners.rs"]
mod listeners;
#[path = "hostile/meddlers.rs"]
mod meddlers;
#[path = "hostile/owners.rs"]
mod owners;
#[path = "hostile/places.rs"]
mod places;
#[path = "hostile/refused.rs"]
mod refused;
#[path = "hostile/visitor.rs"]
mod visitor;
#[path = "hostile/whole.rs"]
mod whole;

/// Something to do in surroundings of its own, with a directory for labs; what it has to say.
type Task = fn(&std::path::Path) -> String;

/// What a visitor can be told to do, beside making and collecting.
const INSIDE: &[(&str, Task)] = &[
    ("no-descriptors", descriptors::inside),
    ("daemon", descriptors::daemon),
    ("closed-stdin", descriptors::closed_stdin),
    ("many-groups", descriptors::many_groups),
    ("no-log", devices::without_a_log),
    ("refused", refused::inside),
    ("no-perf-events", listeners::without_perf_events),
    ("no-symbols", listeners::without_symbols),
    ("live", life::inside),
    ("anywhere", places::anywhere),
    ("watches", places::watching),
    ("little-memory", places::little_memory),
    ("short-files", places::short_files),
    ("lab", meddlers::over_the_lab),
    ("group", meddlers::over_a_group),
    ("list", meddlers::over_the_list),
];

fn main() {
    if visitor::inside() {
        return;
    }
    common::runner::run(&[
        ("owners_that_cannot_be_seen_are_not_dead", owners::owners_that_cannot_be_seen_are_not_dead),
        ("an_owner_without_its_first_thread_lives", owners::an_owner_without_its_first_thread_lives),
        ("without_descriptors_nothing_is_said_that_is_not_so", descriptors::nothing_is_said_that_is_not_so),
        ("what_a_daemon_opens_stays_open", descriptors::what_a_daemon_opens_stays_open),
        ("what_takes_a_number_that_a_lab_held_stays_open", descriptors::what_takes_a_number_that_a_lab_held_stays_open),
        (
            "a_group_for_which_no_descriptor_is_left_is_not_begun",
            descriptors::a_group_for_which_no_descriptor_is_left_is_not_begun,
        ),
        ("a_process_without_its_first_thread_has_labs", owners::a_process_without_its_first_thread_has_labs),
        ("a_log_that_is_none_is_a_missing_source", devices::a_log_that_is_none),
        ("a_child_acts_on_nothing_of_its_parents", forked::a_child_acts_on_nothing_of_its_parents),
        ("each_call_refused", refused::each_call_refused),
        (
            "without_perf_events_a_path_comes_from_an_instance",
            listeners::without_perf_events_a_path_comes_from_an_instance,
        ),
        ("an_oom_without_a_path_is_one", listeners::an_oom_without_a_path_is_one),
        ("the_whole_machine_in_one_observer", whole::the_whole_machine_in_one_observer),
        ("threads_share_a_hog_under_signals", forked::threads_share_a_hog_under_signals),
        ("a_lab_is_known_by_its_directory", meddlers::a_lab_is_known_by_its_directory),
        ("a_dead_hosts_lab_is_known_by_its_directory", meddlers::a_dead_hosts_lab_is_known_by_its_directory),
        ("a_group_is_known_by_its_directory", meddlers::a_group_is_known_by_its_directory),
        ("what_others_may_have_renamed_stays", meddlers::what_others_may_have_renamed_stays),
        ("a_directory_that_only_looks_like_a_group", meddlers::a_directory_that_only_looks_like_a_group),
        ("what_is_mounted_over_ours_is_not_touched", meddlers::what_is_mounted_over_ours_is_not_touched),
        ("groups_that_others_remove", meddlers::groups_that_others_remove),
        ("a_worker_that_others_move", meddlers::a_worker_that_others_move),
        ("a_limit_that_others_change", meddlers::a_limit_that_others_change),
        ("the_cgroup_file_system_is_read_only_or_absent", places::the_cgroup_file_system_is_read_only_or_absent),
        ("another_root", places::another_root),
        ("other_namespaces", places::other_namespaces),
        ("an_ordinary_user", places::an_ordinary_user),
        ("a_user_who_only_watches", places::a_user_who_only_watches),
        ("a_group_that_is_nearly_full", places::a_group_that_is_nearly_full),
        ("groups_beside_a_lab", crowds::groups_beside_a_lab),
        ("labs_at_once", crowds::labs_at_once),
        ("names_that_look_like_a_report", forgers::names_that_look_like_a_report),
        ("a_kill_line_that_the_kernel_did_not_write", forgers::a_kill_line_that_the_kernel_did_not_write),
        ("groups_named_like_fields", forgers::groups_named_like_fields),
        ("the_supervisor_keeps_what_it_needs", heirs::the_supervisor_keeps_what_it_needs),
        ("nobody_inherits_the_socket", heirs::nobody_inherits_the_socket),
        ("few_processes", places::few_processes),
        ("a_full_or_read_only_tmp", places::a_full_or_read_only_tmp),
        ("few_resources", places::few_resources),
        ("what_others_have_named_like_a_lab_stays", owners::what_others_have_named_like_a_lab_stays),
    ]);
}
