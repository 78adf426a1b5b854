# SPDX-License-Identifier: MIT
"""/2/httpapi and /batch: bodies to the letter, order of checks, de-duplication."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from emulator_api import Api, event

from tidewheel.emulator import Emulator

MISSING = "Request missing required field"
INVALID = "Invalid field values on some events"
PATHS = ["/2/httpapi", "/batch"]
DAY = 86400
ZEROS = "00000000-0000-0000-0000-000000000000"
LISTED = [
    "anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown",
    "{}", "lmy47d", "0", "-1", ZEROS,
]  # fmt: skip


def deep(n: int) -> dict[str, Any]:
    value: dict[str, Any] = {"end": 1}
    for _ in range(n - 1):
        value = {"in": value}
    return value


@pytest.mark.parametrize("path", PATHS)
def test_success_answers_four_keys_in_order(api: Api, path: str) -> None:
    body = json.dumps({"api_key": api.emu.api_key, "events": [event(1), event(2)]})
    reply = api.call("POST", path, body)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert list(reply.json) == [
        "code",
        "server_upload_time",
        "payload_size_bytes",
        "events_ingested",
    ]
    assert reply.json["code"] == 200
    assert reply.json["payload_size_bytes"] == len(body)
    assert reply.json["events_ingested"] == 2


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"", {"error": "Missing request body"}),
        (b"{", {"error": "Invalid JSON request body"}),
        (b"[]", {"error": "Invalid JSON request body"}),
        (b'{"api_key":"emu-api-key","events":[{}],}', {"error": "Invalid JSON request body"}),
        (b'{"api_key":"\xff"}', {"error": "Invalid JSON request body"}),
        (b'{"events":[]}', {"error": MISSING, "missing_field": "api_key"}),
        (b'{"api_key":null}', {"error": MISSING, "missing_field": "api_key"}),
        (b'{"api_key":"emu-api-key"}', {"error": MISSING, "missing_field": "events"}),
        (b'{"api_key":"wrong-key"}', {"error": MISSING, "missing_field": "events"}),
        (b'{"api_key":"emu-api-key","events":[]}', {"error": MISSING, "missing_field": "events"}),
        (b'{"api_key":"emu-api-key","events":{}}', {"error": "Invalid event JSON"}),
        (b'{"api_key":"emu-api-key","events":[1]}', {"error": "Invalid event JSON"}),
        (b'{"api_key":"k0ffee","events":[{}]}', {"error": "Invalid API key: k0ffee"}),
    ],
)
def test_request_level_errors(api: Api, path: str, body: bytes, answer: dict[str, Any]) -> None:
    reply = api.call("POST", path, body)
    assert reply.status == 400
    assert reply.json == {"code": 400, **answer}


GOOD = event(1)


@pytest.mark.parametrize(
    ("events", "answer"),
    [
        (
            [{"user_id": "user-1"}, GOOD, {"user_id": "user-2", "event_type": None}],
            {"error": MISSING, "events_with_missing_fields": {"event_type": [0, 2]}},
        ),
        (
            [GOOD, {"event_type": "x"}],
            {"error": MISSING, "events_with_missing_fields": {"user_id": [1], "device_id": [1]}},
        ),
        (
            [{"event_type": "x", "user_id": ""}],
            {"error": MISSING, "events_with_missing_fields": {"user_id": [0], "device_id": [0]}},
        ),
        (
            [GOOD, event(2, event_type="")],
            {"error": INVALID, "events_with_invalid_fields": {"event_type": [1]}},
        ),
        (
            [GOOD, GOOD, GOOD, event(2, time="now"), event(3, time="1")],
            {"error": INVALID, "events_with_invalid_fields": {"time": [3, 4]}},
        ),
        (
            [event(1, user_id="Anonymous"), event(2, device_id="0")],
            {"error": INVALID, "events_with_invalid_fields": {"user_id": [0], "device_id": [1]}},
        ),
        (
            [event(1, device_id=ZEROS), event(2, user_id=ZEROS)],
            {"error": INVALID, "events_with_invalid_fields": {"user_id": [1], "device_id": [0]}},
        ),
        (
            [event(1, user_id=0), event(2, user_id=-1), event(3, device_id="LMY47D")],
            {
                "error": INVALID,
                "events_with_invalid_fields": {"user_id": [0, 1], "device_id": [2]},
            },
        ),
        (
            [{"event_type": "x", "user_id": "        "}],
            {"error": MISSING, "events_with_missing_fields": {"user_id": [0], "device_id": [0]}},
        ),
        (
            [event(1, event_properties=deep(41)), event(2, user_properties=deep(41))],
            {
                "error": INVALID,
                "events_with_invalid_fields": {"event_properties": [0], "user_properties": [1]},
            },
        ),
        (
            [GOOD, event(2, user_id="abc", device_id="device-1"), event(3, device_id="d")],
            {
                "error": "Invalid id length for user_id or device_id",
                "events_with_invalid_id_lengths": {"user_id": [1], "device_id": [2]},
            },
        ),
        (
            [event(1, user_id=1234)],
            {
                "error": "Invalid id length for user_id or device_id",
                "events_with_invalid_id_lengths": {"user_id": [0]},
            },
        ),
    ],
)
def test_event_errors_list_indexes_and_store_nothing(
    api: Api, events: list[dict[str, Any]], answer: dict[str, Any]
) -> None:
    reply = api.upload(*events)
    assert reply.status == 400
    assert reply.json == {"code": 400, **answer}
    assert api.get("/api/2/export", **api.around_now()).status == 404


def test_the_first_broken_rule_answers_alone(api: Api) -> None:
    bad_time = event(1, time="x")
    short = event(2, user_id="ab")
    untyped = {"user_id": "user-3"}
    assert list(api.upload(short, bad_time, untyped).json) == [
        "code",
        "error",
        "events_with_missing_fields",
    ]
    assert api.upload(short, bad_time).json["events_with_invalid_fields"] == {"time": [1]}
    assert api.upload(short).json["events_with_invalid_id_lengths"] == {"user_id": [0]}


def test_index_list_switch(emu: Emulator, api: Api) -> None:
    bad = [event(1, time="x"), event(2), event(3, time="y")]
    emu.switch(index_lists="first")
    assert api.upload(*bad).json["events_with_invalid_fields"] == {"time": [0]}
    emu.switch(index_lists="none")
    assert api.upload(*bad).json == {"code": 400, "error": INVALID}


def test_short_ids(emu: Emulator, api: Api) -> None:
    assert api.upload(event(1, user_id="abc"), options={"min_id_length": 3}).status == 200
    assert api.upload(event(1, user_id="abc"), options={"min_id_length": 4}).status == 400
    for length in (0, -1, 2.5, "2", None):
        assert api.upload(event(1, user_id="abc"), options={"min_id_length": length}).status == 400
    emu.switch(short_id="remove")
    assert api.upload(event(1, user_id="abc")).status == 400
    assert api.upload(event(1, user_id="abc", device_id="device-1")).status == 200
    assert [row["user_id"] for row in api.rows()] == ["abc", None]


@pytest.mark.parametrize(("path", "limit"), [("/2/httpapi", 1 << 20), ("/batch", 20 << 20)])
def test_body_limit_is_measured_after_gunzip(api: Api, path: str, limit: int) -> None:
    body = json.dumps({"api_key": api.emu.api_key, "events": [event(1)]})
    fits = (body + " " * (limit - len(body))).encode()
    assert api.call("POST", path, fits).status == 200
    assert api.call("POST", path, gzip.compress(fits), Content_Encoding="gzip").status == 200
    reply = api.call("POST", path, fits + b" ")
    assert (reply.status, reply.json) == (413, {"code": 413, "error": "Payload too large"})
    reply = api.call("POST", path, gzip.compress(fits + b" "), Content_Encoding="gzip")
    assert reply.status == 413


def test_a_gzip_bomb_is_not_unfolded(api: Api) -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)
    assert api.call("POST", "/batch", bomb, Content_Encoding="gzip").status == 413
    assert api.call("POST", "/batch", b"no gzip", Content_Encoding="gzip").status == 400


@pytest.mark.parametrize("path", PATHS)
def test_two_thousand_events_pass_and_one_more_does_not(api: Api, path: str) -> None:
    events = [event(i) for i in range(2001)]
    assert api.upload(*events[:2000], path=path).json["events_ingested"] == 2000
    assert api.upload(*events, path=path).status == 413


def test_wrong_paths_and_methods(api: Api) -> None:
    for method, path in [("POST", "/httpapi"), ("GET", "/2/httpapi"), ("POST", "/")]:
        reply = api.call(method, path, b"{}")
        assert (reply.status, reply.json) == (400, {"code": 400, "error": "Invalid request path"})
    assert api.get("/api/2/nothing").details == "Not Found"
    assert api.call("GET", "/v1/profile").body == b""


def test_duplicates_are_ignored_for_seven_days_per_device(emu: Emulator, api: Api) -> None:
    one = event(1, insert_id="i-1", device_id="device-1")
    for _ in range(2):
        assert api.upload(one).json["events_ingested"] == 1
    assert len(api.rows()) == 1
    api.upload({**one, "device_id": "device-2"})
    api.upload({**one, "user_id": "user-0002"})
    assert len(api.rows()) == 2
    emu.advance(7 * DAY - 60)
    api.upload(one)
    assert len(api.rows()) == 2
    emu.advance(120)
    api.upload(one)
    assert len(api.rows()) == 3


def test_a_derived_device_takes_part_in_de_duplication(api: Api) -> None:
    api.upload(event(1, insert_id="i-1"))
    device = api.rows()[0]["device_id"]
    api.upload(event(1, insert_id="i-1", device_id=device))
    assert len(api.rows()) == 1
    api.upload(event(2, insert_id="i-1"))
    assert len(api.rows()) == 2


def test_without_insert_id_nothing_is_a_duplicate(api: Api) -> None:
    api.upload(event(1), event(1))
    rows = api.rows()
    assert len({row["$insert_id"] for row in rows}) == 2
    assert len({row["uuid"] for row in rows}) == 2


def test_the_journal_tells_the_fate_of_each_event(emu: Emulator, api: Api) -> None:
    api.upload(event(1, insert_id="a"), event(1, insert_id="a"))
    api.upload(event(1, event_type="$identify", insert_id="b", user_properties={"$set": {"x": 1}}))
    api.upload(event(2, insert_id="c", time="x"))
    first, second, third = emu.journal()
    fates = [
        [e["insert_id"], e["committed"], e["duplicate"], e["applied"]] for e in first["events"]
    ]
    assert fates == [["a", True, False, False], ["a", False, True, False]]
    assert second["events"][0]["applied"] is True
    assert third["events"][0]["committed"] is False


def test_users_are_named_merged_and_kept_apart(api: Api) -> None:
    api.upload({"device_id": "device-1", "event_type": "a"})
    api.upload({"device_id": "device-1", "user_id": "user-1", "event_type": "b"})
    api.upload({"device_id": "device-1", "event_type": "c"})
    api.upload({"device_id": "device-1", "user_id": "user-2", "event_type": "d"})
    api.upload({"device_id": "device-9", "event_type": "e"})
    api.upload({"device_id": "device-9", "user_id": "user-1", "event_type": "f"})
    ids = {row["event_type"]: row["amplitude_id"] for row in api.rows()}
    assert ids["a"] == ids["b"] == ids["c"] == ids["e"] == ids["f"]
    assert ids["d"] != ids["a"]


@pytest.mark.parametrize("name", LISTED)
def test_listed_ids_are_refused_whatever_their_length(api: Api, name: str) -> None:
    for text in (name, name.upper()):
        reply = api.upload(event(1, user_id=text), options={"min_id_length": 1})
        assert reply.json["events_with_invalid_fields"] == {"user_id": [0]}
        assert (
            api.form("/identify", {"device_id": text}, options='{"min_id_length":1}').status == 400
        )


def test_null_is_absent(api: Api) -> None:
    names = ["device_id", "time", "event_properties", "user_properties", "groups", "session_id"]
    names += ["insert_id", "price", "revenue", "quantity", "plan", "ip", "location_lat", "platform"]
    assert api.upload(event(1, **dict.fromkeys(names)), options=None).status == 200
    (row,) = api.rows()
    assert (row["event_properties"], row["plan"], row["session_id"]) == ({}, {}, -1)


def test_an_empty_id_beside_a_good_one_is_absent(api: Api) -> None:
    api.upload(event(1, device_id=""), {"user_id": "", "device_id": "device-1", "event_type": "x"})
    first, second = api.rows()
    assert first["device_id"][14] == "5"
    assert (second["user_id"], second["device_id"]) == (None, "device-1")


def test_ids_sent_as_numbers_are_texts(api: Api) -> None:
    api.upload(event(1, user_id=10001), event(1, user_id="10001"))
    first, second = api.rows()
    assert first["user_id"] == second["user_id"] == "10001"
    assert first["amplitude_id"] == second["amplitude_id"]


def test_names_and_ids_are_cut_like_other_strings(api: Api) -> None:
    long = "é" * 1025
    api.upload(event(1, event_type=long, user_id=long), event(2, user_id=long + "more"))
    first, second = api.rows()
    assert first["event_type"] == first["user_id"] == second["user_id"] == "é" * 1024
    assert first["amplitude_id"] == second["amplitude_id"]


@pytest.mark.parametrize("time", [1e300, -1e300, 9223372036854775807, -9223372036854775808])
def test_no_time_is_too_far_for_the_clock_correction(api: Api, time: float) -> None:
    for sent in ("2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z"):
        assert api.upload(event(1, time=time), client_upload_time=sent).status == 200
    year = "9999" if time > 0 else "0000"
    for row in api.rows():
        assert row["client_event_time"][:4] == row["event_time"][:4] == year
