/*
 * memoom in Check tests. Check has no skip: a test that cannot run says why and returns, and the program exits with 77, by
 * which Automake, Meson and CTest know a skip, when it ends with
 *
 *     return memoom_check_status(srunner_ntests_failed(runner));
 *
 * tcase_add_test_raise_signal(..., SIGKILL) cannot tell an OOM from a timeout; memoom_assert_oom_killed can.
 *
 * memoom_skip_unless_lab()               skips the test where no lab can be made
 * memoom_assert_ok(status, &error)       the call succeeded; skips where this machine or user cannot do it
 * memoom_assert_oom_killed(outcome)      an OOM killed the worker, by the kernel's own word
 * memoom_assert_verdict(outcome, v)      it ended with that MEMOOM_VERDICT_
 * memoom_assert_exited(outcome, code)    it ended by itself with that exit code
 * memoom_assert_victim(oom, pid)         the OOM killed that process
 * memoom_assert_limit(oom, bytes)        the OOM struck at that limit
 *
 * Each prints the whole account when it fails. With MEMOOM_REQUIRE=1 a skip is a failure.
 */
#ifndef MEMOOM_CHECK_H
#define MEMOOM_CHECK_H

#include <check.h>
#include <memoom/expect.h>

/* A message of Check may not be long: the account goes to standard error, its first lines into the message. */
#define MEMOOM_ADAPTER_FAIL_(why)                                 \
    do {                                                          \
        fprintf(stderr, "%s\n", (why));                           \
        ck_abort_msg("%.1000s", (why));                           \
    } while (0)
#define MEMOOM_ADAPTER_SKIP_OR_FAIL_(status, why) \
    do {                                          \
        if (!memoom_expect_is_skip(status))       \
            MEMOOM_ADAPTER_FAIL_(why);            \
        fprintf(stderr, "skipped: %s\n", (why));  \
        free(why);                                \
        return;                                   \
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

#define memoom_skip_unless_lab()                                                      \
    do {                                                                              \
        char *memoom_why_ = NULL;                                                     \
        memoom_status memoom_status_ = memoom_expect_lab(&memoom_why_);               \
        if (memoom_status_ != MEMOOM_OK)                                              \
            MEMOOM_ADAPTER_SKIP_OR_FAIL_(memoom_status_, memoom_why_);                \
    } while (0)

#define memoom_assert_ok(call, error)                                                 \
    do {                                                                              \
        memoom_status memoom_status_ = (call);                                        \
        char *memoom_why_ = memoom_expect_ok(memoom_status_, (error));                \
        if (memoom_status_ != MEMOOM_OK)                                              \
            MEMOOM_ADAPTER_SKIP_OR_FAIL_(memoom_status_, memoom_why_);                \
    } while (0)

#define MEMOOM_ADAPTER_EXPECT_(expectation)                                           \
    do {                                                                              \
        char *memoom_why_ = (expectation);                                            \
        if (memoom_why_)                                                              \
            MEMOOM_ADAPTER_FAIL_(memoom_why_);                                        \
    } while (0)

#define memoom_assert_oom_killed(outcome) MEMOOM_ADAPTER_EXPECT_(memoom_expect_oom_killed(outcome))
#define memoom_assert_verdict(outcome, verdict) MEMOOM_ADAPTER_EXPECT_(memoom_expect_verdict(outcome, verdict))
#define memoom_assert_exited(outcome, code) MEMOOM_ADAPTER_EXPECT_(memoom_expect_exited(outcome, code))
#define memoom_assert_victim(oom, pid) MEMOOM_ADAPTER_EXPECT_(memoom_expect_victim(oom, pid))
#define memoom_assert_limit(oom, bytes) MEMOOM_ADAPTER_EXPECT_(memoom_expect_limit(oom, bytes))

#endif
