# SPDX-License-Identifier: MIT
"""What does it cost to deliver events to a server that does next to nothing?

Three tables: 200,000 events with every sender, 1,000,000 with those that are quick enough, and our
own cost per event while a backlog of 10,000, 100,000 and 1,000,000 events is taken in with no
server to send to and then delivered.
"""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import events
import harness

COUNT = 200_000
MANY = 1_000_000
BACKLOGS = (10_000, 100_000, 1_000_000)
DIFFERENT = 20_000  # dicts, sent again and again: a million of them would be all of the memory
BATCH = 200  # the official SDK's own default, given to the plain loops too


def stream(count: int) -> tuple[list[dict[str, Any]], Iterator[dict[str, Any]]]:
    data = events.sent(min(count, DIFFERENT))
    return data, itertools.islice(itertools.cycle(data), count)


def checked(url: str, count: int, figures: dict[str, Any]) -> dict[str, Any]:
    got = harness.sink_stats(url)
    if got["events"] != count:
        raise RuntimeError(f"{got['events']} of {count} events arrived")
    return figures | {"bytes": got["bytes"], "requests": got["requests"]}


def with_tidewheel(url: str, count: int, **options: Any) -> dict[str, Any]:
    import tidewheel

    _, data = stream(count)
    meter = harness.Meter()
    meter.start()
    with tidewheel.Client(
        "emu-key",
        base_url=url,
        queue_events=50_000,
        on_queue_full="block",
        block_timeout=60,
        **options,
    ) as client:
        track = client.track
        for event in data:
            track(event)
        client.flush(60)
    return checked(url, count, meter.stop(version=harness.version_of("tidewheel")))


def with_spool(url: str, count: int) -> dict[str, Any]:
    harness.OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=harness.OUT) as folder:
        return with_tidewheel(url, count, spool=folder)


def plain_loop(url: str, count: int, dumps: Callable[[Any], bytes], **extra: Any) -> dict[str, Any]:
    _, data = stream(count)
    meter = harness.Meter()
    meter.start()
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
    while batch := list(itertools.islice(data, BATCH)):
        body = dumps({"api_key": "emu-key", "events": batch})
        connection.request("POST", "/2/httpapi", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if json.loads(answer.read())["code"] != 200:
            raise RuntimeError("not stored")
    return checked(url, count, meter.stop(**extra))


def with_json(url: str, count: int) -> dict[str, Any]:
    return plain_loop(url, count, lambda v: json.dumps(v, separators=(",", ":")).encode())


def with_ujson(url: str, count: int) -> dict[str, Any]:
    import ujson

    return plain_loop(
        url,
        count,
        lambda v: ujson.dumps(v, ensure_ascii=False).encode(),
        version=harness.version_of("ujson"),
    )


def with_orjson(url: str, count: int) -> dict[str, Any]:
    import orjson

    return plain_loop(url, count, orjson.dumps, version=harness.version_of("orjson"))


def with_official(url: str, count: int) -> dict[str, Any]:
    from amplitude import Amplitude, BaseEvent, Config

    _, data = stream(count)
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
    for _ in range(count):
        done.acquire()
    return checked(url, count, meter.stop(version=harness.version_of("amplitude-analytics")))


def with_backlog(count: int) -> dict[str, Any]:
    """All is taken in while nobody listens; then the server comes up."""
    import tidewheel

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    _, data = stream(count)
    meter = harness.Meter()
    meter.start()
    client = tidewheel.Client(
        "emu-key",
        base_url=f"http://127.0.0.1:{port}",
        queue_events=count,
        queue_bytes=2**30,
        backoff_first=0.05,
        backoff_max=0.2,
    )
    for event in data:
        client.track(event)
    with harness.sink(port=port) as url:
        client.flush(120)
        figures = checked(url, count, meter.stop())
    client.close(0)
    return figures


SENDERS: dict[str, Callable[..., dict[str, Any]]] = {
    "amplitude-analytics": with_official,
    "json.dumps + keep-alive": with_json,
    "ujson.dumps + keep-alive": with_ujson,
    "orjson.dumps + keep-alive": with_orjson,
    "tidewheel": with_tidewheel,
    "tidewheel, gzip": lambda url, count: with_tidewheel(url, count, gzip=True),
    "tidewheel, spool fast": with_spool,
}


def backlog_table() -> None:
    runs = {
        f"backlog {n:,}": harness.collect({"backlog": with_backlog}, {"count": n}) for n in BACKLOGS
    }
    rows = {}
    print(f"\nsend-backlog: medians of {harness.ROUNDS} rounds")
    print(f"{'':20} {'CPU us/event':>14} {'RSS MiB':>8} {'RSS bytes/event':>16}")
    for (name, figures), n in zip(runs.items(), BACKLOGS, strict=True):
        cpu = harness.middle(figures["backlog"], "cpu_s") / n * 1e6
        rss = harness.middle(figures["backlog"], "rss_mib")
        rows[name] = {"cpu_us_per_event": cpu, "rss_mib": rss}
        print(f"{name:20} {cpu:14.2f} {rss:8.1f} {rss * 2**20 / n:16.0f}")
    harness.write("send-backlog", {"unit": "event", "results": rows})


def main() -> None:
    with harness.sink() as url:
        harness.run(
            "send",
            SENDERS,
            baseline="amplitude-analytics",
            arguments={"url": url, "count": COUNT},
            per=COUNT,
        )
        harness.run(
            "send-many",
            {name: way for name, way in SENDERS.items() if name != "amplitude-analytics"},
            baseline="json.dumps + keep-alive",
            arguments={"url": url, "count": MANY},
            per=MANY,
            rounds=1,
        )
    backlog_table()


if __name__ == "__main__":
    harness.child(SENDERS | {"backlog": with_backlog})
    main()
