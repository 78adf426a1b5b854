# SPDX-License-Identifier: MIT
"""AsyncClient: one Amplitude project, for programs with an asyncio event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from . import _base, _core, export
from ._bridge import Bridge
from ._calls import identity, plain
from .analytics import AsyncAnalytics
from .async_taxonomy import AsyncTaxonomy
from .client import CLOSE_SECONDS, FLUSH_SECONDS
from .cohorts import AsyncCohorts
from .errors import ClosedError
from .events import BeforeSend, Identifications
from .jobs import AsyncCall, AsyncJob, seconds
from .mcp import AsyncMcp
from .profile import AsyncProfile
from .results import Outcome, Report, Response
from .users import AsyncUsers

__all__ = ["AsyncClient"]


class AsyncClient(_base.BaseClient):
    """The client of one Amplitude project, in asyncio.

    The same names and arguments as Client. track() and its kin are ordinary calls, for they
    never wait; a full queue with on_queue_full="block" raises QueueFullError here. Everything else
    is awaited or iterated with `async for`, in the loop it was started in; one client may serve
    several loops. No thread pool is used: the core makes a descriptor readable. A forked child may
    use the client in loops of its own; see Client.

    Args:
        api_key: The project's API key.
        secret_key: Its secret key, for everything but events.
        region: "us" or "eu".
        base_url: Use this address for all hosts, such as an emulator's.
        default: Called with each value of an event that JSON does not have; see Client.
        defaults: Fields for events that do not have them; see Client.
        before_send: Called with each event before it is accepted; see Client.
        on_outcome: Called with an Outcome for each event that ended; from flush(), drain(),
            close() and poll(), in the thread that calls these.
        close_timeout: Seconds close() and the end of a `with` go on sending at most.
        **options: See tidewheel.options() for names, types and defaults.

    Raises:
        ConfigError: An option is unknown, missing, or has no valid value.
    """

    __slots__ = ("_bridges",)

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
            blocks=False,
        )
        self._bridges: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Bridge] = (
            weakref.WeakKeyDictionary()
        )

    def _bridge(self) -> Bridge:
        loop = asyncio.get_running_loop()
        bridge = self._bridges.get(loop)
        if bridge is None:
            bridge = self._bridges[loop] = Bridge(loop)
        return bridge

    @property
    def analytics(self) -> AsyncAnalytics:
        """Ask for users, segmentation, funnels, retention. Only where a loop is running."""
        return AsyncAnalytics(self._core, self._bridge())

    @property
    def cohorts(self) -> AsyncCohorts:
        """List, download, upload and update cohorts. Only where a loop is running."""
        return AsyncCohorts(self._core, self._bridge())

    @property
    def taxonomy(self) -> AsyncTaxonomy:
        """The tracking plan. Only where a loop is running."""
        return AsyncTaxonomy(self._core, self._bridge())

    @property
    def mcp(self) -> AsyncMcp:
        """The tools of the hosted MCP server. Only where a loop is running."""
        return AsyncMcp(self._core, self._bridge())

    @property
    def profile(self) -> AsyncProfile:
        """Profiles of users. Only where a loop is running."""
        return AsyncProfile(self._core, self._bridge())

    @property
    def users(self) -> AsyncUsers:
        """Look users up. Only where a loop is running."""
        return AsyncUsers(self._core, self._bridge())

    async def flush(self, timeout: float = FLUSH_SECONDS) -> Report:
        """Send everything accepted so far and wait for what becomes of it; see Client.flush."""
        return await self._flush(self._core.flush, timeout)

    async def drain(self, timeout: float = FLUSH_SECONDS) -> Report:
        """As flush(), and for all that the spool holds of processes that ended."""
        return await self._flush(self._core.drain, timeout)

    async def _flush(
        self, start: Callable[[_core.Queue | None], _core.Job], timeout: float
    ) -> Report:
        end = time.monotonic() + seconds(timeout)
        job = start(self._bridge().queue)
        await self._wait(job, end)
        try:
            if job.done:
                job.reply()
        finally:
            self._tell()
        return Report(*job.report())

    async def _wait(self, job: _core.Job, end: float) -> None:
        bridge = self._bridge()
        while not job.done and await bridge.news(job, max(0.0, end - time.monotonic())):
            pass

    def export(
        self,
        start: export.Hour,
        end: export.Hour,
        *,
        fields: Iterable[str] | None = None,
        raw: bool = False,
    ) -> export.AsyncExport:
        """Read the events uploaded in a window of hours, with `async for`; see Client.export."""
        bridge = self._bridge()
        lines = export.start(self._core, start, end, fields, raw, bridge.queue)
        return export.AsyncExport(lines, bridge)

    def call(self, endpoint: str, /, **arguments: Any) -> AsyncJob[Any]:
        """Call an endpoint by its name with arguments by name; see Client.call."""
        bridge = self._bridge()
        core = self._core.call(endpoint, arguments, plain, bridge.queue)
        return AsyncCall(core, bridge, identity)

    def raw_identify(self, identifications: Identifications) -> AsyncJob[str]:
        """Change user properties by the Identify API itself; see Client.raw_identify."""
        return self.call("ingestion.identify", **self._identification(identifications))

    def raw_group_identify(self, identifications: Identifications) -> AsyncJob[str]:
        """Change group properties by the Group Identify API; see Client.raw_group_identify."""
        return self.call("ingestion.groupidentify", **self._identification(identifications))

    def raw(
        self,
        endpoint: str,
        *,
        path: Iterable[str] = (),
        query: Mapping[str, Any] | str | None = None,
        body: bytes | str | None = None,
        content_type: str | None = None,
    ) -> AsyncJob[Response]:
        """Call an endpoint by its name; see Client.raw."""
        bridge = self._bridge()
        job = self._raw(endpoint, path, query, body, content_type, bridge.queue)
        return AsyncJob(job, bridge, _base.answered)

    async def aclose(self, timeout: float | None = None) -> Report:
        """Send what is queued, take no more events, end all jobs; see Client.close."""
        limit = self._close_timeout if timeout is None else seconds(timeout)
        if limit > 0 and self.stats().waiting:
            end = time.monotonic() + limit
            with contextlib.suppress(ClosedError):  # the second time
                await self._wait(self._core.close_start(self._bridge().queue), end)
        # Nothing is left to wait for but the core's thread, which ends at once.
        self._core.close(0)
        for loop, bridge in list(self._bridges.items()):
            if loop is asyncio.get_running_loop():
                bridge.close(loop)
                del self._bridges[loop]
        return self._report()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._warn(await self.aclose())
