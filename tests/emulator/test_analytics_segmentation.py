# SPDX-License-Identifier: MIT
"""Segmentation and users: metrics, groups, filters, segments, buckets, rolling, formulas."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from analytics_api import (
    ask,
    at,
    collapsed,
    event,
    performed,
    prop,
    refused,
    row,
    segment,
    segmentation,
    send,
    where,
)
from emulator_api import Api

from tidewheel.emulator import Emulator

PATH = "/api/2/events/segmentation"


@pytest.fixture
def three(api: Api) -> Api:
    """u1: one row, u2: two rows, u3: another active row."""
    send(
        api,
        row("0001", "Buy", "03-02 10:00"),
        row("0002", "Buy", "03-02 11:00"),
        row("0002", "Buy", "03-02 12:00"),
        row("0003", "Look", "03-02 13:00"),
    )
    return api


@pytest.mark.parametrize(
    ("metric", "value"),
    [("uniques", 2), ("totals", 3), ("average", 1.5), ("pct_dau", 200 / 3)],
)
def test_the_four_counting_metrics(three: Api, metric: str, value: float) -> None:
    data = segmentation(three, event("Buy"), "0302", "0302", m=metric)
    assert data["series"] == [[pytest.approx(value, rel=1e-12)]]
    assert collapsed(data) == [pytest.approx(value, rel=1e-12)]
    assert data["seriesLabels"] == [0]
    assert data["xValues"] == ["2026-03-02"]


def test_arrays_split_a_row_into_ten_thousand_groups_at_most(api: Api) -> None:
    """Without a bound two arrays of one event make more groups than memory holds."""
    many = {"a": [f"{n:04}" for n in range(1000)], "b": [f"{n:02}" for n in range(20)]}
    send(api, row("0001", "Buy", "03-02 10:00", user_properties=many))
    data = segmentation(api, event("Buy"), "0302", "0302", g="gp:a", g2="gp:b", limit=1000)
    assert len(data["series"]) == 1000
    assert {b for _, b in data["seriesLabels"]} == {f"{n:02}" for n in range(10)}


def test_pct_dau_scale_is_a_switch(three: Api) -> None:
    three.emu.switch(pct_dau_scale="fraction")
    data = segmentation(three, event("Buy"), "0302", "0302", m="pct_dau")
    assert data["series"] == [[pytest.approx(2 / 3, rel=1e-12)]]


def test_collapsed_counts_a_user_of_two_days_once(api: Api) -> None:
    send(api, row("0001", "Buy", "03-01 10:00"), row("0001", "Buy", "03-02 10:00"))
    data = segmentation(api, event("Buy"), "0301", "0302")
    assert data["series"] == [[1, 1]]
    assert collapsed(data) == [1]


def test_weeks_start_on_their_true_monday_and_are_clipped(api: Api) -> None:
    send(
        api,
        row("0001", "Buy", "03-03 10:00"),
        row("0002", "Buy", "03-04 10:00"),
        row("0003", "Buy", "03-10 23:59:59"),
        row("0004", "Buy", "03-11 00:00"),
    )
    data = segmentation(api, event("Buy"), "0304", "0310", i=7)
    assert data["xValues"] == ["2026-03-02", "2026-03-09"]
    assert data["series"] == [[1, 1]]
    api.emu.switch(clip_edges=False)
    assert segmentation(api, event("Buy"), "0304", "0310", i=7)["series"] == [[2, 2]]
    api.emu.switch(week_start="wednesday")
    data = segmentation(api, event("Buy"), "0304", "0310", i=7)
    assert (data["xValues"], data["series"]) == (["2026-03-04"], [[2]])


def test_months_are_calendar_months(api: Api) -> None:
    send(api, row("0001", "Buy", "01-31 10:00"), row("0001", "Buy", "03-01 10:00"))
    data = segmentation(api, event("Buy"), "0115", "0301", i=30)
    assert data["xValues"] == ["2026-01-01", "2026-02-01", "2026-03-01"]
    assert data["series"] == [[1, 0, 1]]


def test_hours_and_five_minutes(api: Api) -> None:
    send(api, row("0001", "Buy", "03-01 10:04:59.999"), row("0001", "Buy", "03-01 10:05"))
    data = segmentation(api, event("Buy"), "0301", "0301", i=-3600000, m="totals")
    assert len(data["xValues"]) == 24
    assert data["xValues"][10] == "2026-03-01T10:00:00"
    assert data["series"][0][10] == 2
    data = segmentation(api, event("Buy"), "0301", "0301", i=-300000, m="totals")
    assert len(data["xValues"]) == 288
    assert data["series"][0][120:122] == [1, 1]
    assert data["xValues"][121] == "2026-03-01T10:05:00"


@pytest.mark.parametrize(("day", "hours"), [("0329", 23), ("1025", 25), ("0330", 24)])
def test_days_of_the_project_zone_have_23_and_25_hours(day: str, hours: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    with Emulator(time_zone="Europe/Berlin") as emu:
        api = Api(emu)
        text = f"{day[:2]}-{day[2:]}"
        send(
            api,
            row("0001", "Buy", at(f"{text} 00:00", zone)),
            row("0002", "Buy", at(f"{text} 23:59:59.999", zone)),
            row("0003", "Buy", at(f"{text} 00:00", zone) - 1),
        )
        data = segmentation(api, event("Buy"), day, day)
        assert data["series"] == [[2]]
        data = segmentation(api, event("Buy"), day, day, i=-3600000)
        assert len(data["xValues"]) == hours
        assert data["series"][0][0] == data["series"][0][-1] == 1
        assert data["xValues"][-1] == f"2026-{text}T23:00:00"
        api.connection.close()


def test_time_zones_that_do_not_exist_are_refused() -> None:
    for name in ("Mars/Olympus", "../../etc/passwd", "", "/etc/localtime"):
        with pytest.raises(ValueError, match="time_zone was refused"):
            Emulator(time_zone=name)


# --- property metrics ---------------------------------------------------------------------------


@pytest.fixture
def prices(api: Api) -> Api:
    send(
        api,
        row("0001", "Buy", "03-01 10:00", price_paid=10, kind="a"),
        row("0001", "Buy", "03-01 11:00", price_paid="2.5", kind="a"),
        row("0002", "Buy", "03-01 12:00", price_paid="free", kind="b"),
        row("0002", "Buy", "03-02 12:00", price_paid=[1, 10.0, None, "x"], kind="b"),
        row("0003", "Buy", "03-02 13:00", kind="b"),
    )
    return api


def test_sums_and_averages_skip_what_is_no_number(prices: Api) -> None:
    e = event("Buy", by="price_paid")
    data = segmentation(prices, e, "0301", "0302", m="sums")
    assert (data["series"], collapsed(data)) == ([[12.5, 11]], [23.5])
    assert data["seriesLabels"] == [0]
    data = segmentation(prices, e, "0301", "0302", m="value_avg")
    assert (data["series"], collapsed(data)) == ([[6.25, 5.5]], [23.5 / 4])


def test_a_second_group_by_splits_property_metrics(prices: Api) -> None:
    data = segmentation(prices, event("Buy", by=["price_paid", "kind"]), "0301", "0302", m="sums")
    assert data["seriesLabels"] == [[0, "a"], [0, "b"]]
    assert data["series"] == [[12.5, 0], [0, 11]]


def test_histogram_has_a_series_for_each_number(prices: Api) -> None:
    data = segmentation(prices, event("Buy", by="price_paid"), "0301", "0302", m="histogram")
    assert data["seriesLabels"] == [[0, "1"], [0, "2.5"], [0, "10"]]
    assert data["series"] == [[0, 1], [1, 0], [1, 1]]
    assert collapsed(data) == [1, 1, 2]


def test_ten_bins_of_a_histogram_are_a_switch(prices: Api) -> None:
    prices.emu.switch(histogram_bins="ten")
    data = segmentation(prices, event("Buy", by="price_paid"), "0301", "0302", m="histogram")
    assert data["seriesLabels"] == [[0, "1-1.9"], [0, "1.9-2.8"], [0, "9.1-10"]]
    assert data["series"] == [[0, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize("metric", ["sums", "value_avg", "histogram"])
def test_property_metrics_need_a_property(three: Api, metric: str) -> None:
    reply = three.get(PATH, e=event("Buy"), start="20260301", end="20260302", m=metric)
    assert "needs a group_by" in refused(reply)


# --- groups ---------------------------------------------------------------------------------------


def test_a_user_counts_in_every_group_he_has_a_row_in(api: Api) -> None:
    send(
        api,
        row("0001", "Buy", "03-01 10:00", country="Norway"),
        row("0001", "Buy", "03-01 11:00", country="Sweden"),
        row("0002", "Buy", "03-01 12:00", country="Sweden"),
    )
    data = segmentation(api, event("Buy"), "0301", "0301", g="country")
    assert data["seriesLabels"] == ["Sweden", "Norway"]
    assert collapsed(data) == [2, 1]
    assert collapsed(segmentation(api, event("Buy"), "0301", "0301")) == [2]


def test_labels_of_groups(api: Api) -> None:
    values: list[Any] = [
        "a",
        "",
        None,
        True,
        1,
        "1",
        1.0,
        2.50,
        1e21,
        [],
        ["a", "a", 7],
        ["", None],
    ]
    send(
        api,
        *[row(f"{i:04d}", "Buy", "03-01 10:00", v=value) for i, value in enumerate(values)],
        row("9999", "Buy", "03-01 10:00"),
    )
    data = segmentation(api, event("Buy", by="v"), "0301", "0301", m="totals")
    assert dict(
        zip([label for _, label in data["seriesLabels"]], collapsed(data), strict=True)
    ) == {
        "(none)": 5,
        "a": 3,
        "1": 3,
        "true": 1,
        "2.5": 1,
        "7": 1,
        "1000000000000000000000": 1,
    }
    assert [label for _, label in data["seriesLabels"]] == [
        "(none)", "1", "a", "1000000000000000000000", "2.5", "7", "true",
    ]  # fmt: skip
    data = segmentation(api, event("Buy", by="v"), "0301", "0301")
    assert (
        dict(zip([label for _, label in data["seriesLabels"]], collapsed(data), strict=True))["a"]
        == 2
    )


def test_two_keys_are_ranked_as_pairs(api: Api) -> None:
    send(
        api,
        row("0001", "Buy", "03-01 10:00", country="Norway", platform="iOS"),
        row("0002", "Buy", "03-01 10:00", country="Norway", platform="Web"),
        row("0003", "Buy", "03-01 10:00", country="Chile", platform="Web"),
        row("0004", "Buy", "03-01 10:00", country="Chile", platform="Web"),
    )
    data = segmentation(api, event("Buy"), "0301", "0301", g="country", g2="platform")
    assert data["seriesLabels"] == [["Chile", "Web"], ["Norway", "Web"], ["Norway", "iOS"]]
    data = segmentation(api, event("Buy"), "0301", "0301", g=["country", "platform"], limit=1)
    assert data["seriesLabels"] == [["Chile", "Web"]]


def test_pct_dau_by_group_divides_by_the_group(api: Api) -> None:
    send(
        api,
        row("0001", "Buy", "03-01 10:00", country="Norway", kind="a"),
        row("0002", "Look", "03-01 10:00", country="Norway"),
        row("0003", "Look", "03-01 10:00", country="Chile"),
    )
    data = segmentation(api, event("Buy"), "0301", "0301", m="pct_dau", g="country")
    assert (data["seriesLabels"], data["series"]) == (["Norway"], [[50]])
    data = segmentation(api, event("Buy", by="kind"), "0301", "0301", m="pct_dau")
    assert data["series"] == [[pytest.approx(100 / 3)]]


def test_two_events_and_two_segments_are_in_that_order(three: Api) -> None:
    data = segmentation(
        three,
        event("Buy"),
        "0302",
        "0302",
        e2=event("Look"),
        s=[segment(), segment(prop("user_id", "is not", "user-0002"))],
    )
    assert data["series"] == [[2], [1], [1], [1]]
    assert data["seriesLabels"] == [0, 0, 1, 1]
    reply = three.get(
        PATH, e=event("Buy"), start="20260301", end="20260302", s=["[]", "[]"], g="user_id"
    )
    assert "single segment" in refused(reply)


# --- filters --------------------------------------------------------------------------------------

FILTERS: list[tuple[str, list[str], set[str]]] = [
    ("is", ["red"], {"red", "both"}),
    ("is", ["RED"], set()),
    ("is", ["red", "(none)"], {"red", "both", "none", "empty"}),
    ("is", ["5"], {"five", "fivetext"}),
    ("is", [""], set()),
    ("is not", ["red"], {"both", "five", "fivetext", "none", "empty", "blue"}),
    ("is not", ["red", "(none)"], {"both", "five", "fivetext", "blue"}),
    ("contains", ["RE", "lu"], {"red", "both", "blue"}),
    ("contains", ["(none)"], set()),
    ("does not contain", ["e"], {"five", "fivetext", "none", "empty"}),
    ("less", ["6", "x"], {"five", "fivetext"}),
    ("less", ["5"], set()),
    ("less or equal", ["5"], {"five", "fivetext"}),
    ("greater", ["4.5"], {"five", "fivetext"}),
    ("greater or equal", ["5", "900"], {"five", "fivetext"}),
    ("greater", ["red"], set()),
    ("set is", ["blue", "red"], {"both"}),
    ("set is", ["red"], {"red"}),
    ("set is not", ["red"], {"both", "five", "fivetext", "none", "empty", "blue"}),
]


@pytest.mark.parametrize(("op", "values", "expected"), FILTERS)
@pytest.mark.parametrize("kind", ["event", "user", "segment"])
def test_operators(api: Api, kind: str, op: str, values: list[str], expected: set[str]) -> None:
    have: dict[str, Any] = {
        "red": "red",
        "blue": "blue",
        "both": ["red", "blue", "red"],
        "five": 5,
        "fivetext": "5",
        "none": None,
        "empty": "",
    }
    rows = [
        row(f"{name:_>8}", "Buy", "03-01 10:00", color=value, user_properties={"color": value})
        for name, value in have.items()
    ]
    send(api, *rows)
    query: dict[str, Any] = {"g": "user_id"}
    e = event("Buy")
    if kind == "segment":
        query["s"] = segment(prop("gp:color", op, *values))
    else:
        key = "gp:color" if kind == "user" else "color"
        e = event("Buy", where(key, op, *values, kind=kind))
    data = segmentation(api, e, "0301", "0301", **query)
    names = {label.removeprefix("user-").lstrip("_") for label in data["seriesLabels"]}
    assert names == expected


def test_several_is_not_act_as_one(api: Api) -> None:
    send(api, row("0001", "Buy", "03-01 10:00", color=["red", "blue"]))
    one, other = where("color", "is not", "red"), where("color", "is not", "blue")
    assert collapsed(segmentation(api, event("Buy", one), "0301", "0301")) == [1]
    assert collapsed(segmentation(api, event("Buy", other), "0301", "0301")) == [1]
    assert collapsed(segmentation(api, event("Buy", one, other), "0301", "0301")) == [0]


# --- segments -------------------------------------------------------------------------------------


def test_who_performed_for_each_interval(api: Api) -> None:
    send(
        api,
        row("0001", "Buy", "03-01 10:00"),
        row("0001", "Buy", "03-09 10:00"),
        *[row("0001", "Look", f"03-{day:02d} 09:00") for day in range(1, 18)],
        row("0001", "Look", "02-28 09:00"),
    )
    s = segment(performed("Buy", ">=", 1, "forEachInterval", 7))
    data = segmentation(api, event("Look"), "0228", "0317", s=s)
    days = [x for x, n in zip(data["xValues"], data["series"][0], strict=True) if n]
    assert days == [f"2026-03-{day:02d}" for day in [*range(1, 8), *range(9, 16)]]


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        (">=", 1, {"0001", "0002"}),
        (">=", 0, {"0001", "0002", "0003"}),
        ("=", 0, {"0003"}),
        (">", 1, {"0002"}),
        ("<", 2, {"0001", "0003"}),
        ("<=", 1, {"0001", "0003"}),
        ("!=", 1, {"0002", "0003"}),
        ("greater or equal", 2, {"0002"}),
        ("is", 1, {"0001"}),
    ],
)
def test_who_performed_compares_counts(three: Api, op: str, value: int, expected: set[str]) -> None:
    s = segment(performed("Buy", op, value, "allTime"))
    data = segmentation(three, event("_active"), "0302", "0302", s=s, g="user_id")
    assert {label.removeprefix("user-") for label in data["seriesLabels"]} == expected


def test_who_performed_in_the_current_interval_and_before_the_end(api: Api) -> None:
    send(
        api,
        row("0001", "Buy", "03-01 10:00"),
        row("0001", "Look", "03-01 11:00"),
        row("0001", "Look", "03-02 11:00"),
        row("0001", "Look", "03-03 11:00"),
    )
    s = segment(performed("Buy", ">=", 1, "currentInterval"))
    data = segmentation(api, event("Look"), "0301", "0303", s=s)
    assert (data["series"], collapsed(data)) == ([[1, 0, 0]], [1])
    s = segment(performed("Buy", ">=", 1, "rolling", 2))
    assert segmentation(api, event("Look"), "0301", "0302", s=s)["series"] == [[1, 1]]
    assert segmentation(api, event("Look"), "0301", "0303", s=s)["series"] == [[0, 0, 0]]


def test_more_than_three_years_of_performing_is_a_404(three: Api) -> None:
    s = segment(performed("Buy", ">=", 1, "forEachInterval", 1100))
    reply = three.get(PATH, e=event("Buy"), start="20260301", end="20260302", s=s)
    assert reply.status == 404
    assert reply.json["error"]["http_code"] == 404


def test_cohorts(three: Api) -> None:
    upload = {
        "name": "Some", "app_id": three.emu.app_id, "id_type": "BY_USER_ID",
        "owner": "a@b.test", "published": True, "ids": ["user-0001"],
    }  # fmt: skip
    cohort = three.post("/api/3/cohorts/upload", upload).json["cohortId"]
    for op, number in (("is", 1), ("is not", 2)):
        s = segment(prop("userdata_cohort", op, cohort))
        data = segmentation(three, event("_all"), "0302", "0302", s=s)
        assert data["series"] == [[number]]
    s = segment(prop("userdata_cohort", "is", "nothing"))
    reply = three.get(PATH, e=event("Buy"), start="20260301", end="20260302", s=s)
    assert "Invalid cohort" in refused(reply)


def test_user_properties_are_those_of_the_row(api: Api) -> None:
    send(api, row("0001", "Buy", "03-01 10:00", user_properties={"tier": "gold"}))
    api.form("/identify", {"user_id": "user-0001", "user_properties": {"tier": "iron"}})
    send(api, row("0001", "Buy", "03-02 10:00"))
    data = segmentation(api, event("Buy"), "0301", "0302", g="gp:tier")
    assert dict(zip(data["seriesLabels"], data["series"], strict=True)) == {
        "gold": [1, 0],
        "iron": [0, 1],
    }


# --- activity -------------------------------------------------------------------------------------


def test_active_and_new_users(api: Api) -> None:
    send(
        api,
        row("0001", "Buy", "03-01 10:00"),
        row("0001", "Buy", "03-03 10:00"),
        row("0002", "Look", "03-02 10:00"),
    )
    data = ask(api, "/api/2/users", "0301", "0303")
    assert data == {
        "series": [[1, 1, 1]],
        "seriesLabels": [0],
        "seriesMeta": [{"segmentIndex": 0}],
        "seriesCollapsed": [[{"setId": "", "value": 2}]],
        "xValues": ["2026-03-01", "2026-03-02", "2026-03-03"],
    }
    data = ask(api, "/api/2/users", "0301", "0303", m="new")
    assert (data["series"], collapsed(data)) == ([[1, 1, 0]], [2])
    data = ask(api, "/api/2/users", "0302", "0303", m="new")
    assert (data["series"], collapsed(data)) == ([[1, 0]], [1])


def test_an_empty_project_has_empty_arrays(api: Api) -> None:
    data = ask(api, "/api/2/users", "0301", "0303")
    assert set(map(str, data.values())) == {"[]"}


def test_rows_of_the_future_are_not_there_yet(api: Api) -> None:
    send(api, row("0001", "Buy", at("11-27 00:00") + 400 * 86_400_000))
    reply = api.get(PATH, e=event("Buy"), start="20271201", end="20280131")
    assert sum(reply.json["data"]["series"][0]) == 0
    api.emu.advance(460 * 86400)
    reply = api.get(PATH, e=event("Buy"), start="20271201", end="20280131")
    assert sum(reply.json["data"]["series"][0]) == 1


def test_a_merged_user_is_one_user(api: Api) -> None:
    anonymous = {"device_id": "device-0001", "event_type": "Look", "time": at("03-01 09:00")}
    send(api, anonymous, row("0001", "Buy", "03-01 10:00"))
    assert collapsed(segmentation(api, event("_all"), "0301", "0301")) == [1]


def test_active_only_counts_rows_beside_active_ones(three: Api) -> None:
    data = segmentation(three, event("Buy"), "0301", "0303", n="active", m="totals")
    assert data["series"] == [[0, 3, 0]]


# --- rolling --------------------------------------------------------------------------------------


def test_rolling_window_and_average(api: Api) -> None:
    send(
        api,
        row("000a", "Buy", "03-01 10:00"),
        row("000a", "Buy", "03-02 10:00"),
        row("000b", "Buy", "03-02 10:00"),
        row("000b", "Buy", "03-03 10:00"),
    )
    data = segmentation(api, event("Buy"), "0301", "0303", rollingWindow=2)
    assert (data["series"], collapsed(data)) == ([[1, 2, 2]], [2])
    data = segmentation(api, event("Buy"), "0301", "0303", rollingAverage=2)
    assert (data["series"], collapsed(data)) == ([[0.5, 1.5, 1.5]], [2])
    data = segmentation(api, event("Buy"), "0303", "0303", rollingWindow=3)
    assert (data["series"], collapsed(data)) == ([[2]], [1])
    data = segmentation(api, event("Buy"), "0303", "0303", rollingWindow=2, m="totals")
    assert data["series"] == [[3]]


@pytest.mark.parametrize(
    ("i", "longest"), [(1, 90), (7, 12), (30, 12), (-3600000, 72), (-300000, 36)]
)
def test_rolling_windows_have_a_maximum(three: Api, i: int, longest: int) -> None:
    def reply(**query: Any) -> Any:
        return three.get(PATH, e=event("Buy"), start="20260302", end="20260302", i=i, **query)

    assert reply(rollingWindow=longest).status == 200
    assert "rollingWindow" in refused(reply(rollingWindow=longest + 1))
    assert "rollingAverage" in refused(reply(rollingAverage=longest + 1))
    assert "rollingWindow" in refused(reply(rollingWindow=2, rollingAverage=2))


# --- formulas -------------------------------------------------------------------------------------


@pytest.fixture
def shop(api: Api) -> Api:
    send(
        api,
        row("0001", "Buy", "03-01 10:00", cost=1, session_id=7),
        row("0001", "Buy", "03-01 11:00", cost=3, session_id=7),
        row("0002", "Buy", "03-01 12:00", cost=8, session_id=8),
        row("0002", "Buy", "03-02 12:00", cost=8, session_id=-1),
        row("0003", "Look", "03-01 12:00"),
        row("0004", "Look", "03-02 12:00"),
    )
    return api


FORMULAS: list[tuple[str, list[float], float]] = [
    ("UNIQUES(A)", [2, 1], 2),
    ("totals(a) + 2 * 3 - 1", [8, 6], 9),
    ("%:UNIQUES(A)/UNIQUES(B)", [2, 1], 1),
    ("$:(TOTALS(A)-TOTALS(B))/-2", [-1, 0], -1),
    ("1/0", [0, 0], 0),
    ("AVG(A)", [1.5, 1], 2),
    ("ACTIVE(A)", [2 / 3, 0.5], 0.5),
    ("PROPSUM(A)", [12, 8], 20),
    ("REVENUETOTAL(A)", [12, 8], 20),
    ("PROPAVG(A)", [4, 8], 5),
    ("PROPMAX(A)", [8, 8], 8),
    ("PROPMIN(A)", [1, 8], 1),
    ("PROPCOUNT(A)", [3, 1], 3),
    ("PROPCOUNTAVG(A)", [1.5, 1], 1.5),
    ("PERCENTILE(A, 0.5)", [3, 8], 5.5),
    ("PERCENTILE(A,0.25)", [2, 8], 2.5),
    ("FREQPERCENTILE(A,0.5)", [1.5, 1], 2),
    ("ARPAU(A)", [4, 4], 5),
    ("SESSIONTOTALS(A)", [2, 0], 2),
    ("CUMSUM(UNIQUES,A)", [2, 2], 2),
    ("CUMSUM(TOTALS,A)", [3, 4], 4),
    ("ROLLAVG(TOTALS,A,2)", [1.5, 2], 4),
    ("ROLLWIN(UNIQUES,A,2)", [2, 2], 2),
    ("EXP(0)+LN(1)+LOG(8,2)+LOG10(100)+POWER(2,3)+SQRT(9)", [17, 17], 17),
    ("LN(0-1)+SQRT(0-1)", [0, 0], 0),
    ("TRENDLINE(TOTALS(A))", [3, 1], 4),
]


@pytest.mark.parametrize(("formula", "series", "whole"), FORMULAS)
def test_formulas(shop: Api, formula: str, series: list[float], whole: float) -> None:
    data = segmentation(
        shop, event("Buy", by="cost"), "0301", "0302", m="formula", formula=formula,
        e2=event("Look"),
    ) if any(f in formula for f in ("PROP", "REVENUE", "PERCENTILE(A,", "ARPAU")) and (
        "FREQ" not in formula
    ) else segmentation(
        shop, event("Buy"), "0301", "0302", m="formula", formula=formula, e2=event("Look")
    )  # fmt: skip
    assert data["series"] == [pytest.approx(series, rel=1e-12)]
    assert collapsed(data) == [pytest.approx(whole, rel=1e-12)]


@pytest.mark.parametrize(
    "formula",
    [
        "UNIQUES(A);UNIQUES(B)", "HIST(A)", "PROPHIST(A)", "ROLLWINBEFORE(A)",
        "SEMANTICTOTALS(A)", "EVENTTOTALS(A)", "UNIQUES(C)", "UNIQUES(A", "UNIQUES(A))",
        "UNIQUES(A9)", "PERCENTILE(A,1.5)", "", "UNIQUES", "A", "1+", "ROLLAVG(TOTALS,A,0)",
        "ROLLAVG(TOTALS,A,91)", "((((" * 40, "PROPSUM(A)",
    ],
)  # fmt: skip
def test_formulas_that_are_refused(shop: Api, formula: str) -> None:
    reply = shop.get(
        PATH, e=event("Buy"), start="20260301", end="20260302", m="formula", formula=formula
    )
    refused(reply)


def test_formula_terms_join_on_labels(api: Api) -> None:
    send(
        api,
        row("0001", "Buy", "03-01 10:00", country="Norway"),
        row("0002", "Look", "03-01 10:00", country="Norway"),
        row("0003", "Look", "03-01 10:00", country="Norway"),
        row("0003", "Look", "03-01 10:00", country="Chile"),
    )
    data = segmentation(
        api, event("Buy"), "0301", "0301", e2=event("Look"), g="country", m="formula",
        formula="UNIQUES(A)/UNIQUES(B)",
    )  # fmt: skip
    assert data["seriesLabels"] == ["Norway", "Chile"]
    assert data["series"] == [[0.5], [0]]


def test_a_formula_of_no_group_beside_one_that_has_rows(api: Api) -> None:
    """The terms that are grouped have no row in the range, the one that is not has many."""
    api.emu.switch(cost_limits=False)
    first = at("01-01 10:00")
    days = range(300)
    send(api, row("0001", "Late", "12-30 10:00", k="x"))
    send(api, *(row("0001", "Often", first + day * 86_400_000) for day in days))
    for formula in ("UNIQUES(A)/UNIQUES(B)", "UNIQUES(B)/UNIQUES(A)"):
        query = {"e2": event("Often"), "m": "formula", "formula": formula}
        data = segmentation(api, event("Late", by="k"), "0101", "1029", **query)
        assert (data["series"], data["seriesLabels"]) == ([], [])
        assert data["seriesCollapsed"] == []
    data = segmentation(api, event("Often"), "0101", "1029", m="totals")
    assert data["series"] == [[1] * 300 + [0, 0]]


def test_formula_terms_may_name_segments(three: Api) -> None:
    s = [segment(prop("user_id", "is", "user-0001")), segment(prop("user_id", "is", "user-0002"))]
    data = segmentation(
        three, event("Buy"), "0302", "0302", s=s, m="formula", formula="TOTALS(A2)/TOTALS(A1)"
    )
    assert data["series"] == [[2]]
    data = segmentation(
        three, event("Buy"), "0302", "0302", s=s, m="formula", formula="TOTALS(A)+TOTALS(A1)"
    )
    assert data["series"] == [[2], [3]]


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"e": None}, "Missing required parameter e"),
        ({"start": None}, "Missing required parameter start"),
        ({"start": "2026-03-01"}, "Invalid parameter start"),
        ({"start": "20260230"}, "Invalid parameter start"),
        ({"end": "20260228"}, "end was before start"),
        ({"start": "20250101", "end": "20260302"}, "too long"),
        ({"i": 5}, "Invalid parameter i"),
        ({"i": "x"}, "Invalid parameter i"),
        ({"i": -300000, "end": "20260304"}, "too long"),
        ({"m": "median"}, "Invalid parameter m"),
        ({"n": "new"}, "Invalid parameter n"),
        ({"limit": 0}, "Invalid parameter limit"),
        ({"e": "{"}, "not JSON"),
        ({"e": "[]"}, "event_type was missing"),
        ({"e": event("Any Active Event")}, "Invalid event type Any Active Event"),
        ({"e": event("ce:Big Buyer")}, "Invalid event type ce:Big Buyer"),
        ({"e": event("Buy", where("nothing", "is", "x"))}, "Invalid event property nothing"),
        ({"e": event("Buy", where("gp:x", "is", "x", kind="user"))}, "user property gp:x"),
        ({"e": event("Buy", where("cost", "glob match", "x"))}, "Invalid operator glob match"),
        ({"e": event("Buy", where("cost", "is"))}, "Invalid values"),
        ({"s": "{}"}, "not a list"),
        ({"s": segment(prop("country", "is", "Norway"))}, "Invalid user property country"),
        ({"s": segment(performed("Buy", ">=", 1, "sometimes"))}, "Invalid time_type"),
        ({"s": segment(performed("Buy", "~", 1, "allTime"))}, "Invalid operator"),
        ({"s": segment(performed("Buy", "=", 1, "rolling"))}, "Invalid time_value"),
        ({"g": "city"}, "Invalid user property city"),
        ({"g": ["user_id", "device_id"], "g2": "os"}, "at most 2"),
    ],
)
def test_bad_parameters_are_refused(shop: Api, change: dict[str, Any], details: str) -> None:
    query = {"e": event("Buy"), "start": "20260301", "end": "20260302", **change}
    reply = shop.get(PATH, **{name: v for name, v in query.items() if v is not None})
    assert details in refused(reply)


def test_names_never_received_can_be_accepted(shop: Api) -> None:
    shop.emu.switch(unknown_names="accept")
    data = segmentation(
        shop, event("Never", where("no", "is", "(none)")), "0301", "0302", g="country"
    )
    assert data["series"] == []
    assert segmentation(shop, event("Never"), "0301", "0302")["series"] == [[0, 0]]


def test_events_list(api: Api) -> None:
    now = json.loads(api.emu._core.control("GET", "/clock")[1])["now_ms"]
    send(api, row("0001", "Old", "01-05 10:00"), row("0001", "Fresh", now))
    reply = api.get("/api/2/events/list")
    assert reply.status == 200
    entries = {entry["value"]: entry for entry in reply.json["data"]}
    assert {name: e["totals"] for name, e in entries.items()} == {"Old": 0, "Fresh": 1}
    assert entries["Old"]["display"] == "Old"
    for flag in ("non_active", "deleted", "hidden", "flow_hidden"):
        assert entries["Old"][flag] is False
