/*
 * What the acceptance programs share: TAP, expectations of the table, and memoom calls that must work.
 * A program is: begin(), its scenario, return end().
 */
#ifndef ACCEPTANCE_H
#define ACCEPTANCE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <memoom.h>

#define MIB (1024ull * 1024)
#define LONG 120000000000ull /* ns; nothing takes so long, also under emulation */

static int acceptance_count, acceptance_failed;
static memoom_lab *lab;
static memoom_error *acceptance_error;
/* Objects to be freed at the end. */
static memoom_group *acceptance_groups[256];
static memoom_worker *acceptance_workers[256];
static size_t acceptance_group_count, acceptance_worker_count;

static inline int ok(int holds, const char *what)
{
    acceptance_count++;
    acceptance_failed += !holds;
    printf("%s %d - %s\n", holds ? "ok" : "not ok", acceptance_count, what);
    fflush(stdout);
    return holds;
}

/* Of this machine: limits are whole pages. */
static inline uint64_t page_bytes(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* For a call that must work: MUST(memoom_group_kill(group, ERR)). */
#define ERR (&acceptance_error)
#define MUST(call) must((call), #call)
static inline void must(memoom_status status, const char *call)
{
    if (status == MEMOOM_OK)
        return;
    printf("Bail out! %s: %s\n", call, memoom_error_message(acceptance_error));
    exit(1);
}

/* For a call that must be refused in that way. */
#define REFUSED(status, call) refused((status), (call), #call)
static inline void refused(memoom_status expected, memoom_status status, const char *call)
{
    if (!ok(status == expected, call))
        printf("# status %u: %s\n", (unsigned)status, acceptance_error ? memoom_error_message(acceptance_error) : "-");
    memoom_error_free(acceptance_error);
    acceptance_error = NULL;
}

/* A number of expected.toml for this case on this kernel. */
static inline uint64_t expect(const char *name)
{
    char variable[128];
    const char *value;

    snprintf(variable, sizeof(variable), "EXPECT_%s", name);
    value = getenv(variable);
    if (!value) {
        printf("Bail out! %s is not set: run this by tests/acceptance/run.py\n", variable);
        exit(1);
    }
    return strtoull(value, NULL, 10);
}

/* Whether a number is within so many percent of another (of their sum, as the kernel's own tests have it). */
static inline int close_to(uint64_t seen, uint64_t expected, uint64_t percent)
{
    uint64_t apart = seen > expected ? seen - expected : expected - seen;

    return apart <= (seen + expected) / 100 * percent;
}

static inline int near(uint64_t seen, uint64_t expected, uint64_t percent, const char *what)
{
    int holds = ok(close_to(seen, expected, percent), what);

    if (!holds)
        printf("# %llu is not within %llu %% of %llu\n", (unsigned long long)seen, (unsigned long long)percent,
               (unsigned long long)expected);
    return holds;
}

/* By how much the usage of a group may be ahead of what is used: 64 pages for each CPU. */
static inline uint64_t charged_ahead(void)
{
    return 64 * page_bytes() * (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
}

/* As near, for the usage of a group: what is charged ahead comes on top of what is used, page tables and all. */
static inline int near_usage(uint64_t seen, uint64_t expected, uint64_t percent, const char *what)
{
    uint64_t above = seen > expected ? seen - expected : 0, ahead = charged_ahead();

    return near(seen - (above < ahead ? above : ahead), expected, percent, what);
}

/* Whether something comes true that no call tells of; it is asked again and again, and given up after LONG. */
#define UNTIL(holds) until_begins(); while (!(holds) && until_goes_on())
static struct timespec until_since;
static inline void until_begins(void)
{
    clock_gettime(CLOCK_MONOTONIC, &until_since);
}
static inline int until_goes_on(void)
{
    struct timespec now, moment = {0, 10000000};

    nanosleep(&moment, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)(now.tv_sec - until_since.tv_sec) < LONG / 1000000000;
}

static inline void begin(void)
{
    must(memoom_lab_create(NULL, &lab, ERR), "a lab");
}

/* A group with a limit in bytes (MEMOOM_UNLIMITED for none), at the lab's top or below another; swap is kept out. */
static inline memoom_group *group_in(memoom_group *parent, const char *name, uint64_t limit)
{
    memoom_group_options options = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_group *group = NULL;

    options.limit_bytes = limit;
    if (parent)
        MUST(memoom_group_create_child(parent, name, &options, &group, ERR));
    else
        MUST(memoom_group_create(lab, name, &options, &group, ERR));
    return acceptance_groups[acceptance_group_count++] = group;
}

/*
 * A hog of that kind that holds nothing yet. Files are only read: written pages can be dropped when they are on the disk,
 * and on a slow disk the kernel declares an OOM before that.
 */
static inline memoom_worker *hog(memoom_group *group, const char *name, const char *kind)
{
    memoom_hog_options options = MEMOOM_HOG_OPTIONS_INIT;
    memoom_worker *worker = NULL;

    options.name = name;
    options.kind = kind;
    if (strcmp(kind, MEMOOM_KIND_FILE) == 0)
        options.pattern = MEMOOM_PATTERN_READ;
    MUST(memoom_hog_spawn(group, &options, &worker, ERR));
    return acceptance_workers[acceptance_worker_count++] = worker;
}

static inline memoom_worker *ticker(memoom_group *group, const char *name)
{
    memoom_ticker_options options = MEMOOM_TICKER_OPTIONS_INIT;
    memoom_worker *worker = NULL;

    options.name = name;
    MUST(memoom_ticker_spawn(group, &options, &worker, ERR));
    return acceptance_workers[acceptance_worker_count++] = worker;
}

static inline memoom_worker *command(memoom_group *group, const char *const *argv)
{
    memoom_worker *worker = NULL;

    MUST(memoom_command_spawn(group, argv, NULL, &worker, ERR));
    return acceptance_workers[acceptance_worker_count++] = worker;
}

/* One step; the status says how it ended. */
static inline memoom_grow_status grow(memoom_worker *worker, uint64_t bytes)
{
    memoom_grow grow = MEMOOM_GROW_INIT;

    MUST(memoom_hog_grow(worker, bytes, LONG, &grow, ERR));
    return grow.status;
}

/* How a worker ended. */
static inline memoom_verdict verdict(memoom_worker *worker)
{
    memoom_outcome *outcome = NULL;
    memoom_verdict verdict;

    MUST(memoom_worker_wait(worker, LONG, &outcome, ERR));
    verdict = memoom_outcome_verdict(outcome);
    memoom_outcome_free(outcome);
    return verdict;
}

static inline uint64_t usage(memoom_group *group)
{
    uint64_t bytes = 0;

    MUST(memoom_group_usage(group, &bytes, ERR));
    return bytes;
}

static inline memoom_counters counters(memoom_group *group)
{
    memoom_counters counters = MEMOOM_COUNTERS_INIT;

    MUST(memoom_group_counters(group, &counters, ERR));
    return counters;
}

/* A number of memory.stat, which the kernel brings up to date every 2 seconds or so: see UNTIL. */
static inline uint64_t stat_of(memoom_group *group, const char *key)
{
    uint64_t value = 0;

    MUST(memoom_group_stat(group, key, &value, ERR));
    return value;
}

/* A file of the group that memoom has no word for: reads a number, or writes a text and gives the errno. */
static inline FILE *file_of(memoom_group *group, const char *name, const char *mode)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", memoom_group_path(group), name);
    file = fopen(path, mode);
    if (!file) {
        printf("Bail out! %s cannot be opened\n", path);
        exit(1);
    }
    return file;
}

static inline uint64_t number_of(memoom_group *group, const char *name)
{
    FILE *file = file_of(group, name, "r");
    unsigned long long number = 0;
    int read = fscanf(file, "%llu", &number);

    fclose(file);
    must(read == 1 ? MEMOOM_OK : MEMOOM_ERR_IO, name);
    return number;
}

static inline int write_to(memoom_group *group, const char *name, const char *text)
{
    FILE *file = file_of(group, name, "w");
    int failed = fputs(text, file) < 0;

    return (fclose(file) != 0 || failed) ? errno : 0;
}

static inline size_t processes(memoom_group *group)
{
    int32_t pids[512];
    size_t count = 0;

    MUST(memoom_group_processes(group, pids, 512, &count, ERR));
    return count;
}

/* Ends everything and gives the status to exit with. */
static inline int end(void)
{
    must(memoom_lab_close(lab, ERR), "the lab ends");
    while (acceptance_worker_count)
        memoom_worker_free(acceptance_workers[--acceptance_worker_count]);
    while (acceptance_group_count)
        memoom_group_free(acceptance_groups[--acceptance_group_count]);
    memoom_lab_free(lab);
    printf("1..%d\n", acceptance_count);
    return acceptance_failed != 0;
}

#endif
