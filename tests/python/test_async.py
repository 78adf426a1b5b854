# SPDX-License-Identifier: MIT
"""The same in an event loop: nothing blocks it, cancelling a task cancels its work."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import tidewheel

from .conftest import (
    API_KEY,
    SECRET_KEY,
    Answer,
    Server,
    archive,
    json_answer,
    store_events,
)
from .test_cohorts import OWNER, USERS, script

WINDOW = ("20261101T00", "20261101T05")
Main = Callable[[], Coroutine[Any, Any, None]]


class WithoutReaders(asyncio.SelectorEventLoop):
    """A loop that cannot watch descriptors, as the proactor loop."""

    def add_reader(self, *args: Any) -> None:
        raise NotImplementedError


@pytest.fixture(params=[asyncio.SelectorEventLoop, WithoutReaders])
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    def run(main: Main) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(asyncio.wait_for(main(), 60))

    return run


def make(server: Server, **options: Any) -> tidewheel.AsyncClient:
    return tidewheel.AsyncClient(API_KEY, SECRET_KEY, base_url=server.url, **options)


def rows(count: int) -> list[dict[str, Any]]:
    return [{"n": n, "event_properties": {"p": "x" * 50}} for n in range(count)]


async def arrived(server: Server) -> None:
    assert await asyncio.to_thread(server.arrived.acquire, timeout=20)


def test_a_cohort_and_an_export_against_the_emulator(
    run: Callable[[Main], None], emulator: tidewheel.Emulator
) -> None:
    async def main() -> None:
        async with tidewheel.AsyncClient(
            emulator.api_key, emulator.secret_key, base_url=emulator.url, poll_first=0.01
        ) as client:
            for user in USERS:
                client.track({"event_type": "e", "user_id": user})
            client.identify(user_id=USERS[0], set={"tier": "gold"})
            assert (await client.flush()).stored == len(USERS) + 1
            uploaded = await client.cohorts.upload(
                name="Buyers", ids=USERS, app_id=emulator.app_id, owner=OWNER
            )
            assert uploaded.cohort_id is not None
            assert [one.id for one in await client.cohorts.list()] == [uploaded.cohort_id]
            job = client.cohorts.download(uploaded.cohort_id)
            assert not job.done
            assert sorted(await job.ids()) == USERS
            assert job.done
            both = await asyncio.gather(
                client.cohorts.download(uploaded.cohort_id, props=["tier"]),
                client.cohorts.download(uploaded.cohort_id).ids("amplitude_id"),
            )
            assert [row["tier"] for row in both[0] if row["user_id"] == USERS[0]] == ["gold"]
            assert sorted(row["amplitude_id"] for row in both[0]) == sorted(both[1])
            updated = await client.cohorts.update(
                uploaded.cohort_id, remove=USERS[1:], add=["nobody-1"]
            )
            assert updated.skipped_add == ("nobody-1",)
            assert [one async for one in client.cohorts.download(uploaded.cohort_id).ids()] == [
                USERS[0]
            ]
            now = dt.datetime.now(dt.UTC)
            hour = dt.timedelta(hours=1)
            users = {row["user_id"] async for row in client.export(now - hour, now + hour)}
            assert users == set(USERS)

    run(main)


def test_export_by_event_by_batch_and_by_bytes(run: Callable[[Main], None], server: Server) -> None:
    server.answer = lambda request: Answer(200, archive(rows(30_000)))

    async def main() -> None:
        async with make(server) as client:
            assert [row async for row in client.export(*WINDOW)] == rows(30_000)
            got = [batch async for batch in client.export(*WINDOW, fields=["n"]).batches()]
            assert len(got) > 1
            assert [row["n"] for batch in got for row in batch] == list(range(30_000))
            async with client.export(*WINDOW, raw=True) as export:
                async for line in export:
                    assert line.startswith(b'{"n": 0')
                    break
            assert [row async for row in export] == []

    run(main)


def test_the_loop_is_never_blocked(run: Callable[[Main], None], server: Server) -> None:
    server.gate.clear()
    server.answer = lambda request: json_answer({"cohorts": []})

    async def main() -> None:
        async with make(server) as client:
            listing = asyncio.ensure_future(client.cohorts.list().result())
            await arrived(server)
            job = client.export(*WINDOW)
            assert not await job.wait(0.01)
            await job.aclose()
            assert not listing.done()
            server.gate.set()
            assert await listing == []

    run(main)


def test_many_jobs_at_once(run: Callable[[Main], None], server: Server) -> None:
    server.answer = lambda request: json_answer({"cohorts": [{"id": "c", "name": "n"}]})

    async def main() -> None:
        async with make(server) as client:
            answers = await asyncio.gather(*(client.cohorts.list() for _ in range(50)))
            assert [one[0].id for one in answers] == ["c"] * 50

    run(main)


def test_a_cancelled_task_cancels_its_work(run: Callable[[Main], None], server: Server) -> None:
    server.gate.clear()

    async def main() -> None:
        async with make(server) as client:
            job = client.cohorts.list()
            export = client.export(*WINDOW)
            download = client.cohorts.download("c1")
            tasks = [
                asyncio.ensure_future(job.result()),
                asyncio.ensure_future(anext(export)),
                asyncio.ensure_future(download._all()),
            ]
            await asyncio.sleep(0)  # from here on each of them waits
            await arrived(server)
            for task in tasks:
                task.cancel()
            assert [type(end) for end in await asyncio.gather(*tasks, return_exceptions=True)] == [
                asyncio.CancelledError
            ] * 3
            for handle in (job, export, download):
                assert await handle.wait(20)
            with pytest.raises(tidewheel.CanceledError):
                await job
            with pytest.raises(tidewheel.CanceledError):
                await anext(export)
            server.gate.set()

    run(main)


def test_errors_arrive_where_they_are_awaited(run: Callable[[Main], None], server: Server) -> None:
    server.answer = lambda request: json_answer({"error": {"message": "no"}}, 403)

    async def main() -> None:
        async with make(server) as client:
            with pytest.raises(tidewheel.AuthError):
                await client.cohorts.list()
            with pytest.raises(tidewheel.AuthError):
                await anext(client.export(*WINDOW))
            with pytest.raises(tidewheel.AuthError):
                await client.cohorts.download("c1")
            with pytest.raises(tidewheel.AuthError):
                await client.raw("analytics.users")
            with pytest.raises(tidewheel.ValidationError):
                client.export("20260102T00", "20260101T00")

    run(main)


def test_raw_and_rows(run: Callable[[Main], None], server: Server) -> None:
    server.answer = script(b'"user_id","n"\n"a","1"\n', polls=2)

    async def main() -> None:
        async with make(server, poll_first=0.001) as client:
            assert await client.cohorts.download("c1") == [{"user_id": "a", "n": "1"}]
            batches = [b async for b in client.cohorts.download("c1").ids().batches()]
            assert batches == [["a"]]
            server.answer = lambda request: json_answer({"data": 1})
            response = await client.raw("analytics.users", query={"m": "new"})
            assert response.json() == {"data": 1}

    run(main)


def test_closing_wakes_all_who_wait(run: Callable[[Main], None], server: Server) -> None:
    server.gate.clear()

    async def main() -> None:
        client = make(server)
        waiting = asyncio.ensure_future(client.cohorts.list().result())
        await arrived(server)
        await client.aclose(0)
        with pytest.raises(tidewheel.ClosedError):
            await waiting
        with pytest.raises(tidewheel.ClosedError):
            client.cohorts.list()
        server.gate.set()

    run(main)


def test_a_full_queue_does_not_block_the_loop(run: Callable[[Main], None], server: Server) -> None:
    server.gate.clear()

    async def main() -> None:
        client = make(server, queue_events=1, on_queue_full="block")
        client.track({"event_type": "e", "user_id": "user-1"})
        with pytest.raises(tidewheel.QueueFullError, match="await flush"):
            client.track({"event_type": "e", "user_id": "user-1"})
        assert (await client.flush(0.01)).waiting == 1
        server.gate.set()
        assert (await client.flush()).stored == 1
        await client.aclose()

    run(main)


def test_a_flush_that_fails_tells_how_events_ended(
    run: Callable[[Main], None], server: Server
) -> None:
    told: list[tidewheel.Outcome] = []
    bad_key = json_answer({"code": 400, "error": "Invalid API key"}, 400)
    server.answer = lambda request: (
        bad_key if request.events[0]["insert_id"] == "id-1" else store_events(request)
    )

    async def main() -> None:
        client = make(server, on_outcome=told.append, batch_events=1)
        for number in range(2):
            client.track({"event_type": "e", "user_id": "user-1", "insert_id": f"id-{number}"})
        with pytest.raises(tidewheel.AuthError):
            await client.flush()
        assert told == [tidewheel.Outcome("id-0", "stored", "", 200)]
        await client.aclose(0)

    run(main)


def test_unsent_events_warn(run: Callable[[Main], None], server: Server) -> None:
    server.gate.clear()

    async def main() -> None:
        with pytest.warns(ResourceWarning, match="1 not confirmed|1 events were not sent"):
            async with make(server, close_timeout=0.05) as client:
                client.track({"event_type": "e", "user_id": "user-1"})

    run(main)


def test_two_loops_may_share_a_client(server: Server) -> None:
    server.answer = lambda request: json_answer({"cohorts": [{"id": "c", "name": "n"}]})
    client = make(server)
    answers = []

    async def main() -> None:
        for _ in range(20):
            answers.append(await client.cohorts.list())

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 40
    asyncio.run(client.aclose())


def test_an_async_job_cannot_be_waited_for_in_a_blocking_way(server: Server) -> None:
    server.gate.clear()

    async def main() -> None:
        async with make(server, close_timeout=0) as client:
            job = client.cohorts.list()
            with pytest.raises(RuntimeError, match="awaited"):
                job._job.wait(1)

    asyncio.run(main())


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_what_is_no_time_is_refused(server: Server, seconds: float) -> None:
    async def main() -> None:
        async with make(server) as client:
            client.track({"event_type": "e", "user_id": "user-1"})
            for wait in (client.flush, client.drain, client.aclose, client.cohorts.list().wait):
                with pytest.raises(ValueError, match="negative or not a number"):
                    await wait(seconds)
            assert (await client.flush()).stored == 1

    asyncio.run(main())


def test_async_parts_need_a_running_loop(server: Server) -> None:
    client = make(server)
    with pytest.raises(RuntimeError, match="loop"):
        client.export(*WINDOW)
    asyncio.run(client.aclose())
