# SPDX-License-Identifier: MIT
"""Calls by name with arguments by name."""

import asyncio
import datetime as dt
import enum
from types import MappingProxyType

import pytest

import tidewheel
from tidewheel._calls import plain, row

from .conftest import API_KEY, SECRET_KEY, Answer, MakeClient, Server, json_answer


class Direction(enum.StrEnum):
    EARLIEST = "earliest"


def test_arguments_become_a_request_and_the_answer_has_one_form(
    server: Server, client: tidewheel.Client
) -> None:
    user = {"canonical_amplitude_id": 9007199254740993, "revenue": "1.5", "purchases": "2"}
    server.answer = lambda _: json_answer({"userData": user, "events": []})
    answer = client.call(
        "users.activity", amplitude_id=9007199254740993, direction=Direction.EARLIEST, limit=None
    )
    assert server.requests[0].path == (
        "/api/2/useractivity?user=9007199254740993&direction=earliest"
    )
    assert answer["user"]["amplitude_id"] == 9007199254740993
    assert (answer["user"]["revenue"], answer["user"]["purchases"]) == (1.5, 2)
    assert answer["user"]["data"] == user
    assert answer["events"] == []


def test_wrong_arguments_never_reach_the_server(server: Server, client: tidewheel.Client) -> None:
    with pytest.raises(tidewheel.ValidationError, match="1 to 1000") as caught:
        client.call("users.activity", amplitude_id=1, limit=5000)
    assert caught.value.field == "limit"
    with pytest.raises(tidewheel.ValidationError, match='did you mean "limit"'):
        client.call("users.activity", amplitude_id=1, limt=5)
    with pytest.raises(tidewheel.ValidationError, match="user was missing"):
        client.call("users.search")
    with pytest.raises(ValueError, match="takes no arguments by name"):
        client.call("ingestion.httpapi")
    with pytest.raises(ValueError, match="unknown"):
        client.call("users.find")
    with pytest.raises(tidewheel.ValidationError, match="type object") as caught:
        client.call("users.search", user=object())
    assert caught.value.field == "user"
    with pytest.raises(tidewheel.ValidationError, match="64 bits"):
        client.call("users.search", user=1 << 70)
    assert not server.requests


def test_errors_of_the_server(server: Server, client: tidewheel.Client) -> None:
    server.answer = lambda _: json_answer({"success": False, "errors": [{"message": "no"}]}, 409)
    with pytest.raises(tidewheel.ApiError, match="no") as caught:
        client.call("taxonomy.event_create", event_type="a")
    assert caught.value.http_status == 409
    server.answer = lambda _: Answer(200, b"<html>", {"content-type": "text/html"})
    with pytest.raises(tidewheel.ProtocolError):
        client.call("users.search", user="a")


def test_the_profile_api_is_not_in_the_eu(server: Server, make_client: MakeClient) -> None:
    client = make_client(server.url, region="eu")
    with pytest.raises(tidewheel.ConfigError, match="eu"):
        client.call("profile.get", user_id="u")
    assert not server.requests


def test_calls_are_awaited(server: Server) -> None:
    server.answer = lambda _: json_answer({"type": "nomatch", "matches": []})

    async def main() -> None:
        async with tidewheel.AsyncClient(API_KEY, SECRET_KEY, base_url=server.url) as client:
            answer = await client.call("users.search", user="u-1")
            found = {"type": "nomatch", "matches": []}
            assert answer == {**found, "data": found}
            with pytest.raises(tidewheel.ValidationError):
                client.call("users.search", user="")

    asyncio.run(main())


def test_values_that_json_does_not_have() -> None:
    assert plain(dt.date(2026, 3, 1)) == "20260301"
    assert plain(dt.datetime(2026, 3, 1, 23, 59, tzinfo=dt.UTC)) == "20260301"
    assert plain(MappingProxyType({"a": 1})) == {"a": 1}


def test_a_row_ignores_what_it_does_not_know() -> None:
    found = row(tidewheel.Progress, {"phase": "p", "requests": 1, "bytes_received": 2,
                                     "request_id": ["a"], "later": 1})  # fmt: skip
    assert found == tidewheel.Progress("p", 1, 2, ("a",))  # type: ignore[arg-type]
