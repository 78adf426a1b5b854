# SPDX-License-Identifier: MIT
"""Funnels: ordered, sequential, unordered; windows, times, days, groups, segments."""

from __future__ import annotations

from typing import Any

import pytest
from analytics_api import ask, at, event, performed, prop, refused, row, segment, send, where
from emulator_api import Api

PATH = "/api/2/funnels"


def funnel(api: Api, *steps: str, start: str = "0301", end: str = "0302", **query: Any) -> Any:
    events = [s if s.startswith("{") else event(s) for s in steps]
    return ask(api, PATH, start, end, e=events, **query)


@pytest.fixture
def example(api: Api) -> Api:
    """A 10:00, A 10:05, B 10:06."""
    send(
        api,
        row("0001", "A", "03-01 10:00"),
        row("0001", "A", "03-01 10:05"),
        row("0001", "B", "03-01 10:06"),
    )
    return api


def test_the_earliest_of_equally_deep_entries_counts(example: Api) -> None:
    (data,) = funnel(example, "A", "B", cs=3600)
    del data["stepTransTimeDistribution"], data["stepPrevStepCountDistribution"]
    assert [data] == [
        {
            "meta": {"segmentIndex": 0},
            "groupValue": "",
            "events": ["A", "B"],
            "stepByStep": [1, 1],
            "cumulative": [1, 1],
            "cumulativeRaw": [1, 1],
            "medianTransTimes": [360000, 360000],
            "avgTransTimes": [360000, 360000],
            "dayFunnels": {
                "series": [[1, 1], [0, 0]],
                "xValues": ["2026-03-01", "2026-03-02"],
                "formattedXValues": ["Mar 01", "Mar 02"],
            },
            "dayMedianTransTimes": {
                "series": [[360000, 360000], [-1, -1]],
                "xValues": ["2026-03-01", "2026-03-02"],
                "formattedXValues": ["Mar 01", "Mar 02"],
            },
            "dayAvgTransTimes": {
                "series": [[360000, 360000], [-1, -1]],
                "xValues": ["2026-03-01", "2026-03-02"],
                "formattedXValues": ["Mar 01", "Mar 02"],
            },
        }
    ]


def test_sequential_allows_no_row_between(example: Api) -> None:
    (data,) = funnel(example, "A", "B", cs=3600, mode="sequential")
    assert data["cumulativeRaw"] == [1, 1]
    assert data["medianTransTimes"] == [60000, 60000]


def test_rows_of_one_second_do_not_break_a_sequence(api: Api) -> None:
    send(
        api,
        row("0001", "A", "03-01 10:00:00"),
        row("0001", "X", "03-01 10:00:00.400"),
        row("0001", "B", "03-01 10:00:05"),
        row("0002", "A", "03-01 10:00:00"),
        row("0002", "X", "03-01 10:00:00.500"),
        row("0002", "B", "03-01 10:00:05"),
    )
    (data,) = funnel(api, "A", "B", mode="sequential")
    assert data["cumulativeRaw"] == [2, 1]


def test_the_same_second_counts_either_way_round(api: Api) -> None:
    send(
        api,
        row("0001", "B", "03-01 10:00:00.100"),
        row("0001", "A", "03-01 10:00:00.200"),
        row("0002", "B", "03-01 09:59:59.400"),
        row("0002", "A", "03-01 10:00:00.200"),
    )
    (data,) = funnel(api, "A", "B")
    assert data["cumulativeRaw"] == [2, 1]
    assert data["avgTransTimes"] == [0, 0]


def test_the_window_starts_at_the_first_step(api: Api) -> None:
    send(
        api,
        row("0001", "A", "03-01 10:00:00"),
        row("0001", "B", "03-01 10:00:30"),
        row("0001", "C", "03-01 10:01:00"),
        row("0002", "A", "03-01 10:00:00"),
        row("0002", "B", "03-01 10:00:30"),
        row("0002", "C", "03-01 10:01:01"),
    )
    (data,) = funnel(api, "A", "B", "C", cs=60)
    assert data["cumulativeRaw"] == [2, 2, 1]
    assert data["medianTransTimes"] == [60000, 30000, 30000]
    assert data["stepByStep"] == [1, 1, 0.5]
    assert data["cumulative"] == [1, 1, 0.5]


