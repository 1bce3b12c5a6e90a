/* Usage and peak begin at 0, follow 50M of anon and 50M of file; a reset of the peak counts for one mark only. */
#include "acceptance.h"

int main(void)
{
    memoom_group *group;
    memoom_worker *anon, *file;
    memoom_peak *one = NULL, *two = NULL;
    uint64_t first = 0, second = 0;

    begin();
    group = group_in(NULL, "current_peak", 200 * MIB);
    ok(usage(group) == 0, "the usage begins at 0");
    anon = hog(group, "anon", MEMOOM_KIND_ANON);
    ok(grow(anon, 50 * MIB) == MEMOOM_GROW_GREW, "50M of anon");
    near(usage(group), 50 * MIB, expect("anon_percent"), "the usage follows anon");
    if (expect("peak")) {
        MUST(memoom_peak_open(group, &one, ERR));
        MUST(memoom_peak_open(group, &two, ERR));
        MUST(memoom_peak_bytes(one, &first, ERR));
        ok(first >= 50 * MIB, "the peak is at least 50M");
    }
    MUST(memoom_worker_kill(anon, ERR));
    ok(verdict(anon) == MEMOOM_VERDICT_KILLED, "it ends");
    if (expect("resets")) {
        MUST(memoom_peak_reset(one, ERR));
        MUST(memoom_peak_bytes(one, &first, ERR));
        MUST(memoom_peak_bytes(two, &second, ERR));
        ok(first < 25 * MIB, "the mark begins anew");
        ok(second >= 50 * MIB || counters(group).peak_bytes == second, "for itself, where the kernel has a mark for each");
    }
    file = hog(group, "file", MEMOOM_KIND_FILE);
    ok(grow(file, 50 * MIB) == MEMOOM_GROW_GREW, "50M of file");
    near(usage(group), 50 * MIB, expect("file_percent"), "the usage follows file");
    memoom_peak_free(one);
    memoom_peak_free(two);
    return end();
}
