# SPDX-License-Identifier: MIT
"""What does it cost to deliver 200,000 events to a server that does next to nothing?"""

from __future__ import annotations

import http.client
import json
import threading
from typing import Any
from urllib.parse import urlsplit

import events
import harness

COUNT = 200_000
BATCH = 200  # the official SDK's own default, given to the plain loops too


def checked(url: str, figures: dict[str, Any]) -> dict[str, Any]:
    got = harness.sink_stats(url)
    if got["events"] != COUNT:
        raise RuntimeError(f"{got['events']} of {COUNT} events arrived")
    return figures | {"bytes": got["bytes"], "requests": got["requests"]}


def with_tidewheel(url: str) -> dict[str, Any]:
    import tidewheel

    data = events.sent(COUNT)
    meter = harness.Meter()
    meter.start()
    with tidewheel.Client(
        "emu-key", base_url=url, queue_events=50_000, on_queue_full="block", block_timeout=60
    ) as client:
        track = client.track
        for event in data:
            track(event)
        client.flush(60)
    return checked(url, meter.stop(version=harness.version_of("tidewheel")))


def plain_loop(url: str, dumps: Any, **extra: Any) -> dict[str, Any]:
    data = events.sent(COUNT)
    meter = harness.Meter()
    meter.start()
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    for at in range(0, COUNT, BATCH):
        body = dumps({"api_key": "emu-key", "events": data[at : at + BATCH]})
        connection.request("POST", "/2/httpapi", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if json.loads(answer.read())["code"] != 200:
            raise RuntimeError("not stored")
    return checked(url, meter.stop(**extra))


def with_json(url: str) -> dict[str, Any]:
    return plain_loop(url, lambda v: json.dumps(v, separators=(",", ":")).encode())


def with_orjson(url: str) -> dict[str, Any]:
    import orjson

    return plain_loop(url, orjson.dumps, version=harness.version_of("orjson"))


def with_official(url: str) -> dict[str, Any]:
    from amplitude import Amplitude, BaseEvent, Config

    data = events.sent(COUNT)
    done = threading.Semaphore(0)
    meter = harness.Meter()
    meter.start()
    client = Amplitude(
        "emu-key",
        Config(server_url=url + "/2/httpapi", callback=lambda *_: done.release()),
    )
    for event in data:
        client.track(BaseEvent(**event))
    client.flush()
    for _ in range(COUNT):
        done.acquire()
    return checked(url, meter.stop(version=harness.version_of("amplitude-analytics")))


if __name__ == "__main__":
    with harness.sink() as url:
        harness.run(
            "send",
            {
                "amplitude-analytics": with_official,
                "json.dumps + keep-alive": with_json,
                "orjson.dumps + keep-alive": with_orjson,
                "tidewheel": with_tidewheel,
            },
            baseline="amplitude-analytics",
            arguments={"url": url},
            per=COUNT,
        )
