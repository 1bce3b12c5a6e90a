#!/usr/bin/env python3
"""Makes the manual pages: one for each noun of <memoom.h> from the header's own comments, memoom(7) and memoom(1).

    pages.py DIRECTORY        writes man1/, man3/ and man7/ below DIRECTORY
    pages.py --check          looks that every function stands in exactly one page and in the example of that page,
                              and that mandoc finds no fault

The example of a page is a whole program, examples/c/pages/NOUN.c, which tests/c/run.sh compiles and runs.

A function belongs to the page of its noun, memoom_<noun>_..., so a new one needs no line here. What has no noun of its
own stands in memoom_library(3).
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import mdoc

TOP = Path(__file__).resolve().parents[2]
HEADER = TOP / "include/memoom.h"
EXAMPLES = TOP / "examples/c/pages"

# What the first word after memoom_ is the noun of; other words are nouns themselves.
NOUNS = {
    "version": "library",
    "parse": "library",
    "status": "error",
    "gc": "leftover",
    "switch": "group",
    "counters": "group",
    "cgroup": "host",
    "hierarchy": "host",
    "ability": "host",
    "ticker": "worker",
    "container": "pod",
    "grow": "hog",
    "fitted": "fit",
    "cause": "oom",
    "victim": "oom",
    "candidate": "oom",
    "process": "oom",
    "predicted": "oom",
    "frame": "oom",
    "blocked": "oom",
    "missing": "oom",
    "kill": "report",
    "task": "report",
    "scope": "report",
    "consumer": "report",
    "mem": "report",
    "zone": "report",
    "free": "report",
    "huge": "report",
    "slab": "report",
    "verdict": "outcome",
    "evidence": "outcome",
}
MACROS = {
    "ERR": "error",
    "OK": "error",
    "CAUSE": "oom",
    "VERDICT": "outcome",
    "ON": "group",
    "OFF": "group",
    "SWITCH": "group",
    "CGROUP": "host",
    "HIERARCHY": "host",
    "GROW": "hog",
    "CONTAINER": "pod",
    "LAB": "lab",
    "FD": "command",
    "SCOPE": "report",
}
ABOUT = {
    "library": "version of the library, and sizes as text",
    "error": "why a call failed",
    "host": "what this machine can do",
    "lab": "one safe place for experiments",
    "leftover": "what dead owners have left behind",
    "group": "one memory cgroup",
    "prediction": "whom the kernel would kill now",
    "worker": "one process in a group",
    "hog": "a worker that takes memory in steps",
    "command": "a command as a worker",
    "function": "a function in a forked child as a worker",
    "pod": "a pod as the kubelet lays it out, and its containers",
    "run": "one call: run under a limit and account for the end",
    "fit": "the least limit under which a command passes",
    "watch": "a pollable stream of events",
    "event": "one thing that happened",
    "oom": "the account of one OOM",
    "outcome": "how a worker ended",
    "report": "the kernel's own OOM text, parsed",
    "workload": "what is behind the path of a group",
    "timeline": "everything that happened in a lab, in order",
}


@dataclass
class Item:
    """One declaration of the header with its comment."""

    name: str
    kind: str  # "function", "type", "macro"
    comment: str
    code: str


@dataclass
class Page:
    noun: str
    items: list[Item] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"memoom_{self.noun}"

    def functions(self) -> list[str]:
        return [item.name for item in self.items if item.kind == "function"]


def blocks(header: str) -> list[tuple[str, str]]:
    """The header as pairs of a comment and the code that it stands before."""
    found: list[tuple[str, str]] = []
    comment: list[str] = []
    code: list[str] = []
    inside, depth = False, 0
    for line in header.splitlines():
        bare = line.strip()
        if not depth and (inside or bare.startswith("/**")):
            comment = [] if bare.startswith("/**") else comment
            comment.append(re.sub(r"^(/\*\*| ?\*(?!/))? ?", "", line.rstrip().removesuffix("*/").rstrip()))
            inside = not bare.endswith("*/")
            continue
        if not code and (not bare or bare.startswith(("#if", "#else", "#endif", "#include", "extern", "}", "/*", "*"))):
            continue
        # The comment of a value stands behind it where there is room.
        line, _, behind = line.partition(" /**< ")
        if behind:
            comment = [behind.removesuffix("*/").strip()]
        code.append(line)
        depth += 0 if bare.startswith(("/*", "*")) else line.count("{") - line.count("}")
        directive = code[0].startswith("#")
        if (directive and not bare.endswith("\\")) or (not directive and not depth and bare.endswith((";", "}"))):
            found.append(("\n".join(comment).strip(), "\n".join(code)))
            comment, code, depth = [], [], 0
    return found


def items(header: str) -> list[Item]:
    found = []
    for comment, code in blocks(header):
        flat = " ".join(code.split())
        if flat.startswith("static") or flat in ("#define MEMOOM_H", "#define MEMOOM_H_INLINE"):
            continue
        if flat.startswith("#define"):
            kind, name = "macro", flat.split()[1]
        elif flat.startswith("typedef"):
            pointer = re.search(r"\(\*(\w+)\)", flat)
            kind, name = "type", pointer[1] if pointer else re.findall(r"(\w+);$", flat)[0]
        else:
            kind, name = "function", re.findall(r"(\w+)\(", flat)[0]
        if not any(item.name == name for item in found):
            found.append(Item(name, kind, comment, code))
    return found


def noun_of(item: Item, nouns: set[str]) -> str:
    words = item.name.split("_")[1:]
    if item.kind == "macro":
        if item.name.endswith("_INIT"):
            words = [word.lower() for word in words]
        else:
            return MACROS.get(words[0], "library")
    return NOUNS.get(words[0], words[0] if words[0] in nouns or item.kind == "function" else "library")


def pages(header: str) -> list[Page]:
    found = items(header)
    nouns = {NOUNS.get(word, word) for item in found if item.kind == "function" for word in [item.name.split("_")[1]]}
    made: dict[str, Page] = {}
    for item in found:
        noun = noun_of(item, nouns)
        made.setdefault(noun, Page(noun)).items.append(item)
    return list(made.values())


def prose(comment: str) -> list[str]:
    """A comment as mdoc: paragraphs, parameters, code, and the labelled parts."""
    out: list[str] = []
    parameters: list[tuple[str, str]] = []
    labels: list[tuple[str, str]] = []
    code: list[str] | None = None
    paragraph: list[str] = []

    def flush() -> None:
        if paragraph:
            out.append((".Pp\n" if out else "") + mdoc.prose("\n".join(paragraph)))
            paragraph.clear()

    target: list[tuple[str, str]] | None = None
    for line in comment.splitlines():
        parameter = re.match(r"\\param (\w+)\s+(.*)", line)
        label = re.match(r"(Returns|Ownership|Thread safety|Needs|Since)(?::| )\s*(.*)", line)
        if line.startswith("\\code"):
            flush()
            code = []
        elif line.startswith("\\endcode"):
            out.append(".Bd -literal -offset indent\n" + "\n".join(code or []) + "\n.Ed")
            code = None
        elif code is not None:
            code.append(mdoc.literal(line))
        elif parameter:
            flush()
            target = parameters
            parameters.append((parameter[1], parameter[2]))
        elif label:
            flush()
            target = labels
            labels.append((label[1], label[2]))
        elif not line.strip():
            flush()
            target = None
        elif target is not None:
            name, said = target[-1]
            target[-1] = (name, said + "\n" + line)
        else:
            paragraph.append(line)
    flush()
    if parameters:
        out.append(".Bl -tag -width Ds -compact")
        out += [f".It Fa {name}\n{mdoc.prose(said)}" for name, said in parameters]
        out.append(".El")
    for name, said in labels:
        out.append(f".Pp\n.Em {name} :\n{mdoc.prose(said)}" if name != "Since" else f".Pp\nSince {mdoc.prose(said)}")
    return out


def synopsis(code: str) -> list[str]:
    flat = " ".join(code.split()).replace("MEMOOM_MUST_USE ", "")
    match = re.match(r"(.*?)(\w+)\((.*)\);$", flat)
    assert match, flat
    head, name, inner = match.groups()
    lines = [f'.Ft "{head.strip()}"', f".Fo {name}"]
    lines += [f'.Fa "{argument.strip()}"' for argument in inner.split(",")]
    return [*lines, ".Fc"]


def literal(code: str) -> str:
    """A type or macro as it stands in the header, without the comments of its fields."""
    bare = re.sub(r"\s*/\*\*.*?\*/", "", code, flags=re.S)
    return "\n".join([".Bd -literal -offset indent", *map(mdoc.literal, bare.split("\n")), ".Ed"])


def fields(code: str) -> list[str]:
    found = re.findall(r"/\*\*\s(.*?)\s*\*/\n\s*(.*?);", code[code.index("{") :], re.S)
    if not found:
        return []
    out = [".Bl -tag -width Ds -compact"]
    for comment, declaration in found:
        said = "\n".join(re.sub(r"^ ?\* ?", "", line.strip()) for line in comment.splitlines())
        out.append(f".It Va {declaration.split()[-1].lstrip('*')}\n{mdoc.prose(said)}")
    return [*out, ".El"]


def said_of(page: Page) -> str:
    """One line about a page: our words, or the first sentence about its first item."""
    sentence = re.split(r"[.:;\n]", page.items[0].comment)[0]
    return ABOUT.get(page.noun, sentence[:1].lower() + sentence[1:])


def verbatim(source: Path) -> list[str]:
    """A program as it is."""
    return [".Bd -literal", *map(mdoc.literal, source.read_text().splitlines()), ".Ed"]


def examples(noun: str) -> list[str]:
    """The program that shows every function of a page; check() looks that there is one."""
    source = EXAMPLES / f"{noun}.c"
    if not source.exists():
        return []
    out = [".Sh EXAMPLES", "A whole program.", ".Fn must", "ends it where a call failed,", ".Fn may"]
    out += ["goes on where this kernel or hierarchy lacks what was asked for,", ".Fn holds", "checks; they stand in"]
    out += [".Pa must.h ,", "which is at the end of", ".Xr memoom_library 3 .", *verbatim(source)]
    return [*out, ".Pp", "must.h:", *verbatim(EXAMPLES / "must.h")] if noun == "library" else out


def without_example(made: list[Page]) -> list[str]:
    """Each function that the example of its page does not call, and each example that is no page's."""
    faults = []
    for page in made:
        source = EXAMPLES / f"{page.noun}.c"
        code = re.sub(r"/\*.*?\*/", "", source.read_text(), flags=re.S) if source.exists() else ""
        absent = [name for name in page.functions() if not re.search(rf"\b{name}\(", code)]
        faults += [f"{name}: examples/c/pages/{page.noun}.c does not call it" for name in absent]
    known = {page.noun for page in made}
    faults += [f"{one.name} is no page's example" for one in EXAMPLES.glob("*.c") if one.stem not in known]
    site = (TOP / "docs/reference/c.md").read_text()
    return faults + [f"{one.name} is not in docs/reference/c.md" for one in EXAMPLES.iterdir() if one.name not in site]


