# SPDX-License-Identifier: MIT
"""Short ways to fill an emulator with events and to ask it for charts."""

from __future__ import annotations

import datetime
import json
from typing import Any

from emulator_api import Api, Reply


def at(text: str, zone: datetime.tzinfo = datetime.UTC) -> int:
    """Milliseconds of a time of 2026 such as ``03-01 17:59:30``."""
    moment = datetime.datetime.fromisoformat("2026-" + text)
    return int(moment.replace(tzinfo=zone).timestamp() * 1000)


def row(user: str, event_type: str, when: str | int, **keys: Any) -> dict[str, Any]:
    """An event; keys other than those of the API are event properties."""
    known = {
        "user_properties",
        "session_id",
        "country",
        "platform",
        "price",
        "quantity",
        "revenue",
        "app_version",
        "os_name",
        "os_version",
        "insert_id",
        "language",
    }
    own = {name: value for name, value in keys.items() if name in known}
    properties = {name: value for name, value in keys.items() if name not in known}
    return {
        "user_id": f"user-{user}",
        "device_id": f"device-{user}",
        "event_type": event_type,
        "time": when if isinstance(when, int) else at(when),
        "event_properties": properties,
        **own,
    }


def send(api: Api, *rows: dict[str, Any]) -> None:
    for i in range(0, len(rows), 2000):
        reply = api.upload(*rows[i : i + 2000], path="/batch")
        assert reply.status == 200, reply.body


def event(event_type: str, *filters: dict[str, Any], by: Any = None) -> str:
    document: dict[str, Any] = {"event_type": event_type}
    if filters:
        document["filters"] = list(filters)
    if by is not None:
        names = [by] if isinstance(by, str) else by
        document["group_by"] = [
            {"type": "user" if n.startswith("gp:") else "event", "value": n} for n in names
        ]
    return json.dumps(document)


def where(key: str, op: str, *values: str, kind: str = "event") -> dict[str, Any]:
    return {
        "subprop_type": kind,
        "subprop_key": key,
        "subprop_op": op,
        "subprop_value": list(values),
    }


def prop(name: str, op: str, *values: str) -> dict[str, Any]:
    return {"prop": name, "op": op, "values": list(values)}


def performed(
    event_type: str, op: str, value: float, time_type: str, days: int | None = None
) -> dict[str, Any]:
    condition = {
        "type": "event",
        "event_type": event_type,
        "filters": [],
        "op": op,
        "value": value,
        "time_type": time_type,
    }
    return condition if days is None else {**condition, "time_value": days}


def segment(*conditions: dict[str, Any]) -> str:
    return json.dumps(list(conditions))


def ask(api: Api, path: str, start: str, end: str, **query: Any) -> Any:
    """The ``data`` of a chart of 2026; dates as ``0301``."""
    reply = api.get(path, start="2026" + start, end="2026" + end, **query)
    assert reply.status == 200, reply.body
    return reply.json["data"]


def segmentation(api: Api, e: Any, start: str, end: str, **query: Any) -> Any:
    return ask(api, "/api/2/events/segmentation", start, end, e=e, **query)


def collapsed(data: Any) -> list[float]:
    return [cell[0]["value"] for cell in data["seriesCollapsed"]]


def refused(reply: Reply) -> str:
    """Details of a 400 as the chart endpoints give it."""
    assert reply.status == 400, reply.body
    error = reply.json["error"]
    assert error["http_code"] == 400
    assert error["type"] == "invalid"
    assert error["message"] == "Invalid chart definition"
    return str(error["metadata"]["details"])
