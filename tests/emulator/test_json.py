# SPDX-License-Identifier: MIT
"""The emulator's JSON check agrees with Python's, document by document."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from emulator_api import Api

VALID = [
    "0", "-0", "1e5", "1E+5", "-1.5e-7", "123456789012345678901234567890", "true", "null",
    '"\\u0000\\ud800\\n\\/"', '"é\U0001f30a\x7f"', "[]", "[ ]", "{}", '{"a":{"a":[{}]}}',
    ' [ 1 , 2 ] ', '{"a":1,"a":2}',
]  # fmt: skip
INVALID = [
    "", "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x1", "NaN", "Infinity", "-Infinity", "tru",
    "nulll", '"', '"\\"', '"\\x"', '"\\u12g4"', '"\\u123"', '"\t"', '"\n"', "'a'", "[", "]", "[1",
    "[1,]", "[,1]", "[1 2]", "{", "}", '{"a"}', '{"a":}', '{"a":1,}', '{a:1}', '{"a" 1}', "[}",
    "{]", "1 2", "[1]]", "\x0c1", "\u00a01", "/**/1", '{"a":1;"b":2}',
]  # fmt: skip


def accepted(api: Api, text: bytes) -> bool:
    """Whether {"x": text} passes for JSON: then its missing api_key is what is wrong."""
    error = api.call("POST", "/2/httpapi", b'{"x":' + text + b"}").json["error"]
    assert error in ("Invalid JSON request body", "Request missing required field")
    return bool(error == "Request missing required field")


def refuse(_constant: str) -> None:
    raise ValueError


def reference(text: bytes) -> bool:
    try:
        json.loads('{"x":' + text.decode() + "}", parse_constant=refuse)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("text", VALID)
def test_valid(api: Api, text: str) -> None:
    assert accepted(api, text.encode())


@pytest.mark.parametrize("text", INVALID)
def test_invalid(api: Api, text: str) -> None:
    assert not accepted(api, text.encode())


@pytest.mark.parametrize(
    "text",
    [b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', b'"\x80"'],
)
def test_invalid_utf8(api: Api, text: bytes) -> None:
    assert not accepted(api, text)


def test_depth_is_bounded(api: Api) -> None:
    assert accepted(api, b"[" * 2000 + b"]" * 2000)
    assert not accepted(api, b"[" * 400_000 + b"]" * 400_000)


def value(rng: random.Random, depth: int) -> Any:
    kind = rng.randrange(8 if depth < 4 else 5)
    if kind == 0:
        return rng.choice([True, False, None])
    if kind == 1:
        return rng.randrange(-(10**20), 10**20)
    if kind == 2:
        return rng.uniform(-1, 1) * 10.0 ** rng.randrange(-300, 300)
    if kind < 5:
        return "".join(
            rng.choice('ab "\\/\n\u00e9\u4e2d\U0001f30a\x00') for _ in range(rng.randrange(20))
        )
    if kind == 5:
        return [value(rng, depth + 1) for _ in range(rng.randrange(5))]
    return {str(rng.random()): value(rng, depth + 1) for _ in range(rng.randrange(5))}


def test_mutated_documents_are_judged_alike(api: Api) -> None:
    rng = random.Random(20261123)
    alphabet = b'{}[]",:\\u019eE+-. \n\ttrfalsn\x00\xc3\xa9\xf0\x9f'
    verdicts = []
    for _ in range(3000):
        text = bytearray(json.dumps(value(rng, 0), ensure_ascii=rng.random() < 0.5).encode())
        for _ in range(rng.randrange(3)):
            at = rng.randrange(len(text) + 1)
            text[at : at + rng.randrange(2)] = bytes([rng.choice(alphabet)])
        verdict = accepted(api, bytes(text))
        assert verdict == reference(bytes(text)), bytes(text)
        verdicts.append(verdict)
    assert 500 < sum(verdicts) < 2500
