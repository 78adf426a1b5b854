# SPDX-License-Identifier: MIT
"""What Client and AsyncClient share: options, events, counts, the end of the process."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import os
import sys
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from . import _core, events
from ._calls import plain
from .errors import ConfigError, TidewheelError, ValidationError
from .jobs import Reply, seconds
from .results import Outcome, Rejection, Report, Response, Stats

__all__ = ["BaseClient"]

EXIT_SECONDS = 2.0  # for all clients together, at the end of the process

_live: weakref.WeakSet[BaseClient] = weakref.WeakSet()


def _certifi() -> str | None:
    """The CA bundle of certifi, if it is installed; found without importing it."""
    spec = importlib.util.find_spec("certifi")
    if spec is None or spec.origin is None:
        return None
    bundle = Path(spec.origin).with_name("cacert.pem")
    return str(bundle) if bundle.is_file() else None


class BaseClient:
    """Events and state of a client. Not made directly: use Client or AsyncClient."""

    __slots__ = (
        "__weakref__",
        "_close_timeout",
        "_core",
        "_min_id_length",
        "_on_outcome",
        "_spooled",
        "_told",
    )

    def __init__(
        self,
        options: dict[str, Any],
        default: Callable[[Any], Any] | None,
        *,
        defaults: Mapping[str, Any] | None,
        before_send: events.BeforeSend | None,
        close_timeout: float,
        blocks: bool,
    ) -> None:
        try:
            self._close_timeout = seconds(close_timeout)
        except (TypeError, ValueError):
            text = "close_timeout must be a number of seconds, 0 or more"
            raise ConfigError(text, code="config", field="close_timeout") from None
        given = {name: value for name, value in options.items() if value is not None}
        if "ca_file" not in given and "ca_pem" not in given:
            bundle = _certifi()
            if bundle is not None:
                given.setdefault("ca_fallback", bundle)
        self._on_outcome: Callable[[Outcome], object] | None = given.pop("on_outcome", None)
        if self._on_outcome is not None:
            if not callable(self._on_outcome):
                raise TypeError("on_outcome must be callable")
            given["outcomes"] = True
        prepare = events.preparer(defaults, before_send)
        self._core = _core.Client(given, default, blocks, prepare)
        if defaults:
            self._check(defaults)
        self._min_id_length = given.get("min_id_length")
        self._spooled = bool(given.get("spool"))
        self._told = 0
        _live.add(self)

    def _check(self, defaults: Mapping[str, Any]) -> None:
        """Refuse defaults that would make every event invalid."""
        try:
            self._core.encode_event({"event_type": "defaults", **defaults})
        except ValidationError as error:
            raise ConfigError(
                f"defaults.{error}", code="config", field=f"defaults.{error.field}"
            ) from None

    def track(self, event: Mapping[str, Any], /) -> None:
        """Check, freeze and queue one event. Never waits for the network.

        The event is checked and written at once: later changes to the mapping do not matter.
        `insert_id` (a random UUID) and `time` (now) are added where absent; nothing else is
        changed. Values arrive as given or are refused: str, int (64 bits), float, bool, None,
        list, tuple and dict with str keys, and subclasses of these by what they hold (IntEnum,
        OrderedDict, numpy.float64). Other types are refused, or handed to the client's
        `default` first.

        Args:
            event: Field names and values of the HTTP V2 API: "event_type", "user_id" or
                "device_id", "event_properties" and so on. Strings have at most 1,024
                characters, properties at most 40 layers (Amplitude HTTP V2 API docs, read
                2026-11-23).

        Raises:
            ValidationError: A rule was broken; `field` names the path. Nothing was queued.
            QueueFullError: There was no room, and the `on_queue_full` option makes none.
            PayloadTooLargeError: The event is larger than a request may be.
            ClosedError: The client was closed.
        """
        self._core.track(event)

    def track_many(self, events: Iterable[Mapping[str, Any]], /) -> int:
        """Check, freeze and queue the events of an iterable, in order.

        They are taken from it one by one and accepted in chunks of up to 64: with a durable spool
        a chunk is synced once. For an iterable that waits between its values use track(). When
        something fails, the events before it were accepted and none from it on: give the rest of a
        list again. An iterator may have been advanced by up to 63 events more where the queue
        was full; a bad event ends it at once.

        Args:
            events: Each as for track().

        Returns:
            How many were accepted; what before_send keeps back is not.

        Raises:
            ValidationError: One broke a rule; `index` is its number from 0, `field` the path.
            QueueFullError: There was no room for number `index`.
            PayloadTooLargeError: Number `index` is larger than a request may be.
            ClosedError: The client was closed.
        """
        return self._core.track_many(events)

    def identify(
        self,
        *,
        user_id: str | None = None,
        device_id: str | None = None,
        set: Mapping[str, Any] | None = None,  # noqa: A002 -- the API's word
        set_once: Mapping[str, Any] | None = None,
        add: Mapping[str, float] | None = None,
        append: Mapping[str, Any] | None = None,
        prepend: Mapping[str, Any] | None = None,
        unset: Iterable[str] = (),
        pre_insert: Mapping[str, Any] | None = None,
        post_insert: Mapping[str, Any] | None = None,
        remove: Mapping[str, Any] | None = None,
        clear_all: bool = False,
        groups: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        """Queue operations on the properties of a user.

        They travel as an event with an insert_id, so that a repeated request does not add twice.

        Args:
            user_id: Whose properties; or device_id.
            device_id: Whose properties; or user_id.
            set: Property to value.
            set_once: Property to value, where it has none yet.
            add: Property to number, added to what it has.
            append: Property to value or list, put behind its values.
            prepend: Property to value or list, put before its values.
            unset: Names of properties to remove.
            pre_insert: Like prepend, without those it has.
            post_insert: Like append, without those it has.
            remove: Property to value or list, taken out of its values.
            clear_all: Remove all properties.
            groups: Group type to value or list of values.
            **fields: Further fields of the event, such as time or app_version.

        Raises:
            ValidationError: A rule was broken; `field` names the path. Nothing was queued.
        """
        properties = events.operations(
            clear_all=clear_all, unset=unset, set=set, set_once=set_once, add=add,
            append=append, prepend=prepend, pre_insert=pre_insert, post_insert=post_insert,
            remove=remove,
        )  # fmt: skip
        fields = {"user_id": user_id, "device_id": device_id, "groups": groups, **fields}
        self._core.track(events.identify(fields, properties))

    def group_identify(
        self,
        group_type: str,
        group_value: str | list[str],
        *,
        user_id: str | None = None,
        device_id: str | None = None,
        set: Mapping[str, Any] | None = None,  # noqa: A002 -- the API's word
        set_once: Mapping[str, Any] | None = None,
        add: Mapping[str, float] | None = None,
        append: Mapping[str, Any] | None = None,
        prepend: Mapping[str, Any] | None = None,
        unset: Iterable[str] = (),
        pre_insert: Mapping[str, Any] | None = None,
        post_insert: Mapping[str, Any] | None = None,
        remove: Mapping[str, Any] | None = None,
        clear_all: bool = False,
        **fields: Any,
    ) -> None:
        """Queue operations on the properties of a group.

        Args:
            group_type: Type of the group, such as "company".
            group_value: Its name, or names.
            user_id: Optional.
            device_id: Optional.
            set: Property to value; the other operations as with identify().
            set_once: See identify().
            add: See identify().
            append: See identify().
            prepend: See identify().
            unset: See identify().
            pre_insert: See identify().
            post_insert: See identify().
            remove: See identify().
            clear_all: See identify().
            **fields: Further fields of the event, such as time.

        Raises:
            ValidationError: A rule was broken; `field` names the path. Nothing was queued.
        """
        properties = events.operations(
            clear_all=clear_all, unset=unset, set=set, set_once=set_once, add=add,
            append=append, prepend=prepend, pre_insert=pre_insert, post_insert=post_insert,
            remove=remove,
        )  # fmt: skip
        fields = {"user_id": user_id, "device_id": device_id, **fields}
        self._core.track(events.group_identify(group_type, group_value, fields, properties))

    def revenue(
        self,
        *,
        user_id: str | None = None,
        device_id: str | None = None,
        price: float | None = None,
        quantity: int | None = None,
        revenue: float | None = None,
        product_id: str | None = None,
        revenue_type: str | None = None,
        currency: str | None = None,
        event_type: str = "revenue_amount",
        event_properties: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        """Queue an event that brings money.

        Args:
            user_id: Who paid; or device_id.
            device_id: Who paid; or user_id.
            price: Price of one item; negative for a refund.
            quantity: Number of items, 1 where absent.
            revenue: price times quantity, where there is no price; negative for a refund.
            product_id: What was bought.
            revenue_type: Such as "purchase" or "refund".
            currency: Three capital letters (ISO 4217).
            event_type: Name of the event.
            event_properties: Further properties.
            **fields: Further fields of the event, such as time or insert_id.

        Raises:
            ValidationError: A rule was broken; `field` names the path. Nothing was queued.
        """
        fields = {
            "user_id": user_id,
            "device_id": device_id,
            "price": price,
            "quantity": quantity,
            "revenue": revenue,
            "product_id": product_id,
            "revenue_type": revenue_type,
            "currency": currency,
            "event_properties": event_properties,
            **fields,
        }
        self._core.track(events.revenue(event_type, fields))

    def _identification(self, identifications: events.Identifications) -> dict[str, Any]:
        """The arguments of a call of the Identify APIs."""
        if not isinstance(identifications, Mapping | str):
            identifications = list(identifications)
        return {"identification": identifications, "min_id_length": self._min_id_length}

    def stats(self) -> Stats:
        """Where the events are: accepted = stored + rejected + ... + waiting, always."""
        return Stats(*self._core.stats())

    def resend_uncertain(self) -> int:
        """Send the uncertain events that the spool keeps again.

        The server may have stored them, so long ago that it may count them twice: only you can
        say whether that is better than to miss some.

        Returns:
            How many events wait again because of it. Without a spool none are kept.
        """
        return self._core.resend_uncertain()

    def outcomes(self) -> Iterator[Outcome]:
        """Take how events ended, oldest first; works after close() as well.

        Only with the option outcomes, or with on_outcome. The newest 100,000 are kept;
        stats().outcomes_missed counts those that were not taken in time.
        """
        while (outcome := self._core.outcome()) is not None:
            yield Outcome(*outcome)

    def poll(self) -> int:
        """Call on_outcome for each event that has ended; how many there were.

        flush(), drain() and close() do it too. It never runs in a thread of the client's, so
        that between these calls nobody is called.
        """
        if self._on_outcome is None:
            return 0
        count = 0
        for outcome in self.outcomes():
            count += 1
            self._on_outcome(outcome)
        return count

    def rejected(self) -> Iterator[Rejection]:
        """Take what the server refused for good, oldest first; works after close() as well.

        The newest 1,000 are kept, up to 4 MB; stats() counts them all, and in
        rejections_missed those that were not taken in time.
        """
        while (rejection := self._core.rejection()) is not None:
            yield Rejection(*rejection)

    def _tell(self) -> Stats:
        """The numbers; what in them is a mistake of the program's goes to the log, once."""
        self.poll()
        stats = self.stats()
        if stats.dup_insert_id > self._told:
            import logging

            logging.getLogger("tidewheel").warning(
                "%d events had the insert_id of another event: the server keeps only the first",
                stats.dup_insert_id - self._told,
            )
            self._told = stats.dup_insert_id
        return stats

    def _report(self) -> Report:
        """What became of all events so far."""
        stats = self._tell()
        return Report(*stats[:7], stats.recovered, stats.lost, stats.merged)

    def _warn(self, report: Report) -> None:
        """At the end of a `with`: says what is lost with it. A spool loses nothing."""
        if not report.complete and not self._spooled:
            warnings.warn(
                f"{report.expired} events were not sent, {report.uncertain} not confirmed",
                ResourceWarning,
                stacklevel=3,
            )

    def estimate(self, endpoint: str, /, **arguments: Any) -> int:
        """What a call would cost of its budget, without making it; see Analytics.estimate.

        Args:
            endpoint: A name as for call().
            **arguments: Its arguments.

        Raises:
            ValidationError: As call() would.
            ValueError: Nobody can tell, as for a saved chart.
        """
        return self._core.estimate(endpoint, arguments, plain)

    def describe(self) -> dict[str, Any]:
        """What is configured, with the versions of the libraries; secrets are redacted."""
        described: dict[str, Any] = json.loads(self._core.describe())
        return described

    def _raw(
        self,
        endpoint: str,
        path: Iterable[str],
        query: Mapping[str, Any] | str | None,
        body: bytes | str | None,
        content_type: str | None,
        queue: _core.Queue | None,
    ) -> _core.Job:
        if isinstance(path, str):
            raise TypeError("path must be a list of values, not one str")
        if query is not None and not isinstance(query, str):
            query = query_text(query)
        if body is not None and content_type is None:
            content_type = "application/json"
        data = body.encode() if isinstance(body, str) else body
        return self._core.raw(endpoint, tuple(path), query, content_type, data, queue)

    def __repr__(self) -> str:
        try:
            described = self.describe()
        except TidewheelError as error:
            return f"<{type(self).__name__} {error.code}>"
        key, host = described["options"]["api_key"], described["hosts"]["ingest"]
        return f"<{type(self).__name__} {key} {host}>"

    def __reduce__(self) -> str:
        raise TypeError(f"{type(self).__name__} cannot be copied or pickled: make another")


