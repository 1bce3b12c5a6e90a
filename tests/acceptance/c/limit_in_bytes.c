/* v1 limits: rounded to pages, none by -1, nonsense refused; each kind of memory is killed at 2M, page cache is not. */
#include "acceptance.h"

int main(void)
{
    static const char *const kinds[] = {MEMOOM_KIND_ANON, MEMOOM_KIND_MLOCK, MEMOOM_KIND_POPULATE, MEMOOM_KIND_SHMEM};
    static const char *const nonsense[] = {"1.0", "1xx", "xx", ""};
    memoom_group *group, *empty;
    memoom_worker *worker = NULL;
    uint64_t bytes = 0;
    size_t i;

    begin();
    empty = group_in(NULL, "empty", MEMOOM_UNLIMITED);
    MUST(memoom_group_set_limit(empty, 3 * page_bytes() + 100, ERR));
    ok(memoom_group_limit(empty, &bytes, NULL) == MEMOOM_OK && bytes == 3 * page_bytes(), "rounded down to pages");
    MUST(memoom_group_set_limit(empty, MEMOOM_UNLIMITED, ERR));
    ok(memoom_group_limit(empty, &bytes, NULL) == MEMOOM_OK && bytes == MEMOOM_UNLIMITED, "no limit");
    MUST(memoom_group_set_limit(empty, 0, ERR));
    ok(memoom_group_limit(empty, &bytes, NULL) == MEMOOM_OK && bytes == 0, "0 is a limit");
    REFUSED(MEMOOM_ERR_INVALID_INPUT, memoom_hog_spawn(empty, NULL, &worker, ERR));
    for (i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++)
        REFUSED(MEMOOM_ERR_INVALID_INPUT, memoom_parse_size(nonsense[i], &bytes, ERR));

    for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        group = group_in(NULL, kinds[i], 2 * MIB);
        worker = hog(group, "eats", kinds[i]);
        ok(grow(worker, 8 * MIB) == MEMOOM_GROW_KILLED && verdict(worker) == MEMOOM_VERDICT_OOM_KILLED, kinds[i]);
    }
    group = group_in(NULL, "file", 4 * MIB);
    ok(grow(hog(group, "reads", MEMOOM_KIND_FILE), 8 * MIB) == MEMOOM_GROW_GREW, "page cache is dropped instead");
    return end();
}
