"""The matrix as data: which kernels exist, which entries are run, which suites run inside."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """One line of kernels: the newest release whose name starts with `prefix`, from `suite`.

    `flavour` is the end of the release's name: Debian's architecture, and what else it was built with.
    """

    name: str
    suite: str
    prefix: str
    flavour: str = "amd64"

    @property
    def architecture(self) -> str:
        return self.flavour.partition("-")[0]

    @property
    def foreign(self) -> bool:
        """A guest of it cannot use this machine's own root file system, which is one for amd64."""
        return self.architecture != "amd64"


@dataclass(frozen=True)
class Entry:
    """One guest: a kernel and the memory hierarchy it is set up with."""

    name: str
    series: Series
    hierarchy: str
    default: bool = False
    # The init of a root of its own, where that is a whole system; else our script is what runs first.
    init: str = ""

    @property
    def own_root(self) -> bool:
        return self.series.foreign or bool(self.init)


@dataclass(frozen=True)
class Suite:
    """One command run inside a guest, from the top of the checkout."""

    name: str
    command: str
    deadline: int = 300
    hierarchies: tuple[str, ...] = ("v1", "v2", "hybrid")
    default: bool = True
    quick: bool = False
    # What it needs as process 1; None where it minds none.
    init: str | None = ""
    # The entries where it runs when it is asked for by its name alone; without any those that have its init.
    entries: tuple[str, ...] = ()

    def fits(self, entry: Entry) -> bool:
        return entry.hierarchy in self.hierarchies and self.init in (None, entry.init)


SERIES_5_10 = Series("5.10", "bullseye", "5.10.")
SERIES_6_1 = Series("6.1", "bookworm", "6.1.")
SERIES_6_12 = Series("6.12", "trixie", "6.12.")
# Pages of 16 KiB, which no x86 kernel has.
SERIES_6_12_16K = Series("6.12-16k", "trixie", "6.12.", "arm64-16k")
SERIES_NEWEST = Series("newest", "sid", "")
# Whatever --kernel names.
SERIES_OWN = Series("own", "", "")

ENTRIES = (
    Entry("6.1-v1", SERIES_6_1, "v1", default=True),
    Entry("6.1-v2", SERIES_6_1, "v2", default=True),
    Entry("newest-v2", SERIES_NEWEST, "v2", default=True),
    Entry("5.10-v1", SERIES_5_10, "v1"),
    Entry("5.10-v2", SERIES_5_10, "v2"),
    Entry("6.12-v2", SERIES_6_12, "v2"),
    Entry("6.1-hybrid", SERIES_6_1, "hybrid"),
    Entry("6.12-16k-v2", SERIES_6_12_16K, "v2"),
    # A whole Debian: systemd is process 1, and podman, crun, runc, earlyoom and systemd-oomd are there.
    Entry("newest-systemd", SERIES_NEWEST, "v2", init="systemd"),
)

# Where a campaign goes: each kernel and hierarchy that is another one. Long ones are by name, and their size is told by
# the variables below, which a guest is given as they are here.
EVERY_KERNEL = ("6.1-v1", "6.1-v2", "5.10-v1", "5.10-v2", "6.12-v2", "newest-v2")
TOLD = (
    "MEMOOM_DEATHS",
    "MEMOOM_FIT",
    "MEMOOM_RUNS",
    "MEMOOM_SEED",
    "MEMOOM_SOAK_CYCLES",
    "MEMOOM_SOAK_FACES",
    "MEMOOM_STORM_SIGNALS",
)

# Programs are built outside; a suite only runs them. A status other than 0 is a failure.
SUITES = (
    Suite("smoke", "sh tests/kernels/suite-smoke.sh", deadline=120, quick=True),
    Suite("rust", "sh tests/kernels/suite-rust.sh", deadline=1200),
    Suite("c", "sh tests/kernels/suite-c.sh", deadline=600),
    Suite("python", "sh tests/kernels/suite-python.sh", deadline=1500),
    Suite("acceptance", "sh tests/kernels/suite-acceptance.sh", deadline=1500, default=False),
    Suite("bursts", "sh tests/kernels/suite-bursts.sh", deadline=600),
    Suite("hostile", "sh tests/kernels/suite-hostile.sh --skip=each_call_refused", deadline=1200, default=False),
    Suite("refused", "sh tests/kernels/suite-hostile.sh each_call_refused", deadline=2400, default=False),
    Suite("why", "sh tests/kernels/suite-why.sh", deadline=900),
    Suite("beyond", "sh tests/kernels/suite-beyond.sh", deadline=1500, default=False, entries=("6.1-v2", "newest-v2")),
    Suite("storm", "sh tests/kernels/suite-storm.sh", deadline=6000, default=False, entries=EVERY_KERNEL),
    Suite("deaths", "sh tests/kernels/suite-deaths.sh", deadline=6000, default=False, entries=EVERY_KERNEL),
    Suite("soak", "sh tests/kernels/suite-soak.sh", deadline=12000, default=False, entries=EVERY_KERNEL),
    Suite(
        "peers",
        "sh tests/kernels/suite-peers.sh",
        deadline=6000,
        hierarchies=("v2",),
        default=False,
        entries=("6.1-v2", "newest-v2"),
    ),
    Suite("facts", "{python} tests/kernels/facts.py", deadline=600, default=False, init=None),
    Suite("doctor", "sh tests/kernels/suite-doctor.sh", deadline=600, default=False, init=None),
    Suite("systemd", "sh tests/kernels/suite-systemd.sh", deadline=2400, init="systemd"),
)
