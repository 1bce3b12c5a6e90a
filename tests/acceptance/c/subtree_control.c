/* A child has the memory controller's files only if its parent hands the controller on. */
#include "acceptance.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether a group has a file of the memory controller. */
static int has(const char *group, const char *file)
{
    char path[PATH_MAX];
    struct stat stat_of;

    snprintf(path, sizeof(path), "%s/%s", group, file);
    return stat(path, &stat_of) == 0;
}

int main(void)
{
    memoom_group *top, *child;
    char bare[PATH_MAX];

    begin();
    top = group_in(NULL, "subtree_control", 64 * MIB);
    /* Made by hand before memoom has handed the controller on, and then again. */
    snprintf(bare, sizeof(bare), "%s/bare", memoom_group_path(top));
    ok(mkdir(bare, 0755) == 0 && !has(bare, "memory.current"), "nothing is handed on at first");
    child = group_in(top, "child", MEMOOM_UNLIMITED);
    ok(has(memoom_group_path(child), "memory.current"), "a child of memoom's has the controller");
    ok(has(bare, "memory.current"), "and now its neighbour too");
    ok(rmdir(bare) == 0, "it is empty");
    return end();
}
