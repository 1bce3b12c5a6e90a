/* What this machine can do, and what would help where it cannot. */
#include "must.h"

int main(void)
{
    static const char *const versions[] = {"nowhere", "on cgroup v1", "on cgroup v2"};
    const memoom_ability *ability;
    memoom_host *host = NULL;
    memoom_error *error = NULL;
    uint32_t covers = 0;
    size_t i;

    must(memoom_host_probe(&host, &error), &error);
    printf("Linux %s, the memory controller %s%s\n", memoom_host_release(host), versions[memoom_host_version(host)],
           memoom_host_hierarchy(host) == MEMOOM_HIERARCHY_HYBRID ? " (both are mounted)" : "");
    printf("%" PRIu64 " MiB can be had\n", memoom_host_available_bytes(host) / MIB);
    if (memoom_host_own_group(host))
        printf("we stand in %s\n", memoom_host_own_group(host));

    /* A test asks before it begins, and says why it is skipped. */
    if (!memoom_host_can(host, "create-groups")) {
        ability = memoom_host_ability(host, "create-groups");
        printf("no lab here: %s; %s\n", ability ? ability->reason : "unknown", ability ? ability->remedy : "");
    } else {
        printf("labs are made in %s\n", memoom_host_parent(host));
    }
    for (i = 0; i < memoom_host_ability_count(host); i++) {
        ability = memoom_host_ability_at(host, i);
        printf("%s %s: %s\n", ability->available ? "+" : "-", ability->name, ability->reason);
    }

    /* All of it at once, for a person and for a program. */
    fputs(memoom_host_to_text(host), stdout);
    puts(memoom_host_to_json(host));
    memoom_host_free(host);

    must(memoom_cgroup_covers("/a", "/a/b", &covers, &error), &error);
    holds(covers == 1, "/a/b stands below /a");
    must(memoom_cgroup_covers("/a", "/ab", &covers, &error), &error);
    holds(covers == 0, "/ab does not");
    return 0;
}
