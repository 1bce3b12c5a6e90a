"""The policies of a plan, one after the other, against the same curves."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from .plan import read_plan
from .results import PolicyResults, text_of
from .trial import run

__all__ = ["policy"]


def policy(
    plan: str | os.PathLike[str] | Mapping[str, Any],
    policies: Mapping[str, Any] | Sequence[str] | None = None,
) -> PolicyResults:
    """Holds policies against one curve of pressure: who died, how much work was lost, how long the limit was met.

    `plan` is a `.toml` file or a mapping (see docs/policy.md): the limit, and for each process a curve of
    ``[seconds, size]``, or a recorded timeline. Hogs follow the curves. `policies` (else those of the plan) are names
    of built-in ones ("kernel", "oom-group"), or a mapping of names to ``True``, to ``{"command": [...]}``, or to a
    function that is called with a `PolicyNow` after each step and gives the name, or the names, of those that are to be
    killed.
    What cannot be tried here is in the results with its reason.

    Raises `InvalidInputError` for what is no plan, `MemoomError` where a command of a policy fails; what a function
    raises.
    """
    known = read_plan(plan, policies)
    trials = [run(known, one) for one in known.policies]
    document = {"schema": "memoom.policy/1", "limit_bytes": known.limit, "trials": trials}
    return PolicyResults._make(document, None, text_of(document))
