# SPDX-License-Identifier: MIT
"""Segmentation, funnels, retention and LTV with pandas, from the definitions of the numbers.

Slow, plain and independent of the emulator: each function follows one definition and nothing is
shared with what is being checked. Sections named below are those of docs/emulator/semantics.md.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from oracle_logs import DAY_MS, HOUR_MS, Log, day_start, rows

NONE = "(none)"
HOURLY, REAL_TIME, DAILY, WEEKLY, MONTHLY = -3_600_000, -300_000, 1, 7, 30
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Bucket(NamedTuple):
    label: str
    start: int
    end: int


# ---- values --------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """The label of a property value."""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def elements(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return [item for item in value if item is not None] if isinstance(value, list) else [value]


def number(value: Any) -> float | None:
    """A number, or a text that is wholly a finite decimal."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def groups_of(value: Any) -> list[str]:
    """The groups a row falls in, with repeats."""
    return [text(item) for item in elements(value)] or [NONE]


# ---- questions -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Filter:
    kind: str  # "event" or "user"
    key: str
    op: str
    values: tuple[str, ...]

    def value(self, ep: dict[str, Any], up: dict[str, Any]) -> Any:
        return (ep if self.kind == "event" else up).get(self.key)

    def wire(self) -> dict[str, Any]:
        return {
            "subprop_type": self.kind,
            "subprop_key": self.key,
            "subprop_op": self.op,
            "subprop_value": list(self.values),
        }


@dataclass(frozen=True)
class Event:
    type: str
    filters: tuple[Filter, ...] = ()
    by: tuple[tuple[str, str], ...] = ()  # (kind, key)

    def wire(self) -> dict[str, Any]:
        document: dict[str, Any] = {"event_type": self.type}
        if self.filters:
            document["filters"] = [one.wire() for one in self.filters]
        if self.by:
            document["group_by"] = [{"type": kind, "value": key} for kind, key in self.by]
        return document


@dataclass(frozen=True)
class Where:
    """A property condition of a segment."""

    key: str
    op: str
    values: tuple[str, ...]

    def wire(self) -> dict[str, Any]:
        return {"prop": self.key, "op": self.op, "values": list(self.values)}


@dataclass(frozen=True)
class Performed:
    event: Event
    op: str
    value: int
    time_type: str
    days: int | None = None

    def wire(self) -> dict[str, Any]:
        document = {
            "type": "event",
            "event_type": self.event.type,
            "filters": [one.wire() for one in self.event.filters],
            "op": self.op,
            "value": self.value,
            "time_type": self.time_type,
        }
        return document if self.days is None else document | {"time_value": self.days}


Segment = tuple[Where | Performed, ...]


def passes(value: Any, op: str, values: Iterable[str]) -> bool:
    """One filter on one property value (Filters)."""
    found = [text(item) for item in elements(value)]
    wanted = list(values)
    if op == "is":
        return any(item in wanted for item in found) or (not found and NONE in wanted)
    if op == "is not":
        return any(item not in wanted for item in found) if found else NONE not in wanted
    if op in ("contains", "does not contain"):
        hit = any(part.lower() in item.lower() for item in found for part in wanted)
        return hit if op == "contains" else not hit
    if op in ("set is", "set is not"):
        return (set(found) == set(wanted)) == (op == "set is")
    compare: Callable[[float, float], bool] = {
        "less": lambda a, b: a < b,
        "less or equal": lambda a, b: a <= b,
        "greater": lambda a, b: a > b,
        "greater or equal": lambda a, b: a >= b,
    }[op]
    numbers = [number(item) for item in elements(value)]
    limits = [number(item) for item in wanted]
    return any(compare(a, b) for a in numbers if a is not None for b in limits if b is not None)


