"""Kernels from Debian's suites, unpacked into a cache; nothing is installed on this machine.

The mirror is the one that this machine's own apt uses. The newest release of a series is looked
up, never pinned, because releases leave the archive. A look-up is remembered for some days; in
that time a cached kernel needs no network. When a look-up or a download fails, the cached kernel
is used, and a line says so.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from matrix import Series

LOOKUP_DAYS = 7
DEBIAN_SUITES = re.compile(
    r"^(stable|oldstable|oldoldstable|testing|unstable|sid|bullseye|bookworm|trixie|forky|duke)$"
)
CARRIED_OPTIONS = ("signed-by", "trusted", "check-valid-until", "check-date")
DEFAULT_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
INSTALL = ("apt-get", "install", "-q", "-y", "--no-install-recommends")


class FetchError(Exception):
    """A kernel could not be had; the text says why and what to do."""


@dataclass(frozen=True)
class Kernel:
    release: str
    image: Path


@dataclass(frozen=True)
class Source:
    """One `deb` source of this machine's apt."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...]


def default_cache() -> Path:
    if own := os.environ.get("MEMOOM_CACHE"):
        base = Path(own)
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "memoom"
    return base / "kernels"


# The machine's apt sources


def parse_one_line(text: str) -> list[Source]:
    """The classic format: `deb [option=value ...] uri suite component...`."""
    sources = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if match:
            options = [item.partition("=") for item in (match[1] or "").split()]
            carried = tuple((k.lower(), v) for k, _, v in options if k.lower() in CARRIED_OPTIONS)
            sources.append(Source(match[2], (match[3],), tuple(match[4].split()), carried))
    return sources


def parse_deb822(text: str) -> list[Source]:
    """The deb822 format: paragraphs of fields; a continued field keeps its lines."""
    sources = []
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines)):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1] in (" ", "\t") and name:
                fields[name] += "\n" + line
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        carried = tuple((k, fields[k]) for k in CARRIED_OPTIONS if k in fields)
        for uri in fields.get("uris", "").split():
            suites = tuple(fields.get("suites", "").split())
            components = tuple(fields.get("components", "").split())
            sources.append(Source(uri, suites, components, carried))
    return sources


def machine_sources(etc: Path = Path("/etc/apt")) -> list[Source]:
    sources = []
    parts = etc / "sources.list.d"
    for path in [etc / "sources.list", *sorted(parts.glob("*.list"))]:
        if path.is_file():
            sources += parse_one_line(path.read_text())
    for path in sorted(parts.glob("*.sources")):
        sources += parse_deb822(path.read_text())
    return sources


def debian_source(sources: list[Source]) -> Source:
    """The first source that serves a whole Debian suite; MEMOOM_DEBIAN_MIRROR overrules it."""
    if own := os.environ.get("MEMOOM_DEBIAN_MIRROR"):
        return Source(own, (), ("main",), ())
    for source in sources:
        whole = any(DEBIAN_SUITES.match(suite) for suite in source.suites)
        if whole and "main" in source.components and not source.uri.startswith("cdrom:"):
            return source
    raise FetchError("no Debian source in this machine's apt; set MEMOOM_DEBIAN_MIRROR to a mirror's address")


# A private apt, one per suite and architecture


