/* v1 usage and its highest mark, of memory and of memory+swap: both rise with what is taken, and the mark stays. */
#include "acceptance.h"

int main(void)
{
    static const char *const files[][2] = {
        {"memory.usage_in_bytes", "memory.max_usage_in_bytes"},
        {"memory.memsw.usage_in_bytes", "memory.memsw.max_usage_in_bytes"},
    };
    const size_t count = expect("swap_accounting") ? 2 : 1;
    memoom_group *group;
    memoom_worker *takes;
    uint64_t given = 0;
    size_t i;

    begin();
    group = group_in(NULL, "usage", 64 * MIB);
    takes = hog(group, "takes", MEMOOM_KIND_ANON);
    ok(grow(takes, 16 * MIB) == MEMOOM_GROW_GREW, "16M");
    for (i = 0; i < count; i++)
        near(number_of(group, files[i][0]), 16 * MIB, 3, files[i][0]);
    MUST(memoom_hog_shrink(takes, 12 * MIB, LONG, &given, ERR));
    ok(given == 12 * MIB, "12M are given back");
    for (i = 0; i < count; i++) {
        ok(number_of(group, files[i][0]) < 8 * MIB, "the usage falls");
        near(number_of(group, files[i][1]), 16 * MIB, 3, files[i][1]);
        ok(write_to(group, files[i][1], "0") == 0, "the mark is reset");
        ok(number_of(group, files[i][1]) < 8 * MIB, "it is the usage now");
    }
    return end();
}
