# SPDX-License-Identifier: MIT
"""What analytics queries answer: immutable, with their axes; iterating gives rows."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .results import Entries

__all__ = [
    "Answer",
    "ChartAnswer",
    "Funnel",
    "FunnelAnswer",
    "FunnelDays",
    "FunnelStep",
    "ListedEvent",
    "LtvAnswer",
    "LtvCohort",
    "LtvPoint",
    "LtvSeries",
    "RetentionAnswer",
    "RetentionCell",
    "RetentionCohort",
    "RetentionSeries",
    "Series",
    "SeriesAnswer",
    "TimeBin",
]

Number = int | float
Row = dict[str, Any]

_DAY = re.compile(r"\d{4}-\d\d-\d\d$")
_HOUR = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
HTML_ROWS = 20


def _seconds(ms: Number | None) -> float | None:
    return None if ms is None else ms / 1000


def _point(text: str) -> dt.date | str:
    """A day or an hour of an axis as what it is; other texts stay."""
    try:
        if _DAY.match(text):
            return dt.date.fromisoformat(text)
        if _HOUR.match(text):
            return dt.datetime.fromisoformat(text)
    except ValueError:
        pass
    return text


def label_text(label: tuple[str, ...]) -> str:
    """The values of a group-by as one text; "" where nothing was grouped."""
    return " / ".join(label)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Answer:
    """What all answers have.

    Attributes:
        data: The answer as the server gave it.
        cached: Whether the server took it from its cache, where it says so. Answers are cached for
            5 minutes (real time, hourly) to 96 hours (monthly, long ranges); no parameter asks for
            new ones (Amplitude product docs, read 2026-11-27).
        computed_ms: When the server computed it, in milliseconds since 1970, where it says so.
    """

    data: Mapping[str, Any]
    cached: bool | None
    computed_ms: int | None

    def __iter__(self) -> Iterator[Row]:
        """Rows, one for each value."""
        raise NotImplementedError

    def to_dicts(self) -> list[Row]:
        """All rows."""
        return list(self)

    def _summary(self) -> str:
        return ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._summary()}>"

    def _repr_html_(self) -> str:
        rows = self.to_dicts()
        if not rows:
            return f"<i>{html.escape(repr(self))}</i>"

        def line(tag: str, cells: Any) -> str:
            inner = "".join(
                f"<{tag}>{html.escape('' if one is None else str(one))}</{tag}>" for one in cells
            )
            return f"<tr>{inner}</tr>"

        body = "".join(line("td", row.values()) for row in rows[:HTML_ROWS])
        more = f"<p>{len(rows) - HTML_ROWS} more rows</p>" if len(rows) > HTML_ROWS else ""
        return f"<table>{line('th', rows[0])}{body}</table>{more}"


def _head(form: Mapping[str, Any]) -> dict[str, Any]:
    return {name: form[name] for name in ("data", "cached", "computed_ms")}


# ---- series -----------------------------------------------------------------------------------


class Series(NamedTuple):
    """One line of a chart.

    Attributes:
        label: Values of the group-by, one for each property; empty where nothing was grouped.
        event: Number of the event of the query, from 0, where the server says so.
        segment: Number of the segment, from 0, where the server says so, and where nothing was
            grouped: an event that comes again is of the next segment.
        values: One for each point of the axis; None where there is none.
        collapsed: The whole range as one point: users of several days count once.
    """

    label: tuple[str, ...]
    event: int | None
    segment: int | None
    values: tuple[Number | None, ...]
    collapsed: Number | None

    @property
    def name(self) -> str:
        """The label as one text."""
        return label_text(self.label)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SeriesAnswer(Answer):
    """Numbers along an axis: users, segmentation, sessions, composition, real time.

    Rows have the axis (`axis`), `label`, `event`, `segment`, `value`.

    Attributes:
        axis: What the axis is: "date", "time", "length" or "property".
        x: The points of the axis: dates, datetimes (hourly and real time), else texts.
        series: One for each event, segment and group, in the order of the server.
    """

    axis: str
    x: tuple[dt.date | str, ...]
    series: tuple[Series, ...]

    @property
    def dates(self) -> tuple[dt.date, ...]:
        """The axis where it is of days or hours, else empty."""
        return tuple(one for one in self.x if isinstance(one, dt.date))

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of each series as one text."""
        return tuple(one.name for one in self.series)

    def __getitem__(self, label: str) -> Series:
        """The first series of that label, as `labels` has it."""
        for one in self.series:
            if one.name == label:
                return one
        raise KeyError(label)

    def __iter__(self) -> Iterator[Row]:
        for one in self.series:
            for x, value in zip(self.x, one.values, strict=True):
                yield {
                    self.axis: x,
                    "label": one.name,
                    "event": one.event,
                    "segment": one.segment,
                    "value": value,
                }

    def _summary(self) -> str:
        return f"{len(self.series)} series x {len(self.x)} points"


