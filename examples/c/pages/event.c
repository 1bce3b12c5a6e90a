/* What happens in a group, event by event. */
#include "must.h"

int main(void)
{
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_watch *watch = NULL;
    memoom_worker *hog = NULL;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;
    uint64_t began = 0;
    int over = 0;

    must(memoom_lab_create(NULL, &lab, &error), &error);
    must(memoom_group_create(lab, "example", NULL, &group, &error), &error);
    must(memoom_group_set_limit(group, 32 * MIB, &error), &error);
    must(memoom_watch_open(group, &watch, &error), &error); /* before the worker, so that it sees everything */
    must(memoom_hog_spawn(group, NULL, &hog, &error), &error);
    must(memoom_hog_grow(hog, 64 * MIB, 60 * SECONDS, &grow, &error), &error);
    while (!over) {
        memoom_event *event = NULL;
        must(memoom_watch_next(watch, 10 * SECONDS, &event, &error), &error);
        holds(event != NULL, "the end of the hog is an event");
        began = began ? began : memoom_event_time_ns(event);
        printf("%8" PRIu64 " us  %-11s %-9s pid %-7d %s\n", (memoom_event_time_ns(event) - began) / 1000,
               memoom_event_source(event), memoom_event_kind(event), (int)memoom_event_pid(event),
               memoom_event_to_text(event));
        over = strcmp(memoom_event_kind(event), "exited") == 0 && memoom_event_pid(event) == memoom_worker_pid(hog);
        if (over)
            printf("in %s; for a program: %s\n", memoom_event_group(event), memoom_event_to_json(event));
        memoom_event_free(event);
    }
    memoom_worker_free(hog);
    memoom_watch_free(watch);
    memoom_group_free(group);
    memoom_lab_free(lab);
    return 0;
}
