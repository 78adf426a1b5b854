# SPDX-License-Identifier: MIT
"""Handles on work that goes on in the background, with and without an event loop."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from . import _core
from .results import Progress

if TYPE_CHECKING:
    from ._bridge import Bridge

__all__ = [
    "AsyncCall",
    "AsyncHandle",
    "AsyncJob",
    "AsyncStream",
    "Call",
    "Handle",
    "Job",
    "Stream",
]

T = TypeVar("T")
AnyJob = _core.Job | _core.Lines | _core.Records
Reply = tuple[int, bytes] | None


def seconds(timeout: float) -> float:
    """The time-out, which must be one."""
    if math.isnan(timeout) or timeout < 0:
        raise ValueError("timeout was negative or not a number")
    return timeout


class _Base:
    """What the handles of both kinds of client have in common."""

    __slots__ = ("_job",)
    _job: AnyJob

    def __init__(self, job: AnyJob) -> None:
        self._job = job

    @property
    def done(self) -> bool:
        """Whether the work has ended, well or not."""
        return self._job.done

    def cancel(self) -> None:
        """Ask it to stop. Never waits; what is done stays done."""
        self._job.cancel()

    def progress(self) -> Progress:
        """How far it is."""
        return Progress(*self._job.progress())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._job.progress()[0]}>"

    def __reduce__(self) -> str:
        raise TypeError(f"{type(self).__name__} cannot be copied or pickled")


class Handle(_Base):
    """Work that can be waited for."""

    __slots__ = ()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is done, or for a stream until its next values are there.

        Args:
            timeout: Seconds, None for no limit. Ctrl-C ends the wait at once.

        Returns:
            False when the time was up.
        """
        return self._job.wait(timeout)

    def fileno(self) -> int:
        """A descriptor that is readable while there is news, for select() and the like."""
        return self._job.fileno()


class Job(Handle, Generic[T]):
    """A call that has one answer."""

    __slots__ = ("_convert",)
    _job: _core.Job

    def __init__(self, job: _core.Job, convert: Callable[[Any], T]) -> None:
        super().__init__(job)
        self._convert = convert

    def result(self) -> T:
        """Wait for the answer.

        Raises:
            TidewheelError: The call failed.
        """
        return self._convert(self._job.reply())


class Call(Job[T]):
    """A call with arguments: what it answered has one form whatever shape the server chose."""

    __slots__ = ()

    def result(self) -> T:
        """Wait for the answer.

        Raises:
            TidewheelError: The call failed.
        """
        return self._convert(self._job.answer())


class AsyncHandle(_Base):
    """Work that can be awaited in the event loop it was started in."""

    __slots__ = ("_bridge",)

    def __init__(self, job: AnyJob, bridge: Bridge) -> None:
        super().__init__(job)
        self._bridge = bridge

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is done, or for a stream until its next values are there.

        Args:
            timeout: Seconds, None for no limit. The work goes on when the time is up.

        Returns:
            False when the time was up.
        """
        limit = None if timeout is None else seconds(timeout)
        return self._job.done or await self._bridge.news(self._job, limit)


class AsyncJob(AsyncHandle, Generic[T]):
    """A call that has one answer: await it. Cancelling the task cancels the call."""

    __slots__ = ("_convert",)
    _job: _core.Job

    def __init__(self, job: _core.Job, bridge: Bridge, convert: Callable[[Any], T]) -> None:
        super().__init__(job, bridge)
        self._convert = convert

    def __await__(self) -> Generator[Any, None, T]:
        return self.result().__await__()

    async def result(self) -> T:
        """Wait for the answer; the same as awaiting the job itself.

        Raises:
            TidewheelError: The call failed.
        """
        try:
            while not self._job.done:
                await self._bridge.news(self._job)
        except BaseException:
            self._job.cancel()
            raise
        return self._convert(self._read())

    def _read(self) -> Any:
        return self._job.reply()


class AsyncCall(AsyncJob[T]):
    """A call with arguments: what it answered has one form whatever shape the server chose."""

    __slots__ = ()

    def _read(self) -> Any:
        return self._job.answer()


class Stream(Handle):
    """Values that arrive one after the other. As a context manager it ends when left."""

    __slots__ = ()
    _job: _core.Lines | _core.Records

    def __iter__(self) -> Iterator[Any]:
        return self._job

    def __next__(self) -> Any:
        return next(self._job)

    def batches(self) -> Iterator[list[Any]]:
        """The values as lists of many, for those who handle many at a time."""
        while batch := self._job.batch(True):
            yield batch

    def close(self) -> None:
        """End it and free its connection. May be called again."""
        self._job.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncStream(AsyncHandle):
    """Values that arrive one after the other, in the event loop: `async for`, `async with`."""

    __slots__ = ("_values",)
    _job: _core.Lines | _core.Records

    def __init__(self, job: _core.Lines | _core.Records, bridge: Bridge) -> None:
        super().__init__(job, bridge)
        self._values: Iterator[Any] = iter(())

    async def _batch(self) -> list[Any]:
        try:
            while (batch := self._job.batch(False)) is None:
                await self._bridge.news(self._job)
        except BaseException:
            self._job.cancel()
            raise
        values: list[Any] = batch
        return values

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        for value in self._values:
            return value
        self._values = iter(await self._batch())
        for value in self._values:
            return value
        raise StopAsyncIteration

    async def batches(self) -> AsyncIterator[list[Any]]:
        """The values as lists of many, for those who handle many at a time."""
        while batch := await self._batch():
            yield batch

    async def aclose(self) -> None:
        """End it and free its connection. May be called again."""
        self._values = iter(())
        self._job.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
