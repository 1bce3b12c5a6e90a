/* One group: limits, what the kernel counts, protection, reclaim, a block and its ends, an OOM at once. */
#include "must.h"

static void limits(memoom_group *group)
{
    memoom_error *error = NULL;
    memoom_switch on = MEMOOM_OFF;
    uint64_t bytes = 0;

    must(memoom_group_set_limit(group, 64 * MIB, &error), &error);
    must(memoom_group_limit(group, &bytes, &error), &error);
    holds(bytes == 64 * MIB, "the limit is what was set");
    if (may(memoom_group_set_swap(group, 0, &error), &error)) { /* so that an OOM comes at the limit and nowhere else */
        must(memoom_group_swap(group, &bytes, &error), &error);
        holds(bytes == 0, "no swap beyond it");
    }
    must(memoom_group_swap_usage(group, &bytes, &error), &error);
    if (bytes != MEMOOM_UNKNOWN)
        printf("%" PRIu64 " bytes are swapped out\n", bytes);

    /* Of v2 alone; on v1 each says so. */
    if (may(memoom_group_set_high(group, 48 * MIB, &error), &error))
        must(memoom_group_high(group, &bytes, &error), &error);
    if (may(memoom_group_set_min(group, 4 * MIB, &error), &error))
        must(memoom_group_min(group, &bytes, &error), &error);
    if (may(memoom_group_set_low(group, 8 * MIB, &error), &error))
        must(memoom_group_low(group, &bytes, &error), &error);
    if (may(memoom_group_set_zswap(group, 0, &error), &error))
        must(memoom_group_zswap(group, &bytes, &error), &error);
    if (may(memoom_group_set_oom_group(group, MEMOOM_ON, &error), &error))
        must(memoom_group_set_oom_group(group, MEMOOM_OFF, &error), &error);
    must(memoom_group_oom_group(group, &on, &error), &error);
    holds(on == MEMOOM_OFF, "a kill takes one process, not all");
    if (memoom_group_version(group) == MEMOOM_CGROUP_V2)
        must(memoom_group_set_high(group, MEMOOM_UNLIMITED, &error), &error);

    /* Of v1 alone: the kernel's own switch. memoom_group_block below does the same on both. */
    if (may(memoom_group_set_oom_killer(group, MEMOOM_OFF, &error), &error)) {
        must(memoom_group_oom_killer(group, &on, &error), &error);
        holds(on == MEMOOM_OFF, "at the limit a process would wait now");
        must(memoom_group_set_oom_killer(group, MEMOOM_ON, &error), &error);
    }
}

static void numbers(memoom_group *group)
{
    memoom_counters counters = MEMOOM_COUNTERS_INIT;
    memoom_composition parts = MEMOOM_COMPOSITION_INIT;
    memoom_pressure pressure = MEMOOM_PRESSURE_INIT;
    memoom_error *error = NULL;
    uint64_t bytes = 0;
    int32_t pids[16];
    size_t count = 0;

    printf("%s: directory %s, to the kernel %s\n", memoom_group_name(group), memoom_group_path(group),
           memoom_group_cgroup(group));
    must(memoom_group_usage(group, &bytes, &error), &error);
    printf("%" PRIu64 " KiB are charged now", bytes >> 10);
    must(memoom_group_peak(group, &bytes, &error), &error);
    if (bytes != MEMOOM_UNKNOWN)
        printf(", at most it was %" PRIu64 " KiB", bytes >> 10);
    must(memoom_group_counters(group, &counters, &error), &error);
    printf("; %" PRIu64 " kills were counted\n", counters.oom_kill);
    must(memoom_group_composition(group, &parts, &error), &error);
    printf("%" PRIu64 " KiB of it are anonymous\n", parts.anon_bytes >> 10);
    must(memoom_group_stat(group, "pgfault", &bytes, &error), &error);
    printf("%" PRIu64 " page faults\n", bytes);
    if (may(memoom_group_pressure(group, &pressure, &error), &error))
        printf("somebody waited for memory for %" PRIu64 " us\n", pressure.some_total_usec);
    must(memoom_group_processes(group, pids, sizeof(pids) / sizeof(*pids), &count, &error), &error);
    printf("processes: %zu, the first is %d\n", count, count ? (int)pids[0] : 0);
    must(memoom_group_sample(group, &error), &error); /* usage and shares, noted in the lab's timeline */
}

static void reclaim_and_freeze(memoom_group *group)
{
    memoom_error *error = NULL;
    memoom_switch on = MEMOOM_OFF;

    if (may(memoom_group_reclaim(group, MIB, &on, &error), &error)) /* v2 */
        printf("the kernel found %s\n", on == MEMOOM_ON ? "1 MiB" : "less than 1 MiB");
    may(memoom_group_force_empty(group, &error), &error); /* v1: all that it can take back */
    may(memoom_group_reset_failcnt(group, &error), &error); /* v1 */
    if (may(memoom_group_freeze(group, 10 * SECONDS, &error), &error)) { /* v2 */
        must(memoom_group_frozen(group, &on, &error), &error);
        holds(on == MEMOOM_ON, "everybody stands still");
        must(memoom_group_thaw(group, &error), &error);
    }
    /* An event "alarm" when the kernel notifies: of v1 first, of v2 then. */
    if (!may(memoom_group_add_alarm(group, "threshold 32M", &error), &error))
        may(memoom_group_add_alarm(group, "some 100000 1000000", &error), &error);
}

