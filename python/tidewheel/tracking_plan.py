# SPDX-License-Identifier: MIT
"""What a tracking plan is made of: entries, their fields, and the difference of two plans."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict

from . import _core
from ._calls import plain
from .errors import TidewheelError
from .results import Entries

__all__ = [
    "Created",
    "EventCategory",
    "EventProperty",
    "EventType",
    "GroupProperty",
    "PlanChange",
    "PlanDiff",
    "UserProperty",
]

PropertyType = Literal["string", "number", "boolean", "enum", "any"]
Classification = Literal["PII", "SENSITIVE", "REVENUE"]
OverrideScope = Literal["override", "shared"]
Plan = dict[str, Any]

PLAN, STATE, EVENT_PROPERTIES = range(3)  # tw_taxonomy_part


class EventFields(TypedDict, total=False):
    """What an event type can be given.

    Attributes:
        category: Name of its category.
        description: Any text.
        is_active: Whether it is active.
        is_hidden_from_dropdowns: Only of ingested events, as the three that follow.
        is_hidden_from_persona_results: See above.
        is_hidden_from_pathfinder: See above.
        is_hidden_from_timeline: See above.
        tags: Texts without commas; an empty list takes them away.
        owner: Who is responsible for it.
    """

    category: str | None
    description: str | None
    is_active: bool | None
    is_hidden_from_dropdowns: bool | None
    is_hidden_from_persona_results: bool | None
    is_hidden_from_pathfinder: bool | None
    is_hidden_from_timeline: bool | None
    tags: Sequence[str] | None
    owner: str | None


class PropertyFields(TypedDict, total=False):
    """What a property can be given.

    Attributes:
        description: Any text.
        type: Of its values.
        regex: That its values match; for the type "string".
        enum_values: The values there are, without commas; for the type "enum".
        is_array_type: Whether values are lists.
        is_hidden: Only of ingested properties.
        classifications: Needs Data Access Controls; not for overrides.
    """

    description: str | None
    type: PropertyType | None
    regex: str | None
    enum_values: Sequence[str] | None
    is_array_type: bool | None
    is_hidden: bool | None
    classifications: Sequence[Classification] | None


class EventPropertyFields(PropertyFields, total=False):
    """What a property of events can be given.

    Attributes:
        is_required: Whether events must have it.
    """

    is_required: bool | None


class EventType(NamedTuple):
    """A type of events in the tracking plan.

    Attributes:
        event_type: Its name.
        category: Name of its category.
        description: "" where there is none.
        display_name: The name that people see.
        is_active: Whether it is active.
        is_hidden_from_dropdowns: See Amplitude's pages, as the three that follow.
        is_hidden_from_persona_results: See above.
        is_hidden_from_pathfinder: See above.
        is_hidden_from_timeline: See above.
        tags: Its tags.
        owner: Who is responsible for it.
        deleted: Whether it was deleted; listed only on request.
        data: The whole documented row.
    """

    event_type: str
    category: str | None
    description: str
    display_name: str | None
    is_active: bool
    is_hidden_from_dropdowns: bool
    is_hidden_from_persona_results: bool
    is_hidden_from_pathfinder: bool
    is_hidden_from_timeline: bool
    tags: tuple[str, ...]
    owner: str | None
    deleted: bool
    data: Mapping[str, Any]


class EventCategory(NamedTuple):
    """A category of events.

    Attributes:
        id: Its number.
        name: Its name.
        data: The whole documented row.
    """

    id: int
    name: str
    data: Mapping[str, Any]


class EventProperty(NamedTuple):
    """A property of events.

    Attributes:
        event_property: Its name.
        event_type: The event it belongs to, None for a shared one.
        description: "" where there is none.
        type: "any" where nothing else was said.
        regex: That its values match.
        enum_values: The values there are.
        is_array_type: Whether values are lists.
        is_hidden: Whether it is hidden.
        classifications: "PII", "SENSITIVE", "REVENUE".
        is_required: Whether events must have it.
        data: The whole documented row.
    """

    event_property: str
    event_type: str | None
    description: str
    type: str
    regex: str | None
    enum_values: tuple[str, ...]
    is_array_type: bool
    is_hidden: bool
    classifications: tuple[str, ...]
    is_required: bool
    data: Mapping[str, Any]


class UserProperty(NamedTuple):
    """A property of users.

    Attributes:
        user_property: Its name, with gp: unless it is Amplitude's own.
        description: "" where there is none.
        type: "any" where nothing else was said.
        regex: That its values match.
        enum_values: The values there are.
        is_array_type: Whether values are lists.
        is_hidden: Whether it is hidden.
        classifications: "PII", "SENSITIVE", "REVENUE".
        deleted: Whether it was deleted; listed only on request.
        data: The whole documented row.
    """

    user_property: str
    description: str
    type: str
    regex: str | None
    enum_values: tuple[str, ...]
    is_array_type: bool
    is_hidden: bool
    classifications: tuple[str, ...]
    deleted: bool
    data: Mapping[str, Any]


class GroupProperty(NamedTuple):
    """A property of groups.

    Attributes:
        group_property: Its name, with grp: unless it is Amplitude's own.
        group_type: The type of groups it belongs to, None for a shared one.
        description: "" where there is none.
        type: "any" where nothing else was said.
        regex: That its values match.
        enum_values: The values there are.
        is_array_type: Whether values are lists.
        is_hidden: Whether it is hidden.
        classifications: "PII", "SENSITIVE", "REVENUE".
        data: The whole documented row.
    """

    group_property: str
    group_type: str | None
    description: str
    type: str
    regex: str | None
    enum_values: tuple[str, ...]
    is_array_type: bool
    is_hidden: bool
    classifications: tuple[str, ...]
    data: Mapping[str, Any]


class Created(NamedTuple):
    """The answer to a creation.

    Attributes:
        existed: Whether it existed already. Only with exist_ok=True, which also repeats a call
            whose answer was lost, so that this may be the work of the first attempt.
    """

    existed: bool


class PlanChange(NamedTuple):
    """One change of a tracking plan.

    Attributes:
        action: "create", "update", "restore" or "delete".
        kind: "category", "event", "event property", "user property" or "group property".
        name: Of the entry.
        text: The change in one line, for people.
        endpoint: The call that makes it; see tidewheel.endpoints().
        arguments: Its arguments.
    """

    action: str
    kind: str
    name: str
    text: str
    endpoint: str
    arguments: Mapping[str, Any]


class PlanDiff(NamedTuple):
    """What leads from the project's tracking plan to another; print it to read it.

    Attributes:
        changes: In the order in which they are made.
        notes: What the plan asks for and the API does not offer (yet).
        cost: Of all changes, of the 7,200 an hour (Amplitude Taxonomy API docs, read 2026-11-27).
    """

    changes: tuple[PlanChange, ...]
    notes: tuple[str, ...]
    cost: int

    def __bool__(self) -> bool:
        """Whether there is anything to change."""
        return bool(self.changes)

    def __str__(self) -> str:
        lines = [change.text for change in self.changes] or ["nothing to change"]
        return "\n".join(lines + [f"! {note}" for note in self.notes])


# For classes that have methods called list.
EventCategoryList = Entries[EventCategory]
EventTypeList = Entries[EventType]
EventPropertyList = Entries[EventProperty]
UserPropertyList = Entries[UserProperty]
GroupPropertyList = Entries[GroupProperty]


def document(reply: tuple[int, bytes] | None) -> Plan:
    """The document of a pull."""
    plan: Plan = _core.loads(reply[1]) if reply is not None else {}
    return plan


def body(reply: tuple[int, bytes] | None) -> bytes:
    """The state of a pull, as compare() wants it."""
    return reply[1] if reply is not None else b""


def checked(plan: Mapping[str, Any]) -> bytes:
    """The text of a plan that has the form of one, and values that can be."""
    text = json.dumps(plan, sort_keys=True, ensure_ascii=False, allow_nan=False, default=plain)
    _core.taxonomy_diff(b"", text.encode(), False)
    return text.encode()


def compare(state: bytes, plan: bytes, delete: bool) -> PlanDiff:
    """The changes from a state to a plan."""
    found = _core.taxonomy_diff(state, plan, delete)
    changes = tuple(PlanChange(**change) for change in found["changes"])
    return PlanDiff(changes, tuple(found["notes"]), found["cost"])


def changes_of(diff: PlanDiff) -> tuple[PlanChange, ...]:
    """The changes of what is given to apply()."""
    if not isinstance(diff, PlanDiff):
        raise TypeError(f"apply takes what plan gave, not {type(diff).__name__}")
    return diff.changes


def check_all(client: _core.Client, changes: tuple[PlanChange, ...]) -> None:
    """Refuse changes of which one would be refused, before the first is made."""
    for change in changes:
        try:
            client.estimate(change.endpoint, dict(change.arguments), plain)
        except TidewheelError as error:
            error.add_note(f"no change was made; this one was refused: {change.text}")
            raise


def failed(error: TidewheelError, diff: PlanDiff, done: int) -> None:
    """Say in the error how far the changes had come."""
    error.add_note(
        f"{done} of {len(diff.changes)} changes were made; this one failed: "
        f"{diff.changes[done].text}"
    )
