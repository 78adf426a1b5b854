# SPDX-License-Identifier: MIT
"""Retention and LTV: cohorts, windows, completeness, combined rows, groups, shapes."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from analytics_api import ask, at, event, performed, prop, refused, row, segment, send
from emulator_api import Api

RETENTION = "/api/2/retention"
LTV = "/api/2/revenue/ltv"


def set_clock(api: Api, text: str) -> None:
    """Moves the emulator's clock to a time of 2026."""
    wall = datetime.datetime.now(datetime.UTC).timestamp()
    api.emu._control("POST", "/clock", {"offset_ms": at(text) - round(wall * 1000)})


def retention(
    api: Api, se: str, re: str, start: str = "0301", end: str = "0302", **query: Any
) -> Any:
    data = ask(api, RETENTION, start, end, se=event(se), re=event(re), **query)
    (series,) = data["series"]
    return series


def cells(series: Any, date: str) -> list[tuple[int, int, bool]]:
    row_ = series["combined"] if date == "combined" else series["values"][date]
    return [(c["count"], c["outof"], c["incomplete"]) for c in row_]


def test_windows_roll_from_the_hour_of_the_start(api: Api) -> None:
    send(
        api,
        row("0001", "Start", "03-01 17:59"),
        row("0001", "Back", "03-02 17:00"),
        row("0002", "Start", "03-01 17:59"),
        row("0002", "Back", "03-02 16:59:59"),
    )
    set_clock(api, "03-03 12:00")
    series = retention(api, "Start", "Back")
    assert series["dates"] == ["Mar 02, 2026", "Mar 01, 2026"]
    assert cells(series, "Mar 01, 2026") == [
        (2, 2, False),
        (1, 2, False),
        (1, 2, True),
        (0, 2, True),
    ]
    assert cells(series, "Mar 02, 2026") == [(0, 0, False), (0, 0, True), (0, 0, True)]
    assert cells(series, "combined") == [(2, 2, False), (1, 2, False), (1, 2, True), (0, 2, True)]
    assert series["combined"][0]["retainedSetId"] == ""


def test_the_shape_around_the_series(api: Api) -> None:
    send(api, row("0001", "Start", "03-01 17:59"))
    data = ask(api, RETENTION, "0301", "0301", se=event("_new"), re=event("_all"))
    assert data["seriesLabels"] == [""]
    assert data["seriesMeta"] == [{"segmentIndex": 0, "eventIndex": 0}]
    assert set(data) == {"series", "seriesLabels", "seriesMeta"}


def test_day_0_of_new_users_is_everybody(api: Api) -> None:
    send(
        api,
        row("0001", "Look", "03-01 10:00"),
        row("0001", "Look", "03-04 09:59:59"),
        row("0002", "Look", "02-20 10:00"),
        row("0002", "Look", "03-01 10:00"),
    )
    series = retention(api, "_new", "_all", end="0301")
    counts = [c for c, _, _ in cells(series, "Mar 01, 2026")]
    assert counts[:5] == [1, 1, 0, 1, 0]
    series = retention(api, "Look", "Look", end="0301")
    assert [c for c, _, _ in cells(series, "Mar 01, 2026")][:5] == [2, 2, 0, 1, 0]


def test_returns_before_the_start_do_not_count(api: Api) -> None:
    send(
        api,
        row("0001", "Back", "03-01 10:01"),
        row("0001", "Start", "03-01 10:02"),
        row("0002", "Back", "03-01 10:02"),
        row("0002", "Start", "03-01 10:02"),
    )
    series = retention(api, "Start", "Back", end="0301")
    assert cells(series, "Mar 01, 2026")[:2] == [(2, 2, False), (1, 2, False)]


def test_several_starts_open_several_windows(api: Api) -> None:
    send(
        api,
        row("0001", "Start", "03-01 01:00"),
        row("0001", "Start", "03-01 23:00"),
        row("0001", "Back", "03-02 22:30"),
    )
    series = retention(api, "Start", "Back", end="0301")
    assert [c for c, _, _ in cells(series, "Mar 01, 2026")][:4] == [1, 1, 1, 0]


