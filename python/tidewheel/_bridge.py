# SPDX-License-Identifier: MIT
"""Between the core's completion queue and one asyncio event loop."""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections.abc import Callable, Hashable

from . import _core

__all__ = ["Bridge"]


class Bridge:
    """One completion queue for one event loop, drained when its descriptor is readable.

    The core's thread never touches Python: it makes the descriptor readable, the loop calls
    drain(), and drain() wakes those who wait for the jobs that have news. Checking a job and
    beginning to wait for it happen without an await between, so no news is missed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.queue = _core.Queue()
        self._waiters: dict[Hashable, set[asyncio.Future[None]]] = {}
        self._watcher: _Watcher | None = None
        try:
            loop.add_reader(self.queue.fileno(), self._drain)
        except NotImplementedError:
            self._watcher = _Watcher(loop, self.queue.fileno(), self._drain)

    def _drain(self) -> None:
        for job in self.queue.drain():
            for waiter in self._waiters.get(job, ()):
                if not waiter.done():
                    waiter.set_result(None)

    async def news(self, job: Hashable, timeout: float | None = None) -> bool:
        """Wait until a job has news.

        Args:
            job: The core's job object.
            timeout: Seconds, None for no limit.

        Returns:
            False when the time was up.
        """
        waiter = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(job, set())
        waiters.add(waiter)
        try:
            if timeout is None:
                await waiter
                return True
            done, _ = await asyncio.wait([waiter], timeout=timeout)
            return bool(done)
        finally:
            waiters.discard(waiter)
            if not waiters:
                self._waiters.pop(job, None)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop watching and wake all who wait: their jobs have ended with the client."""
        if self._watcher is not None:
            self._watcher.close()
        elif not loop.is_closed():
            loop.remove_reader(self.queue.fileno())
        for waiters in self._waiters.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)


class _Watcher:
    """A thread that watches a descriptor for a loop that cannot."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, descriptor: int, call: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._descriptor = descriptor
        self._call = call
        self._closed = False
        self._looked = threading.Event()
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="tidewheel-watcher", daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        try:
            self._call()
        finally:
            self._looked.set()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.register(self._stop_read, select.POLLIN)
        while not any(ready == self._stop_read for ready, _ in poll.poll()):
            self._looked.clear()
            if self._closed:
                return
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:  # the loop was closed
                return
            self._looked.wait()

    def close(self) -> None:
        self._closed = True
        self._looked.set()
        os.write(self._stop_write, b"x")
        self._thread.join()
        os.close(self._stop_read)
        os.close(self._stop_write)
