# SPDX-License-Identifier: MIT
"""The events behind identify(), group_identify() and revenue(); their rules are the core's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["group_identify", "identify", "operations", "revenue"]

Properties = Mapping[str, Any]


def operations(
    *,
    clear_all: bool = False,
    unset: Iterable[str] = (),
    set: Properties | None = None,  # noqa: A002 -- the API's word
    set_once: Properties | None = None,
    add: Properties | None = None,
    append: Properties | None = None,
    prepend: Properties | None = None,
    pre_insert: Properties | None = None,
    post_insert: Properties | None = None,
    remove: Properties | None = None,
) -> dict[str, Any]:
    """The property operations as the API spells them, in the order the server applies them."""
    if isinstance(unset, str):
        raise TypeError("unset must be a list of property names")
    named: dict[str, Any] = {
        "$clearAll": "-" if clear_all else None,
        "$unset": dict.fromkeys(unset, "-") or None,
        "$set": set,
        "$setOnce": set_once,
        "$add": add,
        "$append": append,
        "$prepend": prepend,
        "$preInsert": pre_insert,
        "$postInsert": post_insert,
        "$remove": remove,
    }
    return {name: value for name, value in named.items() if value is not None}


def _event(event_type: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = {"event_type": event_type}
    event.update((name, value) for name, value in fields.items() if value is not None)
    return event


def identify(fields: Mapping[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """The $identify event of a user."""
    event = _event("$identify", fields)
    if properties:
        event["user_properties"] = properties
    return event


def group_identify(
    group_type: str,
    group_value: str | list[str],
    fields: Mapping[str, Any],
    properties: dict[str, Any],
) -> dict[str, Any]:
    """The $groupidentify event of a group."""
    event = _event("$groupidentify", fields)
    event["groups"] = {group_type: group_value}
    if properties:
        event["group_properties"] = properties
    return event


def revenue(event_type: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A revenue event with the documented top-level fields."""
    names = {"product_id": "productId", "revenue_type": "revenueType"}
    return _event(event_type, {names.get(name, name): fields[name] for name in fields})
