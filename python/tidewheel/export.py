# SPDX-License-Identifier: MIT
"""Reading an export: one window of upload hours, event after event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from . import _core
from .errors import ValidationError
from .jobs import AsyncStream, Stream

__all__ = ["AsyncExport", "Export", "Hour"]

Hour = str | dt.date | dt.datetime


def hour_text(when: Hour, *, last: bool) -> str:
    """An hour as the API spells it, in UTC.

    Args:
        when: "YYYYMMDDTHH" as it is; an aware datetime, of which the hour counts; or a date,
            which means its first hour, or its last where `last` is set.
        last: Whether this is the end of a window.

    Raises:
        ValidationError: A datetime without a time zone: which hour is meant is not known.
    """
    if isinstance(when, dt.datetime):
        if when.utcoffset() is None:
            raise ValidationError(
                "a datetime without a time zone was given; add tzinfo, such as datetime.UTC",
                code="validation",
                field="end" if last else "start",
            )
        return when.astimezone(dt.UTC).strftime("%Y%m%dT%H")
    if isinstance(when, dt.date):
        return when.strftime("%Y%m%dT23" if last else "%Y%m%dT00")
    if isinstance(when, str):
        return when
    raise TypeError(f"an hour must be str, date or datetime, not {type(when).__name__}")


def field_tuple(fields: Iterable[str] | None) -> tuple[str, ...] | None:
    """The `fields` argument as the core's binding wants it: a tuple without repetition."""
    if fields is None:
        return None
    if isinstance(fields, str):
        raise TypeError("fields must be a list of names, not one str")
    names = tuple(dict.fromkeys(fields))
    if not names:
        raise ValueError("fields was empty; leave it out to get all")
    if not all(isinstance(name, str) for name in names):
        raise TypeError("fields must be a list of str")
    return names


def start(
    core: _core.Client,
    first: Hour,
    last: Hour,
    fields: Iterable[str] | None,
    raw: bool,
    queue: _core.Queue | None,
) -> _core.Lines:
    """Start an export; see Client.export."""
    if raw and fields is not None:
        raise ValueError("fields and raw exclude each other")
    return core.export(
        hour_text(first, last=False),
        hour_text(last, last=True),
        field_tuple(fields),
        raw,
        queue,
    )


class Export(Stream):
    """A running export. Iterate it; as a context manager it ends when left.

    Memory stays flat whatever the size. The last event is only followed by the end of the
    iteration after the archive was read whole and its checksums were right: otherwise the
    error is raised, and what came before must not be taken for the whole.
    """

    __slots__ = ()


class AsyncExport(AsyncStream):
    """A running export of an AsyncClient: `async for`, or `async with` to be sure of its end.

    The same promises as Export. Cancelling the task that iterates ends the export.
    """

    __slots__ = ()
