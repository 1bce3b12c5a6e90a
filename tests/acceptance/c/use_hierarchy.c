/* An ancestor's limit kills a process of a child. */
#include "acceptance.h"

int main(void)
{
    memoom_group *top, *child;
    memoom_watch *watch = NULL;
    memoom_worker *eats;
    memoom_oom *oom = NULL;

    begin();
    top = group_in(NULL, "use_hierarchy", 30 * MIB);
    child = group_in(top, "child", MEMOOM_UNLIMITED);
    MUST(memoom_watch_open(child, &watch, ERR));
    eats = hog(child, "eats", MEMOOM_KIND_ANON);
    ok(grow(eats, 60 * MIB) == MEMOOM_GROW_KILLED, "60M are too much for the ancestor");
    ok(verdict(eats) == MEMOOM_VERDICT_OOM_KILLED, "it was an OOM");
    MUST(memoom_watch_wait_oom(watch, LONG, &oom, ERR));
    ok(oom && strstr(memoom_oom_limit_group(oom), "/use_hierarchy") && !strstr(memoom_oom_limit_group(oom), "/child"),
       "the limit that was hit is the ancestor's");
    memoom_oom_free(oom);
    memoom_watch_free(watch);
    return end();
}
