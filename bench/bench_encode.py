# SPDX-License-Identifier: MIT
"""What does one event cost as checked JSON bytes, next to encoders that check nothing?

Twice: a few events again and again, as microbenchmarks have it, and 20,000 different dicts, none of
which is in the processor's caches when its turn comes. The rows of `track` are the caller's thread
alone: check, freeze and queue; what the sending thread does is in bench_send.py.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from typing import Any

import events
import harness

CALLS = 200_000  # what the figures are scaled to
TURNS = 5
SHAPES = {"hot": 200, "cold": 20_000}  # different events


def measure(
    shape: str, encode: Callable[[dict[str, Any]], Any], calls: int = CALLS // TURNS, **extra: Any
) -> dict[str, Any]:
    """CPU seconds of this thread for CALLS calls by the best of some turns: other work on the
    machine only ever adds. `calls` are made in a turn."""
    data = events.sent(SHAPES[shape])
    for event in data[:200]:
        encode(event)
    gc.collect()
    gc.disable()
    turns = []
    for _ in range(TURNS):
        begin = time.thread_time()
        for _ in range(calls // len(data)):
            for event in data:
                encode(event)
        turns.append(time.thread_time() - begin)
    gc.enable()
    return {"cpu_s": min(turns) * CALLS / calls, **extra}


def with_nothing(shape: str, **_: Any) -> dict[str, Any]:
    """The loop itself, which is in all rows."""
    return measure(shape, id)


def with_json(shape: str, **_: Any) -> dict[str, Any]:
    dumps = json.dumps
    return measure(shape, lambda e: dumps(e, separators=(",", ":")).encode())


def with_ujson(shape: str, **_: Any) -> dict[str, Any]:
    import ujson

    dumps = ujson.dumps
    return measure(
        shape, lambda e: dumps(e, ensure_ascii=False).encode(), version=harness.version_of("ujson")
    )


def with_orjson(shape: str, **_: Any) -> dict[str, Any]:
    import orjson

    return measure(shape, orjson.dumps, version=harness.version_of("orjson"))


def with_tidewheel(shape: str, **_: Any) -> dict[str, Any]:
    from tidewheel import _core

    client = _core.Client({"api_key": "emu-key"}, None, True)
    return measure(shape, client.encode_event, version=harness.version_of("tidewheel"))


def with_track(shape: str, url: str) -> dict[str, Any]:
    import tidewheel

    client = tidewheel.Client(
        "emu-key", base_url=url, queue_events=2_000_000, queue_bytes=2_000_000_000
    )
    figures = measure(shape, client.track, version=harness.version_of("tidewheel"))
    client.close(60)
    return figures


def with_official(shape: str, **_: Any) -> dict[str, Any]:
    """BaseEvent and track() of the official SDK, its sending replaced by nothing."""
    from amplitude import Amplitude, BaseEvent
    from amplitude.plugin import AmplitudeDestinationPlugin

    AmplitudeDestinationPlugin.execute = lambda self, event: event.get_event_body()
    client = Amplitude("emu-key")
    return measure(
        shape,
        lambda e: client.track(BaseEvent(**e)),
        calls=20_000,
        version=harness.version_of("amplitude-analytics"),
    )


if __name__ == "__main__":
    with harness.sink() as url:
        for shape in SHAPES:
            harness.run(
                f"encode-{shape}",
                {
                    "orjson.dumps (no checks)": with_orjson,
                    "ujson.dumps (no checks)": with_ujson,
                    "json.dumps (no checks)": with_json,
                    "tidewheel, all checks": with_tidewheel,
                    "tidewheel track, whole": with_track,
                    "amplitude-analytics track": with_official,
                    "the loop alone": with_nothing,
                },
                baseline="orjson.dumps (no checks)",
                arguments={"shape": shape, "url": url},
                per=CALLS,
                rounds=5,
            )
