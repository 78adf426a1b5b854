# SPDX-License-Identifier: MIT
"""Calls of endpoints by name: from Python values to the core's table of arguments and back."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from . import _core
from .jobs import AsyncCall, AsyncJob, Call
from .results import Entries

if TYPE_CHECKING:
    from ._bridge import Bridge

__all__ = ["Area", "AsyncArea", "identity", "nothing", "one", "plain", "row", "rows"]

T = TypeVar("T")


def plain(value: Any) -> Any:
    """The JSON value of something that JSON does not have.

    A date or datetime is its day as the API spells it; what has a method `_as_json` is what that
    gives; any mapping is an object, and what counts as a whole number (of NumPy) is one. Anything
    else stays what it is: it is refused where it is written, which names its place.
    """
    if isinstance(value, dt.date):
        return value.strftime("%Y%m%d")
    if hasattr(value, "_as_json"):
        return value._as_json()
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(type(value), "__index__"):
        return operator.index(value)
    return value


def identity(answer: Any) -> Any:
    """The answer as it is."""
    return answer


def row(cls: Callable[..., T], members: dict[str, Any]) -> T:
    """An object of the answer as a result: the members are its fields, lists become tuples.

    Members that the class does not know stay in `data` alone.
    """
    known = getattr(cls, "_fields", ())
    return cls(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in members.items()
            if name in known
        }
    )


def rows(cls: Callable[..., T]) -> Callable[[Any], Entries[T]]:
    """Reads an answer that is a list of objects."""
    return lambda answer: Entries(row(cls, members) for members in answer)


def one(cls: Callable[..., T]) -> Callable[[Any], T]:
    """Reads an answer that is one object."""
    return lambda answer: row(cls, answer)


def nothing(answer: Any) -> None:
    """Reads an answer that says no more than that all is well."""
    del answer


class Area:
    """What the areas of a Client build on."""

    __slots__ = ("_client",)

    def __init__(self, client: _core.Client) -> None:
        self._client = client

    def _call(self, endpoint: str, convert: Callable[[Any], T], **arguments: Any) -> T:
        return Call(self._client.call(endpoint, arguments, plain, None), convert).result()


class AsyncArea:
    """What the areas of an AsyncClient build on."""

    __slots__ = ("_bridge", "_client")

    def __init__(self, client: _core.Client, bridge: Bridge) -> None:
        self._client = client
        self._bridge = bridge

    def _call(self, endpoint: str, convert: Callable[[Any], T], **arguments: Any) -> AsyncJob[T]:
        core = self._client.call(endpoint, arguments, plain, self._bridge.queue)
        return AsyncCall(core, self._bridge, convert)
