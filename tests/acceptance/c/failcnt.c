/* failcnt and max_usage rise at the limit and are reset; force_empty takes the page cache back. */
#include "acceptance.h"

int main(void)
{
    memoom_group *group;
    memoom_worker *reads;
    memoom_peak *peak = NULL;
    uint64_t bytes = 0;

    begin();
    group = group_in(NULL, "failcnt", 30 * MIB);
    /* With an equal limit for memory+swap that one fails first, and newer kernels count that nowhere. */
    if (expect("swap_accounting"))
        MUST(memoom_group_set_swap(group, MEMOOM_UNLIMITED, ERR));
    reads = hog(group, "reads", MEMOOM_KIND_FILE);
    ok(grow(reads, 60 * MIB) == MEMOOM_GROW_GREW, "60M of file pass through");
    ok(counters(group).failcnt > 0, "failcnt rose");
    MUST(memoom_peak_open(group, &peak, ERR));
    MUST(memoom_peak_bytes(peak, &bytes, ERR));
    /* Page cache comes in pieces of up to 2M, and one that does not fit is not counted. */
    ok(bytes > 27 * MIB && bytes <= 30 * MIB, "max_usage came up to the limit");
    MUST(memoom_group_force_empty(group, ERR));
    ok(usage(group) < 4 * MIB, "the cache is taken back");
    MUST(memoom_group_reset_failcnt(group, ERR));
    ok(counters(group).failcnt == 0, "failcnt is 0 again");
    MUST(memoom_peak_reset(peak, ERR));
    MUST(memoom_peak_bytes(peak, &bytes, ERR));
    ok(bytes < 4 * MIB, "max_usage is the usage again");
    memoom_peak_free(peak);
    return end();
}
