# SPDX-License-Identifier: MIT
"""What the tests of web servers share: requests that never stop, each for an event, and waiting."""

from __future__ import annotations

import http.client
import itertools
import pathlib
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable

import ledger

PATIENCE = 30  # seconds until what must happen has failed to


def wait_until(what: str, happened: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.005)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(pid: int) -> bool:
    """Whether a process has not ended; what nobody has waited for yet has."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class Load:
    """Four connections that ask one after the other; notes what was asked and what answered."""

    def __init__(self, port: int, folder: pathlib.Path, name: str) -> None:
        self.port = port
        self.name = name
        self.paths = [folder / f"notes-{i}" for i in range(4)]
        self.over = threading.Event()
        self.asked = itertools.count()
        self.answered = itertools.count()
        self.unexpected: list[str] = []
        self.threads = [threading.Thread(target=self.run, args=(path,)) for path in self.paths]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def run(self, path: pathlib.Path) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with path.open("w") as notes:
            while not self.over.is_set():
                number = next(self.asked)
                event_id = f"{self.name}-{number}"
                query = {"id": event_id, "text": ledger.content_of(event_id)}
                query["user"] = f"{number % 1000:05d}"
                notes.write(f"call {event_id}\n")
                # A worker that is killed breaks connections: nothing is known of that event.
                try:
                    connection.request("GET", "/?" + urllib.parse.urlencode(query, safe=":"))
                    answer = connection.getresponse()
                    body = answer.read().decode().strip()
                except (OSError, http.client.HTTPException):
                    connection.close()
                    continue
                if (answer.status, body) == (200, event_id):
                    notes.write(f"ok {event_id}\n")
                    next(self.answered)
                else:
                    self.unexpected.append(f"{answer.status} {body}")
        connection.close()

    def wait_for_some(self) -> None:
        """Until fifty more were answered."""
        goal = self.count + 50
        wait_until("fifty answers", lambda: self.count >= goal)

    @property
    def count(self) -> int:
        return int(repr(self.answered)[6:-1])
