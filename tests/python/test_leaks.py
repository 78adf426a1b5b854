# SPDX-License-Identifier: MIT
"""Doing a thing a thousand times holds no more memory than doing it ten times."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import datetime as dt
import gc
import json
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tidewheel
from tidewheel import _core

from .conftest import API_KEY, SECRET_KEY, Answer, Server, archive, json_answer
from .test_cohorts import OWNER, USERS

WINDOW = ("20261101T00", "20261101T05")


def blocks_after(work: Callable[[], Any], times: int) -> int:
    for _ in range(times):
        work()
    gc.collect()
    return sys.getallocatedblocks()


def assert_flat(work: Callable[[], Any], times: int) -> None:
    """One block kept per round is a leak, and it shows every time.

    Caches and Python's own tables fill up at first, some of them later than others.
    """
    growth: list[int] = []
    before = blocks_after(work, 2 * times)
    while len(growth) < 6 and min(growth, default=times) >= times:
        after = blocks_after(work, times)
        growth.append(after - before)
        before = after
    assert min(growth) < times, f"{growth} blocks in {times} rounds each"


@pytest.fixture
def quick(emulator: tidewheel.Emulator) -> Iterator[tidewheel.Client]:
    """A client of an emulator that keeps no journal: all Python memory is the client's."""
    emulator.switch(journal=False, ledger=False, throttle=False, limits=False, job_ms=1)
    client = tidewheel.Client(
        emulator.api_key,
        emulator.secret_key,
        base_url=emulator.url,
        poll_first=0.001,
        poll_max=0.001,
        default=lambda value: {"v": str(value)},
    )
    yield client
    client.close(0)


def test_events_accepted_and_refused(quick: tidewheel.Client) -> None:
    good = {"event_type": "e", "user_id": "user-1", "event_properties": {"a": [1, "é", {1, 2}]}}
    bad: list[Any] = [
        {**good, "event_properties": {"p": ["\ud800"]}},
        {**good, "event_properties": {"p": {1: 2}}},
        {**good, "event_properties": {"p": 2**70}},
        {"event_type": "e"},
        None,
    ]

    def work() -> None:
        for _ in range(10):
            quick.track(good)
            quick._core.encode_event(good)
        for one in bad:
            with contextlib.suppress(tidewheel.TidewheelError, TypeError):
                quick.track(one)
        assert quick.flush().complete

    assert_flat(work, 100)


def test_decoding() -> None:
    texts = [json.dumps({"a": [1, {"b": "x" * 30}], "é": None, "n": 2**70}).encode(), b'{"a":[1,']

    def work() -> None:
        for text in texts:
            with contextlib.suppress(tidewheel.ProtocolError):
                _core.loads(text)
                _core.load_lines(text + b"\n" + text, ("a",))

    assert_flat(work, 500)


def test_clients_and_configurations(server: Server) -> None:
    def work() -> None:
        tidewheel.Client(API_KEY, SECRET_KEY, base_url=server.url).close()
        with contextlib.suppress(tidewheel.ConfigError):
            tidewheel.Client(API_KEY, no_such_option=1)

    assert_flat(work, 50)


def test_exports_whole_left_and_cancelled(quick: tidewheel.Client) -> None:
    for number in range(300):
        quick.track({"event_type": "e", "user_id": f"user-{number % 9}", "event_id": number})
    quick.flush()
    now = dt.datetime.now(dt.UTC)
    window = (now - dt.timedelta(hours=1), now + dt.timedelta(hours=1))

    def work() -> None:
        assert len(list(quick.export(*window))) == 300
        for batch in quick.export(*window, fields=["event_id"]).batches():
            assert batch
        for _ in quick.export(*window):
            break
        with quick.export(*window) as export:
            next(export)
        export = quick.export(*window, raw=True)
        export.cancel()
        with contextlib.suppress(tidewheel.CanceledError):
            next(export)

    assert_flat(work, 40)


