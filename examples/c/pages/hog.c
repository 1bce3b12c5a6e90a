/* A hog: single steps, giving back, and steps at a pace until one of its ends. */
#include "must.h"

int main(void)
{
    memoom_hog_options options = MEMOOM_HOG_OPTIONS_INIT;
    memoom_pace pace = MEMOOM_PACE_INIT;
    memoom_paced paced = MEMOOM_PACED_INIT;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_worker *hog = NULL;
    memoom_error *error = NULL;
    uint64_t bytes = 0;

    must(memoom_lab_create(NULL, &lab, &error), &error);
    must(memoom_group_create(lab, "example", NULL, &group, &error), &error);
    must(memoom_group_set_limit(group, 64 * MIB, &error), &error);
    options.name = "alloc_memory_1";
    options.kind = MEMOOM_KIND_SHMEM; /* NULL in place of the options: anonymous memory, 10 MiB a step */
    options.step_bytes = 4 * MIB;
    must(memoom_hog_spawn(group, &options, &hog, &error), &error);

    must(memoom_hog_grow(hog, MEMOOM_UNCHANGED, 60 * SECONDS, &grow, &error), &error); /* a step of its own size */
    must(memoom_hog_grow(hog, 6 * MIB, 60 * SECONDS, &grow, &error), &error);
    holds(grow.status == MEMOOM_GROW_GREW && memoom_hog_total_bytes(hog) == 10 * MIB, "every page was taken");
    must(memoom_hog_shrink(hog, 2 * MIB, 60 * SECONDS, &bytes, &error), &error);
    holds(bytes == 2 * MIB && memoom_hog_total_bytes(hog) == 8 * MIB, "its newest memory is given back");
    /* Where a step was blocked or its time was over, this waits for its answer. */
    holds(memoom_hog_finish(hog, 0, &grow, NULL) == MEMOOM_ERR_INVALID_INPUT, "no step goes on");

    pace.rate_bytes = 200 * MIB; /* in a second */
    pace.total_bytes = 32 * MIB;
    must(memoom_hog_pace(hog, &pace, 60 * SECONDS, &paced, &error), &error);
    holds(paced.stop == MEMOOM_STOP_TOTAL && paced.total_bytes == 32 * MIB, "until it holds so much");
    must(memoom_hog_pace(hog, NULL, 60 * SECONDS, &paced, &error), &error); /* until a step is not whole */
    holds(paced.stop == MEMOOM_STOP_STEP && paced.status == MEMOOM_GROW_KILLED, "until the kernel kills it");

    memoom_worker_free(hog);
    memoom_group_free(group);
    memoom_lab_free(lab);
    return 0;
}
