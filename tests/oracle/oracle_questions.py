# SPDX-License-Identifier: MIT
"""The grid of questions that the oracle and the emulator both answer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date

import oracle as o
from oracle import DAILY, HOURLY, MONTHLY, REAL_TIME, WEEKLY, Event, Filter, Performed, Where

A, B = date(2026, 3, 18), date(2026, 3, 31)
LONG = (date(2026, 2, 25), date(2026, 4, 29))
DST = (date(2026, 3, 7), date(2026, 3, 9))  # New York changes its clocks on March 8

Question = o.Segmentation | o.Funnel | o.Retention | o.Ltv


def _filters() -> list[Filter]:
    return [
        Filter("event", "category", "is", ("hats", "shoes")),
        Filter("event", "category", "is", ("(none)",)),
        Filter("event", "category", "is not", ("hats", "(none)")),
        Filter("event", "category", "is not", ("hats",)),
        Filter("event", "category", "contains", ("HAT", "book")),
        Filter("event", "category", "does not contain", ("a",)),
        Filter("event", "tags", "is", ("sale",)),
        Filter("event", "tags", "is not", ("sale",)),
        Filter("event", "tags", "set is", ("new", "vip")),
        Filter("event", "tags", "set is not", ("new",)),
        Filter("event", "tags", "contains", ("a b",)),
        Filter("user", "gp:plan", "is", ("gold", "(none)")),
        Filter("user", "gp:badges", "contains", ("vi",)),
        Filter("user", "country", "is", ("Norway",)),
    ]


def _number_filters() -> list[Filter]:
    return [
        Filter("event", "price", op, values)
        for op in ("less", "less or equal", "greater", "greater or equal")
        for values in (("12.5",), ("20", "7"), ("many",))
    ] + [
        Filter("event", "price", "is", ("20", "15")),
        Filter("event", "gift", "is", ("true",)),
    ]


def segmentations() -> Iterator[o.Segmentation]:
    view, buy, cart, ping = Event("view"), Event("buy"), Event("cart"), Event("ping")
    specials = (Event("_active"), Event("_all"), Event("_new"))
    intervals = {
        DAILY: (A, B),
        WEEKLY: LONG,
        MONTHLY: LONG,
        HOURLY: DST,
        REAL_TIME: (date(2026, 3, 20), date(2026, 3, 20)),
    }
    for metric in ("uniques", "totals", "average", "pct_dau"):
        for interval, (first, last) in intervals.items():
            for event in (view, buy, *specials):
                if interval in (HOURLY, REAL_TIME) and event in specials[1:]:
                    continue
                yield o.Segmentation((event,), first, last, metric, interval)
    for metric in ("sums", "value_avg"):
        for interval in (DAILY, WEEKLY, MONTHLY):
            first, last = intervals[interval]
            priced = Event("buy", by=(("event", "price"),))
            yield o.Segmentation((priced,), first, last, metric, interval)
            split = Event("cart", by=(("event", "price"), ("event", "category")))
            yield o.Segmentation((split,), first, last, metric, interval)
            searched = Event("search", by=(("event", "results"),))
            yield o.Segmentation((searched,), first, last, metric, interval, by=("country",))
    for one in _filters():
        yield o.Segmentation((Event("view", (one,)),), A, B, "totals")
        yield o.Segmentation((Event("view", (one,)),), A, B, "pct_dau", WEEKLY)
    for one in _number_filters():
        yield o.Segmentation((Event("buy", (one,)), Event("cart", (one,))), A, B, "totals")
    both = (Filter("event", "gift", "is", ("true",)), Filter("event", "price", "greater", ("9",)))
    yield o.Segmentation((Event("buy", both),), A, B)
    for users in ("any", "active"):
        yield o.Segmentation((view, ping), A, B, "uniques", users=users)
    yield from _grouped()
    yield from _segmented()
    for wide in (2, 7):
        for event in (view, buy):
            yield o.Segmentation((event,), A, B, window=wide)
            yield o.Segmentation((event,), A, B, mean=wide)
            yield o.Segmentation((event,), A, B, "totals", WEEKLY, mean=wide)
            yield o.Segmentation((event,), A, B, "average", WEEKLY, window=wide)
    yield o.Segmentation((view,), A, B, by=("country",), window=3)
    yield o.Segmentation((cart,), A, B, "totals", MONTHLY, by=("platform",), mean=2)


def _grouped() -> Iterator[o.Segmentation]:
    view, buy = Event("view"), Event("buy")
    for metric in ("uniques", "totals", "average", "pct_dau"):
        for by in (("country",), ("platform",), ("gp:plan",), ("gp:badges",), ("version",)):
            yield o.Segmentation((view,), A, B, metric, by=by)
        yield o.Segmentation((buy,), A, B, metric, WEEKLY, by=("country", "platform"))
        yield o.Segmentation((buy,), A, B, metric, by=("city",), limit=4)
        for event in (
            Event("view", by=(("event", "category"),)),
            Event("view", by=(("event", "tags"),)),
            Event("buy", by=(("event", "price"),)),
            Event("search", by=(("event", "results"), ("user", "country"))),
        ):
            yield o.Segmentation((event,), A, B, metric)
    for by in (("paying",), ("start_version",), ("gp:points",), ("gp:origin",)):
        yield o.Segmentation((view,), *LONG, "uniques", MONTHLY, by=by)


def _segmented() -> Iterator[o.Segmentation]:
    view, buy = Event("view"), Event("buy")
    conditions: list[o.Segment] = [
        (Where("country", "is", ("Norway", "(none)")),),
        (Where("gp:plan", "is not", ("gold",)), Where("platform", "is", ("iOS", "Web"))),
        (Where("userdata_cohort", "is", ("<cohort>",)),),
        (Where("userdata_cohort", "is not", ("<cohort>",)),),
        (Performed(buy, ">=", 2, "allTime"),),
        (Performed(buy, "=", 0, "allTime"),),
        (Performed(buy, ">", 1, "currentInterval"),),
        (Performed(Event("cart"), "<", 3, "forEachInterval", 5),),
        (Performed(Event("cart"), "!=", 1, "rolling", 5),),
        (
            Performed(
                Event("view", (Filter("event", "category", "is", ("hats",)),)),
                ">=",
                1,
                "forEachInterval",
                3,
            ),
            Where("platform", "is", ("Android",)),
        ),
    ]
    for segment in conditions:
        yield o.Segmentation((view,), A, B, "uniques", segments=(segment,))
        yield o.Segmentation((view,), A, B, "pct_dau", WEEKLY, segments=(segment,))
    yield o.Segmentation((view, buy), A, B, "totals", segments=tuple(conditions[:3]))
    yield o.Segmentation((view,), A, B, segments=(conditions[4],), by=("country",))


def formulas() -> Iterator[tuple[o.Segmentation, dict[str, o.Metric]]]:
    """Each with the metrics its terms name."""
    metrics: dict[str, o.Metric] = {
        "UNIQUES": o.uniques,
        "TOTALS": o.totals,
        "AVG": o.average,
        "ACTIVE": lambda f: o.pct_dau(f) / 100,
        "PROPSUM": o.sums,
        "REVENUETOTAL": o.sums,
        "PROPAVG": o.value_avg,
        "PROPMAX": o.propmax,
        "PROPMIN": o.propmin,
        "PROPCOUNT": o.propcount,
        "PROPCOUNTAVG": o.propcountavg,
        "ARPAU": o.arpau,
        "SESSIONTOTALS": o.sessiontotals,
        "P90": o.percentile(0.9),
        "P25": o.percentile(0.25),
        "F50": o.freqpercentile(0.5),
    }
    priced = Event("buy", by=(("event", "price"),))
    plain, measured = (Event("buy"), Event("view")), (priced, Event("view"))

    def ask(text: str, *terms: tuple[str, int], combine: object = None) -> o.Segmentation:
        return o.Segmentation(
            measured if text.upper().startswith(("PROP", "REV", "ARPAU", "PERC")) else plain,
            A,
            B,
            "formula",
            formula=text,
            terms=terms,
            combine=combine or (lambda value: value),  # type: ignore[arg-type]
        )

    for name in list(metrics)[:13]:
        yield ask(f"{name}(A)", (name, 0)), metrics
    yield ask("PERCENTILE(A,0.9)", ("P90", 0)), metrics
    yield ask("percentile(A, .25)", ("P25", 0)), metrics
    yield ask("FREQPERCENTILE(B,0.5)", ("F50", 1)), metrics
    two = (("UNIQUES", 0), ("UNIQUES", 1))
    yield ask("UNIQUES(A)/UNIQUES(B)", *two, combine=o.ratio), metrics
    yield (
        ask("100*(UNIQUES(B)-UNIQUES(A))+1", *two, combine=lambda a, b: 100 * (b - a) + 1),
        metrics,
    )
    yield ask("%: totals(A) / totals(B)", ("TOTALS", 0), ("TOTALS", 1), combine=o.ratio), metrics
    yield ask("SQRT(UNIQUES(B))", ("UNIQUES", 1), combine=math.sqrt), metrics
    yield ask("POWER(UNIQUES(A),2)", ("UNIQUES", 0), combine=lambda a: a**2), metrics
    yield ask("LOG(TOTALS(B),2)", ("TOTALS", 1), combine=lambda a: math.log(a, 2)), metrics
    yield ask("LN(TOTALS(B))", ("TOTALS", 1), combine=math.log), metrics
    yield ask("LOG10(TOTALS(B))", ("TOTALS", 1), combine=math.log10), metrics
    yield ask("1/(UNIQUES(A)-UNIQUES(A))", two[0], two[0], combine=lambda a, b: 0), metrics


def funnels() -> Iterator[o.Funnel]:
    open_, view, cart, buy = (Event(kind) for kind in ("open", "view", "cart", "buy"))
    hats = Event("view", (Filter("event", "category", "is", ("hats",)),))
    week = (date(2026, 3, 18), date(2026, 3, 24))
    for mode in ("ordered", "unordered", "sequential"):
        for seconds in (2_592_000, 86_400, 3_600, 60):
            yield o.Funnel((open_, view, buy), *week, mode, seconds)
        yield o.Funnel((view, cart, buy, open_), *week, mode, 200_000, WEEKLY)
        yield o.Funnel((hats, cart), *week, mode)
        yield o.Funnel((open_, cart), A, B, mode, 7_200, users="new")
        yield o.Funnel((open_, cart), A, B, mode, segment=(Where("country", "is", ("Norway",)),))
        yield o.Funnel((open_, buy), A, B, mode, by="country")
        yield o.Funnel((open_, buy), *DST, mode, 90_000, HOURLY)
        yield o.Funnel(
            (open_, buy), A, B, mode, segment=(Performed(cart, ">=", 2, "currentInterval"),)
        )
    yield o.Funnel((view, view, view), *week, "ordered", 3_600)
    yield o.Funnel((view, view), *week, "sequential", 3_600)
    yield o.Funnel((Event("_active"), buy), *week, "ordered", 3_600)
    yield o.Funnel((buy, buy), *LONG, "ordered", interval=MONTHLY, by="gp:plan")
    # Steps that share rows.
    yield o.Funnel((view, view, hats), *week, "unordered", 86_400)
    yield o.Funnel((Event("_active"), buy, cart, buy), A, B, "unordered", 86_400, by="country")
    yield o.Funnel((Event("_active"), view, hats, hats), A, B, "unordered")


def retentions() -> Iterator[o.Retention]:
    new, buy, view = Event("_new"), Event("buy"), Event("view")
    norway = (Where("country", "is", ("Norway",)),)
    for interval, (first, last) in {DAILY: (A, B), WEEKLY: LONG, MONTHLY: LONG}.items():
        for method in ("nday", "rolling", "bracket"):
            brackets = ((0, 1), (1, 5), (5, 14), (30, 40)) if method == "bracket" else ()
            yield o.Retention(new, Event("_all"), first, last, interval, method, brackets)
            yield o.Retention(buy, view, first, last, interval, method, brackets)
        yield o.Retention(new, Event("_active"), first, last, interval, segment=norway)
        yield o.Retention(buy, buy, first, last, interval, by="platform")
    hats = Event("view", (Filter("event", "category", "is", ("hats",)),))
    yield o.Retention(hats, buy, A, B)
    yield o.Retention(Event("_active"), buy, *DST)
    yield o.Retention(new, buy, A, B, segment=(Performed(buy, ">=", 1, "allTime"),))
    yield o.Retention(new, view, A, B, by="gp:plan")
    yield o.Retention(new, view, date(2026, 4, 20), date(2026, 5, 3))


def ltvs() -> Iterator[o.Ltv]:
    for metric in range(4):
        yield o.Ltv(A, B, metric)
        yield o.Ltv(*LONG, metric, WEEKLY)
        yield o.Ltv(*LONG, metric, MONTHLY)
        yield o.Ltv(A, B, metric, segment=(Where("country", "is", ("Norway",)),))
        yield o.Ltv(A, B, metric, by="platform")


# ---- CDNOW: two years of one kind of event in UTC ---


def cdnow() -> Iterator[Question]:
    buy = Event("purchase")
    quarter, year = (date(1997, 1, 1), date(1997, 3, 31)), (date(1997, 1, 1), date(1997, 12, 31))
    two = Event("purchase", (Filter("event", "cds", "greater", ("2",)),))
    weeks = (date(1997, 1, 8), date(1997, 12, 26))  # 52 at most are answered
    for interval, span in {DAILY: quarter, WEEKLY: weeks, MONTHLY: year}.items():
        for metric in ("uniques", "totals", "average", "pct_dau"):
            yield o.Segmentation((buy,), *span, metric, interval)
            yield o.Segmentation((two,), *span, metric, interval)
        for metric in ("sums", "value_avg"):
            yield o.Segmentation(
                (Event("purchase", by=(("event", "price"),)),), *span, metric, interval
            )
        yield o.Retention(Event("_new"), buy, *span, interval)
        yield o.Retention(buy, buy, *quarter, interval, "rolling")
    cohort = (Where("userdata_cohort", "is", ("<cohort>",)),)
    yield o.Segmentation((buy,), *year, "totals", MONTHLY, segments=((), cohort))
    yield o.Segmentation((buy,), *quarter, "totals", by=("paying",))
    yield o.Segmentation(
        (Event("purchase", by=(("event", "cds"),)),), *quarter, "totals", WEEKLY, limit=10
    )
    for count in (2, 3, 4):
        yield o.Funnel((buy,) * count, *quarter, seconds=30 * 86_400, interval=MONTHLY)
        yield o.Funnel((buy,) * count, *quarter, "sequential", interval=WEEKLY)
    for metric in range(4):
        yield o.Ltv(*quarter, metric, MONTHLY)
        yield o.Ltv(date(1997, 2, 1), date(1997, 2, 14), metric)
