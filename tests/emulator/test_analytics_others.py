# SPDX-License-Identifier: MIT
"""Realtime, sessions, composition, saved charts, activity flags, and what queries cost."""

from __future__ import annotations

import csv
import datetime
import io
import json
import urllib.parse
from typing import Any

import pytest
from analytics_api import ask, at, collapsed, event, prop, refused, row, segment, segmentation, send
from emulator_api import Api

DAY = 86_400_000


def now_ms(api: Api) -> int:
    return int(json.loads(api.emu._core.control("GET", "/clock")[1])["now_ms"])


def set_clock(api: Api, text: str) -> None:
    wall = datetime.datetime.now(datetime.UTC).timestamp()
    api.emu._control("POST", "/clock", {"offset_ms": at(text) - round(wall * 1000)})


# --- realtime -------------------------------------------------------------------------------------


def test_realtime_has_288_slots_of_two_days(api: Api) -> None:
    set_clock(api, "03-05 12:03")
    send(
        api,
        row("0001", "Look", "03-05 11:55"),
        row("0001", "Look", "03-05 11:59:59.999"),
        row("0002", "Look", "03-05 11:59"),
        row("0003", "Look", "03-05 12:00"),
        row("0001", "Look", "03-04 12:00"),
        row("0001", "Look", "03-04 11:59:59"),
        row("0001", "Look", "03-03 12:00"),
        row("0001", "Look", "03-03 11:59:59"),
    )
    data = ask_realtime(api)
    assert data["seriesLabels"] == ["Today", "Yesterday"]
    assert len(data["xValues"]) == 288
    assert (data["xValues"][0], data["xValues"][-1]) == ("12:00", "11:55")
    today, yesterday = data["series"]
    assert (today[0], today[-1], sum(today)) == (1, 2, 3)
    assert (yesterday[0], yesterday[-1], sum(yesterday)) == (1, 1, 2)


def ask_realtime(api: Api, **query: Any) -> Any:
    reply = api.get("/api/2/realtime", **query)
    assert reply.status == 200, reply.body
    return reply.json["data"]


def test_realtime_knows_five_minutes_only(api: Api) -> None:
    assert len(ask_realtime(api, i=5)["series"][0]) == 288
    assert "Invalid parameter i" in refused(api.get("/api/2/realtime", i=10))


# --- sessions -------------------------------------------------------------------------------------


@pytest.fixture
def visits(api: Api) -> Api:
    """One session of 40 s and a row outside; one of an hour; a bounce; one too long."""
    x = at("03-01 10:00")
    send(
        api,
        row("0001", "Look", x, session_id=x - 5000),
        row("0001", "Look", x + 40_000, session_id=x - 5000),
        row("0001", "Look", x + 50_000),
        row("0002", "Look", x, session_id=x, country="Norway"),
        row("0002", "Look", x + 3_600_000, session_id=x, country="Chile"),
        row("0002", "Look", x + DAY, session_id=x + DAY),
        row("0003", "Look", x, session_id=7),
        row("0003", "Look", x + DAY, session_id=7),
    )
    return api


def test_average_session_length(visits: Api) -> None:
    data = ask(visits, "/api/2/sessions/average", "0301", "0302")
    assert data["series"] == [[1820, 0]]
    assert data["xValues"] == ["2026-03-01T00:00:00", "2026-03-02T00:00:00"]
    assert data["seriesMeta"] == [{"segmentIndex": 0}]
    assert collapsed(data) == [pytest.approx(3640 / 3)]
    data = ask(
        visits, "/api/2/sessions/average", "0301", "0302", s=segment(prop("country", "is", "Chile"))
    )
    assert data["series"] == [[0, 0]]


def test_sessions_per_user(visits: Api) -> None:
    data = ask(visits, "/api/2/sessions/peruser", "0301", "0302")
    assert data["series"] == [[pytest.approx(2 / 3), 0.5]]
    assert collapsed(data) == [1]


def test_groups_of_sessions_look_at_the_first_row(visits: Api) -> None:
    path = "/api/2/sessions/peruser"
    data = ask(visits, path, "0301", "0302", g="country")
    assert data["seriesLabels"] == ["(none)", "Norway"]
    assert data["series"] == [[0.5, 0.5], [1, 0]]
    assert collapsed(data) == [pytest.approx(2 / 3), 1]
    data = ask(visits, "/api/2/sessions/average", "0301", "0302", g="country", limit=1)
    assert data["seriesLabels"] == ["(none)"]


