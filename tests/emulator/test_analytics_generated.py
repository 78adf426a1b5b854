# SPDX-License-Identifier: MIT
"""Generated queries: never a crash, never a 5xx but the documented one, always the envelope."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from analytics_api import row, send
from emulator_api import Api
from generated import examples, queries
from hypothesis import HealthCheck, given, settings

from tidewheel.emulator import Emulator

VALUES: list[Any] = [
    "red",
    "",
    None,
    5,
    "5",
    2.5,
    -0.0,
    1e300,
    True,
    ["a", 1, None, ["b"]],
    {"k": 1},
    [],
]


@pytest.fixture(scope="module")
def shared() -> Iterator[Api]:
    with Emulator(time_zone="America/New_York", cost_limits=False) as emu:
        api = Api(emu)
        rows = []
        for n in range(400):
            value = VALUES[n % len(VALUES)]
            rows.append(
                row(
                    f"{n % 23:04d}",
                    "ABCD"[n % 4],
                    f"03-{n % 28 + 1:02d} {n % 24:02d}:{n % 60:02d}",
                    color=value, session_id=n % 9 - 1, country=["Norway", "Chile", ""][n % 3],
                    user_properties={"tier": value}, **({"revenue": n - 100} if n % 7 == 0 else {}),
                )
            )  # fmt: skip
        send(api, *rows)
        yield api
        api.connection.close()


@given(query=queries())
@settings(max_examples=examples(300), deadline=None, suppress_health_check=list(HealthCheck))
def test_any_query_is_answered_or_refused(
    shared: Api, query: tuple[str, list[tuple[str, str]]]
) -> None:
    path, pairs = query
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    reply = shared.get(path, **fields)
    document = json.loads(reply.body, parse_constant=lambda name: pytest.fail(name))
    if reply.status == 200:
        assert "data" in document
        return
    assert document["error"]["http_code"] == reply.status
    reversed_bracket = path.endswith("retention") and reply.status == 500
    assert reply.status in (400, 404) or (reversed_bracket and "rb" in fields), reply.body
