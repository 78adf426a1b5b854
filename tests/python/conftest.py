# SPDX-License-Identifier: MIT
"""Servers to test against: the emulator, and one that answers what a test says."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

import tidewheel

API_KEY = "emu-key-0123456789abcdef"
SECRET_KEY = "emu-secret-fedcba9876543210"


# A child of a process whose other thread was inside the sanitizer's allocator waits for its lock
# for ever: gcc's runtime does not give it back after a fork. The ordinary run has these tests.
forks = pytest.mark.skipif(
    "TIDEWHEEL_SANITIZED" in os.environ, reason="the sanitizer's allocator does not survive a fork"
)


class Request(NamedTuple):
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        body = self.body
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        events: list[dict[str, Any]] = json.loads(body)["events"]
        return events


class Answer(NamedTuple):
    """What to answer; `cut` closes the connection after that many body bytes."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 -- never written
    cut: int | None = None


class Server:
    """A server that answers what a test says.

    Attributes:
        requests: What has arrived so far.
        answer: Makes the answer to a request; runs in the server's threads.
        gate: While it is cleared, no request is answered.
        arrived: Released once per request, before it is answered.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Answer] = store_events
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Semaphore(0)
        owner = self

        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True  # a body is not to wait for the ACK of its head
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, self.rfile.read(size))
                owner.requests.append(request)
                owner.arrived.release()
                assert owner.gate.wait(20)
                answer = owner.answer(request)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body[: answer.cut])
                self.close_connection |= answer.cut is not None

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 -- http.server's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Listener(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # the client went away, as tests make it

        self._listener = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._listener.server_port}"
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.gate.set()
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()


def store_events(request: Request) -> Answer:
    """The documented answer to an upload of events."""
    body = {
        "code": 200,
        "events_ingested": len(request.events),
        "payload_size_bytes": len(request.body),
        "server_upload_time": 1767225600000,
    }
    return json_answer(body)


def json_answer(body: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(body).encode(), {"content-type": "application/json"})


def archive(*members: list[dict[str, Any]]) -> bytes:
    """An export: a zip of gzip members of JSON lines."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as pack:
        for number, rows in enumerate(members):
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            pack.writestr(f"1/1_2026-11-01_{number}#0.json.gz", gzip.compress(lines.encode()))
    return out.getvalue()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


MakeClient = Callable[..., tidewheel.Client]


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    """Makes clients that are closed at the end of the test without sending what is left."""
    made: list[tidewheel.Client] = []

    def make(url: str, **options: Any) -> tidewheel.Client:
        made.append(tidewheel.Client(API_KEY, SECRET_KEY, base_url=url, **options))
        return made[-1]

    yield make
    for client in made:
        client.close(0)


@pytest.fixture
def client(server: Server, make_client: MakeClient) -> tidewheel.Client:
    """A client of the scripted server."""
    return make_client(server.url)


@pytest.fixture
def emulator() -> Iterator[tidewheel.Emulator]:
    with tidewheel.Emulator(job_ms=20) as emulator:
        yield emulator


@pytest.fixture
def live(emulator: tidewheel.Emulator) -> Iterator[tidewheel.Client]:
    """A client of the emulator."""
    client = tidewheel.Client(emulator.api_key, emulator.secret_key, base_url=emulator.url)
    yield client
    client.close(0)


def sent_events(emulator: tidewheel.Emulator) -> list[dict[str, Any]]:
    """All events the emulator has been sent, in order."""
    events = []
    for entry in emulator.journal():
        if entry["path"] in ("/2/httpapi", "/batch"):
            events += json.loads(base64.b64decode(entry["body_base64"]))["events"]
    return events
