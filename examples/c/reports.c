/*
 * reports [LOG]: tells each OOM of a log as soon as it is complete; without LOG that of standard input, such as
 *
 *     dmesg -w | ./reports
 *
 * cc -std=c99 reports.c -o reports $(pkg-config --cflags --libs memoom)
 */
#include <stdio.h>

#include <memoom.h>

static int fail(memoom_error *error)
{
    fprintf(stderr, "reports: %s\n", memoom_error_message(error));
    memoom_error_free(error);
    return 1;
}

static void tell(const memoom_report *report)
{
    const memoom_workload *workload = memoom_report_workload(report);
    const memoom_consumer *consumer;
    const memoom_finding *finding;
    size_t i;

    if (memoom_report_summary(report))
        printf("%s\n", memoom_report_summary(report));
    if (workload)
        printf("  in %s\n", memoom_workload_words(workload));
    for (i = 0; (consumer = memoom_report_consumer_at(report, i)) != NULL && i < 3; i++)
        printf("  %8.1f MiB  %s%s\n", (double)consumer->bytes / (1 << 20), consumer->comm ? consumer->comm : consumer->what,
               consumer->killed ? ", killed" : "");
    for (i = 0; (finding = memoom_report_finding_at(report, i)) != NULL; i++)
        if (finding->remedy)
            printf("  remedy: %s\n", finding->remedy);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    memoom_report_reader *reader = NULL;
    memoom_report *report = NULL;
    memoom_error *error = NULL;
    memoom_status status;

    if (argc > 1)
        status = memoom_report_reader_open(argv[1], &reader, &error);
    else
        status = memoom_report_reader_open_fd(0, &reader, &error);
    if (status != MEMOOM_OK)
        return fail(error);
    do {
        status = memoom_report_reader_next(reader, MEMOOM_FOREVER, &report, &error);
        if (status != MEMOOM_OK)
            break;
        if (report)
            tell(report);
        memoom_report_free(report);
    } while (report);
    if (status == MEMOOM_OK && memoom_report_reader_lookalike_count(reader) > 0)
        fprintf(stderr, "reports: no OOM report is in it, only lines that look like one\n");
    memoom_report_reader_free(reader);
    return status == MEMOOM_OK ? 0 : fail(error);
}
