/* Whom the kernel would kill now, among two. */
#include "must.h"

int main(void)
{
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_worker *small = NULL, *large = NULL;
    memoom_prediction *prediction = NULL;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;
    size_t i;

    must(memoom_lab_create(NULL, &lab, &error), &error);
    must(memoom_group_create(lab, "example", NULL, &group, &error), &error);
    must(memoom_group_set_limit(group, 64 * MIB, &error), &error);
    must(memoom_hog_spawn(group, NULL, &small, &error), &error);
    must(memoom_hog_spawn(group, NULL, &large, &error), &error);
    must(memoom_hog_grow(small, 4 * MIB, 60 * SECONDS, &grow, &error), &error);
    must(memoom_hog_grow(large, 32 * MIB, 60 * SECONDS, &grow, &error), &error);

    must(memoom_group_predict(group, &prediction, &error), &error);
    for (i = 0; i < memoom_prediction_candidate_count(prediction); i++) {
        const memoom_candidate *one = memoom_prediction_candidate_at(prediction, i);
        printf("pid %d: %" PRId64 " points%s%s\n", (int)one->pid, one->score, one->eligible ? "" : ", not to be had: ",
               one->eligible ? "" : one->reason);
    }
    holds(memoom_prediction_pid(prediction) == memoom_worker_pid(large), "the larger one");
    if (memoom_prediction_determined(prediction))
        puts("by more than the numbers can be off by");
    fputs(memoom_prediction_to_text(prediction), stdout);
    puts(memoom_prediction_to_json(prediction));

    memoom_prediction_free(prediction);
    memoom_worker_free(small);
    memoom_worker_free(large);
    memoom_group_free(group);
    memoom_lab_free(lab);
    return 0;
}
