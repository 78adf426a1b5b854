# SPDX-License-Identifier: MIT
"""Reading JSON gives exactly the values the standard library gives, or an error."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

import tidewheel
from tidewheel import _core

TEXTS = ["", "a", "ä", "日本語", "\U0001f600", "\0", '\\"/\b\f\n\r\t', "x" * 1000, "é" * 33]


def random_value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(10 if depth < 6 else 8)
    if kind < 2:
        return rng.choice(TEXTS)
    if kind == 2:
        return rng.choice([None, True, False])
    if kind < 5:
        return rng.randrange(-(2 ** rng.randrange(1, 80)), 2 ** rng.randrange(1, 80))
    if kind < 8:
        return rng.uniform(-1, 1) * 10.0 ** rng.randrange(-300, 300)
    if kind == 8:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(6))]
    keys = [rng.choice([*TEXTS, "a", "b", f"key {rng.randrange(10**6)}"]) for _ in range(5)]
    return {key: random_value(rng, depth + 1) for key in keys[: rng.randrange(6)]}


def same(a: Any, b: Any) -> bool:
    """Equality that tells 1 from 1.0 and True, and minds the order of keys."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


def test_values_are_those_of_the_standard_library() -> None:
    rng = random.Random(1)
    for _ in range(3000):
        value = random_value(rng)
        for escaped in (True, False):
            text = json.dumps(value, ensure_ascii=escaped)
            assert same(_core.loads(text.encode()), value), text


def test_lines_of_changing_shape() -> None:
    """Neither the remembered shape nor the key cache may leak into another event."""
    rng = random.Random(2)
    names = [f"k{i}" for i in range(40)]
    rows = []
    for _ in range(4000):
        shape = rng.choice([names[:9], names[:10], names[5:12], names[:3], [], names])
        shape = rng.sample(shape, len(shape)) if rng.random() < 0.2 else shape
        rows.append({name: rng.choice([None, 1, "x", [None], {"k0": None}]) for name in shape})
    text = "\n".join(json.dumps(row) for row in rows).encode()
    assert same(_core.load_lines(text, None), rows)


def test_more_keys_than_the_cache_has_room_for() -> None:
    rows = [{f"key {i * 997}": i, "same": "v" * (i % 40)} for i in range(20_000)]
    text = "\n".join(json.dumps(row) for row in rows).encode()
    assert _core.load_lines(text, None) == rows


def test_keys_are_shared_between_events() -> None:
    first, second = _core.load_lines(b'{"a key":{"b key":1}}\n{"x":{"b key":1,"a key":2}}', None)
    assert next(iter(first["a key"])) is next(iter(second["x"]))


@pytest.mark.parametrize("fields", [("a",), ("c", "a"), ("absent",), ("a", "b", "c", "é")])
def test_fields_are_exactly_those_wanted(fields: tuple[str, ...]) -> None:
    rows: list[dict[str, Any]] = [
        {"a": 1, "b": {"a": [1, {"c": 2}]}, "c": "}"},
        {"c": 1},
        {"é": [[]], "a": None},
        {},
    ]
    text = "\n".join(json.dumps(row) for row in rows).encode()
    wanted = [{key: row[key] for key in row if key in fields} for row in rows]
    assert _core.load_lines(text, fields) == wanted


def test_last_of_repeated_keys_wins() -> None:
    line = b'{"a":1,"b":2,"a":3}'
    assert _core.load_lines(b"\n".join([line] * 3), None) == [{"a": 3, "b": 2}] * 3


def test_what_is_skipped_is_checked_too() -> None:
    with pytest.raises(tidewheel.ProtocolError):
        _core.load_lines(b'{"a":1,"b":[01]}', ("a",))


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b"{", b'{"a"}', b'{"a":1,}', b"[1,]", b"01", b"1.", b"+1", b"NaN", b"-",
        b'"\x01"', b'"\xff"', b'"\\ud800"', b"\xef\xbb\xbf1", b"1 1", b"nul", b"1e999",
        b"[" * 65 + b"]" * 65, b'{"a":1}}', b'{1:2}',
    ],
)  # fmt: skip
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(tidewheel.ProtocolError) as caught:
        _core.loads(text)
    assert caught.value.code == "protocol"


def test_a_bad_line_is_named() -> None:
    with pytest.raises(tidewheel.ProtocolError) as caught:
        _core.load_lines(b'{"a":1}\n{"a":2}\n{"a"\n', None)
    assert caught.value.index == 2


def test_64_layers_are_read() -> None:
    value = _core.loads(b"[" * 64 + b"]" * 64)
    for _ in range(63):
        (value,) = value
    assert value == []


def test_an_integer_of_too_many_digits_is_an_error_of_the_document() -> None:
    assert _core.loads(b"9" * 4300) == int("9" * 4300)
    with pytest.raises(tidewheel.ProtocolError):
        _core.loads(b"9" * 4301)
