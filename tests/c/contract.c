/*
 * The contract of the calls: statuses, what an error says, sizes of structs, borrowed and owned, cleanup, reports.
 */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

/* The statuses that this run has seen. */
static int seen[16];

/* The call gives that status, and its one-line message has those words; the error is freed. */
static void fails(memoom_status status, memoom_error **error, memoom_status expected, const char *word, const char *what)
{
    const char *message = memoom_error_message(*error);
    int holds = status == expected && memoom_error_status(*error) == expected && message && strstr(message, word) &&
                !strchr(message, '\n') && strlen(message) < 1000 && memoom_error_operation(*error);

    ok(holds, what);
    if (holds)
        seen[-expected] = 1;
    if (!holds)
        printf("# status %d (%s), message: %s\n", (int)status, memoom_status_name(status), message ? message : "none");
    memoom_error_free(*error);
    *error = NULL;
}

#define FAILS(call, expected, word) fails(call, &error, expected, word, #expected ": " #call)

static void statuses(void)
{
    static const char *const names[] = {"ok", "invalid-input", "unsupported", "permission-denied", "not-found",
                                        "already-exists", "busy", "closed", "worker-gone", "timed-out",
                                        "out-of-memory", "interrupted", "io", "other", "panic"};
    int i;

    for (i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++)
        ok(strcmp(memoom_status_name(-i), names[i]) == 0, names[i]);
    ok(strcmp(memoom_status_name(-4711), "other") == 0 && strcmp(memoom_status_name(1), "other") == 0,
       "an unknown status has a name too");
}

static void sizes(void)
{
    memoom_error *error = NULL;
    uint64_t bytes = 7;

    ok(memoom_parse_size("80M", &bytes, &error) == MEMOOM_OK && bytes == 80u << 20, "80M");
    ok(memoom_parse_size("max", &bytes, &error) == MEMOOM_OK && bytes == MEMOOM_UNLIMITED, "max");
    ok(memoom_parse_size("0", &bytes, &error) == MEMOOM_OK && bytes == 0, "0 is a size");
    bytes = 7;
    uint32_t covers = 7;
    ok(memoom_cgroup_covers("/a", "/a/b", &covers, &error) == MEMOOM_OK && covers == 1, "a group below");
    ok(memoom_cgroup_covers("/a", "/ab", &covers, &error) == MEMOOM_OK && covers == 0, "a group beside");
    FAILS(memoom_cgroup_covers("/a", "\xff", &covers, &error), MEMOOM_ERR_INVALID_INPUT, "\\xff");
    FAILS(memoom_parse_size("80MB", &bytes, &error), MEMOOM_ERR_INVALID_INPUT, "(value 80MB)");
    FAILS(memoom_parse_size("\xff", &bytes, &error), MEMOOM_ERR_INVALID_INPUT, "\\xff");
    ok(bytes == 7, "outputs are written only on success");
}

static void host(void)
{
    memoom_host *found __attribute__((cleanup(memoom_host_freep))) = NULL;
    memoom_error *error = NULL;
    size_t i;

    ok(memoom_host_probe(&found, &error) == MEMOOM_OK && error == NULL, "the host");
    for (i = 0; i < memoom_host_ability_count(found); i++) {
        const memoom_ability *ability = memoom_host_ability_at(found, i);
        ok(ability->struct_size == sizeof(*ability) && ability->reason[0] != '\0' &&
           (ability->available || ability->remedy[0] != '\0') &&
           memoom_host_can(found, ability->name) == ability->available &&
           memoom_host_ability(found, ability->name) == ability, ability->name);
    }
    ok(i >= 4 && memoom_host_ability_at(found, i) == NULL, "abilities end in NULL");
    ok(memoom_host_can(found, "fly") == 0 && memoom_host_ability(found, "fly") == NULL, "an unknown ability");
    ok(memoom_host_can(found, NULL) == 0, "no ability");
    ok(memoom_host_to_json(found)[0] == '{' && memoom_host_release(found)[0] != '\0', "json and release");
    ok((memoom_host_version(found) == MEMOOM_CGROUP_NONE) == (memoom_host_can(found, "memory-controller") == 0),
       "a version where there is a controller");
}

