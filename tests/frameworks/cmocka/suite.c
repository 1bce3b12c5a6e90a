/*
 * memoom in cmocka: the tests, the promises inside cmocka's runner, a test that fails (suite fail) and one that hangs
 * (suite hang).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <memoom/cmocka.h>

#include "shared_tests.h"

static void oom_kills_are_told(void **state)
{
    (void)state;
    shared_oom_kills_are_told();
}

static void other_ends_are_told(void **state)
{
    (void)state;
    shared_other_ends_are_told();
}

static void fails(void **state)
{
    (void)state;
    shared_fails();
}

static void hangs(void **state)
{
    (void)state;
    promise_hang();
}

#define EACH(name, says)                      \
    static void name(void **state)            \
    {                                         \
        const char *broken;                   \
        (void)state;                          \
        memoom_skip_unless_lab();             \
        broken = promise_##name();            \
        if (broken)                           \
            fail_msg("%s: %s", says, broken); \
    }
PROMISES(EACH)
#undef EACH
#define EACH(name, says) cmocka_unit_test(name),

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oom_kills_are_told),
        cmocka_unit_test(other_ends_are_told),
        PROMISES(EACH)
    };
    const struct CMUnitTest failing[] = {cmocka_unit_test(fails)};
    const struct CMUnitTest hanging[] = {cmocka_unit_test(hangs)};

    if (count > 1 && strcmp(arguments[1], "fail") == 0)
        return cmocka_run_group_tests(failing, NULL, NULL);
    if (count > 1 && strcmp(arguments[1], "hang") == 0)
        return cmocka_run_group_tests(hanging, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
