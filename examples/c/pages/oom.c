/* All that an account of an OOM tells: whose limit, who asked, who was predicted and killed, what filled it. */
#include "must.h"

static void who(const memoom_oom *oom)
{
    const memoom_process *invoker = memoom_oom_invoker(oom);
    const memoom_predicted *predicted = memoom_oom_predicted(oom);
    size_t i;

    printf("on v%d the limit of %s was hit", (int)memoom_oom_version(oom), memoom_oom_limit_group(oom));
    if (memoom_oom_limit_words(oom)) /* "the systemd service nginx.service" */
        printf(", which is %s", memoom_oom_limit_words(oom));
    if (invoker)
        printf(", in the charge of %s (pid %d)", invoker->comm, (int)invoker->pid);
    puts("");
    if (predicted)
        printf("predicted: %s, %s the kill: %s\n", predicted->comm, predicted->made,
               memoom_oom_predicted_right(oom) == 1 ? "right" : "the kernel chose another");
    for (i = 0; i < memoom_oom_candidate_count(oom); i++)
        printf("  candidate pid %d: %" PRId64 " points\n", (int)memoom_oom_candidate_at(oom, i)->pid,
               memoom_oom_candidate_at(oom, i)->score);
    for (i = 0; i < memoom_oom_victim_count(oom); i++) {
        const memoom_victim *victim = memoom_oom_victim_at(oom, i);
        const char *words = memoom_oom_victim_words(oom, i);
        printf("killed: %s (pid %d), as told by %s%s%s\n", victim->comm, (int)victim->pid, victim->sources,
               words ? ", of " : "", words ? words : "");
        holds(memoom_oom_killed(oom, victim->pid) == 1, "it is one of the killed");
    }
}

static void what(const memoom_oom *oom)
{
    const memoom_composition *parts = memoom_oom_composition(oom);
    const memoom_grower *grower = memoom_oom_grower(oom);
    size_t i;

    printf("limit %" PRIu64 ", usage %" PRIu64 " before and %" PRIu64 " after\n", memoom_oom_limit_bytes(oom),
           memoom_oom_usage_before(oom), memoom_oom_usage_after(oom));
    if (parts)
        printf("%" PRIu64 " bytes of it were anonymous, by %s\n", parts->anon_bytes, parts->source);
    for (i = 0; i < memoom_oom_holder_count(oom); i++) {
        const memoom_holder *holder = memoom_oom_holder_at(oom, i);
        printf("  held by %s: %" PRIu64 " bytes resident\n", holder->comm ? holder->comm : holder->what,
               holder->rss_bytes);
    }
    if (grower)
        printf("%s grew by %" PRIu64 " bytes\n", grower->comm ? grower->comm : "somebody", grower->grown_bytes);
    printf("kills counted: %" PRIu64 " before, %" PRIu64 " after\n", memoom_oom_counters_before(oom)->oom_kill,
           memoom_oom_counters_after(oom)->oom_kill);
}

static void how(const memoom_oom *oom)
{
    const memoom_report *report = memoom_oom_report(oom);
    uint64_t marked = memoom_oom_timing_ns(oom, "victim_marked"), ended = memoom_oom_timing_ns(oom, "victim_ended");
    size_t i;

    for (i = 0; i < memoom_oom_frame_count(oom); i++) {
        const memoom_frame *frame = memoom_oom_frame_at(oom, i);
        printf("  %-24s %s\n", frame->function, frame->explanation ? frame->explanation : "");
    }
    if (marked != MEMOOM_UNKNOWN && ended != MEMOOM_UNKNOWN)
        printf("from its mark to its end it took %" PRIu64 " us\n", (ended - marked) / 1000);
    if (report)
        fputs(memoom_report_lines(report), stdout); /* the kernel's own words */
    for (i = 0; i < memoom_oom_finding_count(oom); i++)
        printf("%s: %s\n", memoom_oom_finding_at(oom, i)->code, memoom_oom_finding_at(oom, i)->text);
    for (i = 0; i < memoom_oom_disagreement_count(oom); i++)
        printf("two sources differ: %s\n", memoom_oom_disagreement_at(oom, i)->says);
    for (i = 0; i < memoom_oom_missing_count(oom); i++)
        printf("%s is missing: %s\n", memoom_oom_missing_at(oom, i)->source, memoom_oom_missing_at(oom, i)->reason);
}

/* Of an OOM that only blocks, as the killer is off: who waits, and where. */
static void waits(const memoom_oom *oom)
{
    size_t i, frame;

    for (i = 0; i < memoom_oom_blocked_count(oom); i++) {
        const memoom_blocked *blocked = memoom_oom_blocked_at(oom, i);
        printf("%s waits in state %c\n", blocked->comm, (char)blocked->state);
        for (frame = 0; frame < memoom_oom_blocked_frame_count(oom, i); frame++)
            printf("  in %s\n", memoom_oom_blocked_frame_at(oom, i, frame)->function);
    }
}

/* The accounts of a recording (memoom_replay) are a list. */
static void recorded(const char *path)
{
    memoom_oom_list *list = NULL;
    memoom_error *error = NULL;
    size_t i;

    must(memoom_replay(path, &list, &error), &error);
    for (i = 0; i < memoom_oom_list_count(list); i++)
        puts(memoom_oom_summary(memoom_oom_list_at(list, i)));
    memoom_oom_list_free(list);
}

int main(int argc, char **argv)
{
    memoom_lab *lab = NULL;
    memoom_group *group = NULL;
    memoom_watch *watch = NULL;
    memoom_worker *hog = NULL;
    memoom_oom *oom = NULL;
    memoom_grow grow = MEMOOM_GROW_INIT;
    memoom_error *error = NULL;

    must(memoom_lab_create(NULL, &lab, &error), &error);
    must(memoom_group_create(lab, "example", NULL, &group, &error), &error);
    must(memoom_group_set_limit(group, 32 * MIB, &error), &error);
    must(memoom_watch_open(group, &watch, &error), &error);
    must(memoom_hog_spawn(group, NULL, &hog, &error), &error);
    must(memoom_hog_grow(hog, 64 * MIB, 60 * SECONDS, &grow, &error), &error);
    must(memoom_watch_wait_oom(watch, 10 * SECONDS, &oom, &error), &error);
    holds(oom && memoom_oom_victim(oom), "somebody was killed");
    holds(memoom_oom_victim(oom)->pid == memoom_worker_pid(hog), "it was the hog");
    puts(memoom_oom_summary(oom));
    who(oom);
    what(oom);
    how(oom);
    waits(oom);
    fputs(memoom_oom_to_short_text(oom), stdout); /* 15 lines at most */
    fputs(memoom_oom_to_text(oom), stdout);       /* all of it */
    puts(memoom_oom_to_json(oom));

    memoom_oom_free(oom);
    memoom_worker_free(hog);
    memoom_watch_free(watch);
    memoom_group_free(group);
    memoom_lab_free(lab);
    if (argc > 1)
        recorded(argv[1]);
    return 0;
}