static void reports(void)
{
    static const char log[] =
        "[    5.100000] Memory cgroup out of memory: Killed process 4242 (caf\xc3\xa9) total-vm:41168kB, anon-rss:40960kB, "
        "file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:116kB oom_score_adj:-7\n";
    memoom_report_list *list = NULL;
    const memoom_report *report;
    const memoom_kill *kill;
    memoom_error *error = NULL;

    ok(memoom_report_parse(NULL, 0, &list, &error) == MEMOOM_OK && memoom_report_list_count(list) == 0, "an empty log");
    ok(strcmp(memoom_report_list_to_json(list), "{\"schema\":\"memoom.reports/1\",\"reports\":[]}") == 0, "its document");
    memoom_report_list_free(list);
    ok(memoom_report_parse(log, sizeof(log) - 1, &list, &error) == MEMOOM_OK && memoom_report_list_count(list) == 1,
       "a log with a kill line");
    report = memoom_report_list_at(list, 0);
    kill = memoom_report_kill_at(report, 0);
    ok(memoom_report_kill_count(report) == 1 && kill && kill->pid == 4242 && kill->oom_score_adj == -7, "who died");
    ok(kill && strcmp(kill->comm, "caf\\xc3\\xa9") == 0, "bytes that are not ASCII are escaped");
    ok(kill && kill->anon_rss_bytes == 40960u * 1024 && kill->pgtables_bytes == 116u * 1024 && kill->uid == 0, "sizes in bytes");
    ok(memoom_report_missing_count(report) > 0 && memoom_report_usage_bytes(report) == MEMOOM_UNKNOWN, "what is missing is named");
    ok(memoom_report_oom_memcg(report) == NULL && memoom_report_invoker_pid(report) == 0, "what is missing is NULL");
    ok(report && strstr(memoom_report_to_text(report), "4242") != NULL, "as text");
    ok(memoom_report_list_at(list, 1) == NULL, "reports end in NULL");
    memoom_report_list_free(list);
}

struct later_group_options {
    memoom_group_options now;
    uint64_t third;
};

static void struct_sizes(memoom_lab *lab)
{
    struct later_group_options later = {MEMOOM_GROUP_OPTIONS_INIT, 0};
    memoom_group_options options = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_counters counters = MEMOOM_COUNTERS_INIT;
    memoom_group *group = NULL;
    memoom_error *error = NULL;
    uint64_t limit = 0;

    later.now.struct_size = sizeof(later);
    later.now.limit_bytes = 32u << 20;
    ok(memoom_group_create(lab, "longer", &later.now, &group, &error) == MEMOOM_OK, "a longer struct whose rest is 0");
    memoom_group_free(group);
    later.third = 1;
    FAILS(memoom_group_create(lab, "newer", &later.now, &group, &error), MEMOOM_ERR_INVALID_INPUT, "does not know");
    options.struct_size = 0;
    FAILS(memoom_group_create(lab, "zero", &options, &group, &error), MEMOOM_ERR_INVALID_INPUT, "_INIT macro");
    options.struct_size = offsetof(memoom_group_options, swap_bytes);
    options.limit_bytes = 16u << 20;
    options.oom_group = 4711;
    ok(memoom_group_create(lab, "shorter", &options, &group, &error) == MEMOOM_OK, "a shorter struct has the defaults");
    ok(memoom_group_limit(group, &limit, &error) == MEMOOM_OK && limit == 16u << 20, "and what it says counts");
    counters.struct_size = offsetof(memoom_counters, peak_bytes);
    counters.peak_bytes = 4711;
    ok(memoom_group_counters(group, &counters, &error) == MEMOOM_OK && counters.usage_bytes != MEMOOM_UNKNOWN &&
       counters.peak_bytes == 4711, "an output struct is filled as far as it goes");
    counters.struct_size = 3;
    FAILS(memoom_group_counters(group, &counters, &error), MEMOOM_ERR_INVALID_INPUT, "_INIT macro");
    memoom_group_free(group);
    options.struct_size = sizeof(options);
    FAILS(memoom_group_create(lab, "switch", &options, &group, &error), MEMOOM_ERR_INVALID_INPUT, "options.oom_group");
}

