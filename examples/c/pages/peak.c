/* The most that a group has used, and the most since a moment. */
#include "must.h"

int main(void)
{
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_worker *hog = NULL;
    memoom_peak *peak = NULL;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;
    uint64_t bytes = 0, before = 0;

    must(memoom_lab_create(NULL, &lab, &error), &error);
    must(memoom_group_create(lab, "example", NULL, &group, &error), &error);
    must(memoom_group_set_limit(group, 64 * MIB, &error), &error);
    must(memoom_hog_spawn(group, NULL, &hog, &error), &error);
    if (!may(memoom_peak_open(group, &peak, &error), &error)) {
        memoom_worker_free(hog);
        memoom_group_free(group);
        memoom_lab_free(lab);
        return 0;
    }
    must(memoom_hog_grow(hog, 16 * MIB, 60 * SECONDS, &grow, &error), &error);
    must(memoom_hog_shrink(hog, 16 * MIB, 60 * SECONDS, &bytes, &error), &error);
    must(memoom_peak_bytes(peak, &before, &error), &error);
    holds(before >= 16 * MIB, "it stays when the memory is given back");
    if (may(memoom_peak_reset(peak, &error), &error)) { /* v2 before about 6.12 has none */
        must(memoom_peak_bytes(peak, &bytes, &error), &error);
        holds(bytes < before, "the most since now");
    }
    memoom_peak_free(peak);
    memoom_worker_free(hog);
    memoom_group_free(group);
    memoom_lab_free(lab);
    return 0;
}
