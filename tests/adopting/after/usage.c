/*
 * The usage of a group follows what its process takes, and falls when it ends.
 */
#include "tst_test.h"

#include <memoom/ltp.h>

static void run(void)
{
    memoom_group_options limits = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_worker *hog = NULL;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    uint64_t before, during, after;

    limits.limit_bytes = 80 << 20;
    memoom_assert_ok(memoom_lab_create(NULL, &lab, &error), &error);
    memoom_assert_ok(memoom_group_create(lab, NULL, &limits, &group, &error), &error);
    memoom_assert_ok(memoom_hog_spawn(group, NULL, &hog, &error), &error);
    memoom_assert_ok(memoom_group_usage(group, &before, &error), &error);
    memoom_assert_ok(memoom_hog_grow(hog, 20 << 20, MEMOOM_FOREVER, &grow, &error), &error);
    memoom_assert_ok(memoom_group_usage(group, &during, &error), &error);
    if (during - before >= 19 << 20 && during - before < 24 << 20)
        tst_res(TPASS, "usage rose by 20M");
    else
        tst_res(TFAIL, "usage rose by %llu", (unsigned long long)(during - before));
    memoom_assert_ok(memoom_worker_kill(hog, &error), &error);
    memoom_assert_ok(memoom_worker_wait(hog, MEMOOM_FOREVER, &outcome, &error), &error);
    memoom_assert_ok(memoom_group_usage(group, &after, &error), &error);
    if (after < during - (19 << 20))
        tst_res(TPASS, "usage fell");
    else
        tst_res(TFAIL, "usage is %llu", (unsigned long long)after);
    memoom_outcome_free(outcome);
    memoom_worker_free(hog);
    memoom_group_free(group);
    memoom_lab_free(lab);
}

static struct tst_test test = {.test_all = run};