def known_cohort(client: tidewheel.Client, emulator: tidewheel.Emulator) -> str:
    for user in USERS:
        client.track({"event_type": "e", "user_id": user})
    client.flush()
    uploaded = client.cohorts.upload(name="n", ids=USERS, app_id=emulator.app_id, owner=OWNER)
    return str(uploaded.cohort_id)


def test_questions_answered_and_refused(quick: tidewheel.Client) -> None:
    quick.track({"event_type": "buy", "user_id": "user-1", "event_properties": {"price": 20}})
    assert quick.flush().complete
    today = dt.datetime.now(dt.UTC).date()
    days: Any = {"start": today - dt.timedelta(days=1), "end": today + dt.timedelta(days=1)}
    big = tidewheel.Event("buy").where("price", ">", 10)
    gold = tidewheel.Segment().performed(big, within_days=3)

    def work() -> None:
        assert (
            quick.analytics.segmentation(big.by("price"), segments=gold, **days).to_dicts()
            is not None
        )
        assert quick.analytics.funnel(["buy", "buy"], **days).steps
        assert quick.analytics.retention("buy", "buy", **days).matrix
        assert quick.analytics.estimate("users", **days) == 3
        for bad in ({"metric": "old"}, {"interval": object()}, {"segments": [[{}]]}):
            with contextlib.suppress(tidewheel.ValidationError, TypeError):
                quick.analytics.users(**days, **bad)
        with contextlib.suppress(tidewheel.ApiError):
            quick.analytics.segmentation("nothing", **days)

    assert_flat(work, 100)


def test_downloads_and_uploads(quick: tidewheel.Client, emulator: tidewheel.Emulator) -> None:
    cohort_id = known_cohort(quick, emulator)

    def work() -> None:
        assert len(list(quick.cohorts.download(cohort_id).ids())) == len(USERS)
        assert len(list(quick.cohorts.download(cohort_id, props=True))) == len(USERS)
        next(quick.cohorts.download(cohort_id))
        quick.cohorts.download(cohort_id).cancel()
        quick.cohorts.update(cohort_id, add=USERS, remove=iter(["nobody-1"]))
        with pytest.raises(tidewheel.ApiError):
            quick.cohorts.upload(name="n", ids=USERS, app_id=1, owner=OWNER)
        assert len(quick.cohorts.list()) == 1

    assert_flat(work, 20)


def ask_and_refuse(client: tidewheel.Client) -> None:
    client.users.search("user-1")
    list(client.users.activity(12345))
    client.users.activity(12345)
    client.taxonomy.categories.create("Shop", exist_ok=True)
    client.taxonomy.plan(client.taxonomy.pull() | {"events": {"a": {"tags": ["x"]}}})
    for bad in ({"limit": 0}, {"limit": 1 << 70}, {"limt": 1}, {"offset": print}):
        with contextlib.suppress(tidewheel.ValidationError, TypeError):
            client.call("users.activity", amplitude_id=1, **bad)
    with contextlib.suppress(tidewheel.ValidationError):
        client.taxonomy.plan({"events": {"a": {"tags": ["a,b"]}}})
    with contextlib.suppress(tidewheel.ApiError):
        client.profile.get(user_id="stranger")


def test_calls_with_arguments(quick: tidewheel.Client) -> None:
    assert_flat(lambda: ask_and_refuse(quick), 20)


def test_event_loops(quick: tidewheel.Client, emulator: tidewheel.Emulator) -> None:
    cohort_id = known_cohort(quick, emulator)

    async def main() -> None:
        async with tidewheel.AsyncClient(
            emulator.api_key, emulator.secret_key, base_url=emulator.url, poll_first=0.001
        ) as client:
            client.track({"event_type": "e", "user_id": "user-1"})
            assert await client.cohorts.list()
            assert await client.cohorts.download(cohort_id)
            job = client.cohorts.list()
            job.cancel()
            with contextlib.suppress(tidewheel.CanceledError):
                await job

    assert_flat(lambda: asyncio.run(main()), 100)


