# SPDX-License-Identifier: MIT
"""How long does track() keep its caller, while the server is well, slow, or a black hole?

Each call of a flood of events is timed by itself; the table has the middle and the tail. The queue
is large enough for all, so that nothing ever waits for room: what is measured is the call, beside
the thread that packs and sends meanwhile.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import events
import harness

EVENTS = 100_000
EVENTS_DURABLE = 2_000  # each waits for the disk
EVENTS_OFFICIAL = 20_000
SERVERS = ("healthy", "slow", "black hole")
SLOW_MS = 1000


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """Takes connections and requests, and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def measure(track: Callable[[Any], Any], data: list[Any], **extra: Any) -> dict[str, Any]:
    clock = time.perf_counter_ns
    taken = []
    meter = harness.Meter()
    meter.start()
    for event in data:
        begin = clock()
        track(event)
        taken.append(clock() - begin)
    figures = meter.stop(**extra)
    taken.sort()
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999)):
        figures[f"{name}_us"] = taken[int(len(taken) * share)] / 1000
    return figures | {"max_us": taken[-1] / 1000}


def with_tidewheel(url: str, count: int = EVENTS, **options: Any) -> dict[str, Any]:
    import tidewheel

    data = events.sent(count)
    client = tidewheel.Client(
        "emu-key", base_url=url, queue_events=count, queue_bytes=2**30, **options
    )
    figures = measure(client.track, data, version=harness.version_of("tidewheel"))
    client.close(0)
    return figures


def with_spool(url: str, mode: str, count: int) -> dict[str, Any]:
    harness.OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=harness.OUT) as folder:
        return with_tidewheel(url, count, spool=folder, spool_mode=mode)


def with_official(url: str) -> dict[str, Any]:
    import logging

    from amplitude import Amplitude, BaseEvent, Config

    logging.disable(logging.CRITICAL)  # it reports each batch that failed
    data = [BaseEvent(**event) for event in events.sent(EVENTS_OFFICIAL)]
    client = Amplitude("emu-key", Config(server_url=url + "/2/httpapi"))
    return measure(client.track, data, version=harness.version_of("amplitude-analytics"))


CONTENDERS = {
    "tidewheel, memory": with_tidewheel,
    "tidewheel, spool fast": lambda url: with_spool(url, "fast", EVENTS),
    "tidewheel, spool durable": lambda url: with_spool(url, "durable", EVENTS_DURABLE),
    "amplitude-analytics": with_official,
}


def table(server: str, runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    fields = ("p50_us", "p99_us", "p999_us", "max_us")
    print(f"\ntrack, server {server}: microseconds of a call, medians of {harness.ROUNDS} rounds")
    print(f"{'':28} {'p50':>10} {'p99':>10} {'p99.9':>10} {'worst':>10}")
    rows = {}
    for key, figures in runs.items():
        rows[key] = {field: harness.middle(figures, field) for field in fields}
        print(f"{key:28} " + " ".join(f"{rows[key][field]:10.1f}" for field in fields))
    return rows


def main() -> None:
    results = {}
    with harness.sink() as healthy, harness.sink(delay_ms=SLOW_MS) as slow, black_hole() as dead:
        for server, url in zip(SERVERS, (healthy, slow, dead), strict=True):
            runs = harness.collect(CONTENDERS, {"url": url})
            results[server] = table(server, runs)
    harness.write("track", {"events": EVENTS, "unit": "us", "results": results})


if __name__ == "__main__":
    harness.child(CONTENDERS)
    main()
