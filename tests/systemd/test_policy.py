"""Userspace killers in the policy lab: this machine is for tests, so they may look at the whole of it."""

from __future__ import annotations

import memoom


def test_earlyoom_acts_before_the_kernel_does():
    plan = {
        "limit": "400M",
        "machine": True,
        # It looks again after a while that depends on what is left.
        "process": [
            {"name": "large", "curve": [[0, "200M"], [12, "200M"]]},
            {"name": "grows", "curve": [[0, "10M"], [2, "180M"], [12, "180M"]]},
        ],
    }
    found = memoom.policy(plan, ["kernel", "earlyoom"])
    kernel, earlyoom = found.trials
    assert kernel.deaths == () and kernel.finished == ("large", "grows"), str(found)
    assert [(death.name, death.by) for death in earlyoom.deaths] == [("large", "policy")], str(found)
    assert earlyoom.ooms == 0 and earlyoom.finished == ("grows",)