def series(form: Mapping[str, Any], axis: str = "date") -> SeriesAnswer:
    """From the core's form."""
    return SeriesAnswer(
        **_head(form),
        axis=axis,
        x=tuple(map(_point, form["x"])),
        series=tuple(
            Series(
                tuple(one["label"]), one["event"], one["segment"], tuple(one["values"]),
                one["collapsed"],
            )
            for one in form["series"]
        ),
    )  # fmt: skip


# ---- funnels ----------------------------------------------------------------------------------


class FunnelStep(NamedTuple):
    """A step of a funnel.

    Attributes:
        event: Label of the step as the server writes it.
        users: Users who got here, each once.
        cumulative: Their share of those of the first step.
        conversion: Their share of those of the step before; 1 for the first.
        median_seconds: Median time from the step before; None where nobody came, or unknown.
        average_seconds: Average time from the step before, likewise.
    """

    event: str
    users: Number | None
    cumulative: float | None
    conversion: float | None
    median_seconds: float | None
    average_seconds: float | None


class FunnelDays(NamedTuple):
    """A funnel by the day of entry. A user counts on each day, so that sums may exceed the whole.

    Attributes:
        dates: Days of entry.
        users: For each day the users at each step.
        complete: For each day whether its conversion windows are over; empty where not told.
        median_seconds: For each day: first step to last, then into each later step.
        average_seconds: The same, averages.
    """

    dates: tuple[dt.date | str, ...]
    users: tuple[tuple[Number | None, ...], ...]
    complete: tuple[bool | None, ...]
    median_seconds: tuple[tuple[float | None, ...], ...]
    average_seconds: tuple[tuple[float | None, ...], ...]


class TimeBin(NamedTuple):
    """A bin of a distribution.

    Attributes:
        start: Where it begins, in the server's unit (milliseconds, or a number of times).
        end: Where it ends, itself not part of it; None for the last.
        users: Users in it.
        times: Times in it.
    """

    start: Number | None
    end: Number | None
    users: Number | None
    times: Number | None