def test_unbounded_counts_up_to_the_last_return(api: Api) -> None:
    send(api, row("0001", "Start", "03-01 01:00"), row("0001", "Back", "03-04 01:00"))
    series = retention(api, "Start", "Back", end="0301", rm="rolling")
    assert [c for c, _, _ in cells(series, "Mar 01, 2026")][:6] == [1, 1, 1, 1, 1, 0]
    series = retention(api, "Start", "Back", end="0301", rm="nday")
    assert [c for c, _, _ in cells(series, "Mar 01, 2026")][:6] == [1, 0, 0, 0, 1, 0]


def test_brackets_are_days_with_an_exclusive_end(api: Api) -> None:
    send(
        api,
        row("0001", "Start", "03-01 01:00"),
        row("0001", "Back", "03-06 00:59"),
        row("0002", "Start", "03-01 01:00"),
        row("0002", "Back", "03-06 01:00"),
    )
    query = {"rm": "bracket", "rb": "[[0,5],[5,7],[400,500]]"}
    series = retention(api, "Start", "Back", end="0301", **query)
    assert cells(series, "Mar 01, 2026") == [(2, 2, False), (1, 2, False), (1, 2, False)]
    series = retention(api, "Start", "Back", end="0301", i=7, **query)
    assert [c for c, _, _ in cells(series, "Feb 23, 2026")] == [2, 0, 2]


def test_weeks_and_months_roll_by_local_days(api: Api) -> None:
    send(
        api,
        row("0001", "Start", "03-04 23:00"),
        row("0001", "Back", "03-11 00:00"),
        row("0002", "Start", "03-04 23:00"),
        row("0002", "Back", "03-10 23:59"),
    )
    series = retention(api, "Start", "Back", "0302", "0308", i=7)
    assert [c for c, _, _ in cells(series, "Mar 02, 2026")][:4] == [2, 1, 1, 0]
    series = retention(api, "Start", "Back", "0301", "0331", i=30)
    assert [c for c, _, _ in cells(series, "Mar 2026")][:3] == [2, 2, 0]


def test_monthly_cohorts_have_two_incomplete_cells(api: Api) -> None:
    send(api, row("0001", "Start", "01-10 10:00"))
    set_clock(api, "03-15 12:00")
    series = retention(api, "Start", "Start", "0101", "0228", i=30)
    assert series["dates"] == ["Feb 2026", "Jan 2026"]
    assert [i for _, _, i in cells(series, "Jan 2026")] == [False, False, True, True]
    assert [i for _, _, i in cells(series, "Feb 2026")] == [False, True, True]


def test_starts_a_whole_unit_apart_are_all_followed(api: Api) -> None:
    send(
        api,
        row("0001", "Start", "03-01 00:00"),
        row("0001", "Start", "03-02 00:00"),
        row("0001", "Back", "03-31 10:00"),
        row("0001", "Start", "03-31 11:00"),
    )
    series = retention(api, "Start", "Back", "0301", "0331", i=30)
    assert [c for c, _, _ in cells(series, "Mar 2026")][:3] == [1, 1, 1]


def test_calendar_windows_are_a_switch(api: Api) -> None:
    send(api, row("0001", "Start", "03-01 23:00"), row("0001", "Back", "03-02 01:00"))
    series = retention(api, "Start", "Back", end="0301")
    assert [c for c, _, _ in cells(series, "Mar 01, 2026")][:3] == [1, 1, 0]
    api.emu.switch(retention_windows="calendar")
    series = retention(api, "Start", "Back", end="0301")
    assert [c for c, _, _ in cells(series, "Mar 01, 2026")][:3] == [1, 0, 1]
    series = retention(api, "Start", "Back", end="0301", i=7)
    assert [c for c, _, _ in cells(series, "Feb 23, 2026")][:3] == [1, 0, 1]
    series = retention(api, "Start", "Back", end="0301", i=30)
    assert [c for c, _, _ in cells(series, "Mar 2026")][:3] == [1, 1, 0]


def test_combined_counts_distinct_users(api: Api) -> None:
    send(
        api,
        row("0001", "Look", "03-01 10:00"),
        row("0001", "Look", "03-02 10:00"),
        row("0001", "Look", "03-03 10:00"),
        row("0002", "Look", "03-02 10:00"),
    )
    series = retention(api, "Look", "Look")
    assert cells(series, "combined")[:3] == [(2, 2, False), (2, 2, False), (1, 2, False)]


