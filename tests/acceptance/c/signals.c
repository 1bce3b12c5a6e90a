/* Groups are made and removed, and processes started and ended in them, under a rain of signals; nothing fails. */
#include "acceptance.h"

#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t signals;

static void count(int number)
{
    (void)number;
    signals++;
}

int main(void)
{
    const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    struct sigaction action;
    int i;

    memset(&action, 0, sizeof(action));
    action.sa_handler = count; /* without SA_RESTART: a system call that waits ends with EINTR */
    begin();
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (i = 0; i < 100; i++) {
        memoom_group_options options = MEMOOM_GROUP_OPTIONS_INIT;
        memoom_group *group = NULL;
        memoom_worker *worker = NULL;

        options.limit_bytes = 8 * MIB;
        MUST(memoom_group_create(lab, "g", &options, &group, ERR));
        if (i % 10 == 0) {
            MUST(memoom_hog_spawn(group, NULL, &worker, ERR));
            MUST(memoom_group_kill(group, ERR));
        }
        MUST(memoom_group_remove(group, ERR));
        memoom_worker_free(worker);
        memoom_group_free(group);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    ok(1, "100 groups came and went");
    ok(signals >= 10, "signals came meanwhile");
    return end();
}
