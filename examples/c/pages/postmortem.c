/* Who killed what memoom did not start, from what is still there. */
#include "must.h"

static void show(const memoom_postmortem *found)
{
    const memoom_killed_by *author = memoom_postmortem_killed_by(found);

    if (memoom_postmortem_victim_pid(found))
        printf("pid %d", (int)memoom_postmortem_victim_pid(found));
    else
        printf("a process that no source names");
    printf(" was killed by %s (%s)", author->text, author->by); /* "unknown", with the reason, where nobody is named */
    if (memoom_postmortem_limit_group(found))
        printf(" at the limit of %s", memoom_postmortem_limit_group(found));
    puts("");
    fputs(memoom_postmortem_to_text(found), stdout);
    fputs(memoom_postmortem_to_full_text(found), stdout); /* with what the kernel reported */
    puts(memoom_postmortem_to_json(found));
}

int main(int argc, char **argv)
{
    memoom_postmortem_options options = MEMOOM_POSTMORTEM_OPTIONS_INIT;
    memoom_postmortem *found = NULL;
    memoom_error *error = NULL;

    /* The last OOM kill of this machine; a pid, a unit, a container, a pod or a job by its name. */
    must(memoom_postmortem_of(MEMOOM_SUBJECT_LAST, NULL, &found, &error), &error);
    show(found);
    memoom_postmortem_free(found);

    if (argc > 1) { /* the same of a saved log, also of another machine */
        found = NULL;
        options.log = argv[1];
        must(memoom_postmortem_with(MEMOOM_SUBJECT_LAST, NULL, &options, &found, &error), &error);
        show(found);
        memoom_postmortem_free(found);
    }
    return 0;
}
