/* Shrinking a v1 limit below what cannot be reclaimed returns (EBUSY), and 40 processes start under a small limit. */
#include "acceptance.h"

int main(void)
{
    static const char *const forks[] = {
        "/bin/sh", "-c", "i=0; while [ $i -lt 40 ]; do sleep 0 & i=$((i + 1)); done; wait", NULL};
    memoom_group *group, *many;
    memoom_worker *holds;
    uint64_t limit = 0;

    begin();
    group = group_in(NULL, "shrink", 32 * MIB);
    holds = hog(group, "holds", MEMOOM_KIND_ANON);
    ok(grow(holds, 16 * MIB) == MEMOOM_GROW_GREW, "16M");
    REFUSED(MEMOOM_ERR_BUSY, memoom_group_set_limit(group, 8 * MIB, ERR));
    ok(memoom_group_limit(group, &limit, NULL) == MEMOOM_OK && limit == 32 * MIB, "the limit is what it was");
    ok(!memoom_worker_ended(holds) && counters(group).oom_kill == 0, "nobody is killed");
    many = group_in(NULL, "many", 24 * MIB);
    ok(verdict(command(many, forks)) == MEMOOM_VERDICT_EXITED, "40 processes come and go");
    MUST(memoom_group_remove(many, ERR));
    return end();
}
