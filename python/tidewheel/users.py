# SPDX-License-Identifier: MIT
"""User look-up: who a user is, and what the user did."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from . import _core
from ._calls import Area, AsyncArea, identity, plain, row
from .jobs import AsyncCall, AsyncJob, Call
from .results import Entries

__all__ = [
    "Activity",
    "ActivityPage",
    "ActivityUser",
    "AsyncActivity",
    "AsyncUsers",
    "Location",
    "UserMatch",
    "UserSearch",
    "Users",
]

Event = dict[str, Any]
Direction = Literal["latest", "earliest"]

PAGE = (
    1000  # most events a call gives by itself (Amplitude Dashboard REST API docs, read 2026-11-27)
)
REMEMBERED = 4  # pages whose events are known again


class UserMatch(NamedTuple):
    """A user that a search found.

    Attributes:
        amplitude_id: The id that activity() takes.
        user_id: None for anonymous users.
        last_device_id: The device seen last.
        platform: Of that device.
        country: Of the user.
        last_seen: Day, as YYYY-MM-DD.
        data: The whole row as it came.
    """

    amplitude_id: int
    user_id: str | None
    last_device_id: str | None
    platform: str | None
    country: str | None
    last_seen: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UserSearch:
    """What a search found: iterate it for the users.

    Attributes:
        type: What matched: "match_user_or_device_id", "match_amplitude_id", "match_user_prefix",
            or "nomatch".
        matches: The users.
        data: The whole answer as it came.
    """

    type: str
    matches: Entries[UserMatch]
    data: Mapping[str, Any]

    def __iter__(self) -> Iterator[UserMatch]:
        return iter(self.matches)

    def __len__(self) -> int:
        return len(self.matches)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Each user as a dict, without `data`."""
        return self.matches.to_dicts()


class Location(NamedTuple):
    """A place.

    Attributes:
        lat: Latitude, None where it is not known.
        lng: Longitude, None where it is not known.
    """

    lat: float | None
    lng: float | None


class ActivityUser(NamedTuple):
    """A user, as the activity shows it. What is not known is None.

    Attributes:
        user_id: None for anonymous users, and for those that are not known at all.
        amplitude_id: The canonical one.
        merged_amplitude_ids: Those that were merged into it.
        num_events: Events in all.
        num_sessions: Sessions in all.
        usage_time: In milliseconds, as far as is known.
        first_used: Day, as YYYY-MM-DD.
        last_used: Day, as YYYY-MM-DD.
        purchases: Number of purchases.
        revenue: What they brought.
        platform: As last seen, like all that follow.
        os: Operating system.
        version: Of the app.
        start_version: Of the app, at first.
        device: Its name.
        device_type: Its kind.
        carrier: Mobile carrier.
        country: Name of the country.
        region: Name of the region.
        city: Name of the city.
        dma: Designated market area.
        language: Name of the language.
        device_ids: All devices.
        last_device_id: The device seen last.
        properties: The user properties.
        last_location: None where it is not known.
        data: The whole userData as it came.
    """

    user_id: str | None
    amplitude_id: int | None
    merged_amplitude_ids: tuple[int, ...]
    num_events: int
    num_sessions: int
    usage_time: int | None
    first_used: str | None
    last_used: str | None
    purchases: int
    revenue: float
    platform: str | None
    os: str | None
    version: str | None
    start_version: str | None
    device: str | None
    device_type: str | None
    carrier: str | None
    country: str | None
    region: str | None
    city: str | None
    dma: str | None
    language: str | None
    device_ids: tuple[str, ...]
    last_device_id: str | None
    properties: Mapping[str, Any]
    last_location: Location | None
    data: Mapping[str, Any]


class ActivityPage(NamedTuple):
    """What one call of an activity gave.

    Attributes:
        user: The user as of now.
        events: The events that no page before had.
        data: The whole answer as it came, with all its events.
    """

    user: ActivityUser
    events: tuple[Event, ...]
    data: Mapping[str, Any]


def _found(answer: Any) -> UserSearch:
    matches = Entries(row(UserMatch, found) for found in answer["matches"])
    return UserSearch(answer["type"], matches, answer["data"])


def _user(members: dict[str, Any]) -> ActivityUser:
    place = members["last_location"]
    location = None if place is None else Location(place["lat"], place["lng"])
    return row(ActivityUser, members | {"last_location": location})