def test_session_lengths_in_default_bins(visits: Api) -> None:
    data = ask(visits, "/api/2/sessions/length", "0301", "0302")
    assert data["xValues"] == [
        "0s-3s", "3s-10s", "10s-30s", "30s-60s", "60s-180s", "180s-600s", "600s-1800s",
        "1800s-3600s", "3600s-86400s",
    ]  # fmt: skip
    assert data["series"] == [[1, 0, 0, 1, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("unit", "low", "high", "size", "bins", "counts"),
    [
        ("seconds", 0, 100, 30, ["0s-30s", "30s-60s", "60s-90s", "90s-100s"], [1, 1, 0, 0]),
        ("minutes", 0, 1, None, [f"{n * 6}s-{n * 6 + 6}s" for n in range(10)], None),
        ("hours", 0.5, 1.5, 1, ["1800s-5400s"], [1]),
        ("hours", 0.5, 1.5, 2, ["1800s-5400s"], [1]),
        ("hours", 0.5, 1.5, 1e15, ["1800s-5400s"], [1]),
    ],
)
def test_session_lengths_in_custom_bins(
    visits: Api,
    unit: str,
    low: float,
    high: float,
    size: float | None,
    bins: list[str],
    counts: Any,
) -> None:
    names = {"TimeUnit": unit, "Min": low, "Max": high, "Size": size}
    query = {f"timeHistogramConfigBin{name}": v for name, v in names.items() if v is not None}
    data = ask(visits, "/api/2/sessions/length", "0301", "0302", **query)
    assert data["xValues"] == bins
    assert data["series"] == [counts or [1, 0, 0, 0, 0, 0, 1, 0, 0, 0]]


def test_other_units_fall_back_to_the_default_bins(visits: Api) -> None:
    query = {"TimeUnit": "days", "Min": 0, "Max": 10}
    query = {f"timeHistogramConfigBin{name}": v for name, v in query.items()}
    data = ask(visits, "/api/2/sessions/length", "0301", "0302", **query)
    assert len(data["xValues"]) == 9


def test_session_length_from_the_id_is_a_switch(visits: Api) -> None:
    visits.emu.switch(session_length="session_id")
    data = ask(visits, "/api/2/sessions/average", "0301", "0301")
    assert data["series"] == [[(45 + 3600) / 2]]


# --- composition ----------------------------------------------------------------------------------


def test_composition_counts_a_user_under_every_value(visits: Api) -> None:
    data = ask(visits, "/api/2/composition", "0301", "0302", p="country")
    assert data == {
        "series": [[3, 1, 1]],
        "seriesLabels": ["country"],
        "xValues": ["(none)", "Chile", "Norway"],
    }
    reply = visits.get("/api/2/composition", start="20260301", end="20260302")
    assert "Missing required parameter p" in refused(reply)


# --- activity -------------------------------------------------------------------------------------


def test_inactive_events_make_nobody_active_but_make_users_known(api: Api) -> None:
    send(
        api,
        row("0001", "Ping", "03-01 10:00"),
        row("0001", "Look", "03-02 10:00"),
        row("0002", "Ping", "03-02 10:00"),
    )
    assert ask(api, "/api/2/users", "0301", "0302")["series"] == [[1, 2]]
    plan = urllib.parse.urlencode({"is_active": "false"})
    reply = api.call("POST", "/api/2/taxonomy/event", "event_type=Ping", **form(api))
    assert reply.status in (200, 409), reply.body
    reply = api.call("PUT", "/api/2/taxonomy/event/Ping", plan, **form(api))
    assert reply.status == 200, reply.body
    assert ask(api, "/api/2/users", "0301", "0302")["series"] == [[0, 1]]
    assert segmentation(api, event("_all"), "0301", "0302")["series"] == [[1, 2]]
    assert ask(api, "/api/2/users", "0301", "0302", m="new")["series"] == [[1, 1]]
    data = segmentation(api, event("Ping"), "0301", "0302", m="pct_dau")
    assert data["series"] == [[0, 100]]
    data = segmentation(api, event("Ping"), "0301", "0302", n="active")
    assert data["series"] == [[0, 0]]
    entries = {e["value"]: e for e in api.get("/api/2/events/list").json["data"]}
    assert entries["Ping"]["non_active"] is True


def form(api: Api) -> dict[str, str]:
    return {**api.basic, "Content_Type": "application/x-www-form-urlencoded"}


# --- charts ---------------------------------------------------------------------------------------


def test_saved_charts_answer_as_csv(api: Api) -> None:
    send(
        api,
        row("0001", "Buy", "03-01 10:00", country='Nor"way'),
        row("0002", "Buy", "03-02 10:00", country="Chile"),
        row("0003", "Buy", "03-02 10:00", country="Chile"),
    )
    api.emu.chart(
        "abc123", "/api/2/events/segmentation", name="Buyers", e=json.loads(event("Buy")),
        start="20260301", end="20260302", g="country",
    )  # fmt: skip
    reply = api.get("/api/3/chart/abc123/csv")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert reply.headers["Cache-Control"] == "no-cache,no-store"
    text = reply.json["data"]
    assert text == (
        '"\tBuyers"\r\n\r\n"\tSegment","2026-03-01","2026-03-02"\r\n'
        '"\tChile","0","2"\r\n"\tNor""way","1","0"\r\n'
    )
    assert api.get("/api/3/chart/abc123/query").json["data"]["series"] == [[0, 2], [1, 0]]
    assert api.get("/api/3/chart/other/csv").details == "Chart not found"


@pytest.mark.parametrize(
    ("path", "query", "lines"),
    [
        ("/api/2/funnels", {"e": [{"event_type": "A"}, {"event_type": "B"}]},
         [["\tSegment", "\tA", "\tB"], ["\tAll Users", "2", "1"]]),
        ("/api/2/retention", {"se": {"event_type": "A"}, "re": {"event_type": "B"},
                              "rm": "bracket", "rb": [[0, 2]]},
         [["\tAll Users"], ["\tDate"], ["\tMar 01, 2026", "2", "1"]]),
        ("/api/2/users", {}, [["\tSegment", "2026-03-01"], ["\tAll Users", "2"]]),
        ("/api/2/composition", {"p": "platform"}, [["\tSegment", "(none)"], ["\tplatform", "2"]]),
        ("/api/2/sessions/length", {}, [["\tSegment", "0s-3s"], ["\tAll Users", "0"]]),
        ("/api/2/revenue/ltv", {}, [["\tAll Users"], ["\tDate", "\tr1d"], ["\tMar 01", "0"]]),
    ],
)  # fmt: skip
def test_every_kind_of_chart_has_a_csv(
    api: Api, path: str, query: dict[str, Any], lines: list[list[str]]
) -> None:
    send(
        api,
        row("0001", "A", "03-01 10:00"),
        row("0001", "B", "03-01 11:00"),
        row("0002", "A", "03-01 10:00"),
    )
    api.emu.switch(unknown_names="accept")
    api.emu.chart("x", path, name="Chart", start="20260301", end="20260301", **query)
    rows = list(csv.reader(io.StringIO(api.get("/api/3/chart/x/csv").json["data"], newline="")))
    assert rows[0] == ["\tChart"]
    found = [line for line in rows[1:] if line][: len(lines)]
    assert [line[: len(want)] for line, want in zip(found, lines, strict=True)] == lines


def test_charts_are_seeded_with_care(api: Api) -> None:
    with pytest.raises(ValueError, match="a chart's id"):
        api.emu.chart("a/b", "/api/2/users")
    with pytest.raises(ValueError, match="an analytics endpoint"):
        api.emu.chart("ab", "/api/2/export")
    api.emu.chart("ab", "/api/2/users", start="20260230", end="20260301")
    assert "Invalid parameter start" in refused(api.get("/api/3/chart/ab/csv"))
    api.emu.reset()
    assert api.get("/api/3/chart/ab/csv").status == 404


# --- cost -----------------------------------------------------------------------------------------


def cost_of(api: Api, path: str, **query: Any) -> int:
    """The cost as a refusal names it."""
    api.emu.switch(cost_at_once=1)
    api.emu.switch(cost_per_hour=1_000_000)
    reply = api.get(path, **query)
    if reply.status == 200:
        return 1
    assert reply.status == 429
    text, cost = reply.details.rsplit(" ", 1)
    assert text == "Exceeded concurrent limit with query of cost"
    assert set(reply.headers) & {"Retry-After", "X-RateLimit-Limit"} == set()
    return int(cost)


def test_costs_follow_the_worked_examples(api: Api) -> None:
    send(api, row("0001", "A", "03-01 10:00", country="x", platform="y", kind="z"))
    e, days = event("A"), {"start": "20260301", "end": "20260330"}
    s = segment(prop("country", "is", "x"))
    assert cost_of(api, "/api/2/users", start="20260301", end="20260307") == 7
    assert (
        cost_of(api, "/api/2/events/segmentation", e=e, s=s, g="country", g2="platform", **days)
        == 300
    )
    grouped = {"e": event("A", by="kind"), **days}
    assert cost_of(api, "/api/2/events/segmentation", **grouped) == 150
    assert cost_of(api, "/api/2/funnels", e=[e, e, e], s=s, g="country", **days) == 30 * 6 * 6
    assert cost_of(api, "/api/2/retention", se=e, re=e, start="20260301", end="20260314") == 112
    assert cost_of(api, "/api/2/sessions/average", start="20260301", end="20260302") == 8
    assert cost_of(api, "/api/2/realtime") == 1


def test_the_hourly_budget_is_refilled_by_time(api: Api) -> None:
    api.emu.switch(cost_per_hour=20)
    query = {"start": "20260301", "end": "20260310"}
    assert [api.get("/api/2/users", **query).status for _ in range(3)] == [200, 200, 429]
    details = api.get("/api/2/users", **query).details
    assert details == "Too Many Requests: Exceeded rate limit with query of cost 10"
    api.emu.advance(3601)
    assert api.get("/api/2/users", **query).status == 200
    api.emu.switch(cost_limits=False)
    assert [api.get("/api/2/users", **query).status for _ in range(3)] == [200] * 3


def test_a_query_dearer_than_the_limit_is_always_refused(api: Api) -> None:
    send(api, row("0001", "A", "03-01 10:00"))
    e = event("A")
    query = {"start": "20260101", "end": "20261126", "e": [e, e]}
    assert api.get("/api/2/funnels", **query).status == 429
    api.emu.switch(cost_window="five_minutes")
    query = {"start": "20260101", "end": "20260801"}
    statuses = [api.get("/api/2/users", **query).status for _ in range(6)]
    assert statuses == [200] * 4 + [429] * 2
    api.emu.advance(301)
    assert api.get("/api/2/users", **query).status == 200
