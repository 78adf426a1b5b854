# SPDX-License-Identifier: MIT
"""Values arrive as given or are refused with their path named; never changed in silence."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import json
import random
import re
import types
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tidewheel
from tidewheel import _core

from .conftest import MakeClient, Server

VECTORS = Path(__file__).resolve().parents[1] / "vectors/events.json"
CASES = json.loads(VECTORS.read_text())["cases"]


@pytest.fixture(params=[True, False], ids=["in place", "by items"], autouse=True)
def dicts(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test runs with dicts read in place, and with Python asked for each item."""
    if _core.dicts_in_place(request.param) is not request.param:
        pytest.skip("this build asks for each item in any case")
    yield
    _core.dicts_in_place(True)


def event(value: object) -> dict[str, Any]:
    return {"event_type": "e", "user_id": "user-1", "event_properties": {"p": value}}


def encoded(client: tidewheel.Client, value: object) -> Any:
    return json.loads(client._core.encode_event(event(value)))["event_properties"]["p"]


@pytest.mark.parametrize(
    "case", [case for case in CASES if "error" in case], ids=lambda case: case["name"]
)
def test_a_refused_event_names_field_and_rule(
    client: tidewheel.Client, case: dict[str, Any]
) -> None:
    if not isinstance(case["event"], dict):
        with pytest.raises(TypeError, match="mapping"):
            client.track(case["event"])
        return
    with pytest.raises(tidewheel.ValidationError) as caught:
        client.track(case["event"])
    assert (caught.value.field or "") == case["error"]["field"]
    assert case["error"]["rule"] in str(caught.value)
    stats = client.stats()
    assert (stats.accepted, stats.waiting, stats.refused) == (0, 0, 1)


def test_accepted_events_go_out_byte_for_byte(server: Server, client: tidewheel.Client) -> None:
    cases = [case for case in CASES if "wire" in case]
    for case in cases:
        client.track(case["event"])
    report = client.flush()
    assert report.complete
    assert report.stored == len(cases)
    sent = b"".join(request.body for request in server.requests).decode()
    for case in cases:
        pattern = re.escape(case["wire"])
        pattern = pattern.replace("<insert_id>", "[0-9a-f-]{36}").replace("<time>", r"\d{13}")
        assert re.search(pattern, sent), case["name"]


GOOD = [
    0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 0.1, -0.0, 5e-324, 1.7976931348623157e308, 1e15, 1e22,
    1.5, True, False, None, "", "ä", "日本語", "\U0001f600", "\0", "\u2028", '"\\/\b\f\n\r\t',
    "x" * 1024, "\U0001f600" * 1024, [], {}, [[]], [None, 1, "a"], {"": 1}, {"ä\0": {"b": [1.5]}},
]  # fmt: skip


@pytest.mark.parametrize("value", GOOD, ids=lambda value: repr(value)[:20])
def test_a_value_arrives_as_given(client: tidewheel.Client, value: object) -> None:
    got = encoded(client, value)
    assert type(got) is type(value)
    assert repr(got) == repr(value)


def test_doubles_survive_the_round_trip(client: tidewheel.Client) -> None:
    rng = random.Random(3)
    values = [rng.uniform(-1, 1) * 10.0 ** rng.randrange(-320, 308) for _ in range(5000)]
    values += [round(rng.uniform(-1e6, 1e6), rng.randrange(9)) for _ in range(5000)]
    for start in range(0, len(values), 500):
        part = values[start : start + 500]
        assert encoded(client, part) == part


class Colour(enum.IntEnum):
    RED = 3


class Name(str):
    """Its storage counts, not its methods."""

    __slots__ = ()

    def __str__(self) -> str:
        raise AssertionError("user code ran while an event was written")


class Bag(dict[str, Any]):
    def items(self) -> Any:
        raise AssertionError("user code ran while an event was written")

    __iter__ = keys = __getitem__ = __len__ = items  # type: ignore[assignment]