def test_segments_test_the_start_row(api: Api) -> None:
    send(
        api,
        row("0001", "Start", "03-01 10:00", country="Norway"),
        row("0001", "Back", "03-02 10:00", country="Chile"),
        row("0002", "Start", "03-01 10:00", country="Chile"),
    )
    s = segment(prop("country", "is", "Norway"))
    series = retention(api, "Start", "Back", end="0301", s=s)
    assert [c for c, _, _ in cells(series, "Mar 01, 2026")][:3] == [1, 0, 1]
    s = segment(performed("Back", "=", 0, "allTime"))
    series = retention(api, "Start", "Back", end="0301", s=s)
    assert cells(series, "Mar 01, 2026")[0] == (2, 2, False)
    series = retention(api, "Start", "Back", end="0302", s=s)
    assert cells(series, "Mar 01, 2026")[0] == (1, 1, False)
    s = segment(performed("Back", "=", 0, "rolling", 1))
    data = retention(api, "Start", "Back", end="0302", s=s)
    assert cells(data, "Mar 01, 2026")[0] == (1, 1, False)


def test_new_users_may_meet_the_segment_within_the_hour(api: Api) -> None:
    send(
        api,
        row("0001", "Start", "03-01 10:00", country="Norway"),
        row("0001", "Start", "03-01 10:59", country="Chile"),
        row("0002", "Start", "03-01 10:00", country="Norway"),
        row("0002", "Start", "03-01 11:00", country="Chile"),
    )
    s = segment(prop("country", "is", "Chile"))
    series = retention(api, "_new", "_all", end="0301", s=s)
    assert cells(series, "Mar 01, 2026")[0] == (1, 1, False)


def test_groups_of_retention(api: Api) -> None:
    send(
        api,
        row("0001", "Start", "03-01 10:00", country="Norway"),
        row("0001", "Start", "03-01 11:00", country="Chile"),
        row("0001", "Back", "03-02 10:30"),
        row("0002", "Start", "03-01 10:00", country="Chile"),
    )
    query = {"se": event("Start"), "re": event("Back"), "g": "country"}
    data = ask(api, RETENTION, "0301", "0301", **query)
    assert data["seriesLabels"] == ["Chile", "Norway"]
    found = [[c for c, _, _ in cells(s, "Mar 01, 2026")][:3] for s in data["series"]]
    assert found == [[2, 1, 0], [1, 0, 1]]
    data = ask(api, RETENTION, "0301", "0301", limit=1, **query)
    assert data["seriesLabels"] == ["Chile"]


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"rm": "n-day"}, "Invalid retention method."),
        ({"rm": "weekly"}, "Invalid retention method."),
        ({"rm": "bracket"}, "Missing required parameter rb"),
        ({"rm": "bracket", "rb": "[0,4]"}, "Invalid parameter rb"),
        ({"rm": "bracket", "rb": "[]"}, "Invalid parameter rb"),
        ({"rm": "bracket", "rb": "[[0,1,2]]"}, "Invalid parameter rb"),
        ({"rm": "bracket", "rb": str([[0, 1]] * 101)}, "too many"),
        ({"i": -3600000}, "Invalid parameter i"),
        ({"se": None}, "Missing required parameter se"),
        ({"re": None}, "Missing required parameter re"),
    ],
)
def test_bad_parameters_are_refused(api: Api, change: dict[str, Any], details: str) -> None:
    send(api, row("0001", "Start", "03-01 10:00"))
    query = {
        "se": event("Start"), "re": event("_all"), "start": "20260301", "end": "20260302", **change,
    }  # fmt: skip
    reply = api.get(RETENTION, **{name: v for name, v in query.items() if v is not None})
    assert details in refused(reply)


def test_a_reversed_bracket_is_a_500_and_n_day_a_switch(api: Api) -> None:
    query = {"se": event("_new"), "re": event("_all"), "start": "20260301", "end": "20260302"}
    reply = api.get(RETENTION, **query, rm="bracket", rb="[[5,0]]")
    assert reply.status == 500
    assert reply.json["error"]["http_code"] == 500
    api.emu.switch(retention_n_day="accept")
    assert api.get(RETENTION, **query, rm="n-day").status == 200


