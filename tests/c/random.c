/*
 * Random sequences of calls, by several threads at once on the same objects: groups, workers, watches and peaks of one lab,
 * readers of logs, results; with NULL, with what was closed, ended or removed. Each call keeps its contract: a status of the
 * header, an error object exactly where it failed, no output of a refused call, no panic, and it comes back in time. In the
 * end nothing of the lab is left.
 *
 * MEMOOM_RANDOM_CALLS (300) is how many calls each thread makes, MEMOOM_RANDOM_THREADS (3) how many threads,
 * MEMOOM_RANDOM_LABS (2) how many labs one after another, MEMOOM_SEED what they are drawn by.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define MIB ((uint64_t)1 << 20)
#define MILLISECOND ((uint64_t)1000000)
#define SECOND ((uint64_t)1000000000)

/* A handle that all threads use: _free is the last use, so whoever frees it has it alone. */
struct slot {
    pthread_rwlock_t lock;
    void *object;
};

enum kind { LAB, GROUP, WORKER, WATCH, PEAK, READER, KINDS };
#define SLOTS 6
static struct slot slots[KINDS][SLOTS];
static unsigned long broken, made, refused;

/* What one thread draws from, and what it is doing. */
struct thread {
    pthread_t id;
    uint64_t random;
    unsigned long calls;
    /* Counted by each thread alone: a lock here would order the calls, and hide a race between them. */
    unsigned long broken, made, refused, seen[16];
    /* When the call began that it is in. */
    uint64_t since;
    memoom_status status;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static uint64_t draw(struct thread *self, uint64_t below)
{
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return (self->random >> 11) % below;
}

/* One call: its status, its error and its output fit together. */
static int judge(struct thread *self, const char *call, memoom_status status, memoom_error **error, int wrote)
{
    const char *message = memoom_error_message(*error);
    int failed = status != MEMOOM_OK;
    int wrong = status > 0 || status < -13 || status == MEMOOM_ERR_PANIC || failed != (*error != NULL) || (failed && wrote) ||
                (failed && (!message || strchr(message, '\n') || memoom_error_status(*error) != status));
    uint64_t taken = now_ns() - self->since;

    /* The longest timeout is a second; the rest is for a machine that has other things to do. */
    if (taken > 60 * SECOND) {
        printf("# %s took %llu s\n", call, (unsigned long long)(taken / SECOND));
        wrong = 1;
    }
    if (status <= 0 && status > -16)
        self->seen[-status]++;
    self->made++;
    self->refused += failed;
    if (wrong && self->broken++ < 10)
        printf("# %s: status %d (%s), %s\n", call, (int)status, memoom_status_name(status), message ? message : "no error");
    memoom_error_free(*error);
    *error = NULL;
    return !failed;
}

/* The call is made before its output is looked at. */
#define CALL(name, wrote, made_call)                                                                                   \
    (self->since = now_ns(), self->status = (made_call), judge(self, name, self->status, &error, wrote))

/* Lends the object of a slot, which may be NULL. */
static void *lend(struct slot *slot)
{
    pthread_rwlock_rdlock(&slot->lock);
    return slot->object;
}

static void back(struct slot *slot)
{
    pthread_rwlock_unlock(&slot->lock);
}

static void release(enum kind kind, void *object)
{
    switch (kind) {
    case LAB: memoom_lab_free(object); break;
    case GROUP: memoom_group_free(object); break;
    case WORKER: memoom_worker_free(object); break;
    case WATCH: memoom_watch_free(object); break;
    case PEAK: memoom_peak_free(object); break;
    case READER: memoom_report_reader_free(object); break;
    case KINDS: break;
    }
}

/* Puts an object into a slot of its kind; the one that stood there is freed. */
static void put(struct thread *self, enum kind kind, void *object)
{
    struct slot *slot = &slots[kind][draw(self, SLOTS)];
    void *old;

    pthread_rwlock_wrlock(&slot->lock);
    old = slot->object;
    slot->object = object;
    pthread_rwlock_unlock(&slot->lock);
    release(kind, old);
}

static struct slot *some(struct thread *self, enum kind kind)
{
    return &slots[kind][draw(self, SLOTS)];
}

static uint64_t some_timeout(struct thread *self)
{
    static const uint64_t timeouts[] = {0, 1, MILLISECOND, 5 * MILLISECOND, 50 * MILLISECOND, SECOND};

    return timeouts[draw(self, 6)];
}

static uint64_t some_bytes(struct thread *self)
{
    static const uint64_t sizes[] = {0, 1, 4096, MIB, 2 * MIB, 3 * MIB, 48 * MIB, (uint64_t)1 << 50, MEMOOM_UNLIMITED, MEMOOM_UNCHANGED};

    return sizes[draw(self, 10) < 6 ? draw(self, 6) : draw(self, 10)];
}

static const char *some_name(struct thread *self)
{
    static const char *const names[] = {"a", "b", "c", "d", "", ".", "a/b", NULL, "\xff\n"};

    return names[draw(self, 8) < 7 ? draw(self, 4) : draw(self, 9)];
}

static int32_t seven(void *argument)
{
    (void)argument;
    return 7;
}

/* ---- the calls, by the kind of object that they begin with ---- */

static void on_lab(struct thread *self)
{
    struct slot *slot = &slots[LAB][0];
    memoom_lab *lab = lend(slot);
    memoom_group_options options = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_group *group = NULL;
    memoom_timeline *timeline = NULL;
    memoom_error *error = NULL;

    options.limit_bytes = (8 + draw(self, 24)) * MIB;
    switch (draw(self, 8)) {
    case 0:
        if (CALL("memoom_lab_timeline", timeline != NULL, memoom_lab_timeline(lab, &timeline, &error)))
            (void)memoom_timeline_to_json(timeline);
        memoom_timeline_free(timeline);
        break;
    case 1:
        CALL("memoom_lab_group_at", group != NULL, memoom_lab_group_at(lab, draw(self, 5), &group, &error));
        break;
    case 2:
        (void)(memoom_lab_group_count(lab) + (size_t)memoom_lab_supervisor_pid(lab) + memoom_lab_version(lab));
        (void)memoom_lab_path(lab);
        break;
    default:
        CALL("memoom_group_create", group != NULL,
             memoom_group_create(lab, some_name(self), draw(self, 9) ? &options : NULL, &group, &error));
    }
    back(slot);
    if (group)
        put(self, GROUP, group);
}

static void spawn(struct thread *self, memoom_group *group, memoom_worker **worker)
{
    static const char *const commands[][4] = {{"/bin/true", NULL},
                                              {"/bin/sleep", "1000", NULL},
                                              {"/bin/sh", "-c", "exit 3", NULL},
                                              {"/nowhere/at-all", NULL}};
    memoom_hog_options hog = MEMOOM_HOG_OPTIONS_INIT;
    memoom_ticker_options ticker = MEMOOM_TICKER_OPTIONS_INIT;
    memoom_error *error = NULL;

    ticker.every_ns = draw(self, 4) * 10 * MILLISECOND;
    hog.step_bytes = MIB;
    switch (draw(self, 6)) {
    case 0:
        CALL("memoom_command_spawn", *worker != NULL,
             memoom_command_spawn(group, draw(self, 9) ? commands[draw(self, 4)] : NULL, NULL, worker, &error));
        break;
    case 1:
        CALL("memoom_ticker_spawn", *worker != NULL, memoom_ticker_spawn(group, &ticker, worker, &error));
        break;
    case 2:
        CALL("memoom_function_spawn", *worker != NULL, memoom_function_spawn(group, seven, NULL, NULL, worker, &error));
        break;
    default:
        CALL("memoom_hog_spawn", *worker != NULL, memoom_hog_spawn(group, draw(self, 4) ? &hog : NULL, worker, &error));
    }
}

static void set_group(struct thread *self, memoom_group *group)
{
    memoom_error *error = NULL;

    switch (draw(self, 12)) {
    case 0: CALL("memoom_group_set_limit", 0, memoom_group_set_limit(group, (8 + draw(self, 24)) * MIB, &error)); break;
    case 1: CALL("memoom_group_set_high", 0, memoom_group_set_high(group, some_bytes(self), &error)); break;
    case 2: CALL("memoom_group_set_oom_group", 0, memoom_group_set_oom_group(group, (memoom_switch)draw(self, 3), &error)); break;
    case 3: CALL("memoom_group_set_swap", 0, memoom_group_set_swap(group, some_bytes(self), &error)); break;
    case 4: CALL("memoom_group_freeze", 0, memoom_group_freeze(group, some_timeout(self), &error)); break;
    case 5:
    case 6: CALL("memoom_group_thaw", 0, memoom_group_thaw(group, &error)); break;
    case 7: CALL("memoom_group_kill", 0, memoom_group_kill(group, &error)); break;
    case 8: CALL("memoom_group_sample", 0, memoom_group_sample(group, &error)); break;
    case 9: CALL("memoom_group_reset_failcnt", 0, memoom_group_reset_failcnt(group, &error)); break;
    case 10: CALL("memoom_group_remove", 0, memoom_group_remove(group, &error)); break;
    default: CALL("memoom_group_add_alarm", 0, memoom_group_add_alarm(group, draw(self, 2) ? "threshold 1M" : "no alarm", &error));
    }
}

static void read_group(struct thread *self, memoom_group *group)
{
    memoom_counters counters = MEMOOM_COUNTERS_INIT;
    memoom_composition composition = MEMOOM_COMPOSITION_INIT;
    memoom_pressure pressure = MEMOOM_PRESSURE_INIT;
    memoom_prediction *prediction = NULL;
    memoom_error *error = NULL;
    memoom_switch on = MEMOOM_OFF;
    int32_t pids[4];
    uint64_t bytes = 0;
    size_t count = 0;

    switch (draw(self, 9)) {
    case 0: CALL("memoom_group_usage", bytes != 0, memoom_group_usage(group, &bytes, &error)); break;
    case 1: CALL("memoom_group_counters", 0, memoom_group_counters(group, &counters, &error)); break;
    case 2: CALL("memoom_group_composition", 0, memoom_group_composition(group, &composition, &error)); break;
    case 3: CALL("memoom_group_pressure", 0, memoom_group_pressure(group, &pressure, &error)); break;
    case 4: CALL("memoom_group_processes", 0, memoom_group_processes(group, pids, draw(self, 5), &count, &error)); break;
    case 5: CALL("memoom_group_stat", 0, memoom_group_stat(group, draw(self, 3) ? "cache" : "", &bytes, &error)); break;
    case 6: CALL("memoom_group_frozen", 0, memoom_group_frozen(group, &on, &error)); break;
    case 7: CALL("memoom_group_limit", bytes != 0, memoom_group_limit(group, &bytes, &error)); break;
    default:
        if (CALL("memoom_group_predict", prediction != NULL, memoom_group_predict(group, &prediction, &error)))
            (void)memoom_prediction_to_json(prediction);
        memoom_prediction_free(prediction);
    }
}

static void block_group(struct thread *self, memoom_group *group)
{
    memoom_error *error = NULL;
    size_t count = 0;

    switch (draw(self, 4)) {
    case 0: CALL("memoom_group_block", 0, memoom_group_block(group, &error)); break;
    case 1: CALL("memoom_group_wait_blocked", 0, memoom_group_wait_blocked(group, some_timeout(self), &count, &error)); break;
    case 2: CALL("memoom_group_resume_raise", 0, memoom_group_resume_raise(group, 64 * MIB, &error)); break;
    default: CALL("memoom_group_resume_killer", 0, memoom_group_resume_killer(group, SECOND, &error));
    }
}

static void on_group(struct thread *self)
{
    struct slot *slot = some(self, GROUP);
    memoom_group *group = lend(slot);
    memoom_group *child = NULL;
    memoom_worker *worker = NULL;
    memoom_watch *watch = NULL;
    memoom_peak *peak = NULL;
    memoom_error *error = NULL;

    switch (draw(self, 12)) {
    case 0:
    case 1:
    case 2: spawn(self, group, &worker); break;
    case 3:
    case 4: set_group(self, group); break;
    case 5:
    case 6: read_group(self, group); break;
    case 7: CALL("memoom_watch_open", watch != NULL, memoom_watch_open(group, &watch, &error)); break;
    case 8: CALL("memoom_watch_open_recursive", watch != NULL, memoom_watch_open_recursive(group, &watch, &error)); break;
    case 9: CALL("memoom_peak_open", peak != NULL, memoom_peak_open(group, &peak, &error)); break;
    case 10: block_group(self, group); break;
    default:
        CALL("memoom_group_create_child", child != NULL, memoom_group_create_child(group, some_name(self), NULL, &child, &error));
    }
    (void)memoom_group_name(group);
    back(slot);
    if (child)
        put(self, GROUP, child);
    if (worker)
        put(self, WORKER, worker);
    if (watch)
        put(self, WATCH, watch);
    if (peak)
        put(self, PEAK, peak);
}

static void on_worker(struct thread *self)
{
    struct slot *slot = some(self, WORKER);
    memoom_worker *worker = lend(slot);
    memoom_outcome *outcome = NULL;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;
    uint64_t bytes = 0;
    memoom_state state = 0;

    switch (draw(self, 10)) {
    case 0:
    case 1:
    case 2: CALL("memoom_hog_grow", 0, memoom_hog_grow(worker, draw(self, 20) ? MIB : 48 * MIB, some_timeout(self), &grow, &error)); break;
    case 3: CALL("memoom_hog_finish", 0, memoom_hog_finish(worker, some_timeout(self), &grow, &error)); break;
    case 4: CALL("memoom_hog_shrink", 0, memoom_hog_shrink(worker, MIB, some_timeout(self), &bytes, &error)); break;
    case 5: CALL("memoom_worker_state", state != 0, memoom_worker_state(worker, &state, &error)); break;
    case 6: CALL("memoom_worker_kill", 0, memoom_worker_kill(worker, &error)); break;
    case 7: CALL("memoom_worker_signal", 0, memoom_worker_signal(worker, draw(self, 2) ? SIGCONT : (int32_t)draw(self, 80), &error)); break;
    default:
        if (CALL("memoom_worker_wait", outcome != NULL, memoom_worker_wait(worker, some_timeout(self), &outcome, &error)))
            (void)(memoom_outcome_to_json(outcome) && memoom_outcome_to_text(outcome) && memoom_outcome_summary(outcome));
        memoom_outcome_free(outcome);
    }
    (void)(memoom_worker_pid(worker) + memoom_worker_pidfd(worker));
    back(slot);
}

static void on_watch(struct thread *self)
{
    struct slot *slot = some(self, WATCH), *mark = some(self, PEAK);
    memoom_watch *watch = lend(slot);
    memoom_peak *peak = lend(mark);
    memoom_event *event = NULL;
    memoom_oom *oom = NULL;
    memoom_error *error = NULL;
    uint64_t bytes = 0, timeout = some_timeout(self) / 10;

    switch (draw(self, 4)) {
    case 0: CALL("memoom_peak_bytes", bytes != 0, memoom_peak_bytes(peak, &bytes, &error)); break;
    case 1: CALL("memoom_peak_reset", 0, memoom_peak_reset(peak, &error)); break;
    case 2:
        CALL("memoom_watch_wait_oom", oom != NULL, memoom_watch_wait_oom(watch, timeout, &oom, &error));
        if (oom)
            (void)(memoom_oom_to_json(oom) && memoom_oom_to_text(oom) && memoom_oom_limit_words(oom));
        memoom_oom_free(oom);
        break;
    default:
        CALL("memoom_watch_next", event != NULL, memoom_watch_next(watch, timeout, &event, &error));
        if (event)
            (void)memoom_event_to_text(event);
        memoom_event_free(event);
    }
    (void)memoom_watch_fd(watch);
    back(mark);
    back(slot);
}

static void on_log(struct thread *self)
{
    static const char line[] = "[    5.100000] Memory cgroup out of memory: Killed process 7 (a) total-vm:4kB, anon-rss:4kB, "
                               "file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0\n";
    struct slot *slot = some(self, READER);
    memoom_report_reader *reader = lend(slot), *opened = NULL;
    memoom_report_list *list = NULL;
    memoom_report *report = NULL;
    memoom_error *error = NULL;
    uint64_t timeout = some_timeout(self) / 10;
    int ends[2];

    switch (draw(self, 5)) {
    case 0:
        CALL("memoom_report_parse", list != NULL, memoom_report_parse(draw(self, 9) ? line : NULL, draw(self, sizeof line), &list, &error));
        (void)memoom_report_summary(memoom_report_list_at(list, 0));
        memoom_report_list_free(list);
        break;
    case 1:
        if (pipe(ends) != 0)
            break;
        if (write(ends[1], line, draw(self, sizeof line)) < 0)
            errno = 0;
        CALL("memoom_report_reader_open_fd", opened != NULL, memoom_report_reader_open_fd(ends[0], &opened, &error));
        close(ends[0]);
        close(ends[1]);
        break;
    case 2:
        CALL("memoom_report_reader_open", opened != NULL, memoom_report_reader_open(draw(self, 2) ? "/dev/null" : "/nowhere", &opened, &error));
        break;
    default:
        CALL("memoom_report_reader_next", report != NULL, memoom_report_reader_next(reader, timeout, &report, &error));
        (void)(memoom_report_finding_at(report, 0) && memoom_report_task_count(report) && memoom_report_mem_info(report));
        memoom_report_free(report);
    }
    (void)memoom_report_reader_ended(reader);
    back(slot);
    if (opened)
        put(self, READER, opened);
}

static void *run(void *argument)
{
    struct thread *self = argument;
    unsigned long at;

    for (at = 0; at < self->calls; at++) {
        switch (draw(self, 16)) {
        case 0: on_log(self); break;
        case 1:
        case 2:
        case 3: on_watch(self); break;
        case 4:
        case 5: on_lab(self); break;
        case 6: put(self, (enum kind)(GROUP + draw(self, KINDS - GROUP)), NULL); break;
        case 7:
        case 8:
        case 9:
        case 10: on_group(self); break;
        default: on_worker(self);
        }
    }
    return NULL;
}

/* ---- one lab after another ---- */

static unsigned long given(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);

