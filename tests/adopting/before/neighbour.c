/*
 * The larger of two processes is killed for the step of the smaller one, which then gets its memory.
 */
#include "memcg.h"

static void run(void)
{
    struct memcg_child large, small;
    int status;

    memcg_limit(MB(50));
    large = memcg_fork(MB(30));
    small = memcg_fork(MB(10));
    if (!memcg_step(&large) || !memcg_step(&small))
        tst_brk(TBROK, "a child died early");
    if (memcg_step(&small))
        tst_res(TPASS, "the smaller one got its memory");
    else
        tst_res(TFAIL, "the smaller one died");
    status = memcg_end(&large);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && memcg_oom_kills() == 1)
        tst_res(TPASS, "the larger one was killed");
    else
        tst_res(TFAIL, "the larger one: status %x", (unsigned)status);
    status = memcg_end(&small);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        tst_res(TPASS, "the smaller one lived");
    else
        tst_res(TFAIL, "the smaller one: status %x", (unsigned)status);
}

static struct tst_test test = {.setup = memcg_setup, .cleanup = memcg_cleanup, .test_all = run};
