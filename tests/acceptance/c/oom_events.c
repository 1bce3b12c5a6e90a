/* max 30M, 100M of anon: killed, nobody left, oom_kill 1, oom at least 1. */
#include "acceptance.h"

int main(void)
{
    memoom_group *group;
    memoom_worker *eats;

    begin();
    group = group_in(NULL, "oom_events", 30 * MIB);
    eats = hog(group, "eats", MEMOOM_KIND_ANON);
    ok(grow(eats, 100 * MIB) == MEMOOM_GROW_KILLED, "100M are too much");
    ok(verdict(eats) == MEMOOM_VERDICT_OOM_KILLED, "it was an OOM");
    ok(processes(group) == 0, "nobody is left");
    ok(counters(group).oom_kill == 1, "oom_kill is 1");
    ok(counters(group).oom >= 1, "oom was counted");
    return end();
}
