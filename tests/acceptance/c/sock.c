/* The buffers of TCP connections are charged: memory.stat's sock is within 10 % of the usage, and 0 when they are closed. */
#include "acceptance.h"

int main(void)
{
    memoom_group *group;
    memoom_worker *sends;

    begin();
    group = group_in(NULL, "sock", 200 * MIB);
    sends = hog(group, "sends", MEMOOM_KIND_SOCKET);
    ok(grow(sends, 30 * MIB) == MEMOOM_GROW_GREW, "30M sent and not received");
    ok(usage(group) >= 30 * MIB, "they are charged");
    UNTIL(close_to(stat_of(group, "sock"), usage(group), 10))
        ;
    near(stat_of(group, "sock"), usage(group), 10, "sock follows");
    MUST(memoom_worker_kill(sends, ERR));
    ok(verdict(sends) == MEMOOM_VERDICT_KILLED, "the connections are closed");
    UNTIL(stat_of(group, "sock") == 0)
        ;
    ok(stat_of(group, "sock") == 0, "sock is 0 again");
    ok(usage(group) < 30 * MIB, "the charges are given back");
    return end();
}