    return text ? strtoul(text, NULL, 0) : otherwise;
}

/* Everybody calls; then the lab is closed while some still call, and what is left of the calls goes on without it. */
static void one_lab(uint64_t seed, unsigned long threads, unsigned long calls, uint64_t flags)
{
    struct thread *all = calloc(threads, sizeof *all);
    memoom_lab_options options = MEMOOM_LAB_OPTIONS_INIT;
    memoom_error *error = NULL;
    memoom_lab *lab = NULL;
    char path[4096] = "";
    struct stat there;
    unsigned long at, kind, slot, panics = 0, timed_out = 0;

    options.flags = flags;
    if (!all || memoom_lab_create(&options, &lab, &error) != MEMOOM_OK) {
        ok(0, memoom_error_message(error));
        memoom_error_free(error);
        free(all);
        return;
    }
    snprintf(path, sizeof path, "%s", memoom_lab_path(lab));
    slots[LAB][0].object = lab;
    for (at = 0; at < threads; at++) {
        all[at].random = (seed + at + 1) * 0x9e3779b97f4a7c15u | 1;
        all[at].calls = calls;
        if (pthread_create(&all[at].id, NULL, run, &all[at]) != 0)
            abort();
    }
    /* The first thread ends before the others are half done, mostly; then the lab goes under them. */
    pthread_join(all[0].id, NULL);
    if (memoom_lab_close(lab, &error) != MEMOOM_OK)
        printf("# close: %s\n", memoom_error_message(error));
    ok(error == NULL, "the lab is closed while others call");
    memoom_error_freep(&error);
    for (at = 1; at < threads; at++)
        pthread_join(all[at].id, NULL);
    for (kind = 0; kind < KINDS; kind++) {
        for (slot = 0; slot < SLOTS; slot++) {
            release((enum kind)kind, slots[kind][slot].object);
            slots[kind][slot].object = NULL;
        }
    }
    for (at = 0; at < threads; at++) {
        made += all[at].made;
        refused += all[at].refused;
        broken += all[at].broken;
        panics += all[at].seen[-MEMOOM_ERR_PANIC];
        timed_out += all[at].seen[-MEMOOM_ERR_TIMED_OUT];
    }
    ok(panics == 0, "no panic");
    ok(stat(path, &there) != 0 && errno == ENOENT, "nothing of the lab is left");
    printf("# %lu timeouts\n", timed_out);
    free(all);
}

