/*
 * Files and switches of a group, an OOM at once, a block and its ends: the calls and what they refuse.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

#define MIB (1024ull * 1024)
#define LONG 60000000000ull

static memoom_error *error;

/* A call that worked, or that this hierarchy or kernel has not, which the error must say. */
static int had(memoom_status status, const char *what)
{
    int worked = status == MEMOOM_OK;

    ok(worked || status == MEMOOM_ERR_UNSUPPORTED, worked ? what : memoom_error_message(error));
    memoom_error_free(error);
    error = NULL;
    return worked;
}

static void must(memoom_status status, const char *what)
{
    ok(status == MEMOOM_OK, status == MEMOOM_OK ? what : memoom_error_message(error));
    memoom_error_free(error);
    error = NULL;
}

static memoom_worker *hog(memoom_group *group, const char *name, uint64_t bytes)
{
    memoom_hog_options options = MEMOOM_HOG_OPTIONS_INIT;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_worker *worker = NULL;

    options.name = name;
    must(memoom_hog_spawn(group, &options, &worker, &error), "a hog");
    must(memoom_hog_grow(worker, bytes, LONG, &grow, &error), "it grows");
    return worker;
}

static void files(memoom_group *group, memoom_group *other)
{
    memoom_pressure pressure = MEMOOM_PRESSURE_INIT;
    memoom_peak *peak = NULL;
    memoom_switch on = 7;
    uint64_t bytes = 0;

    if (had(memoom_group_set_min(group, MIB, &error), "min"))
        ok(memoom_group_min(group, &bytes, NULL) == MEMOOM_OK && bytes == MIB, "it is read back");
    if (had(memoom_group_set_low(group, MEMOOM_UNLIMITED, &error), "low"))
        ok(memoom_group_low(group, &bytes, NULL) == MEMOOM_OK && bytes == MEMOOM_UNLIMITED, "no limit is read back");
    if (had(memoom_group_set_swap(group, 2 * MIB, &error), "swap"))
        ok(memoom_group_swap(group, &bytes, NULL) == MEMOOM_OK && bytes == 2 * MIB, "swap is read back");
    had(memoom_group_set_zswap(group, 0, &error), "zswap");
    ok(memoom_group_set_low(group, MEMOOM_UNCHANGED, NULL) == MEMOOM_ERR_INVALID_INPUT, "leave alone is no limit");
    must(memoom_group_stat(group, "pgfault", &bytes, &error), "a number of memory.stat");
    ok(bytes > 0 && bytes != MEMOOM_UNKNOWN, "it is there");
    must(memoom_group_stat(group, "no_such_key", &bytes, &error), "a key that the kernel has not");
    ok(bytes == MEMOOM_UNKNOWN, "it is unknown");
    had(memoom_group_pressure(group, &pressure, &error), "pressure");
    if (had(memoom_peak_open(group, &peak, &error), "a mark of the peak")) {
        must(memoom_peak_bytes(peak, &bytes, &error), "the peak");
        ok(bytes >= 8 * MIB, "it is what the hog took");
        had(memoom_peak_reset(peak, &error), "the mark begins anew");
        memoom_peak_free(peak);
    }
    /* In a group of its own: what is reclaimed is not to disturb. */
    if (had(memoom_group_reclaim(other, 512 * MIB, &on, &error), "reclaim"))
        ok(on == MEMOOM_OFF, "there was not as much");
    had(memoom_group_force_empty(other, &error), "force_empty");
    had(memoom_group_reset_failcnt(other, &error), "reset_failcnt");
    if (had(memoom_group_freeze(group, LONG, &error), "freeze")) {
        ok(memoom_group_frozen(group, &on, NULL) == MEMOOM_OK && on == MEMOOM_ON, "it stands still");
        must(memoom_group_thaw(group, &error), "thaw");
    }
    had(memoom_group_add_alarm(group, "threshold 32M", &error), "an alarm of v1");
    had(memoom_group_add_alarm(group, "some 100000 2000000", &error), "an alarm of v2");
    ok(memoom_group_add_alarm(group, "nonsense", NULL) == MEMOOM_ERR_INVALID_INPUT, "an unknown alarm");
}

