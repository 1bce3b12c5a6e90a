/*
 * The tree of the kernel's own tests of memory.min and memory.low:
 * A (200M) has B (50M protected) and G; B has C (75M), D (25M), E (0) and F (500M, empty); C, D and E hold 50M of cache.
 */
#include "acceptance.h"

typedef memoom_status (*protect)(const memoom_group *, uint64_t, memoom_error **);

static memoom_group *B, *C, *D, *E, *F, *G;

static inline void protected_tree(protect set)
{
    memoom_group *A;

    begin();
    A = group_in(NULL, "A", 200 * MIB);
    B = group_in(A, "B", MEMOOM_UNLIMITED);
    C = group_in(B, "C", MEMOOM_UNLIMITED);
    D = group_in(B, "D", MEMOOM_UNLIMITED);
    E = group_in(B, "E", MEMOOM_UNLIMITED);
    F = group_in(B, "F", MEMOOM_UNLIMITED);
    G = group_in(A, "G", MEMOOM_UNLIMITED);
    ok(grow(hog(C, "c", MEMOOM_KIND_FILE), 50 * MIB) == MEMOOM_GROW_GREW, "50M of cache in C");
    ok(grow(hog(D, "d", MEMOOM_KIND_FILE), 50 * MIB) == MEMOOM_GROW_GREW, "50M of cache in D");
    ok(grow(hog(E, "e", MEMOOM_KIND_FILE), 50 * MIB) == MEMOOM_GROW_GREW, "50M of cache in E");
    /* Protected all the way up: the tree above would else share nothing out. */
    MUST(set(A, 50 * MIB, ERR));
    MUST(set(B, 50 * MIB, ERR));
    MUST(set(C, 75 * MIB, ERR));
    MUST(set(D, 25 * MIB, ERR));
    MUST(set(E, 0, ERR));
    MUST(set(F, 500 * MIB, ERR));
}

/* 148M of anon beside it: what is protected stays, shared out by the protections of the children. */
static inline memoom_worker *pressure_beside(void)
{
    memoom_worker *worker = hog(G, "g", MEMOOM_KIND_ANON);

    ok(grow(worker, 148 * MIB) == MEMOOM_GROW_GREW, "148M of anon beside it");
    near(usage(B), 50 * MIB, expect("b_percent"), "B keeps what is protected");
    near(usage(C), 29 * MIB, expect("c_percent"), "C's share");
    near(usage(D), 21 * MIB, expect("d_percent"), "D's share");
    ok(usage(F) == 0, "F has nothing");
    return worker;
}
