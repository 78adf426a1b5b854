# SPDX-License-Identifier: MIT
"""What the emulator answers through the client, beside what pandas computes from the definitions.

Counts must be equal, ratios equal to one part in 10^9.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import oracle as o
import oracle_logs as logs
import oracle_questions as questions
import pytest

import tidewheel

CACHE = Path(__file__).resolve().parents[2] / "build" / "demo"


class World(NamedTuple):
    client: tidewheel.Client
    project: o.Project
    cohort: str


def world(log: logs.Log) -> Iterator[World]:
    """An emulator that has the log, at the log's moment, with the log's cohort."""
    with (
        tidewheel.Emulator(time_zone=log.zone, limits=False, journal=False) as emu,
        tidewheel.Client(
            emu.api_key, emu.secret_key, base_url=emu.url, on_queue_full="block"
        ) as client,
    ):
        emu.advance((log.now_ms - logs.wall_ms()) / 1000)
        for event in log.events:
            client.track(event)
        report = client.flush(120)
        assert (report.stored, report.rejected) == (len(log.events), 0)
        cohort = client.cohorts.upload(
            name="some",
            ids=log.cohort,
            app_id=emu.app_id,
            owner="a@b.example",
            id_type="BY_USER_ID",
        )
        yield World(client, o.Project(log), cohort.cohort_id)


@pytest.fixture(scope="module")
def shop() -> Iterator[World]:
    yield from world(logs.shop_log())


@pytest.fixture(scope="module")
def cdnow() -> Iterator[World]:
    yield from world(logs.cdnow_log(CACHE))


# ---- asking --------------------------------------------------------------------------------------


def ask(w: World, endpoint: str, query: dict[str, Any]) -> Any:
    """The documented JSON of an answer."""
    text = {
        name: [json.dumps(one) for one in value]
        if name in ("e", "s")
        else json.dumps(value)
        if name in ("e2", "se", "re", "rb")
        else value
        for name, value in query.items()
    }
    filled = json.loads(json.dumps(text).replace("<cohort>", w.cohort))
    return json.loads(w.client.raw(endpoint, query=filled).body)["data"]


def common(q: Any) -> dict[str, Any]:
    return {"start": f"{q.first:%Y%m%d}", "end": f"{q.last:%Y%m%d}", "i": str(q.interval)}


def conditions(*segments: o.Segment) -> dict[str, Any]:
    wire = [[one.wire() for one in segment] for segment in segments]
    return {"s": wire} if any(wire) else {}


def segmentation_query(q: o.Segmentation) -> dict[str, Any]:
    query = common(q) | {"e": [q.events[0].wire()], "m": q.metric} | conditions(*q.segments)
    if len(q.events) > 1:
        query["e2"] = q.events[1].wire()
    for name, value in (
        *zip(("g", "g2"), q.by, strict=False),
        ("n", q.users),
        ("limit", str(q.limit)),
        ("rollingWindow", str(q.window or "")),
        ("rollingAverage", str(q.mean or "")),
        ("formula", q.formula),
    ):
        if value:
            query[name] = value
    return query


# ---- comparing -----------------------------------------------------------------------------------


def near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def compare_series(data: Any, expected: list[o.Series], labels: list[str]) -> None:
    assert [x[:19] for x in data["xValues"]] == labels
    assert data["seriesLabels"] == [one.label for one in expected]
    for place, one in enumerate(expected):
        assert data["series"][place] == near(one.values), one.label
        assert data["seriesCollapsed"][place][0]["value"] == near(one.collapsed), one.label


def labels_of(w: World, q: Any) -> list[str]:
    return [bucket.label for bucket in w.project.buckets(q.first, q.last, q.interval)]


def check_segmentation(w: World, q: o.Segmentation, expected: list[o.Series]) -> None:
    data = ask(w, "analytics.segmentation", segmentation_query(q))
    compare_series(data, expected, labels_of(w, q))


def check_funnel(w: World, q: o.Funnel) -> None:
    expected = o.funnel(w.project, q)
    query = common(q) | {"e": [step.wire() for step in q.steps], "mode": q.mode}
    query |= {"cs": str(q.seconds), "n": q.users, "limit": "1000"} | conditions(q.segment)
    data = ask(w, "analytics.funnels", query | ({"g": q.by} if q.by else {}))
    assert [one["groupValue"] for one in data] == sorted(
        expected, key=lambda group: (-expected[group].raw[0], group)
    )
    for one in data:
        wanted = expected[one["groupValue"]]
        assert one["cumulativeRaw"] == wanted.raw
        assert one["cumulative"] == near([o.ratio(n, wanted.raw[0]) for n in wanted.raw])
        steps = [o.ratio(b, a) for a, b in itertools.pairwise(wanted.raw)]
        assert one["stepByStep"] == near([1.0, *steps])
        assert one["medianTransTimes"] == near(wanted.median)
        assert one["avgTransTimes"] == near(wanted.average)
        if not q.by:
            assert one["dayFunnels"]["series"] == wanted.days
            assert [x[:19] for x in one["dayFunnels"]["xValues"]] == labels_of(w, q)


def cells(answer: list[dict[str, Any]]) -> list[o.Cell]:
    return [o.Cell(cell["count"], cell["outof"], cell["incomplete"]) for cell in answer]


def check_retention(w: World, q: o.Retention) -> None:
    expected = o.retention(w.project, q)
    query = common(q) | {"se": q.start.wire(), "re": q.back.wire()} | conditions(q.segment)
    if q.method != "nday":
        query["rm"] = q.method
    if q.brackets:
        query["rb"] = [list(pair) for pair in q.brackets]
    if q.by:
        query["g"] = q.by
    data = ask(w, "analytics.retention", query)
    assert sorted(data["seriesLabels"]) == sorted(expected)
    for label, one in zip(data["seriesLabels"], data["series"], strict=True):
        wanted = expected[label]
        assert one["dates"] == wanted.dates
        for day in wanted.dates:
            assert cells(one["values"][day]) == wanted.values[day], (label, day)
        assert cells(one["combined"]) == wanted.combined, label


def check_ltv(w: World, q: o.Ltv) -> None:
    expected = o.ltv(w.project, q)
    query = common(q) | {"m": str(q.metric)} | conditions(q.segment)
    data = ask(w, "analytics.revenue_ltv", query | ({"g": q.by} if q.by else {}))
    names = ["" if label == 0 else label for label in data["seriesLabels"]]
    assert sorted(names) == sorted(expected)
    for label, one in zip(names, data["series"], strict=True):
        curves = list(expected[label].values())
        assert len(one["dates"]) == len(curves)
        for day, wanted in zip(reversed(one["dates"]), curves, strict=True):
            got = one["values"][day]
            assert (got["count"], got["paid"]) == (wanted.count, wanted.paid)
            assert got["total_amount"] == near(wanted.total)
            for key in filter(re.compile(r"r\d+d").fullmatch, got):
                days = int(key[1:-1])
                if days <= 90:
                    assert got[key] == near(wanted.at[days]), (label, day, key)
                    assert one["complete"][day][key] == wanted.complete[days]


def check(w: World, q: questions.Question) -> None:
    if isinstance(q, o.Segmentation):
        check_segmentation(w, q, o.series(w.project, q))
    elif isinstance(q, o.Funnel):
        check_funnel(w, q)
    elif isinstance(q, o.Retention):
        check_retention(w, q)
    else:
        check_ltv(w, q)


# ---- the grid ------------------------------------------------------------------------------------

SEGMENTATIONS = list(questions.segmentations())
FORMULAS = list(questions.formulas())
OTHERS = [*questions.funnels(), *questions.retentions(), *questions.ltvs()]
CDNOW = list(questions.cdnow())


def test_the_grid_is_large_enough() -> None:
    everything = [*SEGMENTATIONS, *(q for q, _ in FORMULAS), *OTHERS, *CDNOW]
    assert len(everything) >= 300


@pytest.mark.parametrize("place", range(len(SEGMENTATIONS)))
def test_segmentation(shop: World, place: int) -> None:
    check(shop, SEGMENTATIONS[place])


@pytest.mark.parametrize("place", range(len(FORMULAS)))
def test_formula(shop: World, place: int) -> None:
    question, metrics = FORMULAS[place]
    check_segmentation(shop, question, o.formula(shop.project, question, metrics))


@pytest.mark.parametrize("place", range(len(OTHERS)))
def test_funnels_retention_ltv(shop: World, place: int) -> None:
    check(shop, OTHERS[place])


@pytest.mark.parametrize("place", range(len(CDNOW)))
def test_cdnow(cdnow: World, place: int) -> None:
    check(cdnow, CDNOW[place])