# --- LTV ------------------------------------------------------------------------------------------


@pytest.fixture
def payers(api: Api) -> Api:
    """u1 pays 10 at hour 30, u2 never does."""
    send(
        api,
        row("0001", "Look", "03-01 10:00"),
        row("0001", "Buy", "03-02 16:00", revenue=10),
        row("0002", "Look", "03-01 11:00"),
    )
    return api


def ltv(api: Api, **query: Any) -> Any:
    (series,) = ask(api, LTV, "0301", "0301", **query)["series"]
    return series


@pytest.mark.parametrize(("m", "r1d", "r2d"), [(0, 0, 5), (1, 0, 10), (2, 0, 10), (3, 0, 1)])
def test_metrics_of_ltv(payers: Api, m: int, r1d: float, r2d: float) -> None:
    values = ltv(payers, m=m)["values"]["Mar 01"]
    assert (values["r1d"], values["r2d"], values["r180d"]) == (r1d, r2d, r2d)
    assert (values["count"], values["paid"], values["total_amount"]) == (2, 1, 10)
    assert (values["r1new"], values["r2new"], values["r3new"]) == (0, 1, 0)


def test_the_first_day_of_ltv_is_a_switch(payers: Api) -> None:
    payers.emu.switch(ltv_first_day="48h")
    assert ltv(payers)["values"]["Mar 01"]["r1d"] == 5


def test_the_documented_shape_of_ltv_is_a_switch(payers: Api) -> None:
    data = ask(payers, LTV, "0301", "0302")
    assert data["seriesLabels"] == [0]
    assert data["series"][0]["dates"] == ["Mar 02", "Mar 01"]
    assert data["seriesMeta"] == [{"segmentIndex": 0}]
    payers.emu.switch(ltv_shape="documented")
    data = ask(payers, LTV, "0301", "0302")
    assert data["seriesLabels"] == [""]
    assert data["series"][0]["dates"] == ["2026-03-02", "2026-03-01"]
    assert set(data["series"][0]) == {"dates", "values"}
    assert set(data["series"][0]["values"]["2026-03-01"]) == {
        *(f"r{n}d" for n in range(1, 91)), "count", "paid", "total_amount",
    }  # fmt: skip


def test_completeness_and_combined_of_ltv(payers: Api) -> None:
    set_clock(payers, "03-03 10:30")
    series = ltv(payers)
    complete = series["complete"]["Mar 01"]
    assert (complete["r1d"], complete["r2d"]) == (True, False)
    combined = series["combined"]
    # At that time u1 is 48.5 hours old, u2 is 47.5.
    assert (combined["r1d"], combined["r2d"], combined["r3d"]) == (0, 10, 0)
    assert series["combined_complete"]["r2d"] is True
    assert series["combined_complete"]["r3d"] is False


def test_revenue_is_price_times_quantity_before_revenue(api: Api) -> None:
    send(
        api,
        row("0001", "Buy", "03-01 10:00", price=2.5, quantity=3, revenue=100),
        row("0001", "Buy", "03-01 10:01", price=4),
        row("0001", "Buy", "03-01 10:02", revenue=-1),
        {**row("0001", "Buy", "03-01 10:03"), "event_properties": {"$revenue": 20}},
    )
    assert ltv(api, m=2)["values"]["Mar 01"]["r1d"] == 30.5


def test_groups_and_segments_of_ltv_look_at_the_first_row(api: Api) -> None:
    send(
        api,
        row("0001", "Look", "03-01 10:00", country="Norway"),
        row("0001", "Buy", "03-01 11:00", country="Chile", revenue=7),
        row("0002", "Look", "03-01 10:00", country="Chile"),
        row("0003", "Look", "03-01 10:00", country="Chile"),
    )
    data = ask(api, LTV, "0301", "0301", g="country", m=2)
    assert data["seriesLabels"] == ["Chile", "Norway"]
    assert [s["values"]["Mar 01"]["r1d"] for s in data["series"]] == [0, 7]
    s = segment(prop("country", "is", "Norway"))
    assert ltv(api, s=s)["values"]["Mar 01"]["count"] == 1
    reply = api.get(LTV, start="20260301", end="20260302", m=4)
    assert "Invalid parameter m" in refused(reply)
