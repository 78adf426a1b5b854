# SPDX-License-Identifier: MIT
"""What does it cost to read a day's export into dicts, next to the way connectors do it?"""

from __future__ import annotations

import gzip
import http.client
import io
import json
import zipfile
from typing import Any
from urllib.parse import urlsplit

import events
import harness

COUNT = 200_000
FIELDS = [
    "user_id",
    "device_id",
    "event_type",
    "event_time",
    "session_id",
    "amplitude_id",
    "country",
    "platform",
    "version_name",
    "$insert_id",
]


def checked(seen: int, figures: dict[str, Any]) -> dict[str, Any]:
    if seen != COUNT:
        raise RuntimeError(f"{seen} of {COUNT} events were read")
    return figures


def connector(url: str, loads: Any, **extra: Any) -> dict[str, Any]:
    """Body in memory, zipfile, gzip, one loads() a line: what published connectors do."""
    meter = harness.Meter()
    meter.start()
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    connection.request("GET", "/api/2/export?start=20260301T00&end=20260301T23")
    body = io.BytesIO(connection.getresponse().read())
    seen = 0
    with zipfile.ZipFile(body) as archive:
        for name in archive.namelist():
            with archive.open(name) as member, gzip.open(member) as text:
                for line in text:
                    loads(line)
                    seen += 1
    return checked(seen, meter.stop(**extra))


def with_json(url: str) -> dict[str, Any]:
    return connector(url, json.loads)


def with_orjson(url: str) -> dict[str, Any]:
    import orjson

    return connector(url, orjson.loads, version=harness.version_of("orjson"))


def tidewheel_rows(url: str, **options: Any) -> dict[str, Any]:
    import tidewheel

    meter = harness.Meter()
    meter.start()
    seen = 0
    with tidewheel.Client("emu-key", "emu-secret", base_url=url) as client:
        for _ in client.export("20260301T00", "20260301T23", **options):
            seen += 1
    return checked(seen, meter.stop(version=harness.version_of("tidewheel")))


def with_tidewheel(url: str) -> dict[str, Any]:
    return tidewheel_rows(url)


def with_fields(url: str) -> dict[str, Any]:
    return tidewheel_rows(url, fields=FIELDS)


if __name__ == "__main__":
    path = events.archive(harness.OUT, COUNT)
    with harness.sink(path) as url:
        harness.run(
            "export",
            {
                "zipfile + gzip + json.loads": with_json,
                "zipfile + gzip + orjson.loads": with_orjson,
                "tidewheel": with_tidewheel,
                "tidewheel, 10 fields": with_fields,
            },
            baseline="zipfile + gzip + json.loads",
            arguments={"url": url},
            per=COUNT,
        )
