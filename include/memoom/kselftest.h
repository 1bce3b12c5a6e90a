/*
 * memoom in kernel selftests, or in any program that speaks TAP. Include "kselftest.h" first; without it the few of its
 * functions that are used here are made: a plan, results, exit codes 0 (pass), 1 (fail) and 4 (skip).
 *
 * An assertion ends the test program, as ksft_exit_fail_msg does.
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
#ifndef MEMOOM_KSELFTEST_H
#define MEMOOM_KSELFTEST_H

#include <memoom/expect.h>

#ifndef KSFT_SKIP
#define KSFT_PASS 0
#define KSFT_FAIL 1
#define KSFT_SKIP 4

static unsigned int memoom_ksft_plan_, memoom_ksft_pass_, memoom_ksft_fail_, memoom_ksft_skip_;

static inline void ksft_print_header(void)
{
    printf("TAP version 13\n");
    fflush(stdout);
}

static inline void ksft_set_plan(unsigned int plan)
{
    memoom_ksft_plan_ = plan;
    printf("1..%u\n", plan);
    fflush(stdout);
}

static inline unsigned int memoom_ksft_number_(void)
{
    return memoom_ksft_pass_ + memoom_ksft_fail_ + memoom_ksft_skip_;
}

#define ksft_print_msg(...) (printf("# "), printf(__VA_ARGS__), fflush(stdout))
#define ksft_test_result_pass(...) \
    (memoom_ksft_pass_++, printf("ok %u ", memoom_ksft_number_()), printf(__VA_ARGS__), fflush(stdout))
#define ksft_test_result_fail(...) \
    (memoom_ksft_fail_++, printf("not ok %u ", memoom_ksft_number_()), printf(__VA_ARGS__), fflush(stdout))
#define ksft_test_result_skip(...) \
    (memoom_ksft_skip_++, printf("ok %u # SKIP ", memoom_ksft_number_()), printf(__VA_ARGS__), fflush(stdout))
#define ksft_test_result(holds, ...) \
    ((holds) ? ksft_test_result_pass(__VA_ARGS__) : ksft_test_result_fail(__VA_ARGS__))

/* The totals, and the exit code: what was planned and did not come is a failure. */
static inline void ksft_finished(void)
{
    printf("# Totals: pass:%u fail:%u skip:%u\n", memoom_ksft_pass_, memoom_ksft_fail_, memoom_ksft_skip_);
    fflush(stdout);
    exit(memoom_ksft_pass_ + memoom_ksft_skip_ == memoom_ksft_plan_ ? KSFT_PASS : KSFT_FAIL);
}

#define ksft_exit_skip(...)                                                         \
    do {                                                                            \
        if (memoom_ksft_plan_ == 0)                                                 \
            printf("1..0 # SKIP ");                                                 \
        else                                                                        \
            printf("ok %u # SKIP ", (memoom_ksft_skip_++, memoom_ksft_number_()));  \
        printf(__VA_ARGS__);                                                        \
        fflush(stdout);                                                             \
        exit(KSFT_SKIP);                                                            \
    } while (0)
#define ksft_exit_fail_msg(...)                                                     \
    do {                                                                            \
        printf("Bail out! ");                                                       \
        printf(__VA_ARGS__);                                                        \
        fflush(stdout);                                                             \
        exit(KSFT_FAIL);                                                            \
    } while (0)
#endif

/* Several lines, each as a comment of TAP. */
static inline void memoom_ksft_print(const char *text)
{
    while (text && *text) {
        size_t length = strcspn(text, "\n");

        ksft_print_msg("%.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

#define MEMOOM_ADAPTER_FAIL_(why)                                          \
    do {                                                                   \
        memoom_ksft_print(why);                                            \
        ksft_exit_fail_msg("%s:%d: see above\n", __FILE__, __LINE__);      \
    } while (0)
#define MEMOOM_ADAPTER_SKIP_OR_FAIL_(status, why) \
    do {                                          \
        if (!memoom_expect_is_skip(status))       \
            MEMOOM_ADAPTER_FAIL_(why);            \
        ksft_exit_skip("%s\n", (why));            \
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
