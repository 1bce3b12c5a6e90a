/*
 * A log through a reader: by path, by descriptor, as it comes; and all that a report holds, of a group's OOM and of the
 * machine's.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tap.h"

#define SECONDS ((uint64_t)1000000000)

/* A global OOM of a machine with one node, short: two tasks, two zones, a slab, huge pages. */
static const char global_oom[] =
    "[  100.000001] hog invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0\n"
    "[  100.000002] CPU: 1 PID: 4242 Comm: hog Not tainted 6.1.0-test #1\n"
    "[  100.000003] Mem-Info:\n"
    "[  100.000004] active_anon:100 inactive_anon:200000 isolated_anon:0\n"
    "                 active_file:10 inactive_file:20 isolated_file:0\n"
    "                 unevictable:0 dirty:0 writeback:0\n"
    "                 slab_reclaimable:1000 slab_unreclaimable:20000\n"
    "                 mapped:30 shmem:500 pagetables:600\n"
    "                 free:5000 free_pcp:0 free_cma:0\n"
    "[  100.000005] Node 0 active_anon:400kB inactive_anon:800000kB active_file:40kB inactive_file:80kB shmem:2000kB "
    "kernel_stack:1600kB pagetables:2400kB all_unreclaimable? yes\n"
    "[  100.000006] Node 0 DMA free:3000kB boost:0kB min:60kB low:75kB high:90kB present:15992kB managed:15908kB\n"
    "[  100.000007] lowmem_reserve[]: 0 900 900 900\n"
    "[  100.000008] Node 0 Normal free:17000kB boost:0kB min:16000kB low:20000kB high:24000kB present:1000000kB "
    "managed:940000kB free_cma:0kB\n"
    "[  100.000009] lowmem_reserve[]: 0 0 0 0\n"
    "[  100.000010] Node 0 DMA: 2*4kB (U) 1*8kB (U) 0*16kB = 16kB\n"
    "[  100.000011] Node 0 Normal: 10*4kB (UM) 3*8kB (UE) 0*16kB = 64kB\n"
    "[  100.000012] Node 0 hugepages_total=8 hugepages_free=8 hugepages_surp=0 hugepages_size=2048kB\n"
    "[  100.000013] 530 total pagecache pages\n"
    "[  100.000014] 0 pages in swap cache\n"
    "[  100.000015] Free swap  = 0kB\n"
    "[  100.000016] Total swap = 1024kB\n"
    "[  100.000017] 253998 pages RAM\n"
    "[  100.000018] 0 pages HighMem/MovableOnly\n"
    "[  100.000019] 15021 pages reserved\n"
    "[  100.000020] Unreclaimable slab info:\n"
    "[  100.000021] Name                      Used          Total\n"
    "[  100.000022] kmalloc-1k            60000KB      64000KB\n"
    "[  100.000023] Tasks state (memory values in pages):\n"
    "[  100.000024] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n"
    "[  100.000025] [   4242]  1000  4242   210000   199000  1638400        0             0 hog\n"
    "[  100.000026] [   4243]     0  4243      250       50    28672        0         -1000 sshd\n"
    "[  100.000027] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
    "task_memcg=/kubepods.slice/kubepods-burstable.slice/"
    "kubepods-burstable-pod0f7a7f3e_6f0e_4c43_8a5d_5f3c1f9f9e11.slice/"
    "cri-containerd-3f5e0a1b2c3d4e5f60718293a4b5c6d7e8f9a0b1c2d3e4f5061728394a5b6c7d.scope,task=hog,pid=4242,uid=1000\n"
    "[  100.000028] Out of memory: Killed process 4242 (hog) total-vm:840000kB, anon-rss:796000kB, file-rss:0kB, "
    "shmem-rss:0kB, UID:1000 pgtables:1600kB oom_score_adj:0\n";

static const char group_oom[] =
    "[    5.100000] Memory cgroup out of memory: Killed process 7 (small) total-vm:41168kB, anon-rss:40960kB, file-rss:4kB, "
    "shmem-rss:0kB, UID:0 pgtables:116kB oom_score_adj:0\n";

/* Who was killed in the next report; 0 where there is none. */
static int next_victim(memoom_report_reader *reader, uint64_t timeout_ns)
{
    memoom_report *report __attribute__((cleanup(memoom_report_freep))) = NULL;
    memoom_error *error __attribute__((cleanup(memoom_error_freep))) = NULL;
    const memoom_kill *kill;

    if (memoom_report_reader_next(reader, timeout_ns, &report, &error) != MEMOOM_OK) {
        printf("# %s\n", memoom_error_message(error));
        return -1;
    }
    kill = memoom_report_kill_at(report, 0);
    return kill ? kill->pid : 0;
}

