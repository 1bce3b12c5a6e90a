/* The kernel's own reports in a log: read whole, read piece by piece, and all that one of them tells. */
#include "must.h"

static const char *known(const char *text) { return text ? text : "(not told)"; }

/* A number that the report may lack. */
static void number(const char *what, uint64_t value)
{
    if (value != MEMOOM_UNKNOWN)
        printf("  %s %" PRIu64 "\n", what, value);
}

static void killed(const memoom_report *report)
{
    size_t i;

    printf("kernel %s, %s: %s (pid %d) asked for memory\n", known(memoom_report_release(report)),
           known(memoom_report_constraint(report)),
           known(memoom_report_invoker_comm(report)), (int)memoom_report_invoker_pid(report));
    printf("chosen: %s (pid %d) in %s\n", known(memoom_report_chosen_comm(report)),
           (int)memoom_report_chosen_pid(report), known(memoom_report_task_memcg(report)));
    if (memoom_report_group_kill(report))
        printf("all of %s was killed\n", memoom_report_group_kill(report));
    if (memoom_report_no_killable(report))
        puts("there was nobody to kill");
    for (i = 0; i < memoom_report_kill_count(report); i++)
        printf("killed: %s (pid %d)\n", memoom_report_kill_at(report, i)->comm,
               (int)memoom_report_kill_at(report, i)->pid);
    for (i = 0; i < memoom_report_task_count(report); i++)
        printf("  task %s: %" PRIu64 " pages\n", memoom_report_task_at(report, i)->comm,
               memoom_report_task_at(report, i)->rss_pages);
}

static void memory(const memoom_report *report)
{
    size_t i;

    if (memoom_report_scope(report) == MEMOOM_SCOPE_MEMCG)
        printf("the limit of %s\n", known(memoom_report_oom_memcg(report)));
    number("limit", memoom_report_limit_bytes(report)); /* MEMOOM_UNLIMITED where there is none */
    number("usage", memoom_report_usage_bytes(report));
    number("anon", memoom_report_stat(report, "anon")); /* by the kernel's own name */
    for (i = 0; i < memoom_report_consumer_count(report); i++)
        printf("  %s %s: %" PRIu64 " bytes\n", memoom_report_consumer_at(report, i)->what,
               known(memoom_report_consumer_at(report, i)->comm), memoom_report_consumer_at(report, i)->bytes);
    if (memoom_report_workload(report))
        printf("the limit is of %s\n", memoom_workload_words(memoom_report_workload(report)));
    if (memoom_report_victim_workload(report))
        printf("the victim is of %s\n", memoom_workload_words(memoom_report_victim_workload(report)));
    for (i = 0; i < memoom_report_slab_count(report); i++)
        printf("  slab %s: %" PRIu64 " bytes\n", memoom_report_slab_at(report, i)->name,
               memoom_report_slab_at(report, i)->total_bytes);
}

/* Where the machine ran out, not a group. */
static void machine(const memoom_report *report)
{
    size_t i;

    if (!memoom_report_mem_info(report))
        return;
    printf("the machine has %" PRIu64 " bytes in pages of %" PRIu64 ", %" PRIu64 " pages of shared memory\n",
           memoom_report_mem_info(report)->total_bytes, memoom_report_page_bytes(report),
           memoom_report_mem_stat(report, -1, NULL, "shmem"));
    for (i = 0; i < memoom_report_zone_count(report); i++)
        printf("  zone %s: %" PRIu64 " free, least %" PRIu64 "\n", memoom_report_zone_at(report, i)->name,
               memoom_report_zone_at(report, i)->free_bytes, memoom_report_zone_at(report, i)->min_bytes);
    for (i = 0; i < memoom_report_free_blocks_count(report); i++)
        printf("  %" PRIu64 " free blocks of %" PRIu64 " bytes\n", memoom_report_free_blocks_at(report, i)->count,
               memoom_report_free_blocks_at(report, i)->bytes);
    for (i = 0; i < memoom_report_huge_pages_count(report); i++)
        printf("  %" PRIu64 " huge pages are set aside\n", memoom_report_huge_pages_at(report, i)->total);
}

static void show(const memoom_report *report)
{
    size_t i;

    if (memoom_report_time_usec(report) != MEMOOM_UNKNOWN)
        printf("%" PRIu64 " s after boot: ", memoom_report_time_usec(report) / 1000000);
    puts(known(memoom_report_summary(report)));
    killed(report);
    memory(report);
    machine(report);
    for (i = 0; i < memoom_report_finding_count(report); i++)
        printf("%s: %s\n", memoom_report_finding_at(report, i)->code, memoom_report_finding_at(report, i)->text);
    for (i = 0; i < memoom_report_missing_count(report); i++)
        printf("%s is missing: %s\n", memoom_report_missing_at(report, i)->source,
               memoom_report_missing_at(report, i)->reason);
    fputs(memoom_report_to_text(report), stdout);
    puts(memoom_report_lines(report)); /* the kernel's own words */
    puts(memoom_report_to_json(report));
}

/* A log of any length, or a pipe as of dmesg -w: each report as soon as it is complete. */
static void piece_by_piece(memoom_report_reader *reader)
{
    memoom_report *report = NULL;
    memoom_error *error = NULL;

    printf("reading descriptor %d\n", (int)memoom_report_reader_fd(reader)); /* for poll(2) */
    for (;;) {
        must(memoom_report_reader_next(reader, MEMOOM_FOREVER, &report, &error), &error);
        if (!report)
            break;
        show(report);
        memoom_report_free(report);
    }
    holds(memoom_report_reader_ended(reader) == 1, "the log has ended");
    if (memoom_report_reader_lookalike_count(reader))
        puts("no report, and lines that look like parts of one");
    memoom_report_reader_free(reader);
}

int main(int argc, char **argv)
{
    static const char line[] = "[  42.0] Memory cgroup out of memory: Killed process 7 (server) total-vm:9000kB, "
                               "anon-rss:8000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:60kB oom_score_adj:0\n";
    memoom_report_list *list = NULL;
    memoom_report_reader *reader = NULL;
    memoom_error *error = NULL;
    size_t i;

    must(memoom_report_parse(line, sizeof(line) - 1, &list, &error), &error);
    holds(memoom_report_list_count(list) == 1, "what is left of a report is one");
    for (i = 0; i < memoom_report_list_count(list); i++)
        show(memoom_report_list_at(list, i));
    puts(memoom_report_list_to_json(list));
    memoom_report_list_free(list);

    if (argc > 1) { /* a file, a named pipe, a device */
        must(memoom_report_reader_open(argv[1], &reader, &error), &error);
        piece_by_piece(reader);
    } else { /* or a descriptor: dmesg | ./report */
        must(memoom_report_reader_open_fd(0, &reader, &error), &error);
        piece_by_piece(reader);
    }
    return 0;
}
