# SPDX-License-Identifier: MIT
"""User look-up: searching, and the pages of an activity."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import tidewheel

from .conftest import API_KEY, SECRET_KEY, Answer, Request, Server, json_answer

MATCH = {
    "user_id": "u-7781",
    "amplitude_id": 9007199254740993,
    "last_device_id": "7f0a",
    "platform": "Web",
    "country": "Chile",
    "last_seen": "2026-03-01",
}
USER = {
    "user_id": "u-7781",
    "canonical_amplitude_id": 902117334455,
    "merged_amplitude_ids": [],
    "num_events": 3,
    "num_sessions": 1,
    "usage_time": 0,
    "first_used": "2026-02-11",
    "last_used": "2026-03-01",
    "purchases": "0",
    "revenue": "0.0",
    "platform": "Web",
    "os": "",
    "country": "Chile",
    "device_ids": ["7f0a"],
    "last_device_id": "7f0a",
    "last_location": {"lat": "1.7976931348623157E308", "lng": "1.7976931348623157E308"},
    "properties": {"tier": "gold"},
}


class History:
    """A user's events, latest first, given out as the API does: one more than asked for, and the
    last session to its end."""

    def __init__(self, sizes: list[int]) -> None:
        total = sum(sizes)
        self.sessions = [session for session, size in enumerate(sizes) for _ in range(size)]
        self.events = [{"uuid": f"event-{i}", "event_type": "a"} for i in range(total)]
        self.arriving = 0  # events that are uploaded before each call but the first
        self.asked: list[tuple[int, int]] = []

    def answer(self, request: Request) -> Answer:
        query = parse_qs(urlsplit(request.path).query)
        offset, limit = int(query["offset"][0]), int(query["limit"][0])
        if self.asked:
            for _ in range(self.arriving):
                self.events.insert(0, {"uuid": f"late-{len(self.events)}", "event_type": "a"})
                self.sessions.insert(0, -1)
        self.asked.append((offset, limit))
        end = min(offset + limit + 1, len(self.events))
        while 0 < end < len(self.events) and self.sessions[end] == self.sessions[end - 1]:
            end += 1
        return json_answer({"userData": USER, "events": self.events[offset:end]})


def ids(events: Any) -> list[str]:
    return [event["uuid"] for event in events]


def test_search(server: Server, client: tidewheel.Client) -> None:
    server.answer = lambda _: json_answer({"matches": [MATCH], "type": "match_user_prefix"})
    found = client.users.search("u-77 &")
    assert server.requests[0].path == "/api/2/usersearch?user=u-77%20%26"
    assert found.type == "match_user_prefix"
    assert found.matches[0].amplitude_id == 9007199254740993
    assert found.matches[0].data == MATCH
    (match,) = found
    assert match == found.matches[0]
    (row,) = found.to_dicts()
    assert row["amplitude_id"] == 9007199254740993
    assert "data" not in row
    assert (len(found), bool(found)) == (1, True)
    with pytest.raises(AttributeError):
        found.type = ""  # type: ignore[misc]
    server.answer = lambda _: json_answer({"type": "nomatch", "matches": []})
    nobody = client.users.search("nobody")
    assert nobody == tidewheel.UserSearch(
        "nomatch", tidewheel.Entries(), {"type": "nomatch", "matches": []}
    )
    assert not nobody
    assert nobody.to_dicts() == []
    with pytest.raises(tidewheel.ValidationError):
        client.users.search("")
    found.data["matches"][0]["amplitude_id"] = 0  # it is a copy of its own
    assert found.matches[0].data == MATCH


def test_what_was_read_to_its_end_says_so(server: Server, client: tidewheel.Client) -> None:
    server.answer = lambda _: json_answer({"userData": USER, "events": [{"uuid": "1"}]})
    activity = client.users.activity(1)
    assert len(list(activity)) == 1
    for again in (iter(activity), activity.pages()):
        with pytest.raises(RuntimeError, match="read to its end"):
            next(again)
    assert len(server.requests) == 1


def test_the_user_has_numbers_for_numbers(server: Server, client: tidewheel.Client) -> None:
    server.answer = lambda _: json_answer({"userData": USER, "events": []})
    (page,) = client.users.activity(902117334455).pages()
    assert page.events == ()
    assert page.data == {"userData": USER, "events": []}
    user = page.user
    assert (user.amplitude_id, user.purchases, user.revenue) == (902117334455, 0, 0.0)
    assert user.last_location is None
    assert user.os is None
    assert user.device_ids == ("7f0a",)
    assert user.city is None
    assert user.data == USER
    thin = {"num_events": 0, "canonical_amplitude_id": 12, "user_id": None, "last_location": None}
    server.answer = lambda _: json_answer({"userData": thin, "events": []})
    (page,) = client.users.activity("12").pages()
    assert page.user.first_used is None
    assert page.user.last_location is None
    assert list(client.users.activity(12)) == []


@pytest.mark.parametrize("sizes", [[], [1], [999, 1], [1000], [1001], [5] * 700, [1500, 1600, 3]])
def test_every_event_comes_once(server: Server, client: tidewheel.Client, sizes: list[int]) -> None:
    history = History(sizes)
    server.answer = history.answer
    assert ids(client.users.activity(1)) == ids(history.events)
    # No call after the one that gave less than it was asked for.
    assert all(offset + 1000 <= len(history.events) for offset, _ in history.asked[:-1])
    assert history.asked[-1][0] + 1000 > len(history.events)


@pytest.mark.parametrize("limit", [1, 2, 7, 1000, 1001, 2500])
def test_a_limit_is_kept_to_the_event(server: Server, client: tidewheel.Client, limit: int) -> None:
    history = History([3] * 1000)
    server.answer = history.answer
    assert (
        ids(client.users.activity(1, offset=2, limit=limit)) == ids(history.events)[2 : 2 + limit]
    )
    assert history.asked[0] == (2, min(limit, 1000))


def test_events_that_arrive_meanwhile_repeat_nothing(
    server: Server, client: tidewheel.Client
) -> None:
    history = History([4] * 800)
    history.arriving = 3
    server.answer = history.answer
    before = ids(history.events)
    assert ids(client.users.activity(1)) == before


def test_leaving_early_asks_no_more(server: Server, client: tidewheel.Client) -> None:
    history = History([1] * 5000)
    server.answer = history.answer
    for _ in client.users.activity(1, direction="earliest"):
        break
    assert len(history.asked) == 1


def test_wrong_arguments_are_refused_at_once(server: Server, client: tidewheel.Client) -> None:
    for field, arguments in (
        ("amplitude_id", {"amplitude_id": "u-1"}),
        ("offset", {"amplitude_id": 1, "offset": -1}),
        ("limit", {"amplitude_id": 1, "limit": 0}),
        ("limit", {"amplitude_id": 1, "limit": "3"}),
        ("limit", {"amplitude_id": 1, "limit": 1.5}),
        ("direction", {"amplitude_id": 1, "direction": "newest"}),
    ):
        with pytest.raises(tidewheel.ValidationError) as caught:
            client.users.activity(**arguments)  # type: ignore[arg-type]
        assert caught.value.field == field
    assert not server.requests


def test_pages_are_awaited(server: Server) -> None:
    history = History([4] * 600)
    server.answer = history.answer

    async def main() -> None:
        async with tidewheel.AsyncClient(API_KEY, SECRET_KEY, base_url=server.url) as client:
            found = [event async for event in client.users.activity(1, limit=2100)]
            assert ids(found) == ids(history.events)[:2100]
            pages = [page async for page in client.users.activity(1).pages()]
            assert sum(len(page.events) for page in pages) == 2400
            server.answer = lambda _: json_answer({"type": "nomatch", "matches": []})
            assert (await client.users.search("u")).type == "nomatch"

    asyncio.run(main())


# ---- against the emulator


def test_a_user_of_the_emulator(live: tidewheel.Client) -> None:
    day = 1767225600000
    for i in range(25):
        live.track(
            {
                "event_type": f"e{i}",
                "user_id": "user-ada",
                "device_id": "device-1",
                "session_id": day + (i // 5) * 3_600_000,
                "time": day + (i // 5) * 3_600_000 + i * 1000,
                "event_properties": {"i": i},
            }
        )
    live.identify(user_id="user-ada", device_id="device-1", set={"tier": "gold"}, time=day)
    assert live.flush().complete
    found = live.users.search("user-a")
    assert found.type == "match_user_prefix"
    match = found.matches[0]
    assert match.user_id == "user-ada"
    types = [e["event_type"] for e in live.users.activity(match.amplitude_id, direction="earliest")]
    assert [t for t in types if t.startswith("e")] == [f"e{i}" for i in range(25)]
    latest = list(live.users.activity(match.amplitude_id, limit=3))
    assert [e["event_type"] for e in latest] == ["e24", "e23", "e22"]
    page = next(live.users.activity(match.amplitude_id, limit=1).pages())
    assert len(page.events) == 1
    assert page.user.properties["tier"] == "gold"
    assert page.user.num_sessions == 5
    assert list(live.users.activity(12345)) == []
    assert live.users.search("nobody").matches == ()