def test_later_steps_may_come_after_the_end(api: Api) -> None:
    send(api, row("0001", "A", "03-02 23:59"), row("0001", "B", "03-20 10:00"))
    (data,) = funnel(api, "A", "B")
    assert data["cumulativeRaw"] == [1, 1]
    (data,) = funnel(api, "A", "B", cs=86400)
    assert data["cumulativeRaw"] == [1, 0]
    assert data["medianTransTimes"] == [-1, -1]


def test_a_row_is_used_once_and_repeats_of_a_second_are_one(api: Api) -> None:
    send(
        api,
        row("0001", "A", "03-01 10:00:00"),
        row("0001", "A", "03-01 10:00:00.300"),
        row("0002", "A", "03-01 10:00:00"),
        row("0002", "A", "03-01 10:00:01"),
    )
    (data,) = funnel(api, "A", "A")
    assert data["cumulativeRaw"] == [2, 1]


def test_days_count_a_user_once_each(api: Api) -> None:
    send(
        api,
        row("0001", "A", "03-01 10:00"),
        row("0001", "A", "03-02 10:00"),
        row("0001", "B", "03-02 11:00"),
    )
    (data,) = funnel(api, "A", "B", cs=7200)
    assert data["cumulativeRaw"] == [1, 1]
    assert data["dayFunnels"]["series"] == [[1, 0], [1, 1]]
    assert data["dayMedianTransTimes"]["series"] == [[-1, -1], [3600000, 3600000]]


def test_medians_and_averages(api: Api) -> None:
    send(
        api,
        *[row(f"{n:04d}", "A", "03-01 10:00:00") for n in range(4)],
        *[row(f"{n:04d}", "B", f"03-01 10:00:{s:02d}") for n, s in enumerate((1, 2, 5, 12))],
    )
    (data,) = funnel(api, "A", "B")
    assert data["medianTransTimes"] == [3500, 3500]
    assert data["avgTransTimes"] == [5000, 5000]
    api.emu.switch(funnel_index_0="documented")
    (data,) = funnel(api, "A", "B")
    assert data["medianTransTimes"] == [0, 3500]


def counts(distribution: Any) -> list[list[int]]:
    return [[b["bin_dist"]["uniques"] for b in d["bins"]] for d in distribution["step_bins"]]


def test_distributions_of_times_and_of_earlier_steps(api: Api) -> None:
    send(
        api,
        *[row(f"{n:04d}", "A", "03-01 10:00:00") for n in range(3)],
        row("0000", "A", "03-01 10:00:05"),
        row("0000", "B", "03-01 10:00:09"),
        row("0001", "B", "03-01 10:00:10"),
        row("0001", "C", "03-01 10:00:25"),
    )
    (data,) = funnel(api, "A", "B", "C")
    times = data["stepTransTimeDistribution"]
    assert times["segment_index"] == 0
    assert [[b["start"], b["end"]] for b in times["step_bins"][0]["bins"]] == [
        [0, 10000],
        [10000, 20000],
        [20000, None],
    ]
    assert counts(times) == [[0, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]]
    before = data["stepPrevStepCountDistribution"]
    assert [[b["start"], b["end"]] for b in before["step_bins"][0]["bins"]] == [[1, 2], [2, None]]
    assert counts(before) == [[0, 0], [1, 1], [1, 0]]
    bin_dist = {"tempKey": [], "uniques": 1, "sums": 0.0, "totals": 1}
    assert before["step_bins"][1]["bins"][1]["bin_dist"] == bin_dist


def test_unordered_needs_the_first_step_at_any_position(api: Api) -> None:
    send(
        api,
        row("0001", "C", "03-01 09:00"),
        row("0001", "B", "03-01 10:00"),
        row("0001", "A", "03-01 11:00"),
        row("0002", "B", "03-01 10:00"),
        row("0002", "C", "03-01 11:00"),
        row("0003", "A", "03-01 10:00"),
        row("0003", "C", "03-01 11:00"),
        row("0004", "B", "02-28 12:00"),
        row("0004", "A", "03-01 11:59"),
    )
    (data,) = funnel(api, "A", "B", "C", mode="unordered", cs=100_000)
    assert data["cumulativeRaw"] == [3, 2, 1]
    assert data["medianTransTimes"][0] == 7200_000
    assert data["medianTransTimes"][2] == 3600_000
    assert data["dayFunnels"]["series"] == [[3, 2, 1], [0, 0, 0]]


