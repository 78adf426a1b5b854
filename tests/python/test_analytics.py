# SPDX-License-Identifier: MIT
"""client.analytics: what goes out, what is refused, what comes back."""

import asyncio
import datetime as dt
import inspect
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import tidewheel
from tidewheel import NEW_USERS, Event, Segment
from tidewheel.analytics import ENDPOINTS

from .conftest import API_KEY, SECRET_KEY, Server, json_answer

EMPTY: dict[str, Any] = {"data": {"series": [], "seriesLabels": [], "xValues": []}}


def asked(server: Server) -> tuple[str, list[tuple[str, Any]]]:
    """Path and parameters of the last request; JSON values as what they are."""
    parts = urlsplit(server.requests[-1].path)
    return parts.path, [
        (name, json.loads(value) if value[0] in "[{" else value)
        for name, value in parse_qsl(parts.query)
    ]


def answer(server: Server, body: object) -> None:
    server.answer = lambda _: json_answer(body)


# ---- questions ----------------------------------------------------------------------------------


def test_segmentation_as_it_is_asked(server: Server, client: tidewheel.Client) -> None:
    answer(server, EMPTY)
    client.analytics.segmentation(
        [Event("purchase").where("price", ">", 10).by("country"), "_active"],
        start=dt.date(2026, 3, 1),
        end=dt.datetime(2026, 3, 7, 23, 59, tzinfo=dt.UTC),
        users="active",
        interval="hour",
        segments=Segment().where("gp:tier", "is", "gold").in_cohort("abc"),
        group_by="platform",
        limit=10,
        formula="UNIQUES(A)/UNIQUES(B)",
        rolling_average=3,
    )
    path, query = asked(server)
    assert path == "/api/2/events/segmentation"
    assert query == [
        (
            "e",
            {
                "event_type": "purchase",
                "filters": [
                    {
                        "subprop_type": "event",
                        "subprop_key": "price",
                        "subprop_op": "greater",
                        "subprop_value": ["10"],
                    }
                ],
                "group_by": [{"type": "user", "value": "country"}],
            },
        ),
        ("e2", {"event_type": "_active"}),
        ("start", "20260301"),
        ("end", "20260307"),
        ("n", "active"),
        ("i", "-3600000"),
        (
            "s",
            [
                {"prop": "gp:tier", "op": "is", "values": ["gold"]},
                {"prop": "userdata_cohort", "op": "is", "values": ["abc"]},
            ],
        ),
        ("g", "platform"),
        ("limit", "10"),
        ("m", "formula"),
        ("formula", "UNIQUES(A)/UNIQUES(B)"),
        ("rollingAverage", "3"),
    ]


def test_funnel_retention_and_the_others(server: Server, client: tidewheel.Client) -> None:
    days: Any = {"start": "2026-03-01", "end": "20260302"}
    sent = [("start", "20260301"), ("end", "20260302")]
    answer(server, {"data": []})
    client.analytics.funnel(
        ("a", {"event_type": "b"}), conversion_window=dt.timedelta(hours=2), **days
    )
    assert asked(server) == (
        "/api/2/funnels",
        [("e", {"event_type": "a"}), ("e", {"event_type": "b"}), *sent, ("cs", "7200")],
    )
    answer(server, EMPTY)
    client.analytics.retention(NEW_USERS, Event("a"), brackets=[(0, 1), (1, 8)], **days)
    assert asked(server)[1] == [
        ("se", {"event_type": "_new"}),
        ("re", {"event_type": "a"}),
        *sent,
        ("rm", "bracket"),
        ("rb", [[0, 1], [1, 8]]),
    ]
    client.analytics.users(metric="new", interval=30, segments=[Segment(), Segment()], **days)
    assert asked(server) == (
        "/api/2/users",
        [*sent, ("m", "new"), ("i", "30"), ("s", []), ("s", [])],
    )
    client.analytics.revenue_ltv(metric="paying_users", **days)
    assert asked(server) == ("/api/2/revenue/ltv", [("m", "3"), *sent])
    client.analytics.session_length(bin_unit="minutes", bin_min=0, bin_max=30, **days)
    assert asked(server)[1][2:] == [
        ("timeHistogramConfigBinTimeUnit", "minutes"),
        ("timeHistogramConfigBinMin", "0"),
        ("timeHistogramConfigBinMax", "30"),
    ]
    client.analytics.session_average(**days)
    assert asked(server) == ("/api/2/sessions/average", sent)
    client.analytics.sessions_per_user(group_by=["os"], **days)
    assert asked(server) == ("/api/2/sessions/peruser", [*sent, ("g", "os")])
    client.analytics.composition("gp:tier", **days)
    assert asked(server) == ("/api/2/composition", [*sent, ("p", "gp:tier")])
    client.analytics.realtime()
    assert asked(server) == ("/api/2/realtime", [])


