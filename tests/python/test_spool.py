# SPDX-License-Identifier: MIT
"""The spool: what was accepted survives the process that accepted it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

import tidewheel

from .conftest import API_KEY, MakeClient, Server, forks, json_answer, store_events

DEAD = "http://127.0.0.1:9"  # the discard port: nobody listens


def event(number: int) -> dict[str, Any]:
    return {"event_type": "e", "user_id": "user-1", "event_properties": {"n": number}}


def track_all(client: tidewheel.Client, events: list[dict[str, Any]]) -> None:
    for one in events:
        client.track(one)


def numbers(server: Server) -> list[int]:
    return [sent["event_properties"]["n"] for made in server.requests for sent in made.events]


def run(code: str, spool: Path, url: str, **options: str) -> subprocess.CompletedProcess[str]:
    """Runs a program that has a `client` and `event` at hand."""
    given = {"base_url": url, "spool": str(spool), **options}
    program = f"""
        import os, sys, tidewheel
        client = tidewheel.Client({API_KEY!r}, **{given!r})
        def event(n):
            return {{"event_type": "e", "user_id": "user-1", "event_properties": {{"n": n}}}}
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program) + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("mode", ["fast", "durable"])
def test_a_kill_loses_nothing(
    server: Server, make_client: MakeClient, tmp_path: Path, mode: str
) -> None:
    spool = tmp_path / "spool"
    code = """
        for n in range(500):
            client.track(event(n))
        print("accepted", flush=True)
        os.kill(os.getpid(), 9)
    """
    ended = run(code, spool, DEAD, spool_mode=mode)
    assert (ended.returncode, ended.stdout) == (-9, "accepted\n"), ended.stderr
    client = make_client(server.url, spool=spool, spool_mode=mode)
    report = client.drain(20)
    assert (report.accepted, report.recovered, report.stored) == (0, 500, 500)
    assert report.complete
    assert numbers(server) == list(range(500))
    stats = client.stats()
    assert (stats.spool_lanes, stats.lost, stats.waiting) == (1, 0, 0)


