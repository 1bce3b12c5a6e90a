/* memory.stat follows each kind of memory up and down, and what is no anonymous memory is not counted as such. */
#include "acceptance.h"

struct row {
    const char *kind, *v1, *v2;
    int anonymous, falls;
};

int main(void)
{
    static const struct row rows[] = {
        {MEMOOM_KIND_ANON, "rss", "anon", 1, 1},
        {MEMOOM_KIND_MLOCK, "unevictable", "unevictable", 1, 1},
        {MEMOOM_KIND_SHMEM, "cache", "shmem", 0, 1},
        {MEMOOM_KIND_SHMEM, "mapped_file", "file_mapped", 0, 1},
        {MEMOOM_KIND_FILE, "cache", "file", 0, 0},
    };
    const int v1 = memoom_lab_version((begin(), lab)) == MEMOOM_CGROUP_V1;
    memoom_group *group, *parent;
    memoom_worker *worker;
    char name[16];
    uint64_t bytes = 0;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *key = v1 ? rows[i].v1 : rows[i].v2, *anonymous = v1 ? "rss" : "anon";

        snprintf(name, sizeof(name), "g%u", (unsigned)i);
        group = group_in(NULL, name, 64 * MIB);
        worker = hog(group, "takes", rows[i].kind);
        MUST(grow(worker, 16 * MIB) == MEMOOM_GROW_GREW ? MEMOOM_OK : MEMOOM_ERR_OTHER);
        UNTIL(close_to(stat_of(group, key), 16 * MIB, 5))
            ;
        near(stat_of(group, key), 16 * MIB, 5, key);
        near_usage(usage(group), 16 * MIB, 5, "the usage too");
        ok(rows[i].anonymous == (stat_of(group, anonymous) > 8 * MIB), "anonymous or not");
        if (!rows[i].falls)
            continue;
        MUST(memoom_hog_shrink(worker, 16 * MIB, LONG, &bytes, ERR));
        UNTIL(stat_of(group, key) < MIB)
            ;
        ok(bytes == 16 * MIB && stat_of(group, key) < MIB, "given back");
        ok(usage(group) < 2 * MIB + charged_ahead(), "from the usage too");
    }
    parent = group_in(NULL, "parent", 24 * MIB);
    group = group_in(parent, "child", 48 * MIB);
    if (v1)
        ok(stat_of(group, "hierarchical_memory_limit") == 24 * MIB, "the ancestor's limit counts");
    if (expect("hierarchical_memsw"))
        ok(stat_of(group, "hierarchical_memsw_limit") == 24 * MIB, "for memory+swap too");
    return end();
}
