"""A Jupyter kernel under a limit: when it dies, the log says why."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from conftest import PATIENCE

pytest.importorskip("jupyter_client")

from jupyter_client.client import KernelClient
from jupyter_client.manager import KernelManager

import memoom

pytestmark = pytest.mark.usefixtures("needs_lab")


def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> KernelManager:
    """A kernel of this Python in a group of that limit."""
    place = tmp_path / "kernels" / "limited"
    place.mkdir(parents=True)
    config = {"provisioner_name": "memoom", "config": {"limit": limit}}
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "limited",
        "language": "python",
        "metadata": {"kernel_provisioner": config},
    }
    (place / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    return KernelManager(kernel_name="limited")


def died(manager: KernelManager) -> str:
    """What is said of the kernel's death."""
    deadline = time.monotonic() + PATIENCE
    while manager.is_alive():
        assert time.monotonic() < deadline, "it lives"
        # Nobody tells of its end: Jupyter too asks again and again.
        time.sleep(0.05)
    return str(manager.provisioner.explanation)


def test_the_provisioner_is_found_by_its_name() -> None:
    names = {one.name for one in entry_points(group="jupyter_client.kernel_provisioners")}
    assert "memoom" in names


@contextmanager
def running(manager: KernelManager) -> Iterator[KernelClient]:
    """A kernel that is ready, and its client."""
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.mark.filterwarnings("ignore")
def test_a_kernel_that_meets_its_limit_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    manager = kernel(tmp_path, monkeypatch, "400M")
    with caplog.at_level(logging.ERROR), running(manager) as client:
        client.execute("x = b'x' * 2**30")
        text = died(manager)
        assert "the kernel has died" in text and "400M" in text, text
    assert any("the kernel has died" in record.getMessage() for record in caplog.records)


@pytest.mark.filterwarnings("ignore")
def test_a_kernel_that_somebody_kills_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = kernel(tmp_path, monkeypatch, "")
    with running(manager):
        os.kill(manager.provisioner.pid, signal.SIGKILL)
        text = died(manager)
        if memoom.Host.probe().can("tracefs"):
            assert "is ended by SIGKILL, sent by" in text and f"(pid {os.getpid()}" in text, text
        else:
            assert "by whom is unknown because" in text, text
