/* v1 limits of memory+swap: kept to pages and above the limit of memory; each kind of memory is killed at 2M. */
#include "acceptance.h"

#define MEMSW "memory.memsw.limit_in_bytes"

int main(void)
{
    static const char *const kinds[] = {MEMOOM_KIND_ANON, MEMOOM_KIND_MLOCK, MEMOOM_KIND_POPULATE, MEMOOM_KIND_SHMEM};
    memoom_group *group;
    memoom_worker *eats;
    uint64_t bytes = 0;
    size_t i;

    begin();
    group = group_in(NULL, "rules", 4 * MIB);
    MUST(memoom_group_set_swap(group, 3 * page_bytes() + 100, ERR));
    ok(number_of(group, MEMSW) == 4 * MIB + 3 * page_bytes(), "rounded down to pages");
    ok(write_to(group, MEMSW, "2M") == EINVAL, "not below the limit of memory");
    ok(write_to(group, MEMSW, "1xx") == EINVAL && write_to(group, MEMSW, "1.0") == EINVAL, "no nonsense");
    MUST(memoom_group_set_limit(group, 8 * MIB, ERR));
    ok(memoom_group_swap(group, &bytes, NULL) == MEMOOM_OK && bytes == 3 * page_bytes(), "it goes along with the limit");
    MUST(memoom_group_set_swap(group, MEMOOM_UNLIMITED, ERR));
    ok(memoom_group_swap(group, &bytes, NULL) == MEMOOM_OK && bytes == MEMOOM_UNLIMITED, "no limit");
    for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        group = group_in(NULL, kinds[i], 2 * MIB);
        MUST(memoom_group_set_swap(group, 0, ERR));
        eats = hog(group, "eats", kinds[i]);
        ok(grow(eats, 8 * MIB) == MEMOOM_GROW_KILLED && verdict(eats) == MEMOOM_VERDICT_OOM_KILLED, kinds[i]);
    }
    if (!expect("swap"))
        return end();
    group = group_in(NULL, "swaps", 30 * MIB);
    MUST(memoom_group_set_swap(group, 30 * MIB, ERR));
    eats = hog(group, "eats", MEMOOM_KIND_ANON);
    ok(grow(eats, 50 * MIB) == MEMOOM_GROW_GREW, "50M fit into memory and swap");
    near(number_of(group, "memory.memsw.usage_in_bytes"), 50 * MIB, 5, "and are counted together");
    MUST(memoom_group_swap_usage(group, &bytes, ERR));
    ok(usage(group) <= 30 * MIB && bytes >= 18 * MIB, "neither alone");
    ok(grow(eats, 50 * MIB) == MEMOOM_GROW_KILLED && verdict(eats) == MEMOOM_VERDICT_OOM_KILLED, "100M do not fit");
    ok(number_of(group, "memory.memsw.max_usage_in_bytes") > 55 * MIB, "it came up to the limit");
    return end();
}