class PrivateApt:
    """apt with its own sources, lists and cache, all below one folder."""

    def __init__(self, folder: Path, suite: str, architecture: str = "amd64") -> None:
        self.folder = folder / (suite if architecture == "amd64" else f"{suite}-{architecture}")
        self.suite = suite
        self.architecture = architecture
        for part in ("lists/partial", "cache/archives/partial"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        source = debian_source(machine_sources())
        fields = {"Types": "deb", "URIs": source.uri, "Suites": suite, "Components": "main"}
        fields |= {"Architectures": architecture, "Targets": "Packages"}
        fields |= {name.title(): value for name, value in source.options}
        if "Signed-By" not in fields and Path(DEFAULT_KEYRING).exists():
            fields["Signed-By"] = DEFAULT_KEYRING
        text = "".join(f"{name}: {value}\n" for name, value in fields.items())
        (self.folder / "private.sources").write_text(text)

    def run(self, *command: str, cwd: Path | None = None) -> str:
        options = {
            "Dir::Etc::sourcelist": self.folder / "private.sources",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::Lists": self.folder / "lists",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            "APT::Architecture": self.architecture,
            "APT::Architectures": self.architecture,
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
        }
        flags = [f"-o{name}={value}" for name, value in options.items()]
        argv = [command[0], *flags, *command[1:]]
        done = subprocess.run(argv, cwd=cwd, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise FetchError(f"{' '.join(command[:2])} for {self.suite}: {last_line(done.stderr)}")
        return done.stdout

    @contextlib.contextmanager
    def closure(self, *wanted: str):
        """The packages that installing these would bring, downloaded; gone again at the end."""
        self.run("apt-get", "clean")
        self.run(*INSTALL, "--download-only", *wanted)
        yield list((self.folder / "cache" / "archives").glob("*.deb"))
        self.run("apt-get", "clean")

    def planned(self, *wanted: str) -> list[tuple[str, str]]:
        """The packages that installing these would bring, with their versions."""
        planned = self.run(*INSTALL, "--simulate", *wanted)
        packages = sorted(re.findall(r"^Inst (\S+) \((\S+)", planned, re.MULTILINE))
        if not packages:
            raise FetchError(f"apt would install nothing of {self.suite}")
        return packages

    def update(self) -> None:
        self.run("apt-get", "update", "-q", "--error-on=any")

    def names(self) -> set[str]:
        return set(self.run("apt-cache", "pkgnames", "linux-").split())


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"


def packages_of(names: set[str], series: Series) -> tuple[str, list[str]]:
    """The newest release of a series, and the packages that hold it."""
    found: dict[str, list[str]] = {}
    form = rf"linux-(?:image|binary)-(?:unsigned-)?(\d[^-]*(?:-\d+)?)-{re.escape(series.flavour)}"
    for name in sorted(names):
        match = re.fullmatch(form, name)
        if match and match[1].startswith(series.prefix):
            found[match[1]] = choose(names, f"{match[1]}-{series.flavour}")
    found = {release: packages for release, packages in found.items() if packages}
    if not found:
        raise FetchError(f"no {series.flavour} kernel {series.prefix or 'at all'} among the packages of the suite")
    newest = max(found, key=lambda release: [int(part) for part in re.findall(r"\d+", release)])
    return f"{newest}-{series.flavour}", found[newest]


def choose(names: set[str], release: str) -> list[str]:
    """Since 7.x an image is a pair of packages; before, it is one."""
    modules = f"linux-modules-{release}"
    for image in (f"linux-binary-unsigned-{release}", f"linux-binary-{release}"):
        if image in names and modules in names:
            return [image, modules]
    for image in (f"linux-image-{release}-unsigned", f"linux-image-{release}"):
        if image in names and modules not in names:
            return [image]
    return []


# The cache


def cached(cache: Path, release: str) -> Kernel | None:
    image = cache / "unpacked" / release / "boot" / f"vmlinuz-{release}"
    return Kernel(release, image) if image.is_file() else None


def newest(note: Path, find, look_up, say, refresh: bool):
    """What a note of the cache names; from the cache when it was looked up lately.

    `find` gives what a name stands for, or None when the cache has lost it. `look_up` makes sure of the newest and
    gives its name.
    """
    note.parent.mkdir(parents=True, exist_ok=True)
    with locked(note.parents[1] / "lock"):
        name = note.read_text().strip() if note.is_file() else ""
        have = find(name) if name else None
        if have and not refresh and time.time() - note.stat().st_mtime < LOOKUP_DAYS * 86400:
            return have
        try:
            name = look_up()
        except (FetchError, OSError, subprocess.CalledProcessError) as error:
            if have is None:
                raise FetchError(f"{note.name}: {error}") from error
            say(f"using {name} from the cache: {error}")
            return have
        note.write_text(name + "\n")
        return find(name)


def extract(packages: list[Path], to: Path) -> None:
    """The files of packages, in that order; nothing of them is run."""
    for package in packages:
        subprocess.run(["dpkg", "-x", package, to], check=True)


def unpack(apt: PrivateApt, cache: Path, release: str, packages: list[str]) -> None:
    """Download and unpack beside the cache, then move into it in one step."""
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as scratch:
        work = Path(scratch)
        apt.run("apt-get", "download", "-q", *packages, cwd=work)
        root = work / "root"
        root.mkdir()
        extract(sorted(work.glob("*.deb")), root)
        lay_out(root, release)
        target = cache / "unpacked" / release
        target.parent.mkdir(exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        root.chmod(0o755)
        root.rename(target)
    if cached(cache, release) is None:
        raise FetchError(f"{' and '.join(packages)} hold no boot/vmlinuz-{release}")


def lay_out(root: Path, release: str) -> None:
    """Bring the newer packages' files to the older places, and index the modules."""
    for image in root.glob(f"usr/lib/modules/{release}/vmlinuz*"):
        (root / "boot").mkdir(exist_ok=True)
        image.rename(root / "boot" / f"vmlinuz-{release}")
    if not (root / "lib").exists():
        (root / "lib").symlink_to("usr/lib")
    argv = ["depmod", "-a", "-b", root, release]
    done = subprocess.run(argv, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise FetchError(f"depmod {release}: {last_line(done.stderr)}")


def get(series: Series, cache: Path, say, refresh: bool = False) -> Kernel:
    """The newest kernel of a series."""

    def look_up() -> str:
        say(f"looking up the newest {series.name} kernel of {series.suite}")
        apt = PrivateApt(cache / "apt", series.suite, series.architecture)
        apt.update()
        release, packages = packages_of(apt.names(), series)
        if cached(cache, release) is None:
            say(f"fetching {release} ({', '.join(packages)})")
            unpack(apt, cache, release, packages)
        return release

    return newest(cache / "series" / series.name, lambda release: cached(cache, release), look_up, say, refresh)


@contextlib.contextmanager
def locked(path: Path):
    with open(path, "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