class Funnel(NamedTuple):
    """The funnel of one segment or group.

    Attributes:
        label: Value of the group-by; empty where nothing was grouped.
        segment: Number of the segment, from 0.
        steps: The steps in order.
        median_seconds: Median time from the first step to the last; None where nobody came, or
            unknown.
        average_seconds: Average time, likewise.
        days: The same by day of entry, where the server gives it.
        time_bins: For the first step, each transition and the whole: how long it took.
        previous_bins: For each step: how often the step before was done before it.
    """

    label: tuple[str, ...]
    segment: int | None
    steps: tuple[FunnelStep, ...]
    median_seconds: float | None
    average_seconds: float | None
    days: FunnelDays | None
    time_bins: tuple[tuple[TimeBin, ...], ...]
    previous_bins: tuple[tuple[TimeBin, ...], ...]

    @property
    def name(self) -> str:
        """The label as one text."""
        return label_text(self.label)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class FunnelAnswer(Answer):
    """Funnels. Rows have `label`, `segment`, `step` (from 1) and the fields of FunnelStep.

    Attributes:
        funnels: One for each segment or group.
    """

    funnels: tuple[Funnel, ...]

    @property
    def steps(self) -> tuple[FunnelStep, ...]:
        """The steps of the first funnel: of the only one, where nothing was grouped."""
        return self.funnels[0].steps if self.funnels else ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of each funnel as one text."""
        return tuple(one.name for one in self.funnels)

    def __iter__(self) -> Iterator[Row]:
        for one in self.funnels:
            for number, step in enumerate(one.steps, 1):
                head = {"label": one.name, "segment": one.segment, "step": number}
                yield {**head, **step._asdict()}

    def _summary(self) -> str:
        return f"{len(self.funnels)} funnels of {len(self.steps)} steps"


def _times(row: list[Any]) -> tuple[float | None, ...]:
    return tuple(map(_seconds, row))


def _bins(steps: list[Any]) -> tuple[tuple[TimeBin, ...], ...]:
    return tuple(tuple(TimeBin(*one) for one in step) for step in steps)


def _days(form: Mapping[str, Any] | None) -> FunnelDays | None:
    if form is None:
        return None
    return FunnelDays(
        tuple(map(_point, form["dates"])),
        tuple(map(tuple, form["users"])),
        tuple(form["complete"]),
        tuple(map(_times, form["median_ms"])),
        tuple(map(_times, form["average_ms"])),
    )


def _funnel(form: Mapping[str, Any]) -> Funnel:
    count = len(form["users"])
    median, average = (
        (_times(form[name]) + (None,) * count)[: max(count, 1)]
        for name in ("median_ms", "average_ms")
    )
    columns = zip(
        form["events"], form["users"], form["cumulative"], form["conversion"],
        (None, *median[1:]), (None, *average[1:]), strict=False,
    )  # fmt: skip
    return Funnel(
        label=tuple(form["label"]),
        segment=form["segment"],
        steps=tuple(FunnelStep(*one) for one in columns),
        median_seconds=median[0],
        average_seconds=average[0],
        days=_days(form["days"]),
        time_bins=_bins(form["time_bins"]),
        previous_bins=_bins(form["previous_bins"]),
    )


def funnels(form: Mapping[str, Any]) -> FunnelAnswer:
    """From the core's form."""
    return FunnelAnswer(**_head(form), funnels=tuple(map(_funnel, form["funnels"])))


# ---- retention --------------------------------------------------------------------------------


class RetentionCell(NamedTuple):
    """A cohort in one interval.

    Attributes:
        retained: Users who came back.
        of: Users it is a share of.
        incomplete: Whether the interval is not over for all of them.
    """

    retained: Number | None
    of: Number | None
    incomplete: bool

    @property
    def rate(self) -> float | None:
        """The share, None where there are no users."""
        return self.retained / self.of if self.retained is not None and self.of else None


class RetentionCohort(NamedTuple):
    """The users who began on one date.

    Attributes:
        date: As the server writes it, in no fixed form: "Mar 02, 2026", "Mar 2026", "Mar 02".
        size: How many began.
        cells: One for each interval that has begun; the first is interval 0, the day (week, month)
            itself, or the first bracket.
    """

    date: str
    size: Number | None
    cells: tuple[RetentionCell, ...]


