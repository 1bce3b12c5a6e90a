/* max and swap 30M each: 50M of anon split between memory and swap, 100M are killed. */
#include "acceptance.h"

static memoom_group *with_swap(const char *name)
{
    memoom_group *group = group_in(NULL, name, 30 * MIB);

    MUST(memoom_group_set_swap(group, 30 * MIB, ERR));
    return group;
}

/* What a group takes in all. A page on its way to swap stands in both counters; of these the statistics tell, late, and
 * before 5.12 not at all: then it may be any of what is in memory. */
static int is_taken(memoom_group *group, uint64_t bytes)
{
    uint64_t both = MEMOOM_UNKNOWN, swap = 0, sum;

    MUST(memoom_group_stat(group, "swapcached", &both, ERR));
    MUST(memoom_group_swap_usage(group, &swap, ERR));
    sum = usage(group) + swap;
    if (both == MEMOOM_UNKNOWN)
        return close_to(sum, bytes, 5) || (sum > bytes && sum - usage(group) <= bytes);
    return close_to(sum - both, bytes, 5);
}

int main(void)
{
    memoom_group *splits, *dies;
    memoom_worker *eats;
    uint64_t swap = 0;

    begin();
    splits = with_swap("splits");
    ok(grow(hog(splits, "splits", MEMOOM_KIND_ANON), 50 * MIB) == MEMOOM_GROW_GREW, "50M of anon fit");
    MUST(memoom_group_swap_usage(splits, &swap, ERR));
    ok(usage(splits) <= 30 * MIB && swap <= 30 * MIB, "neither is over its limit");
    UNTIL(is_taken(splits, 50 * MIB))
        ;
    ok(is_taken(splits, 50 * MIB), "together they are 50M");
    ok(counters(splits).oom_kill == 0, "nobody is killed");
    dies = with_swap("dies");
    eats = hog(dies, "eats", MEMOOM_KIND_ANON);
    ok(grow(eats, 100 * MIB) == MEMOOM_GROW_KILLED && verdict(eats) == MEMOOM_VERDICT_OOM_KILLED, "100M do not");
    /* A page that reaches the swap while the kernel decides makes room: it goes back, and declares another OOM later. */
    if (!ok(counters(dies).oom_kill == 1 && counters(dies).oom >= 1, "one kill"))
        printf("# oom %llu, oom_kill %llu\n", (unsigned long long)counters(dies).oom,
               (unsigned long long)counters(dies).oom_kill);
    return end();
}
