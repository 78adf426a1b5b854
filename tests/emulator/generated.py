# SPDX-License-Identifier: MIT
"""Strategies of generated queries, and how many examples there are of each test.

``TIDEWHEEL_EXAMPLES=100`` makes a hundred times as many: some minutes instead of seconds.
"""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import strategies as st


def examples(n: int) -> int:
    return n * int(os.environ.get("TIDEWHEEL_EXAMPLES", "1"))


TEXTS = st.sampled_from(
    ["A", "B", "Z", "_active", "_all", "_new", "revenue_amount", "ce:x", "", "(none)", "5", "red",
     "color", "gp:tier", "gp:", "country", "userdata_cohort", "is", "is not", "contains", "less",
     "set is", "set contains", ">=", "=", "event", "user", "allTime", "rolling", "é\u0000😀"]
)  # fmt: skip
SCALARS = st.one_of(TEXTS, st.none(), st.booleans(), st.integers(-3, 2000), st.floats())
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)


def mostly(good: Any, bad: Any = TREES) -> Any:
    """The valid strategy nine times out of ten."""
    return st.integers(0, 9).flatmap(lambda n: bad if n == 0 else good)


OPERATORS = mostly(
    st.sampled_from(
        ["is", "is not", "contains", "does not contain", "less", "less or equal", "greater",
         "greater or equal", "set is", "set is not"]
    )
)  # fmt: skip
LISTS = mostly(st.lists(mostly(TEXTS), min_size=1, max_size=3))
FILTERS = st.fixed_dictionaries(
    {
        "subprop_type": mostly(st.sampled_from(["event", "user"])),
        "subprop_key": mostly(st.sampled_from(["color", "gp:tier", "country"])),
        "subprop_op": OPERATORS,
        "subprop_value": LISTS,
    }
)
GROUPS = st.sampled_from(
    [[], [{"type": "event", "value": "color"}], [{"type": "user", "value": "gp:tier"}],
     [{"type": "event", "value": "color"}, {"type": "user", "value": "country"}]]
)  # fmt: skip
EVENTS = mostly(
    st.fixed_dictionaries(
        {"event_type": mostly(st.sampled_from(["A", "B", "_active", "_all", "_new"]))},
        optional={"filters": mostly(st.lists(FILTERS, max_size=2)), "group_by": mostly(GROUPS)},
    )
)
CONDITIONS = mostly(
    st.one_of(
        st.fixed_dictionaries(
            {
                "prop": mostly(st.sampled_from(["country", "gp:tier"])),
                "op": OPERATORS,
                "values": LISTS,
            }
        ),
        st.fixed_dictionaries(
            {
                "type": st.just("event"),
                "event_type": mostly(st.sampled_from(["A", "_active"])),
                "op": mostly(st.sampled_from([">=", "<=", "=", "!=", ">", "<"])),
                "value": mostly(st.integers(0, 3)),
                "time_type": mostly(
                    st.sampled_from(["allTime", "currentInterval", "forEachInterval", "rolling"])
                ),
                "time_value": mostly(st.integers(1, 40)),
            },
            optional={"filters": st.lists(FILTERS, max_size=1)},
        ),
    )
)
DATES = mostly(
    st.sampled_from([("20260301", "20260301"), ("20260303", "20260310"), ("20260222", "20260402")]),
    st.tuples(TEXTS, TEXTS),
)
FORMULAS = st.one_of(
    st.sampled_from(
        ["UNIQUES(A)/TOTALS(B)", "TRENDLINE(AVG(A))*2", "PERCENTILE(A,.5)+PROPCOUNTAVG(A)",
         "ROLLAVG(UNIQUES,A,3)", "CUMSUM(TOTALS,B)", "ARPAU(A1)-ACTIVE(A)", "POWER(-1,0.5)"]
    ),
    st.text("AB()+-*/,.12UNIQESTOL ", max_size=30),
)  # fmt: skip
PATHS = st.sampled_from(
    ["users", "events/segmentation", "funnels", "retention", "revenue/ltv", "composition",
     "sessions/length", "sessions/average", "sessions/peruser"]
)  # fmt: skip


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@st.composite
def queries(draw: Any) -> tuple[str, list[tuple[str, str]]]:
    path = draw(PATHS)
    start, end = draw(DATES)
    pairs = [("start", start), ("end", end)]
    count = {"events/segmentation": 1, "funnels": 2}.get(path, 0)
    if path == "retention":
        pairs += [("se", text_of(draw(EVENTS))), ("re", text_of(draw(EVENTS)))]
        pairs += [("rb", text_of(draw(mostly(st.just([[0, 3], [3, 9]])))))]
    for _ in range(count + draw(st.integers(0, 1)) if count else 0):
        pairs.append(("e", text_of(draw(EVENTS))))
    choices: dict[str, Any] = {
        "i": st.sampled_from(["1", "7", "30", "-3600000", "-300000", "2"]),
        "m": st.sampled_from(
            ["uniques", "totals", "pct_dau", "average", "histogram", "sums", "value_avg",
             "formula", "new", "1", "3"]
        ),
        "n": st.sampled_from(["any", "active", "new"]),
        "formula": FORMULAS,
        "g": st.sampled_from(["country", "gp:tier", "user_id", "DMA"]),
        "g2": st.sampled_from(["gp:tier"]),
        "limit": st.sampled_from(["1", "1000", "x"]),
        "rollingWindow": st.sampled_from(["1", "3", "12"]),
        "rollingAverage": st.sampled_from(["2", "40"]),
        "mode": st.sampled_from(["ordered", "unordered", "sequential"]),
        "cs": st.sampled_from(["1", "60", "100000"]),
        "rm": st.sampled_from(["bracket", "rolling", "nday"]),
        "p": st.sampled_from(["country", "gp:tier"]),
        "s": st.lists(CONDITIONS, max_size=2).map(json.dumps),
        "timeHistogramConfigBinTimeUnit": st.sampled_from(["seconds", "days"]),
        "timeHistogramConfigBinMin": st.sampled_from(["0", "5"]),
        "timeHistogramConfigBinMax": st.sampled_from(["60", "1e400"]),
        "timeHistogramConfigBinSize": st.sampled_from(["0", "7", "0.0001"]),
    }  # fmt: skip
    for name in draw(st.lists(st.sampled_from(sorted(choices)), max_size=5)):
        pairs.append((name, draw(mostly(choices[name], TEXTS))))
    return f"/api/2/{path}", pairs
