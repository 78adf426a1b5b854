# SPDX-License-Identifier: MIT
"""Builders of what a query asks: events, and segments of users. The core checks it all."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from .cohorts import Cohort
from .errors import ValidationError

__all__ = [
    "ANY_ACTIVE_EVENT",
    "ANY_EVENT",
    "NEW_USERS",
    "Event",
    "EventLike",
    "Segment",
    "SegmentLike",
    "SegmentsLike",
]

ANY_ACTIVE_EVENT: Final = "_active"
ANY_EVENT: Final = "_all"
NEW_USERS: Final = "_new"

PropertyType = Literal["event", "user"]
TimeType = Literal["forEachInterval", "currentInterval", "allTime", "rolling"]


def _values(value: Any) -> list[Any]:
    many = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
    if any(isinstance(one, dt.date) for one in many):
        raise TypeError("a property has no date: give the text that the events have")
    return many


def _filter(name: str, op: str, value: Any, type_: PropertyType | None) -> dict[str, Any]:
    made = {"subprop_key": name, "subprop_op": op, "subprop_value": _values(value)}
    return made if type_ is None else {"subprop_type": type_, **made}


def _calls(value: Any, methods: Iterable[tuple[str, tuple[Any, ...], dict[str, Any]]]) -> str:
    text = repr(value)
    for name, positional, named in methods:
        parts = [*map(repr, positional), *(f"{key}={one!r}" for key, one in named.items())]
        text += f".{name}({', '.join(parts)})"
    return text


def _performed(event: EventLike) -> dict[str, Any]:
    """An event as the members of a condition: its name, document, or JSON text of that."""
    if isinstance(event, str) and not event.startswith("{"):
        return {"event_type": event}
    if isinstance(event, str):
        try:
            made: dict[str, Any] = json.loads(event)
        except ValueError as error:
            raise ValidationError(
                f"event was a text that is not JSON: {error}", code="validation", field="event"
            ) from None
    else:
        made = dict(event._document if isinstance(event, Event) else event)
    for name in ("op", "value", "time_type", "time_value"):
        if name in made:
            raise TypeError(
                f"the event has {name!r}: a whole condition is no event, and stands in a list"
            )
    return made


class _Builder:
    """A JSON document that grows by copying: whoever holds one may share it."""

    __slots__ = ("_document",)
    _document: Any

    def _as_json(self) -> Any:
        return self._document

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self._document == other._document)

    def __hash__(self) -> int:
        return hash(repr(self._document))


class Event(_Builder):
    """An event of a query: its name, the filters it has to pass, what it is grouped by.

    Immutable: each method gives another event.

    Example:
        >>> Event("purchase").where("price", ">", 10).by("country")

    Args:
        name: Name of the event; "ce:" and the name of a custom event; or ANY_ACTIVE_EVENT,
            ANY_EVENT, NEW_USERS.
    """

    __slots__ = ()
    _document: dict[str, Any]

    def __init__(self, name: str) -> None:
        self._document = {"event_type": name}

    def _with(self, member: str, more: Iterable[Any]) -> Event:
        event = Event.__new__(Event)
        event._document = {**self._document, member: [*self._document.get(member, ()), *more]}
        return event

    def where(
        self,
        name: str,
        op: str,
        value: Any,
        *,
        type: PropertyType | None = None,  # noqa: A002 -- the API's word
    ) -> Event:
        """Count only those with this property; several filters must all hold.

        Args:
            name: Name of a property of the event, or of the user: a built-in one ("country") or
                "gp:" and the name of a custom one.
            op: "is", "is not", "contains", "does not contain", "less", "less or equal",
                "greater", "greater or equal", "set is", "set is not" (Amplitude Dashboard REST API
                docs, read 2026-11-27), or =, !=, <, <=, >, >=, "in", "not in".
            value: One value, or a list of which one has to match. Numbers are sent as text; None
                is "(none)", no value.
            type: Whose property it is where the name does not tell.

        Raises:
            TypeError: The value was a date: properties have texts, in the form of who sent them.
        """
        return self._with("filters", [_filter(name, op, value, type)])

    def by(
        self,
        *names: str,
        type: PropertyType | None = None,  # noqa: A002 -- the API's word
    ) -> Event:
        """Group by properties, at most two (Amplitude Dashboard REST API docs, read 2026-11-27).

        The first is also what the metrics sums, value_avg and histogram are about.

        Args:
            *names: Names as for where().
            type: Whose properties they are where the names do not tell.
        """
        kind = {} if type is None else {"type": type}
        return self._with("group_by", [{**kind, "value": name} for name in names])

    def __repr__(self) -> str:
        made = [
            (
                "where",
                (one["subprop_key"], one["subprop_op"], one["subprop_value"]),
                {"type": one["subprop_type"]} if "subprop_type" in one else {},
            )
            for one in self._document.get("filters", ())
        ] + [
            ("by", (one["value"],), {"type": one["type"]} if "type" in one else {})
            for one in self._document.get("group_by", ())
        ]
        return "Event" + _calls((self._document["event_type"],), made).replace(",)", ")", 1)


EventLike: TypeAlias = Event | str | Mapping[str, Any]

_COUNTS = {"at_least": ">=", "at_most": "<=", "exactly": "=", "more_than": ">", "less_than": "<"}


class Segment(_Builder):
    """A set of users: conditions that all hold. Without any it is everybody.

    Immutable: each method gives another segment.

    Example:
        >>> Segment().where("gp:tier", "is", "gold").performed(Event("buy"), within_days=30)
    """

    __slots__ = ()
    _document: list[dict[str, Any]]

    def __init__(self) -> None:
        self._document = []

    def _and(self, condition: dict[str, Any]) -> Segment:
        segment = Segment.__new__(Segment)
        segment._document = [*self._document, condition]
        return segment

    def where(self, name: str, op: str, value: Any) -> Segment:
        """Users with this property.

        Args:
            name: A built-in property ("country"), or "gp:" and the name of a custom one.
            op: As for Event.where.
            value: As for Event.where.
        """
        return self._and({"prop": name, "op": op, "values": _values(value)})

    def in_cohort(self, *cohorts: Cohort | str) -> Segment:
        """Members of one of these cohorts, or with their ids."""
        return self.where("userdata_cohort", "is", [getattr(one, "id", one) for one in cohorts])

    def not_in_cohort(self, *cohorts: Cohort | str) -> Segment:
        """Users that are in none of these cohorts."""
        return self.where("userdata_cohort", "is not", [getattr(one, "id", one) for one in cohorts])

    def performed(
        self,
        event: EventLike,
        *,
        at_least: int | None = None,
        at_most: int | None = None,
        exactly: int | None = None,
        more_than: int | None = None,
        less_than: int | None = None,
        within_days: int | None = None,
        time_type: TimeType | None = None,
    ) -> Segment:
        """Users who did something so often: one of five counts, by default at least once.

        Args:
            event: What they did: an Event, its name, or its document or JSON text.
            at_least: This often or more.
            at_most: This often or less, also never.
            exactly: This often.
            more_than: More often.
            less_than: Less often, also never.
            within_days: In this many days before the end of each interval (`time_type`
                "forEachInterval"), or before the end of the query ("rolling").
            time_type: "forEachInterval" where there are days, else "allTime"; or
                "currentInterval".

        Raises:
            TypeError: More than one count was given, or a whole condition as the event.
            ValidationError: A text that begins as JSON is none.
        """
        counts = {
            "at_least": at_least, "at_most": at_most, "exactly": exactly,
            "more_than": more_than, "less_than": less_than,
        }  # fmt: skip
        given = [(name, value) for name, value in counts.items() if value is not None]
        if len(given) > 1:
            raise TypeError(f"{given[0][0]} and {given[1][0]} were both given")
        name, value = given[0] if given else ("at_least", 1)
        condition = {"type": "event", **_performed(event), "op": _COUNTS[name], "value": value}
        condition["time_type"] = time_type or ("forEachInterval" if within_days else "allTime")
        if within_days is not None:
            condition["time_value"] = within_days
        return self._and(condition)

    def not_performed(
        self,
        event: EventLike,
        *,
        within_days: int | None = None,
        time_type: TimeType | None = None,
    ) -> Segment:
        """Users who never did something; see performed()."""
        return self.performed(event, exactly=0, within_days=within_days, time_type=time_type)

    def __repr__(self) -> str:
        return f"<Segment {self._document}>"


SegmentLike: TypeAlias = Segment | Cohort | str | Iterable[Mapping[str, Any]]
SegmentsLike: TypeAlias = SegmentLike | Mapping[str, Any] | Iterable[SegmentLike]


def listed(value: Any) -> Any:
    """One event or property name as a list of one; what is no list stays, to be refused."""
    if isinstance(value, Event | str | Mapping):
        return [value]
    return list(value) if isinstance(value, Iterable) else value


def segments(value: Any) -> Any:
    """One segment (or cohort, JSON text, condition, list of them) as a list of one.

    Cohorts become segments; what is no list stays, to be refused.
    """
    if isinstance(value, Segment | Cohort | str | Mapping):
        value = [value]
    if not isinstance(value, Iterable):
        return value
    many = list(value)
    if many and all(isinstance(one, Mapping) for one in many):
        many = [many]
    return [Segment().in_cohort(one) if isinstance(one, Cohort) else one for one in many]
