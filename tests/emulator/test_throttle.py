# SPDX-License-Identifier: MIT
"""Throttles, quotas, silenced devices, meters and the ledger."""

from __future__ import annotations

import json
from typing import Any

import pytest
from emulator_api import Api, Reply, event

from tidewheel.emulator import Emulator

ERROR = "Too many requests for some devices and users"


def burst(api: Api, n: int, path: str = "/2/httpapi", **keys: Any) -> Reply:
    return api.upload(*[event(1, **keys) for _ in range(n)], path=path)


def test_a_user_over_thirty_a_second_is_429_until_the_window_has_moved(
    emu: Emulator, api: Api
) -> None:
    assert burst(api, 900).status == 200
    assert burst(api, 1).status == 200, "900 in 30 s are an average of 30"
    reply = api.upload(event(1), event(2), event(1))
    assert reply.status == 429
    assert reply.body == (
        b'{"code":429,"error":"Too many requests for some devices and users","eps_threshold":30,'
        b'"throttled_devices":{},"throttled_users":{"user-0001":30},"throttled_events":[0,2]}'
    )
    assert api.upload(event(2)).status == 200, "others are not held up"
    emu.advance(28)
    assert api.upload(event(1)).status == 429
    emu.advance(3)
    assert api.upload(event(1)).status == 200
    assert emu.meters()["v2"]["refused"] == 2


def test_batch_has_its_own_threshold_and_names_devices(emu: Emulator, api: Api) -> None:
    emu.switch(eps_batch=2)
    one = {"event_type": "e", "device_id": "device-1"}
    assert api.upload(*[one] * 61, path="/batch").status == 200
    reply = api.upload(one, path="/batch")
    assert reply.json == {
        "code": 429,
        "error": ERROR,
        "eps_threshold": 2,
        "throttled_devices": {"device-1": 2},
        "throttled_users": {},
        "exceeded_daily_quota_users": {},
        "exceeded_daily_quota_devices": {},
        "throttled_events": [0],
    }
    assert api.upload(one).status == 200, "the ways in are counted apart"


@pytest.mark.parametrize("spam", [False, True])
def test_the_daily_quota_moves_in_hours(emu: Emulator, api: Api, spam: bool) -> None:
    emu.switch(daily_events=100, daily_quota="after_spam" if spam else "always", eps_batch=3)
    assert burst(api, 90, "/batch").status == 200
    assert burst(api, 20, "/batch").status == 200
    emu.advance(31)
    reply = burst(api, 2, "/batch")
    if spam:  # 20 counted: those from the 91st on, when the average had passed 3 a second
        assert reply.status == 200
        assert emu.meters()["daily"]["peak"] == 22
        return
    assert reply.json["exceeded_daily_quota_users"] == {"user-0001": 110}
    assert reply.json["throttled_users"] == {}
    assert reply.json["throttled_events"] == [0, 1]
    emu.advance(22 * 3600)
    assert burst(api, 1, "/batch").status == 429
    emu.advance(2 * 3600)
    assert burst(api, 1, "/batch").status == 200


def test_switched_off_the_excess_is_still_on_record(emu: Emulator, api: Api) -> None:
    emu.switch(throttle=False)
    for _ in range(2):
        assert burst(api, 1000).status == 200
    meters = emu.meters()
    assert meters["v2"]["excess"] == 2
    assert meters["v2"]["refused"] == 0
    assert meters["v2"]["peak_eps"] == pytest.approx(2000 / 30, abs=0.01)
    assert [(x["meter"], x["kind"], x["id"]) for x in meters["log"]] == [
        ("v2", "user_id", "user-0001")
    ] * 2
    assert meters["complete"] is True
    emu.reset()
    assert emu.meters()["v2"]["events"] == 0
    emu.switch(meters=False)
    burst(api, 1000)
    assert emu.meters()["v2"]["events"] == 0


def test_silenced_devices(emu: Emulator, api: Api) -> None:
    emu.silence("device-13")
    good = event(1, device_id="device-7")
    bad = event(2, device_id="device-13")
    reply = api.upload(good, bad, bad)
    assert reply.status == 400
    assert reply.json == {
        "code": 400,
        "error": "Events silenced for device_id",
        "eps_threshold": 30,
        "exceeded_daily_quota_devices": {},
        "silenced_devices": ["device-13"],
        "silenced_events": [1, 2],
        "throttled_devices": {},
        "throttled_events": [],
    }
    assert api.upload(good).status == 200
    emu.silence()
    assert api.upload(bad).status == 200
    with pytest.raises(ValueError, match="array of texts"):
        emu._control("POST", "/silenced", {"devices": 1})


