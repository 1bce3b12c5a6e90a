/* A watch ends cleanly when its group is removed: one event says so, and the descriptor is quiet after it. */
#include "acceptance.h"

int main(void)
{
    memoom_group *group;
    memoom_watch *watch = NULL;
    memoom_event *event = NULL;
    int removed = 0;

    begin();
    group = group_in(NULL, "delete_events", 30 * MIB);
    MUST(memoom_watch_open(group, &watch, ERR));
    ok(grow(hog(group, "eats", MEMOOM_KIND_ANON), 60 * MIB) == MEMOOM_GROW_KILLED, "an OOM first");
    MUST(memoom_group_remove(group, ERR));
    do {
        memoom_event_free(event);
        MUST(memoom_watch_next(watch, 1000000000ull, &event, ERR));
        removed += event && strcmp(memoom_event_kind(event), "removed") == 0;
    } while (event);
    ok(removed <= 1, "the removal is told once at most");
    MUST(memoom_watch_next(watch, 0, &event, ERR));
    ok(event == NULL, "nothing comes after it");
    refused(MEMOOM_ERR_NOT_FOUND, memoom_group_usage(group, &(uint64_t){0}, ERR), "the group is not there any more");
    memoom_watch_free(watch);
    return end();
}
