"""Stores keys in Redis and writes down which were acknowledged, and looks whether a server finds them again.

redis.py client | check; redis.sh starts the server with the client beside it
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

KEYS = 12


def connect() -> socket.socket:
    deadline = time.monotonic() + 30
    while True:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect("redis.sock")
            return client
        except OSError:
            client.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def ask(client: socket.socket, *words: str) -> str:
    parts = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    client.sendall(f"*{len(words)}\r\n{parts}".encode())
    answer = b""
    while not answer.endswith(b"\r\n") or (answer.startswith(b"$") and answer[1:2] != b"-" and answer.count(b"\n") < 2):
        part = client.recv(4096)
        if not part:
            break
        answer += part
    return answer.decode()


match sys.argv[1]:
    case "client":
        client = connect()
        for number in range(KEYS):
            if ask(client, "SET", f"key{number}", str(number)).startswith("+OK"):
                with open("acknowledged", "a") as file:
                    file.write(f"{number}\n")
                print("stored", number, flush=True)
        with contextlib.suppress(OSError):
            ask(client, "SHUTDOWN", "NOSAVE")
    case "check":
        found = Path("acknowledged")
        stored = found.read_text().split() if found.exists() else []
        with contextlib.suppress(FileNotFoundError):
            os.unlink("redis.sock")
        start = ["sh", str(Path(__file__).with_name("redis.sh")), "alone"]
        with subprocess.Popen(start, stdout=subprocess.DEVNULL) as server:
            client = connect()
            while ask(client, "PING").startswith("-LOADING"):
                time.sleep(0.01)
            lost = [number for number in stored if not ask(client, "GET", f"key{number}").endswith(f"\n{number}\r\n")]
            server.kill()
        if lost:
            sys.exit(f"acknowledged and lost: {', '.join(lost)}")