def section3(page: Page, date: str, others: list[str]) -> str:
    about = said_of(page)
    names = page.functions() or [page.name]
    out = [f".Dd {date}", f".Dt {page.name.upper()} 3", ".Os", ".Sh NAME"]
    out += [f".Nm {name} ," for name in names[:-1]] + [f".Nm {names[-1]}", f".Nd {about}"]
    out += [".Sh LIBRARY", "libmemoom (\\-lmemoom); see", ".Xr memoom 7", ".Sh SYNOPSIS", ".In memoom.h"]
    for item in page.items:
        if item.kind == "function":
            out += synopsis(item.code)
    out.append(".Sh DESCRIPTION")
    types = [item for item in page.items if item.kind != "function"]
    if types:
        out.append(".Ss Types and constants")
        for item in types:
            out += [literal(item.code), *prose(item.comment)]
            out += fields(item.code) if "{" in item.code and item.kind == "type" else []
    for item in page.items:
        if item.kind == "function":
            out += [f".Ss {item.name}", *prose(item.comment)]
    out += examples(page.noun)
    out += [".Sh SEE ALSO"]
    related = sorted(other for other in others if other != page.name)
    out += [f".Xr {other} 3 ," for other in related] + [".Xr memoom 7"]
    return "\n".join(out) + "\n"