def test_the_backlog_is_sent_without_being_asked(server: Server, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    assert run("client.track(event(1)); os._exit(0)", spool, DEAD).returncode == 0
    with tidewheel.Client(API_KEY, base_url=server.url, spool=spool):
        assert server.arrived.acquire(timeout=20)
    assert numbers(server) == [1]


def test_the_end_of_a_program_leaves_the_rest_in_the_spool(
    server: Server, make_client: MakeClient, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    began = time.monotonic()
    ended = run("client.track(event(1))", spool, DEAD)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert time.monotonic() - began < 10
    ended = run(
        """
        with client:
            client.track(event(2))
        print(client.stats().waiting, client.close().waiting)
        """,
        spool,
        DEAD,
    )
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", "2 2\n")
    client = make_client(server.url, spool=spool)
    assert client.drain(20).stored == 2
    assert numbers(server) == [1, 2]


def test_close_does_not_wait_for_a_server_that_is_not_there(
    make_client: MakeClient, tmp_path: Path
) -> None:
    client = make_client(DEAD, spool=tmp_path / "spool")
    client.track(event(1))
    began = time.monotonic()
    report = client.close(60)
    assert time.monotonic() - began < 30
    assert (report.accepted, report.waiting, report.expired) == (1, 1, 0)
    assert client.stats().waiting == 1
    with pytest.raises(tidewheel.ClosedError):
        client.track(event(2))


def test_stored_events_leave_nothing_behind(
    server: Server, make_client: MakeClient, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    with make_client(server.url, spool=spool, spool_mode="durable") as client:
        for number in range(100):
            client.track(event(number))
    assert client.stats().stored == 100
    assert list(spool.iterdir()) == []
    assert spool.stat().st_mode & 0o777 == 0o700


def test_no_credential_is_in_the_spool(make_client: MakeClient, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    client = make_client(DEAD, spool=spool)
    client.track(event(1))
    client.close(0)
    names = list(spool.iterdir())
    assert names
    for name in names:
        assert API_KEY not in name.name
        assert API_KEY.encode() not in name.read_bytes()


def test_projects_share_a_folder_and_nothing_else(server: Server, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    assert run("client.track(event(1)); os._exit(0)", spool, DEAD).returncode == 0
    with tidewheel.Client("another-key-000000", base_url=server.url, spool=spool) as other:
        assert other.drain(20).recovered == 0
    with tidewheel.Client(API_KEY, base_url=server.url, spool=spool, region="eu") as other:
        assert other.drain(20).recovered == 0
    # A name of one's own outlives the key.
    run("client.track(event(2)); os._exit(0)", spool, DEAD, spool_project="shop")
    with tidewheel.Client(
        "another-key-000000", base_url=server.url, spool=spool, spool_project="shop"
    ) as other:
        assert other.drain(20).stored == 1
    assert numbers(server) == [2]


@pytest.mark.parametrize("trouble", ["link", "file", "open to all"])
def test_an_unsafe_folder_is_refused(tmp_path: Path, trouble: str) -> None:
    spool = tmp_path / "spool"
    if trouble == "link":
        (tmp_path / "other").mkdir(mode=0o700)
        spool.symlink_to(tmp_path / "other")
    elif trouble == "file":
        spool.touch()
    else:
        spool.mkdir()
        spool.chmod(0o777)
    with pytest.raises(tidewheel.ConfigError, match="spool") as caught:
        tidewheel.Client(API_KEY, base_url=DEAD, spool=spool)
    assert caught.value.field == "spool"


def test_a_full_spool_refuses(make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client(DEAD, spool=tmp_path / "spool", spool_bytes=1 << 20)
    large = {**event(1), "event_properties": {"text": ["x" * 1000] * 50}}
    with pytest.raises(tidewheel.QueueFullError, match="spool was full"):
        track_all(client, [large] * 100)
    stats = client.stats()
    assert stats.accepted > 15
    assert stats.waiting == stats.accepted
    assert stats.refused == 1


def test_more_than_memory_holds(server: Server, make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client(server.url, spool=tmp_path / "spool", queue_events=100, batch_events=50)
    server.gate.clear()
    for number in range(2000):
        client.track(event(number))
    assert client.stats().waiting == 2000
    server.gate.set()
    assert client.flush(30).stored == 2000
    assert numbers(server) == list(range(2000))


@forks
def test_a_child_has_a_lane_of_its_own(
    server: Server, make_client: MakeClient, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    code = f"""
        client.track(event(1))
        child = os.fork()
        if child == 0:
            client.track(event(2))
            mine = tidewheel.Client({API_KEY!r}, base_url={server.url!r}, spool={str(spool)!r})
            mine.track(event(3))
            report = mine.close(20)
            counts = client.stats()
            os._exit((report.stored, report.recovered, counts.waiting) != (1, 0, 1))
        assert os.waitpid(child, 0)[1] == 0
        assert client.stats().waiting == 1
        os.kill(os.getpid(), 9)
    """
    ended = run(code, spool, DEAD)
    assert ended.returncode == -9, ended.stderr
    assert numbers(server) == [3]
    assert make_client(server.url, spool=spool).drain(20).recovered == 2
    assert numbers(server)[0] == 3
    assert sorted(numbers(server)) == [1, 2, 3]


@forks
def test_eight_processes_share_a_folder(
    server: Server, make_client: MakeClient, tmp_path: Path
) -> None:
    """Each is killed with events waiting; the ones that start later take them over."""
    spool = tmp_path / "spool"
    code = f"""
        children = []
        for number in range(8):
            child = os.fork()
            if child == 0:
                mine = tidewheel.Client({API_KEY!r}, base_url={DEAD!r}, spool={str(spool)!r})
                for n in range(50):
                    mine.track(event(number * 50 + n))
                os.kill(os.getpid(), 9)
            children.append(child)
        for child in children:
            assert os.waitpid(child, 0)[1] == 9
    """
    ended = run(code, spool, DEAD)
    assert ended.returncode == 0, ended.stderr
    client = make_client(server.url, spool=spool)
    report = client.drain(20)
    assert report.recovered == report.stored == 400
    assert sorted(set(numbers(server))) == list(range(400))


def test_async(server: Server, tmp_path: Path) -> None:
    asyncio.run(use_async(server, tmp_path / "spool"))


async def use_async(server: Server, spool: Path) -> None:
    client = tidewheel.AsyncClient(API_KEY, base_url=DEAD, spool=spool, spool_mode="durable")
    client.track(event(1))
    report = await client.aclose(60)
    assert (report.waiting, report.expired) == (1, 0)
    await client.aclose()
    async with tidewheel.AsyncClient(API_KEY, base_url=server.url, spool=spool) as client:
        report = await client.drain(20)
        assert (report.recovered, report.stored) == (1, 1)
        assert client.resend_uncertain() == 0


def test_what_uncertain_events_keep_is_told(
    server: Server, make_client: MakeClient, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    server.answer = lambda _: json_answer({"code": 200, "events_ingested": 7})
    client = make_client(server.url, spool=spool, backoff_first=0.001)
    client.track(event(1))
    assert client.flush(20).uncertain == 1
    assert client.stats().spool_uncertain_bytes == 0  # more may be written to the file
    client.close()
    server.answer = store_events
    client = make_client(server.url, spool=spool)
    assert client.drain(20).uncertain == 1
    stats = client.stats()
    assert 0 < stats.spool_uncertain_bytes == stats.spool_bytes
    assert client.resend_uncertain() == 1
    assert client.drain(20).stored == 1
    assert client.stats().spool_uncertain_bytes == 0


def test_a_folder_without_a_client(server: Server, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    for missing in (spool, ""):
        for call in (
            lambda path: tidewheel.spool.inspect(path),
            lambda path: tidewheel.spool.purge(path),
            lambda path: tidewheel.spool.drain(path, API_KEY, base_url=server.url),
        ):
            with pytest.raises(tidewheel.ConfigError, match="not there"):
                call(missing)
            with pytest.raises(ValueError, match="null"):
                call(f"{tmp_path}\0{missing}")
    assert not spool.exists()
    run("[client.track(event(n)) for n in range(5)]; os._exit(0)", spool, DEAD)
    (spool / "stranger").touch()
    report = tidewheel.spool.inspect(spool)
    assert (report.events, report.lanes, report.live, report.foreign) == (5, 1, 0, 1)
    assert report.path == str(spool)
    assert report.oldest is not None
    assert abs(report.oldest / 1000 - time.time()) < 60
    (project,) = report.projects
    assert project.events == 5
    assert tidewheel.spool.purge(spool, older_than=3600) == 0
    assert tidewheel.spool.drain(spool, API_KEY, base_url=server.url).stored == 5
    assert numbers(server) == list(range(5))
    run("client.track(event(7)); os._exit(0)", spool, DEAD)
    assert tidewheel.spool.purge(spool) == 1
    assert tidewheel.spool.inspect(spool).events == 0
    assert tidewheel.spool.inspect(spool).oldest is None
    with pytest.raises(ValueError, match="older_than"):
        tidewheel.spool.purge(spool, -1)
    run("[client.track(event(n)) for n in range(3)]; os._exit(0)", spool, DEAD)
    (segment,) = spool.glob("*.seg")
    segment.write_bytes(b"?" + segment.read_bytes()[1:])
    report = tidewheel.spool.inspect(spool)
    assert (report.events, report.unreadable) == (3, 0)
    assert tidewheel.spool.purge(spool) == 3
    assert [path.name for path in spool.iterdir()] == ["stranger"]
