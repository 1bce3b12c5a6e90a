/*
 * NULL for every pointer of the header: _free does nothing, getters give what their comment says, fallible calls refuse
 * and name the parameter. What needs a live lab is left out where none can be made.
 */
#include "tap.h"

/* Outputs of refused calls: nothing may be written. */
static struct {
    memoom_lab *lab;
    memoom_group *group;
    memoom_worker *worker;
    memoom_watch *watch;
    memoom_event *event;
    memoom_oom *oom;
    memoom_outcome *outcome;
    memoom_host *host;
    memoom_leftover_list *leftovers;
    memoom_report_list *reports;
    memoom_report_reader *reader;
    memoom_report *report;
    memoom_workload *workload;
    memoom_timeline *timeline;
    memoom_fitted *fitted;
    memoom_postmortem *postmortem;
    memoom_prediction *prediction;
    memoom_peak *peak;
    uint64_t number;
    size_t count;
    int32_t pid;
    memoom_switch on;
    memoom_state state;
    memoom_counters counters;
    memoom_grow grow;
    memoom_pressure pressure;
    memoom_composition composition;
} out = {.counters = MEMOOM_COUNTERS_INIT,
         .grow = MEMOOM_GROW_INIT,
         .pressure = MEMOOM_PRESSURE_INIT,
         .composition = MEMOOM_COMPOSITION_INIT};

static const char *const argv[] = {"/bin/true", NULL};

static int32_t nothing(void *argument)
{
    (void)argument;
    return 0;
}

static void refused(const char *function, const char *parameter, memoom_status status, memoom_error **error)
{
    const char *message = memoom_error_message(*error);

    ok(status == MEMOOM_ERR_INVALID_INPUT && memoom_error_status(*error) == status && message &&
       strncmp(message, function, strlen(function)) == 0 && strstr(message, parameter) && strstr(message, "is NULL"),
       message ? message : function);
    memoom_error_free(*error);
    *error = NULL;
}

#define REFUSES(function, parameter, call) refused(function, parameter, call, &error)

static void frees(void)
{
    memoom_oom_free(NULL);
    memoom_outcome_free(NULL);
    memoom_postmortem_free(NULL);
    memoom_timeline_free(NULL);
    memoom_fitted_free(NULL);
    memoom_error_free(NULL);
    memoom_group_free(NULL);
    memoom_prediction_free(NULL);
    memoom_host_free(NULL);
    memoom_lab_free(NULL);
    memoom_leftover_list_free(NULL);
    memoom_event_free(NULL);
    memoom_report_list_free(NULL);
    memoom_report_reader_free(NULL);
    memoom_report_free(NULL);
    memoom_workload_free(NULL);
    memoom_watch_free(NULL);
    memoom_worker_free(NULL);
    memoom_peak_free(NULL);
    ok(1, "every _free takes NULL");
}

