# SPDX-License-Identifier: MIT
"""gunicorn: workers that are recycled or reloaded under load send what they have before the end."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import kit
import ledger
import pytest
from web import Load, alive, free_port, wait_until

import tidewheel

WORKERS, LIFE = 3, 40  # requests that a worker answers before another takes its place
RELOADS = {"T0": 2, "T1": 50, "T2": 50}[os.environ.get("TIDEWHEEL_LADDER", "T0")]

# Nothing is sent on the way: each worker has all its events when its end comes.
APPLICATION = """
    import os
    from urllib.parse import parse_qsl

    import tidewheel

    client = tidewheel.Client(os.environ["KEY"], base_url=os.environ["URL"], flush_interval=3600)

    def application(environ, start_response):
        query = dict(parse_qsl(environ["QUERY_STRING"]))
        client.track(
            {
                "event_type": "fault",
                "user_id": "user-" + query["user"],
                "insert_id": query["id"],
                "event_properties": {"text": query["text"]},
            }
        )
        start_response("200 OK", [("content-length", str(len(query["id"])))])
        return [query["id"].encode()]
"""


class Gunicorn:
    """A master with its workers; all files in one folder."""

    def __init__(self, url: str, key: str, folder: pathlib.Path, *options: str) -> None:
        self.port = free_port()
        self.log = folder / "error.log"
        (folder / "web_app.py").write_text(textwrap.dedent(APPLICATION))
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}"]
        command += ["--workers", str(WORKERS), "--max-requests", str(LIFE)]
        command += ["--max-requests-jitter", str(LIFE // 2), "--log-file", str(self.log)]
        command += ["--chdir", str(folder), "--no-control-socket", *options, "web_app:application"]
        environment = kit.environment("python", URL=url, KEY=key)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)
        self.wait_for_workers()

    def said(self, words: str) -> int:
        return self.log.read_text().count(words) if self.log.exists() else 0

    def workers(self) -> list[int]:
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in children.split()]

    def wait_for_workers(self) -> None:
        wait_until("the workers' start", lambda: self.said("Booting worker") >= WORKERS)

    def reload(self) -> None:
        old = self.workers()
        self.process.send_signal(signal.SIGHUP)
        wait_until("a reload", lambda: not any(map(alive, old)) and len(self.workers()) == WORKERS)

    def ended(self) -> bool:
        # A worker that was just forked still has its master's handler, which drops the signal, and
        # the master sends it once.
        if self.process.poll() is None:
            for worker in self.workers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGTERM)
        return self.process.poll() is not None

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        wait_until("the end", self.ended)
        assert self.process.returncode == 0, self.log.read_text()


@pytest.fixture
def emulator() -> Iterator[tidewheel.Emulator]:
    with tidewheel.Emulator(throttle=False, journal=False) as emulator:
        yield emulator


@pytest.mark.parametrize(
    "options",
    [(), ("--preload", "--worker-class", "gthread", "--threads", "4")],
    ids=["a client in each worker", "a client of the master, threads"],
)
def test_workers_that_end_send_first(
    emulator: tidewheel.Emulator, tmp_path: pathlib.Path, options: tuple[str, ...]
) -> None:
    server = Gunicorn(emulator.url, emulator.api_key, tmp_path, *options)
    try:
        with Load(server.port, tmp_path, "gunicorn") as load:
            for _ in range(RELOADS):
                for _ in range(6):  # 300 requests: every worker is recycled
                    load.wait_for_some()
                server.reload()
            load.wait_for_some()
        server.stop()
    finally:
        server.process.kill()
        server.process.wait()
    assert load.unexpected == []
    # Recycled, beside those that a start or a reload makes.
    assert server.said("Booting worker") >= WORKERS * (2 * RELOADS + 1)
    notes = ledger.read_notes(*load.paths)
    accounts = list(emulator.ledger())
    world = ledger.World(notes, [], accounts, kit.exported(emulator), killed=True)
    assert ledger.check(world) == []
    assert [a["insert_id"] for a in accounts if a["received"] != 1] == []