class Point(collections.namedtuple("Point", "x y")):
    __slots__ = ()


SUBCLASSES = [
    (Colour.RED, 3),
    (Name("n"), "n"),
    (Bag(a=1), {"a": 1}),
    (Point(1, 2), [1, 2]),
    ((1, (2,)), [1, [2]]),
    (collections.OrderedDict(a=1, b=2), {"a": 1, "b": 2}),
    (collections.defaultdict(int, {"a": 1}), {"a": 1}),
    ({Name("k"): 1}, {"k": 1}),
]


@pytest.mark.parametrize(("value", "expected"), SUBCLASSES)
def test_a_subclass_counts_by_what_it_holds(
    client: tidewheel.Client, value: object, expected: object
) -> None:
    assert encoded(client, value) == expected


class Owner:
    """Objects of one class may share the keys of what they have their attributes in."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)
        self.last = "l"


def with_holes(size: int) -> dict[str, Any]:
    made = {f"k{i}": i for i in range(size)}
    for i in range(0, size, 3):
        del made[f"k{i}"]
    return made


def refilled(size: int) -> dict[str, Any]:
    made = with_holes(size)
    made |= {f"n{i}": [i] for i in range(size // 2)}
    return made


def first_removed() -> dict[str, Any]:
    made = {"a": 1, "b": 2, "c": 3}
    made.pop("a")
    made["a"] = 4
    return made


def emptied() -> dict[str, Any]:
    made: dict[str, Any] = {"a": 1, "b": 2}
    made.clear()
    made["c"] = 3
    return made


def once_mixed() -> dict[Any, Any]:
    made: dict[Any, Any] = {"a": 1, 7: 2}
    del made[7]
    return made


# However a dict came to be, so that each way in which Python stores one is met.
STORED: dict[str, dict[Any, Any]] = {
    "literal": {"a": 1, "b": "2", "c": None},
    "copy of one with holes": with_holes(20).copy(),
    "holes": with_holes(20),
    "refilled": refilled(20),
    "first removed": first_removed(),
    "emptied": emptied(),
    "all removed": with_holes(1),
    "once mixed": once_mixed(),
    "of a subclass of str": {Name("k"): 1, "l": 2},
    "attributes": vars(Owner(first="f", second=2)),
    "attributes of another order": vars(Owner(second=2, first="f")),
    "attributes of a slot less": vars(Owner()),
    "many": {f"k{i}": i for i in range(1000)},
    "very many": {f"k{i}": 0 for i in range(70_000)},
}


@pytest.mark.parametrize("value", STORED.values(), ids=STORED)
def test_a_dict_arrives_in_its_order_however_it_is_stored(
    client: tidewheel.Client, value: dict[Any, Any]
) -> None:
    assert list(encoded(client, value).items()) == list(value.items())


@dataclasses.dataclass
class Plain:
    x: int = 1


BAD = [
    (2**63, "", "64 bits"),
    (-(2**63) - 1, "", "64 bits"),
    (float("nan"), "", "NaN"),
    (float("inf"), "", "infinit"),
    (b"bytes", "", "bytes"),
    (bytearray(), "", "bytearray"),
    ({1, 2}, "", "set"),
    (1j, "", "complex"),
    (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "", "datetime"),
    (dt.date(2026, 1, 1), "", "date"),
    (decimal.Decimal(1), "", "Decimal"),
    (uuid.UUID(int=0), "", "UUID"),
    (Plain(), "", "Plain"),
    (object(), "", "object"),
    (print, "", "builtin_function"),
    (iter([]), "", "list_iterator"),
    (types.MappingProxyType({}), "", "mappingproxy"),
    ("\ud800", "", "surrogate"),
    (["a", ("b", "c\udfff")], "[1][1]", "surrogate"),
    ({"k\ud800": 1}, "", "surrogate"),
    ({1: 1}, "", "int"),
    ({None: 1}, "", "NoneType"),
    ({b"k": 1}, "", "bytes"),
    ({"a": [{"b": [0, b""]}]}, ".a[0].b[1]", "bytes"),
    ("x" * 1025, "", "1024"),
]


@pytest.mark.parametrize(("value", "path", "word"), BAD, ids=lambda value: repr(value)[:20])
def test_what_json_lacks_is_refused_with_its_path(
    client: tidewheel.Client, value: object, path: str, word: str
) -> None:
    with pytest.raises(tidewheel.ValidationError, match=word) as caught:
        client.track(event(value))
    assert caught.value.field == "event_properties.p" + path
    assert caught.value.stored == "no"
    assert client.stats().refused == 1


def layers(count: int) -> Any:
    value: Any = 1
    for _ in range(count):
        value = [value]
    return value


def test_40_layers_are_taken_and_one_more_is_not(client: tidewheel.Client) -> None:
    assert encoded(client, layers(39)) == layers(39)  # event_properties is the first layer
    with pytest.raises(tidewheel.ValidationError, match="deep"):
        client.track(event(layers(40)))


def test_cycles_and_bombs_end(client: tidewheel.Client) -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    bomb: Any = "x" * 100
    for _ in range(35):
        bomb = [bomb, bomb]
    for value in (cycle, loop):
        with pytest.raises(tidewheel.ValidationError, match="deep"):
            client.track(event(value))
    with pytest.raises(tidewheel.TidewheelError) as caught:
        client.track(event(bomb))
    assert caught.value.code in ("too_large", "validation")


def test_the_event_is_frozen_when_it_is_accepted(server: Server, client: tidewheel.Client) -> None:
    properties = {"p": [1]}
    client.track({"event_type": "e", "user_id": "user-1", "event_properties": properties})
    properties["p"].append(2)
    client.flush()
    (sent,) = server.requests[0].events
    assert sent["event_properties"] == {"p": [1]}


def test_any_mapping_is_an_event(server: Server, client: tidewheel.Client) -> None:
    fields = {"event_type": "e", "user_id": "user-1"}
    client.track(types.MappingProxyType(fields))
    client.track(collections.ChainMap(fields))
    client.flush()
    assert [sent["user_id"] for sent in server.requests[0].events] == ["user-1"] * 2


@pytest.mark.parametrize("value", [None, 1, "text", [("event_type", "e")], object()])
def test_what_is_no_mapping_is_misuse(client: tidewheel.Client, value: Any) -> None:
    with pytest.raises(TypeError, match="mapping"):
        client.track(value)


# ---- default= -----------------------------------------------------------------------------------


def test_the_hook_converts_what_json_lacks(server: Server, make_client: MakeClient) -> None:
    seen = []

    def default(value: Any) -> Any:
        seen.append(value)
        return value.isoformat() if isinstance(value, dt.date) else sorted(value)

    client = make_client(server.url, default=default)
    client.track(event({"at": dt.date(2026, 1, 2), "tags": {"b", "a"}, "n": (1, [2.5, None])}))
    client.flush()
    (sent,) = server.requests[0].events
    assert sent["event_properties"]["p"] == {
        "at": "2026-01-02",
        "tags": ["a", "b"],
        "n": [1, [2.5, None]],
    }
    assert len(seen) == 2


def test_the_hook_is_asked_again_about_what_it_gave(make_client: MakeClient) -> None:
    client = make_client(
        "http://127.0.0.1:1",
        default=lambda value: (
            {"v": [value.days]} if isinstance(value, dt.timedelta) else dt.timedelta(days=2)
        ),
    )
    assert encoded(client, object()) == {"v": [2]}


def test_a_hook_that_does_not_help_ends_in_an_error(make_client: MakeClient) -> None:
    client = make_client("http://127.0.0.1:1", default=lambda value: value)
    with pytest.raises(ValueError, match="default"):
        client.track(event(object()))
    grower = make_client("http://127.0.0.1:1", default=lambda value: [value, value])
    with pytest.raises((ValueError, tidewheel.TidewheelError)):
        grower.track(event(object()))


def test_an_exception_of_the_hook_passes(make_client: MakeClient) -> None:
    def default(value: Any) -> Any:
        raise KeyError(type(value).__name__)

    client = make_client("http://127.0.0.1:1", default=default)
    with pytest.raises(KeyError, match="set"):
        client.track(event({1}))
    assert client.stats().accepted == 0


def test_a_hook_may_change_what_is_being_written(make_client: MakeClient) -> None:
    properties: dict[str, Any] = {f"k{i}": object() for i in range(50)}

    def default(value: Any) -> Any:
        properties.clear()
        properties.update({f"n{i}": i for i in range(500)})
        return "x"

    client = make_client("http://127.0.0.1:1", default=default)
    assert encoded(client, properties) == {f"k{i}": "x" for i in range(50)}


def test_the_hook_is_not_called_for_what_json_has(make_client: MakeClient) -> None:
    def default(value: Any) -> Any:
        raise AssertionError

    client = make_client("http://127.0.0.1:1", default=default)
    assert encoded(client, [1, "a", None, {"b": (2.5,)}]) == [1, "a", None, {"b": [2.5]}]
    with pytest.raises(tidewheel.ValidationError, match="64 bits"):
        client.track(event(2**64))


def test_the_hook_must_be_callable() -> None:
    with pytest.raises(TypeError, match="default"):
        tidewheel.Client("0123456789abcdef", default=1)  # type: ignore[arg-type]


# ---- keys: the binding remembers the ones it has written by their address ----


def raw(client: tidewheel.Client, properties: dict[Any, Any]) -> Any:
    whole = {"event_type": "e", "user_id": "user-1", "event_properties": properties}
    return json.loads(client._core.encode_event(whole))["event_properties"]


def test_keys_stay_right_when_they_come_again(client: tidewheel.Client) -> None:
    names = [f"key {i}" + "x" * (i % 60) for i in range(3000)]  # more than are remembered
    names += ['a "quote"', "tab\t", "back\\slash", "ключ", "キー" * 12, ""]
    for _ in range(4):
        for start in range(0, len(names), 50):
            part = {name: i for i, name in enumerate(names[start : start + 50])}
            assert raw(client, part) == part


def test_keys_made_for_one_event_are_not_mixed_up(client: tidewheel.Client) -> None:
    for i in range(5000):  # the allocator hands the same addresses out again
        properties = json.loads(f'{{"name{i}": {i}, "other{i % 7}": null}}')
        assert raw(client, properties) == properties


class Name(str):
    """A str with more to it."""

    def __str__(self) -> str:
        raise RuntimeError("user code ran")


def test_a_key_of_a_subclass_counts_by_its_text(client: tidewheel.Client) -> None:
    key = Name("sub")
    for _ in range(4):
        assert raw(client, {key: 1}) == {"sub": 1}


@pytest.mark.parametrize(
    ("bad", "path", "rule"),
    [
        ({"user_propertys": {}}, "user_propertys", "did you mean user_properties?"),
        ({"own": 1}, "own", "event_properties"),
        ({"user_properties": {"$add": {"n": "x"}}}, "user_properties.$add.n", "number"),
        ({"user_properties": {"$set": {}, "plain": 1}}, "user_properties.plain", "mixed"),
        ({"time": 17}, "time", "milliseconds"),
        ({"platform": 1}, "platform", "string"),
    ],
)
def test_a_rule_holds_however_often_the_key_came(
    client: tidewheel.Client, bad: dict[str, Any], path: str, rule: str
) -> None:
    for _ in range(5):
        with pytest.raises(tidewheel.ValidationError, match=re.escape(rule)) as caught:
            client.track({"event_type": "e", "user_id": "user-1", **bad})
        assert caught.value.field == path
        client._core.encode_event({"event_type": "e", "user_id": "user-1", "platform": "ok"})
