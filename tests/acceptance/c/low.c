/* What is below memory.low is reclaimed last: under more pressure nobody is killed, and the breach is counted. */
#include "protection.h"

int main(void)
{
    memoom_worker *worker;

    protected_tree(memoom_group_set_low);
    worker = pressure_beside();
    ok(grow(worker, 18 * MIB) == MEMOOM_GROW_GREW, "166M of anon are had");
    ok(counters(C).low > 0 && counters(D).low > 0, "the breach is counted in C and D");
    ok(counters(F).low == 0, "and not in F");
    return end();
}