static void by_path(const char *path)
{
    memoom_report_reader *reader __attribute__((cleanup(memoom_report_reader_freep))) = NULL;
    memoom_error *error = NULL;

    ok(memoom_report_reader_open("/nowhere/a log", &reader, &error) == MEMOOM_ERR_NOT_FOUND &&
       memoom_error_errno(error) == ENOENT && strcmp(memoom_error_path(error), "/nowhere/a log") == 0, "no such log");
    memoom_error_freep(&error);
    ok(memoom_report_reader_open(path, &reader, NULL) == MEMOOM_OK && !memoom_report_reader_ended(reader), "a log by its path");
    ok(next_victim(reader, MEMOOM_FOREVER) == 7, "its first report");
    ok(next_victim(reader, MEMOOM_FOREVER) == 4242, "its second one");
    ok(next_victim(reader, MEMOOM_FOREVER) == 0 && memoom_report_reader_ended(reader), "its end");
    ok(next_victim(reader, 0) == 0 && memoom_report_reader_ended(reader), "the end stays");
    ok(memoom_report_reader_lookalike_count(reader) == 0, "nothing only looks like one");
}

static void by_descriptor(const char *path)
{
    memoom_report_reader *reader = NULL;
    memoom_error *error = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ok(memoom_report_reader_open_fd(-1, &reader, &error) == MEMOOM_ERR_IO && memoom_error_errno(error) == EBADF, "-1 is no descriptor");
    memoom_error_freep(&error);
    error = NULL;
    ok(memoom_report_reader_open_fd(9999, &reader, &error) == MEMOOM_ERR_IO && memoom_error_errno(error) == EBADF, "one that is not open");
    memoom_error_freep(&error);
    ok(memoom_report_reader_open_fd(fd, &reader, NULL) == MEMOOM_OK && fcntl(fd, F_GETFD) >= 0, "a descriptor, which stays the caller's");
    close(fd);
    ok(next_victim(reader, MEMOOM_FOREVER) == 7 && memoom_report_reader_fd(reader) >= 0, "a report from it");
    memoom_report_reader_free(reader);
    ok(memoom_report_reader_fd(NULL) == -1 && memoom_report_reader_ended(NULL) == 1, "no reader");
}

/* A report of a pipe comes while its writer goes on. */
static void as_it_comes(void)
{
    memoom_report_reader *reader = NULL;
    int ends[2];

    if (pipe(ends) != 0 || memoom_report_reader_open_fd(ends[0], &reader, NULL) != MEMOOM_OK) {
        ok(0, "a pipe");
        return;
    }
    close(ends[0]);
    ok(next_victim(reader, 0) == 0 && !memoom_report_reader_ended(reader), "nothing yet");
    ok(write(ends[1], group_oom, sizeof(group_oom) - 1) == (ssize_t)sizeof(group_oom) - 1, "somebody writes");
    ok(next_victim(reader, 60 * SECONDS) == 7 && !memoom_report_reader_ended(reader), "the report is there, the log goes on");
    ok(write(ends[1], global_oom, sizeof(global_oom) - 1) == (ssize_t)sizeof(global_oom) - 1, "more of it");
    close(ends[1]);
    ok(next_victim(reader, MEMOOM_FOREVER) == 4242, "the last report");
    ok(next_victim(reader, MEMOOM_FOREVER) == 0 && memoom_report_reader_ended(reader), "the writer has gone");
    memoom_report_reader_free(reader);
}

static void no_logs(void)
{
    memoom_report_reader *reader = NULL;
    memoom_report *report = NULL;
    memoom_error *error = NULL;
    int ends[2];

    ok(memoom_report_reader_open("/dev/zero", &reader, NULL) == MEMOOM_OK &&
       memoom_report_reader_next(reader, MEMOOM_FOREVER, &report, &error) == MEMOOM_ERR_INVALID_INPUT &&
       strstr(memoom_error_message(error), "no line ends in 64 MiB") && !report, "zeros without an end");
    ok(memoom_report_reader_ended(reader) == 1, "it has ended then");
    memoom_error_freep(&error);
    memoom_report_reader_free(reader);
    error = NULL;
    if (pipe(ends) == 0 && write(ends[1], "\x1f\x8b\x08\x00\x00\x00", 6) == 6) {
        ok(memoom_report_reader_open_fd(ends[0], &reader, NULL) == MEMOOM_OK &&
           memoom_report_reader_next(reader, MEMOOM_FOREVER, &report, &error) == MEMOOM_ERR_INVALID_INPUT &&
           strstr(memoom_error_message(error), "zcat"), "what is packed, with the remedy");
        memoom_error_freep(&error);
        memoom_report_reader_free(reader);
    }
    close(ends[0]);
    close(ends[1]);
}