def test_bad_questions_never_reach_the_server(server: Server, client: tidewheel.Client) -> None:
    days: Any = {"start": "20260301", "end": "20260302"}
    for field, rule, ask in (
        ("events[0].filters[0].subprop_op", "is none of",
         lambda: client.analytics.segmentation(Event("a").where("b", "near", 1), **days)),
        ("events[0].event_type", "_active",
         lambda: client.analytics.segmentation("Any Active Event", **days)),
        ("events", "at least two", lambda: client.analytics.funnel(["a"], **days)),
        ("end", "before start", lambda: client.analytics.users(start="20260302", end="20260301")),
        ("segments[0][0].time_value", "days",
         lambda: client.analytics.users(
             segments=Segment().performed("a", time_type="rolling"), **days)),
        ("brackets[0]", "reversed",
         lambda: client.analytics.retention("a", "b", brackets=[(5, 0)], **days)),
        ("conversion_window", "1 to",
         lambda: client.analytics.funnel(["a", "b"], conversion_window=0, **days)),
    ):  # fmt: skip
        with pytest.raises(tidewheel.ValidationError, match=rule) as caught:
            ask()
        assert caught.value.field == field
    assert not server.requests


def test_values_of_a_wrong_type_are_refused_with_their_place(
    server: Server, client: tidewheel.Client
) -> None:
    days: Any = {"start": "2026-03-01", "end": "2026-03-02"}
    asked: Any = client.analytics
    for field, ask in (
        ("events", lambda: asked.segmentation(5, **days)),
        ("segments", lambda: asked.users(segments=5, **days)),
        ("group_by", lambda: asked.users(group_by=5, **days)),
        ("events[0].filters[0].subprop_value[0]",
         lambda: asked.segmentation(Event("a").where("b", "is", object()), **days)),
        ("conversion_window",
         lambda: asked.funnel(["a", "b"], conversion_window=dt.timedelta(seconds=1.5), **days)),
    ):  # fmt: skip
        with pytest.raises(tidewheel.ValidationError) as caught:
            ask()
        assert caught.value.field == field
    assert not server.requests


def test_what_counts_as_a_whole_number_is_one(server: Server, client: tidewheel.Client) -> None:
    class Int64:
        """As NumPy's, which is no int."""

        def __index__(self) -> int:
            return 902117334455

    server.answer = lambda _: json_answer({"data": {"series": []}})
    number: Any = Int64()
    client.analytics.segmentation(
        Event("a").where("b", "is", number), start="2026-03-01", end="2026-03-02"
    )
    (request,) = server.requests
    assert "902117334455" in request.path


def test_estimates(server: Server, client: tidewheel.Client) -> None:
    march: Any = {"start": dt.date(2026, 3, 1), "end": dt.date(2026, 3, 30)}
    analytics = client.analytics
    gold = Segment().where("gp:tier", "is", "gold")
    assert analytics.estimate("users", **march) == 30
    assert analytics.estimate("segmentation", events=Event("a").by("x"), **march) == 150
    assert analytics.estimate(
        "segmentation", events="a", segments=gold, group_by=["a", "b"], **march
    ) == 300  # fmt: skip
    assert analytics.estimate("retention", start_event="a", return_event="b", **march) == 240
    assert analytics.estimate("events") == 1
    with pytest.raises(tidewheel.ValidationError, match="events was missing"):
        analytics.estimate("segmentation", **march)
    with pytest.raises(ValueError, match="not known"):
        analytics.estimate("chart", chart_id="x")
    with pytest.raises(ValueError, match="no method 'segments'"):
        analytics.estimate("segments")
    assert not server.requests


def test_what_costs_too_much_is_refused_before_it_is_sent(
    server: Server, client: tidewheel.Client
) -> None:
    asked: Any = {
        "start_event": "a", "return_event": "b", "group_by": "os", "start": "2026-03-01",
        "end": "2026-03-27",
    }  # fmt: skip
    with pytest.raises(tidewheel.ValidationError, match=r"cost 1080 .*, more than the 1000") as e:
        client.analytics.retention(**asked)
    assert e.value.field == "end"
    assert "25 days at most" in str(e.value)
    assert client.analytics.estimate("retention", **asked) == 1080
    with pytest.raises(tidewheel.ValidationError, match="more than the 1000"):
        client.call("analytics.retention", **{**asked, "group_by": ["os"]})
    assert not server.requests


