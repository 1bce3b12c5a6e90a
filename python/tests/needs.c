/* Programs that need as much memory as they are told to, and no page less: needs KIND MIB.
 *
 * What is held cannot be reclaimed (there is no swap under these limits), huge pages are off, and the program is static,
 * so that nothing but its stack, its tables and itself comes on top: some 100 KiB. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t size;

static void must(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static char *map(size_t length, int flags, int fd) {
    char *at = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, fd, 0);
    must(at != MAP_FAILED, "mmap");
    return at;
}

static char *anon(size_t length) {
    char *at = map(length, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    memset(at, 1, length);
    return at;
}

static void *thread_stack(void *unused) {
    volatile char *below = __builtin_alloca(size / 4);
    for (size_t at = 0; at < size / 4; at += 4096)
        below[at] = 1;
    pthread_barrier_wait(unused);
    return NULL;
}

static void stacks(void) {
    pthread_barrier_t all;
    pthread_t threads[4];
    pthread_attr_t attributes;
    pthread_barrier_init(&all, NULL, 4);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, size / 4 + (1 << 20));
    for (int at = 0; at < 4; at++)
        must(!pthread_create(&threads[at], &attributes, thread_stack, &all), "pthread_create");
    for (int at = 0; at < 4; at++)
        pthread_join(threads[at], NULL);
}

/* Children that hold their part at the same time; each waits until all have it. */
static void children(int count) {
    int ready[2], go[2], status;
    char byte = 0;
    must(!pipe(ready) && !pipe(go), "pipe");
    for (int at = 0; at < count; at++)
        if (fork() == 0) {
            close(go[1]);
            anon(size / count);
            must(write(ready[1], &byte, 1) == 1, "write");
            must(read(go[0], &byte, 1) == 0, "read");
            _exit(0);
        }
    close(ready[1]);
    for (int at = 0; at < count; at++)
        if (read(ready[0], &byte, 1) != 1)
            exit(1); /* one was killed */
    close(go[1]);
    while (wait(&status) > 0)
        must(status == 0, "a child");
}

/* One child after the other: what counts is the largest. */
static void turns(void) {
    size_t parts[] = {size / 3, size, size / 2};
    int status;
    for (int at = 0; at < 3; at++) {
        pid_t child = fork();
        if (child == 0) {
            anon(parts[at]);
            _exit(0);
        }
        must(waitpid(child, &status, 0) == child && status == 0, "a child");
    }
}

static void swings(void) {
    for (int at = 1; at <= 6; at++) {
        size_t length = at == 4 ? size : size / (size_t)(1 + at % 3);
        munmap(anon(length), length);
    }
}

/* What is read of a file is page cache, which goes when room is needed; the copies that are written are not. So the peak
 * is twice the need. */
static void file(void) {
    char name[] = "needs-XXXXXX";
    int fd = mkstemp(name);
    must(fd >= 0 && !unlink(name) && !ftruncate(fd, (off_t)size), "a file");
    memset(map(size, MAP_PRIVATE, fd), 1, size);
}

/* The heap, as malloc has it below its threshold. */
static void heap(void) {
    for (size_t held = 0; held < size; held += 64 << 10) {
        char *at = sbrk(64 << 10);
        must(at != (void *)-1, "sbrk");
        memset(at, 1, 64 << 10);
    }
}

static void memory_file(void) {
    int fd = memfd_create("needs", 0);
    must(fd >= 0 && !ftruncate(fd, (off_t)size), "memfd");
    memset(map(size, MAP_SHARED, fd), 1, size);
}

/* A forked child writes to half of what it has from its parent. */
static void copied(void) {
    size_t part = size / 3 * 2;
    char *at = anon(part);
    int status;
    pid_t child = fork();
    if (child == 0) {
        memset(at, 2, part / 2);
        _exit(0);
    }
    must(waitpid(child, &status, 0) == child && status == 0, "a child");
}

/* A growing array that is moved: old and new stand beside each other. */
static void moved(void) {
    char *old = anon(size / 3), *new = anon(size / 3 * 2);
    memcpy(new, old, size / 3);
    munmap(old, size / 3);
}

int main(int count, char **words) {
    must(count == 3, "needs KIND MIB");
    must(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), "prctl");
    size = (size_t)atol(words[2]) << 20;
    const char *kind = words[1];
    if (!strcmp(kind, "anon"))
        anon(size);
    else if (!strcmp(kind, "shared"))
        memset(map(size, MAP_SHARED | MAP_ANONYMOUS, -1), 1, size);
    else if (!strcmp(kind, "memfd"))
        memory_file();
    else if (!strcmp(kind, "file"))
        file();
    else if (!strcmp(kind, "heap"))
        heap();
    else if (!strcmp(kind, "stacks"))
        stacks();
    else if (!strcmp(kind, "children"))
        children(4);
    else if (!strcmp(kind, "turns"))
        turns();
    else if (!strcmp(kind, "swings"))
        swings();
    else if (!strcmp(kind, "copied"))
        copied();
    else if (!strcmp(kind, "moved"))
        moved();
    else
        return 2;
    return 0;
}
