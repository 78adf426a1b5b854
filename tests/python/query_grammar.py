# SPDX-License-Identifier: MIT
"""Calls out of a seeded grammar, most of them right: what both languages are asked.

Analytics has a grammar of its own; the calls of other areas follow docs/arguments.md. A call is
{"method", "arguments"}. Inside the arguments {"event": name, "do": [[method, ...], ...]} and
{"segment": [[method, ...], ...]} stand for builders; everything else is what it is.
"""

import random
import re
from pathlib import Path
from typing import Any

ARGUMENTS = Path(__file__).resolve().parents[2] / "docs" / "arguments.md"
AREAS = ("taxonomy", "users", "profile")

NAMES = ["Cart Viewed", "purchase", "ce:Checkout", "_active", "_all", 'é 😀 "q"', "a&b=c#d%20"]
USER_PROPERTIES = ["country", "platform", "gp:tier", "gp:plan tier", "os", "DMA"]
EVENT_PROPERTIES = ["price", "size", "météo", "a.b[0]", "x"]
WORDS = [
    "is", "is not", "contains", "does not contain", "less", "less or equal", "greater",
    "greater or equal", "set is", "set is not", "=", "!=", "<", "<=", ">", ">=", "in", "not in",
]  # fmt: skip
VALUES: list[Any] = [
    "Norway", "(none)", "", "é\n\"\\", 0, 10, -3, 2.5, 10.0, 1e21, 1e-7, 9007199254740991, True,
    False, None,
]  # fmt: skip
DAYS = [("20260301", "20260301"), ("2026-03-01", "2026-03-02"), ("20260228", "2026-03-06")]
CALENDAR = [None, "day", "week", "month", 1, 7, 30]
INTERVALS = [*CALENDAR, "hour", "realtime", -3600000]


def documented() -> dict[str, list[tuple[str, str, bool]]]:
    """Endpoint to (argument, what its value is, needed) for the areas that are called by name."""
    endpoints: dict[str, list[tuple[str, str, bool]]] = {}
    for section in ARGUMENTS.read_text().split("\n## ")[1:]:
        endpoint = section.split("\n")[0]
        if endpoint.split(".")[0] in AREAS:
            rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (yes|) \| ", section, re.M)
            endpoints[endpoint] = [(name, value, needed == "yes") for name, value, needed in rows]
    return endpoints


