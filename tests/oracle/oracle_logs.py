# SPDX-License-Identifier: MIT
"""Event logs for the oracle, CDNOW and a generated one: as they are sent and as rows.

`rows` models what the service keeps of each event (user, time, properties as of the event) from the
API's text alone; nothing here asks the emulator.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
import cdnow

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Log(NamedTuple):
    """Events in the order of sending, and what the project and the clock are then."""

    name: str
    events: list[dict[str, Any]]
    zone: str
    now_ms: int
    cohort: list[str]  # user_ids of the one cohort
    batches: int  # how many sendings, so that no user exceeds the service's rate


def millis(text: str, zone: str = "UTC") -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return round(moment.timestamp() * 1000)


# ---- the CDNOW purchases -------------------------------------------------------------------------


def cdnow_log(folder: Path) -> Log:
    """69,659 purchases of 1997 and 1998; every customer is a user."""
    events = [
        {
            "event_type": "purchase",
            "user_id": f"customer-{p.customer}",
            "time": p.time_ms,
            "insert_id": f"cdnow-{p.line}",
            "revenue": float(p.dollars),
            "event_properties": {"cds": p.cds, "price": float(p.dollars)},
        }
        for p in cdnow.read(cdnow.fetch(folder))
    ]
    heavy: dict[str, int] = {}
    for event in events:
        heavy[event["user_id"]] = heavy.get(event["user_id"], 0) + 1
    cohort = sorted(user for user, n in heavy.items() if n >= 10)
    return Log("cdnow", events, "UTC", millis("1998-08-15T12:30"), cohort, 1)


# ---- a generated shop ----------------------------------------------------------------------------

ZONE = "America/New_York"
FIRST = "2026-02-20T00:00"
DAYS = 70
NOW = "2026-05-03T11:32:30"
COUNTRIES = ("Norway", "Chile", "Kenya", "Japan", "Ärland")
PLATFORMS = ("iOS", "Android", "Web")
CATEGORIES = ("shoes", "hats", "Hats", "books", "")
TAGS = ("new", "sale", "vip", "a b")


def _user(number: int, rng: random.Random) -> dict[str, Any]:
    """What stays the same on all rows of a user."""
    fixed: dict[str, Any] = {"platform": rng.choice(PLATFORMS), "app_version": f"1.{number % 4}"}
    if number % 7:
        fixed["country"] = rng.choices(COUNTRIES, (8, 4, 2, 1, 1))[0]
        fixed["city"] = f"{fixed['country'][:2]}-{number % 3}"
    return fixed


def _properties(kind: str, rng: random.Random) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    if kind in ("view", "cart", "buy"):
        properties["category"] = rng.choice(CATEGORIES)
        if rng.random() < 0.1:
            properties["category"] = None
    if kind in ("cart", "buy"):
        properties["price"] = rng.choice((5, 9.99, 12.5, 20, 20.0, 99, "15", "7.25", "n/a"))
        properties["gift"] = rng.random() < 0.3
    if kind == "view" and rng.random() < 0.6:
        properties["tags"] = [rng.choice(TAGS) for _ in range(rng.randrange(0, 4))]
    if kind == "search":
        properties["results"] = rng.choice((0, 1, 1, 2, 3, 10, -1))
    return properties


def _session(
    number: int, start: int, fixed: dict[str, Any], rng: random.Random
) -> list[dict[str, Any]]:
    """One visit: some events a few seconds or minutes apart, now and then in the same second."""
    events: list[dict[str, Any]] = []
    time = start
    in_session = rng.random() < 0.9
    kinds = ["open"]
    for _ in range(rng.choice((1, 2, 3, 4, 6, 9, 14))):
        kinds.append(rng.choices(("view", "search", "cart", "buy", "ping"), (10, 4, 4, 3, 2))[0])
    for kind in kinds:
        event: dict[str, Any] = {"event_type": kind, "time": time, **fixed}
        event["event_properties"] = _properties(kind, rng)
        if in_session:
            event["session_id"] = start
        if kind == "buy" and rng.random() < 0.8:
            event["price"] = rng.choice((5.0, 9.99, 20.0, -5.0))
            event["quantity"] = rng.choice((1, 2, 3))
        elif kind == "buy":
            event["revenue"] = rng.choice((1.25, 40.0))
        if rng.random() < 0.05:
            event["user_properties"] = {"plan": rng.choice(("free", "gold", "Gold"))}
        events.append(event)
        time += rng.choice((0, 300, 900, 1000, 1500, 20_000, 65_000, 400_000))
    if rng.random() < 0.01:  # a visit left open for more than a day
        events.append(
            {"event_type": "ping", "time": start + 90_000_000, "session_id": start, **fixed}
        )
    return events


def shop_log(users: int = 4_200, total: int = 200_000, seed: int = 20260301) -> Log:
    """`total` events with sessions, properties, identifies, late arrivals and named visitors."""
    rng = random.Random(seed)
    first = millis(FIRST, ZONE)
    last = millis(NOW, ZONE) - 2 * HOUR_MS
    sent: list[tuple[int, int, dict[str, Any]]] = []
    number = 0
    while len(sent) < total:
        who = number % users
        rng_user = random.Random(seed + who)
        fixed = _user(who, rng_user)
        birth = first + rng_user.randrange(0, DAYS * DAY_MS * 3 // 4)
        start = birth + int(rng.expovariate(1 / (9 * DAY_MS))) if number >= users else birth
        start = min(start, last - 100_000_000)
        visit = _session(who, start, fixed, rng)
        named = number >= users or who % 5 != 0  # a fifth is a device alone at first
        for event in visit:
            event["device_id"] = f"device-{who:05d}"
            if named:
                event["user_id"] = f"user-{who:05d}"
            late = rng.randrange(DAY_MS) if rng.random() < 0.02 else 0
            sent.append((event["time"] + late, len(sent), event))
        if rng.random() < 0.15 and named:
            operations = rng.choice(
                (
                    {"$set": {"plan": "gold", "age": rng.randrange(18, 22)}},
                    {"$setOnce": {"origin": rng.choice(("ad", "mail"))}},
                    {"$add": {"points": rng.choice((1, 2, 0.5))}},
                    {"$append": {"badges": rng.choice(TAGS)}},
                    {"$unset": {"plan": "-"}},
                )
            )
            event = {"event_type": "$identify", "time": start, "user_properties": operations}
            event |= {"device_id": f"device-{who:05d}", "user_id": f"user-{who:05d}"}
            sent.append((start, len(sent), event))
        number += 1
    # A device must be met without its user first, or with it, in the order of sending.
    sent.sort(key=lambda item: item[:2])
    events = [event for _, _, event in sent[:total]]
    for place, event in enumerate(events):
        event["insert_id"] = f"shop-{place}"
    cohort = [f"user-{who:05d}" for who in range(0, users, 3) if who % 5 != 0]
    known = {event.get("user_id") for event in events}
    cohort = [user for user in cohort if user in known]
    return Log("shop", events, ZONE, millis(NOW, ZONE), cohort, 1)


# ---- rows ----------------------------------------------------------------------------------------


def _apply(current: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    """The user's properties after an update: operations first, plain keys on top."""
    new = dict(current)
    for key in update.get("$unset", {}):
        new.pop(key, None)
    new.update(update.get("$set", {}))
    for key, value in update.get("$setOnce", {}).items():
        new.setdefault(key, value)
    for key, value in update.get("$add", {}).items():
        new[key] = new.get(key, 0) + value
    for key, value in update.get("$append", {}).items():
        old = new.get(key, [])
        new[key] = [*(old if isinstance(old, list) else [old]), value]
    new.update({key: value for key, value in update.items() if not key.startswith("$")})
    return new


