/*
 * memoom in Check tests. Check has no skip: a test that cannot run says why and returns, and the program exits with 77, by
 * which Automake, Meson and CTest know a skip, when it ends with
 *
 *     return memoom_check_status(srunner_ntests_failed(runner));
 *
 * tcase_add_test_raise_signal(..., SIGKILL) cannot tell an OOM from a timeout; memoom_assert_oom_killed can.
 */
#ifndef MEMOOM_CHECK_H
#define MEMOOM_CHECK_H

#include <check.h>
#include <memoom/adapter.h>

/* A message of Check may not be long: the account goes to standard error, its first lines into the message. */
#define MEMOOM_ADAPTER_FAIL_(why)                                 \
    do {                                                          \
        fprintf(stderr, "%s\n", (why));                           \
        ck_abort_msg("%.1000s", (why));                           \
    } while (0)
#define MEMOOM_ADAPTER_SKIP_(why)                \
    do {                                         \
        fprintf(stderr, "skipped: %s\n", (why)); \
        free(why);                               \
        return;                                  \
    } while (0)

/* What main is to return: EXIT_FAILURE after a failure, 77 where no lab can be made, else EXIT_SUCCESS. */
static inline int memoom_check_status(int failed)
{
    char *why = NULL;
    memoom_status status = memoom_expect_lab(&why);

    free(why);
    if (failed)
        return EXIT_FAILURE;
    return status != MEMOOM_OK && memoom_expect_is_skip(status) ? 77 : EXIT_SUCCESS;
}

#endif
