/*
 * The larger of two processes is killed for the step of the smaller one, which then gets its memory.
 */
#include "tst_test.h"

#include <memoom/ltp.h>

static void run(void)
{
    memoom_group_options limits = MEMOOM_GROUP_OPTIONS_INIT;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_worker *large = NULL, *small = NULL;
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;

    limits.limit_bytes = 50 << 20;
    memoom_assert_ok(memoom_lab_create(NULL, &lab, &error), &error);
    memoom_assert_ok(memoom_group_create(lab, NULL, &limits, &group, &error), &error);
    memoom_assert_ok(memoom_hog_spawn(group, NULL, &large, &error), &error);
    memoom_assert_ok(memoom_hog_spawn(group, NULL, &small, &error), &error);
    memoom_assert_ok(memoom_hog_grow(large, 30 << 20, MEMOOM_FOREVER, &grow, &error), &error);
    memoom_assert_ok(memoom_hog_grow(small, 10 << 20, MEMOOM_FOREVER, &grow, &error), &error);
    memoom_assert_ok(memoom_hog_grow(small, 10 << 20, MEMOOM_FOREVER, &grow, &error), &error);
    if (grow.status == MEMOOM_GROW_GREW)
        tst_res(TPASS, "the smaller one got its memory");
    else
        tst_res(TFAIL, "the smaller one did not");
    memoom_assert_ok(memoom_worker_wait(large, MEMOOM_FOREVER, &outcome, &error), &error);
    memoom_assert_oom_killed(outcome);
    tst_res(TPASS, "the larger one was OOM-killed, and was predicted: %d",
            (int)memoom_oom_predicted_right(memoom_outcome_oom(outcome)));
    if (!memoom_worker_ended(small))
        tst_res(TPASS, "the smaller one lives");
    else
        tst_res(TFAIL, "the smaller one has ended");
    memoom_outcome_free(outcome);
    memoom_worker_free(large);
    memoom_worker_free(small);
    memoom_group_free(group);
    memoom_lab_free(lab);
}

static struct tst_test test = {.test_all = run};