class MallInfo(ctypes.Structure):
    """The C library's struct mallinfo2."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    )


def native_bytes() -> int:
    """What the C library has handed out, in all threads' arenas."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = MallInfo
    gc.collect()
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)


def refuse_and_encode(client: tidewheel.Client) -> None:
    good = {"event_type": "e", "user_id": "user-1", "event_properties": {"a": [1, "é", {1, 2}]}}
    client._core.encode_event(good)
    for bad in ({**good, "event_properties": {"p": ["\ud800"]}}, {"event_type": "e"}):
        with contextlib.suppress(tidewheel.ValidationError):
            client.track(bad)
    _core.load_lines(b'{"a":[1,{"b":null}]}\n{"a":1.5}', ("a",))
    with contextlib.suppress(tidewheel.ProtocolError):
        _core.loads(b'{"a":[1,')
    with contextlib.suppress(tidewheel.ConfigError):
        tidewheel.Client(API_KEY, no_such_option=1)
    tidewheel.Client(API_KEY, SECRET_KEY, base_url="http://127.0.0.1:1").close(0)


def call_and_leave(client: tidewheel.Client) -> None:
    client.cohorts.list()
    client.cohorts.download("none").cancel()
    client.export("20200101T00", "20200101T01").close()
    assert list(client.export("20200101T00", "20200101T01")) == []
    with contextlib.suppress(tidewheel.ApiError):
        list(client.cohorts.download("none"))


@pytest.mark.parametrize("work", [refuse_and_encode, call_and_leave, ask_and_refuse])
def test_the_core_gives_its_memory_back(
    quick: tidewheel.Client, work: Callable[[tidewheel.Client], None]
) -> None:
    """Nothing the binding drops may stay with the core: 100 rounds, less than 64 bytes each.

    The emulator's threads let go of their connections when they get to it, so that its memory comes
    and goes beside ours; what leaks does so every time.
    """
    growth = []
    while len(growth) < 10 and min(growth, default=6400) >= 6400:
        before = native_bytes()
        for _ in range(100):
            work(quick)
        growth.append(native_bytes() - before)
    assert min(growth) < 6400, growth


def test_descriptors_and_threads_are_given_back(server: Server) -> None:
    server.answer = lambda request: json_answer({"cohorts": []})

    def work() -> None:
        client = tidewheel.Client(API_KEY, SECRET_KEY, base_url=server.url)
        client.cohorts.list()
        client.close()

    def counts() -> tuple[int, int]:
        gc.collect()
        foreign = len(os.listdir("/proc/self/task")) - threading.active_count()
        return len(os.listdir("/proc/self/fd")), foreign

    work()
    before = counts()
    for _ in range(20):
        work()
    # The scripted server closes its side in threads of its own, a little later.
    descriptors, threads = counts()
    assert descriptors - before[0] < 20
    assert threads - before[1] < 10


def test_an_export_is_read_in_flat_memory(server: Server, client: tidewheel.Client) -> None:
    rng = random.Random(4)
    rows = [{"n": n, "text": rng.randbytes(500).hex()} for n in range(10_000)]
    data = archive(*[rows] * 5)
    server.answer = lambda request: Answer(200, data)

    def resident() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    assert sum(1 for _ in client.export(*WINDOW)) == 50_000
    before = resident()
    highest = max(resident() for n, _ in enumerate(client.export(*WINDOW)) if n % 1000 == 0)
    assert highest - before < 32 << 20


@pytest.mark.parametrize("options", [{}, {"fields": ["n"]}, {"raw": True}])
def test_events_are_not_shared_between_rounds(
    server: Server, client: tidewheel.Client, options: dict[str, Any]
) -> None:
    """What one event holds may be changed without changing the next."""
    data = archive([{"n": [1], "m": {}} for _ in range(3)])
    server.answer = lambda request: Answer(200, data)
    for row in client.export(*WINDOW, **options):
        if isinstance(row, dict):
            assert row.pop("n") == [1]
            row["n"] = row["other"] = 5
        else:
            assert row == b'{"n": [1], "m": {}}'
