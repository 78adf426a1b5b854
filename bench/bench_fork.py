# SPDX-License-Identifier: MIT
"""How long is a fork held up by a client that sends meanwhile?

    bench_fork.py [--busy N] [--forks N] [--rounds N]

A fork waits until nobody is inside libcurl, which is a TLS handshake at most (decision 1 in
docs/decisions). Each contender forks again and again and times the call of fork() alone; the child
ends at once. With --busy as many processes compute meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import harness

FORKS = 300
BETWEEN_S = 0.004  # from a fork to the next: no divisor of the time between two requests


def serve_tls(listener: socket.socket, folder: str) -> None:
    """A connection for each request, and no session that could be taken up again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    while True:
        plain, _ = listener.accept()
        with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as peer:
            file = peer.makefile("rb")
            size = 0
            for line in iter(file.readline, b"\r\n"):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    size = int(value)
            count = len(json.loads(file.read(size))["events"])
            body = json.dumps({"code": 200, "events_ingested": count}).encode()
            head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            peer.sendall(head.encode() + body)


@contextlib.contextmanager
def tls() -> Iterator[tuple[str, str]]:
    """A server in a process of its own: its URL, and the file of its certificate."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as door:
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
        subprocess.run(command, check=True, capture_output=True)
        context = multiprocessing.get_context("fork")
        server = context.Process(target=serve_tls, args=(door, folder), daemon=True)
        server.start()
        try:
            yield f"https://127.0.0.1:{door.getsockname()[1]}", f"{folder}/cert.pem"
        finally:
            server.kill()


def compute() -> None:
    while True:
        pass


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    context = multiprocessing.get_context("fork")
    loops = [context.Process(target=compute, daemon=True) for _ in range(count)]
    for loop in loops:
        loop.start()
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()


def fork_often(count: int, **extra: Any) -> dict[str, Any]:
    taken = []
    for _ in range(count):
        begin = time.perf_counter_ns()
        child = os.fork()
        if child == 0:
            os._exit(0)
        taken.append(time.perf_counter_ns() - begin)
        os.waitpid(child, 0)
        time.sleep(BETWEEN_S)
    taken.sort()
    figures = {"p50_ms": taken[count // 2], "p99_ms": taken[count * 99 // 100], "max_ms": taken[-1]}
    return {name: value / 1e6 for name, value in figures.items()} | extra


def while_sending(count: int, pause_s: float, **options: Any) -> dict[str, Any]:
    import tidewheel

    over = threading.Event()
    client = tidewheel.Client("emu-key", flush_interval=0, **options)

    def send() -> None:
        while not over.wait(pause_s):
            client.track({"event_type": "e", "user_id": "user-1"})
            client.flush(10)

    sender = threading.Thread(target=send)
    sender.start()
    figures = fork_often(count)
    over.set()
    sender.join()
    requests = client.stats().stored  # one event in each
    client.close(5)
    if requests < count // 10:
        raise RuntimeError(f"only {requests} requests were made beside {count} forks")
    return figures | {"requests": requests}


def without(count: int, **servers: str) -> dict[str, Any]:
    return fork_often(count, requests=0)


def with_requests(count: int, plain: str, **servers: str) -> dict[str, Any]:
    return while_sending(count, 0.01, base_url=plain)


def with_handshakes(count: int, secure: str, ca: str, **servers: str) -> dict[str, Any]:
    return while_sending(count, 0, base_url=secure, ca_file=ca)


CONTENDERS: dict[str, Callable[..., dict[str, Any]]] = {
    "no client": without,
    "a request every 10 ms": with_requests,
    "a TLS handshake for each request": with_handshakes,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--busy", type=int, default=0, help="processes that compute meanwhile")
    parser.add_argument("--forks", type=int, default=FORKS)
    parser.add_argument("--rounds", type=int, default=harness.ROUNDS)
    options = parser.parse_args()
    with harness.sink() as plain, tls() as (secure, ca), busy(options.busy):
        arguments = {"count": options.forks, "plain": plain, "secure": secure, "ca": ca}
        runs = harness.collect(CONTENDERS, arguments, options.rounds)
    fields = ("p50_ms", "p99_ms", "max_ms")
    print(
        f"\nfork: milliseconds of {options.forks} calls, {options.busy} busy processes,"
        f" medians of {options.rounds} rounds (the longest of all)"
    )
    print(f"{'':34} {'p50':>8} {'p99':>8} {'longest':>8} {'requests':>9}")
    rows = {}
    for key, figures in runs.items():
        rows[key] = {field: harness.middle(figures, field) for field in fields}
        rows[key]["max_ms"] = max(f["max_ms"] for f in figures)
        print(f"{key:34} " + " ".join(f"{rows[key][field]:8.2f}" for field in fields), end="")
        print(f" {harness.middle(figures, 'requests'):9,.0f}")
    harness.write("fork", {"forks": options.forks, "busy": options.busy, "results": rows})


if __name__ == "__main__":
    harness.child(CONTENDERS)
    main()
