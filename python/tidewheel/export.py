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


def hour_text(when: Hour, field: str) -> str:
    """An hour or a day as the core takes it.

    Args:
        when: A text as it is; an aware datetime, of which the hour in UTC counts; or a date.
        field: Name of the argument, for the error.

    Raises:
        ValidationError: A datetime without a time zone: which hour is meant is not known.
    """
    if isinstance(when, dt.datetime):
        if when.utcoffset() is None:
            raise ValidationError(
                f"{field} was a datetime without a time zone; add tzinfo, such as datetime.UTC",
                code="validation",
                field=field,
            )
        return when.astimezone(dt.UTC).strftime("%Y%m%dT%H")
    if isinstance(when, dt.date):
        return when.isoformat()
    if isinstance(when, str):
        return when
    raise TypeError(f"{field} must be str, date or datetime, not {type(when).__name__}")


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
        hour_text(first, "start"),
        hour_text(last, "end"),
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