static void getters(void)
{
    ok(memoom_oom_version(NULL) == 0, "memoom_oom_version of NULL");
    ok(memoom_oom_limit_group(NULL) == NULL, "memoom_oom_limit_group of NULL");
    ok(memoom_oom_limit_words(NULL) == NULL, "memoom_oom_limit_words of NULL");
    ok(memoom_oom_victim_words(NULL, 0) == NULL, "memoom_oom_victim_words of NULL");
    ok(memoom_oom_limit_bytes(NULL) == MEMOOM_UNKNOWN, "memoom_oom_limit_bytes of NULL");
    ok(memoom_oom_usage_before(NULL) == MEMOOM_UNKNOWN, "memoom_oom_usage_before of NULL");
    ok(memoom_oom_usage_after(NULL) == MEMOOM_UNKNOWN, "memoom_oom_usage_after of NULL");
    ok(memoom_oom_invoker(NULL) == NULL, "memoom_oom_invoker of NULL");
    ok(memoom_oom_predicted(NULL) == NULL, "memoom_oom_predicted of NULL");
    ok(memoom_oom_predicted_right(NULL) == -1, "memoom_oom_predicted_right of NULL");
    ok(memoom_oom_candidate_count(NULL) == 0, "memoom_oom_candidate_count of NULL");
    ok(memoom_oom_candidate_at(NULL, 0) == NULL, "memoom_oom_candidate_at of NULL");
    ok(memoom_oom_victim_count(NULL) == 0, "memoom_oom_victim_count of NULL");
    ok(memoom_oom_victim_at(NULL, 0) == NULL, "memoom_oom_victim_at of NULL");
    ok(memoom_oom_victim(NULL) == NULL, "memoom_oom_victim of NULL");
    ok(memoom_oom_killed(NULL, 0) == 0, "memoom_oom_killed of NULL");
    ok(memoom_oom_counters_before(NULL) == NULL, "memoom_oom_counters_before of NULL");
    ok(memoom_oom_counters_after(NULL) == NULL, "memoom_oom_counters_after of NULL");
    ok(memoom_oom_report(NULL) == NULL, "memoom_oom_report of NULL");
    ok(memoom_oom_frame_count(NULL) == 0, "memoom_oom_frame_count of NULL");
    ok(memoom_oom_frame_at(NULL, 0) == NULL, "memoom_oom_frame_at of NULL");
    ok(memoom_oom_blocked_count(NULL) == 0, "memoom_oom_blocked_count of NULL");
    ok(memoom_oom_blocked_at(NULL, 0) == NULL, "memoom_oom_blocked_at of NULL");
    ok(memoom_oom_blocked_frame_count(NULL, 0) == 0, "memoom_oom_blocked_frame_count of NULL");
    ok(memoom_oom_blocked_frame_at(NULL, 0, 0) == NULL, "memoom_oom_blocked_frame_at of NULL");
    ok(memoom_oom_timing_ns(NULL, NULL) == MEMOOM_UNKNOWN, "memoom_oom_timing_ns of NULL");
    ok(memoom_oom_disagreement_count(NULL) == 0, "memoom_oom_disagreement_count of NULL");
    ok(memoom_oom_disagreement_at(NULL, 0) == NULL, "memoom_oom_disagreement_at of NULL");
    ok(memoom_oom_missing_count(NULL) == 0, "memoom_oom_missing_count of NULL");
    ok(memoom_oom_missing_at(NULL, 0) == NULL, "memoom_oom_missing_at of NULL");
    ok(memoom_oom_to_json(NULL) == NULL, "memoom_oom_to_json of NULL");
    ok(memoom_oom_to_text(NULL) == NULL, "memoom_oom_to_text of NULL");
    ok(memoom_outcome_verdict(NULL) == 0, "memoom_outcome_verdict of NULL");
    ok(memoom_outcome_verdict_name(NULL) == NULL, "memoom_outcome_verdict_name of NULL");
    ok(memoom_outcome_oom_killed(NULL) == 0, "memoom_outcome_oom_killed of NULL");
    ok(memoom_outcome_returncode(NULL) == 0, "memoom_outcome_returncode of NULL");
    ok(memoom_outcome_pid(NULL) == 0, "memoom_outcome_pid of NULL");
    ok(memoom_outcome_name(NULL) == NULL, "memoom_outcome_name of NULL");
    ok(memoom_outcome_group(NULL) == NULL, "memoom_outcome_group of NULL");
    ok(memoom_outcome_oom(NULL) == NULL, "memoom_outcome_oom of NULL");
    ok(memoom_outcome_oom_count(NULL) == 0, "memoom_outcome_oom_count of NULL");
    ok(memoom_outcome_oom_at(NULL, 0) == NULL, "memoom_outcome_oom_at of NULL");
    ok(memoom_outcome_evidence_count(NULL) == 0, "memoom_outcome_evidence_count of NULL");
    ok(memoom_outcome_evidence_at(NULL, 0) == NULL, "memoom_outcome_evidence_at of NULL");
    ok(memoom_outcome_missing_count(NULL) == 0, "memoom_outcome_missing_count of NULL");
    ok(memoom_outcome_missing_at(NULL, 0) == NULL, "memoom_outcome_missing_at of NULL");
    ok(memoom_outcome_user_usec(NULL) == 0, "memoom_outcome_user_usec of NULL");
    ok(memoom_outcome_system_usec(NULL) == 0, "memoom_outcome_system_usec of NULL");
    ok(memoom_outcome_max_rss_bytes(NULL) == 0, "memoom_outcome_max_rss_bytes of NULL");
    ok(memoom_outcome_peak_bytes(NULL) == MEMOOM_UNKNOWN, "memoom_outcome_peak_bytes of NULL");
    ok(memoom_outcome_started_ns(NULL) == 0, "memoom_outcome_started_ns of NULL");
    ok(memoom_outcome_ended_ns(NULL) == 0, "memoom_outcome_ended_ns of NULL");
    ok(memoom_outcome_to_json(NULL) == NULL, "memoom_outcome_to_json of NULL");
    ok(memoom_fitted_limit_bytes(NULL) == MEMOOM_UNKNOWN, "memoom_fitted_limit_bytes of NULL");
    ok(memoom_fitted_failed_bytes(NULL) == MEMOOM_UNKNOWN, "memoom_fitted_failed_bytes of NULL");
    ok(memoom_fitted_unslowed_bytes(NULL) == MEMOOM_UNKNOWN, "memoom_fitted_unslowed_bytes of NULL");
    ok(memoom_fitted_run_count(NULL) == 0, "memoom_fitted_run_count of NULL");
    ok(memoom_fitted_to_json(NULL) == NULL, "memoom_fitted_to_json of NULL");
    ok(memoom_fitted_to_text(NULL) == NULL, "memoom_fitted_to_text of NULL");
    ok(memoom_timeline_event_count(NULL) == 0, "memoom_timeline_event_count of NULL");
    ok(memoom_timeline_event_at(NULL, 0) == NULL, "memoom_timeline_event_at of NULL");
    ok(memoom_timeline_to_json(NULL) == NULL, "memoom_timeline_to_json of NULL");
    ok(memoom_error_status(NULL) == 0, "memoom_error_status of NULL");
    ok(memoom_error_errno(NULL) == 0, "memoom_error_errno of NULL");
    ok(memoom_error_operation(NULL) == NULL, "memoom_error_operation of NULL");
    ok(memoom_error_path(NULL) == NULL, "memoom_error_path of NULL");
    ok(memoom_error_message(NULL) == NULL, "memoom_error_message of NULL");
    ok(memoom_group_name(NULL) == NULL, "memoom_group_name of NULL");
    ok(memoom_group_path(NULL) == NULL, "memoom_group_path of NULL");
    ok(memoom_group_cgroup(NULL) == NULL, "memoom_group_cgroup of NULL");
    ok(memoom_group_version(NULL) == 0, "memoom_group_version of NULL");
    ok(memoom_prediction_pid(NULL) == 0, "memoom_prediction_pid of NULL");
    ok(memoom_prediction_determined(NULL) == 0, "memoom_prediction_determined of NULL");
    ok(memoom_prediction_candidate_count(NULL) == 0, "memoom_prediction_candidate_count of NULL");
    ok(memoom_prediction_candidate_at(NULL, 0) == NULL, "memoom_prediction_candidate_at of NULL");
    ok(memoom_prediction_to_json(NULL) == NULL, "memoom_prediction_to_json of NULL");
    ok(memoom_host_version(NULL) == 0, "memoom_host_version of NULL");
    ok(memoom_host_hierarchy(NULL) == 0, "memoom_host_hierarchy of NULL");
    ok(memoom_host_parent(NULL) == NULL, "memoom_host_parent of NULL");
    ok(memoom_host_own_group(NULL) == NULL, "memoom_host_own_group of NULL");
    ok(memoom_host_release(NULL) == NULL, "memoom_host_release of NULL");
    ok(memoom_host_available_bytes(NULL) == 0, "memoom_host_available_bytes of NULL");
    ok(memoom_host_can(NULL, NULL) == 0, "memoom_host_can of NULL");
    ok(memoom_host_ability(NULL, NULL) == NULL, "memoom_host_ability of NULL");
    ok(memoom_host_ability_count(NULL) == 0, "memoom_host_ability_count of NULL");
    ok(memoom_host_ability_at(NULL, 0) == NULL, "memoom_host_ability_at of NULL");
    ok(memoom_host_to_json(NULL) == NULL, "memoom_host_to_json of NULL");
    ok(memoom_lab_name(NULL) == NULL, "memoom_lab_name of NULL");
    ok(memoom_lab_path(NULL) == NULL, "memoom_lab_path of NULL");
    ok(memoom_lab_version(NULL) == 0, "memoom_lab_version of NULL");
    ok(memoom_lab_supervisor_pid(NULL) == 0, "memoom_lab_supervisor_pid of NULL");
    ok(memoom_leftover_list_count(NULL) == 0, "memoom_leftover_list_count of NULL");
    ok(memoom_leftover_list_at(NULL, 0) == NULL, "memoom_leftover_list_at of NULL");
    ok(memoom_event_time_ns(NULL) == 0, "memoom_event_time_ns of NULL");
    ok(memoom_event_source(NULL) == NULL, "memoom_event_source of NULL");
    ok(memoom_event_kind(NULL) == NULL, "memoom_event_kind of NULL");
    ok(memoom_event_group(NULL) == NULL, "memoom_event_group of NULL");
    ok(memoom_event_pid(NULL) == 0, "memoom_event_pid of NULL");
    ok(memoom_event_to_json(NULL) == NULL, "memoom_event_to_json of NULL");
    ok(memoom_event_to_text(NULL) == NULL, "memoom_event_to_text of NULL");
    ok(memoom_host_to_text(NULL) == NULL, "memoom_host_to_text of NULL");
    ok(memoom_prediction_to_text(NULL) == NULL, "memoom_prediction_to_text of NULL");
    ok(memoom_outcome_to_text(NULL) == NULL, "memoom_outcome_to_text of NULL");
    ok(memoom_timeline_to_text(NULL, 0) == NULL, "memoom_timeline_to_text of NULL");
    ok(memoom_report_list_count(NULL) == 0, "memoom_report_list_count of NULL");
    ok(memoom_report_list_at(NULL, 0) == NULL, "memoom_report_list_at of NULL");
    ok(memoom_report_list_to_json(NULL) == NULL, "memoom_report_list_to_json of NULL");
    ok(memoom_report_release(NULL) == NULL, "memoom_report_release of NULL");
    ok(memoom_report_constraint(NULL) == NULL, "memoom_report_constraint of NULL");
    ok(memoom_report_oom_memcg(NULL) == NULL, "memoom_report_oom_memcg of NULL");
    ok(memoom_report_task_memcg(NULL) == NULL, "memoom_report_task_memcg of NULL");
    ok(memoom_report_invoker_comm(NULL) == NULL, "memoom_report_invoker_comm of NULL");
    ok(memoom_report_chosen_comm(NULL) == NULL, "memoom_report_chosen_comm of NULL");
    ok(memoom_report_group_kill(NULL) == NULL, "memoom_report_group_kill of NULL");
    ok(memoom_report_invoker_pid(NULL) == 0, "memoom_report_invoker_pid of NULL");
    ok(memoom_report_chosen_pid(NULL) == 0, "memoom_report_chosen_pid of NULL");
    ok(memoom_report_usage_bytes(NULL) == MEMOOM_UNKNOWN, "memoom_report_usage_bytes of NULL");
    ok(memoom_report_limit_bytes(NULL) == MEMOOM_UNKNOWN, "memoom_report_limit_bytes of NULL");
    ok(memoom_report_no_killable(NULL) == 0, "memoom_report_no_killable of NULL");
    ok(memoom_report_kill_count(NULL) == 0, "memoom_report_kill_count of NULL");
    ok(memoom_report_kill_at(NULL, 0) == NULL, "memoom_report_kill_at of NULL");
    ok(memoom_report_missing_count(NULL) == 0, "memoom_report_missing_count of NULL");
    ok(memoom_report_missing_at(NULL, 0) == NULL, "memoom_report_missing_at of NULL");
    ok(memoom_report_lines(NULL) == NULL, "memoom_report_lines of NULL");
    ok(memoom_report_to_text(NULL) == NULL, "memoom_report_to_text of NULL");
    ok(memoom_report_to_json(NULL) == NULL, "memoom_report_to_json of NULL");
    ok(memoom_watch_fd(NULL) == -1, "memoom_watch_fd of NULL");
    ok(memoom_lab_group_count(NULL) == 0, "memoom_lab_group_count of NULL");
    ok(memoom_hog_total_bytes(NULL) == 0, "memoom_hog_total_bytes of NULL");
    ok(memoom_worker_pid(NULL) == 0, "memoom_worker_pid of NULL");
    ok(memoom_worker_name(NULL) == NULL, "memoom_worker_name of NULL");
    ok(memoom_worker_pidfd(NULL) == -1, "memoom_worker_pidfd of NULL");
    ok(memoom_worker_ended(NULL) == 0, "memoom_worker_ended of NULL");
    ok(memoom_worker_ticks(NULL) == 0, "memoom_worker_ticks of NULL");
}