static void blocks(memoom_group *group, memoom_worker *large)
{
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_worker *waits = hog(group, "waits", 4 * MIB);
    memoom_switch on = 7;
    memoom_oom *oom = NULL;
    size_t count = 7;

    must(memoom_group_block(group, &error), "block");
    ok(memoom_group_blocking(group, &on, NULL) == MEMOOM_OK && on == MEMOOM_ON, "it is on");
    ok(memoom_group_wait_blocked(group, 0, &count, NULL) == MEMOOM_OK && count == 0, "nobody waits yet");
    must(memoom_hog_grow(waits, 40 * MIB, LONG, &grow, &error), "a step over the limit");
    ok(grow.status == MEMOOM_GROW_BLOCKED, "it is blocked");
    ok(memoom_group_wait_blocked(group, LONG, &count, NULL) == MEMOOM_OK && count >= 1, "somebody waits");
    ok(memoom_group_oom_now(group, NULL, MEMOOM_WAY_SUREST, LONG, &oom, NULL, NULL) == MEMOOM_ERR_INVALID_INPUT,
       "no OOM while it blocks");
    ok(memoom_group_resume_raise(group, MIB, NULL) == MEMOOM_ERR_INVALID_INPUT, "a lower limit is no room");
    must(memoom_group_resume_raise(group, 64 * MIB, &error), "room");
    must(memoom_hog_finish(waits, LONG, &grow, &error), "the step goes on");
    ok(grow.status == MEMOOM_GROW_GREW, "and grew");
    must(memoom_hog_grow(waits, 40 * MIB, LONG, &grow, &error), "again");
    must(memoom_group_resume_kill(group, waits, LONG, &error), "a death");
    must(memoom_group_resume_killer(group, LONG, &error), "the killer is on");
    ok(memoom_group_blocking(group, &on, NULL) == MEMOOM_OK && on == MEMOOM_OFF, "it is off");
    ok(!memoom_worker_ended(large) && memoom_worker_ended(waits), "who was to die died");
    memoom_worker_free(waits);
}

static void ooms(memoom_group *group, memoom_worker *large)
{
    /* Below a limit of 1000 pages oom_score_adj has no effect, and a page may have 16 KiB. */
    memoom_worker *small = hog(group, "small", 8 * MIB);
    memoom_way way = MEMOOM_WAY_SUREST;
    memoom_oom *oom = NULL;

    ok(memoom_group_oom_now(group, NULL, 99, 0, &oom, NULL, NULL) == MEMOOM_ERR_INVALID_INPUT, "an unknown way");
    had(memoom_group_oom_now(group, small, MEMOOM_WAY_SQUEEZE, LONG, &oom, &way, &error), "an OOM for the small one");
    ok(way == MEMOOM_WAY_SQUEEZE && memoom_oom_killed(oom, memoom_worker_pid(small)), "it was taken");
    ok(!memoom_worker_ended(large), "and nobody else");
    memoom_oom_free(oom);
    memoom_worker_free(small);
}

/* A group that no lab has made is borrowed, pressed and left as it was; where the machine lets one be made there. */
static void borrowed(const memoom_lab *lab)
{
    char path[4096];
    memoom_group *group = NULL, *given = NULL;
    memoom_worker *worker;
    uint64_t before = 0, bytes = 0;

    snprintf(path, sizeof(path), "%s/../given-c-%d", memoom_lab_path(lab), (int)getpid());
    if (mkdir(path, 0755) != 0) {
        printf("# no group beside the lab\n");
        return;
    }
    must(memoom_group_open(path, &given, &error), "a group is there");
    must(memoom_group_limit(given, &before, &error), "its limit");
    ok(memoom_group_adopt(path, 0, &group, NULL) == MEMOOM_ERR_PERMISSION_DENIED, "what is not delegated is refused");
    must(memoom_group_adopt(path, 1, &group, &error), "it is borrowed");
    must(memoom_group_set_limit(group, 32 * MIB, &error), "its limit is lowered");
    ok(memoom_group_kill(group, NULL) == MEMOOM_ERR_INVALID_INPUT, "it is not killed");
    worker = hog(group, "borrower", MIB);
    must(memoom_group_give_back(group, &error), "it is given back");
    ok(memoom_group_limit(given, &bytes, NULL) == MEMOOM_OK && bytes == before, "with its limit");
    memoom_worker_free(worker);
    memoom_group_free(group);
    memoom_group_free(given);
    ok(rmdir(path) == 0, "and empty");
}

int main(void)
{
    memoom_group_options options = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_group *group = NULL, *other = NULL;
    memoom_worker *large;
    memoom_lab *lab;

    if (!lab_or_reason(&lab))
        return done();
    options.limit_bytes = 32 * MIB;
    must(memoom_group_create(lab, "control", &options, &group, &error), "a group");
    must(memoom_group_create(lab, "other", &options, &other, &error), "another");
    large = hog(group, "large", 10 * MIB);
    files(group, other);
    blocks(group, large);
    ooms(group, large);
    borrowed(lab);
    must(memoom_lab_close(lab, &error), "the lab ends");
    memoom_worker_free(large);
    memoom_group_free(other);
    memoom_group_free(group);
    memoom_lab_free(lab);
    return done();
}
