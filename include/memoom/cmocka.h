/*
 * memoom in cmocka tests. Include <cmocka.h>, with what it wants before it, first. An assertion of cmocka leaves the test
 * by longjmp, so none may stand in a function that runs in a forked child (memoom_run_function).
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
#ifndef MEMOOM_CMOCKA_H
#define MEMOOM_CMOCKA_H

#include <memoom/expect.h>

/* A message of cmocka has at most 1024 bytes: the account goes before it, a line at a time. */
static inline void memoom_cmocka_print(const char *text)
{
    while (text && *text) {
        size_t length = strcspn(text, "\n");

        print_error("%.*s\n", (int)(length < 1000 ? length : 1000), text);
        text += length + (text[length] == '\n');
    }
}

#define MEMOOM_ADAPTER_FAIL_(why)    \
    do {                             \
        memoom_cmocka_print(why);    \
        free(why);                   \
        fail();                      \
    } while (0)
#define MEMOOM_ADAPTER_SKIP_OR_FAIL_(status, why) \
    do {                                          \
        if (!memoom_expect_is_skip(status))       \
            MEMOOM_ADAPTER_FAIL_(why);            \
        print_message("skipped: %s\n", (why));    \
        free(why);                                \
        skip();                                   \
    } while (0)

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