def test_the_most_a_query_may_cost_is_an_option(server: Server) -> None:
    answer(server, {"data": {"series": []}})
    for most, end, passes in (
        (0, "2026-03-27", True),
        (208, "2026-03-27", True),  # a server may not charge the last day
        (207, "2026-03-27", False),
        (7, "2026-03-01", False),  # but it charges one
    ):
        asked: Any = {"start": "2026-03-01", "end": end}
        with tidewheel.Client(
            API_KEY, SECRET_KEY, base_url=server.url, max_query_cost=most
        ) as client:
            if passes:
                client.analytics.retention("a", "b", **asked)
                continue
            with pytest.raises(tidewheel.ValidationError, match=f"more than the {most} of"):
                client.analytics.retention("a", "b", **asked)
    assert len(server.requests) == 2


# ---- answers ------------------------------------------------------------------------------------


def test_series(server: Server, client: tidewheel.Client) -> None:
    body = {
        "wasCached": True,
        "timeComputed": 1767225600123,
        "data": {
            "series": [[41, 39], [12, None]],
            "seriesLabels": [["Norway", "iOS"], ["Chile", "(none)"]],
            "seriesMeta": [{"segmentIndex": 0}, {"segmentIndex": 0}],
            "seriesCollapsed": [[{"setId": "", "value": 63}], [{"value": 22}]],
            "xValues": ["2026-03-01", "2026-03-02"],
        },
    }
    answer(server, body)
    result = client.analytics.segmentation("a", start="20260301", end="20260302")
    assert result.dates == result.x == (dt.date(2026, 3, 1), dt.date(2026, 3, 2))
    assert result.labels == ("Norway / iOS", "Chile / (none)")
    assert result.series[0].label == ("Norway", "iOS")
    assert result["Chile / (none)"].values == (12, None)
    assert result["Norway / iOS"].collapsed == 63
    with pytest.raises(KeyError):
        result["Peru"]
    assert result.data == body
    assert (result.cached, result.computed_ms) == (True, 1767225600123)
    rows = result.to_dicts()
    assert rows == list(result)
    assert len(rows) == 4
    assert rows[3] == {
        "date": dt.date(2026, 3, 2),
        "label": "Chile / (none)",
        "event": None,
        "segment": 0,
        "value": None,
    }
    assert repr(result) == "<SeriesAnswer 2 series x 2 points>"
    assert "<td>Norway / iOS</td>" in result._repr_html_()
    with pytest.raises(AttributeError):
        result.axis = "x"  # type: ignore[misc]


def test_axes_that_are_no_days(server: Server, client: tidewheel.Client) -> None:
    answer(server, {"data": {"series": [[1]], "xValues": ["2026-03-01T01:00:00"]}})
    hours = client.analytics.segmentation(
        "a", start="20260301", end="20260301", interval="hour"
    )  # fmt: skip
    assert hours.dates == (dt.datetime(2026, 3, 1, 1),)  # noqa: DTZ001 -- the project's zone
    answer(
        server,
        {
            "data": {
                "series": [[1, 2], [3, 4]],
                "seriesLabels": ["Today", "Yesterday"],
                "xValues": ["09:05", "09:10"],
            }
        },
    )
    now = client.analytics.realtime()
    assert (now.x, now.dates) == (("09:05", "09:10"), ())
    assert list(now)[2] == {
        "time": "09:05", "label": "Yesterday", "event": None, "segment": None, "value": 3,
    }  # fmt: skip
    answer(server, {"data": {"series": [[7]], "xValues": [None], "seriesLabels": ["os"]}})
    parts = client.analytics.composition("os", start="20260301", end="20260301")
    assert parts.to_dicts()[0]["property"] == "(none)"
    answer(server, {"data": {"series": [[7]], "xValues": ["0s-60s"]}})
    lengths = client.analytics.session_length(start="20260301", end="20260301")
    assert lengths.to_dicts()[0]["length"] == "0s-60s"