def _revenue(event: dict[str, Any]) -> float | None:
    if "price" in event:
        return event["price"] * event.get("quantity", 1)
    return event.get("revenue")


def rows(log: Log) -> pd.DataFrame:
    """One row per stored event; `up` is the user's properties and built-ins as of it."""
    device_user: dict[str, int] = {}
    named: dict[str, int] = {}
    properties: dict[int, dict[str, Any]] = {}
    traits: dict[int, dict[str, Any]] = {}
    out = []
    for q, event in enumerate(log.events):
        user, device = event.get("user_id"), event.get("device_id")
        uid = named.get(user) if user else device_user.get(device)
        if uid is None and device in device_user and device_user[device] not in named.values():
            uid = device_user[device]
        if uid is None:
            uid = len(properties)
            properties[uid], traits[uid] = {}, {}
        if user:
            named[user] = uid
        if device:
            device_user[device] = uid
        if "user_properties" in event:
            properties[uid] = _apply(properties[uid], event["user_properties"])
        if event["event_type"] == "$identify":
            continue
        trait = traits[uid]
        revenue = _revenue(event)
        if revenue is not None:
            trait["paying"] = True
        if "app_version" in event:
            trait.setdefault("start_version", event["app_version"])
        builtin = {name: event[name] for name in ("platform", "country", "city") if name in event}
        if "app_version" in event:
            builtin["version"] = event["app_version"]
        up = {f"gp:{name}": value for name, value in properties[uid].items()} | builtin | trait
        sid = event.get("session_id", -1)
        ep = event.get("event_properties", {})
        out.append((uid, event["event_type"], event["time"], q, sid, ep, up, revenue, user))
    columns = ["uid", "type", "t", "q", "sid", "ep", "up", "revenue", "user_id"]
    frame = pd.DataFrame(out, columns=columns)
    frame = frame[frame.t <= log.now_ms]
    users = frame.dropna(subset="user_id").groupby("uid").user_id.last()
    frame["member"] = frame.uid.map(users).isin(set(log.cohort))

    return frame.sort_values(["t", "q"], kind="stable").reset_index(drop=True)


def day_start(day: Any, zone: str) -> int:
    """The UTC milliseconds at which a local day begins."""
    moment = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return round(moment.astimezone(UTC).timestamp() * 1000)


def days(first: Any, last: Any) -> list[Any]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def wall_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)
