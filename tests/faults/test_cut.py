# SPDX-License-Identifier: MIT
"""Requests and answers that are cut at each of their bytes (A08, A10): sent again, never twice."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import tidewheel

STEP = 1 if os.environ.get("TIDEWHEEL_LADDER", "T0") != "T0" else 7
OPTIONS: dict[str, Any] = {"flush_interval": 0, "backoff_first": 0.001, "backoff_max": 0.002}
EVENT = {"event_type": "e", "user_id": "user-1", "time": 1767225600123}


def answer(events: int) -> bytes:
    body = json.dumps({"code": 200, "events_ingested": events}).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Cutter:
    """A server that cuts each first attempt short and takes the second."""

    def __init__(self, *, request: int | None = None, reply: int | None = None) -> None:
        self.request, self.reply = request, reply
        self.seen: list[bytes] = []
        self.cut: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        first = True
        while True:
            line, _ = self.listener.accept()
            with line, contextlib.suppress(ConnectionError):
                if line.recv(1, socket.MSG_PEEK) == b"":
                    return  # close() came to say so
                if first and self.request is not None:
                    first = False
                    data = b""
                    while len(data) < self.request:
                        part = line.recv(self.request - len(data))
                        assert part, "the request was shorter"
                        data += part
                    self.cut.append(data)
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    continue
                body = self.read(line)
                self.seen.append(body)
                whole = answer(len(json.loads(body)["events"]))
                line.sendall(whole[: self.reply] if first else whole)
                first = False

    def read(self, line: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += line.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        (size,) = (
            int(field[15:])
            for field in head.lower().split(b"\r\n")
            if field[:15] == b"content-length:"
        )
        while len(body) < size:
            body += line.recv(65536)
        return body

    def close(self) -> None:
        socket.create_connection(self.listener.getsockname()).close()
        self.thread.join()
        self.listener.close()


@contextlib.contextmanager
def cutter(**cut: int) -> Iterator[Cutter]:
    server = Cutter(**cut)
    try:
        yield server
    finally:
        server.close()


def send_one(url: str) -> None:
    with tidewheel.Client("emuapikey0123456", base_url=url, **OPTIONS) as client:
        client.track(EVENT)
        assert client.flush().stored == 1
        assert client.stats().retries == 1


@pytest.mark.parametrize("at", range(0, len(answer(1)), STEP))
def test_an_answer_that_is_cut_is_asked_for_again(at: int) -> None:
    with cutter(reply=at) as server:
        send_one(server.url)
        assert len(server.seen) == 2
        assert server.seen[0] == server.seen[1]


@pytest.mark.parametrize("at", range(0, 300, STEP))
def test_a_request_that_is_cut_is_sent_again(at: int) -> None:
    with cutter(request=at) as server:
        send_one(server.url)
        assert len(server.seen) == 1
        assert [len(data) for data in server.cut] == [at]