def test_an_empty_project(server: Server, client: tidewheel.Client) -> None:
    answer(server, EMPTY)
    days: Any = {"start": "20260301", "end": "20260302"}
    users = client.analytics.users(**days)
    assert (users.series, users.x, list(users)) == ((), (), [])
    assert "0 series" in users._repr_html_()
    kept = client.analytics.retention("a", "b", **days)
    assert (kept.series, kept.dates, kept.matrix, list(kept)) == ((), (), (), [])
    value = client.analytics.revenue_ltv(**days)
    assert (value.series, value.curve, value.dates) == ((), (), ())
    answer(server, {"data": []})
    funnel = client.analytics.funnel(["a", "b"], **days)
    assert (funnel.funnels, funnel.steps, list(funnel)) == ((), (), [])
    assert client.analytics.events() == ()
    answer(server, {"data": ""})
    chart = client.analytics.chart("abc")
    assert (chart.title, chart.header, chart.lines, list(chart)) == ("", (), (), [])


def test_funnel(server: Server, client: tidewheel.Client) -> None:
    times = {"series": [[1500, 1500], [-1, -1]], "xValues": ["2026-03-01", "2026-03-02"]}
    answer(
        server,
        {
            "data": [
                {
                    "meta": {"segmentIndex": 0},
                    "groupValue": "Norway",
                    "events": ["Cart Viewed", "Checkout Done"],
                    "stepByStep": [1.0, 0.4],
                    "cumulative": [1.0, 0.4],
                    "cumulativeRaw": [200, 80],
                    "medianTransTimes": [61000, 61000],
                    "dayFunnels": {
                        "series": [[120, 50], [85, 0]],
                        "xValues": ["2026-03-01", "2026-03-02"],
                        "isComplete": [True, False],
                    },
                    "dayMedianTransTimes": times,
                    "stepTransTimeDistribution": {
                        "step_bins": [
                            {"bins": [{"start": 0, "end": 10, "bin_dist": {"uniques": 1}}]}
                        ]
                    },
                }
            ]
        },
    )
    result = client.analytics.funnel(["a", "b"], start="20260301", end="20260302")
    (funnel,) = result.funnels
    assert (funnel.name, funnel.median_seconds, funnel.average_seconds) == ("Norway", 61.0, None)
    assert result.steps == funnel.steps
    assert funnel.steps[0] == ("Cart Viewed", 200, 1.0, 1.0, None, None)
    assert funnel.steps[1] == ("Checkout Done", 80, 0.4, 0.4, 61.0, None)
    assert funnel.days is not None
    assert funnel.days.dates == (dt.date(2026, 3, 1), dt.date(2026, 3, 2))
    assert funnel.days.users == ((120, 50), (85, 0))
    assert funnel.days.complete == (True, False)
    assert funnel.days.median_seconds == ((1.5, 1.5), (None, None))
    assert funnel.days.average_seconds == ((), ())
    assert funnel.time_bins == (((0, 10, 1, None),),)
    assert result.to_dicts()[1] == {
        "label": "Norway",
        "segment": 0,
        "step": 2,
        "event": "Checkout Done",
        "users": 80,
        "cumulative": 0.4,
        "conversion": 0.4,
        "median_seconds": 61.0,
        "average_seconds": None,
    }
    assert repr(result) == "<FunnelAnswer 1 funnels of 2 steps>"


def test_retention(server: Server, client: tidewheel.Client) -> None:
    def cell(count: int, of: int, incomplete: bool = False) -> dict[str, Any]:
        return {"count": count, "outof": of, "incomplete": incomplete}

    answer(
        server,
        {
            "data": {
                "series": [
                    {
                        "dates": ["Mar 02, 2026", "Mar 01, 2026"],
                        "values": {
                            "Mar 01, 2026": [cell(50, 50), cell(48, 50), cell(21, 50, True)],
                            "Mar 02, 2026": [cell(40, 40), cell(37, 40, True)],
                        },
                        "combined": [cell(90, 90), cell(48, 50)],
                    }
                ],
                "seriesLabels": [""],
                "seriesMeta": [{"segmentIndex": 0, "eventIndex": 0}],
            }
        },
    )
    result = client.analytics.retention(NEW_USERS, "_all", start="20260301", end="20260302")
    assert result.dates == ("Mar 02, 2026", "Mar 01, 2026")
    assert result.labels == ("",)
    # Column 0 is the cohort's size, column 1 is day 0.
    assert result.matrix == ((40, 37, None), (50, 48, 21))
    assert result.series[0].combined.size == 90
    assert result.series[0].combined.cells[0].rate == 48 / 50
    assert [row["interval"] for row in result] == [0, 0, 1]
    assert result.to_dicts()[2] == {
        "label": "",
        "segment": 0,
        "date": "Mar 01, 2026",
        "interval": 1,
        "size": 50,
        "retained": 21,
        "of": 50,
        "rate": 21 / 50,
        "incomplete": True,
    }
    assert tidewheel.RetentionCell(0, 0, False).rate is None
    assert repr(result) == "<RetentionAnswer 1 series x 2 cohorts>"


