# SPDX-License-Identifier: MIT
"""Property operations, by every road that carries them; groups."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from emulator_api import Api, event

from tidewheel.emulator import Emulator

Road = Callable[[Api, dict[str, Any]], None]

MANY = {str(n): n for n in range(1025)}


def deep(n: int) -> dict[str, Any]:
    value: dict[str, Any] = json.loads('{"in":' * n + "1" + "}" * n)
    return value


def by_form(api: Api, update: dict[str, Any]) -> None:
    reply = api.form("/identify", {"user_id": "user-0001", "user_properties": update})
    assert (reply.status, reply.body) == (200, b"success")
    assert reply.headers["Content-Type"] == "text/html;charset=utf-8"


def by_get(api: Api, update: dict[str, Any]) -> None:
    item = json.dumps([{"user_id": "user-0001", "user_properties": update}])
    query = urllib.parse.urlencode({"api_key": api.emu.api_key, "identification": item})
    assert api.call("GET", f"/identify?{query}").body == b"success"


def by_multipart(api: Api, update: dict[str, Any]) -> None:
    item = json.dumps({"user_id": "user-0001", "user_properties": update})
    parts = {"api_key": api.emu.api_key, "identification": item}
    body = '--xYz\r\nContent-Disposition: form-data; name="f"; filename="api_key"\r\n\r\nno\r\n'
    body += "".join(
        f'--xYz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parts.items()
    )
    kind = "multipart/form-data; boundary=xYz"
    assert api.call("POST", "/identify", body + "--xYz--\r\n", Content_Type=kind).status == 200


def by_event(api: Api, update: dict[str, Any]) -> None:
    reply = api.upload(event(1, event_type="$identify", user_properties=update))
    assert reply.status == 200


def by_batch(api: Api, update: dict[str, Any]) -> None:
    body = event(1, event_type="$identify", user_properties=update)
    assert api.upload(body, path="/batch").status == 200


def properties(api: Api) -> Any:
    api.upload(event(1, event_type="look"))
    return api.rows()[-1]["user_properties"]


@pytest.mark.parametrize("road", [by_form, by_get, by_multipart, by_event, by_batch])
def test_every_road_applies_operations(api: Api, road: Road) -> None:
    road(api, {"$set": {"a": 1, "n": 2}})
    road(api, {"$add": {"n": 40}, "$append": {"list": ["x", "y"]}})
    assert properties(api) == {"a": 1, "n": 42, "list": ["x", "y"]}
    assert len(api.rows()) == 1, "an identify is no event"


@pytest.mark.parametrize(
    ("before", "update", "after"),
    [
        ({}, {"a": 1, "b": None}, {"a": 1, "b": None}),
        ({"a": 1}, {"$set": {"a": 2}}, {"a": 2}),
        ({"a": 1}, {"$setOnce": {"a": 2, "b": 3}}, {"a": 1, "b": 3}),
        ({}, {"$add": {"n": 5}}, {"n": 5}),
        ({"n": 9007199254740993}, {"$add": {"n": -1}}, {"n": 9007199254740992}),
        ({"n": 0.1}, {"$add": {"n": 0.2}}, {"n": 0.1 + 0.2}),
        ({"n": "text", "l": [1]}, {"$add": {"n": 1, "l": 1}}, {"n": "text", "l": [1]}),
        ({"n": 1e308}, {"$add": {"n": 1e308}}, {"n": 1e308}),
        ({"a": None}, {"$setOnce": {"a": 1}}, {"a": 1}),
        ({"n": 5}, {"$append": {"n": 6}}, {"n": [5, 6]}),
        ({"n": 5}, {"$preInsert": {"n": [6, 5]}}, {"n": [6, 5]}),
        ({"l": [1]}, {"$setOnce": {"l": 2}}, {"l": [1]}),
        ({"a": 1}, {"$clearAll": "-", "$unset": {"a": "-"}, "$setOnce": {"a": 2}}, {"a": 2}),
        ({}, {"$append": {"l": 1}}, {"l": [1]}),
        ({"l": [1]}, {"$append": {"l": [1, 2]}}, {"l": [1, 1, 2]}),
        ({"l": "a"}, {"$append": {"l": "b"}}, {"l": ["a", "b"]}),
        ({"l": [1]}, {"$prepend": {"l": [2, 3]}}, {"l": [2, 3, 1]}),
        ({"l": "a"}, {"$prepend": {"l": "b"}}, {"l": ["b", "a"]}),
        ({"l": [1, 2]}, {"$preInsert": {"l": [3, 2, 3]}}, {"l": [3, 1, 2]}),
        ({"l": [1, 2]}, {"$postInsert": {"l": [3, 2]}}, {"l": [1, 2, 3]}),
        ({"l": "a"}, {"$postInsert": {"l": "a"}}, {"l": "a"}),
        ({}, {"$postInsert": {"l": ["a", "a"]}}, {"l": ["a"]}),
        ({"l": [1, 2, 1]}, {"$remove": {"l": 1}}, {"l": [2]}),
        ({"l": [1, 2, 3]}, {"$remove": {"l": [1, 3]}}, {"l": [2]}),
        ({"l": "a", "m": "b"}, {"$remove": {"l": "a", "m": "c"}}, {"m": "b"}),
        ({}, {"$remove": {"l": "a"}}, {}),
        ({"a": 1, "b": 2}, {"$unset": {"a": "-"}}, {"b": 2}),
        ({"a": 1, "b": 2}, {"$clearAll": "-"}, {}),
        ({"a": 1}, {"$clearAll": "-", "$set": {"b": 2}}, {"b": 2}),
        ({"a": 1}, {"$add": {"a": 1}, "$set": {"a": 10}}, {"a": 11}),
        ({"a": 1}, {"$set": {"a": 2}, "$unset": {"a": "-"}}, {"a": 2}),
        ({"l": [1]}, {"$remove": {"l": 2}, "$append": {"l": 2}}, {"l": [1]}),
        ({"l": [1]}, {"$append": {"l": 2}, "plain": "gold"}, {"l": [1, 2], "plain": "gold"}),
    ],
)
def test_operations(
    api: Api, before: dict[str, Any], update: dict[str, Any], after: dict[str, Any]
) -> None:
    by_event(api, before)
    by_event(api, update)
    assert properties(api) == after


def test_an_array_holds_ten_thousand_characters(api: Api) -> None:
    """Of its JSON; what stands behind them falls off its end."""
    full = ["é" * 996] * 10 + ["b" * 6]
    assert len(json.dumps(full, ensure_ascii=False, separators=(",", ":"))) == 10000
    by_event(api, {"$append": {"l": full[:6], "set": "x"}})
    by_event(api, {"$append": {"l": full[6:]}})
    assert properties(api)["l"] == full
    by_event(api, {"$append": {"l": "c"}})
    assert properties(api)["l"] == full
    by_event(api, {"$postInsert": {"l": 1}})
    assert properties(api)["l"] == full
    by_event(api, {"$prepend": {"l": "c"}})
    assert properties(api) == {"l": ["c", *full[:-1]], "set": ["x"]}


def test_keys_are_compared_as_text(api: Api) -> None:
    for body in ('{"$set":{"caf\\u00e9":1}}', '{"$add":{"café":2}}'):
        text = (
            f'{{"api_key":"{api.emu.api_key}","events":[{{"user_id":"user-0001",'
            f'"event_type":"$identify","user_properties":{body}}}]}}'
        )
        api.call("POST", "/2/httpapi", text.encode())
    assert properties(api) == {"café": 3}


def test_mixing_can_be_refused(emu: Emulator, api: Api) -> None:
    emu.switch(mixed_properties="reject")
    reply = api.upload(event(1, event_type="$identify", user_properties={"$set": {"a": 1}, "b": 2}))
    assert reply.json["events_with_invalid_fields"] == {"user_properties": [0]}
    item = {"user_id": "user-0001", "user_properties": {"$set": {"a": 1}, "b": 2}}
    refused = b"invalid_event_field. Invalid fields [user_properties]."
    assert api.form("/identify", item).body == refused
    assert properties(api) == {}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"identification": ""}, b"missing_event"),
        ({"identification": "{"}, b"missing_event"),
        ({"identification": "[]"}, b"missing_event"),
        ({"identification": "[1]"}, b"missing_event"),
        ({"identification": '{"user_id":"user-1"}', "api_key": ""}, b"invalid_api_key"),
        ({"identification": '{"user_id":"user-1"}', "api_key": "emu-no"}, b"invalid_api_key"),
        ({"identification": "{}"}, b"invalid_event_field. Invalid fields [user_id]."),
        (
            {"identification": '{"user_id":"user-1","user_properties":"x"}'},
            b"invalid_event_field. Invalid fields [user_properties].",
        ),
        (
            {"identification": '{"user_id":"user-1","groups":5}'},
            b"invalid_event_field. Invalid fields [groups].",
        ),
        (
            {"identification": '{"user_id":"ab"}'},
            b"invalid_event_field. Invalid fields [user_id].",
        ),
        (
            {"identification": '{"device_id":"0"}'},
            b"invalid_event_field. Invalid fields [device_id].",
        ),
    ],
)
def test_identify_errors_are_text(api: Api, fields: dict[str, str], text: bytes) -> None:
    body = urllib.parse.urlencode({"api_key": api.emu.api_key, **fields})
    reply = api.call("POST", "/identify", body)
    assert (reply.status, reply.body) == (400, text)
    assert reply.headers["Content-Type"] == "text/html;charset=utf-8"


def test_identify_honours_min_id_length(api: Api) -> None:
    item = {"user_id": "ab", "user_properties": {"a": 1}}
    assert api.form("/identify", item, options='{"min_id_length":2}').status == 200


def test_group_properties_show_on_later_events(api: Api) -> None:
    api.upload(event(1, groups={"org id": "15"}))
    item = {
        "group_type": "org id",
        "group_value": "15",
        "group_properties": {"$set": {"seats": 40}},
    }
    reply = api.form("/groupidentify", item)
    assert (reply.status, reply.body) == (200, b"success")
    update = event(
        1,
        event_type="$groupidentify",
        groups={"org id": "15"},
        group_properties={"$add": {"seats": 2}},
    )
    assert api.upload(update).status == 200
    api.upload(event(1, groups={"org id": ["15", "16"]}))
    assert [row["group_properties"] for row in api.rows()] == [
        {},
        {"org id": {"15": {"seats": 42}}},
    ]


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"group_value": "1", "group_properties": {}}, "group_type"),
        ({"group_type": "t", "group_properties": {}}, "group_value"),
        ({"group_type": "t", "group_value": "1"}, "group_properties"),
        (
            {"group_type": "t", "group_value": "1", "group_properties": MANY},
            "group_properties",
        ),
        (
            {"group_type": "t", "group_value": "1", "group_properties": {"$set": MANY}},
            "group_properties",
        ),
        (
            {"group_type": "t", "group_value": "1", "group_properties": deep(41)},
            "group_properties",
        ),
    ],
)
def test_group_identify_errors(api: Api, item: dict[str, Any], field: str) -> None:
    reply = api.form("/groupidentify", [item])
    assert reply.body.decode() == f"invalid_event_field. Invalid fields [{field}]."
    good = {"group_type": "t", "group_value": "1", "group_properties": {"a": 1}}
    assert api.form("/groupidentify", [good] * 1024).status == 200
    assert api.form("/groupidentify", [good] * 1025).status == 400
    assert api.call("POST", "/groupidentify", b"x" * 1048577).status == 413


def test_identified_built_ins_show_on_later_rows_block_by_block(api: Api) -> None:
    def identify(**fields: object) -> None:
        assert api.form("/identify", {"user_id": "user-0001", **fields}).status == 200

    def look(**fields: object) -> list[Any]:
        api.upload(event(1, **fields))
        row = api.rows()[-1]
        return [
            row[k] for k in ("platform", "os_name", "country", "city", "language", "version_name")
        ]

    assert look() == [None] * 6
    identify(platform="iOS", os_name="ios", country="Chile", city="Arica", language="es")
    assert look() == ["iOS", "ios", "Chile", "Arica", "Spanish", None]
    identify(os_name="android", app_version="2.0")
    assert look() == [None, "android", "Chile", "Arica", "Spanish", "2.0"], "the block was reset"
    identify(country="Peru")
    assert look() == [None, "android", "Peru", None, "Spanish", "2.0"]
    sent = look(platform="Web", city="Lima", app_version="3.0")
    assert sent == ["Web", None, None, "Lima", "Spanish", "3.0"], "the event's own block is shown"
    skipped = look(**{"$skip_user_properties_sync": True})
    assert skipped == [None] * 6
    assert api.rows()[0]["platform"] is None, "not retroactive"


def test_paying_from_the_first_revenue_on(api: Api) -> None:
    api.upload(event(1), event(1, price=-2), event(1), event(2))
    sdk = event(3, event_type="revenue_amount", event_properties={"$price": 3, "$quantity": 1})
    api.upload(sdk, event(4, event_properties={"$price": "3", "price": 3}))
    assert [row["paying"] for row in api.rows()] == [None, True, True, None, True, None]


@pytest.mark.parametrize(("value", "shown"), [("true", True), (True, True), ("false", None)])
def test_paying_by_identify(api: Api, value: object, shown: object) -> None:
    api.form("/identify", {"user_id": "user-0001", "paying": value})
    api.upload(event(1))
    assert api.rows()[0]["paying"] is shown


def test_the_first_version_seen_is_the_start_version(api: Api) -> None:
    for version in (None, "1.0", "2.0"):
        api.upload(event(1, app_version=version))
    assert [row["start_version"] for row in api.rows()] == [None, "1.0", "1.0"]
