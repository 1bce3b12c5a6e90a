"""The documentation site. Its sources are the checkout itself, so that every link between files works in both."""

import os
import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BUILD = TOP / "target" / "docs"

project = "memoom"
author = "the memoom authors"
copyright = author
release = re.search(r'^version *= *"(.*)"', (TOP / "Cargo.toml").read_text(), re.MULTILINE)[1]
version = release

extensions = ["myst_nb", "sphinx.ext.autodoc", "breathe"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "README.zh-CN.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/**",
    "examples/notebooks/*.py",
]
exclude_patterns = [
    "target",
    ".venv",
    ".git",
    "docs/conf.py",
    "docs/pictures/*.py",
    "docs/reference/*.py",
    "docs/requirements.txt",
    "docs/site",
    "**/.ruff_cache",
]
html_theme = "furo"
html_title = f"memoom {release}"
# The root of the site leads to its first page.
html_extra_path = ["site"]

# Notebooks are percent scripts; they are run while the site is built, and a cell that raises stops it.
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "cache"
nb_execution_cache_path = str(BUILD / "notebooks")
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True
os.environ["MEMOOM_LOGS"] = str(TOP / "tests" / "logs")
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# A link to a file that is no page of the site leads to the file itself.
suppress_warnings = ["myst.xref_missing", "myst.header"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"

breathe_projects = {"memoom": str(BUILD / "doxygen" / "xml")}
breathe_default_project = "memoom"


# The labelled parts of the header's comments, as Doxygen knows them.
_LABELS = (
    r"sed -e 's/^ \* Returns: / * \\return /'"
    r" -e 's/^ \* \(Ownership\|Thread safety\|Needs\): \(.*\)/ * \\par \1\n * \2/'"
    r" -e 's/^ \* Since / * \\since /'"
)


def _doxygen(app) -> None:
    """Reads the header of the C face with all that the sources say of each item, which `make docs` writes: here each is
    looked up alone, and is to have what the head of include/memoom.h says once for all."""
    (BUILD / "doxygen").mkdir(parents=True, exist_ok=True)
    settings = f"""
        INPUT = {BUILD / "include" / "memoom.h"}
        OUTPUT_DIRECTORY = {BUILD / "doxygen"}
        GENERATE_XML = YES
        GENERATE_HTML = NO
        GENERATE_LATEX = NO
        INPUT_FILTER = "{_LABELS}"
        QUIET = YES
        WARN_NO_PARAMDOC = YES
        WARN_AS_ERROR = FAIL_ON_WARNINGS
        OPTIMIZE_OUTPUT_FOR_C = YES
        EXTRACT_ALL = YES
        JAVADOC_AUTOBRIEF = YES
        MARKDOWN_SUPPORT = NO
        MACRO_EXPANSION = YES
        EXPAND_ONLY_PREDEF = YES
        PREDEFINED = MEMOOM_MUST_USE= MEMOOM_API=
    """
    subprocess.run(["doxygen", "-"], input=settings, text=True, check=True)


def _first_line(app, what, name, obj, options, lines) -> None:
    """The docstring of the package has an example for `help()`, which is no reStructuredText."""
    if what == "module":
        del lines[1:]


def setup(app) -> None:
    app.connect("autodoc-process-docstring", _first_line)
    app.connect("builder-inited", _doxygen)