def test_lifetime_value(server: Server, client: tidewheel.Client) -> None:
    cohort = {"r2d": 1.9, "r1d": 1.5, "r7new": 2, "count": 40, "paid": 6, "total_amount": 76.0}
    answer(
        server,
        {
            "data": {
                "seriesLabels": [""],
                "series": [
                    {
                        "dates": ["2026-03-01"],
                        "values": {"2026-03-01": cohort},
                        "complete": {"2026-03-01": {"r1d": True, "r2d": False}},
                        "combined": {"r1d": 1.5, "count": 40},
                    }
                ],
            }
        },
    )
    result = client.analytics.revenue_ltv(start="20260301", end="20260301")
    (one,) = result.series[0].cohorts
    assert one.curve == ((1, 1.5, True), (2, 1.9, False))
    assert one.first_paid == ((7, 2, None),)
    assert (one.size, one.paid, one.total) == (40, 6, 76.0)
    assert result.curve == ((1, 1.5, None),)
    assert [row["days"] for row in result] == [1, 2]
    assert "1 series x 1 cohorts" in repr(result)


def test_events_and_charts(server: Server, client: tidewheel.Client) -> None:
    row = {"value": "Checkout Done", "totals": 512, "hidden": False, "display": "Checkout"}
    answer(server, {"data": [row]})
    (event,) = client.analytics.events()
    assert (event.name, event.display, event.totals, event.data) == (
        "Checkout Done", "Checkout", 512, row,
    )  # fmt: skip
    assert (event.hidden, event.deleted, event.non_active, event.flow_hidden) == (False,) * 4
    answer(
        server,
        {
            "data": '"\tSignups by tier"\r\n\r\n"\tSegment","2026-03-01","2026-03-02"\r\n'
            '"\tgold","4","7"\r\n'
        },
    )
    chart = client.analytics.chart("abc")
    assert server.requests[-1].path == "/api/3/chart/abc/csv"
    assert chart.title == "Signups by tier"
    assert chart.header == ("Segment", "2026-03-01", "2026-03-02")
    assert chart.lines == (("gold", "4", "7"),)
    assert chart.to_dicts() == [{"Segment": "gold", "2026-03-01": "4", "2026-03-02": "7"}]
    assert repr(chart) == "<ChartAnswer 'Signups by tier' 1 rows>"


def test_what_cannot_be_understood(server: Server, client: tidewheel.Client) -> None:
    days: Any = {"start": "20260301", "end": "20260302"}
    answer(server, {"data": {"series": [[1, 2, 3]], "xValues": ["2026-03-01"]}})
    with pytest.raises(tidewheel.ProtocolError, match="more values"):
        client.analytics.users(**days)
    server.answer = lambda _: json_answer(
        {
            "error": {
                "http_code": 400,
                "type": "invalid",
                "message": "Invalid chart definition",
                "metadata": {"details": "Invalid user property country"},
            }
        },
        400,
    )
    with pytest.raises(tidewheel.ApiError, match="Invalid user property country"):
        client.analytics.users(**days)


# ---- both clients -------------------------------------------------------------------------------


def test_answers_are_awaited(server: Server) -> None:
    answer(server, {"data": {"series": [[1]], "seriesLabels": [0], "xValues": ["2026-03-01"]}})

    async def main() -> None:
        async with tidewheel.AsyncClient(API_KEY, SECRET_KEY, base_url=server.url) as client:
            analytics = client.analytics
            first, second = await asyncio.gather(
                analytics.users(start="20260301", end="20260301"),
                analytics.segmentation("a", start="20260301", end="20260301"),
            )
            assert first.series == second.series
            assert analytics.estimate("users", start="20260301", end="20260302") == 2
            with pytest.raises(tidewheel.ValidationError):
                analytics.funnel(["a"], start="20260301", end="20260301")

    asyncio.run(main())


def test_both_clients_have_the_same_methods() -> None:
    def methods(cls: type) -> dict[str, list[inspect.Parameter]]:
        return {
            name: list(inspect.signature(method).parameters.values())
            for name, method in vars(cls).items()
            if not name.startswith("_")
        }

    assert methods(tidewheel.Analytics) == methods(tidewheel.AsyncAnalytics)
    assert set(methods(tidewheel.Analytics)) == {*ENDPOINTS, "estimate"}
    assert {row.name for row in tidewheel.endpoints() if row.area == "analytics"} == set(
        ENDPOINTS.values()
    )