/* A process at the limit waits, and is let go on in each of the three ways. */
static void block(memoom_group *group, memoom_worker *hog)
{
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;
    memoom_switch on = MEMOOM_OFF;
    size_t waiting = 0;

    if (!may(memoom_group_block(group, &error), &error))
        return;
    must(memoom_group_blocking(group, &on, &error), &error);
    holds(on == MEMOOM_ON, "from now on whoever meets the limit waits");
    must(memoom_hog_grow(hog, 80 * MIB, 60 * SECONDS, &grow, &error), &error);
    holds(grow.status == MEMOOM_GROW_BLOCKED, "the step waits");
    must(memoom_group_wait_blocked(group, 10 * SECONDS, &waiting, &error), &error);
    holds(waiting == 1, "one process waits");

    must(memoom_group_resume_raise(group, 128 * MIB, &error), &error); /* room: the step goes on */
    must(memoom_hog_finish(hog, 60 * SECONDS, &grow, &error), &error);
    holds(grow.status == MEMOOM_GROW_GREW, "it has room now");
    must(memoom_hog_grow(hog, 80 * MIB, 60 * SECONDS, &grow, &error), &error);
    must(memoom_group_resume_kill(group, hog, 10 * SECONDS, &error), &error); /* this one dies, by SIGKILL */
    must(memoom_group_resume_killer(group, 10 * SECONDS, &error), &error); /* the kernel chooses victims again */
}

/* An OOM without growing to the limit: the target dies, and all that was changed is put back. */
static void at_once(memoom_group *group)
{
    memoom_worker *target = NULL;
    memoom_oom *oom = NULL;
    memoom_error *error = NULL;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_way way = MEMOOM_WAY_SUREST;

    must(memoom_hog_spawn(group, NULL, &target, &error), &error);
    must(memoom_hog_grow(target, 8 * MIB, 60 * SECONDS, &grow, &error), &error);
    must(memoom_group_oom_now(group, target, MEMOOM_WAY_SUREST, 60 * SECONDS, &oom, &way, &error), &error);
    holds(memoom_oom_killed(oom, memoom_worker_pid(target)) == 1, "the target is the victim");
    memoom_oom_free(oom);
    memoom_worker_free(target);
}

/* A group of somebody else's, such as a container's, by its directory. */
static void borrowed(const char *path)
{
    memoom_group *group = NULL;
    memoom_error *error = NULL;

    must(memoom_group_open(path, &group, &error), &error); /* to be observed only: nothing of it is changed */
    holds(memoom_group_record(group, "/dev/null", NULL) == MEMOOM_ERR_INVALID_INPUT, "a recording is a file");
    memoom_group_free(group);
    group = NULL;
    must(memoom_group_adopt(path, 1, &group, &error), &error); /* to be pressed for a time */
    must(memoom_group_set_limit(group, 32 * MIB, &error), &error);
    must(memoom_group_give_back(group, &error), &error); /* every file is as it was */
    memoom_group_free(group);
}

int main(int argc, char **argv)
{
    memoom_group_options options = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_prediction *prediction = NULL;
    memoom_group *parent = NULL, *group = NULL;
    memoom_worker *hog = NULL;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_lab *lab = NULL;
    memoom_error *error = NULL;

    must(memoom_lab_create(NULL, &lab, &error), &error);
    options.limit_bytes = 256 * MIB;
    must(memoom_group_create(lab, "parent", &options, &parent, &error), &error);
    must(memoom_group_create_child(parent, "child", NULL, &group, &error), &error);
    limits(group);
    must(memoom_hog_spawn(group, NULL, &hog, &error), &error);
    must(memoom_hog_grow(hog, 8 * MIB, 60 * SECONDS, &grow, &error), &error);
    numbers(group);
    must(memoom_group_predict(group, &prediction, &error), &error);
    holds(memoom_prediction_pid(prediction) == memoom_worker_pid(hog), "there is nobody else to kill");
    memoom_prediction_free(prediction);
    reclaim_and_freeze(group);
    block(group, hog);
    memoom_worker_free(hog);
    must(memoom_group_kill(group, &error), &error); /* whoever is left in it */
    at_once(group);
    if (argc > 1)
        borrowed(argv[1]);

    holds(memoom_group_remove(parent, NULL) == MEMOOM_ERR_BUSY, "there is a group below it");
    must(memoom_group_kill(group, &error), &error);
    must(memoom_group_remove(group, &error), &error);
    memoom_group_free(group);
    memoom_group_free(parent);
    must(memoom_lab_close(lab, &error), &error);
    memoom_lab_free(lab);
    return 0;
}