static void calls(void)
{
    memoom_error *error = NULL;

    REFUSES("memoom_lab_timeline", "lab", memoom_lab_timeline(NULL, &out.timeline, &error));
    REFUSES("memoom_group_create", "lab", memoom_group_create(NULL, "x", NULL, &out.group, &error));
    REFUSES("memoom_group_create_child", "parent", memoom_group_create_child(NULL, "x", NULL, &out.group, &error));
    REFUSES("memoom_group_open", "path", memoom_group_open(NULL, &out.group, &error));
    REFUSES("memoom_group_open", "ret_group", memoom_group_open("/", NULL, &error));
    REFUSES("memoom_group_processes", "group", memoom_group_processes(NULL, &out.pid, 1, &out.count, &error));
    REFUSES("memoom_group_kill", "group", memoom_group_kill(NULL, &error));
    REFUSES("memoom_group_remove", "group", memoom_group_remove(NULL, &error));
    REFUSES("memoom_lab_group_at", "lab", memoom_lab_group_at(NULL, 0, &out.group, &error));
    REFUSES("memoom_group_sample", "group", memoom_group_sample(NULL, &error));
    REFUSES("memoom_group_limit", "group", memoom_group_limit(NULL, &out.number, &error));
    REFUSES("memoom_group_set_limit", "group", memoom_group_set_limit(NULL, MEMOOM_UNLIMITED, &error));
    REFUSES("memoom_group_high", "group", memoom_group_high(NULL, &out.number, &error));
    REFUSES("memoom_group_set_high", "group", memoom_group_set_high(NULL, MEMOOM_UNLIMITED, &error));
    REFUSES("memoom_group_oom_killer", "group", memoom_group_oom_killer(NULL, &out.on, &error));
    REFUSES("memoom_group_set_oom_killer", "group", memoom_group_set_oom_killer(NULL, MEMOOM_ON, &error));
    REFUSES("memoom_group_oom_group", "group", memoom_group_oom_group(NULL, &out.on, &error));
    REFUSES("memoom_group_set_oom_group", "group", memoom_group_set_oom_group(NULL, MEMOOM_ON, &error));
    REFUSES("memoom_group_min", "group", memoom_group_min(NULL, &out.number, &error));
    REFUSES("memoom_group_set_min", "group", memoom_group_set_min(NULL, MEMOOM_UNLIMITED, &error));
    REFUSES("memoom_group_low", "group", memoom_group_low(NULL, &out.number, &error));
    REFUSES("memoom_group_set_low", "group", memoom_group_set_low(NULL, MEMOOM_UNLIMITED, &error));
    REFUSES("memoom_group_swap", "group", memoom_group_swap(NULL, &out.number, &error));
    REFUSES("memoom_group_set_swap", "group", memoom_group_set_swap(NULL, MEMOOM_UNLIMITED, &error));
    REFUSES("memoom_group_zswap", "group", memoom_group_zswap(NULL, &out.number, &error));
    REFUSES("memoom_group_set_zswap", "group", memoom_group_set_zswap(NULL, MEMOOM_UNLIMITED, &error));
    REFUSES("memoom_group_swap_usage", "group", memoom_group_swap_usage(NULL, &out.number, &error));
    REFUSES("memoom_group_stat", "group", memoom_group_stat(NULL, "anon", &out.number, &error));
    REFUSES("memoom_group_reclaim", "group", memoom_group_reclaim(NULL, 1, &out.on, &error));
    REFUSES("memoom_group_force_empty", "group", memoom_group_force_empty(NULL, &error));
    REFUSES("memoom_group_reset_failcnt", "group", memoom_group_reset_failcnt(NULL, &error));
    REFUSES("memoom_group_freeze", "group", memoom_group_freeze(NULL, 0, &error));
    REFUSES("memoom_group_thaw", "group", memoom_group_thaw(NULL, &error));
    REFUSES("memoom_group_frozen", "group", memoom_group_frozen(NULL, &out.on, &error));
    REFUSES("memoom_group_composition", "group", memoom_group_composition(NULL, &out.composition, &error));
    REFUSES("memoom_group_pressure", "group", memoom_group_pressure(NULL, &out.pressure, &error));
    REFUSES("memoom_group_add_alarm", "group", memoom_group_add_alarm(NULL, "level low", &error));
    REFUSES("memoom_group_block", "group", memoom_group_block(NULL, &error));
    REFUSES("memoom_group_blocking", "group", memoom_group_blocking(NULL, &out.on, &error));
    REFUSES("memoom_group_wait_blocked", "group", memoom_group_wait_blocked(NULL, 0, &out.count, &error));
    REFUSES("memoom_group_resume_raise", "group", memoom_group_resume_raise(NULL, 1, &error));
    REFUSES("memoom_group_resume_killer", "group", memoom_group_resume_killer(NULL, 0, &error));
    REFUSES("memoom_group_resume_kill", "group", memoom_group_resume_kill(NULL, NULL, 0, &error));
    REFUSES("memoom_group_oom_now", "group", memoom_group_oom_now(NULL, NULL, 0, 0, &out.oom, NULL, &error));
    REFUSES("memoom_peak_open", "group", memoom_peak_open(NULL, &out.peak, &error));
    REFUSES("memoom_peak_bytes", "peak", memoom_peak_bytes(NULL, &out.number, &error));
    REFUSES("memoom_peak_reset", "peak", memoom_peak_reset(NULL, &error));
    REFUSES("memoom_group_usage", "group", memoom_group_usage(NULL, &out.number, &error));
    REFUSES("memoom_group_peak", "group", memoom_group_peak(NULL, &out.number, &error));
    REFUSES("memoom_group_counters", "group", memoom_group_counters(NULL, &out.counters, &error));
    REFUSES("memoom_group_predict", "group", memoom_group_predict(NULL, &out.prediction, &error));
    REFUSES("memoom_host_probe", "ret_host", memoom_host_probe(NULL, &error));
    REFUSES("memoom_lab_create", "ret_lab", memoom_lab_create(NULL, NULL, &error));
    REFUSES("memoom_lab_close", "lab", memoom_lab_close(NULL, &error));
    REFUSES("memoom_gc", "ret_list", memoom_gc(NULL, &error));
    uint32_t covers = 0;
    REFUSES("memoom_cgroup_covers", "outer", memoom_cgroup_covers(NULL, "/", &covers, &error));
    REFUSES("memoom_cgroup_covers", "inner", memoom_cgroup_covers("/", NULL, &covers, &error));
    REFUSES("memoom_cgroup_covers", "ret_covers", memoom_cgroup_covers("/", "/", NULL, &error));
    REFUSES("memoom_parse_size", "text", memoom_parse_size(NULL, &out.number, &error));
    REFUSES("memoom_parse_size", "ret_bytes", memoom_parse_size("1", NULL, &error));
    REFUSES("memoom_report_parse", "bytes", memoom_report_parse(NULL, 1, &out.reports, &error));
    REFUSES("memoom_report_parse", "ret_list", memoom_report_parse("x", 1, NULL, &error));
    REFUSES("memoom_group_adopt", "path", memoom_group_adopt(NULL, 0, &out.group, &error));
    REFUSES("memoom_group_adopt", "ret_group", memoom_group_adopt("/", 0, NULL, &error));
    REFUSES("memoom_group_give_back", "group", memoom_group_give_back(NULL, &error));
    REFUSES("memoom_report_reader_open", "path", memoom_report_reader_open(NULL, &out.reader, &error));
    REFUSES("memoom_report_reader_open", "ret_reader", memoom_report_reader_open("/dev/null", NULL, &error));
    REFUSES("memoom_report_reader_open_fd", "ret_reader", memoom_report_reader_open_fd(0, NULL, &error));
    REFUSES("memoom_report_reader_next", "reader", memoom_report_reader_next(NULL, 0, &out.report, &error));
    REFUSES("memoom_workload_of", "path", memoom_workload_of(NULL, &out.workload, &error));
    REFUSES("memoom_workload_of", "ret_workload", memoom_workload_of("/", NULL, &error));
    REFUSES("memoom_watch_open", "group", memoom_watch_open(NULL, &out.watch, &error));
    REFUSES("memoom_watch_open_recursive", "group", memoom_watch_open_recursive(NULL, &out.watch, &error));
    REFUSES("memoom_watch_open_of", "name", memoom_watch_open_of(MEMOOM_SUBJECT_UNIT, NULL, &out.watch, &error));
    REFUSES("memoom_watch_open_of", "ret_watch", memoom_watch_open_of(MEMOOM_SUBJECT_LAST, NULL, NULL, &error));
    REFUSES("memoom_watch_next", "watch", memoom_watch_next(NULL, 0, &out.event, &error));
    REFUSES("memoom_watch_keep_record", "watch", memoom_watch_keep_record(NULL, "/nowhere", 65536, &error));
    REFUSES("memoom_watch_wait_oom", "watch", memoom_watch_wait_oom(NULL, 0, &out.oom, &error));
    REFUSES("memoom_command_spawn", "group", memoom_command_spawn(NULL, argv, NULL, &out.worker, &error));
    REFUSES("memoom_hog_spawn", "group", memoom_hog_spawn(NULL, NULL, &out.worker, &error));
    memoom_paced paced = MEMOOM_PACED_INIT;
    REFUSES("memoom_ticker_spawn", "group", memoom_ticker_spawn(NULL, NULL, &out.worker, &error));
    REFUSES("memoom_hog_pace", "worker", memoom_hog_pace(NULL, NULL, 0, &paced, &error));
    REFUSES("memoom_hog_grow", "worker", memoom_hog_grow(NULL, 4096, 0, &out.grow, &error));
    REFUSES("memoom_hog_finish", "worker", memoom_hog_finish(NULL, 0, &out.grow, &error));
    REFUSES("memoom_hog_shrink", "worker", memoom_hog_shrink(NULL, 4096, 0, &out.number, &error));
    REFUSES("memoom_run", "argv", memoom_run(NULL, NULL, &out.outcome, &error));
    REFUSES("memoom_run", "ret_outcome", memoom_run(argv, NULL, NULL, &error));
    REFUSES("memoom_postmortem_of", "ret_postmortem", memoom_postmortem_of(MEMOOM_SUBJECT_LAST, NULL, NULL, &error));
    REFUSES("memoom_postmortem_with", "ret_postmortem", memoom_postmortem_with(MEMOOM_SUBJECT_LAST, NULL, NULL, NULL, &error));
    REFUSES("memoom_postmortem_with", "name", memoom_postmortem_with(MEMOOM_SUBJECT_UNIT, NULL, NULL, &out.postmortem, &error));
    REFUSES("memoom_postmortem_of", "name", memoom_postmortem_of(MEMOOM_SUBJECT_UNIT, NULL, &out.postmortem, &error));
    REFUSES("memoom_fit", "argv", memoom_fit(NULL, NULL, NULL, &out.fitted, &error));
    REFUSES("memoom_fit", "ret_fitted", memoom_fit(argv, NULL, NULL, NULL, &error));
    REFUSES("memoom_run_function", "function", memoom_run_function(NULL, NULL, NULL, &out.outcome, &error));
    REFUSES("memoom_run_function", "ret_outcome", memoom_run_function(nothing, NULL, NULL, NULL, &error));
    REFUSES("memoom_function_spawn", "group", memoom_function_spawn(NULL, nothing, NULL, NULL, &out.worker, &error));
    REFUSES("memoom_worker_state", "worker", memoom_worker_state(NULL, &out.state, &error));
    REFUSES("memoom_worker_signal", "worker", memoom_worker_signal(NULL, 0, &error));
    REFUSES("memoom_worker_kill", "worker", memoom_worker_kill(NULL, &error));
    REFUSES("memoom_worker_wait", "worker", memoom_worker_wait(NULL, 0, &out.outcome, &error));
    ok(memoom_parse_size("x", &out.number, NULL) == MEMOOM_ERR_INVALID_INPUT, "the error may be left out");
}

