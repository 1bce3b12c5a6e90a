/* A limit, and then one with a little swap, against anonymous, locked and mergeable memory: SIGKILL or ENOMEM is the end. */
#include "acceptance.h"

#include <sys/mman.h>

/* Memory that the kernel may merge (KSM): all pages are alike. */
static int32_t mergeable(void *argument)
{
    const size_t bytes = 128 * MIB;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)argument;
    if (memory == MAP_FAILED)
        return errno == ENOMEM ? 0 : 1;
    if (madvise(memory, bytes, MADV_MERGEABLE) != 0)
        return 2;
    memset(memory, 'K', bytes);
    return 3;
}

static void ends(memoom_group *group, memoom_worker *worker, const char *what)
{
    memoom_outcome *outcome = NULL;

    MUST(memoom_worker_wait(worker, LONG, &outcome, ERR));
    ok(memoom_outcome_verdict(outcome) == MEMOOM_VERDICT_OOM_KILLED || memoom_outcome_returncode(outcome) == 0, what);
    ok(usage(group) <= 32 * MIB, "its limit held");
    memoom_outcome_free(outcome);
}

int main(void)
{
    static const char *const kinds[] = {MEMOOM_KIND_ANON, MEMOOM_KIND_MLOCK};
    const uint64_t swaps = expect("swap_accounting") ? 2 : 1;
    memoom_group *group;
    memoom_worker *worker;
    uint64_t swap;
    char name[16];
    size_t i;

    begin();
    for (swap = 0; swap < swaps; swap++)
        for (i = 0; i < 2 + expect("ksm"); i++) {
            snprintf(name, sizeof(name), "g%u-%u", (unsigned)swap, (unsigned)i);
            group = group_in(NULL, name, 32 * MIB);
            if (swap)
                MUST(memoom_group_set_swap(group, MIB, ERR));
            if (i < 2) {
                worker = hog(group, "eats", kinds[i]);
                ok(grow(worker, 128 * MIB) == MEMOOM_GROW_KILLED, kinds[i]);
            } else {
                MUST(memoom_function_spawn(group, mergeable, NULL, NULL, &worker, ERR));
                acceptance_workers[acceptance_worker_count++] = worker;
            }
            ends(group, worker, i < 2 ? "it ends" : "mergeable memory ends it");
        }
    return end();
}
