/* A lab with two groups: where it stands, what is in it, what happened, and its end. */
#include "must.h"

int main(void)
{
    memoom_lab_options options = MEMOOM_LAB_OPTIONS_INIT;
    memoom_timeline *timeline = NULL;
    memoom_group *groups[2] = {NULL, NULL}, *one = NULL;
    memoom_lab *lab = NULL;
    memoom_error *error = NULL;
    size_t i;

    options.flags = MEMOOM_LAB_NO_CALL_PATH; /* NULL in place of the options is right for almost everybody */
    options.keep_events = 1000;
    must(memoom_lab_create(&options, &lab, &error), &error);
    printf("%s, on v%d, in %s; process %d cleans up whatever happens to us\n", memoom_lab_name(lab),
           (int)memoom_lab_version(lab), memoom_lab_path(lab), (int)memoom_lab_supervisor_pid(lab));

    must(memoom_group_create(lab, "first", NULL, &groups[0], &error), &error);
    must(memoom_group_create(lab, "second", NULL, &groups[1], &error), &error);
    for (i = 0; i < memoom_lab_group_count(lab); i++) {
        must(memoom_lab_group_at(lab, i, &one, &error), &error);
        printf("group %s\n", memoom_group_name(one));
        memoom_group_free(one);
        one = NULL;
    }
    must(memoom_lab_timeline(lab, &timeline, &error), &error);
    printf("%zu events so far\n", memoom_timeline_event_count(timeline));
    memoom_timeline_free(timeline);

    /* Every process is killed and every group removed. memoom_lab_free does it too, and cannot say what failed. */
    must(memoom_lab_close(lab, &error), &error);
    holds(memoom_group_create(lab, "third", NULL, &one, NULL) == MEMOOM_ERR_CLOSED, "it has ended");
    memoom_group_free(groups[0]);
    memoom_group_free(groups[1]);
    memoom_lab_free(lab);
    return 0;
}
