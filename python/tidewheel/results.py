# SPDX-License-Identifier: MIT
"""What calls give back: counts, progress, plain answers. All of it immutable."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import _core

__all__ = ["Progress", "Rejection", "Report", "Response", "Stats"]


class Stats(NamedTuple):
    """Where the events of a client are.

    Always: accepted = stored + rejected + uncertain + expired + dropped + waiting.

    Attributes:
        accepted: Events track() said yes to.
        stored: Confirmed by the server.
        rejected: Refused by the server for good.
        uncertain: Sent, never confirmed, given up by close.
        expired: Given up unsent, by close or by the client's options.
        dropped: Thrown out because the queue was full and on_queue_full is "drop_oldest".
        waiting: Queued or on the wire.
        waiting_bytes: Size of the waiting events as JSON.
        refused: Not accepted, for the queue was full or the event invalid; outside the sum.
        requests: Ingestion requests made.
        retries: Those that repeated another.
        paused: Whether sending waits because the server refused the key, the address or the
            network; the events are kept, and now and then it is tried again.
        dup_insert_id: Accepted with an insert_id that another event of the same device (or
            user) had shortly before: the server keeps only the first. Logged by flush() and
            close().
    """

    accepted: int
    stored: int
    rejected: int
    uncertain: int
    expired: int
    dropped: int
    waiting: int
    waiting_bytes: int
    refused: int
    requests: int
    retries: int
    paused: bool
    dup_insert_id: int


class Rejection(NamedTuple):
    """An event the server refused for good.

    Attributes:
        event: The event as it was sent.
        reason: What the server wrote, "" where it wrote nothing.
        field: The field it named, None where it named none.
        http_status: Status of the refusal.
    """

    event: dict[str, Any]
    reason: str
    field: str | None
    http_status: int


class Report(NamedTuple):
    """What became of all events that were accepted before a flush began, or before the close.

    Always: accepted = stored + rejected + uncertain + expired + dropped + waiting. The numbers
    count from the client's first event, whether or not earlier reports counted them too.

    Attributes:
        accepted: Events track() said yes to.
        stored: Confirmed by the server.
        rejected: Refused by the server for good.
        uncertain: Sent, never confirmed, given up.
        expired: Given up unsent.
        dropped: Thrown out of a full queue.
        waiting: Still queued or on the wire.
    """

    accepted: int
    stored: int
    rejected: int
    uncertain: int
    expired: int
    dropped: int
    waiting: int

    @property
    def complete(self) -> bool:
        """Whether nothing waits and nothing was given up."""
        return not (self.waiting or self.uncertain or self.expired)


class Progress(NamedTuple):
    """How far a job is.

    Attributes:
        phase: "waiting", "requested", "polling", "streaming", "done" or "closed".
        requests: HTTP requests made so far.
        bytes_received: Body bytes off the wire so far.
        request_id: The server's id of the job, "" where there is none (yet).
    """

    phase: str
    requests: int
    bytes_received: int
    request_id: str


class Response(NamedTuple):
    """The answer of a raw call.

    Attributes:
        status: HTTP status.
        body: The decoded body.
    """

    status: int
    body: bytes

    def json(self) -> Any:
        """Read the body as JSON, strictly; integers of any size stay exact.

        Raises:
            ProtocolError: The body is not JSON.
        """
        return _core.loads(self.body)
