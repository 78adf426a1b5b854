# SPDX-License-Identifier: MIT
"""The exceptions: what happened, apart from what to do about it."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "ApiError",
    "AuthError",
    "CanceledError",
    "ClosedError",
    "ConfigError",
    "DeadlineError",
    "ForkedError",
    "JobError",
    "PayloadTooLargeError",
    "ProtocolError",
    "QueueFullError",
    "RateLimitError",
    "RpcError",
    "ServerError",
    "TidewheelError",
    "TransportError",
    "ValidationError",
]


class TidewheelError(Exception):
    """Base of everything tidewheel raises for what happens at run time.

    The text is one line without secrets. Misuse (a wrong argument type) raises TypeError or
    ValueError instead, as everywhere in Python.

    Attributes:
        code: The core's name of the error, such as "rate_limited".
        http_status: Status of the answer, None where there was none.
        retry_after: Seconds the server, or a local budget, asks to wait; None where unknown.
        retriable: Whether the same call may succeed later.
        stored: Whether the server stored what was sent: "no", "maybe" or "yes".
        index: Number of the offending event or line, from 0; None where there is none.
        field: Path of the offending value ("event_properties.cart[3].price"), or None.
        rpc_code: Code of a JSON-RPC error (RpcError), else None.
        resource_metadata: Of an AuthError of the MCP server: the URL of the document that says
            where a user gets a token (RFC 9728), as the server gave it; else None.
    """

    code: str
    http_status: int | None
    retry_after: float | None
    retriable: bool
    stored: Literal["no", "maybe", "yes"]
    index: int | None
    field: str | None
    rpc_code: int | None
    resource_metadata: str | None

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "",
        http_status: int | None = None,
        retry_after: float | None = None,
        retriable: bool = False,
        stored: Literal["no", "maybe", "yes"] = "no",
        index: int | None = None,
        field: str | None = None,
        rpc_code: int | None = None,
        resource_metadata: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status
        self.retry_after = retry_after
        self.retriable = retriable
        self.stored = stored
        self.index = index
        self.field = field
        self.rpc_code = rpc_code
        self.resource_metadata = resource_metadata


class ConfigError(TidewheelError):
    """An option is unknown, missing, or has no valid value."""


class ValidationError(TidewheelError, ValueError):
    """A value breaks a rule of the API; `field` names its path. Nothing was sent."""


class AuthError(TidewheelError):
    """401 or 403: the key pair or token was refused, or a firewall in front of the API answered."""


class RateLimitError(TidewheelError):
    """429: a limit of the API was hit; see `retry_after`."""


class PayloadTooLargeError(TidewheelError):
    """413, or larger than a documented limit before anything was sent."""


class ApiError(TidewheelError):
    """Any other status that is not success."""


class ServerError(ApiError):
    """5xx: the server failed."""


class TransportError(TidewheelError):
    """No connection, or it broke; `stored` tells whether the request may have arrived."""


class DeadlineError(TidewheelError, TimeoutError):
    """The deadline of a call or job passed."""


class ProtocolError(TidewheelError):
    """An answer that is not the documented one, or a damaged archive."""


class RpcError(TidewheelError):
    """A JSON-RPC error: the MCP server refused the request; see `rpc_code`."""


class QueueFullError(TidewheelError):
    """The event queue is at its limit: the event was not accepted."""


class JobError(TidewheelError):
    """A job failed on the server's side."""


class CanceledError(TidewheelError):
    """The job was cancelled. A cancelled asyncio task sees asyncio's own CancelledError."""


class ClosedError(TidewheelError):
    """The client was closed."""


class ForkedError(TidewheelError):
    """The job, export or event was begun in the parent process; begin one in this process."""
