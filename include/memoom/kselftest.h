/*
 * memoom in kernel selftests, or in any program that speaks TAP. Include "kselftest.h" first; without it the few of its
 * functions that are used here are made: a plan, results, exit codes 0 (pass), 1 (fail) and 4 (skip).
 *
 * An assertion ends the test program, as ksft_exit_fail_msg does.
 */
#ifndef MEMOOM_KSELFTEST_H
#define MEMOOM_KSELFTEST_H

#include <memoom/adapter.h>

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
    const char *line;
    int length;

    while ((line = memoom_expect_line(&text, &length)))
        ksft_print_msg("%.*s\n", length, line);
}

#define MEMOOM_ADAPTER_FAIL_(why)                                          \
    do {                                                                   \
        memoom_ksft_print(why);                                            \
        ksft_exit_fail_msg("%s:%d: see above\n", __FILE__, __LINE__);      \
    } while (0)
#define MEMOOM_ADAPTER_SKIP_(why) ksft_exit_skip("%s\n", (why))

#endif