def commands() -> dict[str, str]:
    """The commands of memoom(1) and what each does, as the program itself lists them."""
    tree = ast.parse((TOP / "python/memoom/_cli/__init__.py").read_text())
    for node in ast.walk(tree):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "_COMMANDS" and isinstance(node, (ast.Assign, ast.AnnAssign)):
            listed = ast.literal_eval(node.value)  # type: ignore[arg-type]
            return {name: said for name, (_, said) in listed.items()}
    raise SystemExit("pages.py: the commands were not found")


def template(name: str, **parts: str) -> str:
    page = (TOP / "packaging/man" / name).read_text()
    for key, value in parts.items():
        page = page.replace(f"@{key.upper()}@", value)
    return page


def write(directory: Path) -> list[Page]:
    header = HEADER.read_text()
    made = pages(header)
    names = [page.name for page in made]
    # SOURCE_DATE_EPOCH makes the same pages everywhere, for who builds packages.
    when = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    date = time.strftime("%B ", when) + time.strftime("%d, %Y", when).lstrip("0")
    for section in ("man1", "man3", "man7"):
        (directory / section).mkdir(parents=True, exist_ok=True)
    for page in made:
        (directory / f"man3/{page.name}.3").write_text(section3(page, date, names))
        for name in page.functions():
            if name != page.name:
                (directory / f"man3/{name}.3").write_text(f".so man3/{page.name}.3\n")
    listed = "\n".join(f".It Xr {page.name} 3\n{said_of(page)}" for page in made)
    (directory / "man7/memoom.7").write_text(template("memoom.7.in", date=date, pages=listed))
    rows = "\n".join(f".It Cm {name}\n{mdoc.prose(said[0].upper() + said[1:])}." for name, said in commands().items())
    options = (TOP / "packaging/man/options.in").read_text()
    (directory / "man1/memoom.1").write_text(template("memoom.1.in", date=date, commands=rows, options=options))
    return made


def check() -> int:
    faults = []
    with tempfile.TemporaryDirectory() as there:
        made = write(Path(there))
        declared = re.findall(r"^(?!static|typedef|#|\s|/)(?:\w[\w\s]*?[\s*]+)(memoom_\w+)\(", HEADER.read_text(), re.M)
        documented = [name for page in made for name in page.functions()]
        for name in sorted(set(declared) | set(documented)):
            if documented.count(name) != 1 or declared.count(name) != 1:
                faults.append(f"{name}: declared {declared.count(name)} times, in {documented.count(name)} pages")
        faults += without_example(made)
        if len(declared) < 150:
            faults.append(f"only {len(declared)} functions were found in the header")
        files = sorted(str(path) for path in Path(there).rglob("*.[137]") if not path.read_text().startswith(".so "))
        if shutil.which("mandoc"):
            lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *files], capture_output=True, text=True)
            faults += lint.stdout.splitlines()
        else:
            print("ok manual pages by mandoc # SKIP not installed")
    for fault in faults:
        print(f"not ok manual pages: {fault}")
    if not faults:
        print(f"ok manual pages: {len(documented)} functions in {len(made)} pages")
    return 1 if faults else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(check())
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    write(Path(sys.argv[1]))