static void what_it_means(const memoom_report *report)
{
    const memoom_finding *finding;
    const memoom_consumer *consumer = memoom_report_consumer_at(report, 0);
    const memoom_workload *workload = memoom_report_victim_workload(report);
    size_t i;

    ok(memoom_report_scope(report) == MEMOOM_SCOPE_GLOBAL && memoom_report_time_usec(report) == 100000001, "whose, and when");
    ok(memoom_report_summary(report) && strstr(memoom_report_summary(report), "hog"), "the answer in words");
    for (i = 0; (finding = memoom_report_finding_at(report, i)) != NULL; i++)
        ok(finding->struct_size == sizeof(*finding) && finding->text[0] && finding->evidence[0], finding->code);
    ok(i > 0 && i == memoom_report_finding_count(report), "findings end in NULL");
    ok(consumer && strcmp(consumer->what, "process") == 0 && consumer->pid == 4242 && consumer->killed == 1 &&
       strcmp(consumer->comm, "hog") == 0 && consumer->bytes == 796000u * 1024, "the largest consumer");
    for (i = 0; (consumer = memoom_report_consumer_at(report, i)) != NULL; i++)
        if (!consumer->comm)
            break;
    ok(consumer && consumer->pid == 0 && consumer->bytes > 0, "one that is no process");
    ok(memoom_report_workload(report) == NULL, "the machine is no group");
    ok(workload && strcmp(memoom_workload_kind(workload), "container") == 0 &&
       strcmp(memoom_workload_runtime(workload), "containerd") == 0 && strstr(memoom_workload_words(workload), "3f5e0a1b2c3d") &&
       strcmp(memoom_workload_qos(workload), "burstable") == 0 && memoom_workload_job(workload) == NULL &&
       memoom_workload_user(workload) == MEMOOM_UNKNOWN, "whose container it was");
}

static void memory(const memoom_report *report)
{
    const memoom_mem_info *info = memoom_report_mem_info(report);
    const memoom_zone *zone = memoom_report_zone_at(report, 1);
    const memoom_free_blocks *blocks = memoom_report_free_blocks_at(report, 0);
    const memoom_huge_pages *huge = memoom_report_huge_pages_at(report, 0);
    const memoom_slab *slab = memoom_report_slab_at(report, 0);

    ok(info && info->page_bytes == 4096 && info->swap_total_bytes == 1024u * 1024 && info->swap_free_bytes == 0 &&
       info->ram_pages == 253998 && info->reserved_pages == 15021 && info->cma_reserved_pages == MEMOOM_UNKNOWN, "the overview");
    ok(memoom_report_zone_count(report) == 2 && zone && strcmp(zone->name, "Normal") == 0 && zone->min_bytes == 16000u * 1024 &&
       zone->free_bytes == 17000u * 1024 && zone->node == 0, "a zone");
    ok(blocks && blocks->order == 0 && blocks->count == 2 && blocks->bytes == 4096 && strcmp(blocks->types, "U") == 0 &&
       strcmp(blocks->zone, "DMA") == 0, "free blocks");
    ok(huge && huge->total == 8 && huge->free == 8 && huge->size_bytes == 2048u * 1024, "huge pages");
    ok(slab && strcmp(slab->name, "kmalloc-1k") == 0 && slab->used_bytes == 60000u * 1024, "a slab");
    ok(memoom_report_mem_stat(report, -1, NULL, "slab_unreclaimable") == 20000 &&
       memoom_report_mem_stat(report, 0, NULL, "shmem") == 2000u * 1024 &&
       memoom_report_mem_stat(report, 1, NULL, "shmem") == MEMOOM_UNKNOWN &&
       memoom_report_mem_stat(report, 0, "Normal", "no such") == MEMOOM_UNKNOWN &&
       memoom_report_mem_stat(report, -1, "Normal", "free") == MEMOOM_UNKNOWN &&
       memoom_report_mem_stat(report, 0, "Nowhere", "free") == MEMOOM_UNKNOWN &&
       memoom_report_mem_stat(report, -1, NULL, NULL) == MEMOOM_UNKNOWN, "numbers by the kernel's names");
    ok(memoom_report_stat(report, "anon") == MEMOOM_UNKNOWN, "no group, no statistics of one");
}

