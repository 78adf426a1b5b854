# SPDX-License-Identifier: MIT
"""Client: one Amplitude project, for programs without an event loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from . import _base, _core, export
from ._calls import identity, plain
from .analytics import Analytics
from .cohorts import Cohorts
from .events import BeforeSend, Identifications
from .jobs import Call, Job, seconds
from .mcp import Mcp
from .profile import Profile
from .results import Outcome, Report, Response
from .taxonomy import Taxonomy
from .users import Users

__all__ = ["Client"]

FLUSH_SECONDS = 30.0
CLOSE_SECONDS = 10.0


class Client(_base.BaseClient):
    """The client of one Amplitude project.

    Making one starts nothing and sends nothing; any number may exist. Use it as a context
    manager, or call close(): what is still queued then is sent. Methods may be called from any
    thread. A forked child goes on with the client, with a queue, a thread and counts of its own:
    what the parent accepted is the parent's to send, and jobs and exports that the parent began
    raise ForkedError in the child.

    Args:
        api_key: The project's API key.
        secret_key: Its secret key, for everything but events.
        region: "us" or "eu".
        base_url: Use this address for all hosts, such as an emulator's.
        default: Called with each value of an event that JSON does not have (a datetime, say)
            to give one it has. It runs before the event is written.
        defaults: Fields for events that do not have them, such as {"user_id": "user-1",
            "app_version": "1.2", "event_properties": {"shop": "main"}}. What an event gives
            wins, None included. Where event and defaults both have a mapping for a field, its
            members are merged in the same way; what lies deeper is not. $identify and
            $groupidentify events take no event_properties, user_properties and groups from them.
        before_send: Called with each event, defaults merged in, in the thread that tracks it.
            Gives the event to accept, which may be the same dict with fields (and members of
            these) changed; or None to keep it back, which stats().filtered counts. What it raises
            comes out of track(). It runs before the checks and before `default`.
        on_outcome: Called with an Outcome for each event that ended; from flush(), drain(),
            close() and poll(), in the thread that calls these.
        close_timeout: Seconds close() and the end of a `with` go on sending at most.
        **options: See tidewheel.options() for names, types and defaults.

    Raises:
        ConfigError: An option is unknown, missing, or has no valid value.

    Example:
        >>> with Client("key", "secret") as client:
        ...     client.track({"event_type": "Signed up", "user_id": "user-1"})
    """

    __slots__ = ("analytics", "cohorts", "mcp", "profile", "taxonomy", "users")

    analytics: Analytics
    """Ask for users, segmentation, funnels, retention, revenue, sessions."""
    cohorts: Cohorts
    """List, download, upload and update cohorts."""
    taxonomy: Taxonomy
    """The tracking plan."""
    mcp: Mcp
    """The tools of the hosted MCP server."""
    profile: Profile
    """Profiles of users, for servers that personalise."""
    users: Users
    """Look users up."""

    def __init__(
        self,
        api_key: str,
        secret_key: str | None = None,
        *,
        region: str = "us",
        base_url: str | None = None,
        default: Callable[[Any], Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
        before_send: BeforeSend | None = None,
        on_outcome: Callable[[Outcome], object] | None = None,
        close_timeout: float = CLOSE_SECONDS,
        **options: Any,
    ) -> None:
        named: dict[str, Any] = {"api_key": api_key, "secret_key": secret_key, "region": region}
        named |= {"base_url": base_url, "on_outcome": on_outcome, **options}
        super().__init__(
            named,
            default,
            defaults=defaults,
            before_send=before_send,
            close_timeout=close_timeout,
            blocks=True,
        )
        self.analytics = Analytics(self._core)
        self.cohorts = Cohorts(self._core)
        self.taxonomy = Taxonomy(self._core)
        self.mcp = Mcp(self._core)
        self.profile = Profile(self._core)
        self.users = Users(self._core)

    def flush(self, timeout: float = FLUSH_SECONDS) -> Report:
        """Send everything accepted so far and wait for what becomes of it.

        Args:
            timeout: Seconds to wait at most. What waits then goes on in the background.

        Returns:
            What became of everything accepted before the call, since the client was made;
            `complete` tells whether all of it is done.

        Raises:
            TidewheelError: Sending is paused (see Stats.paused) and the one attempt more failed
                as well. The events are kept.
            ValueError: The time-out is negative or not a number.
        """
        return self._flush(self._core.flush, timeout)

    def _flush(self, start: Callable[[None], _core.Job], timeout: float) -> Report:
        end = time.monotonic() + seconds(timeout)
        job = start(None)
        while not job.done and job.wait(max(0.0, end - time.monotonic())):
            pass
        try:
            if job.done:
                job.reply()
        finally:
            self._tell()
        return Report(*job.report())

    def drain(self, timeout: float = FLUSH_SECONDS) -> Report:
        """As flush(), and for all that the spool holds of processes that ended.

        Returns:
            What became of all events since the client was made, recovered ones included.
        """
        return self._flush(self._core.drain, timeout)

    def export(
        self,
        start: export.Hour,
        end: export.Hour,
        *,
        fields: Iterable[str] | None = None,
        raw: bool = False,
    ) -> export.Export:
        """Read the events uploaded in a window of hours.

        The window counts by the time the server received the events, in UTC. An hour can be
        read about three hours after it began (Amplitude Export API docs, read 2026-11-23).

        Args:
            start: First hour: an aware datetime, or "2026-03-01T05" ("20260301T05"); or a day from
                its first hour: a date, or "2026-03-01" ("20260301").
            end: Last hour, inclusive: the same; a day to its last hour. At most 365 days.
            fields: Top-level names wanted; the others are skipped while reading, which is much
                faster. A name an event does not have is absent.
            raw: Give each event as the bytes of its line instead of a dict.

        Returns:
            An iterator over the events; use it in a `with` to end it early.

        Raises:
            ValidationError: The window is not one.
        """
        return export.Export(export.start(self._core, start, end, fields, raw, None))

    def call(self, endpoint: str, /, **arguments: Any) -> Any:
        """Call an endpoint by its name with arguments by name.

        Every argument is checked before anything is sent. docs/arguments.md lists endpoints,
        arguments and answers; the areas (`client.taxonomy`, `client.users`, ...) build on this.

        Args:
            endpoint: A name in tidewheel.endpoints(), of those that docs/arguments.md lists.
            **arguments: Its arguments; None is as good as absent. A date or datetime stands for
                its day.

        Returns:
            What was answered, in one form whatever shape the server chose.

        Raises:
            ValidationError: An argument is unknown, missing, or breaks a rule; `field` names it.
            TidewheelError: The call failed.
        """
        return Call(self._core.call(endpoint, arguments, plain, None), identity).result()

    def raw_identify(self, identifications: Identifications) -> str:
        """Change user properties by the Identify API itself instead of an event.

        For what identify() cannot do: `paying` and `start_version`, and no event counted. **Not
        de-duplicated**: there is no insert_id. It is repeated only when the server certainly did
        nothing; after an error with `stored` "maybe" an `$add` may or may not have been done.

        Args:
            identifications: One, or many in one request: `user_id` or `device_id`,
                `user_properties` (plain, or operations), `groups`, fields of the device and the
                place, `paying`, `start_version` (docs/arguments.md).

        Returns:
            What the server wrote, "success".

        Raises:
            ValidationError: A rule was broken; `field` names the path. Nothing was sent.
            PayloadTooLargeError: It makes a request of more than 1 MB.
            TidewheelError: The call failed.
        """
        answer: str = self.call("ingestion.identify", **self._identification(identifications))
        return answer

    def raw_group_identify(self, identifications: Identifications) -> str:
        """Change group properties by the Group Identify API itself; see raw_identify().

        Args:
            identifications: One, or up to 1,024: `group_type`, `group_value`, `group_properties`
                (1,024 properties in all; Amplitude Group Identify API docs, read 2026-11-27).
        """
        arguments = self._identification(identifications)
        answer: str = self.call("ingestion.groupidentify", **arguments)
        return answer

    def raw(
        self,
        endpoint: str,
        *,
        path: Iterable[str] = (),
        query: Mapping[str, Any] | str | None = None,
        body: bytes | str | None = None,
        content_type: str | None = None,
    ) -> Response:
        """Call an endpoint by its name, for what has no method of its own.

        The gate's checks and limits apply as for every call.

        Args:
            endpoint: A name in tidewheel.endpoints().
            path: Values for the {…} of its path, in order.
            query: Names and values (lists repeat a name), or an encoded text.
            body: The body as it goes out.
            content_type: Of the body; application/json where there is a body and no other.

        Raises:
            TidewheelError: The call failed.
        """
        return Job(
            self._raw(endpoint, path, query, body, content_type, None), _base.answered
        ).result()

    def close(self, timeout: float | None = None) -> Report:
        """Take no more events, send what is queued, end all jobs. A second close does nothing.

        Args:
            timeout: Seconds to go on sending at most; 0 gives up at once, None takes the
                client's close_timeout.

        Returns:
            What became of all events since the client was made; `complete` tells whether each
            was confirmed or refused. With a spool the close does not wait for a server that
            does not answer: what waits is kept for the next process.
        """
        self._core.close(self._close_timeout if timeout is None else timeout)
        return self._report()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._warn(self.close())
