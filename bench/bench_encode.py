# SPDX-License-Identifier: MIT
"""What does one event cost as checked JSON bytes, next to encoders that check nothing?"""

from __future__ import annotations

import json
from typing import Any

import events
import harness

COUNT = 20_000  # different dicts: caches are cold, as in an application
TIMES = 5


def measure(encode: Any, **extra: Any) -> dict[str, Any]:
    data = events.sent(COUNT)
    for event in data[:100]:
        encode(event)
    meter = harness.Meter()
    meter.start()
    for _ in range(TIMES):
        for event in data:
            encode(event)
    return meter.stop(**extra)


def with_json() -> dict[str, Any]:
    dumps = json.dumps
    return measure(lambda e: dumps(e, separators=(",", ":")).encode())


def with_orjson() -> dict[str, Any]:
    import orjson

    return measure(orjson.dumps, version=harness.version_of("orjson"))


def with_tidewheel() -> dict[str, Any]:
    from tidewheel import _core

    client = _core.Client({"api_key": "emu-key"}, None, True)
    return measure(client.encode_event, version=harness.version_of("tidewheel"))


def with_official() -> dict[str, Any]:
    """BaseEvent and track() of the official SDK, its sending replaced by nothing."""
    from amplitude import Amplitude, BaseEvent
    from amplitude.plugin import AmplitudeDestinationPlugin

    AmplitudeDestinationPlugin.execute = lambda self, event: event.get_event_body()
    client = Amplitude("emu-key")
    return measure(
        lambda e: client.track(BaseEvent(**e)), version=harness.version_of("amplitude-analytics")
    )


if __name__ == "__main__":
    harness.run(
        "encode",
        {
            "orjson.dumps (no checks)": with_orjson,
            "json.dumps (no checks)": with_json,
            "tidewheel, all checks": with_tidewheel,
            "amplitude-analytics track": with_official,
        },
        baseline="orjson.dumps (no checks)",
        per=COUNT * TIMES,
        rounds=5,
    )