class RetentionSeries(NamedTuple):
    """Retention of one segment or group.

    Attributes:
        label: Value of the group-by; empty where nothing was grouped.
        event: Number of the event, where the server says so.
        segment: Number of the segment, from 0.
        cohorts: In the order of the server, the latest first.
        combined: All cohorts together; its date is "". Incomplete cells are left out of it while
            there is a complete one.
    """

    label: tuple[str, ...]
    event: int | None
    segment: int | None
    cohorts: tuple[RetentionCohort, ...]
    combined: RetentionCohort

    @property
    def name(self) -> str:
        """The label as one text."""
        return label_text(self.label)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class RetentionAnswer(Answer):
    """Retention. Rows have `label`, `segment`, `date`, `interval`, `size`, `retained`, `of`,
    `rate`, `incomplete`; those of all cohorts together are in `series[0].combined` alone.

    Attributes:
        series: One for each segment or group.
    """

    series: tuple[RetentionSeries, ...]

    @property
    def dates(self) -> tuple[str, ...]:
        """The cohorts' dates in the first series."""
        return tuple(one.date for one in self.series[0].cohorts) if self.series else ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of each series as one text."""
        return tuple(one.name for one in self.series)

    @property
    def matrix(self) -> tuple[tuple[Number | None, ...], ...]:
        """Cohorts by column, of the first series: column 0 the cohort's size, column 1 the users
        of interval 0, and so on; None where an interval has not begun."""
        if not self.series:
            return ()
        cohorts = self.series[0].cohorts
        width = max((len(one.cells) for one in cohorts), default=0)
        return tuple(
            (one.size, *(cell.retained for cell in one.cells), *[None] * (width - len(one.cells)))
            for one in cohorts
        )

    def __iter__(self) -> Iterator[Row]:
        for one in self.series:
            for cohort in one.cohorts:
                for interval, cell in enumerate(cohort.cells):
                    yield {
                        "label": one.name,
                        "segment": one.segment,
                        "date": cohort.date,
                        "interval": interval,
                        "size": cohort.size,
                        "retained": cell.retained,
                        "of": cell.of,
                        "rate": cell.rate,
                        "incomplete": cell.incomplete,
                    }

    def _summary(self) -> str:
        return f"{len(self.series)} series x {len(self.dates)} cohorts"


def _retention_cohort(form: Mapping[str, Any]) -> RetentionCohort:
    cells = tuple(RetentionCell(*cell) for cell in form["cells"])
    return RetentionCohort(form.get("date", ""), form["size"], cells)


def retention(form: Mapping[str, Any]) -> RetentionAnswer:
    """From the core's form."""
    return RetentionAnswer(
        **_head(form),
        series=tuple(
            RetentionSeries(
                tuple(one["label"]), one["event"], one["segment"],
                tuple(map(_retention_cohort, one["cohorts"])), _retention_cohort(one["combined"]),
            )
            for one in form["series"]
        ),
    )  # fmt: skip


# ---- lifetime value ---------------------------------------------------------------------------


class LtvPoint(NamedTuple):
    """A point of a curve.

    Attributes:
        days: Days since the user was new, from 1.
        value: The metric by then.
        complete: Whether that many days are over for all of the cohort, where the server says so.
    """

    days: int
    value: Number | None
    complete: bool | None


class LtvCohort(NamedTuple):
    """The users who were new on one date.

    Attributes:
        date: As the server writes it, in no fixed form.
        size: How many they are.
        paid: How many of them ever paid.
        total: What they paid so far.
        curve: The metric by days.
        first_paid: Users who paid first in the step that ends with these days, where told.
    """

    date: str
    size: Number | None
    paid: Number | None
    total: Number | None
    curve: tuple[LtvPoint, ...]
    first_paid: tuple[LtvPoint, ...]


