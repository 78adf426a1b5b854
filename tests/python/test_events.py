# SPDX-License-Identifier: MIT
"""Builders, many events at a time, defaults and the hook before acceptance."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

import tidewheel
from tidewheel.events import preparer

from .conftest import API_KEY, Answer, MakeClient, Server

DEFAULTS = Path(__file__).resolve().parents[1] / "vectors" / "defaults.json"


def event(number: int = 0) -> dict[str, Any]:
    return {"event_type": "e", "user_id": f"user-{number}", "event_properties": {"n": number}}


def numbers(server: Server) -> list[int]:
    return [sent["event_properties"]["n"] for one in server.requests for sent in one.events]


# ---- builders -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "arguments", "words"),
    [
        ("identify", {"user_id": "user-1", "event_type": "e"}, "event_type"),
        ("identify", {"set": {"a": 1}, "user_properties": {"b": 1}}, "user_properties"),
        ("group_identify", {"groups": {"a": "b"}}, "groups"),
        ("group_identify", {"set": {"a": 1}, "group_properties": {"b": 1}}, "group_properties"),
        ("revenue", {"product_id": "a", "productId": "b"}, "productId"),
    ],
)
def test_a_builder_overwrites_nothing(
    client: tidewheel.Client, method: str, arguments: dict[str, Any], words: str
) -> None:
    positional = ("company", "Acme") if method == "group_identify" else ()
    with pytest.raises(TypeError, match=f"^{words} excludes"):
        getattr(client, method)(*positional, **arguments)
    assert client.stats().accepted == 0


# ---- many -----------------------------------------------------------------------------------


def test_many_events_are_accepted_in_order(server: Server, client: tidewheel.Client) -> None:
    assert client.track_many([]) == 0
    assert client.track_many(event(n) for n in range(200)) == 200
    assert client.track_many([event(200)]) == 1
    assert client.flush().stored == 201
    assert numbers(server) == list(range(201))


def test_many_events_are_taken_one_by_one(client: tidewheel.Client) -> None:
    seen: list[int] = []

    def source() -> Iterator[dict[str, Any]]:
        for n in range(130):
            seen.append(client.stats().accepted)
            yield event(n)

    assert client.track_many(source()) == 130
    assert seen == [0] * 64 + [64] * 64 + [128] * 2


@pytest.mark.parametrize("bad", [0, 1, 63, 64, 65, 128])
def test_what_comes_before_a_bad_event_is_accepted(client: tidewheel.Client, bad: int) -> None:
    events = [event(n) for n in range(140)]
    events[bad]["user_id"] = "abc"
    with pytest.raises(tidewheel.ValidationError) as caught:
        client.track_many(events)
    assert (caught.value.index, caught.value.field) == (bad, "user_id")
    assert client.stats().accepted == bad
    assert client.stats().refused == 1
    assert client.track_many(events[bad + 1 :]) == 139 - bad


def test_a_bad_event_is_the_last_that_is_taken(client: tidewheel.Client) -> None:
    source = iter([event(0), {"event_type": "e"}, event(2), event(3)])
    with pytest.raises(tidewheel.ValidationError) as caught:
        client.track_many(source)
    assert caught.value.index == 1
    assert client.track_many(source) == 2


def test_what_comes_before_an_exception_is_accepted(client: tidewheel.Client) -> None:
    def source() -> Iterator[dict[str, Any]]:
        yield from (event(n) for n in range(70))
        raise LookupError("source")

    with pytest.raises(LookupError, match="source"):
        client.track_many(source())
    assert client.stats().accepted == 70
    with pytest.raises(TypeError, match="must be a mapping") as caught:
        client.track_many([event(0), 7])  # type: ignore[list-item]
    assert caught.value.__notes__ == ["while tracking event 1"]
    assert client.stats().accepted == 71
    for misuse in (event(), 7):
        with pytest.raises(TypeError):
            client.track_many(misuse)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["fast", "durable"])
def test_many_events_go_into_the_spool(
    server: Server, make_client: MakeClient, tmp_path: Path, mode: str
) -> None:
    client = make_client(server.url, spool=tmp_path / "spool", spool_mode=mode)
    events = [event(n) for n in range(150)]
    events[140]["user_id"] = "abc"
    with pytest.raises(tidewheel.ValidationError) as caught:
        client.track_many(events)
    assert caught.value.index == 140
    assert client.stats().accepted == 140
    assert client.track_many(events[141:]) == 9
    assert client.flush().stored == 149
    assert numbers(server) == [*range(140), *range(141, 150)]


def test_a_full_queue_says_where_it_ended(server: Server, make_client: MakeClient) -> None:
    server.gate.clear()
    client = make_client(server.url, queue_events=100)
    with pytest.raises(tidewheel.QueueFullError) as caught:
        client.track_many(event(n) for n in range(200))
    assert caught.value.index == 100
    assert client.stats().accepted == 100


def test_many_events_wait_for_room(server: Server, make_client: MakeClient) -> None:
    client = make_client(server.url, queue_events=10, on_queue_full="block", flush_interval=0)
    assert client.track_many(event(n) for n in range(100)) == 100
    assert client.flush().stored == 100
    assert numbers(server) == list(range(100))


def test_many_events_wait_no_longer_than_told(server: Server, make_client: MakeClient) -> None:
    server.gate.clear()
    client = make_client(server.url, queue_events=2, on_queue_full="block", block_timeout=0.01)
    with pytest.raises(tidewheel.QueueFullError) as caught:
        client.track_many(event(n) for n in range(5))
    assert caught.value.index == 2


def test_a_client_closed_meanwhile_takes_no_more(client: tidewheel.Client) -> None:
    def source() -> Iterator[dict[str, Any]]:
        for n in range(100):
            if n == 70:
                client.close(0)
            yield event(n)

    with pytest.raises(tidewheel.ClosedError) as caught:
        client.track_many(source())
    assert caught.value.index in (64, None)
    assert client.stats().accepted == 64


def test_values_of_unknown_types_go_through_default(
    server: Server, make_client: MakeClient
) -> None:
    client = make_client(server.url, default=str)
    events = [{**event(n), "event_properties": {"n": complex(n)}} for n in range(3)]
    assert client.track_many(events) == 3
    client.flush()
    assert numbers(server) == ["0j", "(1+0j)", "(2+0j)"]


# ---- defaults -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", json.loads(DEFAULTS.read_text())["cases"], ids=lambda case: case["name"]
)
def test_defaults_are_merged(case: dict[str, Any]) -> None:
    given = json.dumps(case["event"])
    for hook in (None, lambda event: event):
        prepare = preparer(case["defaults"], hook)
        assert prepare is not None
        assert prepare(case["event"]) == case["merged"]
    assert json.dumps(case["event"]) == given


def test_defaults_are_in_every_event(server: Server, make_client: MakeClient) -> None:
    defaults: dict[str, Any] = {"user_id": "user-1", "event_properties": {"shop": "main"}}
    client = make_client(server.url, defaults=defaults)
    defaults["event_properties"]["shop"] = "changed"
    client.track({"event_type": "a"})
    client.track_many([{"event_type": "b", "event_properties": {"n": 1}}])
    client.identify(set={"x": 1})
    client.revenue(price=2, user_id="user-2")
    client.flush()
    sent = [
        (one["event_type"], one["user_id"], one.get("event_properties"))
        for one in server.requests[0].events
    ]
    assert sent == [
        ("a", "user-1", {"shop": "main"}),
        ("b", "user-1", {"n": 1, "shop": "main"}),
        ("$identify", "user-1", None),
        ("revenue_amount", "user-2", {"shop": "main"}),
    ]


@pytest.mark.parametrize(
    ("defaults", "field", "rule"),
    [
        ({"user_id": "abc"}, "defaults.user_id", "at least 5"),
        ({"shop": 1}, "defaults.shop", "is not an event field"),
        ({"event_properties": {"f": float("nan")}}, "defaults.event_properties.f", "NaN"),
        ({"insert_id": "i"}, "defaults.insert_id", "of one event"),
        ({"time": 1767225600123}, "defaults.time", "of one event"),
        ({"group_properties": {}}, "defaults.group_properties", "of one event"),
    ],
)
def test_bad_defaults_are_refused_at_once(defaults: dict[str, Any], field: str, rule: str) -> None:
    with pytest.raises(tidewheel.ConfigError, match=rule) as caught:
        tidewheel.Client(API_KEY, defaults=defaults)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")


# ---- before_send ----------------------------------------------------------------------------


def test_the_hook_changes_and_keeps_back(server: Server, make_client: MakeClient) -> None:
    def before_send(event: dict[str, Any]) -> dict[str, Any] | None:
        properties = event.get("event_properties", {})
        if properties.get("n") == 1:
            return None
        properties.pop("email", None)
        event["platform"] = "Web"
        return event

    client = make_client(server.url, before_send=before_send, defaults={"country": "Chile"})
    given = event(0) | {"event_properties": {"n": 0, "email": "ana@shop.test"}}
    client.track(given)
    client.track(event(1))
    assert client.track_many(event(n) for n in range(70)) == 69
    client.identify(user_id="user-1", set={"a": 1})
    assert given["event_properties"]["email"] == "ana@shop.test"
    assert client.stats().filtered == 2
    assert client.stats().refused == 0
    assert client.flush().stored == 71
    sent = [one for request in server.requests for one in request.events]
    assert {one["platform"] for one in sent} == {"Web"}
    assert {one["country"] for one in sent} == {"Chile"}
    assert [one["event_properties"]["n"] for one in sent[:-1]] == [0, 0, *range(2, 70)]
    assert not [one for one in sent if "email" in one.get("event_properties", ())]


def test_the_hook_may_mend_an_event(server: Server, make_client: MakeClient) -> None:
    client = make_client(server.url, before_send=lambda event: {**event, "user_id": "user-1"})
    client.track({"event_type": "e", "user_id": "abc"})
    assert client.flush().stored == 1


def test_the_exceptions_of_the_hook_come_out(make_client: MakeClient, server: Server) -> None:
    def before_send(event: dict[str, Any]) -> Any:
        if event["event_properties"]["n"] == 3:
            raise LookupError("hook")
        return event if event["event_properties"]["n"] != 4 else 7

    client = make_client(server.url, before_send=before_send)
    with pytest.raises(LookupError, match="hook"):
        client.track(event(3))
    with pytest.raises(TypeError, match="before_send must return"):
        client.track(event(4))
    with pytest.raises(LookupError, match="hook") as caught:
        client.track_many(event(n) for n in range(5))
    assert caught.value.__notes__ == ["while tracking event 3"]
    assert client.stats()[:2] == (3, 0)
    client.close(0)
    with pytest.raises(tidewheel.ClosedError):
        client.track(event(0))


def test_numbers_count_what_was_kept_back(make_client: MakeClient, server: Server) -> None:
    client = make_client(
        server.url, before_send=lambda e: None if e["event_properties"]["n"] % 2 else e
    )
    events = [event(n) for n in range(10)]
    events[6]["user_id"] = "abc"
    with pytest.raises(tidewheel.ValidationError) as caught:
        client.track_many(events)
    assert caught.value.index == 6
    assert (client.stats().accepted, client.stats().filtered) == (3, 3)


def test_the_async_client_has_them_too(server: Server) -> None:
    async def run() -> None:
        async with tidewheel.AsyncClient(
            API_KEY,
            base_url=server.url,
            queue_events=3,
            on_queue_full="block",
            defaults={"user_id": "user-1"},
            before_send=lambda event: event if event["event_type"] != "no" else None,
        ) as client:
            assert client.track_many([{"event_type": "yes"}, {"event_type": "no"}]) == 1
            with pytest.raises(tidewheel.QueueFullError, match="await flush") as caught:
                client.track_many([{"event_type": "yes"}] * 5)
            assert caught.value.index == 2
            assert (await client.flush()).stored == 3
            assert client.stats().filtered == 1

    asyncio.run(run())


# ---- values that are changed instead of refused ---------------------------------------------

MENDS: dict[str, str] = {
    "on_long_string": "truncate",
    "on_invalid_utf8": "replace",
    "on_nan": "null",
    "big_ints": "string",
}


@pytest.mark.parametrize(
    ("option", "count", "given", "sent"),
    [
        ("on_long_string", "truncated", "x" * 1025, "x" * 1024),
        ("on_long_string", "truncated", "x" * 1023 + "😀é", "x" * 1023 + "😀"),
        ("on_long_string", "truncated", "\n" * 3000, "\n" * 1024),
        ("on_invalid_utf8", "replaced", "a\ud800z", "a�z"),
        ("on_invalid_utf8", "replaced", "\udfff\ud800é", "��é"),
        ("on_nan", "nulled", float("nan"), None),
        ("on_nan", "nulled", float("-inf"), None),
        ("big_ints", "stringified", 2**63, str(2**63)),
        ("big_ints", "stringified", -(2**64), str(-(2**64))),
        ("big_ints", "stringified", 10**400, str(10**400)),
    ],
)
def test_a_value_is_changed_on_request_and_counted(
    server: Server, make_client: MakeClient, option: str, count: str, given: Any, sent: Any
) -> None:
    others = {name: value for name, value in MENDS.items() if name != option}
    bad = {**event(), "event_properties": {"n": [1, given]}}
    with pytest.raises(tidewheel.ValidationError) as caught:
        make_client(server.url, **others).track(bad)
    assert caught.value.field == "event_properties.n[1]"
    client = make_client(server.url, **{option: MENDS[option]})
    client.track(bad)
    client.track_many([bad, event()])
    assert client.flush().stored == 3
    assert numbers(server) == [[1, sent], [1, sent], 0]
    stats = client.stats()
    counts = {name: getattr(stats, name) for name in ("truncated", "replaced", "nulled")}
    counts["stringified"] = stats.stringified
    assert counts == {**dict.fromkeys(counts, 0), count: 2}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"user_id": "u" * 1025}, "user_id"),
        ({"device_id": "device-\ud800"}, "device_id"),
        ({"insert_id": "i" * 1025}, "insert_id"),
        ({"event_properties": {"\ud800": 1}}, "event_properties"),
        ({"event_properties": {"i": 10**1024}}, "event_properties.i"),
        ({"event_properties": {"i": 10**5000}}, "event_properties.i"),
        ({"price": float("nan"), "productId": "p"}, "productId"),
        ({"time": 2**64}, "time"),
        ({"quantity": 2**64}, "quantity"),
        ({"user_id": float("nan")}, None),
    ],
)
def test_ids_keys_and_numbers_are_never_changed(
    server: Server, make_client: MakeClient, change: dict[str, Any], field: str | None
) -> None:
    client = make_client(server.url, **MENDS)
    bad = {**event(), **change}
    with pytest.raises(tidewheel.ValidationError) as caught:
        client.track(bad)
    assert caught.value.field == (field or "user_id")
    stats = client.stats()
    assert (stats.accepted, stats.truncated, stats.replaced, stats.nulled) == (0, 0, 0, 0)


def test_fields_may_be_cut(server: Server, make_client: MakeClient) -> None:
    client = make_client(server.url, **MENDS)
    client.track({**event(), "event_type": "e" * 2000, "city": "c" * 1025})
    client.identify(user_id="user-1", set={"a": "x" * 1500, "b": float("nan"), "c": 2**65})
    client.flush()
    first, second = server.requests[0].events
    assert (len(first["event_type"]), len(first["city"])) == (1024, 1024)
    assert second["user_properties"]["$set"] == {"a": "x" * 1024, "b": None, "c": str(2**65)}
    stats = client.stats()
    assert (stats.truncated, stats.nulled, stats.stringified) == (3, 1, 1)


# ---- the Identify APIs themselves -----------------------------------------------------------

IDENTIFICATIONS = DEFAULTS.with_name("identifications.json")


@pytest.mark.parametrize(
    "case", json.loads(IDENTIFICATIONS.read_text())["cases"], ids=lambda case: case["name"]
)
def test_identifications_are_checked(
    server: Server, client: tidewheel.Client, case: dict[str, Any]
) -> None:
    server.answer = lambda _: Answer(200, b"success", {"Content-Type": "text/html"})
    call = client.raw_group_identify if case["groups"] else client.raw_identify
    if "error" not in case:
        assert call(case["identification"]) == "success"
        (request,) = server.requests
        assert request.path == ("/groupidentify" if case["groups"] else "/identify")
        form = parse_qs(request.body.decode(), strict_parsing=True)
        assert form["api_key"] == [API_KEY]
        assert json.loads(form["identification"][0]) == case["identification"]
        return
    with pytest.raises(tidewheel.ValidationError) as caught:
        call(case["identification"])
    assert caught.value.field == case["error"]["field"]
    assert case["error"]["rule"] in str(caught.value)
    assert server.requests == []


def test_an_identification_is_repeated_only_after_no(
    server: Server, make_client: MakeClient
) -> None:
    answers = iter([Answer(503, b""), Answer(200, b"success"), Answer(500, b"")])
    server.answer = lambda _: next(answers)
    client = make_client(server.url, min_id_length=3)
    one = {"user_id": "abc", "user_properties": {"$add": {"n": 1}}}
    assert client.raw_identify(iter([one])) == "success"
    with pytest.raises(tidewheel.ServerError) as caught:
        client.raw_identify(one)
    assert caught.value.stored == "maybe"
    assert len(server.requests) == 3
    form = parse_qs(server.requests[0].body.decode())
    assert form["options"] == ['{"min_id_length":3}']
    assert API_KEY not in str(caught.value)


def test_a_request_of_identifications_has_1_mb(server: Server, client: tidewheel.Client) -> None:
    one = {"user_id": "user-1", "user_properties": {"a": "x" * 1000}}
    with pytest.raises(tidewheel.PayloadTooLargeError) as caught:
        client.raw_identify([one] * 1000)
    assert caught.value.field == "identification"
    assert server.requests == []


def test_identifications_are_applied(live: tidewheel.Client, emulator: tidewheel.Emulator) -> None:
    async def run() -> None:
        async with tidewheel.AsyncClient(emulator.api_key, base_url=emulator.url) as client:
            assert await client.raw_identify({"user_id": "user-1", "paying": "true"}) == "success"
            group = {"group_type": "org", "group_value": "a", "group_properties": {"seats": 4}}
            assert await client.raw_group_identify([group]) == "success"

    asyncio.run(run())
    assert live.raw_identify([{"user_id": "user-1", "user_properties": {"tier": "gold"}}])
    other = tidewheel.Client("wrong-key", base_url=emulator.url)
    with pytest.raises(tidewheel.TidewheelError, match="invalid_api_key"):
        other.raw_identify({"user_id": "user-1"})
