"""Whether a program sizes itself by its memory limit: runs under several limits, and what follows from them."""

from __future__ import annotations

from .results import Awareness, AwarePlace, AwareRun
from .runs import aware

__all__ = ["AwarePlace", "AwareRun", "Awareness", "aware"]
