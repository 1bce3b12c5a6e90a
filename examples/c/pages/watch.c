/* A watch in a poll loop, one of a group and all below it, and one of a unit that need not be there yet. */
#include "must.h"

#include <poll.h>

int main(int argc, char **argv)
{
    memoom_lab *lab = NULL;
    memoom_group *group = NULL, *below = NULL;
    memoom_watch *watch = NULL, *all = NULL, *unit = NULL;
    memoom_worker *hog = NULL;
    memoom_event *event = NULL;
    memoom_oom *oom = NULL;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;
    memoom_switch there = MEMOOM_OFF;
    struct pollfd ready;

    must(memoom_lab_create(NULL, &lab, &error), &error);
    must(memoom_group_create(lab, "example", NULL, &group, &error), &error);
    must(memoom_group_create_child(group, "below", NULL, &below, &error), &error);
    must(memoom_group_set_limit(below, 32 * MIB, &error), &error);
    must(memoom_watch_open(below, &watch, &error), &error);
    must(memoom_watch_open_recursive(group, &all, &error), &error);
    must(memoom_watch_open_of(MEMOOM_SUBJECT_UNIT, "example.service", &unit, &error), &error);
    must(memoom_watch_has_groups(unit, &there, &error), &error);
    holds(there == MEMOOM_OFF, "no unit of that name is running");
    if (argc > 1) /* a directory: what dies is on the disk there before it is told, for memoom_postmortem_with */
        must(memoom_watch_keep_record(all, argv[1], MIB, &error), &error);

    must(memoom_hog_spawn(below, NULL, &hog, &error), &error);
    must(memoom_hog_grow(hog, 64 * MIB, 60 * SECONDS, &grow, &error), &error);
    ready.fd = memoom_watch_fd(watch);
    ready.events = POLLIN;
    holds(poll(&ready, 1, 10000) == 1, "there is something to read");
    must(memoom_watch_next(watch, 0, &event, &error), &error); /* 0: look only; NULL where there is none */
    if (event)
        printf("%s\n", memoom_event_to_text(event));
    memoom_event_free(event);

    must(memoom_watch_wait_oom(all, 10 * SECONDS, &oom, &error), &error);
    holds(oom != NULL, "an OOM of a group below is seen too");
    memoom_oom_freep(&oom);
    oom = NULL;
    must(memoom_watch_wait_oom(unit, 0, &oom, &error), &error);
    holds(oom == NULL, "none came: that is an answer, no error");

    memoom_worker_free(hog);
    memoom_watch_free(watch);
    memoom_watch_free(all);
    memoom_watch_free(unit);
    memoom_group_free(below);
    memoom_group_free(group);
    memoom_lab_free(lab);
    return 0;
}
