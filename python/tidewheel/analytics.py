# SPDX-License-Identifier: MIT
"""`client.analytics`: users, events, segmentation, funnels, retention, sessions, revenue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, Literal, TypeAlias, TypeVar

from . import answers
from ._calls import Area, AsyncArea, plain
from .answers import (
    ChartAnswer,
    FunnelAnswer,
    ListedEvent,
    LtvAnswer,
    RetentionAnswer,
    SeriesAnswer,
)
from .jobs import AsyncJob
from .questions import EventLike, SegmentsLike, listed, segments
from .results import Entries

__all__ = ["Analytics", "AsyncAnalytics"]

T = TypeVar("T")
Day: TypeAlias = dt.date | str
CalendarInterval = Literal["day", "week", "month", 1, 7, 30]
Interval = Literal["day", "week", "month", "hour", "realtime", 1, 7, 30, -3600000, -300000]
Groups: TypeAlias = str | Iterable[str]

# Which endpoint a method calls.
ENDPOINTS: Final = {
    "users": "analytics.users",
    "events": "analytics.events_list",
    "segmentation": "analytics.segmentation",
    "funnel": "analytics.funnels",
    "retention": "analytics.retention",
    "realtime": "analytics.realtime",
    "revenue_ltv": "analytics.revenue_ltv",
    "chart": "analytics.chart_csv",
    "session_length": "analytics.sessions_length",
    "session_average": "analytics.sessions_average",
    "sessions_per_user": "analytics.sessions_peruser",
    "composition": "analytics.composition",
}


def _tidy(arguments: dict[str, Any]) -> dict[str, Any]:
    """One event, segment or property where a list is due becomes a list of one."""
    for name, listing in (("events", listed), ("group_by", listed), ("segments", segments)):
        if name in arguments:
            arguments[name] = listing(arguments[name])
    window = arguments.get("conversion_window")
    if isinstance(window, dt.timedelta):
        seconds = window.total_seconds()
        arguments["conversion_window"] = int(seconds) if seconds.is_integer() else seconds
    return arguments


def _endpoint(method: str) -> str:
    endpoint = ENDPOINTS.get(method)
    if endpoint is None:
        raise ValueError(f"analytics has no method {method!r}")
    return endpoint


class Analytics(Area):
    """`client.analytics`. Dates are days of the project's time zone."""

    __slots__ = ()

    def _ask(self, method: str, convert: Callable[[Any], T], **arguments: Any) -> T:
        return self._call(ENDPOINTS[method], convert, **_tidy(arguments))

    def users(
        self,
        *,
        start: Day,
        end: Day,
        metric: Literal["active", "new"] | None = None,
        interval: CalendarInterval | None = None,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
    ) -> SeriesAnswer:
        """Active or new users.

        Args:
            start: First day, in the project's time zone: a date, a datetime (its day counts),
                "YYYY-MM-DD" or "YYYYMMDD".
            end: Last day, part of the range. Daily intervals reach over 365 days (Amplitude
                Dashboard REST API docs, read 2026-11-27, as for all limits here).
            metric: "active" or "new".
            interval: "day", "week" or "month".
            segments: A Segment, a cohort, or a list of conditions as the API has them (or its JSON
                text); or several of these, each of which becomes a series.
            group_by: One or two properties of users, with one segment at most.

        Raises:
            ValidationError: A rule was broken; `field` names the place. Nothing was sent.
        """
        return self._ask(
            "users",
            answers.series,
            start=start,
            end=end,
            metric=metric,
            interval=interval,
            segments=segments,
            group_by=group_by,
        )

    def events(self) -> Entries[ListedEvent]:
        """Event types of the project with this week's totals; hidden ones are not listed."""
        return self._ask("events", answers.events)

    def segmentation(
        self,
        events: EventLike | Iterable[EventLike],
        *,
        start: Day,
        end: Day,
        metric: Literal[
            "uniques", "totals", "pct_dau", "average", "histogram", "sums", "value_avg", "formula"
        ]
        | None = None,
        users: Literal["any", "active"] | None = None,
        interval: Interval | None = None,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
        limit: int | None = None,
        formula: str | None = None,
        rolling_window: int | None = None,
        rolling_average: int | None = None,
    ) -> SeriesAnswer:
        """How often one or two events happened, or to how many users.

        Args:
            events: An Event, the name of one, a mapping as the API has it; or a list of two.
            start: First day, in the project's time zone: a date, a datetime (its day counts),
                "YYYY-MM-DD" or "YYYYMMDD".
            end: Last day, part of the range. Real-time intervals reach over 2 days, hourly ones
                over 7, daily ones over 365.
            metric: What is counted, users ("uniques") by default. "sums", "value_avg" and
                "histogram" are about the first property the event is grouped by.
            users: Whose events count.
            interval: "day", "week", "month", "hour" or "realtime" (5 minutes).
            segments: See users().
            group_by: One or two properties of users, with one segment at most. For properties of
                an event see Event.by.
            limit: Groups in the answer, 100 by default, 1,000 at most; the others are left out
                by the server.
            formula: Such as "UNIQUES(A)/UNIQUES(B)", A being the first event; it is the metric.
            rolling_window: Buckets counted as one set: up to 36 times 5 minutes, 72 hours, 90
                days, 12 weeks or months.
            rolling_average: Buckets whose values are averaged, likewise.

        Raises:
            ValidationError: A rule was broken; `field` names the place, such as
                "events[0].filters[1].subprop_op". Nothing was sent.
        """
        return self._ask(
            "segmentation",
            answers.series,
            events=events,
            start=start,
            end=end,
            metric=metric,
            users=users,
            interval=interval,
            segments=segments,
            group_by=group_by,
            limit=limit,
            formula=formula,
            rolling_window=rolling_window,
            rolling_average=rolling_average,
        )

    def funnel(
        self,
        events: Iterable[EventLike],
        *,
        start: Day,
        end: Day,
        mode: Literal["ordered", "unordered", "sequential"] | None = None,
        users: Literal["new", "active"] | None = None,
        interval: Interval | None = None,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
        conversion_window: int | dt.timedelta | None = None,
        limit: int | None = None,
    ) -> FunnelAnswer:
        """How many users go through steps, and how long it takes them.

        Args:
            events: The steps, two or more, each as for segmentation().
            start: First day of entry; see segmentation().
            end: Last day of entry; later steps may come after it.
            mode: "ordered" by default; "sequential": no other event in between.
            users: "active" by default, or "new".
            interval: As for segmentation().
            segments: See users().
            group_by: One property of users, with one segment at most.
            conversion_window: Seconds, or a timedelta, from the first step to the last: 30 days by
                default, 366 at most; "unordered" rounds it down to whole days.
            limit: See segmentation().

        Raises:
            ValidationError: A rule was broken; `field` names the place. Nothing was sent.
        """
        return self._ask(
            "funnel",
            answers.funnels,
            events=events,
            start=start,
            end=end,
            mode=mode,
            users=users,
            interval=interval,
            segments=segments,
            group_by=group_by,
            conversion_window=conversion_window,
            limit=limit,
        )

    def retention(
        self,
        start_event: EventLike,
        return_event: EventLike,
        *,
        start: Day,
        end: Day,
        mode: Literal["nday", "rolling", "unbounded", "bracket"] | None = None,
        brackets: Iterable[tuple[int, int]] | None = None,
        interval: CalendarInterval | None = None,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
    ) -> RetentionAnswer:
        """Which of the users who began come back, and when.

        Args:
            start_event: What they begin with; NEW_USERS for being new.
            return_event: What they come back for; ANY_EVENT, ANY_ACTIVE_EVENT.
            start: First day of beginning; see segmentation().
            end: Last day of beginning.
            mode: "nday" by default; "rolling" (or "unbounded"): then or later.
            brackets: Ranges of days without their end, [(0, 1), (1, 8)] for day 0 and the seven
                days after it. They are the mode "bracket".
            interval: "day", "week" or "month".
            segments: See users().
            group_by: One property of users, with one segment at most.

        Raises:
            ValidationError: A rule was broken; `field` names the place. Nothing was sent.
        """
        return self._ask(
            "retention",
            answers.retention,
            start_event=start_event,
            return_event=return_event,
            start=start,
            end=end,
            mode=mode,
            brackets=brackets,
            interval=interval,
            segments=segments,
            group_by=group_by,
        )

    def realtime(self) -> SeriesAnswer:
        """Active users by 5 minutes: in the last 24 hours ("Today") and the 24 before them."""
        return self._ask("realtime", partial(answers.series, axis="time"))

    def revenue_ltv(
        self,
        *,
        start: Day,
        end: Day,
        metric: Literal["arpu", "arppu", "total_revenue", "paying_users", 0, 1, 2, 3] | None = None,
        interval: CalendarInterval | None = None,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
    ) -> LtvAnswer:
        """What new users are worth by the days since they were new.

        Args:
            start: First day of being new; see segmentation().
            end: Last day of being new.
            metric: "arpu" (revenue by user) by default, "arppu" (by paying user),
                "total_revenue", "paying_users".
            interval: "day", "week" or "month".
            segments: See users().
            group_by: One property of users, with one segment at most.

        Raises:
            ValidationError: A rule was broken; `field` names the place. Nothing was sent.
        """
        return self._ask(
            "revenue_ltv",
            answers.ltv,
            start=start,
            end=end,
            metric=metric,
            interval=interval,
            segments=segments,
            group_by=group_by,
        )

    def chart(
        self,
        chart_id: str,
    ) -> ChartAnswer:
        """A saved chart as the table it is exported as.

        Args:
            chart_id: From the chart's address.

        Raises:
            ApiError: There is no such chart (404).
        """
        return self._ask(
            "chart",
            answers.chart,
            chart_id=chart_id,
        )

    def session_length(
        self,
        *,
        start: Day,
        end: Day,
        bin_unit: Literal["hours", "minutes", "seconds"] | None = None,
        bin_min: float | None = None,
        bin_max: float | None = None,
        bin_size: float | None = None,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
    ) -> SeriesAnswer:
        """Sessions by their length.

        Args:
            start: First day; see segmentation().
            end: Last day, part of the range.
            bin_unit: Unit of the bins, with bin_min and bin_max; without them the server has its
                own bins, from 3 seconds to 1 day.
            bin_min: Where the first bin begins.
            bin_max: Where the last one ends.
            bin_size: Size of each; the server chooses by default.
            segments: See users(); in no document for sessions, but it works.
            group_by: One property of users, likewise.

        Raises:
            ValidationError: A rule was broken; `field` names the place. Nothing was sent.
        """
        return self._ask(
            "session_length",
            partial(answers.series, axis="length"),
            start=start,
            end=end,
            bin_unit=bin_unit,
            bin_min=bin_min,
            bin_max=bin_max,
            bin_size=bin_size,
            segments=segments,
            group_by=group_by,
        )

    def session_average(
        self,
        *,
        start: Day,
        end: Day,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
    ) -> SeriesAnswer:
        """Average length of sessions by day, in seconds.

        Args:
            start: First day; see segmentation().
            end: Last day, part of the range.
            segments: See session_length().
            group_by: See session_length().

        Raises:
            ValidationError: A rule was broken; `field` names the place. Nothing was sent.
        """
        return self._ask(
            "session_average",
            answers.series,
            start=start,
            end=end,
            segments=segments,
            group_by=group_by,
        )

    def sessions_per_user(
        self,
        *,
        start: Day,
        end: Day,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
    ) -> SeriesAnswer:
        """Average number of sessions of a user by day.

        Args:
            start: First day; see segmentation().
            end: Last day, part of the range.
            segments: See session_length().
            group_by: See session_length().

        Raises:
            ValidationError: A rule was broken; `field` names the place. Nothing was sent.
        """
        return self._ask(
            "sessions_per_user",
            answers.series,
            start=start,
            end=end,
            segments=segments,
            group_by=group_by,
        )

    def composition(
        self,
        property: str,  # noqa: A002 -- the API's word
        *,
        start: Day,
        end: Day,
    ) -> SeriesAnswer:
        """Active users by the values of a property they had.

        Args:
            property: A built-in property ("platform"), or "gp:" and the name of a custom one.
            start: First day; see segmentation().
            end: Last day, part of the range.

        Raises:
            ValidationError: A rule was broken; `field` names the place. Nothing was sent.
        """
        return self._ask(
            "composition",
            partial(answers.series, axis="property"),
            property=property,
            start=start,
            end=end,
        )

    def estimate(self, method: str, /, **arguments: Any) -> int:
        """What a query would cost of the budgets of the project, without asking it.

        Days x conditions x type, the most where the documents can be read in two ways; 108,000 an
        hour, 1,000 at the same time or within five minutes (Amplitude Dashboard REST API docs,
        "rate limits", read 2026-11-27). A query that alone, and without its last day, costs more
        than the option max_query_cost (1,000) raises a ValidationError when it is asked; here it
        has its cost.

        Args:
            method: Name of a method of this area, such as "segmentation".
            **arguments: Its arguments.

        Raises:
            ValidationError: As the method itself would.
            ValueError: Nobody can tell, as for a chart.
        """
        return self._client.estimate(_endpoint(method), _tidy(arguments), plain)


