"""The tree of the kernel's own tests of memory.min and memory.low, see c/protection.h."""

from collections.abc import Callable

from conftest import MIB, grow, near

import memoom

Expect = Callable[[str], int]


class Tree:
    """A (200M) has B (50M protected) and G; B has C (75M), D (25M), E (0) and F (500M, empty)."""

    def __init__(self, lab: memoom.Lab, setting: str) -> None:
        top = lab.group("A", limit="200M")
        self.b, self.g = top.child("B"), top.child("G")
        self.c, self.d, self.e, self.f = (self.b.child(name) for name in "CDEF")
        for group in (self.c, self.d, self.e):
            assert grow(group.hog("cache", kind="file", pattern="read"), "50M") == "grew"
        # Protected all the way up: the tree above would else share nothing out.
        sizes = ((top, 50), (self.b, 50), (self.c, 75), (self.d, 25), (self.e, 0), (self.f, 500))
        for group, size in sizes:
            getattr(group, f"set_{setting}")(size * MIB)

    def press(self, expect: Expect) -> memoom.Hog:
        """148M of anon beside it: what is protected stays, shared out by the protections of the children."""
        hog = self.g.hog("g")
        assert grow(hog, "148M") == "grew"
        assert near(self.b.usage_bytes, 50 * MIB, expect("b_percent"))
        assert near(self.c.usage_bytes, 29 * MIB, expect("c_percent"))
        assert near(self.d.usage_bytes, 21 * MIB, expect("d_percent"))
        assert self.f.usage_bytes == 0
        return hog
