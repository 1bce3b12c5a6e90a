/* All that happened in a lab, in order. */
#include "must.h"

int main(void)
{
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_worker *hog = NULL;
    memoom_timeline *timeline = NULL;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;
    size_t i;

    must(memoom_lab_create(NULL, &lab, &error), &error);
    must(memoom_group_create(lab, "example", NULL, &group, &error), &error);
    must(memoom_group_set_limit(group, 64 * MIB, &error), &error);
    must(memoom_hog_spawn(group, NULL, &hog, &error), &error);
    must(memoom_hog_grow(hog, 8 * MIB, 60 * SECONDS, &grow, &error), &error);
    must(memoom_lab_close(lab, &error), &error);

    must(memoom_lab_timeline(lab, &timeline, &error), &error); /* also of a lab that was closed */
    for (i = 0; i < memoom_timeline_event_count(timeline); i++)
        puts(memoom_event_to_text(memoom_timeline_event_at(timeline, i)));
    holds(memoom_timeline_forgotten_events(timeline) == 0 && memoom_timeline_forgotten_ooms(timeline) == 0,
          "nothing is forgotten of a short lab (memoom_lab_options.keep_events)");
    fputs(memoom_timeline_to_text(timeline, 0), stdout); /* 1: with samples, ticks and lines of the kernel log */
    puts(memoom_timeline_to_json(timeline));

    memoom_timeline_free(timeline);
    memoom_worker_free(hog);
    memoom_group_free(group);
    memoom_lab_free(lab);
    return 0;
}