def query_text(query: Mapping[str, Any]) -> str:
    """A query as the API wants it: a list repeats its name, in order; True is "true"."""
    from urllib.parse import quote

    parts = []
    for name, value in query.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if not isinstance(one, str | int | float):
                raise TypeError(f"query parameter {name} must be str, a number, bool or a list")
            text = str(one).lower() if isinstance(one, bool) else str(one)
            parts.append(f"{quote(name, safe='')}={quote(text, safe='')}")
    return "&".join(parts)


def answered(reply: Reply) -> Response:
    """The answer of a raw call."""
    return Response(*reply) if reply is not None else Response(0, b"")


@atexit.register
def _close_all() -> None:
    """Send what clients that were never closed still hold, for a bounded time."""
    end = time.monotonic() + EXIT_SECONDS
    clients = list(_live)
    for client in clients:
        try:
            left = max(0.0, end - time.monotonic()) if client._core.stats()[6] else 0.0
            if not client._core.close(left):
                import logging

                stats = client.stats()
                logging.getLogger("tidewheel").warning(
                    "%d events were not confirmed when the process ended; close the client",
                    stats.uncertain + stats.expired,
                )
        except TidewheelError:  # a queue that cannot be asked any more
            pass
    _tell_all(clients)  # now that all is sent: this calls the program


def _tell_all(clients: Iterable[BaseClient]) -> None:
    """Call on_outcome for every event, whatever the calls before it raised; that comes last."""
    raised: BaseException | None = None
    for client in clients:
        tell = client._on_outcome
        if tell is None:
            continue
        with contextlib.suppress(TidewheelError):
            for outcome in client.outcomes():
                try:
                    tell(outcome)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:  # SystemExit, too: the process is ending
                    raised = raised or error
    if raised is not None:
        raise raised  # Python says what it ignored at its end


def _watch_multiprocessing() -> None:
    """A worker of multiprocessing ends without what atexit runs, but for its own finalizers."""
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return
    # A worker forgets all finalizers when it begins, and then calls what is registered here.
    util.register_after_fork(_close_all, _finalize)
    if sys.modules["multiprocessing.process"].parent_process() is not None:
        _finalize(_close_all)


def _finalize(close: Callable[[], None]) -> None:
    sys.modules["multiprocessing.util"].Finalize(None, close, exitpriority=0)


def _in_child() -> None:
    """What the parent told of is not the child's; the core sees to all the rest."""
    for client in list(_live):
        client._told = 0
    _watch_multiprocessing()


os.register_at_fork(after_in_child=_in_child)
_watch_multiprocessing()
