/* The floor of a whole cycle on cgroup v1: make a group, limit it to 16 MiB, start a process in it that takes memory until
 * the kernel kills it, reap it, remove the group. What memoom does beyond that, with the whole account, is compared with this.
 *
 * cc -O2 -o cycle cycle.c && ./cycle PARENT_GROUP huge|populate|touch COUNT [PROCESSES]
 *
 * Prints the microseconds of each cycle, one a line. With PROCESSES, so many do COUNT cycles each at a time, and one number is
 * printed: all the time by all the cycles.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define LIMIT (16UL << 20)

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void put(const char *directory, const char *file, const char *text) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) fail(path);
    close(fd);
}

static void fill(const char *kind) {
    size_t size = 4 * LIMIT;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (strcmp(kind, "populate") == 0 ? MAP_POPULATE : 0);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED) _exit(3);
    if (strcmp(kind, "huge") == 0) madvise(memory, size, MADV_HUGEPAGE);
    for (size_t at = 0; at < size; at += 4096) ((volatile char *)memory)[at] = 1;
    _exit(4);
}

static int cycles(const char *parent, const char *kind, int count, int shown) {
    char directory[4000], limit[32];
    snprintf(limit, sizeof limit, "%lu", LIMIT);
    for (int i = 0; i < count; i++) {
        double start = now_us();
        snprintf(directory, sizeof directory, "%s/cycle%d-%d", parent, (int)getpid(), i);
        if (mkdir(directory, 0755) != 0) fail(directory);
        put(directory, "memory.limit_in_bytes", limit);
        pid_t pid = fork();
        if (pid == 0) {
            put(directory, "tasks", "0");
            fill(kind);
        }
        int status;
        if (pid < 0 || waitpid(pid, &status, 0) != pid) fail("waitpid");
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
            fprintf(stderr, "no OOM: status %d\n", status);
            return 1;
        }
        if (rmdir(directory) != 0) fail("rmdir");
        if (shown) printf("%.1f\n", now_us() - start);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: %s PARENT_GROUP huge|populate|touch COUNT [PROCESSES]\n", argv[0]);
        return 2;
    }
    int count = atoi(argv[3]), processes = argc > 4 ? atoi(argv[4]) : 0, failed = 0, status;
    if (!processes) return cycles(argv[1], argv[2], count, 1);
    double start = now_us();
    for (int i = 0; i < processes; i++) {
        pid_t pid = fork();
        if (pid < 0) fail("fork");
        if (pid == 0) _exit(cycles(argv[1], argv[2], count, 0));
    }
    for (int i = 0; i < processes; i++) failed |= wait(&status) < 0 || status != 0;
    printf("%.1f\n", (now_us() - start) / count / processes);
    return failed;
}
