/* What is below memory.min is not reclaimed, and under more pressure the one that wants it is killed. */
#include "protection.h"

int main(void)
{
    memoom_worker *worker;

    protected_tree(memoom_group_set_min);
    worker = pressure_beside();
    ok(grow(worker, 22 * MIB) == MEMOOM_GROW_KILLED, "170M of anon are too much");
    ok(verdict(worker) == MEMOOM_VERDICT_OOM_KILLED, "it was an OOM");
    near(usage(B), 50 * MIB, expect("b_percent"), "B still has what is protected");
    return end();
}
