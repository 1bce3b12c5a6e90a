/*
 * What the five experiments have in common: a group limited to 80M with two hogs and a ticker, and checks that are
 * printed as they are made.
 */
#ifndef STAGE_H
#define STAGE_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memoom.h>

#define LIMIT_BYTES ((uint64_t)80 << 20)
/* Every wait ends here at the latest; an emulated machine is slow. */
#define LONG_NS ((uint64_t)60 * 1000000000)

struct stage {
    memoom_lab *lab;
    memoom_group *group;
    memoom_watch *watch;
    memoom_worker *hogs[2];
    memoom_worker *ticker;
    memoom_oom *oom;
    int failed;
};

/* A check that holds, or does not. */
static inline void check(struct stage *stage, const char *what, int holds)
{
    printf("  [%s] %s\n", holds ? "ok" : "FAILED", what);
    if (!holds)
        stage->failed = 1;
}

/*
 * A call that must succeed: says why where it did not, and gives up the program; the lab ends with it. It takes the
 * address of the error: a compiler may read an argument before the call beside it has written it.
 */
static inline void must(memoom_status status, memoom_error **error)
{
    if (status == MEMOOM_OK)
        return;
    fprintf(stderr, "%s\n", *error ? memoom_error_message(*error) : memoom_status_name(status));
    memoom_error_freep(error);
    exit(1);
}

static inline void stage_set(struct stage *stage, const memoom_group_options *options)
{
    static const char *const names[2] = {"alloc_memory_1", "alloc_memory_2"};
    memoom_ticker_options ticker = MEMOOM_TICKER_OPTIONS_INIT;
    memoom_error *error = NULL;
    int i;

    memset(stage, 0, sizeof(*stage));
    must(memoom_lab_create(NULL, &stage->lab, &error), &error);
    must(memoom_group_create(stage->lab, "experiment", options, &stage->group, &error), &error);
    /* Before the workers, so that it sees everything. */
    must(memoom_watch_open(stage->group, &stage->watch, &error), &error);
    for (i = 0; i < 2; i++) {
        memoom_hog_options hog = MEMOOM_HOG_OPTIONS_INIT;
        hog.name = names[i];
        must(memoom_hog_spawn(stage->group, &hog, &stage->hogs[i], &error), &error);
    }
    ticker.name = "print_counter";
    ticker.every_ns = 100000000;
    must(memoom_ticker_spawn(stage->group, &ticker, &stage->ticker, &error), &error);
}

/* The hogs take 10 MB in turn until a step does not grow or somebody was killed. Gives the hog that stepped last. */
static inline int stage_step(struct stage *stage, memoom_grow *ret_last)
{
    memoom_error *error = NULL;
    int turn;

    for (turn = 0;; turn++) {
        memoom_grow grow = MEMOOM_GROW_INIT;
        uint64_t usage = 0;
        memoom_worker *hog = stage->hogs[turn % 2];
        must(memoom_hog_grow(hog, MEMOOM_UNCHANGED, LONG_NS, &grow, &error), &error);
        must(memoom_group_usage(stage->group, &usage, &error), &error);
        printf("  %s holds %" PRIu64 " MiB, usage %" PRIu64 " KiB\n", memoom_worker_name(hog), grow.total_bytes >> 20,
               usage >> 10);
        if (grow.status != MEMOOM_GROW_GREW || memoom_worker_ended(stage->hogs[0]) ||
            memoom_worker_ended(stage->hogs[1])) {
            *ret_last = grow;
            return turn % 2;
        }
    }
}

/* The account of the next OOM, printed. */
static inline void stage_account(struct stage *stage)
{
    memoom_error *error = NULL;

    memoom_oom_free(stage->oom);
    stage->oom = NULL;
    must(memoom_watch_wait_oom(stage->watch, LONG_NS, &stage->oom, &error), &error);
    if (!stage->oom) {
        fprintf(stderr, "no account of the OOM came\n");
        exit(1);
    }
    fputs(memoom_oom_to_text(stage->oom), stdout);
}

/* Whether the ticker reports again. */
static inline int stage_ticks(struct stage *stage)
{
    uint64_t ticks = memoom_worker_ticks(stage->ticker);

    while (memoom_worker_ticks(stage->ticker) == ticks) {
        memoom_event *event = NULL;
        memoom_error *error = NULL;
        must(memoom_watch_next(stage->watch, LONG_NS, &event, &error), &error);
        if (!event)
            return 0;
        memoom_event_free(event);
    }
    return 1;
}

static inline memoom_state stage_state(memoom_worker *worker)
{
    memoom_error *error = NULL;
    memoom_state state = 0;

    must(memoom_worker_state(worker, &state, &error), &error);
    return state;
}

static inline memoom_counters stage_counters(struct stage *stage)
{
    memoom_counters counters = MEMOOM_COUNTERS_INIT;
    memoom_error *error = NULL;

    must(memoom_group_counters(stage->group, &counters, &error), &error);
    return counters;
}

/* Whether the call path has a function of that part of the way. */
static inline int stage_path_has(const memoom_oom *oom, const char *step)
{
    size_t i;

    for (i = 0; i < memoom_oom_frame_count(oom); i++) {
        const memoom_frame *frame = memoom_oom_frame_at(oom, i);
        if (frame->step && strcmp(frame->step, step) == 0)
            return 1;
    }
    return 0;
}

/* The timeline, line by line; then the lab ends. Gives 1 where every check held. */
static inline int stage_end(struct stage *stage)
{
    memoom_timeline *timeline = NULL;
    memoom_error *error = NULL;
    uint64_t start = 0;
    size_t i;

    must(memoom_lab_timeline(stage->lab, &timeline, &error), &error);
    for (i = 0; i < memoom_timeline_event_count(timeline); i++) {
        const memoom_event *event = memoom_timeline_event_at(timeline, i);
        if (i == 0)
            start = memoom_event_time_ns(event);
        if (strcmp(memoom_event_kind(event), "log") != 0 && strcmp(memoom_event_kind(event), "ticked") != 0)
            printf("  %9.3f ms  %-10s %-10s pid %d\n", (double)(memoom_event_time_ns(event) - start) / 1e6,
                   memoom_event_source(event), memoom_event_kind(event), (int)memoom_event_pid(event));
    }
    memoom_timeline_free(timeline);
    must(memoom_lab_close(stage->lab, &error), &error);
    memoom_oom_free(stage->oom);
    memoom_worker_free(stage->hogs[0]);
    memoom_worker_free(stage->hogs[1]);
    memoom_worker_free(stage->ticker);
    memoom_watch_free(stage->watch);
    memoom_group_free(stage->group);
    memoom_lab_free(stage->lab);
    return !stage->failed;
}

#endif