def test_property_updates_beyond_the_limit_are_dropped_in_silence(emu: Emulator, api: Api) -> None:
    emu.switch(updates_per_hour=3, export_lag_hours=0)
    for n in range(5):
        assert api.upload(event(1, user_properties={"n": n})).status == 200
    assert [row["user_properties"] for row in api.rows()] == [{"n": n} for n in (0, 1, 2, 2, 2)], (
        "the events are stored all the same"
    )
    assert emu.meters()["updates"]["excess"] == 2
    assert api.form("/identify", {"user_id": "user-0001", "user_properties": {"n": 9}}).body == (
        b"success"
    )
    emu.advance(3600)
    api.upload(event(1, user_properties={"n": 10}))
    assert api.rows()[-1]["user_properties"] == {"n": 10}
    assert emu.meters()["updates"]["excess"] == 3


def test_identifications_are_throttled_with_the_json_body(emu: Emulator, api: Api) -> None:
    emu.switch(eps_identify=1)
    one = {"user_id": "user-0001", "user_properties": {"a": 1}}
    assert api.form("/identify", [one] * 31).status == 200
    reply = api.form("/identify", one)
    assert reply.status == 429
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json["throttled_users"] == {"user-0001": 1}


# ---- ledger -------------------------------------------------------------------------------------


def test_the_ledger_tells_the_fate_of_each_insert_id(emu: Emulator, api: Api) -> None:
    stored = event(1, insert_id="a", user_properties={"x": 1})
    api.upload(stored, event(2, insert_id="b"), event(3))
    api.upload(stored)
    api.upload({**stored, "platform": "Web"})
    api.upload(event(4, insert_id="refused", time="x"))
    emu.faults({"when": "before_commit", "do": {"status": 503}, "count": 1})
    api.upload(event(5, insert_id="faulted"))
    accounts = {entry["insert_id"]: entry for entry in emu.ledger(page=2)}
    assert list(accounts) == ["a", "b", "refused", "faulted"]
    counts = ("received", "committed", "duplicate", "applied", "variants")
    assert {name: tuple(entry[key] for key in counts) for name, entry in accounts.items()} == {
        "a": (3, 1, 2, 1, 1),
        "b": (1, 1, 0, 0, 0),
        "refused": (1, 0, 0, 0, 0),
        "faulted": (1, 0, 0, 0, 0),
    }
    assert accounts["a"]["commit_ms"] >= accounts["a"]["first_ms"]
    assert accounts["refused"]["commit_ms"] is None
    assert emu._control("GET", "/ledger")["unnamed"] == 1


def test_the_ledger_is_bounded_and_forgotten(emu: Emulator, api: Api) -> None:
    emu.switch(ledger_entries=10)
    api.upload(*[event(n, insert_id=f"i-{n}") for n in range(2000)])
    page = emu._control("GET", "/ledger")
    assert (page["total"], page["dropped"], len(page["entries"])) == (10, 1990, 10)
    emu.reset()
    assert list(emu.ledger()) == []
    emu.switch(ledger=False)
    api.upload(event(1, insert_id="i-1"))
    assert list(emu.ledger()) == []


def test_the_ledger_outlives_the_journal(emu: Emulator, api: Api) -> None:
    emu.switch(journal_entries=1, throttle=False)
    for n in range(0, 6000, 2000):
        body = [event(i, insert_id=json.dumps(i)) for i in range(n, n + 2000)]
        assert api.upload(*body, path="/batch").status == 200
    assert [entry["insert_id"] for entry in emu.ledger(page=999)] == [str(i) for i in range(6000)]
    assert all(entry["committed"] == 1 for entry in emu.ledger())


def test_all_devices_of_a_throttled_user_are_throttled(emu: Emulator, api: Api) -> None:
    emu.switch(eps_v2=2)
    alone = {"event_type": "e", "device_id": "device-2"}
    assert api.upload(event(1, device_id="device-2"), event(2, device_id="device-3")).status == 200
    emu.advance(20)
    assert burst(api, 61, device_id="device-1").status == 200
    reply = api.upload(alone, event(2, device_id="device-3"), event(1, device_id="device-4"))
    assert reply.status == 429
    assert reply.json["throttled_devices"] == {"device-2": 0, "device-4": 0}
    assert reply.json["throttled_users"] == {"user-0001": 2}
    assert reply.json["throttled_events"] == [0, 2]
    assert api.upload(event(2, device_id="device-3")).status == 200, "of another user"
    assert api.upload(event(2, device_id="device-2")).status == 429
    emu.advance(11)
    assert api.upload(alone).status == 200, "too long ago that it named the user"
    assert api.upload(event(1)).status == 429


def test_a_device_goes_with_the_user_it_named_last(emu: Emulator, api: Api) -> None:
    emu.switch(eps_v2=2)
    assert api.upload(event(1, device_id="device-2")).status == 200
    assert api.upload(event(2, device_id="device-2")).status == 200
    assert burst(api, 61, device_id="device-1").status == 200
    assert api.upload({"event_type": "e", "device_id": "device-2"}).status == 200
