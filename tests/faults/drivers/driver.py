# SPDX-License-Identifier: MIT
"""Tracks events as a case on standard input says, notes each before and after, tells the end."""

from __future__ import annotations

import contextlib
import json
import os
import sys

import tidewheel


def value_of(text: str) -> bool | int | float | str:
    if text == "True":
        return True
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def changes(n: int, users: int) -> dict[str, dict[str, int]]:
    """Of a merged event: its user has `odd` after every other event of it, see kit.py."""
    odd = (n // users + n % users) % 2
    unset = {} if odd else {"$unset": {"odd": 1}}
    return {"$set": {"latest": n} | ({"odd": n} if odd else {}), **unset, "$setOnce": {"first": n}}


def main() -> None:
    case = dict(line.rstrip("\n").split("\t", 1) for line in sys.stdin)
    options = {name[7:]: value_of(text) for name, text in case.items() if name[:7] == "option."}
    client = tidewheel.Client(case["api_key"], base_url=case["url"], outcomes=True, **options)
    notes = os.open(case["notes"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    first, users = int(case["first"]), int(case["users"])
    identify = case.get("identify") == "1"
    refusals: dict[str, int] = {}
    for n in range(first, first + int(case["events"])):
        event_id = f"{case['run']}-{n}"
        event = {
            "event_type": "$identify" if identify else "fault",
            "device_id" if case.get("devices") == "1" else "user_id": f"user-{n % users:05d}",
            "insert_id": event_id,
            "user_properties": {"$add": {"visits": 1}} if identify else {},
            "event_properties": {"text": f"{event_id}:{n * n}"},
        }
        if case.get("changes") == "1":
            event |= {"event_type": "$identify", "user_properties": changes(n, users)}
            del event["event_properties"]
        os.write(notes, f"call {event_id}\n".encode())
        try:
            client.track(event)
        except tidewheel.TidewheelError as error:
            refusals[error.code] = refusals.get(error.code, 0) + 1
            os.write(notes, f"no {event_id}\n".encode())
        else:
            os.write(notes, f"ok {event_id}\n".encode())
    flushed = closed = "ok"
    end = client.drain if case.get("drain") == "1" else client.flush
    try:
        if end(float(case["flush"])).waiting:
            flushed = "timeout"
    except tidewheel.TidewheelError as error:
        flushed = error.code
    report = client.close(float(case["close"]))
    if not report.complete:
        closed = "timeout"
    numbers = client.stats()._asdict().items()
    stats = {name: int(value) for name, value in numbers if isinstance(value, int | float)}
    rejected = [rejection.event["insert_id"] for rejection in client.rejected()]
    ends = [
        [end.insert_id, end.state, end.reason if end.state == "merged" else ""]
        for end in client.outcomes()
    ]
    said = {"flush": flushed, "close": closed, "stats": stats, "rejected": rejected}
    said |= {"refusals": refusals, "ends": ends}
    print(json.dumps(said))


main()
