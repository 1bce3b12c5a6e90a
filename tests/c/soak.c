/*
 * Cycles of kills and other ends through the C interface: each verdict is right, each kill has one account of the right
 * process, each prediction that is certain is right, and neither memory nor descriptors grow. MEMOOM_SOAK_CYCLES says how
 * many (20).
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "tap.h"

#define MIB ((uint64_t)1 << 20)
#define SECONDS ((uint64_t)1000000000)

static unsigned long wrong, kills, accounts, determined, right;

static void check(int holds, const char *what, memoom_error **error)
{
    if (holds)
        return;
    wrong++;
    printf("# %s: %s\n", what, *error ? memoom_error_message(*error) : "not so");
    memoom_error_freep(error);
}

static long resident_kib(int pid)
{
    char path[64];
    long pages = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    file = fopen(path, "r");
    if (!file || fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static long descriptors(int pid)
{
    char path[64];
    long count = 0;
    DIR *directory;

    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    directory = opendir(path);
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

/* A hog that is killed at the limit, and its account. */
static void killed(memoom_group *group, memoom_watch *watch)
{
    memoom_hog_options options = MEMOOM_HOG_OPTIONS_INIT;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_worker *hog = NULL;
    memoom_outcome *outcome = NULL;
    memoom_oom *oom = NULL;
    memoom_error *error = NULL;
    const memoom_predicted *predicted;

    check(memoom_hog_spawn(group, &options, &hog, &error) == MEMOOM_OK, "a hog", &error);
    do {
        check(memoom_hog_grow(hog, 4 * MIB, 60 * SECONDS, &grow, &error) == MEMOOM_OK, "a step", &error);
    } while (grow.status == MEMOOM_GROW_GREW && !wrong);
    check(memoom_worker_wait(hog, 60 * SECONDS, &outcome, &error) == MEMOOM_OK && memoom_outcome_oom_killed(outcome),
          "it was killed in an OOM", &error);
    kills++;
    check(memoom_watch_wait_oom(watch, 60 * SECONDS, &oom, &error) == MEMOOM_OK && oom, "its account", &error);
    if (oom) {
        accounts++;
        check(memoom_oom_killed(oom, memoom_worker_pid(hog)) == 1, "the account is of it", &error);
        predicted = memoom_oom_predicted(oom);
        if (predicted && predicted->determined) {
            determined++;
            right += memoom_oom_predicted_right(oom) == 1;
        }
    }
    memoom_oom_freep(&oom);
    memoom_outcome_free(outcome);
    memoom_worker_free(hog);
}

/* A command that ends by itself, or by a signal that is none of the kernel's. */
static void ended(memoom_group *group, const char *const *argv, int signal, memoom_verdict expected)
{
    memoom_worker *worker = NULL;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;

    check(memoom_command_spawn(group, argv, NULL, &worker, &error) == MEMOOM_OK, "a command", &error);
    if (signal)
        check(memoom_worker_signal(worker, signal, &error) == MEMOOM_OK, "a signal", &error);
    check(memoom_worker_wait(worker, 60 * SECONDS, &outcome, &error) == MEMOOM_OK &&
          memoom_outcome_verdict(outcome) == expected, "the verdict of a command", &error);
    memoom_outcome_free(outcome);
    memoom_worker_free(worker);
}

static void cycle(memoom_lab *lab, unsigned long number)
{
    static const char *const exits[] = { "true", NULL }, *const sleeps[] = { "sleep", "1000", NULL };
    memoom_group_options limits = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_group *group = NULL;
    memoom_watch *watch = NULL;
    memoom_oom *oom = NULL;
    memoom_error *error = NULL;

    limits.limit_bytes = 16 * MIB;
    check(memoom_group_create(lab, "cycle", &limits, &group, &error) == MEMOOM_OK, "a group", &error);
    check(memoom_watch_open(group, &watch, &error) == MEMOOM_OK, "a watch", &error);
    if (number % 3 == 0)
        killed(group, watch);
    else if (number % 3 == 1)
        ended(group, exits, 0, MEMOOM_VERDICT_EXITED);
    else
        ended(group, sleeps, SIGKILL, MEMOOM_VERDICT_KILLED);
    check(memoom_watch_wait_oom(watch, 0, &oom, &error) == MEMOOM_OK && !oom, "no account without a kill", &error);
    memoom_oom_freep(&oom);
    memoom_watch_free(watch);
    check(memoom_group_remove(group, &error) == MEMOOM_OK, "the group goes", &error);
    memoom_group_free(group);
}

static void soak(const char *name, uint64_t flags, unsigned long cycles)
{
    memoom_lab_options options = MEMOOM_LAB_OPTIONS_INIT;
    memoom_lab *lab = NULL;
    memoom_error *error = NULL;
    long rss[2] = { 0, 0 }, open[2] = { 0, 0 }, helper[2] = { 0, 0 };
    unsigned long number;
    int helper_pid;

    options.flags = flags;
    options.keep_events = cycles < 2000 ? 8 * cycles : 0;
    options.keep_ooms = cycles < 2000 ? cycles / 8 + 1 : 0;
    wrong = kills = accounts = determined = right = 0;
    if (memoom_lab_create(&options, &lab, &error) != MEMOOM_OK) {
        ok(0, memoom_error_message(error));
        memoom_error_free(error);
        return;
    }
    helper_pid = memoom_lab_supervisor_pid(lab);
    for (number = 0; number < cycles && wrong < 10; number++) {
        /* The most of the third quarter of the run and of the last. */
        int quarter = number * 4 / cycles < 3 ? 0 : 1;

        cycle(lab, number);
        if (number * 2 < cycles)
            continue;
        if (resident_kib(getpid()) > rss[quarter])
            rss[quarter] = resident_kib(getpid());
        if (descriptors(getpid()) > open[quarter])
            open[quarter] = descriptors(getpid());
        if (resident_kib(helper_pid) > helper[quarter])
            helper[quarter] = resident_kib(helper_pid);
    }
    printf("# %s: %lu cycles, %lu kills, %lu accounts, %lu of %lu certain predictions right, %lu wrong\n", name, cycles,
           kills, accounts, right, determined, wrong);
    printf("# resident %ld then %ld KiB, descriptors %ld then %ld, supervisor %ld then %ld KiB\n", rss[0], rss[1], open[0],
           open[1], helper[0], helper[1]);
    ok(wrong == 0 && accounts == kills && right == determined, name);
    ok(rss[1] <= rss[0] + 1024 + rss[0] / 20 && helper[1] <= helper[0] + 256, "memory stays as it is");
    ok(open[1] <= open[0] + 8, "descriptors stay as they are");
    ok(memoom_lab_close(lab, &error) == MEMOOM_OK, "the lab is closed");
    memoom_lab_free(lab);
}

int main(void)
{
    const char *given = getenv("MEMOOM_SOAK_CYCLES");
    unsigned long cycles = given ? strtoul(given, NULL, 10) : 20;
    memoom_lab *lab = NULL;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (lab_or_reason(&lab)) {
        memoom_lab_free(lab);
        soak("with evidence", 0, cycles);
        soak("without evidence", MEMOOM_LAB_NO_KERNEL_LOG | MEMOOM_LAB_NO_CALL_PATH, cycles);
    }
    return done();
}
