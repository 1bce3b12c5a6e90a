/*
 * What memoom promises to the process that uses it, without any framework, for kernels in which none is installed.
 */
#define _GNU_SOURCE
#include "../frameworks/promises.h"
#include "tap.h"

int main(void)
{
    memoom_lab *lab = NULL;

    if (!lab_or_reason(&lab))
        return done();
    memoom_lab_free(lab);
#define EACH(name, says)                                                                                             \
    if (strcmp(#name, "gib_resident") == 0 && sysconf(_SC_AVPHYS_PAGES) < (3 << 20) / (sysconf(_SC_PAGESIZE) >> 9)) { \
        printf("ok %d # SKIP the machine has no 1.5 GiB of free memory\n", ++tap_count);                             \
    } else {                                                                                                         \
        const char *broken = promise_##name();                                                                       \
        ok(!broken, says);                                                                                           \
        if (broken)                                                                                                  \
            printf("# %s\n", broken);                                                                                \
    }
    PROMISES(EACH)
    return done();
}