class _Pages:
    """Which pages to ask for, and which of their events are new.

    A call gives one event more than it was asked for, and as many as the last session needs: so the
    next begins behind what came, and what is more than was wanted is cut off here. Events that
    arrive meanwhile move the others, which then come again: those of the last pages are known by
    their uuid.
    """

    def __init__(
        self, amplitude_id: int | str, offset: int, limit: int | None, direction: Direction
    ) -> None:
        self._fixed = {"amplitude_id": amplitude_id, "direction": direction}
        self._offset = offset
        self._left = limit
        self._asked = 0
        self._known: deque[set[str]] = deque(maxlen=REMEMBERED)
        self.ended = False

    def arguments(self) -> dict[str, Any]:
        """Of the next call."""
        limit = PAGE if self._left is None else self._left
        if hasattr(type(limit), "__index__"):  # else it is refused where it is checked
            limit = min(PAGE, limit)
        self._asked = limit
        return {**self._fixed, "offset": self._offset, "limit": limit}

    def check(self) -> None:
        """Refuse to begin again behind the end, where nothing would come."""
        if self.ended:
            raise RuntimeError("the activity was read to its end: ask for it again")

    def take(self, answer: Any) -> ActivityPage:
        """The page of an answer."""
        received: list[Event] = answer["events"]
        self._offset += len(received)
        self.ended = len(received) < self._asked
        events = [one for one in received if not any(one.get("uuid") in ids for ids in self._known)]
        self._known.append({one["uuid"] for one in received if one.get("uuid")})
        if self._left is not None:
            events = events[: self._left]
            self._left -= len(events)
            self.ended = self.ended or self._left == 0
        return ActivityPage(_user(answer["user"]), tuple(events), answer["data"])


class Activity:
    """The events of a user, call after call: iterate it, once. The first call has begun already."""

    __slots__ = ("_client", "_job", "_pages")

    def __init__(self, client: _core.Client, pages: _Pages) -> None:
        self._client = client
        self._pages = pages
        self._job: _core.Job | None = self._begin()  # what is wrong is refused here

    def _begin(self) -> _core.Job:
        return self._client.call("users.activity", self._pages.arguments(), plain, None)

    def pages(self) -> Iterator[ActivityPage]:
        """The same by calls, with the user as each of them shows it."""
        self._pages.check()
        while not self._pages.ended:
            job, self._job = self._job or self._begin(), None
            answer = Call(job, identity).result()
            yield self._pages.take(answer)

    def __iter__(self) -> Iterator[Event]:
        for page in self.pages():
            yield from page.events


class AsyncActivity:
    """The events of a user, call after call: `async for`, once. The first call has begun."""

    __slots__ = ("_area", "_job", "_pages")

    def __init__(self, area: AsyncUsers, pages: _Pages) -> None:
        self._area = area
        self._pages = pages
        self._job: AsyncJob[Any] | None = self._begin()  # what is wrong is refused here

    def _begin(self) -> AsyncJob[Any]:
        return self._area._call("users.activity", identity, **self._pages.arguments())

    async def pages(self) -> AsyncIterator[ActivityPage]:
        """The same by calls, with the user as each of them shows it."""
        self._pages.check()
        while not self._pages.ended:
            job, self._job = self._job or self._begin(), None
            answer = await job
            yield self._pages.take(answer)

    async def __aiter__(self) -> AsyncIterator[Event]:
        async for page in self.pages():
            for event in page.events:
                yield event


class Users(Area):
    """`client.users`: look users up.

    Limits: 360 calls an hour and 10 at once, for both together (Amplitude Dashboard REST API docs,
    read 2026-11-27).
    """

    __slots__ = ()

    def search(self, user: str | int) -> UserSearch:
        """Find users. Nobody found is an answer, not an error.

        Args:
            user: An Amplitude ID, a device ID, a user ID, or the beginning of user IDs.

        Raises:
            RateLimitError: More than 360 calls an hour.
        """
        return self._call("users.search", _found, user=user)

    def activity(
        self,
        amplitude_id: int | str,
        *,
        offset: int = 0,
        limit: int | None = None,
        direction: Direction = "latest",
    ) -> Activity:
        """The events of a user, each once, in calls of up to 1,000 or so.

        A user that is not known is an answer without events. Events that are uploaded while the
        pages are read are not repeated; those with an earlier time than what was read are missed.

        Args:
            amplitude_id: As search() finds it.
            offset: Events to pass over.
            limit: Events wanted at most; None for all.
            direction: Begin with the "latest" or the "earliest".

        Returns:
            An iterable of events; pages() gives the user as well. Behind its end it raises
            RuntimeError.

        Raises:
            ValidationError: A value breaks a rule; nothing was sent.
        """
        return Activity(self._client, _Pages(amplitude_id, offset, limit, direction))


class AsyncUsers(AsyncArea):
    """`client.users` of an AsyncClient: the same names and arguments as Users."""

    __slots__ = ()

    def search(self, user: str | int) -> AsyncJob[UserSearch]:
        """Find users; see Users.search."""
        core = self._client.call("users.search", {"user": user}, plain, self._bridge.queue)
        return AsyncCall(core, self._bridge, _found)

    def activity(
        self,
        amplitude_id: int | str,
        *,
        offset: int = 0,
        limit: int | None = None,
        direction: Direction = "latest",
    ) -> AsyncActivity:
        """The events of a user, with `async for`; see Users.activity."""
        return AsyncActivity(self, _Pages(amplitude_id, offset, limit, direction))
