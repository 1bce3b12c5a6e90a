"""Saves its state a few times: in place, as programs do, or into a new file that takes the old one's name.

in_place.py             the file is empty for a moment
in_place.py --rename    it never is
"""

from __future__ import annotations

import json
import os
import sys

for number in range(1, 6):
    state = json.dumps({"number": number, "done": list(range(number * 100))})
    if "--rename" in sys.argv:
        with open("state.new", "w") as file:
            file.write(state)
            file.flush()
            os.fsync(file.fileno())
        os.rename("state.new", "state.json")
    else:
        with open("state.json", "w") as file:
            file.write(state)
    print("saved", number, flush=True)
