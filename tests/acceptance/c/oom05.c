/* A limit against memory that is bound to one node, by a memory policy or a cpuset: the end is SIGKILL. */
#include "acceptance.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIND 2 /* MPOL_BIND */

struct job {
    unsigned long nodes; /* the mask of a memory policy; 0 for none */
    size_t bytes;
};

/* Takes so much and stays. */
static int32_t takes(void *argument)
{
    const struct job *job = argument;
    char *memory;

    if (job->nodes && syscall(SYS_set_mempolicy, BIND, &job->nodes, 8 * sizeof(job->nodes)) != 0)
        return 1;
    memory = mmap(NULL, job->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 2;
    memset(memory, 1, job->bytes);
    for (;;)
        pause();
}

static memoom_worker *start(memoom_group *group, struct job *job)
{
    memoom_worker *worker = NULL;

    MUST(memoom_function_spawn(group, takes, job, NULL, &worker, ERR));
    return acceptance_workers[acceptance_worker_count++] = worker;
}

/* Bytes of anonymous memory that the group has on a node: "anon N0=4096 N1=0" (v2), "anon=1 N0=1" in pages (v1). */
static uint64_t on_node(memoom_group *group, uint64_t node, int v1)
{
    FILE *file = file_of(group, "memory.numa_stat", "r");
    char line[512], key[16];
    const char *found = NULL;

    snprintf(key, sizeof(key), " N%u=", (unsigned)node);
    while (!found && fgets(line, sizeof(line), file))
        if (strncmp(line, v1 ? "anon=" : "anon ", 5) == 0)
            found = strstr(line, key);
    fclose(file);
    return found ? strtoull(found + strlen(key), NULL, 10) * (v1 ? (uint64_t)sysconf(_SC_PAGESIZE) : 1) : 0;
}

static void bound(memoom_group *parent, const char *name, unsigned long policy, uint64_t node)
{
    const int v1 = memoom_lab_version(lab) == MEMOOM_CGROUP_V1;
    struct job fits = {policy, 16 * MIB}, does_not = {policy, 128 * MIB};
    memoom_group *group = group_in(parent, name, 32 * MIB);
    memoom_worker *holds = start(group, &fits);

    /* The count of 5.10 stays some pages below. */
    UNTIL(on_node(group, node, v1) >= 15 * MIB || memoom_worker_ended(holds))
        ;
    ok(on_node(group, node, v1) >= 15 * MIB, "16M are on the node");
    MUST(memoom_worker_kill(holds, ERR));
    ok(verdict(holds) == MEMOOM_VERDICT_KILLED, name);
    ok(verdict(start(group, &does_not)) == MEMOOM_VERDICT_OOM_KILLED, "128M are killed");
    ok(counters(group).oom_kill == 1, "once");
}

int main(void)
{
    const uint64_t node = expect("nodes") - 1;
    memoom_group *set;
    char text[16];

    begin();
    bound(NULL, "policy", 1ul << node, node);
    if (expect("cpuset")) {
        set = group_in(NULL, "set", 64 * MIB);
        snprintf(text, sizeof(text), "%u", (unsigned)node);
        MUST(write_to(set, "../cgroup.subtree_control", "+cpuset") == 0 ? MEMOOM_OK : MEMOOM_ERR_IO);
        MUST(write_to(set, "cpuset.mems", text) == 0 ? MEMOOM_OK : MEMOOM_ERR_IO);
        bound(set, "cpuset", 0, node);
    }
    return end();
}
