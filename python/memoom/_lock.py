"""Locks of files, which only Unix has; elsewhere everything that needs them can be imported, and not be used."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["fcntl"]

fcntl: Any
if sys.platform == "win32":
    fcntl = None
else:
    import fcntl
