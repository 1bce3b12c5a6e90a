/*
 * What a test of memory cgroups needs before its first line, without memoom: finding the hierarchy, a group in it for each
 * version, children that join, status that is told, cleaning up.
 */
#ifndef MEMCG_H
#define MEMCG_H

#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>

#include "tst_test.h"

#define MB(n) ((size_t)(n) << 20)

static char memcg_top[PATH_MAX], memcg_dir[PATH_MAX + 64];
static int memcg_v2;

static inline void memcg_find(void)
{
    char line[PATH_MAX * 2], type[64], options[512];
    FILE *mounts = fopen("/proc/self/mounts", "re");

    if (!mounts)
        tst_brk(TBROK, "open(/proc/self/mounts): %s", strerror(errno));
    while (fgets(line, sizeof(line), mounts)) {
        char path[PATH_MAX];

        if (sscanf(line, "%*s %4095s %63s %511s", path, type, options) != 3)
            continue;
        if (strcmp(type, "cgroup") == 0 && strstr(options, "memory")) {
            strcpy(memcg_top, path);
            memcg_v2 = 0;
            break;
        }
        if (strcmp(type, "cgroup2") == 0) {
            char controllers[512] = "";
            FILE *file;

            snprintf(line, sizeof(line), "%s/cgroup.controllers", path);
            file = fopen(line, "re");
            if (file && fgets(controllers, sizeof(controllers), file) && strstr(controllers, "memory")) {
                strcpy(memcg_top, path);
                memcg_v2 = 1;
            }
            if (file)
                fclose(file);
        }
    }
    fclose(mounts);
    if (!memcg_top[0])
        tst_brk(TCONF, "no memory controller is mounted");
}

static inline void memcg_write(const char *file, long long value)
{
    char path[PATH_MAX + 128];

    snprintf(path, sizeof(path), "%s/%s", memcg_dir, file);
    SAFE_FILE_PRINTF(path, "%lld", value);
}

/* A value of a file, or of one key of it. */
static inline long long memcg_read(const char *file, const char *key)
{
    char path[PATH_MAX + 128], line[256];
    long long value = -1;
    FILE *from;

    snprintf(path, sizeof(path), "%s/%s", memcg_dir, file);
    from = fopen(path, "re");
    if (!from)
        tst_brk(TBROK, "open(%s): %s", path, strerror(errno));
    while (fgets(line, sizeof(line), from)) {
        if (!key)
            value = atoll(line);
        else if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ' ')
            value = atoll(line + strlen(key) + 1);
    }
    fclose(from);
    return value;
}

static inline void memcg_setup(void)
{
    char path[PATH_MAX + 128];

    if (geteuid() != 0)
        tst_brk(TCONF, "needs root");
    memcg_find();
    if (memcg_v2) {
        snprintf(path, sizeof(path), "%s/cgroup.subtree_control", memcg_top);
        SAFE_FILE_PRINTF(path, "+memory");
    }
    snprintf(memcg_dir, sizeof(memcg_dir), "%s/ltp-%d", memcg_top, (int)getpid());
    if (mkdir(memcg_dir, 0755) < 0)
        tst_brk(TBROK, "mkdir(%s): %s", memcg_dir, strerror(errno));
}

static inline void memcg_cleanup(void)
{
    char path[PATH_MAX + 128], line[64];
    int tries;
    FILE *procs;

    if (!memcg_dir[0])
        return;
    snprintf(path, sizeof(path), "%s/cgroup.procs", memcg_dir);
    for (tries = 0; tries < 1000; tries++) {
        procs = fopen(path, "re");
        while (procs && fgets(line, sizeof(line), procs))
            kill(atoi(line), SIGKILL);
        if (procs)
            fclose(procs);
        if (rmdir(memcg_dir) == 0 || errno == ENOENT)
            return;
        usleep(10000);
    }
    tst_res(TWARN, "rmdir(%s): %s", memcg_dir, strerror(errno));
}

static inline void memcg_limit(size_t bytes)
{
    memcg_write(memcg_v2 ? "memory.max" : "memory.limit_in_bytes", (long long)bytes);
    /* Swap is kept out of it, where the kernel counts it. */
    if (memcg_v2) {
        char path[PATH_MAX + 128];

        snprintf(path, sizeof(path), "%s/memory.swap.max", memcg_dir);
        if (access(path, W_OK) == 0)
            memcg_write("memory.swap.max", 0);
    } else {
        char path[PATH_MAX + 128];

        snprintf(path, sizeof(path), "%s/memory.memsw.limit_in_bytes", memcg_dir);
        if (access(path, W_OK) == 0)
            memcg_write("memory.memsw.limit_in_bytes", (long long)bytes);
    }
}

static inline long long memcg_usage(void)
{
    return memcg_read(memcg_v2 ? "memory.current" : "memory.usage_in_bytes", NULL);
}

static inline long long memcg_oom_kills(void)
{
    return memcg_v2 ? memcg_read("memory.events", "oom_kill") : memcg_read("memory.oom_control", "oom_kill");
}

/* A child in the group, which takes memory in steps as it is told: one byte for a step, an answer for each. */
struct memcg_child {
    pid_t pid;
    int to, from;
};

static inline struct memcg_child memcg_fork(size_t step)
{
    struct memcg_child child;
    int to[2], from[2];
    char path[PATH_MAX + 128], byte = 0;

    if (pipe(to) < 0 || pipe(from) < 0)
        tst_brk(TBROK, "pipe: %s", strerror(errno));
    snprintf(path, sizeof(path), "%s/cgroup.procs", memcg_dir);
    child.pid = SAFE_FORK();
    if (child.pid == 0) {
        close(to[1]);
        close(from[0]);
        /* The library runs its tests at -1000, and such a process is never chosen. */
        SAFE_FILE_PRINTF("/proc/self/oom_score_adj", "0");
        SAFE_FILE_PRINTF(path, "0");
        if (write(from[1], &byte, 1) != 1)
            exit(1);
        while (read(to[0], &byte, 1) == 1) {
            char *memory = mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

            if (memory == MAP_FAILED)
                exit(1);
            memset(memory, 1, step);
            if (write(from[1], &byte, 1) != 1)
                exit(1);
        }
        exit(0);
    }
    close(to[0]);
    close(from[1]);
    child.to = to[1];
    child.from = from[0];
    if (read(child.from, &byte, 1) != 1)
        tst_brk(TBROK, "the child did not join");
    return child;
}

/* 1 when the step was taken, 0 when the child died of it. */
static inline int memcg_step(struct memcg_child *child)
{
    char byte = 0;

    return write(child->to, &byte, 1) == 1 && read(child->from, &byte, 1) == 1;
}

/* Ends the child and gives its status. */
static inline int memcg_end(struct memcg_child *child)
{
    int status = 0;

    close(child->to);
    close(child->from);
    if (waitpid(child->pid, &status, 0) != child->pid)
        tst_brk(TBROK, "waitpid: %s", strerror(errno));
    return status;
}

#endif
