# SPDX-License-Identifier: MIT
"""What does one event cost as checked JSON bytes, next to encoders that check nothing?

Twice: a few events again and again, as microbenchmarks have it, and 20,000 different dicts, none of
which is in the processor's caches when its turn comes. All take turns in one process, so that
whatever else the machine does meets them alike; the figures are the CPU time of the calling thread.
The row of `track` is check, freeze and queue; what the sending thread does is in bench_send.py.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import events
import harness

SHAPES = {"hot": 200, "cold": 20_000}  # different events
TURNS = 21
CALLS = 20_000  # in a turn
CALLS_SLOW = 1_000  # of an encoder that takes long
BASELINE = "orjson.dumps (no checks)"

Encoder = Callable[[dict[str, Any]], Any]


def official() -> Encoder:
    """BaseEvent and track() of the official SDK, its sending replaced by nothing."""
    from amplitude import Amplitude, BaseEvent
    from amplitude.plugin import AmplitudeDestinationPlugin

    AmplitudeDestinationPlugin.execute = lambda self, event: event.get_event_body()
    client = Amplitude("emu-key")
    return lambda event: client.track(BaseEvent(**event))


def encoders(url: str) -> tuple[dict[str, tuple[Encoder, int]], Callable[[], Any]]:
    """The contenders, and what ends the work in the background that a turn leaves behind."""
    import orjson
    import ujson

    import tidewheel
    from tidewheel import _core

    core = _core.Client({"api_key": "emu-key"}, None, True)
    client = tidewheel.Client(
        "emu-key", base_url=url, queue_events=2_000_000, queue_bytes=2_000_000_000
    )
    plain, quick = json.dumps, ujson.dumps
    ways = {
        BASELINE: (orjson.dumps, CALLS),
        "ujson.dumps (no checks)": (lambda e: quick(e, ensure_ascii=False).encode(), CALLS),
        "json.dumps (no checks)": (lambda e: plain(e, separators=(",", ":")).encode(), CALLS),
        "tidewheel, all checks": (core.encode_event, CALLS),
        "tidewheel track, whole": (client.track, CALLS),
        "amplitude-analytics track": (official(), CALLS_SLOW),
        "the loop alone": (id, CALLS),
    }
    return ways, client.flush


def turn(encode: Encoder, data: list[dict[str, Any]], calls: int) -> float:
    """Nanoseconds of one call."""
    data = data[:calls]
    rounds = calls // len(data)
    begin = time.thread_time_ns()
    for _ in range(rounds):
        for event in data:
            encode(event)
    return (time.thread_time_ns() - begin) / (rounds * len(data))


def measure(
    ways: dict[str, tuple[Encoder, int]], settle: Callable[[], Any], different: int
) -> dict[str, list[float]]:
    data = events.sent(different)
    for encode, _ in ways.values():
        turn(encode, data, 200)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways)
    gc.collect()
    gc.disable()
    for _ in range(TURNS):
        for name in order:
            encode, calls = ways[name]
            taken[name].append(turn(encode, data, calls))
            settle()
        order = order[1:] + order[:1]  # nobody always comes after the same one
    gc.enable()
    return taken


def table(shape: str, taken: dict[str, list[float]]) -> dict[str, Any]:
    print(f"\nencode, {shape}: nanoseconds of thread time a call, {TURNS} turns in one process")
    print(f"{'':28} {'best':>8} {'median':>8}  x {BASELINE}: of bests, median (of 8 in 10 turns)")
    base = taken[BASELINE]
    rows = {}
    for name, each in taken.items():
        ratios = [b / e for b, e in zip(base, each, strict=True)]
        tenths = statistics.quantiles(ratios, n=10)
        rows[name] = {
            "best_ns": min(each),
            "median_ns": statistics.median(each),
            "ratio_of_bests": min(base) / min(each),
            "median_of_ratios": statistics.median(ratios),
            "ratio_low": tenths[0],
            "ratio_high": tenths[-1],
        }
        print(
            "{:28} {:8.0f} {:8.0f}  {:.2f} {:.2f} ({:.2f}-{:.2f})".format(
                name, *rows[name].values()
            )
        )
    return rows


def main() -> None:
    peers = ("orjson", "ujson", "amplitude-analytics")
    with harness.sink() as url:
        ways, settle = encoders(url)
        results = {
            shape: table(shape, measure(ways, settle, different))
            for shape, different in SHAPES.items()
        }
    versions = {name: harness.version_of(name) for name in peers}
    harness.write("encode", {"unit": "ns", "versions": versions, "results": results})


if __name__ == "__main__":
    main()
