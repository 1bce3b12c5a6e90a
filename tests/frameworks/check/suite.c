/*
 * memoom in Check: the tests, the promises inside Check's runner with its forks, a test that fails (suite fail) and one
 * that hangs until Check kills its process group (suite hang).
 */
#include "cases.h"
#include <memoom/check.h>

START_TEST(oom_kills_are_told)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;

    memoom_assert_ok(memoom_run(case_eats, &options, &outcome, &error), &error);
    memoom_assert_oom_killed(outcome);
    memoom_assert_victim(memoom_outcome_oom(outcome), memoom_outcome_pid(outcome));
    memoom_assert_limit(memoom_outcome_oom(outcome), 32 << 20);
    memoom_outcome_free(outcome);
}
END_TEST

START_TEST(other_ends_are_told)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;
    memoom_error *error = NULL;
    size_t bytes = 8 << 20;

    memoom_skip_unless_lab();
    memoom_assert_ok(memoom_run(case_exits, &options, &outcome, &error), &error);
    memoom_assert_exited(outcome, 7);
    memoom_outcome_free(outcome);
    memoom_assert_ok(memoom_run(case_kills_itself, &options, &outcome, &error), &error);
    memoom_assert_verdict(outcome, MEMOOM_VERDICT_KILLED);
    memoom_outcome_free(outcome);
    memoom_assert_ok(memoom_run_function(promise_fill, &bytes, &options, &outcome, &error), &error);
    memoom_assert_exited(outcome, 0);
    memoom_outcome_free(outcome);
}
END_TEST

START_TEST(fails)
{
    memoom_run_options options = case_limit(32 << 20);
    memoom_outcome *outcome = NULL;

    memoom_assert_ok(memoom_run(case_eats, &options, &outcome, NULL), NULL);
    memoom_assert_exited(outcome, 0);
}
END_TEST

START_TEST(hangs)
{
    promise_hang();
}
END_TEST

#define EACH(name, says)                          \
    START_TEST(name)                              \
    {                                             \
        const char *broken;                       \
        memoom_skip_unless_lab();                 \
        broken = promise_##name();                \
        if (broken)                               \
            ck_abort_msg("%s: %s", says, broken); \
    }                                             \
    END_TEST
PROMISES(EACH)
#undef EACH

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "";
    Suite *suite = suite_create("memoom");
    TCase *tests = tcase_create("tests");
    SRunner *runner;
    int failed;

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, strcmp(what, "hang") == 0 ? 8 : 120);
    if (strcmp(what, "fail") == 0) {
        tcase_add_test(tests, fails);
    } else if (strcmp(what, "hang") == 0) {
        tcase_add_test(tests, hangs);
    } else {
        tcase_add_test(tests, oom_kills_are_told);
        tcase_add_test(tests, other_ends_are_told);
#define EACH(name, says) tcase_add_test(tests, name);
        PROMISES(EACH)
    }
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return memoom_check_status(failed);
}
