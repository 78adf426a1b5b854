# SPDX-License-Identifier: MIT
"""User lookup: search by id, device, Amplitude ID and prefix; activity page by page."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from emulator_api import Api, event

from tidewheel.emulator import Emulator

NOW_MS = int(time.time()) * 1000
DAY_MS = 86_400_000
NOWHERE = "1.7976931348623157E308"


def search(api: Api, user: object) -> Any:
    reply = api.get("/api/2/usersearch", user=user)
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    return reply.json


def find(api: Api, user: object) -> int:
    (match,) = search(api, user)["matches"]
    return int(match["amplitude_id"])


def activity(api: Api, user: object, **query: object) -> Any:
    reply = api.get("/api/2/useractivity", user=user, **query)
    assert reply.status == 200, reply.body
    return reply.json


def names(answer: Any) -> list[str]:
    return [row["event_type"] for row in answer["events"]]


# --- search ---


def test_a_match_has_the_recorded_keys(api: Api) -> None:
    api.upload(
        event(1, device_id="dev-1", platform="Web", country="Chile", time=NOW_MS - 3 * DAY_MS)
    )
    answer = search(api, "user-0001")
    (match,) = answer["matches"]
    assert list(answer) == ["matches", "type"]
    assert answer["type"] == "match_user_or_device_id"
    assert list(match) == [
        "user_id",
        "amplitude_id",
        "last_device_id",
        "platform",
        "country",
        "last_seen",
    ]
    day = time.strftime("%Y-%m-%d", time.gmtime((NOW_MS - 3 * DAY_MS) / 1000))
    assert {k: v for k, v in match.items() if k != "amplitude_id"} == {
        "user_id": "user-0001",
        "last_device_id": "dev-1",
        "platform": "Web",
        "country": "Chile",
        "last_seen": day,
    }
    assert isinstance(match["amplitude_id"], int)


def test_kinds_of_match_go_from_exact_to_prefix(api: Api) -> None:
    api.upload(event(1, device_id="dev-1"), event(12), event(123))
    api.upload({"device_id": "dev-anonymous", "event_type": "Basket Opened"})
    by_user = search(api, "user-0001")
    assert search(api, "dev-1") == by_user
    amplitude_id = by_user["matches"][0]["amplitude_id"]
    by_number = search(api, amplitude_id)
    assert by_number == {"matches": by_user["matches"], "type": "match_amplitude_id"}
    by_prefix = search(api, "user-0")
    assert by_prefix["type"] == "match_user_prefix"
    assert [m["user_id"] for m in by_prefix["matches"]] == ["user-0001", "user-0012", "user-0123"]
    (anonymous,) = search(api, "dev-anonymous")["matches"]
    assert (anonymous["user_id"], anonymous["platform"]) == (None, None)
    # A user id that is a number goes before the Amplitude ID.
    api.upload({"user_id": str(amplitude_id), "event_type": "Basket Opened"})
    assert search(api, amplitude_id)["type"] == "match_user_or_device_id"


def test_nobody_is_found(api: Api) -> None:
    assert search(api, "nobody") == {"matches": [], "type": "nomatch"}
    assert search(api, 17) == {"matches": [], "type": "nomatch"}


def test_a_user_without_events_is_found(api: Api) -> None:
    api.form("/identify", {"user_id": "user-0009", "user_properties": {"tier": "gold"}})
    (match,) = search(api, "user-0009")["matches"]
    assert (match["last_seen"], match["last_device_id"]) == (None, None)
    data = activity(api, match["amplitude_id"])["userData"]
    assert (data["num_events"], data["properties"]) == (0, {"tier": "gold"})
    assert "first_used" not in data
    assert "last_used" not in data


def test_a_merged_user_is_found_by_its_old_id(api: Api) -> None:
    api.upload({"device_id": "dev-7", "event_type": "Looked", "time": NOW_MS - DAY_MS})
    before = find(api, "dev-7")
    api.upload(event(7, device_id="dev-other"))
    api.upload(event(7, device_id="dev-7", event_type="Bought"))
    after = find(api, "user-0007")
    assert after != before
    assert find(api, before) == after
    data = activity(api, before)["userData"]
    assert data["canonical_amplitude_id"] == after
    assert data["merged_amplitude_ids"] == [before]
    assert data["num_events"] == 3


# --- activity: the user ---


def test_the_user_data_of_the_live_service(api: Api) -> None:
    start = NOW_MS - 5 * DAY_MS
    api.upload(
        event(
            1,
            device_id="dev-1",
            time=start,
            session_id=start,
            platform="Web",
            app_version="1.0",
        ),
        event(
            1,
            device_id="dev-2",
            time=start + 40_000,
            session_id=start,
            price=10.5,
            quantity=2,
        ),
        event(
            1,
            device_id="dev-1",
            time=start + DAY_MS,
            platform="iOS",
            os_name="iOS",
            os_version="19.1",
            device_model="iPhone 17",
            country="Chile",
            language="es",
            carrier="Entel",
            app_version="1.1",
            ip="10.0.0.1",
            groups={"shop": "north"},
            event_properties={"$revenue": 2},
            user_properties={"tier": "gold"},
        ),
    )
    api.form("/identify", {"user_id": "user-0001", "user_properties": {"visits": 3}})
    data = activity(api, find(api, "user-0001"))["userData"]
    first = time.strftime("%Y-%m-%d", time.gmtime(start / 1000))
    last = time.strftime("%Y-%m-%d", time.gmtime((start + DAY_MS) / 1000))
    assert data == {
        "user_id": "user-0001",
        "canonical_amplitude_id": find(api, "user-0001"),
        "merged_amplitude_ids": [],
        "num_events": 3,
        "num_sessions": 1,
        "usage_time": 40_000,
        "first_used": first,
        "last_used": last,
        "purchases": "2",
        "revenue": "23.0",
        "platform": "iOS",
        "os": "iOS 19.1",
        "version": "1.1",
        "device": "iPhone 17",
        "device_type": None,
        "carrier": "Entel",
        "country": "Chile",
        "region": None,
        "city": None,
        "dma": None,
        "language": "Spanish",
        "start_version": "1.0",
        "device_ids": ["dev-1", "dev-2"],
        "last_device_id": "dev-1",
        "last_location": {"lat": NOWHERE, "lng": NOWHERE},
        "properties": {"tier": "gold", "visits": 3},
        "profileProperties": {},
        "merge_times": [],
        "library": "http/2.0",
        "ip_address": "10.0.0.1",
        "paying": True,
        "groups": {"shop": "north"},
        "aliasing_user_ids": [],
        "aliased_user_id": None,
        "aliased_amplitude_id": None,
        "aliasing_profiles": [],
    }


def test_revenue_is_what_analytics_takes_it_for(api: Api) -> None:
    """Fields of the event go before the properties in which the SDKs send revenue."""
    now = int(time.time() * 1000)
    api.upload(
        event(1, time=now, revenue=10, event_properties={"$price": 3, "$quantity": 2}),
        event(1, time=now, price=2, event_properties={"$quantity": 5}),
        event(1, time=now, event_properties={"$price": 4, "$quantity": 2, "$revenue": 100}),
        event(1, time=now, event_properties={"$revenue": 1}),
        event(1, time=now, event_properties={"$quantity": 7}),
    )
    data = activity(api, find(api, "user-0001"))["userData"]
    assert (data["purchases"], data["revenue"]) == ("4", "21.0")
    today = time.strftime("%Y%m%d", time.gmtime(now / 1000))
    answer = api.get("/api/2/revenue/ltv", m=2, start=today, end=today).json["data"]
    assert answer["series"][0]["combined"]["total_amount"] == 21


def test_places_are_texts(api: Api) -> None:
    api.upload(event(1, location_lat=-33.45, location_lng=-70.66))
    data = activity(api, find(api, "user-0001"))["userData"]
    assert data["last_location"] == {"lat": "-33.45", "lng": "-70.66"}
    assert (data["purchases"], data["revenue"]) == ("0", "0.0")


def test_an_unknown_amplitude_id_is_answered_200(api: Api) -> None:
    assert activity(api, 902117334456) == {
        "userData": {
            "num_sessions": 0,
            "purchases": 0,
            "revenue": 0,
            "merged_amplitude_ids": [],
            "num_events": 0,
            "canonical_amplitude_id": 902117334456,
            "user_id": None,
            "last_location": None,
            "usage_time": 0,
            "last_device_id": None,
            "device_ids": [],
        },
        "events": [],
    }


def test_sessions_are_counted_as_documented(api: Api, emu: Emulator) -> None:
    t = NOW_MS - 20 * DAY_MS

    def at(seconds: int, session: int, **keys: Any) -> dict[str, Any]:
        return event(1, time=t + seconds * 1000, session_id=session, **keys)

    api.upload(
        at(0, t - 5000),
        at(40, t - 5000),
        at(50, -1),
        at(100, t + 100_000),
        at(200, t + 200_000),
        at(200 + 86_400, t + 200_000),
    )
    user = find(api, "user-0001")
    data = activity(api, user)["userData"]
    # The last one lasted a whole day and does not count; -1 is no session.
    assert (data["num_sessions"], data["usage_time"]) == (2, 40_000)
    emu.switch(session_length="session_id")
    data = activity(api, user)["userData"]
    assert (data["num_sessions"], data["usage_time"]) == (2, 45_000)


def test_days_are_those_of_the_project() -> None:
    with Emulator(time_zone="Pacific/Auckland") as emu:
        api = Api(emu)
        api.upload(event(1, time=1772366399000), event(1, time=1772449200000))
        (match,) = search(api, "user-0001")["matches"]
        assert match["last_seen"] == "2026-03-03"  # 2026-03-02 11:00 UTC, thirteen hours ahead
        user = activity(api, match["amplitude_id"])["userData"]
        assert (user["first_used"], user["last_used"]) == ("2026-03-02", "2026-03-03")
        path = "/v1/userprofile?user_id=user-0001&get_amp_props=true"
        reply = api.call("GET", path, Authorization=f"Api-Key {emu.secret_key}")
        assert reply.json["userData"]["amp_props"]["last_used"] == "2026-03-03"
        api.connection.close()


def test_times_as_far_apart_as_numbers_go() -> None:
    with Emulator(time_zone="America/New_York") as emulator:
        api = Api(emulator)
        now = int(time.time() * 1000)
        api.upload(
            event(1, time=-(2**63), session_id=5),
            event(1, time=now, session_id=5),
            event(1, time=now),
        )
        data = activity(api, find(api, "user-0001"))["userData"]
        api.connection.close()
    assert (data["num_events"], data["num_sessions"], data["usage_time"]) == (3, 0, 0)
    assert data["first_used"] == "0000-01-01"


def test_a_session_from_its_id_is_as_long_as_in_charts(api: Api, emu: Emulator) -> None:
    emu.switch(session_length="session_id")
    now = int(time.time() * 1000)
    ids = {"a": -(2**63), "b": -7, "c": now + 1, "d": now - 60_000, "e": 0}
    for name, session_id in ids.items():
        api.upload(event(1, time=now, session_id=session_id, insert_id=name))
    data = activity(api, find(api, "user-0001"))["userData"]
    assert (data["num_sessions"], data["usage_time"]) == (4, 60_000)
    today = time.strftime("%Y%m%d", time.gmtime(now / 1000))
    reply = api.get("/api/2/sessions/average", start=today, end=today)
    assert reply.json["data"]["series"] == [[15]]


def test_what_is_still_to_come_does_not_count(api: Api, emu: Emulator) -> None:
    api.upload(event(1, time=NOW_MS - DAY_MS), event(1, event_type="Later", time=NOW_MS + DAY_MS))
    user = find(api, "user-0001")
    assert names(activity(api, user)) == ["Basket Opened"]
    emu.advance(2 * 86_400)
    assert names(activity(api, user)) == ["Later", "Basket Opened"]
    assert activity(api, user)["userData"]["num_events"] == 2


# --- activity: the events ---


def test_rows_have_the_keys_seen_live(api: Api) -> None:
    api.upload(event(1, os_name="iOS", os_version="19"))
    (row,) = activity(api, find(api, "user-0001"))["events"]
    (exported,) = api.rows()
    assert list(row) == sorted({*exported, "raw_event_type", "os"} - {"processed_time"})
    assert len(row) == 56
    assert (row["raw_event_type"], row["os"]) == ("Basket Opened", "iOS 19")
    shared = row.keys() & exported.keys()
    assert {k: row[k] for k in shared} == {k: exported[k] for k in shared}


def visits(api: Api, count: int, **keys: Any) -> int:
    """Events E1 (oldest) to En of one user, a minute apart."""
    first = NOW_MS - DAY_MS
    api.upload(
        *[
            event(1, event_type=f"E{i}", time=first + i * 60_000, **keys)
            for i in range(1, count + 1)
        ]
    )
    return find(api, "user-0001")


def test_pages_begin_with_the_most_recent_event(api: Api, emu: Emulator) -> None:
    user = visits(api, 6)
    emu.switch(activity_limit="exact")
    assert names(activity(api, user)) == ["E6", "E5", "E4", "E3", "E2", "E1"]
    assert names(activity(api, user, limit=2)) == ["E6", "E5"]
    assert names(activity(api, user, limit=2, offset=3)) == ["E3", "E2"]
    assert names(activity(api, user, offset=6)) == []
    earliest = activity(api, user, limit=2, offset=1, direction="earliest")
    assert names(earliest) == ["E2", "E3"]
    assert names(activity(api, user, limit=1, direction="latest")) == ["E6"]


def test_a_limit_gives_one_more(api: Api) -> None:
    user = visits(api, 3)
    assert names(activity(api, user, limit=1)) == ["E3", "E2"]
    assert names(activity(api, user, limit=0)) == ["E3"]
    assert names(activity(api, user, limit=3)) == ["E3", "E2", "E1"]


def test_no_session_is_cut(api: Api, emu: Emulator) -> None:
    user = visits(api, 5, session_id=NOW_MS - DAY_MS)
    api.upload(event(1, event_type="E6", time=NOW_MS - 1000))
    assert names(activity(api, user, limit=1)) == ["E6", "E5", "E4", "E3", "E2", "E1"]
    emu.switch(activity_sessions="cut")
    assert names(activity(api, user, limit=1)) == ["E6", "E5"]
    emu.switch(activity_limit="exact")
    assert names(activity(api, user, limit=2)) == ["E6", "E5"]


def test_pages_by_events_received_give_each_event_once(api: Api) -> None:
    user = visits(api, 9)
    seen: list[str] = []
    while page := names(activity(api, user, limit=3, offset=len(seen))):
        seen += page
    assert seen == [f"E{i}" for i in range(9, 0, -1)]


def test_at_most_a_thousand_and_one_events_come(api: Api) -> None:
    user = visits(api, 1100)
    assert len(activity(api, user)["events"]) == 1001
    assert len(activity(api, user, limit=5000)["events"]) == 1001


def test_identifications_are_no_events(api: Api) -> None:
    api.upload(event(1), event(1, event_type="$identify", user_properties={"$set": {"a": 1}}))
    answer = activity(api, find(api, "user-0001"))
    assert names(answer) == ["Basket Opened"]
    assert answer["userData"]["num_events"] == 1
    assert answer["userData"]["properties"] == {"a": 1}


# --- errors and limits ---


@pytest.mark.parametrize(
    ("path", "query", "details"),
    [
        ("usersearch", {}, "Missing argument user"),
        ("usersearch", {"user": ""}, "Missing argument user"),
        ("useractivity", {}, "Missing argument user"),
        ("useractivity", {"user": "u-7781"}, "Argument user must be an int"),
        ("useractivity", {"user": "1.5"}, "Argument user must be an int"),
        ("useractivity", {"user": 1, "limit": "many"}, "Argument limit must be an int"),
        ("useractivity", {"user": 1, "offset": -1}, "Argument offset must be an int"),
        (
            "useractivity",
            {"user": 1, "direction": "up"},
            "Argument direction must be latest or earliest",
        ),
    ],
)
def test_bad_arguments(api: Api, path: str, query: dict[str, object], details: str) -> None:
    reply = api.get(f"/api/2/{path}", **query)
    assert (reply.status, reply.details) == (400, details)


def test_the_hour_holds_360_lookups_of_both_kinds(api: Api, emu: Emulator) -> None:
    for _ in range(180):
        assert search(api, "nobody")["type"] == "nomatch"
        activity(api, 1)
    for path in ("usersearch", "useractivity"):
        reply = api.get(f"/api/2/{path}", user=1)
        assert (reply.status, reply.details) == (
            429,
            "Too Many Requests: Exceeded hourly limit",
        )
        assert "Retry-After" not in reply.headers
    emu.advance(3600)
    search(api, "nobody")
    emu.switch(users_per_hour=1, limits=False)
    search(api, "nobody")


def test_ten_lookups_run_at_once(api: Api, emu: Emulator) -> None:
    """The eleventh is refused while ten answers hang; the other areas have their own limit."""
    match = {"path": "/api/2/usersearch"}
    emu.faults({"when": "mid_response@1", "match": match, "do": {"stall_ms": 10**9}})
    clients = [Api(emu) for _ in range(10)]
    answers = []
    for client in clients:
        client.connection.request("GET", "/api/2/usersearch?user=x", headers=api.basic)
        answers.append(client.connection.getresponse())
    reply = api.get("/api/2/useractivity", user=1)
    assert (reply.status, reply.details) == (429, "Too Many Requests: Exceeded concurrent limit")
    assert api.get("/api/3/cohorts").status == 200
    for client, answer in zip(clients, answers, strict=True):
        assert json.loads(client.rest(answer))["type"] == "nomatch"
    assert activity(api, 1)["events"] == []
    for client in clients:
        client.connection.close()


def test_many_sessions_and_devices_that_mix(api: Api, emu: Emulator) -> None:
    """Two rows in each of 1,000 sessions, all first rows before all second ones."""
    emu.switch(throttle=False)
    first = NOW_MS - 3_600_000
    rows = [
        event(1, device_id=f"device-{n % 700:04d}", session_id=n + 1, time=first + i * 1000 + n)
        for i in range(2)
        for n in range(1000)
    ]
    api.upload(*rows[:1000])
    api.upload(*rows[1000:])
    data = activity(api, find(api, "user-0001"))["userData"]
    assert data["num_sessions"] == 1000
    assert data["usage_time"] == 1000 * 1000
    assert data["device_ids"] == [f"device-{n:04d}" for n in range(700)]