static void live_calls(void)
{
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_worker *hog = NULL;
    memoom_watch *watch = NULL;
    memoom_error *error = NULL;

    if (!lab_or_reason(&lab))
        return;
    ok(memoom_group_create(lab, NULL, NULL, &group, NULL) == MEMOOM_OK, "a group without name and options");
    ok(memoom_watch_open(group, &watch, NULL) == MEMOOM_OK, "its watch");
    ok(memoom_hog_spawn(group, NULL, &hog, NULL) == MEMOOM_OK, "a hog without options");
    REFUSES("memoom_lab_timeline", "ret_timeline", memoom_lab_timeline(lab, NULL, &error));
    REFUSES("memoom_group_create", "ret_group", memoom_group_create(lab, "x", NULL, NULL, &error));
    REFUSES("memoom_group_create_child", "name", memoom_group_create_child(group, NULL, NULL, &out.group, &error));
    REFUSES("memoom_group_create_child", "ret_group", memoom_group_create_child(group, "x", NULL, NULL, &error));
    REFUSES("memoom_group_processes", "ret_pids", memoom_group_processes(group, NULL, 1, &out.count, &error));
    REFUSES("memoom_group_processes", "ret_count", memoom_group_processes(group, &out.pid, 1, NULL, &error));
    REFUSES("memoom_group_limit", "ret_bytes", memoom_group_limit(group, NULL, &error));
    REFUSES("memoom_group_high", "ret_bytes", memoom_group_high(group, NULL, &error));
    REFUSES("memoom_group_oom_killer", "ret_on", memoom_group_oom_killer(group, NULL, &error));
    REFUSES("memoom_group_oom_group", "ret_on", memoom_group_oom_group(group, NULL, &error));
    REFUSES("memoom_group_min", "ret_bytes", memoom_group_min(group, NULL, &error));
    REFUSES("memoom_group_swap_usage", "ret_bytes", memoom_group_swap_usage(group, NULL, &error));
    REFUSES("memoom_group_stat", "key", memoom_group_stat(group, NULL, &out.number, &error));
    REFUSES("memoom_group_stat", "ret_value", memoom_group_stat(group, "anon", NULL, &error));
    REFUSES("memoom_group_reclaim", "ret_all", memoom_group_reclaim(group, 1, NULL, &error));
    REFUSES("memoom_group_frozen", "ret_on", memoom_group_frozen(group, NULL, &error));
    REFUSES("memoom_group_composition", "ret_composition", memoom_group_composition(group, NULL, &error));
    REFUSES("memoom_group_pressure", "ret_pressure", memoom_group_pressure(group, NULL, &error));
    REFUSES("memoom_group_add_alarm", "alarm", memoom_group_add_alarm(group, NULL, &error));
    REFUSES("memoom_group_blocking", "ret_on", memoom_group_blocking(group, NULL, &error));
    REFUSES("memoom_group_wait_blocked", "ret_count", memoom_group_wait_blocked(group, 0, NULL, &error));
    REFUSES("memoom_group_resume_kill", "worker", memoom_group_resume_kill(group, NULL, 0, &error));
    REFUSES("memoom_group_oom_now", "ret_oom", memoom_group_oom_now(group, NULL, 0, 0, NULL, NULL, &error));
    REFUSES("memoom_peak_open", "ret_peak", memoom_peak_open(group, NULL, &error));
    REFUSES("memoom_group_usage", "ret_bytes", memoom_group_usage(group, NULL, &error));
    REFUSES("memoom_group_peak", "ret_bytes", memoom_group_peak(group, NULL, &error));
    REFUSES("memoom_group_counters", "ret_counters", memoom_group_counters(group, NULL, &error));
    REFUSES("memoom_group_predict", "ret_prediction", memoom_group_predict(group, NULL, &error));
    REFUSES("memoom_watch_open", "ret_watch", memoom_watch_open(group, NULL, &error));
    REFUSES("memoom_watch_open_recursive", "ret_watch", memoom_watch_open_recursive(group, NULL, &error));
    REFUSES("memoom_watch_next", "ret_event", memoom_watch_next(watch, 0, NULL, &error));
    REFUSES("memoom_watch_keep_record", "directory", memoom_watch_keep_record(watch, NULL, 65536, &error));
    REFUSES("memoom_watch_wait_oom", "ret_oom", memoom_watch_wait_oom(watch, 0, NULL, &error));
    REFUSES("memoom_command_spawn", "argv", memoom_command_spawn(group, NULL, NULL, &out.worker, &error));
    REFUSES("memoom_command_spawn", "ret_worker", memoom_command_spawn(group, argv, NULL, NULL, &error));
    REFUSES("memoom_function_spawn", "function", memoom_function_spawn(group, NULL, NULL, NULL, &out.worker, &error));
    REFUSES("memoom_function_spawn", "ret_worker", memoom_function_spawn(group, nothing, NULL, NULL, NULL, &error));
    REFUSES("memoom_hog_spawn", "ret_worker", memoom_hog_spawn(group, NULL, NULL, &error));
    REFUSES("memoom_ticker_spawn", "ret_worker", memoom_ticker_spawn(group, NULL, NULL, &error));
    REFUSES("memoom_hog_pace", "ret_paced", memoom_hog_pace(hog, NULL, 0, NULL, &error));
    REFUSES("memoom_hog_grow", "ret_grow", memoom_hog_grow(hog, 4096, 0, NULL, &error));
    REFUSES("memoom_hog_finish", "ret_grow", memoom_hog_finish(hog, 0, NULL, &error));
    REFUSES("memoom_hog_shrink", "ret_bytes", memoom_hog_shrink(hog, 4096, 0, NULL, &error));
    REFUSES("memoom_worker_state", "ret_state", memoom_worker_state(hog, NULL, &error));
    REFUSES("memoom_worker_wait", "ret_outcome", memoom_worker_wait(hog, 0, NULL, &error));
    memoom_worker_free(hog);
    memoom_watch_free(watch);
    memoom_group_free(group);
    memoom_lab_free(lab);
}

int main(void)
{
    frees();
    getters();
    calls();
    live_calls();
    ok(!out.lab && !out.group && !out.worker && !out.watch && !out.event && !out.oom && !out.outcome && !out.host &&
       !out.leftovers && !out.reports && !out.reader && !out.report && !out.workload && !out.timeline && !out.fitted && !out.postmortem && !out.prediction &&
       !out.number && !out.count && !out.pid &&
       !out.on && !out.state && !out.grow.status && !out.counters.usage_bytes, "refused calls have written nothing");
    return done();
}