def test_unordered_steps_that_share_rows_get_one_each(api: Api) -> None:
    """A step does not take the one row that another could have."""
    send(
        api,
        row("0001", "A", "03-01 10:00", k="x"),
        row("0001", "B", "03-01 10:05"),
        row("0001", "A", "03-01 10:07"),
        row("0002", "A", "03-01 10:00", k="x"),
        row("0003", "B", "03-01 11:00"),
        row("0003", "A", "03-01 11:30", k="x"),
    )
    x = event("A", where("k", "is", "x"))
    # User 1: of any row and A with x, the second can only have 10:00, the first then has 10:05.
    (data,) = funnel(api, "_active", x, mode="unordered")
    assert data["cumulativeRaw"] == [3, 2]
    assert data["medianTransTimes"] == [(300 + 1800) * 500] * 2
    # A, then any row, then A with x: 10:07, 10:05, 10:00.
    (data,) = funnel(api, "A", "_active", x, mode="unordered")
    assert data["cumulativeRaw"] == [3, 2, 1]
    assert data["medianTransTimes"] == [420000, (300 + 1800) * 500, 120000]
    # Nobody has four rows, nor two with x.
    (data,) = funnel(api, "_active", "A", "_active", "_active", mode="unordered")
    assert data["cumulativeRaw"] == [3, 2, 1, 0]
    (data,) = funnel(api, x, x, mode="unordered")
    assert data["cumulativeRaw"] == [3, 0]


