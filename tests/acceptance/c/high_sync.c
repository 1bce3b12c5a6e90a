/* high 30M, max 140M: 200M in one system call are held near high within that call, and max is not met. */
#include "acceptance.h"

#define MOMENT 200000000ull /* ns */

int main(void)
{
    memoom_group *group;
    memoom_worker *takes;
    memoom_grow step = MEMOOM_GROW_INIT;
    memoom_status status;

    begin();
    group = group_in(NULL, "high_sync", 140 * MIB);
    MUST(memoom_group_set_high(group, 30 * MIB, ERR));
    takes = hog(group, "takes", MEMOOM_KIND_MLOCK);
    /* The step is slowed down without end, so it is looked at while it goes on. */
    status = memoom_hog_grow(takes, 200 * MIB, MOMENT, &step, NULL);
    UNTIL(status != MEMOOM_ERR_TIMED_OUT || counters(group).high >= 5)
        status = memoom_hog_finish(takes, MOMENT, &step, NULL);
    if (expect("synchronous")) {
        ok(status == MEMOOM_ERR_TIMED_OUT, "the call goes on");
        ok(counters(group).high >= 5, "high is counted within it");
        ok(usage(group) < 140 * MIB, "it is held below max");
        ok(counters(group).max == 0 && counters(group).oom_kill == 0, "max was not met, and nobody killed");
        MUST(memoom_worker_kill(takes, ERR));
        ok(verdict(takes) == MEMOOM_VERDICT_KILLED, "who is held can be killed");
    } else {
        ok(status == MEMOOM_OK && step.status == MEMOOM_GROW_KILLED, "high holds nobody within a call: max kills");
        ok(counters(group).max > 0 && counters(group).oom_kill == 1, "max is counted");
    }
    return end();
}
