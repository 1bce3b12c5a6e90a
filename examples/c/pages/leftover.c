/* What owners that died together with their supervisors have left behind. */
#include "must.h"

static void show(memoom_leftover_list *list)
{
    size_t i;

    for (i = 0; i < memoom_leftover_list_count(list); i++) {
        const memoom_leftover *one = memoom_leftover_list_at(list, i);
        printf("%s %s: %s\n", one->removed ? "removed" : "left alone", one->path, one->reason);
    }
    memoom_leftover_list_free(list);
}

int main(void)
{
    memoom_leftover_list *list = NULL;
    memoom_lab *lab = NULL;
    memoom_error *error = NULL;

    must(memoom_lab_create(NULL, &lab, &error), &error);
    must(memoom_gc(&list, &error), &error); /* labs of living owners, as this one, are not touched */
    show(list);

    /* For labs that were made elsewhere, with memoom_lab_options.parent: here in a lab, in which there is none. */
    list = NULL;
    must(memoom_gc_below(memoom_lab_path(lab), &list, &error), &error);
    holds(memoom_leftover_list_count(list) == 0, "nobody has left a lab in this one");
    show(list);
    memoom_lab_free(lab);
    return 0;
}