def test_many_unordered_steps_of_a_user_with_many_rows_are_answered(api: Api) -> None:
    """Each of the windows has the same steps to deal out in vain: none may take long over it."""
    api.emu.switch(cost_limits=False, throttle=False)
    first, last = at("03-01 00:00"), at("03-31 00:00")
    times = range(first, last, (last - first) // 10_000)
    send(api, *(row("0001", "A", t, k="x" if t == times[5000] else "y") for t in times))
    x = event("A", where("k", "is", "x"))
    (data,) = funnel(api, *["A"] * 48, x, x, end="0330", mode="unordered")
    assert data["cumulativeRaw"] == [1] * 49 + [0]
    assert data["dayFunnels"]["series"] == [[1] * 49 + [0]] * 30


def test_unordered_windows_are_whole_days_and_at_least_one(api: Api) -> None:
    send(
        api,
        row("0001", "B", "03-01 10:00"),
        row("0001", "A", "03-02 10:00"),
        row("0002", "B", "03-01 10:00"),
        row("0002", "A", "03-02 10:00:01"),
    )
    for cs in (60, 86400, 172_799):
        (data,) = funnel(api, "A", "B", mode="unordered", cs=cs)
        assert data["cumulativeRaw"] == [2, 1]
    (data,) = funnel(api, "A", "B", mode="unordered", cs=172_800)
    assert data["cumulativeRaw"] == [2, 2]
    api.emu.switch(funnel_short_window="seconds")
    (data,) = funnel(api, "A", "B", mode="unordered", cs=60)
    assert data["cumulativeRaw"] == [2, 0]


def test_segments_and_filters_test_the_first_step_only(api: Api) -> None:
    send(
        api,
        row("0001", "A", "03-01 10:00", country="Norway"),
        row("0001", "B", "03-01 10:01", country="Chile", kind="x"),
        row("0002", "A", "03-01 10:00", country="Chile"),
        row("0002", "B", "03-01 10:01", country="Norway", kind="y"),
    )
    data = funnel(
        api, "A", "B", s=[segment(prop("country", "is", c)) for c in ("Norway", "Chile", "Peru")]
    )
    assert [d["cumulativeRaw"] for d in data] == [[1, 1], [1, 1], [0, 0]]
    assert [d["meta"]["segmentIndex"] for d in data] == [0, 1, 2]
    (data,) = funnel(api, "A", event("B", where("kind", "is", "x")))
    assert data["cumulativeRaw"] == [2, 1]
    assert data["events"] == ["A", "B (x)"]
    s = segment(performed("B", ">=", 1, "currentInterval"))
    (data,) = funnel(api, "A", "B", s=s)
    assert data["cumulativeRaw"] == [2, 2]


def test_a_step_is_named_with_its_filters_as_sent(api: Api) -> None:
    send(api, row("0001", "A", "03-01 10:00", k="xCaRdx"), row("0001", "B", "03-01 10:01"))
    filters = [where("k", "contains", "Card", "Visa"), where("k", "is not", "Cash")]
    (data,) = funnel(api, event("A", *filters), "B")
    assert data["events"] == ["A (Card, Visa, Cash)", "B"]


def test_nobody_gives_an_empty_list(example: Api) -> None:
    assert funnel(example, "B", "A", start="0303", end="0304") == []


def test_new_users_are_those_first_seen_in_the_range(api: Api) -> None:
    send(
        api,
        row("0001", "X", "02-20 10:00"),
        row("0001", "A", "03-01 10:00"),
        row("0002", "X", "03-01 10:00"),
        row("0002", "A", "03-02 10:00"),
    )
    (data,) = funnel(api, "A", "X", n="active")
    assert data["cumulativeRaw"] == [2, 0]
    (data,) = funnel(api, "A", "X", n="new")
    assert data["cumulativeRaw"] == [1, 0]
    api.emu.switch(funnel_new="first_day")
    assert funnel(api, "A", "X", n="new") == []


def test_groups_take_the_value_of_the_chosen_first_step(api: Api) -> None:
    send(
        api,
        row("0001", "A", "03-01 10:00", country="Norway", color="red"),
        row("0001", "A", "03-01 11:00", country="Chile", color=["red", "blue", "red"]),
        row("0001", "B", "03-01 11:30"),
        row("0002", "A", "03-01 11:00", country="Chile"),
        row("0003", "A", "03-01 11:00", country="Chile", color="blue"),
    )
    data = funnel(api, "A", "B", g="country", cs=3600)
    assert [(d["groupValue"], d["cumulativeRaw"]) for d in data] == [("Chile", [3, 1])]
    data = funnel(api, event("A", by="color"), "B", cs=3600)
    assert [(d["groupValue"], d["cumulativeRaw"]) for d in data] == [
        ("blue", [2, 1]),
        ("(none)", [1, 0]),
        ("red", [1, 1]),
    ]
    data = funnel(api, "B", event("A", by="color"), cs=3600)
    assert [(d["groupValue"], d["cumulativeRaw"]) for d in data] == [("did not reach step", [1, 0])]
    data = funnel(api, event("A", by="color"), "B", cs=3600, limit=1)
    assert [d["groupValue"] for d in data] == ["blue"]


def test_years_other_than_this_one_are_named(api: Api) -> None:
    rows = [row("0001", "A", "01-01 10:00"), row("0001", "B", "01-01 11:00")]
    for item in rows:
        item["time"] -= 86_400_000
    send(api, *rows)
    reply = api.get(PATH, e=[event("A"), event("B")], start="20251231", end="20260101")
    (data,) = reply.json["data"]
    assert data["dayFunnels"]["formattedXValues"] == ["Dec 31, 2025", "Jan 01"]
    assert reply.json["numSeries"] == 1


def test_steps_can_be_numbered_parameters(example: Api) -> None:
    data = ask(example, PATH, "0301", "0302", e=event("A"), e2=event("B"))
    assert data[0]["cumulativeRaw"] == [1, 1]


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"e": event("A")}, "two steps"),
        ({"e": None}, "Missing required parameter e"),
        ({"mode": "any"}, "Invalid parameter mode"),
        ({"cs": 0}, "Invalid parameter cs"),
        ({"cs": 366 * 86400 + 1}, "Invalid parameter cs"),
        ({"n": "any"}, "Invalid parameter n"),
        ({"g": ["user_id", "device_id"]}, "at most 1"),
    ],
)
def test_bad_parameters_are_refused(example: Api, change: dict[str, Any], details: str) -> None:
    query = {"e": [event("A"), event("B")], "start": "20260301", "end": "20260302", **change}
    reply = example.get(PATH, **{name: v for name, v in query.items() if v is not None})
    assert details in refused(reply)
