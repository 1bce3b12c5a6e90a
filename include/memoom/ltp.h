/*
 * memoom in tests of the Linux Test Project, or in its style. Include "tst_test.h" first.
 *
 * A lab has one child process, its supervisor, until it is closed. LTP waits for every child when a test function returns,
 * so close the lab in the function that made it, or use memoom_run and memoom_run_function, which leave no child.
 * A test that runs at an oom_score_adj of -1000 need not care: a worker has the oom_score_adj of its options, 0 if unset.
 */
#ifndef MEMOOM_LTP_H
#define MEMOOM_LTP_H

#include <memoom/adapter.h>

/* tst_res takes one line at a time. */
static inline void memoom_tst_print(const char *file, int number, const char *text)
{
    const char *line;
    int length;

    while ((line = memoom_expect_line(&text, &length)))
        tst_res_(file, number, TINFO, "%.*s", length, line);
}

#define MEMOOM_ADAPTER_FAIL_(why)                        \
    do {                                                 \
        memoom_tst_print(__FILE__, __LINE__, (why));     \
        free(why);                                       \
        tst_brk(TFAIL, "see above");                     \
    } while (0)
#define MEMOOM_ADAPTER_SKIP_(why) tst_brk(TCONF, "%s", (why))

#endif
