"""The policy lab: one curve of pressure against several killers, and what each of them costs."""

from __future__ import annotations

from .drive import policy
from .results import PolicyDeath, PolicyResults, PolicyTrial
from .trial import PolicyNow

__all__ = ["PolicyDeath", "PolicyNow", "PolicyResults", "PolicyTrial", "policy"]
