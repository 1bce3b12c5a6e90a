/*
 * memoom in Check: the tests, the promises inside Check's runner with its forks, a test that fails (suite fail) and one
 * that hangs until Check kills its process group (suite hang).
 */
#include <memoom/check.h>

#include "shared_tests.h"

START_TEST(oom_kills_are_told)
{
    shared_oom_kills_are_told();
}
END_TEST

START_TEST(other_ends_are_told)
{
    shared_other_ends_are_told();
}
END_TEST

START_TEST(fails)
{
    shared_fails();
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
