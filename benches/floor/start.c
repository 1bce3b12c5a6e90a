/* The floor of starting a worker: vfork, the child enters a v1 group by writing `0` to its `tasks` and executes a
 * program without a C library that writes one byte to a pipe. What memoom does beyond that is compared with this.
 *
 * cc -O2 -o floor benches/floor/start.c && ./floor GROUP_DIRECTORY [MEBIBYTES [ITERATIONS]]
 *
 * MEBIBYTES are taken and touched by the parent first. Prints the median and the 99th percentile in microseconds from
 * before vfork until the byte was read, back to back and after 50 ms of idleness. The tiny program is made by the
 * compiler from the text below, in a temporary directory.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

static const char tiny[] =
    "static long call(long n, long a, long b, long c) {\n"
    "  long r; __asm__ volatile(\"syscall\" : \"=a\"(r) : \"a\"(n), \"D\"(a), \"S\"(b), \"d\"(c) : \"rcx\", \"r11\", "
    "\"memory\"); return r; }\n"
    "void _start(void) { call(1, 3, (long)\"!\", 1); for (;;) call(231, 0, 0, 0); }\n";

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double once(const char *program, int tasks) {
    static char *argv[] = {(char *)"tiny", NULL}, *envp[] = {NULL};
    int channel[2];
    char byte;
    if (pipe2(channel, O_CLOEXEC) != 0) fail("pipe2");
    double start = now_us();
    pid_t pid = vfork();
    if (pid == 0) {
        if (write(tasks, "0", 1) != 1) _exit(126);
        if (channel[1] == 3) fcntl(3, F_SETFD, 0);
        else dup2(channel[1], 3);
        execve(program, argv, envp);
        _exit(127);
    }
    if (pid < 0) fail("vfork");
    close(channel[1]);
    if (read(channel[0], &byte, 1) != 1) fail("the child said nothing");
    double took = now_us() - start;
    int status;
    close(channel[0]);
    if (waitpid(pid, &status, 0) != pid || status != 0) fail("waitpid");
    return took;
}

static void series(const char *label, const char *program, int tasks, int count, long pause_us) {
    double *took = malloc(count * sizeof *took);
    for (int i = 0; i < count; i++) {
        if (pause_us) usleep(pause_us);
        took[i] = once(program, tasks);
    }
    qsort(took, count, sizeof *took, ascending);
    printf("%s: median %.1f us, p99 %.1f us (%d)\n", label, took[count / 2], took[count * 99 / 100], count);
    free(took);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s GROUP_DIRECTORY [MEBIBYTES [ITERATIONS]]\n", argv[0]);
        return 2;
    }
    size_t bytes = (argc > 2 ? strtoul(argv[2], NULL, 10) : 0) << 20;
    int count = argc > 3 ? atoi(argv[3]) : 1000;
    char path[4096], directory[] = "/tmp/memoom-floor-XXXXXX", source[64], program[64], command[512];
    snprintf(path, sizeof path, "%s/tasks", argv[1]);
    int tasks = open(path, O_WRONLY | O_CLOEXEC);
    if (tasks < 0) fail(path);
    if (!mkdtemp(directory)) fail("mkdtemp");
    snprintf(source, sizeof source, "%s/tiny.c", directory);
    snprintf(program, sizeof program, "%s/tiny", directory);
    FILE *file = fopen(source, "w");
    if (!file || fputs(tiny, file) < 0 || fclose(file) != 0) fail(source);
    snprintf(command, sizeof command, "cc -Os -nostdlib -static -fno-stack-protector -fno-pie -no-pie -Wl,--build-id=none -s -o %s %s",
             program, source);
    if (system(command) != 0) return 1;
    if (bytes) {
        char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) fail("mmap");
        madvise(memory, bytes, MADV_NOHUGEPAGE);
        for (size_t i = 0; i < bytes; i += 4096) memory[i] = 1;
    }
    series("back to back", program, tasks, count, 0);
    series("after 50 ms", program, tasks, count / 10 + 1, 50000);
    unlink(source);
    unlink(program);
    rmdir(directory);
    return 0;
}
