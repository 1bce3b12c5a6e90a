"""Sweeps: many trials over an executor, their results in a file that survives the death of everyone."""

from __future__ import annotations

from .drive import sweep
from .results import SweepResults, TrialResult, read_results

__all__ = ["SweepResults", "TrialResult", "read_results", "sweep"]