static void tasks(const memoom_report *report)
{
    const memoom_task *task = memoom_report_task_at(report, 0);

    ok(memoom_report_task_count(report) == 2 && task && task->pid == 4242 && task->uid == 1000 && task->rss_pages == 199000 &&
       task->rss_anon_pages == MEMOOM_UNKNOWN && strcmp(task->comm, "hog") == 0, "a task");
    task = memoom_report_task_at(report, 1);
    ok(task && task->oom_score_adj == -1000 && memoom_report_task_at(report, 2) == NULL, "the last one");
}

/* The limit of a group, none, and none that is told: three numbers. */
static void limits(void)
{
    static const char limited[] = "[    5.000000] a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
                                  "[    5.000001] memory: usage 40960kB, limit 40960kB, failcnt 3\n";
    static const char unlimited[] = "[    5.000000] a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
                                    "[    5.000001] memory: usage 40960kB, limit 9007199254740988kB, failcnt 0\n";
    static const struct {
        const char *log;
        size_t length;
        uint64_t usage, limit;
        const char *what;
    } logs[] = {
        {limited, sizeof(limited) - 1, 40960u * 1024, 40960u * 1024, "a limit"},
        {unlimited, sizeof(unlimited) - 1, 40960u * 1024, MEMOOM_UNLIMITED, "no limit"},
        {group_oom, sizeof(group_oom) - 1, MEMOOM_UNKNOWN, MEMOOM_UNKNOWN, "a limit that is not told"},
    };
    size_t at;

    for (at = 0; at < sizeof(logs) / sizeof(logs[0]); at++) {
        memoom_report_list *list __attribute__((cleanup(memoom_report_list_freep))) = NULL;
        const memoom_report *report;

        ok(memoom_report_parse(logs[at].log, logs[at].length, &list, NULL) == MEMOOM_OK && memoom_report_list_count(list) == 1, "a log");
        report = memoom_report_list_at(list, 0);
        ok(memoom_report_limit_bytes(report) == logs[at].limit && memoom_report_usage_bytes(report) == logs[at].usage, logs[at].what);
    }
}

static void workloads(void)
{
    memoom_workload *workload = NULL;
    memoom_error *error = NULL;

    ok(memoom_workload_of("/system.slice/nginx.service", &workload, NULL) == MEMOOM_OK && workload &&
       strcmp(memoom_workload_kind(workload), "service") == 0 && strcmp(memoom_workload_unit(workload), "nginx.service") == 0 &&
       strcmp(memoom_workload_slice(workload), "system.slice") == 0 && memoom_workload_ask(workload) != NULL, "a service");
    memoom_workload_free(workload);
    ok(memoom_workload_of("/user.slice/user-1000.slice", &workload, NULL) == MEMOOM_OK && workload &&
       memoom_workload_user(workload) == 1000, "a user");
    memoom_workload_freep(&workload);
    ok(memoom_workload_of("/whatever", &workload, NULL) == MEMOOM_OK && workload == NULL, "names that tell nothing");
    ok(memoom_workload_of(NULL, &workload, &error) == MEMOOM_ERR_INVALID_INPUT, "no path");
    memoom_error_free(error);
}

int main(void)
{
    char path[] = "/tmp/memoom-reports-XXXXXX";
    memoom_report_list *list = NULL;
    int fd = mkstemp(path);
    int written = fd >= 0 && write(fd, group_oom, sizeof(group_oom) - 1) == (ssize_t)sizeof(group_oom) - 1 &&
                  write(fd, global_oom, sizeof(global_oom) - 1) == (ssize_t)sizeof(global_oom) - 1;

    ok(written, "a log");
    if (fd >= 0)
        close(fd);
    by_path(path);
    by_descriptor(path);
    unlink(path);
    as_it_comes();
    no_logs();
    ok(memoom_report_parse(global_oom, sizeof(global_oom) - 1, &list, NULL) == MEMOOM_OK, "a global OOM");
    what_it_means(memoom_report_list_at(list, 0));
    memory(memoom_report_list_at(list, 0));
    tasks(memoom_report_list_at(list, 0));
    memoom_report_list_free(list);
    limits();
    workloads();
    return done();
}
