# SPDX-License-Identifier: MIT
"""What calls give back: counts, progress, plain answers. All of it immutable."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from . import _core
from .errors import TidewheelError

__all__ = ["Entries", "Outcome", "Progress", "Rejection", "Report", "Response", "Stats"]

T_co = TypeVar("T_co", covariant=True)


class Entries(tuple[T_co, ...]):
    """What was listed or found: an immutable sequence of entries, which are named tuples."""

    __slots__ = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """Each entry as a dict of its fields, without the document it was read from (`data`)."""
        made = []
        for entry in self:
            row: dict[str, Any] = entry._asdict()  # type: ignore[attr-defined]
            row.pop("data", None)
            made.append(row)
        return made


class Stats(NamedTuple):
    """Where the events of a client are.

    Always: accepted + recovered = stored + rejected + uncertain + expired + dropped + lost +
    merged + waiting. Without a spool recovered and lost, and all that begins with spool_, are 0.

    Attributes:
        accepted: Events track() said yes to.
        stored: Confirmed by the server.
        rejected: Refused by the server for good.
        uncertain: Sent, never confirmed, given up by close or because it was so long ago that
            the server may count a repetition twice. A spool keeps these for resend_uncertain().
        expired: Given up unsent, by close or by max_age.
        dropped: Thrown out because the queue was full and on_queue_full is "drop_oldest".
        waiting: Queued, spooled or on the wire.
        waiting_bytes: Size of the waiting events as JSON.
        refused: Not accepted, for the queue was full or the event invalid; outside the sum.
        requests: Ingestion requests made.
        retries: Those that repeated another.
        paused: Whether sending waits because the server refused the key, the address or the
            network; the events are kept, and now and then it is tried again.
        filtered: Kept back by before_send; outside the sum.
        dup_insert_id: Accepted with an insert_id that another event of the same device (or
            user) had shortly before: the server keeps only the first. Logged by flush() and
            close().
        outcomes_missed: With outcomes=True: ends of events that nobody took in time.
        truncated: Texts cut because of on_long_string="truncate", in accepted events.
        replaced: Texts mended because of on_invalid_utf8="replace".
        nulled: NaN and infinities made null because of on_nan="null".
        stringified: Integers made text because of big_ints="string".
        recovered: Accepted by processes that ended, found in the spool so far.
        lost: Could not be read back from the spool, for its files were damaged or removed.
        spool_bytes: Size of the files with events that this client holds.
        spool_unread_bytes: Of these the files of processes that ended, not read yet.
        spool_uncertain_bytes: Of these the full files that nothing but uncertain events keeps,
            however few: up to 8 MiB for one. resend_uncertain() frees them, and so does
            tidewheel.spool.purge once the process has ended.
        spool_lanes: Processes that ended whose events were taken over.
        spool_torn: Files whose last bytes were no event, as after a power cut.
        spool_unreadable: Files left as they are: the disk failed, or a later version wrote them;
            and such as somebody removed.
        spool_quarantined: Damaged files that were set aside as *.bad, for a person to look at.
        spool_foreign: Names in the folder that are not tidewheel's, or of another project.
        merged: With coalesce_identify=True: not sent, for a later event of the user carries the
            same operations.
        rejections_missed: Rejected events that made room for newer ones before rejected() took
            them; the newest 1,000 are kept, up to 4 MB.
        held: Of the waiting: those of users and devices that the server throttles, until these
            may go on. Others do not wait for them.
        oldest_age: Seconds since the oldest waiting event was accepted; 0.0 where none waits.
            What ended processes left counts once it is read. Without a spool and max_age an event
            counts as old as the first one that went into the same request.
        clock_suspect: Accepted with the time of a clock that stood before 2010: probably it was
            not set yet.
        last_error: Why nothing goes out: the error of the latest ingestion request, None where
            that went well. It is not raised: the events are kept and sent again.
        last_error_time: When that was, in seconds since 1970.
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
    filtered: int
    dup_insert_id: int
    outcomes_missed: int = 0
    truncated: int = 0
    replaced: int = 0
    nulled: int = 0
    stringified: int = 0
    recovered: int = 0
    lost: int = 0
    spool_bytes: int = 0
    spool_unread_bytes: int = 0
    spool_uncertain_bytes: int = 0
    spool_lanes: int = 0
    spool_torn: int = 0
    spool_unreadable: int = 0
    spool_quarantined: int = 0
    spool_foreign: int = 0
    merged: int = 0
    rejections_missed: int = 0
    held: int = 0
    oldest_age: float = 0.0
    clock_suspect: int = 0
    last_error: TidewheelError | None = None
    last_error_time: float | None = None


class Rejection(NamedTuple):
    """An event the server refused for good.

    Attributes:
        event: The event as it was sent.
        reason: What the server wrote, "" where it wrote nothing.
        field: The field it named, None where it named none.
        http_status: Status of the refusal.
        raw: The JSON of the event, byte for byte as it was sent.
    """

    event: dict[str, Any]
    reason: str
    field: str | None
    http_status: int
    raw: bytes = b""


class Outcome(NamedTuple):
    """How one event ended.

    Attributes:
        insert_id: The event's insert_id, given or added by track().
        state: "stored", "rejected", "uncertain", "expired", "dropped" or "merged"; see Stats.
        reason: What the server wrote, or why there was no other end; of a merged event the
            insert_id of the one that carries it; "" where there is nothing to say.
        http_status: Status of the answer that ended it, 0 where no answer did.
    """

    insert_id: str
    state: str
    reason: str
    http_status: int


class Report(NamedTuple):
    """What became of all events that were accepted before a flush began, or before the close.

    Always: accepted + recovered = stored + rejected + uncertain + expired + dropped + lost +
    merged + waiting. The numbers count from the client's first event, whether or not earlier
    reports counted them too. A flush counts what this client accepted, a close all that it had.

    Attributes:
        accepted: Events track() said yes to.
        stored: Confirmed by the server.
        rejected: Refused by the server for good.
        uncertain: Sent, never confirmed, given up.
        expired: Given up unsent.
        dropped: Thrown out of a full queue.
        waiting: Still queued or on the wire; with a spool kept in it after a close.
        recovered: Accepted by processes that ended, found in the spool.
        lost: Could not be read back from the spool.
        merged: Not sent, for a later event carries the same operations.
    """

    accepted: int
    stored: int
    rejected: int
    uncertain: int
    expired: int
    dropped: int
    waiting: int
    recovered: int = 0
    lost: int = 0
    merged: int = 0

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
