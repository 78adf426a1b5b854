# SPDX-License-Identifier: MIT
"""A client for the Amplitude API, unofficial.

Example:
    >>> import tidewheel
    >>> with tidewheel.Client("api-key", "secret-key") as client:
    ...     client.track({"event_type": "Signed up", "user_id": "user-1"})
    ...     for event in client.export("2026-01-01", "2026-01-31"):
    ...         ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from . import _core
from . import errors as errors
from . import spool as spool
from ._core import __version__
from .analytics import Analytics, AsyncAnalytics
from .answers import (
    Answer,
    ChartAnswer,
    Funnel,
    FunnelAnswer,
    FunnelDays,
    FunnelStep,
    ListedEvent,
    LtvAnswer,
    LtvCohort,
    LtvPoint,
    LtvSeries,
    RetentionAnswer,
    RetentionCell,
    RetentionCohort,
    RetentionSeries,
    Series,
    SeriesAnswer,
    TimeBin,
)
from .client import Client
from .cohorts import (
    AsyncCohorts,
    AsyncDownload,
    Cohort,
    Cohorts,
    CohortUpdate,
    CohortUpload,
    Download,
)
from .errors import (
    ApiError,
    AuthError,
    CanceledError,
    ClosedError,
    ConfigError,
    DeadlineError,
    ForkedError,
    JobError,
    PayloadTooLargeError,
    ProtocolError,
    QueueFullError,
    RateLimitError,
    RpcError,
    ServerError,
    TidewheelError,
    TransportError,
    ValidationError,
)
from .export import AsyncExport, Export
from .jobs import AsyncJob
from .mcp import Mcp, Tool, ToolResult
from .profile import Profile, Propensity, Recommendation, UserProfile
from .questions import ANY_ACTIVE_EVENT, ANY_EVENT, NEW_USERS, Event, Segment
from .results import Entries, Outcome, Progress, Rejection, Report, Response, Stats
from .taxonomy import Taxonomy
from .tracking_plan import (
    Created,
    EventCategory,
    EventProperty,
    EventType,
    GroupProperty,
    PlanChange,
    PlanDiff,
    UserProperty,
)
from .users import Activity, ActivityPage, ActivityUser, Location, UserMatch, Users, UserSearch

if TYPE_CHECKING:
    from .async_client import AsyncClient as AsyncClient
    from .emulator import Emulator as Emulator

__all__ = [
    "ANY_ACTIVE_EVENT",
    "ANY_EVENT",
    "NEW_USERS",
    "Activity",
    "ActivityPage",
    "ActivityUser",
    "Analytics",
    "Answer",
    "ApiError",
    "AsyncAnalytics",
    "AsyncClient",
    "AsyncCohorts",
    "AsyncDownload",
    "AsyncExport",
    "AsyncJob",
    "AuthError",
    "CanceledError",
    "ChartAnswer",
    "Client",
    "ClosedError",
    "Cohort",
    "CohortUpdate",
    "CohortUpload",
    "Cohorts",
    "ConfigError",
    "Created",
    "DeadlineError",
    "Download",
    "Emulator",
    "Endpoint",
    "Entries",
    "Event",
    "EventCategory",
    "EventProperty",
    "EventType",
    "Export",
    "ForkedError",
    "Funnel",
    "FunnelAnswer",
    "FunnelDays",
    "FunnelStep",
    "GroupProperty",
    "JobError",
    "ListedEvent",
    "Location",
    "LtvAnswer",
    "LtvCohort",
    "LtvPoint",
    "LtvSeries",
    "Mcp",
    "Option",
    "Outcome",
    "PayloadTooLargeError",
    "PlanChange",
    "PlanDiff",
    "Profile",
    "Progress",
    "Propensity",
    "ProtocolError",
    "QueueFullError",
    "RateLimitError",
    "Recommendation",
    "Rejection",
    "Report",
    "Response",
    "RetentionAnswer",
    "RetentionCell",
    "RetentionCohort",
    "RetentionSeries",
    "RpcError",
    "Segment",
    "Series",
    "SeriesAnswer",
    "ServerError",
    "Stats",
    "Taxonomy",
    "TidewheelError",
    "TimeBin",
    "Tool",
    "ToolResult",
    "TransportError",
    "UserMatch",
    "UserProfile",
    "UserProperty",
    "UserSearch",
    "Users",
    "ValidationError",
    "__version__",
    "endpoints",
    "options",
]


class Option(NamedTuple):
    """An option of a client.

    Attributes:
        name: Its name as a keyword argument.
        type: "str", "secret", "bool", "int", "seconds" or "choice".
        default: As text, None where there is none.
        doc: What it does.
    """

    name: str
    type: str
    default: str | None
    doc: str


class Endpoint(NamedTuple):
    """An endpoint of the API as Client.raw takes it.

    Attributes:
        name: Its name here.
        area: Which part of the API it belongs to.
        method: HTTP method.
        path: Path template.
        access: "read" or "write".
    """

    name: str
    area: str
    method: str
    path: str
    access: str


def options() -> list[Option]:
    """All options of a client."""
    return [Option(*row) for row in _core.options()]


def endpoints() -> list[Endpoint]:
    """All endpoints of the API that are known here."""
    return [Endpoint(*row) for row in _core.endpoints()]


def __getattr__(name: str) -> Any:
    # asyncio takes longer to import than all the rest; the emulator is an extension of its own
    # with more libraries behind it.
    if name == "AsyncClient":
        from .async_client import AsyncClient

        return AsyncClient
    if name == "Emulator":
        from .emulator import Emulator

        return Emulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
