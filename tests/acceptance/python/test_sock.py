"""TCP buffers are charged: sock of memory.stat is within 10 % of the usage, and 0 when the connections are closed."""

from conftest import MIB, PATIENCE, grow, near, until

import memoom


def test_sock(lab: memoom.Lab) -> None:
    group = lab.group(limit="200M")
    sends = group.hog("sends", kind="socket")
    assert grow(sends, "30M") == "grew"
    assert group.usage_bytes >= 30 * MIB
    assert until(lambda: near(group.stat["sock"], group.usage_bytes, 10)), (group.stat["sock"], group.usage_bytes)
    sends.kill()
    assert sends.wait(PATIENCE).verdict == "killed"
    assert until(lambda: group.stat["sock"] == 0), group.stat["sock"]
    assert group.usage_bytes < 30 * MIB
