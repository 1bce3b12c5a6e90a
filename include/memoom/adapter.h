/*
 * The assertions in C, the same for each framework:
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
 *
 * The header of your framework includes this one. For a framework that has none, say what a failure and a skip are there,
 * and include this:
 *
 *     MEMOOM_ADAPTER_FAIL_(why)   a statement that prints the text `why`, frees it if it can, and leaves the test as failed
 *     MEMOOM_ADAPTER_SKIP_(why)   the same for a skip
 */
#ifndef MEMOOM_ADAPTER_H
#define MEMOOM_ADAPTER_H

#include <memoom/expect.h>

#define MEMOOM_ADAPTER_SKIP_OR_FAIL_(status, why) \
    do {                                          \
        if (!memoom_expect_is_skip(status))       \
            MEMOOM_ADAPTER_FAIL_(why);            \
        MEMOOM_ADAPTER_SKIP_(why);                \
    } while (0)
#define MEMOOM_ADAPTER_EXPECT_(expectation)    \
    do {                                       \
        char *memoom_why_ = (expectation);     \
        if (memoom_why_)                       \
            MEMOOM_ADAPTER_FAIL_(memoom_why_); \
    } while (0)

#define memoom_skip_unless_lab()                                        \
    do {                                                                \
        char *memoom_why_ = NULL;                                       \
        memoom_status memoom_status_ = memoom_expect_lab(&memoom_why_); \
        if (memoom_status_ != MEMOOM_OK)                                \
            MEMOOM_ADAPTER_SKIP_OR_FAIL_(memoom_status_, memoom_why_);  \
    } while (0)
#define memoom_assert_ok(call, error)                                  \
    do {                                                               \
        memoom_status memoom_status_ = (call);                         \
        char *memoom_why_ = memoom_expect_ok(memoom_status_, (error)); \
        if (memoom_status_ != MEMOOM_OK)                               \
            MEMOOM_ADAPTER_SKIP_OR_FAIL_(memoom_status_, memoom_why_); \
    } while (0)

#define memoom_assert_oom_killed(outcome) MEMOOM_ADAPTER_EXPECT_(memoom_expect_oom_killed(outcome))
#define memoom_assert_verdict(outcome, verdict) MEMOOM_ADAPTER_EXPECT_(memoom_expect_verdict(outcome, verdict))
#define memoom_assert_exited(outcome, code) MEMOOM_ADAPTER_EXPECT_(memoom_expect_exited(outcome, code))
#define memoom_assert_victim(oom, pid) MEMOOM_ADAPTER_EXPECT_(memoom_expect_victim(oom, pid))
#define memoom_assert_limit(oom, bytes) MEMOOM_ADAPTER_EXPECT_(memoom_expect_limit(oom, bytes))

#endif
