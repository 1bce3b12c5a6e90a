"""The wheel: one file for every Python from 3.10, complete in itself, and it works where there is no Rust."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import CHECKOUT, NO_LAB
from test_elsewhere import python

import memoom

# A guest has the checkout read-only and no compiler's cache: the wheel is built where it is developed.
pytestmark = pytest.mark.skipif(not os.access(CHECKOUT / "target", os.W_OK), reason="target/ cannot be written here")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    maturin = Path(sys.executable).with_name("maturin")
    argv = [maturin, "build", "--release", "--quiet", "-m", CHECKOUT / "python" / "Cargo.toml", "--out", out]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    (wheel,) = out.iterdir()
    return wheel


def test_its_name_and_its_files(wheel: Path) -> None:
    name, version, python, abi, platform = wheel.stem.split("-")
    assert (name, version, python, abi) == ("memoom", memoom.__version__, "cp310", "abi3")
    # Any Linux with a C library of that age; a plain "linux" tag could not be published.
    assert "manylinux" in platform
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        assert "memoom/_native.abi3.so" in names and "memoom/py.typed" in names and "memoom/_native.pyi" in names
        assert "memoom/_pytest/__init__.py" in names and "memoom/_worker.py" in names
        # The texts of both licences, and no path of the machine that built it in the bill of materials.
        assert {one.rsplit("/", 1)[-1] for one in names if "/licenses/" in one} == {"LICENSE-MIT", "LICENSE-APACHE"}
        bills = [file.read(one).decode() for one in names if "/sboms/" in one]
        assert not [text for text in bills if str(CHECKOUT) in text or "file://" in text]
        assert not [one for one in names if "test" in one.split("/")[-1] and one != "memoom/testing.py"]
        (entries,) = [one for one in names if one.endswith("entry_points.txt")]
        text = file.read(entries).decode()
        assert "memoom=memoom._cli:main" in text.replace(" ", "") and "memoom=memoom._pytest" in text.replace(" ", "")
        (metadata,) = [one for one in names if one.endswith("METADATA")]
        required = [line for line in file.read(metadata).decode().splitlines() if line.startswith("Requires-Dist")]
        # It needs nothing; everything else is an extra.
        assert required and all("extra ==" in line for line in required)


def test_it_installs_and_works_without_rust(wheel: Path, tmp_path: Path) -> None:
    plain = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=300)
    python = tmp_path / "venv" / "bin" / "python"

    def run(*argv: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(argv, env=plain, cwd=tmp_path, capture_output=True, text=True, timeout=300)  # type: ignore[call-overload,no-any-return]

    done = run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", wheel)
    assert done.returncode == 0, done.stderr
    assert run("sh", "-c", "command -v cargo rustc").returncode != 0
    done = run(
        python, "-c", "import memoom; print(memoom.__file__); [getattr(memoom, name) for name in memoom.__all__]"
    )
    assert done.stdout.startswith(str(tmp_path)), done.stderr
    command = tmp_path / "venv" / "bin" / "memoom"
    assert run(command, "--version").stdout == f"memoom {memoom.__version__}\n"
    assert "kernel" in run(command, "doctor").stdout
    if NO_LAB is None:
        # The helper is inside.
        done = run(command, "run", "--limit", "64M", "--", python, "-c", "bytearray(200 << 20)")
        assert done.returncode == 137 and "was killed in an OOM" in done.stderr


@pytest.mark.parametrize("system, platform", [("darwin", "macosx_12_0_arm64"), ("win32", "win_amd64")])
def test_the_wheel_for_other_systems_says_why_not(system: str, platform: str, wheel: Path, tmp_path: Path) -> None:
    """pip takes it for such a system, and for no Linux; installed, it has the reason, and everything can be named."""
    maker = [sys.executable, CHECKOUT / "packaging" / "elsewhere.py", wheel, tmp_path / "out"]
    subprocess.run(maker, check=True, timeout=60, capture_output=True)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--find-links",
        tmp_path / "out",
    ]
    pip += ["--only-binary=:all:", "--disable-pip-version-check", "--target"]

    def install(where: str, *options: str) -> int:
        done = subprocess.run([*pip, tmp_path / where, *options, "memoom"], capture_output=True, timeout=120)
        return done.returncode

    assert install("linux", "--platform", "manylinux_2_39_riscv64") != 0, "a Linux builds from source"
    assert install("there", "--platform", platform) == 0
    script = "import memoom; print(memoom.__file__); print(memoom.Host.probe()); memoom.__all__ and memoom.Lab"
    done = python(system, script, tmp_path, tmp_path / "there")
    assert done.stdout.startswith(str(tmp_path / "there")), done.stderr
    assert "memory cgroups are a part of Linux" in done.stdout and "remedy" in done.stdout


def test_the_bill_of_materials_names_what_is_inside_and_no_path() -> None:
    argv = [sys.executable, CHECKOUT / "packaging/materials.py"]
    text, again = (subprocess.run(argv, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert text == again and str(CHECKOUT) not in text and "file:" not in text and os.path.expanduser("~") not in text
    bill = json.loads(text)
    names = {one["name"]: one for one in bill["components"]}
    assert bill["metadata"]["component"]["name"] == "memoom"
    assert {"memoom", "memoom-capi", "memoom-python", "nix", "libc", "pyo3", "serde_json"} <= names.keys()
    assert not {"tempfile", "cbindgen"} & names.keys(), "what only tests need"
    for one in bill["components"]:
        assert one["licenses"][0]["expression"] and one["purl"] == f"pkg:cargo/{one['name']}@{one['version']}"
        assert one["name"].startswith("memoom") or len(one["hashes"][0]["content"]) == 64
    assert {one["ref"] for one in bill["dependencies"]} == {one["bom-ref"] for one in bill["components"]}
