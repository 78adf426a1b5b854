# SPDX-License-Identifier: MIT
"""The instrumentation limits of a project (limits page, read 2026-11-27): what comes after the
first 2,000 event types, 2,000 event properties and 1,000 user properties is ingested without an
error and exported, and cannot be asked for."""

from __future__ import annotations

import json
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest
from analytics_api import at, collapsed, event, row, segmentation, send, where
from emulator_api import Api

from tidewheel.emulator import Emulator

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator


def numbered(n: int) -> dict[str, Any]:
    """The n-th row brings the n-th of everything."""
    when = at("03-01 10:00") + n
    return row(f"{n:04d}", f"Type {n}", when, **{f"key {n}": n}, user_properties={f"own {n}": n})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """2,001 of everything, and identifications before them."""
    path = tmp_path_factory.mktemp("limits") / "store.db"
    with Emulator(store=str(path)) as emu:
        api = Api(emu)
        identify = {"event_type": "$identify", "user_properties": {"$set": {"own 1": 0}}}
        send(api, {"user_id": "user-0001", "device_id": "device-0001", **identify})
        send(api, *[numbered(n) for n in range(1, 2002)])
        api.connection.close()
    return path


@pytest.fixture(scope="module")
def full(store: pathlib.Path) -> Iterator[Api]:
    """Read from its file: the order of first receipt is the same."""
    with Emulator(store=str(store)) as emu:
        api = Api(emu)
        yield api
        api.connection.close()


def refused(api: Api, what: str, document: str, **query: Any) -> None:
    reply = api.get(
        "/api/2/events/segmentation", e=document, start="20260301", end="20260301", **query
    )
    assert reply.status == 400
    assert reply.json["error"]["metadata"]["details"] == f"Invalid {what}"


def test_types_beyond_the_limit_cannot_be_asked_for(full: Api) -> None:
    for n in (1, 1999, 2000):
        assert collapsed(segmentation(full, event(f"Type {n}"), "0301", "0301")) == [1]
    refused(full, "event type Type 2001", event("Type 2001"))
    names = {entry["value"] for entry in full.get("/api/2/events/list").json["data"]}
    assert "Type 2000" in names
    assert "Type 2001" not in names


def test_event_properties_beyond_the_limit_cannot_be_asked_for(full: Api) -> None:
    for n in (1, 2000):
        data = segmentation(full, event("_all", where(f"key {n}", "is", f"{n}")), "0301", "0301")
        assert collapsed(data) == [1]
    beyond = event("_all", where("key 2001", "is", "2001"))
    refused(full, "event property key 2001", beyond)
    refused(full, "event property key 2001", event("_all", by="key 2001"))


def test_user_properties_beyond_the_limit_cannot_be_asked_for(full: Api) -> None:
    for n in (1, 1000):
        data = segmentation(full, event("_all"), "0301", "0301", g=f"gp:own {n}")
        assert sorted(collapsed(data)) == [1, 2000]
    refused(full, "user property gp:own 1001", event("_all"), g="gp:own 1001")
    condition = [{"prop": "gp:own 1001", "op": "is", "values": ["1001"]}]
    refused(full, "user property gp:own 1001", event("_all"), s=json.dumps(condition))


def test_what_is_beyond_the_limits_is_there_all_the_same(full: Api) -> None:
    assert collapsed(segmentation(full, event("_all"), "0301", "0301")) == [2001]
    (found,) = [r for r in full.rows() if r["user_id"] == "user-2001"]
    assert found["event_type"] == "Type 2001"
    assert found["event_properties"] == {"key 2001": 2001}
    assert found["user_properties"] == {"own 2001": 2001}
    user = full.get("/api/2/usersearch", user="user-2001").json["matches"][0]
    activity = full.get("/api/2/useractivity", user=user["amplitude_id"]).json
    assert activity["events"][0]["event_type"] == "Type 2001"
    path = "/api/2/taxonomy/event/" + urllib.parse.quote("Type 2001")
    assert full.get(path).json["data"]["event_type"] == "Type 2001"


def test_the_limits_are_switches(full: Api) -> None:
    full.emu.switch(max_event_types=2001, max_event_properties=2001, max_user_properties=2001)
    document = event("Type 2001", where("key 2001", "is", "2001"))
    data = segmentation(full, document, "0301", "0301", g="gp:own 2001")
    assert collapsed(data) == [1]
    full.emu.switch(max_event_types=1, unknown_names="accept")
    assert collapsed(segmentation(full, event("Type 2"), "0301", "0301")) == [0]