class Grammar:
    """Calls, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.endpoints = documented()

    def some(self, options: list[Any], most: int) -> list[Any]:
        return [self.random.choice(options) for _ in range(self.random.randint(1, most))]

    def value(self) -> Any:
        return (
            self.some(VALUES, 4) if self.random.random() < 0.4 else self.random.choice(VALUES)
        )  # fmt: skip

    def event(self) -> Any:
        name = self.random.choice(NAMES)
        kind = self.random.random()
        if kind < 0.25:
            return name
        if kind < 0.4:
            return {
                "group_by": self.some([{"value": "size"}, {"type": "user", "value": "os"}], 2),
                "event_type": name,
                "filters": [
                    {
                        "subprop_value": self.some(VALUES, 2),
                        "subprop_op": self.random.choice(WORDS),
                        "subprop_key": self.random.choice(EVENT_PROPERTIES),
                    }
                ],
                "unknown": {"kept": [1, {"a": None}]},
            }
        do: list[list[Any]] = []
        for _ in range(self.random.randint(0, 3)):
            name_of = self.random.choice(EVENT_PROPERTIES + USER_PROPERTIES)
            step = ["where", name_of, self.random.choice(WORDS), self.value()]
            if self.random.random() < 0.2:
                step.append(self.random.choice(["user", "event"]))
            do.append(step)
        if self.random.random() < 0.5:
            do.append(["by", *self.some(EVENT_PROPERTIES + USER_PROPERTIES, 2)])
        return {"event": name, "do": do}

    def performed(self) -> list[Any]:
        how: dict[str, Any] = {}
        if self.random.random() < 0.7:
            count = self.random.choice(["at_least", "at_most", "exactly", "more_than", "less_than"])
            how[count] = self.random.randint(0, 5)
        if self.random.random() < 0.6:
            how["within_days"] = self.random.randint(1, 60)
            if self.random.random() < 0.3:
                how["time_type"] = "rolling"
        event = self.event()
        if isinstance(event, dict) and "event" not in event:
            event.pop("group_by")
        if isinstance(event, dict) and "event" in event:
            event["do"] = [one for one in event["do"] if one[0] != "by"]
        return ["performed", event, how]

    def segment(self) -> Any:
        if self.random.random() < 0.2:
            return [{"values": ["Norway"], "op": "is", "prop": "country"}]
        steps: list[list[Any]] = []
        for _ in range(self.random.randint(0, 3)):
            kind = self.random.random()
            if kind < 0.5:
                steps.append(
                    ["where", self.random.choice(USER_PROPERTIES), self.random.choice(WORDS),
                     self.value()]
                )  # fmt: skip
            elif kind < 0.75:
                steps.append(self.performed())
            else:
                steps.append(
                    [
                        self.random.choice(["in_cohort", "not_in_cohort"]),
                        *self.some(["c1", "ç2"], 2),
                    ]
                )
        return {"segment": steps}

    def documented_value(self, kind: str) -> Any:
        """A value for a row of docs/arguments.md, now and then one of another kind."""
        if self.random.random() < 0.03:
            return self.random.choice(VALUES)
        if kind.startswith("list of texts"):
            choices = re.findall(r"`(\w+)`", kind) or ["web", "a b", "é&=", "x/y?#"]
            return self.some(choices, 3)
        if kind.startswith("text:"):
            return self.random.choice(re.findall(r"`([^`]+)`", kind))
        if kind.startswith("text"):
            return self.random.choice([*NAMES, "gp:tier", "plan tier"])
        if kind.startswith("true or false"):
            return self.random.choice([True, False])
        if kind.startswith("number or its digits"):
            return self.random.choice([0, 412, 9007199254740991, "9223372036854775807"])
        return self.random.randint(0, 1010)

    def documented_call(self) -> dict[str, Any]:
        area = self.random.choice(AREAS)
        endpoint = self.random.choice(sorted(one for one in self.endpoints if one.startswith(area)))
        arguments = {
            name: self.documented_value(kind)
            for name, kind, needed in self.endpoints[endpoint]
            if kind != "JSON" and (needed or self.random.random() < 0.3)
        }
        return {"method": "call", "endpoint": endpoint, "arguments": arguments}

    def call(self) -> dict[str, Any]:
        if self.random.random() < 0.3:
            return self.documented_call()
        return self.analytics_call()

    def analytics_call(self) -> dict[str, Any]:
        method = self.random.choice(
            ["users", "segmentation", "segmentation", "segmentation", "funnel", "funnel",
             "retention", "revenue_ltv", "session_length", "session_average", "sessions_per_user",
             "composition", "chart", "events", "realtime"]
        )  # fmt: skip
        if method in ("events", "realtime"):
            return {"method": method, "arguments": {}}
        if method == "chart":
            return {"method": method, "arguments": {"chart_id": self.random.choice(NAMES)}}
        arguments = self.arguments(method)
        arguments["start"], arguments["end"] = self.random.choice(DAYS)
        if method != "composition":
            self.segments(arguments, 2 if method in ("users", "segmentation") else 1)
        if self.random.random() < 0.08:
            self.spoil(arguments)
        return {
            "method": method,
            "arguments": {k: v for k, v in arguments.items() if v is not None},
        }

    def segments(self, arguments: dict[str, Any], groups: int) -> None:
        kind = self.random.random()
        if kind < 0.3:
            arguments["segments"] = self.segment()
        elif kind < 0.5:
            arguments["segments"] = [self.segment() for _ in range(self.random.randint(1, 3))]
        if kind < 0.3 or kind > 0.6:
            names = self.some(USER_PROPERTIES, groups)
            arguments["group_by"] = names[0] if len(names) == 1 else names

    def spoil(self, arguments: dict[str, Any]) -> None:
        arguments.update(
            self.random.choice(
                [
                    {"end": "20260101"},
                    {"start": "2026-02-30"},
                    {"interval": "year"},
                    {"limits": 5},
                    {"segments": [[{"prop": "country", "op": "near", "values": ["a"]}]]},
                    {"segments": {"segment": [["performed", "a", {"time_type": "rolling"}]]}},
                    {"group_by": ["a", "b", "c"]},
                    {"events": {"event": "Any Event", "do": []}},
                ]
            )
        )

    def arguments(self, method: str) -> dict[str, Any]:
        choice = self.random.choice
        if method == "users":
            return {"metric": choice([None, "active", "new"]), "interval": choice(CALENDAR)}
        if method == "segmentation":
            events = [self.event() for _ in range(self.random.randint(1, 2))]
            return {
                "events": events[0] if len(events) == 1 and choice([True, False]) else events,
                "metric": choice([None, "uniques", "totals", "pct_dau", "average", "sums"]),
                "users": choice([None, "any", "active"]),
                "interval": choice(INTERVALS),
                "limit": choice([None, 1, 1000]),
                "formula": choice([None, None, "UNIQUES(A)/2", "%:TOTALS(A)*100 - (1.5)"]),
                "rolling_window": choice([None, None, 3]),
            }
        if method == "funnel":
            return {
                "events": [self.event() for _ in range(self.random.randint(2, 4))],
                "mode": choice([None, "ordered", "unordered", "sequential"]),
                "users": choice([None, "new", "active"]),
                "interval": choice(INTERVALS),
                "conversion_window": choice([None, 1, 86400]),
                "limit": choice([None, 10]),
            }
        if method == "retention":
            return {
                "start_event": self.event(),
                "return_event": self.event(),
                "mode": choice([None, None, "nday", "n-day", "rolling", "unbounded"]),
                "brackets": choice([None, None, [[0, 1]], [[0, 1], [1, 8], [8, 30]]]),
                "interval": choice(CALENDAR),
            }
        if method == "revenue_ltv":
            return {"metric": choice([None, "arpu", "arppu", "total_revenue", 3])}
        if method == "session_length" and choice([True, False]):
            return {
                "bin_unit": choice(["hours", "minutes", "seconds"]), "bin_min": 0,
                "bin_max": choice([30, 7.5]), "bin_size": choice([None, 1, 2.5]),
            }  # fmt: skip
        if method == "composition":
            return {"property": choice(USER_PROPERTIES)}
        return {}

    def calls(self, count: int) -> list[dict[str, Any]]:
        return [self.call() for _ in range(count)]