class LtvSeries(NamedTuple):
    """Lifetime value in one segment or group.

    Attributes:
        label: Value of the group-by; empty where nothing was grouped.
        event: Number of the event, where the server says so.
        segment: Number of the segment, from 0.
        cohorts: In the order of the server, the latest first.
        combined: All cohorts together, where the server gives it; its date is "".
    """

    label: tuple[str, ...]
    event: int | None
    segment: int | None
    cohorts: tuple[LtvCohort, ...]
    combined: LtvCohort | None

    @property
    def name(self) -> str:
        """The label as one text."""
        return label_text(self.label)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class LtvAnswer(Answer):
    """Lifetime value. Rows have `label`, `segment`, `date`, `size`, `days`, `value`, `complete`.

    Attributes:
        series: One for each segment or group.
    """

    series: tuple[LtvSeries, ...]

    @property
    def dates(self) -> tuple[str, ...]:
        """The cohorts' dates in the first series."""
        return tuple(one.date for one in self.series[0].cohorts) if self.series else ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of each series as one text."""
        return tuple(one.name for one in self.series)

    @property
    def curve(self) -> tuple[LtvPoint, ...]:
        """The curve of all cohorts together in the first series; empty where there is none."""
        combined = self.series[0].combined if self.series else None
        return combined.curve if combined is not None else ()

    def __iter__(self) -> Iterator[Row]:
        for one in self.series:
            for cohort in one.cohorts:
                for point in cohort.curve:
                    yield {
                        "label": one.name,
                        "segment": one.segment,
                        "date": cohort.date,
                        "size": cohort.size,
                        **point._asdict(),
                    }

    def _summary(self) -> str:
        return f"{len(self.series)} series x {len(self.dates)} cohorts"


def _ltv_cohort(form: Mapping[str, Any]) -> LtvCohort:
    return LtvCohort(
        form.get("date", ""), form["size"], form["paid"], form["total"],
        tuple(LtvPoint(*one) for one in form["curve"]),
        tuple(LtvPoint(*one) for one in form["first_paid"]),
    )  # fmt: skip


def ltv(form: Mapping[str, Any]) -> LtvAnswer:
    """From the core's form."""
    return LtvAnswer(
        **_head(form),
        series=tuple(
            LtvSeries(
                tuple(one["label"]), one["event"], one["segment"],
                tuple(map(_ltv_cohort, one["cohorts"])),
                None if one["combined"] is None else _ltv_cohort(one["combined"]),
            )
            for one in form["series"]
        ),
    )  # fmt: skip


# ---- lists and charts -------------------------------------------------------------------------


class ListedEvent(NamedTuple):
    """An event type of the project. Hidden ones are not listed.

    Attributes:
        name: As it is sent, for queries.
        display: As it is shown.
        totals: Occurrences this week.
        hidden: Hidden in charts.
        deleted: Deleted.
        flow_hidden: Hidden from path charts.
        non_active: Does not make users active.
        data: The whole documented row.
    """

    name: str
    display: str
    totals: int | None
    hidden: bool
    deleted: bool
    flow_hidden: bool
    non_active: bool
    data: Mapping[str, Any]


def events(form: Mapping[str, Any]) -> Entries[ListedEvent]:
    """From the core's form."""
    return Entries(ListedEvent(**one) for one in form["events"])


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ChartAnswer(Answer):
    """A saved chart as a table. Rows are the lines under the header, by its names.

    Attributes:
        blocks: Lines of cells, as the chart's page divides them: titles, descriptions, and last
            the table itself.
    """

    blocks: tuple[tuple[tuple[str, ...], ...], ...]

    @property
    def title(self) -> str:
        """The chart's title."""
        return self.blocks[0][0][0] if self.blocks else ""

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.blocks[-1][0] if self.blocks else ()

    @property
    def lines(self) -> tuple[tuple[str, ...], ...]:
        """The lines under the header; all cells are texts."""
        return self.blocks[-1][1:] if self.blocks else ()

    def __iter__(self) -> Iterator[Row]:
        for row in self.lines:
            yield dict(zip(self.header, row, strict=False))

    def _summary(self) -> str:
        return f"{self.title!r} {len(self.lines)} rows"


def chart(form: Mapping[str, Any]) -> ChartAnswer:
    """From the core's form."""
    blocks = tuple(tuple(map(tuple, block)) for block in form["blocks"])
    return ChartAnswer(**_head(form), blocks=blocks)
