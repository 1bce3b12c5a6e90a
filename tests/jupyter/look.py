#!/usr/bin/env python3
"""Opens notebooks in a real JupyterLab in a headless Chromium: trusted and not, light and dark, 2 and 20 processes.

    look.py DIRECTORY        the pictures go there; exit status 1 where a chart is not shown

`make look` installs what it needs (JupyterLab and Playwright in a venv of their own, Chromium from Debian: 400 MB), so
it is no part of `make test`. The picture of a run differs from run to run by its times, so what is held of it is what a
reader must see: each chart is an image that has been drawn, no markup stands as text, and no script is asked for. The
chart of a timeline that is made up is held against the committed picture in `pictures/`, which somebody has looked at.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from playwright.sync_api import Page, sync_playwright

TESTS = Path(__file__).resolve().parents[2] / "python/tests"
sys.path.insert(0, str(TESTS))
from pictures import COMMITTED, COUNTS, are_alike, timeline_of  # noqa: E402

MADE = """
import sys

sys.path.insert(0, {tests!r})
from pictures import timeline_of

timeline_of({count})
"""
CELL = """
import memoom

with memoom.Lab() as lab:
    group = lab.group("experiment", limit="{limit}M")
    watch = group.watch()
    hogs = [group.hog(f"alloc_memory_{{number}}", step="{step}M") for number in range(1, {hogs} + 1)]
    turn = 0
    while group.counters.oom_kill == 0:
        hogs[turn % len(hogs)].grow()
        turn += 1
    oom = watch.wait_oom(10)
    timeline = lab.timeline()
"""
SHOWN = ["timeline", "oom", "memoom.Host.probe()"]
KINDS = {"2": {"hogs": 2, "limit": 80, "step": 10}, "20": {"hogs": 20, "limit": 80, "step": 1}}


def notebook(path: Path, kind: str, trusted: bool) -> None:
    """A notebook that was run; where it is trusted it is signed as Jupyter does it after its own runs."""
    made_up = MADE.format(tests=str(TESTS), count=int(kind))
    cells = [nbformat.v4.new_code_cell(code) for code in [made_up, CELL.format(**KINDS[kind]), *SHOWN]]
    made = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(made, timeout=120, kernel_name="python3").execute()
    nbformat.write(made, path)
    if trusted:
        subprocess.run([Path(sys.executable).with_name("jupyter"), "trust", path], check=True, capture_output=True)


def serve(directory: Path, home: Path, theme: str) -> tuple[subprocess.Popen[bytes], str]:
    """A JupyterLab of its own, with a theme and nothing of the user's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = home / "lab-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": f"JupyterLab {theme}"}))
    quiet = home / "lab-settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    quiet.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    options = ["--no-browser", f"--port={port}", "--IdentityProvider.token=", f"--ServerApp.root_dir={directory}"]
    options += ["--allow-root", "--LabApp.collaborative=False", f"--LabApp.user_settings_dir={home / 'lab-settings'}"]
    server = subprocess.Popen(
        [Path(sys.executable).with_name("jupyter"), "lab", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"{address}/api", timeout=5)
            return server, address
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.2)  # a server tells nobody when it is ready


def end(server: subprocess.Popen[bytes]) -> None:
    """Ends a server and the kernels that it has started; it waits long for those that were about to begin."""
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def chart(page: Page, kind: int, theme: str, picture: Path) -> list[str]:
    """The first chart is the committed one, as the reader of this theme sees it."""
    page.locator(".jp-OutputArea-output img").first.screenshot(path=str(picture))
    committed = COMMITTED / f"{kind}-{theme.lower()}.png"
    alike = are_alike(picture, committed, timeline_of(kind).to_svg())
    return [] if alike else [f"{picture} is not {committed}"]


def look(page: Page, address: str, name: str, picture: Path) -> list[str]:
    """Opens one notebook, takes its picture, and says what a reader would miss."""
    page.goto(f"{address}/lab/workspaces/{picture.stem}/tree/{name}?reset", timeout=120_000)
    page.wait_for_selector(".jp-OutputArea-output img", timeout=300_000)
    page.wait_for_function("document.querySelectorAll('.jp-OutputArea-output').length >= 3", timeout=60_000)
    page.screenshot(path=str(picture))
    said = page.evaluate(
        """() => {
            const outputs = [...document.querySelectorAll('.jp-OutputArea-output')];
            const images = outputs.flatMap(one => [...one.querySelectorAll('img')]);
            const width = one => one.getBoundingClientRect().width;
            return {
                drawn: images.map(one => one.complete && one.naturalWidth > 100),
                soup: outputs.filter(one => /<svg|<\\/|viewBox/.test(one.innerText)).length,
                scripts: outputs.filter(one => one.querySelector('script')).length,
                wide: images.filter(one => width(one) > width(one.closest('.jp-OutputArea')) + 1).length,
            };
        }"""
    )
    faults = []
    if not said["drawn"] or not all(said["drawn"]):
        faults.append(f"charts drawn: {said['drawn']}")
    faults += [f"{key}: {said[key]}" for key in ("soup", "scripts", "wide") if said[key]]
    return faults


def main(out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    bad = 0
    home = Path(tempfile.mkdtemp(prefix="memoom-look-"))
    os.environ.update(
        {"JUPYTER_DATA_DIR": str(home / "data"), "JUPYTER_CONFIG_DIR": str(home / "config"), "HOME": str(home)}
    )
    os.environ["IPYTHONDIR"] = str(home / "ipython")
    try:
        books = home / "books"
        books.mkdir()
        for kind in KINDS:
            for trusted in (True, False):
                notebook(books / f"{kind}-{'trusted' if trusted else 'untrusted'}.ipynb", kind, trusted)
        with sync_playwright() as play:
            chromium = shutil.which("chromium")
            browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for theme in ("Light", "Dark"):
                server, address = serve(books, home, theme)
                try:
                    for book in sorted(books.glob("*.ipynb")):
                        page = browser.new_page(
                            viewport={"width": 1500, "height": 1900},
                            color_scheme="dark" if theme == "Dark" else "light",
                        )
                        seen = out / f"{book.stem}-{theme.lower()}.png"
                        faults = look(page, address, book.name, seen)
                        count = next(count for count in COUNTS if book.stem.startswith(f"{count}-"))
                        faults += chart(page, count, theme, seen.with_suffix(".chart.png"))
                        page.close()
                        print(
                            f"{'not ok' if faults else 'ok'} {book.stem}, {theme.lower()} {'; '.join(faults)}".rstrip()
                        )
                        bad += bool(faults)
                finally:
                    end(server)
            browser.close()
    finally:
        shutil.rmtree(home)
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: look.py DIRECTORY")
    sys.exit(main(Path(sys.argv[1])))