static void groups_and_workers(memoom_lab *lab)
{
    const char *const nowhere[] = {"/nowhere/at-all", NULL};
    const char *const none[] = {NULL};
    const char *const fine[] = {"/bin/sh", "-c", "exit 3", NULL};
    const char *const wrong_env[] = {"NOVALUE", NULL};
    memoom_group_options limits = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_command_options command = MEMOOM_COMMAND_OPTIONS_INIT;
    memoom_hog_options hog_options = MEMOOM_HOG_OPTIONS_INIT;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_group *group = NULL, *other = NULL;
    memoom_worker *hog = NULL, *worker = NULL;
    memoom_outcome *outcome = NULL;
    memoom_watch *watch = NULL;
    memoom_event *event = NULL;
    memoom_oom *oom = NULL;
    memoom_error *error = NULL;
    struct pollfd ended;
    char huge[10001];
    memoom_state state = 0;

    memset(huge, 'n', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    limits.limit_bytes = 32u << 20;
    ok(memoom_group_create(lab, "work", &limits, &group, &error) == MEMOOM_OK, "a group");
    ok(strcmp(memoom_group_name(group), "work") == 0 && memoom_group_path(group)[0] == '/', "its name and path");
    FAILS(memoom_group_create(lab, "work", &limits, &other, &error), MEMOOM_ERR_ALREADY_EXISTS, "create group");
    FAILS(memoom_group_create(lab, "a/b", &limits, &other, &error), MEMOOM_ERR_INVALID_INPUT, "one component");
    FAILS(memoom_group_create(lab, huge, &limits, &other, &error), MEMOOM_ERR_INVALID_INPUT, "255 bytes");
    limits.limit_bytes = (uint64_t)1 << 50;
    FAILS(memoom_group_create(lab, "huge", &limits, &other, &error), MEMOOM_ERR_OUT_OF_MEMORY, "the host has");
    FAILS(memoom_group_open("/nowhere", &other, &error), MEMOOM_ERR_NOT_FOUND, "/nowhere");
    FAILS(memoom_group_set_limit(group, MEMOOM_UNCHANGED, &error), MEMOOM_ERR_INVALID_INPUT, "MEMOOM_UNCHANGED");
    /* What a getter did not know is no limit, least of all none. */
    FAILS(memoom_group_set_limit(group, MEMOOM_UNKNOWN, &error), MEMOOM_ERR_INVALID_INPUT, "MEMOOM_UNKNOWN");
    limits.limit_bytes = MEMOOM_UNKNOWN;
    FAILS(memoom_group_create(lab, "unknown", &limits, &other, &error), MEMOOM_ERR_INVALID_INPUT, "options.limit_bytes");
    if (memoom_lab_version(lab) == MEMOOM_CGROUP_V1)
        FAILS(memoom_group_set_oom_group(group, MEMOOM_ON, &error), MEMOOM_ERR_UNSUPPORTED, "remedy");
    else
        FAILS(memoom_group_set_oom_killer(group, MEMOOM_OFF, &error), MEMOOM_ERR_UNSUPPORTED, "remedy");
    ok(memoom_watch_open(group, &watch, &error) == MEMOOM_OK && memoom_watch_fd(watch) >= 0, "a watch");
    event = (memoom_event *)watch;
    ok(memoom_watch_next(watch, 0, &event, &error) == MEMOOM_OK && event == NULL, "no event yet");
    ok(memoom_watch_wait_oom(watch, 0, &oom, &error) == MEMOOM_OK && oom == NULL, "no OOM yet");

    hog_options.name = "sixteen bytes ..";
    FAILS(memoom_hog_spawn(group, &hog_options, &hog, &error), MEMOOM_ERR_INVALID_INPUT, "15 bytes");
    hog_options.name = "hungry";
    hog_options.kind = "granite";
    FAILS(memoom_hog_spawn(group, &hog_options, &hog, &error), MEMOOM_ERR_INVALID_INPUT, "granite");
    hog_options.kind = "anon";
    hog_options.oom_score_adj = 70000;
    FAILS(memoom_hog_spawn(group, &hog_options, &hog, &error), MEMOOM_ERR_INVALID_INPUT, "70000");
    hog_options.oom_score_adj = 0;
    ok(memoom_hog_spawn(group, &hog_options, &hog, &error) == MEMOOM_OK, "a hog");
    ok(strcmp(memoom_worker_name(hog), "hungry") == 0 && memoom_worker_pid(hog) > 0, "its name and pid");
    FAILS(memoom_hog_finish(hog, 0, &grow, &error), MEMOOM_ERR_INVALID_INPUT, "no step");
    ok(memoom_hog_grow(hog, 4u << 20, MEMOOM_FOREVER, &grow, &error) == MEMOOM_OK && grow.status == MEMOOM_GROW_GREW &&
       grow.total_bytes == 4u << 20 && grow.struct_size == sizeof(grow), "it grows");
    ok(memoom_hog_total_bytes(hog) == 4u << 20, "it holds that");
    FAILS(memoom_group_remove(group, &error), MEMOOM_ERR_BUSY, "remove group");
    FAILS(memoom_worker_wait(hog, 1000, &outcome, &error), MEMOOM_ERR_TIMED_OUT, "wait for worker");
    FAILS(memoom_worker_signal(hog, 4711, &error), MEMOOM_ERR_INVALID_INPUT, "4711");

    command.env = wrong_env;
    FAILS(memoom_command_spawn(group, fine, &command, &worker, &error), MEMOOM_ERR_INVALID_INPUT, "NOVALUE");
    command.env = NULL;
    command.stdin_fd = -7;
    FAILS(memoom_command_spawn(group, fine, &command, &worker, &error), MEMOOM_ERR_INVALID_INPUT, "options.stdin_fd");
    command.stdin_fd = -1;
    FAILS(memoom_command_spawn(group, fine, &command, &worker, &error), MEMOOM_ERR_INVALID_INPUT, "a failed open");
    command.stdin_fd = 999999;
    ok(memoom_command_spawn(group, fine, &command, &worker, &error) == MEMOOM_ERR_IO && memoom_error_errno(error) == EBADF,
       "a descriptor that is not open");
    seen[-MEMOOM_ERR_IO] = memoom_error_status(error) == MEMOOM_ERR_IO;
    memoom_error_freep(&error);
    error = NULL;
    command.stdin_fd = MEMOOM_FD_NULL;
    FAILS(memoom_command_spawn(group, none, NULL, &worker, &error), MEMOOM_ERR_INVALID_INPUT, "no program");
    ok(memoom_command_spawn(group, nowhere, NULL, &worker, &error) == MEMOOM_ERR_NOT_FOUND &&
       memoom_error_errno(error) == ENOENT, "a program that is not there");
    memoom_error_free(error);
    error = NULL;
    ok(memoom_command_spawn(group, fine, &command, &worker, &error) == MEMOOM_OK, "a command");
    FAILS(memoom_hog_grow(worker, 1, 0, &grow, &error), MEMOOM_ERR_INVALID_INPUT, "no hog");
    ok(memoom_worker_wait(worker, MEMOOM_FOREVER, &outcome, &error) == MEMOOM_OK &&
       memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_EXITED && memoom_outcome_returncode(outcome) == 3, "its outcome");
    ok(memoom_outcome_oom(outcome) == NULL && memoom_outcome_evidence_count(outcome) > 0, "its evidence");
    memoom_outcome_free(outcome);
    memoom_worker_free(worker);

    ok(memoom_worker_kill(hog, &error) == MEMOOM_OK, "kill");
    ended.fd = memoom_worker_pidfd(hog);
    ended.events = POLLIN;
    ok(poll(&ended, 1, 60000) == 1, "the pidfd becomes readable");
    ok(memoom_worker_wait(hog, MEMOOM_FOREVER, &outcome, &error) == MEMOOM_OK &&
       memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_KILLED && memoom_outcome_returncode(outcome) == -SIGKILL,
       "a kill of ours is no OOM kill");
    memoom_outcome_free(outcome);
    ok(memoom_worker_state(hog, &state, &error) == MEMOOM_OK && state == 'X', "its state");
    FAILS(memoom_hog_grow(hog, MEMOOM_UNCHANGED, 0, &grow, &error), MEMOOM_ERR_WORKER_GONE, "memoom_worker_wait says how it ended");
    ok(memoom_watch_next(watch, 0, &event, &error) == MEMOOM_OK && event != NULL && memoom_event_time_ns(event) > 0 &&
       memoom_event_to_json(event)[0] == '{', "an event");
    memoom_event_free(event);
    ok(memoom_group_remove(group, &error) == MEMOOM_OK, "the empty group goes");
    FAILS(memoom_group_remove(group, &error), MEMOOM_ERR_NOT_FOUND, "removed");
    /* Objects outlive the objects that they came from. */
    memoom_group_free(group);
    memoom_worker_free(hog);
    memoom_watch_free(watch);
}

static void an_oom(memoom_lab *lab)
{
    memoom_group_options limits = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_group *group = NULL;
    memoom_watch *watch = NULL;
    memoom_worker *hog = NULL;
    memoom_outcome *outcome = NULL;
    memoom_oom *oom = NULL;
    memoom_timeline *timeline = NULL;
    memoom_error *error = NULL;

    limits.limit_bytes = 32u << 20;
    ok(memoom_group_create(lab, "oom", &limits, &group, &error) == MEMOOM_OK, "a group");
    ok(memoom_watch_open(group, &watch, &error) == MEMOOM_OK, "a watch");
    ok(memoom_hog_spawn(group, NULL, &hog, &error) == MEMOOM_OK, "a hog");
    while (memoom_hog_grow(hog, MEMOOM_UNCHANGED, MEMOOM_FOREVER, &grow, &error) == MEMOOM_OK &&
           grow.status == MEMOOM_GROW_GREW)
        continue;
    ok(grow.status == MEMOOM_GROW_KILLED && grow.total_bytes == 30u << 20, "the fourth step kills it");
    ok(memoom_watch_wait_oom(watch, MEMOOM_FOREVER, &oom, &error) == MEMOOM_OK && oom, "the account");
    ok(memoom_worker_wait(hog, MEMOOM_FOREVER, &outcome, &error) == MEMOOM_OK, "the outcome");
    memoom_watch_free(watch);
    memoom_worker_free(hog);
    memoom_group_free(group);
    ok(memoom_oom_predicted_right(oom) == 1 && memoom_oom_victim(oom)->pid == memoom_outcome_pid(outcome), "predicted");
    ok(memoom_oom_victim(oom)->struct_size == sizeof(memoom_victim) &&
       memoom_oom_victim(oom)->cause == MEMOOM_CAUSE_SELECTED && strcmp(memoom_oom_victim(oom)->comm, "hog") == 0, "victim");
    ok(memoom_oom_limit_bytes(oom) == 32u << 20 && memoom_oom_usage_after(oom) < 4u << 20, "limit and usage");
    ok(memoom_oom_to_json(oom) == memoom_oom_to_json(oom) && strstr(memoom_oom_to_text(oom), "OOM in ") != NULL, "text and document stay");
    ok(memoom_outcome_oom_killed(outcome) == 1 && memoom_oom_killed(memoom_outcome_oom(outcome), memoom_outcome_pid(outcome)),
       "the outcome has the account");
    ok(memoom_lab_timeline(lab, &timeline, &error) == MEMOOM_OK && memoom_timeline_event_count(timeline) > 5 &&
       memoom_event_kind(memoom_timeline_event_at(timeline, 0)) != NULL, "the timeline");
    memoom_timeline_free(timeline);
    memoom_outcome_free(outcome);
    memoom_oom_free(oom);
}

/* Writes to so many bytes: more than its group may have, it is killed in here. */
static int32_t fill(void *argument)
{
    size_t bytes = *(size_t *)argument;
    char *memory = malloc(bytes);

    if (!memory)
        return 1;
    memset(memory, 1, bytes);
    return memory[bytes - 1] == 1 ? 0 : 2;
}

static int32_t seven(void *argument)
{
    return argument == NULL ? 7 : 8;
}

static int32_t forever(void *argument)
{
    (void)argument;
    for (;;)
        pause();
    return 0;
}

/* A worker that the kernel may not kill, where it may kill nobody else; and the deadline of a forced one. */
static void forced(memoom_lab *lab)
{
    const char *const sleeps[] = {"/bin/sleep", "600", NULL};
    memoom_group_options limits = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_command_options command = MEMOOM_COMMAND_OPTIONS_INIT;
    memoom_function_options function = MEMOOM_FUNCTION_OPTIONS_INIT;
    memoom_group *group = NULL;
    memoom_worker *worker = NULL;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;

    limits.limit_bytes = 32u << 20;
    ok(memoom_group_create(lab, "forced", &limits, &group, &error) == MEMOOM_OK, "a group");
    command.oom_score_adj = function.oom_score_adj = -1000;
    FAILS(memoom_command_spawn(group, sleeps, &command, &worker, &error), MEMOOM_ERR_INVALID_INPUT, "-1000");
    FAILS(memoom_function_spawn(group, forever, NULL, &function, &worker, &error), MEMOOM_ERR_INVALID_INPUT, "-1000");
    command.oom_score_adj = function.oom_score_adj = 0;
    command.force_within_ns = function.force_within_ns = 50000000;
    ok(memoom_command_spawn(group, sleeps, &command, &worker, &error) == MEMOOM_OK &&
       memoom_worker_wait(worker, MEMOOM_FOREVER, &outcome, &error) == MEMOOM_OK &&
       memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_KILLED, "a command is ended at its deadline");
    memoom_outcome_free(outcome);
    memoom_worker_free(worker);
    ok(memoom_function_spawn(group, forever, NULL, &function, &worker, &error) == MEMOOM_OK &&
       memoom_worker_wait(worker, MEMOOM_FOREVER, &outcome, &error) == MEMOOM_OK &&
       memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_KILLED, "a function too");
    memoom_outcome_free(outcome);
    memoom_worker_free(worker);
    memoom_group_free(group);
}

/* What is forced meets its limit, the kernel kills nobody and tries on and on, and the deadline ends it. */
static void forced_spins(void)
{
    memoom_lab_options quiet = MEMOOM_LAB_OPTIONS_INIT;
    memoom_group_options limits = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_function_options function = MEMOOM_FUNCTION_OPTIONS_INIT;
    memoom_counters counters = MEMOOM_COUNTERS_INIT;
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_worker *worker = NULL;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    size_t bytes = 96u << 20;
    memoom_status status;

    if (getenv("MEMOOM_SLOW"))
        return; /* hundreds of reports a second are too much for an emulated machine */
    quiet.flags = MEMOOM_LAB_NO_KERNEL_LOG | MEMOOM_LAB_NO_CALL_PATH;
    limits.limit_bytes = 16u << 20;
    function.oom_score_adj = -1000;
    function.force_within_ns = 1500000000;
    ok(memoom_lab_create(&quiet, &lab, &error) == MEMOOM_OK &&
       memoom_group_create(lab, "spins", &limits, &group, &error) == MEMOOM_OK, "a quiet lab");
    status = memoom_function_spawn(group, fill, &bytes, &function, &worker, &error);
    if (status == MEMOOM_ERR_PERMISSION_DENIED) { /* root without CAP_SYS_RESOURCE */
        printf("# not here: %s\n", memoom_error_message(error));
        memoom_error_freep(&error);
    } else {
        ok(status == MEMOOM_OK && memoom_worker_wait(worker, MEMOOM_FOREVER, &outcome, &error) == MEMOOM_OK &&
           memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_KILLED && !memoom_outcome_oom_killed(outcome),
           "what fills a group and is spared is ended at its deadline");
        ok(memoom_group_counters(group, &counters, &error) == MEMOOM_OK && counters.oom_kill == 0 &&
           counters.peak_bytes > 15u << 20, "it met the limit, and the kernel killed nobody");
    }
    memoom_outcome_free(outcome);
    memoom_worker_free(worker);
    memoom_group_free(group);
    ok(memoom_lab_close(lab, &error) == MEMOOM_OK, "the quiet lab is closed");
    memoom_lab_free(lab);
}

static void run_functions(memoom_lab *lab)
{
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    memoom_function_options function = MEMOOM_FUNCTION_OPTIONS_INIT;
    memoom_group *group = NULL;
    memoom_worker *worker = NULL;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    size_t bytes = 96u << 20;
    uint64_t usage = 0;

    options.limit_bytes = 32u << 20;
    ok(memoom_run_function(seven, NULL, &options, &outcome, &error) == MEMOOM_OK &&
       memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_EXITED && memoom_outcome_returncode(outcome) == 7, "a function");
    memoom_outcome_free(outcome);
    ok(memoom_run_function(fill, &bytes, &options, &outcome, &error) == MEMOOM_OK && memoom_outcome_oom_killed(outcome) &&
       memoom_oom_killed(memoom_outcome_oom(outcome), memoom_outcome_pid(outcome)) &&
       memoom_oom_limit_bytes(memoom_outcome_oom(outcome)) == 32u << 20, "a function that is OOM-killed");
    memoom_outcome_free(outcome);
    options.timeout_ns = 50000000;
    ok(memoom_run_function(forever, NULL, &options, &outcome, &error) == MEMOOM_OK &&
       memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_TIMEOUT, "a function that runs too long");
    memoom_outcome_free(outcome);
    options.stdin_fd = MEMOOM_FD_NULL;
    FAILS(memoom_run_function(seven, NULL, &options, &outcome, &error), MEMOOM_ERR_INVALID_INPUT, "for commands");

    ok(memoom_group_create(lab, "functions", NULL, &group, &error) == MEMOOM_OK, "a group");
    function.name = "sixteen bytes ..";
    FAILS(memoom_function_spawn(group, forever, NULL, &function, &worker, &error), MEMOOM_ERR_INVALID_INPUT, "15 bytes");
    function.name = "sleeper";
    function.oom_score_adj = 250;
    ok(memoom_function_spawn(group, forever, NULL, &function, &worker, &error) == MEMOOM_OK, "a function as a worker");
    ok(strcmp(memoom_worker_name(worker), "sleeper") == 0 && !memoom_worker_ended(worker), "its name");
    ok(waitpid(memoom_worker_pid(worker), NULL, WNOHANG) == -1 && errno == ECHILD, "waitpid does not see it");
    ok(memoom_group_usage(group, &usage, &error) == MEMOOM_OK && usage < 4u << 20, "it begins with little");
    ok(memoom_worker_kill(worker, &error) == MEMOOM_OK &&
       memoom_worker_wait(worker, MEMOOM_FOREVER, &outcome, &error) == MEMOOM_OK &&
       memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_KILLED, "its outcome");
    memoom_outcome_free(outcome);
    memoom_worker_free(worker);
    memoom_group_free(group);
}

/* What the hook did, in the document and in the struct. */
static void was_held(const memoom_outcome *outcome)
{
    const memoom_at_limit *held = memoom_outcome_at_limit_at(outcome, 0);

    ok(memoom_outcome_returncode(outcome) == 5 && strstr(memoom_outcome_to_json(outcome), "looked at ") &&
           strstr(memoom_outcome_to_json(outcome), "\"raised\""), "held at the limit");
    ok(memoom_outcome_at_limit_count(outcome) == 1 && memoom_outcome_at_limit_at(outcome, 1) == NULL,
       "it was held once");
    ok(held && strcmp(held->then, "raised") == 0 && held->limit_bytes == 32u << 20 &&
           held->limit_after_bytes == 128u << 20 && held->held_ns > 0 && held->predicted_pid > 0,
       "what was seen at the limit");
    ok(held && strncmp(held->hook_output, "looked at ", 10) == 0 &&
           atoi(held->hook_output + 10) == held->predicted_pid && strchr(held->hook_output, '\n') &&
           held->hook_error == NULL && held->hook_returncode == 0 && held->hook_timed_out == 0, "what the hook did");
}

static void run(void)
{
    const char *const argv[] = {"/bin/sh", "-c", "exit 4", NULL};
    const char *const grows[] = {
        "/bin/sh", "-c", "x=aaaaaaaa; while [ ${#x} -lt 16000000 ]; do x=$x$x; done; exit 5", NULL};
    memoom_run_options options = MEMOOM_RUN_OPTIONS_INIT;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;

    options.limit_bytes = 32u << 20;
    ok(memoom_run(argv, &options, &outcome, &error) == MEMOOM_OK && memoom_outcome_returncode(outcome) == 4, "run");
    memoom_outcome_free(outcome);
    /* The hook raises the limit, so that what it looks at goes on; the document has what it wrote. */
    options.at_limit = "echo looked at {pid}; echo memoom: raise 128M";
    ok(memoom_run(grows, &options, &outcome, &error) == MEMOOM_OK, "a run that is held at its limit");
    if (strstr(memoom_outcome_to_json(outcome), "hold process") && strstr(memoom_outcome_to_json(outcome), "ENOSYS"))
        printf("# not here: %s\n", memoom_outcome_to_text(outcome)); /* valgrind knows no pidfd_open(2) */
    else
        was_held(outcome);
    memoom_outcome_free(outcome);
    options.at_limit = NULL;
    ok(memoom_run(argv, &options, &outcome, &error) == MEMOOM_OK && memoom_outcome_at_limit_count(outcome) == 0 &&
           memoom_outcome_at_limit_at(outcome, 0) == NULL, "a run that is not to be held");
    memoom_outcome_free(outcome);
    options.oom_group = 9;
    FAILS(memoom_run(argv, &options, &outcome, &error), MEMOOM_ERR_INVALID_INPUT, "options.oom_group");
}

/* A user without any right is told so, and which right it lacks. */
static void as_nobody(void)
{
    memoom_lab *lab = NULL;
    memoom_error *error = NULL;
    int status = 0;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
            _exit(2);
        status = memoom_lab_create(NULL, &lab, &error);
        _exit(status == MEMOOM_ERR_PERMISSION_DENIED && strstr(memoom_error_message(error), "remedy") ? 0 : 1);
    }
    ok(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0, "nobody has no permission");
    seen[-MEMOOM_ERR_PERMISSION_DENIED] = WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/*
 * Every status that a program can bring about was seen. Three it cannot, and capi's own tests have them: waits of this face
 * go on after a signal (INTERRUPTED), and OTHER and PANIC are for what nobody knows yet.
 */
static void every_status(void)
{
    int i;

    for (i = 1; i <= -MEMOOM_ERR_PANIC; i++)
        if (i != -MEMOOM_ERR_INTERRUPTED && i != -MEMOOM_ERR_OTHER && i != -MEMOOM_ERR_PANIC)
            ok(seen[i], memoom_status_name(-i));
}

int main(void)
{
    memoom_lab_options options = MEMOOM_LAB_OPTIONS_INIT;
    memoom_leftover_list *leftovers = NULL;
    memoom_lab *lab = NULL, *other = NULL;
    memoom_group *group = NULL, *late = NULL;
    memoom_error *error = NULL;
    uint64_t bytes;

    statuses();
    sizes();
    host();
    reports();
    options.flags = 1u << 30;
    FAILS(memoom_lab_create(&options, &other, &error), MEMOOM_ERR_INVALID_INPUT, "options.flags");
    if (!lab_or_reason(&lab))
        return done();
    options.flags = 0;
    options.parent = "/tmp";
    FAILS(memoom_lab_create(&options, &other, &error), MEMOOM_ERR_INVALID_INPUT, "/tmp");
    options.parent = "/nowhere";
    ok(memoom_lab_create(&options, &other, &error) == MEMOOM_ERR_NOT_FOUND && memoom_error_path(error) &&
       strcmp(memoom_error_path(error), "/nowhere") == 0, "the error names the path");
    memoom_error_freep(&error);
    error = NULL;
    ok(strstr(memoom_lab_path(lab), memoom_lab_name(lab)) != NULL && memoom_lab_supervisor_pid(lab) > 0, "a lab");
    struct_sizes(lab);
    groups_and_workers(lab);
    an_oom(lab);
    run();
    forced(lab);
    forced_spins();
    run_functions(lab);
    ok(memoom_gc(&leftovers, &error) == MEMOOM_OK, "gc");
    ok(memoom_leftover_list_at(leftovers, memoom_leftover_list_count(leftovers)) == NULL, "leftovers end in NULL");
    memoom_leftover_list_free(leftovers);
    ok(memoom_group_create(lab, "last", NULL, &group, &error) == MEMOOM_OK, "a last group");
    ok(memoom_lab_close(lab, &error) == MEMOOM_OK && memoom_lab_close(lab, &error) == MEMOOM_OK, "closing twice is fine");
    FAILS(memoom_group_create(lab, "late", NULL, &late, &error), MEMOOM_ERR_CLOSED, "closed");
    FAILS(memoom_group_usage(group, &bytes, &error), MEMOOM_ERR_CLOSED, "closed");
    memoom_lab_free(lab);
    memoom_group_free(group);
    as_nobody();
    every_status();
    return done();
}
