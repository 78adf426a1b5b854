# SPDX-License-Identifier: MIT
"""client.analytics against the emulator, which computes its answers from what was sent."""

import datetime as dt
from collections.abc import Iterator

import pytest

import tidewheel
from tidewheel import ANY_ACTIVE_EVENT, NEW_USERS, Event, Segment

from .query_grammar import EVENT_PROPERTIES, NAMES, USER_PROPERTIES, Grammar
from .test_parity_queries import POSITIONAL, build

DAY = dt.date(2026, 3, 2)
DAYS = {"start": DAY, "end": DAY + dt.timedelta(days=2)}
MIDNIGHT = int(dt.datetime(2026, 3, 2, tzinfo=dt.UTC).timestamp() * 1000)
HOUR = 3_600_000


def buy(user: str, day: int, hour: int, price: float, **more: object) -> dict[str, object]:
    time = MIDNIGHT + (24 * day + hour) * HOUR
    return {
        "event_type": "buy",
        "user_id": f"user-{user}",
        "time": time,
        "event_properties": {"price": price},
        **more,
    }


@pytest.fixture(scope="module")
def live() -> Iterator[tidewheel.Client]:
    """Three users: Ada (Norway) buys on days 0 and 1, Bo (Norway) on day 0, Cy (Chile) on day 2."""
    with (
        tidewheel.Emulator(limits=False) as emulator,
        tidewheel.Client(emulator.api_key, emulator.secret_key, base_url=emulator.url) as client,
    ):
        for event in (
            buy("ada", 0, 9, 20, country="Norway"),
            buy("ada", 0, 10, 5, country="Norway"),
            buy("ada", 1, 9, 30, country="Norway"),
            buy("bo", 0, 12, 8, country="Norway"),
            buy("cy", 2, 23, 50, country="Chile"),
            {**buy("ada", 0, 11, 0, country="Norway"), "event_type": "visit"},
            {**buy("cy", 2, 22, 0, country="Chile"), "event_type": "visit"},
        ):
            client.track(event)
        client.flush()
        yield client


def test_segmentation(live: tidewheel.Client) -> None:
    users = live.analytics.segmentation("buy", **DAYS)
    assert users.dates == tuple(DAY + dt.timedelta(days=n) for n in range(3))
    assert users.series[0].values == (2, 1, 1)
    assert users.series[0].collapsed == 3
    big = Event("buy").where("price", ">", 10)
    assert live.analytics.segmentation(big, metric="totals", **DAYS).series[0].values == (1, 1, 1)
    by_country = live.analytics.segmentation("buy", group_by="country", **DAYS)
    assert by_country.labels == ("Norway", "Chile")
    assert by_country["Chile"].values == (0, 0, 1)
    spent = live.analytics.segmentation(Event("buy").by("price"), metric="sums", **DAYS)
    assert spent.series[0].values == (33, 30, 50)
    norway = Segment().where("country", "is", "Norway").performed("visit", exactly=0)
    assert live.analytics.segmentation("buy", segments=norway, **DAYS).series[0].values == (1, 0, 0)
    ratio = live.analytics.segmentation(["buy", "visit"], formula="TOTALS(A)/TOTALS(B)", **DAYS)
    assert ratio.series[0].values == (3, 0, 1)


def test_users_and_events(live: tidewheel.Client) -> None:
    assert live.analytics.users(**DAYS).series[0].values == (2, 1, 1)
    assert live.analytics.users(metric="new", **DAYS).series[0].values == (2, 0, 1)
    assert {event.name for event in live.analytics.events()} >= {"buy", "visit"}


def test_funnel(live: tidewheel.Client) -> None:
    answer = live.analytics.funnel(["visit", "buy"], group_by="country", **DAYS)
    assert {one.name: [step.users for step in one.steps] for one in answer.funnels} == {
        "Norway": [1, 1],
        "Chile": [1, 1],
    }
    hours = {one.name: one.median_seconds for one in answer.funnels}
    assert hours == {"Norway": 22 * 3600, "Chile": 3600}


def test_retention_and_lifetime_value(live: tidewheel.Client) -> None:
    kept = live.analytics.retention(NEW_USERS, ANY_ACTIVE_EVENT, **DAYS)
    assert [row[0] for row in kept.matrix] == [1, 0, 2]  # the latest cohort first
    assert kept.matrix[2][1:3] == (2, 1)  # Ada came back a day later
    value = live.analytics.revenue_ltv(metric="total_revenue", **DAYS)
    assert sum(cohort.size or 0 for cohort in value.series[0].cohorts) == 3


def test_the_others(live: tidewheel.Client) -> None:
    assert live.analytics.realtime().labels == ("Today", "Yesterday")
    countries = live.analytics.composition("country", **DAYS)
    assert dict(zip(countries.x, countries.series[0].values, strict=True)) == {
        "Norway": 2,
        "Chile": 1,
    }
    assert live.analytics.session_average(**DAYS).dates == tuple(
        DAY + dt.timedelta(days=n) for n in range(3)
    )
    assert live.analytics.sessions_per_user(**DAYS).series
    assert live.analytics.session_length(**DAYS).x
    with pytest.raises(tidewheel.ApiError, match="Chart not found"):
        live.analytics.chart("nothing")


def test_what_is_unknown_is_told(live: tidewheel.Client) -> None:
    with pytest.raises(tidewheel.ApiError, match="nothing") as caught:
        live.analytics.segmentation("nothing", **DAYS)
    assert caught.value.http_status == 400


def test_every_generated_call_is_understood() -> None:
    """Whatever the grammar asks: an answer that can be read, or a refusal with a reason."""
    outcomes = {"answered": 0, "refused": 0}
    with (
        tidewheel.Emulator(limits=False) as emulator,
        tidewheel.Client(emulator.api_key, emulator.secret_key, base_url=emulator.url) as client,
    ):
        gold = {name.removeprefix("gp:"): "gold" for name in USER_PROPERTIES}
        for number, name in enumerate(name for name in NAMES if not name.startswith("_")):
            for user in range(3):
                properties = dict.fromkeys(EVENT_PROPERTIES + USER_PROPERTIES, 10 * user)
                client.track(
                    {
                        **buy(f"{user}", number % 3, user, 1, country="Norway", os_name="iOS"),
                        "event_type": name.removeprefix("ce:"),
                        "platform": "iOS",
                        "dma": "Oslo",
                        "event_properties": properties,
                        "user_properties": gold,
                    }
                )
        client.flush()
        grammar = Grammar(7)
        for _ in range(300):
            call = grammar.analytics_call()
            arguments = build(call["arguments"])
            method = getattr(client.analytics, call["method"])
            positional = [arguments.pop(name) for name in POSITIONAL if name in arguments]
            try:
                answer = method(*positional, **arguments)
                assert isinstance(list(answer), list)
                outcomes["answered"] += 1
            except (tidewheel.ValidationError, TypeError):
                outcomes["refused"] += 1
            except tidewheel.ApiError:  # no other error: 5xx and what is not understood are
                outcomes["refused"] += 1
    assert outcomes["answered"] > 150, outcomes