int main(void)
{
    uint64_t seed = given("MEMOOM_SEED", (unsigned long)time(NULL) ^ ((unsigned long)getpid() << 16));
    unsigned long threads = given("MEMOOM_RANDOM_THREADS", 3), calls = given("MEMOOM_RANDOM_CALLS", 300), kind, slot, at;
    unsigned long labs = given("MEMOOM_RANDOM_LABS", 2);
    memoom_lab *lab = NULL;

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("# MEMOOM_SEED=%llu\n", (unsigned long long)seed);
    for (kind = 0; kind < KINDS; kind++)
        for (slot = 0; slot < SLOTS; slot++)
            pthread_rwlock_init(&slots[kind][slot].lock, NULL);
    if (!lab_or_reason(&lab))
        return done();
    memoom_lab_free(lab);
    /* A call that does not come back is killed with the whole program, by its parent's timeout. */
    for (at = 0; at < labs; at++)
        one_lab(seed + 1000 * at, threads, calls, at % 2 ? MEMOOM_LAB_NO_KERNEL_LOG | MEMOOM_LAB_NO_CALL_PATH : 0);
    printf("# %lu calls, %lu of them refused, %lu broke the contract\n", made, refused, broken);
    ok(broken == 0, "each call keeps its contract");
    return done();
}
