# SPDX-License-Identifier: MIT
"""The events behind identify(), group_identify() and revenue(), and what a client does with each
event before the core sees it; the rules of events are the core's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .errors import ConfigError

__all__ = ["group_identify", "identify", "operations", "preparer", "revenue"]

Properties = Mapping[str, Any]
Identifications = Mapping[str, Any] | Iterable[Mapping[str, Any]]
BeforeSend = Callable[[dict[str, Any]], Mapping[str, Any] | None]

# Each event has its own, or none.
UNSHARED = ("event_type", "group_properties", "insert_id", "time")
# Not for $identify and $groupidentify, where they would change something.
ORDINARY = ("event_properties", "groups", "user_properties")


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
    """The property operations as the API spells them."""
    if isinstance(unset, str):
        raise TypeError("unset must be a list of property names")
    named: dict[str, Any] = {
        "$clearAll": "-" if clear_all else None,
        "$unset": dict.fromkeys(sorted(unset), "-") or None,
        "$set": set,
        "$setOnce": set_once,
        "$add": add,
        "$append": append,
        "$prepend": prepend,
        "$preInsert": pre_insert,
        "$postInsert": post_insert,
        "$remove": remove,
    }
    return _sorted(named)


def _sorted(fields: Mapping[str, Any]) -> dict[str, Any]:
    # By name, as Lua does it: both send the same bytes.
    return {name: fields[name] for name in sorted(fields) if fields[name] is not None}


def _event(event_type: str, fields: Mapping[str, Any], **own: Any) -> dict[str, Any]:
    own["event_type"] = event_type
    made = {name: value for name, value in own.items() if value}
    for name in made:
        if fields.get(name) is not None:
            raise TypeError(f"{name} excludes the arguments it would be made of")
    return _sorted({**fields, **made})


def identify(fields: Mapping[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """The $identify event of a user."""
    return _event("$identify", fields, user_properties=properties)


def group_identify(
    group_type: str,
    group_value: str | list[str],
    fields: Mapping[str, Any],
    properties: dict[str, Any],
) -> dict[str, Any]:
    """The $groupidentify event of a group."""
    groups = {group_type: group_value}
    return _event("$groupidentify", fields, groups=groups, group_properties=properties)


def revenue(event_type: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A revenue event with the documented top-level fields."""
    product_id, revenue_type = fields["product_id"], fields["revenue_type"]
    rest = {name: fields[name] for name in fields if name not in ("product_id", "revenue_type")}
    return _event(event_type, rest, productId=product_id, revenueType=revenue_type)


# ---- before the core sees an event ----------------------------------------------------------


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, list) else value


def preparer(
    defaults: Mapping[str, Any] | None, before_send: BeforeSend | None
) -> Callable[[dict[str, Any]], Mapping[str, Any] | None] | None:
    """What is done with each event: defaults are merged in, then the hook has its say.

    Args:
        defaults: Fields for events that do not have them. Where both have a mapping, the members
            are merged too; deeper values are taken as they are.
        before_send: Given each event as a dict whose fields may be changed, and their members,
            without changing what the caller has. Gives the event to accept, or None.
    """
    defaults = {} if defaults is None else defaults
    for name in UNSHARED:
        if name in defaults:
            text = f"defaults.{name}: is of one event, not of all"
            raise ConfigError(text, code="config", field=f"defaults.{name}")
    shared = {name: _copy(value) for name, value in defaults.items()}
    special = {name: value for name, value in shared.items() if name not in ORDINARY}
    if before_send is None and not shared:
        return None

    def prepare(event: dict[str, Any]) -> Mapping[str, Any] | None:
        of_type = event.get("event_type")
        base = special if of_type in ("$identify", "$groupidentify") else shared
        merged = {**base, **event}
        for name, value in base.items():
            if isinstance(value, dict):
                given = merged[name]
                if given is value:
                    merged[name] = value.copy()
                elif isinstance(given, Mapping):
                    merged[name] = {**value, **given}
        if before_send is None:
            return merged
        return before_send({name: _copy(value) for name, value in merged.items()})

    return prepare
