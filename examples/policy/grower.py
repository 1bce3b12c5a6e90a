"""A policy: from nine tenths of the limit on, whoever has had the fastest growth since it began dies."""

from __future__ import annotations

import json
import sys

now = json.load(sys.stdin)
held = now["held_bytes"]
if held and now["usage_bytes"] > 0.9 * now["limit_bytes"]:
    print(max(held, key=lambda name: held[name] - now["first_bytes"][name]))