COUNT_OPS: dict[str, Callable[[Any, int], Any]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


@dataclass
class Project:
    """A log as rows, with what several answers need more than once."""

    log: Log
    rows: pd.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        self.rows = rows(self.log)
        self.birth = self.rows.groupby("uid").t.min()
        self.now = self.log.now_ms
        self._masks: dict[Any, Any] = {}
        self._groups: dict[Any, pd.DataFrame] = {}
        local = pd.to_datetime(self.rows.t, unit="ms", utc=True).dt.tz_convert(self.log.zone)
        naive = local.dt.tz_localize(None).to_numpy()
        shown = naive.astype("datetime64[ms]").astype("int64")
        offset = shown - self.rows.t.to_numpy()
        self.hour = shown // HOUR_MS * HOUR_MS - offset  # UTC time of the local clock hour
        self.ordinal = shown // DAY_MS
        seconds = _one_per_second(self.rows)
        self.by_user = {
            uid: (part.index.to_numpy(), part.second.tolist(), part.t.tolist())
            for uid, part in seconds.groupby("uid")
        }

    # ---- time ----------------------------------------------------------------------------------

    def span(self, first: date, last: date) -> Bucket:
        zone = self.log.zone
        return Bucket("", day_start(first, zone), day_start(last + timedelta(days=1), zone))

    def local(self, t: int) -> datetime:
        return datetime.fromtimestamp(t / 1000, ZoneInfo(self.log.zone))

    def buckets(self, first: date, last: date, interval: int, before: int = 0) -> list[Bucket]:
        """The buckets of a range, clipped; `before` more in front, which are whole (Buckets)."""
        whole = self.span(first, last)
        if interval in (HOURLY, REAL_TIME):
            step = -interval
            starts = range(whole.start - before * step, whole.end, step)
            return [
                Bucket(self.local(a).strftime("%Y-%m-%dT%H:%M:%S"), a, a + step) for a in starts
            ]
        out = []
        for day, after in _calendar(first, last, interval, before):
            zone = self.log.zone
            start, end = day_start(day, zone), day_start(after, zone)
            if before == 0:
                start = max(start, whole.start)
            out.append(Bucket(day.isoformat(), start, min(end, whole.end)))
        return out

    # ---- rows ----------------------------------------------------------------------------------

    def groups(self, keys: tuple[tuple[str, str], ...], index: Any) -> pd.DataFrame:
        """A line for each of the rows and each of its groups: row, k0, k1 ... (Group-by)."""
        if keys not in self._groups:
            table = pd.DataFrame({"row": self.rows.index})
            for place, (kind, key) in enumerate(keys):
                held = self.rows.ep if kind == "event" else self.rows.up
                names = pd.Series([groups_of(have.get(key)) for have in held])
                table[f"k{place}"] = names[table["row"]].to_numpy()
                table = table.explode(f"k{place}", ignore_index=True)
            self._groups[keys] = table
        table = self._groups[keys]
        wanted = np.zeros(len(self.rows), bool)
        wanted[index] = True
        return table[wanted[table["row"].to_numpy()]]

    def mask(self, event: Event) -> Any:
        """Rows of the event's type that pass its filters; `_new` is all rows here."""
        if event in self._masks:
            return self._masks[event]
        kinds = self.rows.type
        keep = (
            pd.Series(True, index=self.rows.index)
            if event.type in ("_all", "_active", "_new")
            else kinds == event.type
        )
        for one in event.filters:
            keep &= self._filter(one)
        self._masks[event] = keep
        return keep

    def _filter(self, one: Filter | Where) -> pd.Series:
        if one in self._masks:
            return self._masks[one]
        if isinstance(one, Filter):
            held = self.rows.ep if one.kind == "event" else self.rows.up
        else:
            held = self.rows.up
        if isinstance(one, Where) and one.key == "userdata_cohort":
            keep = self.rows.member == (one.op == "is")
        else:
            tested = [passes(have.get(one.key), one.op, one.values) for have in held]
            keep = pd.Series(tested, index=self.rows.index)
        self._masks[one] = keep
        return keep

    def performers(self, condition: Performed, bucket: Bucket, range_end: int) -> Any:
        """The users who meet a "who performed" condition for rows of the bucket (Segments)."""
        start, end = {
            "allTime": (-math.inf, range_end),
            "currentInterval": (bucket.start, bucket.end),
            "forEachInterval": (bucket.end - (condition.days or 0) * DAY_MS, bucket.end),
            "rolling": (range_end - (condition.days or 0) * DAY_MS, range_end),
        }[condition.time_type]
        chosen = self.mask(condition.event) & (self.rows.t >= start) & (self.rows.t < end)
        counts = self.rows.uid[chosen].value_counts()
        counts = counts.reindex(self.birth.index, fill_value=0)
        return counts.index[COUNT_OPS[condition.op](counts, condition.value)]

    def segment(self, segment: Segment, bucket: Bucket, range_end: int, index: Any) -> Any:
        """Of the rows at `index`, those that pass every condition."""
        for one in segment:
            if isinstance(one, Performed):
                users = self.performers(one, bucket, range_end)
                index = index[self.rows.uid.loc[index].isin(users)]
            else:
                index = index[self._filter(one).loc[index]]
        return index

    def inside(self, bucket: Bucket) -> Any:
        left, right = np.searchsorted(self.rows.t.to_numpy(), [bucket.start, bucket.end])
        return self.rows.index[left:right]

    def chosen(self, event: Event, segment: Segment, bucket: Bucket, range_end: int) -> Any:
        """The rows M of a bucket (Metrics)."""
        index = self.inside(bucket)
        index = index[self.mask(event).loc[index]]
        if event.type == "_new":
            births = self.birth.loc[self.rows.uid.loc[index]].to_numpy()
            index = index[(births >= bucket.start) & (births < bucket.end)]
        return self.segment(segment, bucket, range_end, index)


def _calendar(first: date, last: date, interval: int, before: int) -> list[tuple[date, date]]:
    """First day of each calendar bucket that touches the days, and the day after its last."""
    out: list[tuple[date, date]] = []
    if interval == MONTHLY:
        months = range(first.year * 12 + first.month - 1 - before, last.year * 12 + last.month)
        return [
            (date(m // 12, m % 12 + 1, 1), date((m + 1) // 12, (m + 1) % 12 + 1, 1)) for m in months
        ]
    day = first if interval == DAILY else first - timedelta(days=first.weekday())
    day -= timedelta(days=before * interval)
    while day <= last:
        out.append((day, day + timedelta(days=interval)))
        day += timedelta(days=interval)
    return out


# ---- metrics -------------------------------------------------------------------------------------


def ratio(above: float, below: float) -> float:
    return above / below if below else 0.0


class Frame(NamedTuple):
    """The rows of one group in one bucket: user and, with repeats, the property's numbers."""

    project: Project
    index: Any
    weight: Any  # how often each row counts (elements of an array)
    numbers: list[tuple[int, float]]  # (uid, number)
    texts: list[tuple[int, str]]  # (uid, label)
    active: int  # users of the denominator

    @property
    def users(self) -> int:
        return int(self.project.rows.uid.loc[self.index].nunique())

    @property
    def totals(self) -> int:
        return int(self.weight.sum())


def uniques(f: Frame) -> float:
    return f.users


def totals(f: Frame) -> float:
    return f.totals


def average(f: Frame) -> float:
    return ratio(f.totals, f.users)


def pct_dau(f: Frame) -> float:
    return 100 * ratio(f.users, f.active)


def sums(f: Frame) -> float:
    return math.fsum(value for _, value in f.numbers)


def value_avg(f: Frame) -> float:
    return ratio(sums(f), len(f.numbers))


def propmax(f: Frame) -> float:
    return max((value for _, value in f.numbers), default=0.0)


def propmin(f: Frame) -> float:
    return min((value for _, value in f.numbers), default=0.0)


def propcount(f: Frame) -> float:
    return len({label for _, label in f.texts})


def propcountavg(f: Frame) -> float:
    return ratio(len(set(f.texts)), f.users)


def arpau(f: Frame) -> float:
    return ratio(sums(f), f.active)


def sessiontotals(f: Frame) -> float:
    part = f.project.rows.loc[f.index]
    return len(part[part.sid != -1][["uid", "sid"]].drop_duplicates())


def percentile(p: float) -> Callable[[Frame], float]:
    def at(f: Frame) -> float:
        return float(np.quantile([v for _, v in f.numbers], p)) if f.numbers else 0.0

    return at


def freqpercentile(p: float) -> Callable[[Frame], float]:
    def at(f: Frame) -> float:
        counts = f.project.rows.uid.loc[f.index].value_counts()
        return float(np.quantile(counts.to_numpy(), p)) if len(counts) else 0.0

    return at


Metric = Callable[[Frame], float]
METRICS: dict[str, Metric] = {
    "uniques": uniques,
    "totals": totals,
    "average": average,
    "pct_dau": pct_dau,
    "sums": sums,
    "value_avg": value_avg,
}
BY_USERS = (uniques, pct_dau)  # what groups are ranked by


# ---- segmentation --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Segmentation:
    events: tuple[Event, ...]
    first: date
    last: date
    metric: str = "uniques"
    interval: int = DAILY
    segments: tuple[Segment, ...] = ((),)
    by: tuple[str, ...] = ()
    users: str = "any"
    limit: int = 100
    window: int = 0
    mean: int = 0
    formula: str = ""
    terms: tuple[tuple[str, int], ...] = ()  # (what, event) of a formula
    combine: Callable[..., float] | None = None

    @property
    def labels(self) -> str:
        return "g" if self.by else "inline" if any(e.by for e in self.events) else "none"


class Series(NamedTuple):
    label: Any
    values: list[float]
    collapsed: float


def _active_users(p: Project, question: Segmentation, segment: Segment, b: Bucket, end: int) -> Any:
    return p.segment(segment, b, end, p.inside(b))


def _property(p: Project, kind: str, key: str, index: Any) -> pd.Series:
    held = p.rows.ep if kind == "event" else p.rows.up
    values = [have.get(key) for have in held.loc[index]]
    return pd.Series(values, index=index, dtype=object)  # None stays None


def frames(
    p: Project, q: Segmentation, event: Event, segment: Segment, bucket: Bucket, prop: bool
) -> dict[Any, Frame]:
    """The rows of a bucket by group. `prop`: the first inline group_by is the property."""
    end = p.span(q.first, q.last).end
    index = p.chosen(event, segment, bucket, end)
    act = _active_users(p, q, segment, bucket, end)
    if q.users == "active":
        index = index[p.rows.uid.loc[index].isin(p.rows.uid.loc[p.inside(bucket)])]
    keys: list[tuple[str, str]] = [("user", key) for key in q.by]
    keys += list(event.by[1:] if prop else event.by)
    measured = event.by[0] if event.by and prop else None
    value = _property(p, *measured, index) if measured else None

    def frame(rows_: Any, weight: Any, active: Any) -> Frame:
        numbers: list[tuple[int, float]] = []
        texts: list[tuple[int, str]] = []
        if value is not None:
            repeated = [(int(p.rows.uid.loc[i]), value.loc[i]) for i in rows_]
            for uid, held in repeated:
                for item in elements(held):
                    texts.append((uid, text(item)))
                    found = number(item)
                    if found is not None:
                        numbers.append((uid, found))
        users = int(p.rows.uid.loc[active].nunique())
        return Frame(p, rows_, weight, numbers, texts, users)

    if not keys:
        return {None: frame(index, pd.Series(1, index=index), act)}
    split = p.groups(tuple(keys), index)
    names = [f"k{place}" for place in range(len(keys))]
    out: dict[Any, Frame] = {}
    denominators: dict[Any, Any] = {}
    if q.by:  # limited to the same group; an inline group_by does not limit it
        have = p.groups(tuple(keys[: len(q.by)]), act)
        denominators = {k: pd.Index(g.row) for k, g in have.groupby(names[: len(q.by)])}
    for label, part in split.groupby(names):
        weight = part.groupby("row").size()
        mine = label[: len(q.by)]
        active = denominators.get(mine, act[:0]) if q.by else act
        out[label if len(names) > 1 else label[0]] = frame(weight.index, weight, active)
    return out


EMPTY = object()


def measure(p: Project, frame: Frame | None, metric: Metric) -> float:
    return metric(frame) if frame is not None else 0.0


def series(p: Project, q: Segmentation) -> list[Series]:
    """The answer of a segmentation without a formula, in the order of its series."""
    metric = METRICS[q.metric]
    prop = q.metric in ("sums", "value_avg")
    whole = p.span(q.first, q.last)
    out: list[Series] = []
    for place, event in enumerate(q.events):
        for segment in q.segments:
            once = frames(p, q, event, segment, whole, prop)
            per = _per_bucket(p, q, event, segment, prop)
            for label in _ranked(once, metric, q.limit):
                values = _values(q, [b.get(label) for b in per], metric, p)
                shown = _label(q, event, place, label, prop)
                out.append(Series(shown, values, measure(p, once.get(label), metric)))
    return out


def _per_bucket(
    p: Project, q: Segmentation, event: Event, segment: Segment, prop: bool
) -> list[dict[Any, Frame]]:
    depth = max(q.window, q.mean, 1) - 1
    buckets = p.buckets(q.first, q.last, q.interval, depth)
    if q.window:
        joined = zip(buckets, buckets[depth:], strict=False)
        buckets = [Bucket(b.label, a.start, b.end) for a, b in joined]
    return [frames(p, q, event, segment, b, prop) for b in buckets]


def _values(q: Segmentation, per: list[Any], metric: Metric, p: Project) -> list[float]:
    values = [measure(p, frame, metric) for frame in per]
    if not q.mean:
        return values
    wide = q.mean
    return [math.fsum(values[n : n + wide]) / wide for n in range(len(values) - wide + 1)]


def _ranked(once: dict[Any, Frame], metric: Metric, limit: int) -> list[Any]:
    if None in once:
        return [None]
    rank: Metric = (
        uniques if metric in BY_USERS else sums if metric in (sums, value_avg) else totals
    )
    return sorted(once, key=lambda label: (-rank(once[label]), label))[:limit]


def _label(q: Segmentation, event: Event, place: int, label: Any, prop: bool) -> Any:
    if label is None:
        return place
    shown = list(label) if isinstance(label, tuple) else label
    return [place, shown] if event.by[1 if prop else 0 :] else shown


def formula(p: Project, q: Segmentation, metrics: dict[str, Metric]) -> list[Series]:
    """A formula whose terms are (metric name, event index), combined by a function."""
    whole = p.span(q.first, q.last)
    out = []
    for segment in q.segments:
        terms = []
        for name, place in q.terms:
            event = q.events[place]
            once = frames(p, q, event, segment, whole, True)
            per = [
                frames(p, q, event, segment, b, True)
                for b in p.buckets(q.first, q.last, q.interval)
            ]
            terms.append((metrics[name], once, per))
        labels = sorted(
            set().union(*(once for _, once, _ in terms)),
            key=lambda k: (-sum(measure(p, once.get(k), uniques) for _, once, _ in terms), k or ""),
        )[: q.limit]
        assert q.combine is not None
        for label in labels:
            values = [
                q.combine(*(measure(p, per[n].get(label), m) for m, _, per in terms))
                for n in range(len(terms[0][2]))
            ]
            total = q.combine(*(measure(p, once.get(label), m) for m, once, _ in terms))
            out.append(Series(q.terms[0][1] if label is None else label, values, total))
    return out


# ---- funnels -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Funnel:
    steps: tuple[Event, ...]
    first: date
    last: date
    mode: str = "ordered"
    seconds: int = 2_592_000
    interval: int = DAILY
    segment: Segment = ()
    users: str = "active"
    by: str = ""


class Path(NamedTuple):
    depth: int
    entry: int  # position of the step-1 row
    times: tuple[int, ...]  # seconds of the rows taken


def _paths(second: list[int], steps: list[list[int]], q: Funnel, entries: list[int]) -> list[Path]:
    """For each entry the path that starts there; positions are of the user's rows in order."""
    if q.mode == "unordered":
        return _unordered(second, steps, q, set(entries))
    out = []
    following = dict(itertools.pairwise(sorted(set(second))))
    for entry in entries:
        used, times = {entry}, [second[entry]]
        for rows_ in steps[1:]:
            late = second[entry] + q.seconds
            found = None
            for at in rows_:
                if at in used or second[at] < times[-1] or second[at] > late:
                    continue
                if q.mode == "sequential" and second[at] not in (
                    times[-1],
                    following.get(times[-1]),
                ):
                    continue
                found = at
                break
            if found is None:
                break
            used.add(found)
            times.append(second[found])
        out.append(Path(len(times), entry, tuple(times)))
    return out


def _unordered(
    second: list[int], steps: list[list[int]], q: Funnel, entries: set[int]
) -> list[Path]:
    """Rule 5: one path for each window that begins at a step row."""
    wide = max(1, q.seconds // 86_400) * 86_400
    out = []
    for begin in sorted({second[at] for rows_ in steps for at in rows_}):
        inside = [
            [
                at
                for at in rows_
                if begin <= second[at] <= begin + wide and (place > 0 or at in entries)
            ]
            for place, rows_ in enumerate(steps)
        ]
        for depth in range(len(steps), 0, -1):
            taken = _dealt(inside[:depth])
            if taken:
                times = tuple(sorted(second[at] for at in taken))
                out.append(Path(depth, taken[0], times))
                break
    return out


def _dealt(rows_: list[list[int]], taken: tuple[int, ...] = ()) -> tuple[int, ...]:
    """A row for each step, none twice, in their order the earliest that will do; else nothing."""
    if len(taken) == len(rows_):
        return taken
    # The other steps hold fewer rows than there are steps.
    for at in rows_[len(taken)][: len(rows_)]:
        if at not in taken:
            found = _dealt(rows_, (*taken, at))
            if found:
                return found
    return ()


class FunnelAnswer(NamedTuple):
    raw: list[int]
    median: list[float]
    average: list[float]
    days: list[list[int]]


def funnel(p: Project, q: Funnel) -> dict[str, FunnelAnswer]:
    """By group; "" where there is none."""
    whole = p.span(q.first, q.last)
    buckets = p.buckets(q.first, q.last, q.interval)
    entry_index = p.chosen(q.steps[0], (), whole, whole.end)
    entry_index = _by_bucket(p, q.segment, buckets, whole.end, entry_index)
    if q.users == "new":
        births = p.birth.loc[p.rows.uid.loc[entry_index]].to_numpy()
        entry_index = entry_index[(births >= whole.start) & (births < whole.end)]
    allowed = set(entry_index)
    masks = [p.mask(step).to_numpy() for step in q.steps]
    best: list[tuple[str, Path]] = []
    daily: list[tuple[int, Path]] = []
    starts = np.array([b.start for b in buckets])
    for uid in p.rows.uid.loc[entry_index].unique():
        where, second, times = p.by_user[uid]
        steps = [[n for n, at in enumerate(where) if mask[at]] for mask in masks]
        entries = [n for n in steps[0] if where[n] in allowed]
        paths = _paths(second, steps, q, entries)
        if not paths:
            continue
        deepest = min(paths, key=lambda path: -path.depth)  # the earliest of them
        held = p.rows.up.loc[where[deepest.entry]].get(q.by) if q.by else None
        for group in sorted(set(groups_of(held))) if q.by else [""]:
            best.append((group, deepest))
        by_bucket: dict[int, list[int]] = {}
        for entry in entries:
            place = int(np.searchsorted(starts, times[entry], "right")) - 1
            by_bucket.setdefault(place, []).append(entry)
        for place, some in by_bucket.items():
            mine = _paths(second, steps, q, some)
            daily.append((place, min(mine, key=lambda path: -path.depth)))
    return {
        group: _summary(q, [path for g, path in best if g == group], daily, len(buckets))
        for group in sorted({g for g, _ in best})
    }


def _by_bucket(p: Project, segment: Segment, buckets: list[Bucket], end: int, index: Any) -> Any:
    """The segment's conditions on each row, with the windows of the row's own bucket."""
    if not segment:
        return index
    t = p.rows.t.loc[index]
    parts = [
        p.segment(segment, b, end, index[(t >= b.start) & (t < b.end)].sort_values())
        for b in buckets
    ]
    return parts[0].append(parts[1:]) if parts else index


def _one_per_second(all_rows: pd.DataFrame) -> pd.DataFrame:
    """Equal type and second of one user count as one row."""
    rounded = all_rows[["uid", "type", "t", "q"]].assign(second=(all_rows.t + 500) // 1000)
    ordered = rounded.sort_values(["uid", "second", "q"], kind="stable")
    return ordered.drop_duplicates(["uid", "type", "second"])


def _summary(q: Funnel, paths: list[Path], daily: Any, buckets: int) -> FunnelAnswer:
    count = len(q.steps)
    raw = [sum(path.depth > n for path in paths) for n in range(count)]
    median, mean = [], []
    for n in range(count):
        spans = [
            (path.times[-1] - path.times[0] if n == 0 else path.times[n] - path.times[n - 1]) * 1000
            for path in paths
            if path.depth > (count - 1 if n == 0 else n)
        ]
        median.append(float(np.median(spans)) if spans else -1)
        mean.append(math.floor(sum(spans) / len(spans)) if spans else -1)
    days = [
        [sum(place == n and path.depth > k for place, path in daily) for k in range(count)]
        for n in range(buckets)
    ]
    return FunnelAnswer(raw, median, mean, days)


# ---- retention -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Retention:
    start: Event
    back: Event
    first: date
    last: date
    interval: int = DAILY
    method: str = "nday"
    brackets: tuple[tuple[int, int], ...] = ()
    segment: Segment = ()
    by: str = ""


class Cell(NamedTuple):
    count: int
    outof: int
    incomplete: bool


class Cohorts(NamedTuple):
    dates: list[str]
    values: dict[str, list[Cell]]
    combined: list[Cell]


def retention(p: Project, q: Retention) -> dict[str, Cohorts]:
    """By group; "" where there is none."""
    buckets = p.buckets(q.first, q.last, q.interval)
    whole = p.span(q.first, q.last)
    start_index = p.chosen(Event(q.start.type, q.start.filters), (), whole, whole.end)
    if q.start.type == "_new":
        start_index = _births(p, q.segment, buckets, whole.end, start_index)
    else:
        start_index = _by_bucket(p, q.segment, buckets, whole.end, start_index)
    starts = p.rows.loc[start_index, ["uid", "t", "q", "up"]]
    if q.by:
        starts = starts.assign(group=starts.up.map(lambda up: sorted(set(groups_of(up.get(q.by))))))
        starts = starts.explode("group")
    else:
        starts = starts.assign(group="")
    back = p.rows.loc[p.mask(q.back), ["uid"]]
    back = back[back.uid.isin(starts.uid)]
    floored = _floored(p, q)
    returns = {
        uid: (p.rows.t.to_numpy()[part.index], floored[part.index])
        for uid, part in back.groupby("uid")
    }
    parts = dict(list(starts.groupby("group"))) if q.by else {"": starts}
    return {group: _cohorts(p, q, part, floored, buckets, returns) for group, part in parts.items()}


def _births(p: Project, segment: Segment, buckets: list[Bucket], end: int, index: Any) -> Any:
    """The first row of each new user, if any of his rows of its clock hour passes the segment."""
    hour = pd.Series(p.hour[index], index=index)
    births = index[~p.rows.uid.loc[index].duplicated()]
    of_birth = p.rows.uid.loc[index].map(
        pd.Series(hour.loc[births].to_numpy(), p.rows.uid.loc[births])
    )
    same_hour = index[(hour == of_birth).to_numpy()]
    passing = _by_bucket(p, segment, buckets, end, same_hour)
    return births[p.rows.uid.loc[births].isin(p.rows.uid.loc[passing])]


def _floored(p: Project, q: Retention) -> Any:
    """The rows' times as the windows see them: clock hours, or local days."""
    return p.hour if q.interval == DAILY else p.ordinal * DAY_MS


def _cells(q: Retention) -> list[tuple[int, int]]:
    """The windows of the cells after the first, in milliseconds from the origin."""
    if q.method == "bracket":
        return [(a * DAY_MS, b * DAY_MS) for a, b in q.brackets]
    unit = {DAILY: 1, WEEKLY: 7, MONTHLY: 30}[q.interval] * DAY_MS
    return [(k * unit, (k + 1) * unit) for k in range(365)]


def _cohorts(
    p: Project,
    q: Retention,
    starts: pd.DataFrame,
    floored: Any,
    buckets: list[Bucket],
    returns: Any,
) -> Cohorts:
    windows = _cells(q)
    kept: list[tuple[str, list[tuple[set[int], set[int], bool]]]] = []
    for bucket in buckets:
        part = starts[(starts.t >= bucket.start) & (starts.t < bucket.end)]
        people = set(part.uid)
        cells = [(people, people, False)]
        there = [w for w in windows if bucket.start + w[0] <= p.now]
        hits = _hits(q, part, floored, returns, there)
        for n, (_, b) in enumerate(there):
            cells.append((hits[n], people, p.now < bucket.end + b))
        kept.append((_cohort_label(bucket, q.interval), cells))
    combined = [
        _combined([cells[n] for _, cells in kept if n < len(cells)], n)
        for n in range(max(len(cells) for _, cells in kept))
    ]
    values = {label: [Cell(len(a), len(b), late) for a, b, late in cells] for label, cells in kept}
    return Cohorts([label for label, _ in reversed(kept)], values, combined)


def _hits(
    q: Retention, part: pd.DataFrame, floored: Any, returns: Any, windows: list[tuple[int, int]]
) -> list[set[int]]:
    out: list[set[int]] = [set() for _ in windows]
    if not len(part):
        return out
    origins = floored[part.index]
    lower = np.array([a for a, _ in windows])
    upper = np.array([b for _, b in windows])
    for uid, t, origin in zip(part.uid, part.t, origins, strict=True):
        if uid not in returns:
            continue
        true, seen = returns[uid]
        since = np.sort(seen[true >= t] - origin)
        if q.method == "rolling":
            hit = lower <= since[-1] if len(since) else np.zeros(len(lower), bool)
        else:
            hit = np.searchsorted(since, upper) > np.searchsorted(since, lower)
        for n in np.flatnonzero(hit):
            out[n].add(uid)
    return out


def _combined(cells: list[tuple[set[int], set[int], bool]], n: int) -> Cell:
    whole = [cell for cell in cells if not cell[2]]
    taken = whole or cells
    count = set().union(*(cell[0] for cell in taken))
    outof = set().union(*(cell[1] for cell in taken))
    return Cell(len(count), len(outof), not whole)


def _cohort_label(bucket: Bucket, interval: int) -> str:
    year, month, day = bucket.label.split("-")
    name = MONTHS[int(month) - 1]
    return f"{name} {year}" if interval == MONTHLY else f"{name} {day}, {year}"


# ---- revenue LTV ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ltv:
    first: date
    last: date
    metric: int = 0
    interval: int = DAILY
    segment: Segment = ()
    by: str = ""


class Curve(NamedTuple):
    count: int
    paid: int
    total: float
    at: dict[int, float]  # by days
    complete: dict[int, bool]


def ltv(p: Project, q: Ltv) -> dict[str, dict[str, Curve]]:
    """By group, then by the label of the cohort's bucket."""
    whole = p.span(q.first, q.last)
    births = p.rows[~p.rows.uid.duplicated()]
    births = births[(births.t >= whole.start) & (births.t < whole.end)]
    buckets = p.buckets(q.first, q.last, q.interval)
    index = _by_bucket(p, q.segment, buckets, whole.end, births.index)
    births = births.loc[index]
    if q.by:
        births = births.assign(g=births.up.map(lambda up: sorted(set(groups_of(up.get(q.by))))))
        births = births.explode("g")
    else:
        births = births.assign(g="")
    money = p.rows[p.rows.revenue.notna()]
    out: dict[str, dict[str, Curve]] = {}
    for group, some in births.groupby("g"):
        out[group] = {}
        for bucket in buckets:
            part = some[(some.t >= bucket.start) & (some.t < bucket.end)]
            out[group][bucket.label] = _curve(p, q, part, money, bucket)
    return out


def _curve(p: Project, q: Ltv, part: pd.DataFrame, money: pd.DataFrame, bucket: Bucket) -> Curve:
    mine = money[money.uid.isin(part.uid)]
    born = p.birth.loc[mine.uid].to_numpy()
    age = mine.t.to_numpy() - born
    paid = mine.uid.nunique()
    at = {}
    for days in range(1, 91):
        taken = mine[age < days * DAY_MS]
        total = math.fsum(taken.revenue)
        at[days] = (
            ratio(total, len(part)),
            ratio(total, paid),
            total,
            float(taken.uid.nunique()),
        )[q.metric]
    complete = {days: p.now >= bucket.end + days * DAY_MS for days in range(1, 91)}
    return Curve(len(part), paid, math.fsum(mine.revenue), at, complete)