class AsyncAnalytics(AsyncArea):
    """`client.analytics` of an AsyncClient: the same names and arguments as Analytics."""

    __slots__ = ()

    def _ask(self, method: str, convert: Callable[[Any], T], **arguments: Any) -> AsyncJob[T]:
        return self._call(ENDPOINTS[method], convert, **_tidy(arguments))

    def users(
        self,
        *,
        start: Day,
        end: Day,
        metric: Literal["active", "new"] | None = None,
        interval: CalendarInterval | None = None,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
    ) -> AsyncJob[SeriesAnswer]:
        """Active or new users; see Analytics.users."""
        return self._ask(
            "users",
            answers.series,
            start=start,
            end=end,
            metric=metric,
            interval=interval,
            segments=segments,
            group_by=group_by,
        )

    def events(self) -> AsyncJob[Entries[ListedEvent]]:
        """See Analytics.events."""
        return self._ask("events", answers.events)

    def segmentation(
        self,
        events: EventLike | Iterable[EventLike],
        *,
        start: Day,
        end: Day,
        metric: Literal[
            "uniques", "totals", "pct_dau", "average", "histogram", "sums", "value_avg", "formula"
        ]
        | None = None,
        users: Literal["any", "active"] | None = None,
        interval: Interval | None = None,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
        limit: int | None = None,
        formula: str | None = None,
        rolling_window: int | None = None,
        rolling_average: int | None = None,
    ) -> AsyncJob[SeriesAnswer]:
        """See Analytics.segmentation."""
        return self._ask(
            "segmentation",
            answers.series,
            events=events,
            start=start,
            end=end,
            metric=metric,
            users=users,
            interval=interval,
            segments=segments,
            group_by=group_by,
            limit=limit,
            formula=formula,
            rolling_window=rolling_window,
            rolling_average=rolling_average,
        )

    def funnel(
        self,
        events: Iterable[EventLike],
        *,
        start: Day,
        end: Day,
        mode: Literal["ordered", "unordered", "sequential"] | None = None,
        users: Literal["new", "active"] | None = None,
        interval: Interval | None = None,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
        conversion_window: int | dt.timedelta | None = None,
        limit: int | None = None,
    ) -> AsyncJob[FunnelAnswer]:
        """How many users go through steps, and how long it takes them; see Analytics.funnel."""
        return self._ask(
            "funnel",
            answers.funnels,
            events=events,
            start=start,
            end=end,
            mode=mode,
            users=users,
            interval=interval,
            segments=segments,
            group_by=group_by,
            conversion_window=conversion_window,
            limit=limit,
        )

    def retention(
        self,
        start_event: EventLike,
        return_event: EventLike,
        *,
        start: Day,
        end: Day,
        mode: Literal["nday", "rolling", "unbounded", "bracket"] | None = None,
        brackets: Iterable[tuple[int, int]] | None = None,
        interval: CalendarInterval | None = None,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
    ) -> AsyncJob[RetentionAnswer]:
        """Which of the users who began come back, and when; see Analytics.retention."""
        return self._ask(
            "retention",
            answers.retention,
            start_event=start_event,
            return_event=return_event,
            start=start,
            end=end,
            mode=mode,
            brackets=brackets,
            interval=interval,
            segments=segments,
            group_by=group_by,
        )

    def realtime(self) -> AsyncJob[SeriesAnswer]:
        """See Analytics.realtime."""
        return self._ask("realtime", partial(answers.series, axis="time"))

    def revenue_ltv(
        self,
        *,
        start: Day,
        end: Day,
        metric: Literal["arpu", "arppu", "total_revenue", "paying_users", 0, 1, 2, 3] | None = None,
        interval: CalendarInterval | None = None,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
    ) -> AsyncJob[LtvAnswer]:
        """See Analytics.revenue_ltv."""
        return self._ask(
            "revenue_ltv",
            answers.ltv,
            start=start,
            end=end,
            metric=metric,
            interval=interval,
            segments=segments,
            group_by=group_by,
        )

    def chart(
        self,
        chart_id: str,
    ) -> AsyncJob[ChartAnswer]:
        """A saved chart as the table it is exported as; see Analytics.chart."""
        return self._ask(
            "chart",
            answers.chart,
            chart_id=chart_id,
        )

    def session_length(
        self,
        *,
        start: Day,
        end: Day,
        bin_unit: Literal["hours", "minutes", "seconds"] | None = None,
        bin_min: float | None = None,
        bin_max: float | None = None,
        bin_size: float | None = None,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
    ) -> AsyncJob[SeriesAnswer]:
        """Sessions by their length; see Analytics.session_length."""
        return self._ask(
            "session_length",
            partial(answers.series, axis="length"),
            start=start,
            end=end,
            bin_unit=bin_unit,
            bin_min=bin_min,
            bin_max=bin_max,
            bin_size=bin_size,
            segments=segments,
            group_by=group_by,
        )

    def session_average(
        self,
        *,
        start: Day,
        end: Day,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
    ) -> AsyncJob[SeriesAnswer]:
        """Average length of sessions by day, in seconds; see Analytics.session_average."""
        return self._ask(
            "session_average",
            answers.series,
            start=start,
            end=end,
            segments=segments,
            group_by=group_by,
        )

    def sessions_per_user(
        self,
        *,
        start: Day,
        end: Day,
        segments: SegmentsLike | None = None,
        group_by: Groups | None = None,
    ) -> AsyncJob[SeriesAnswer]:
        """Average number of sessions of a user by day; see Analytics.sessions_per_user."""
        return self._ask(
            "sessions_per_user",
            answers.series,
            start=start,
            end=end,
            segments=segments,
            group_by=group_by,
        )

    def composition(
        self,
        property: str,  # noqa: A002 -- the API's word
        *,
        start: Day,
        end: Day,
    ) -> AsyncJob[SeriesAnswer]:
        """Active users by the values of a property they had; see Analytics.composition."""
        return self._ask(
            "composition",
            partial(answers.series, axis="property"),
            property=property,
            start=start,
            end=end,
        )

    def estimate(self, method: str, /, **arguments: Any) -> int:
        """What a query would cost, without asking it; see Analytics.estimate."""
        return self._client.estimate(_endpoint(method), _tidy(arguments), plain)
