# SPDX-License-Identifier: MIT
"""Signals, forks, threads and the end of the process."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tidewheel

from .conftest import (
    API_KEY,
    SECRET_KEY,
    Answer,
    MakeClient,
    Request,
    Server,
    forks,
    store_events,
)

EVENT = {"event_type": "e", "user_id": "user-1"}
WINDOW = ("20261101T00", "20261101T05")

Wait = Callable[[tidewheel.Client], Any]
WAITS: dict[str, Wait] = {
    "flush": lambda client: (client.track(EVENT), client.flush(15)),
    "close": lambda client: (client.track(EVENT), client.close(15)),
    "export": lambda client: next(client.export(*WINDOW)),
    "batches": lambda client: next(client.export(*WINDOW).batches()),
    "wait": lambda client: client.export(*WINDOW).wait(15),
    "rows": lambda client: next(client.cohorts.download("c1")),
    "list": lambda client: client.cohorts.list(),
    "raw": lambda client: client.raw("analytics.users"),
    "track": lambda client: [client.track(EVENT) for _ in range(3)],
}


@pytest.mark.parametrize("name", WAITS)
def test_ctrl_c_ends_a_wait(server: Server, make_client: MakeClient, name: str) -> None:
    """The server never answers: only the signal can end the wait before its 15 seconds."""
    server.gate.clear()
    client = make_client(
        server.url, queue_events=1, on_queue_full="block", block_timeout=15, flush_interval=0
    )
    interrupted: list[float] = []

    def interrupt() -> None:
        assert server.arrived.acquire(timeout=20)
        interrupted.append(time.monotonic())
        signal.raise_signal(signal.SIGINT)

    # A thread's raise_signal sets Python's flag without ending the main thread's system call:
    # the hardest case, for the wait has to look by itself.
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        WAITS[name](client)
    thread.join()
    assert time.monotonic() - interrupted[0] < 5  # far from 15; it is 0.1 at most when idle
    server.gate.set()


def test_a_signal_handler_runs_and_the_wait_goes_on(
    server: Server, client: tidewheel.Client
) -> None:
    server.gate.clear()
    ran = []

    def handler(number: int, frame: object) -> None:
        ran.append(number)
        server.gate.set()

    old = signal.signal(signal.SIGUSR1, handler)
    try:
        thread = threading.Thread(
            target=lambda: (
                server.arrived.acquire(timeout=20),
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1),
            )
        )
        thread.start()
        client.track(EVENT)
        assert client.flush(15).stored == 1
        thread.join()
    finally:
        signal.signal(signal.SIGUSR1, old)
    assert ran == [signal.SIGUSR1]


def test_other_threads_run_while_one_waits(server: Server, client: tidewheel.Client) -> None:
    server.gate.clear()
    client.track(EVENT)
    thread = threading.Thread(target=lambda: client.flush(15))
    thread.start()
    assert server.arrived.acquire(timeout=20)
    assert sum(range(100_000)) == 4999950000
    assert thread.is_alive()
    server.gate.set()
    thread.join()
    assert client.stats().stored == 1


# ---- processes ----------------------------------------------------------------------------------


def script(text: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    begin = f"""
        import os, signal, sys, threading
        import tidewheel
        EVENT = {EVENT!r}
        def make(**options):
            return tidewheel.Client({API_KEY!r}, {SECRET_KEY!r}, base_url=sys.argv[1], **options)
    """
    program = textwrap.dedent(begin) + textwrap.dedent(text)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == code, done.stderr
    for secret in (API_KEY, SECRET_KEY):
        assert secret not in done.stdout + done.stderr
    return done


def test_the_end_of_the_process_sends_what_is_queued(server: Server) -> None:
    done = script(
        """
        client = make(flush_interval=3600)
        for _ in range(500):
            client.track(EVENT)
        """,
        server.url,
    )
    assert done.stderr == ""
    assert sum(len(request.events) for request in server.requests) == 500


def test_the_end_of_the_process_tells_how_events_ended(server: Server) -> None:
    done = script(
        """
        client = make(flush_interval=3600, on_outcome=lambda outcome: print(outcome.state))
        client.track(EVENT)
        client.track(EVENT)
        """,
        server.url,
    )
    assert done.stdout.split() == ["stored", "stored"]
    assert done.stderr == ""


def test_callbacks_that_raise_at_the_end_keep_nobody_from_being_told(server: Server) -> None:
    done = script(
        """
        def bad(outcome):
            print("bad", outcome.state)
            if bad.kinds:
                raise bad.kinds.pop()("in a callback")
        bad.kinds = [SystemExit, RuntimeError, tidewheel.ClosedError]
        clients = [make(flush_interval=3600, on_outcome=bad)]
        clients += [make(flush_interval=3600, on_outcome=lambda o: print("good", o.state))
                    for _ in range(8)]
        for client in clients:
            for _ in range(4):
                client.track(EVENT)
        """,
        server.url,
    )
    assert sorted(done.stdout.splitlines()) == ["bad stored"] * 4 + ["good stored"] * 32
    assert "ClosedError" in done.stderr


def test_an_exception_sends_too(server: Server) -> None:
    script("client = make(); client.track(EVENT); raise SystemExit(3)", server.url, code=3)
    assert len(server.requests) == 1


def test_a_dead_server_does_not_keep_the_process(server: Server) -> None:
    server.gate.clear()
    done = script("client = make(); client.track(EVENT)", server.url)
    assert "1 events were not confirmed" in done.stderr
    server.gate.set()


def test_nothing_queued_ends_at_once_and_starts_no_thread(server: Server) -> None:
    done = script(
        """
        clients = [make() for _ in range(20)]
        print(len(os.listdir("/proc/self/task")))
        """,
        server.url,
    )
    assert done.stdout == "1\n"
    assert server.requests == []


def test_daemon_threads_that_still_track_do_no_harm(server: Server) -> None:
    script(
        """
        client = make(queue_events=10**6)
        def work():
            while True:
                try:
                    client.track(EVENT)
                except tidewheel.TidewheelError:
                    pass
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        while client.stats().accepted < 1000:
            pass
        """,
        server.url,
    )


@forks
def test_a_child_goes_on_with_the_client(server: Server) -> None:
    """Its events and calls are its own; what the parent began answers ForkedError."""
    server.answer = export_or_store
    done = script(
        """
        client = make(flush_interval=3600)
        client.track(EVENT)
        client.flush()
        client.track(EVENT)
        job = client._core.flush(None)
        export = client.export("20260101T00", "20260101T00")
        child = os.fork()
        if child == 0:
            for call in [lambda: job.reply(), lambda: next(export)]:
                try:
                    call()
                except tidewheel.ForkedError as error:
                    assert error.code == "forked"
                else:
                    os._exit(1)
            assert client.stats() == tidewheel.Stats(*[0] * 11, False, *[0] * 16)
            assert list(client.export("20260101T00", "20260101T00")) == []
            client.track(dict(EVENT, event_type="child"))
            assert client.flush().stored == 1
            client.track(dict(EVENT, event_type="exit"))
            sys.exit(5)  # with everything that runs at an exit
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status))
        print(client.close().complete)
        """,
        server.url,
    )
    assert done.stdout == "5\nTrue\n"
    assert done.stderr == ""
    kinds = [
        one["event_type"] for request in server.requests if request.body for one in request.events
    ]
    assert sorted(kinds) == ["child", "e", "e", "exit"]


@forks
def test_a_child_that_does_not_call_is_left_alone(server: Server) -> None:
    done = script(
        """
        client = make(flush_interval=3600)
        client.track(EVENT)
        closed = make()
        closed.close()
        child = os.fork()
        if child == 0:
            try:
                closed.track(EVENT)
            except tidewheel.ClosedError:
                print("closed", len(os.listdir("/proc/self/task")), flush=True)
            sys.exit(0)
        os.waitpid(child, 0)
        print(client.close().stored)
        """,
        server.url,
    )
    assert (done.stdout, done.stderr) == ("closed 1\n1\n", "")


@forks
def test_a_child_has_event_loops_of_its_own(server: Server) -> None:
    done = script(
        """
        import asyncio
        client = tidewheel.AsyncClient(sys.argv[2], base_url=sys.argv[1])
        async def use():
            client.track(EVENT)
            return (await client.flush()).stored
        print(asyncio.run(use()), flush=True)
        child = os.fork()
        if child == 0:
            print(asyncio.run(use()), flush=True)
            print(asyncio.run(client.aclose()).stored, flush=True)
            sys.exit(0)
        os.waitpid(child, 0)
        print(asyncio.run(use()))
        """,
        server.url,
        API_KEY,
    )
    assert (done.stdout, done.stderr) == ("1\n1\n1\n2\n", "")


@forks
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_worker_of_multiprocessing_sends_before_it_ends(
    server: Server, tmp_path: Path, method: str
) -> None:
    (tmp_path / "program.py").write_text(
        textwrap.dedent(
            f"""
            import multiprocessing, sys
            import tidewheel
            client = tidewheel.Client({API_KEY!r}, base_url=sys.argv[1], flush_interval=3600)

            def work(number):
                client.track({{"event_type": f"worker{{number}}", "user_id": "user-1"}})

            if __name__ == "__main__":
                context = multiprocessing.get_context(sys.argv[2])
                client.track({{"event_type": "parent", "user_id": "user-1"}})
                workers = [context.Process(target=work, args=(n,)) for n in range(3)]
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.join()
                    assert worker.exitcode == 0
            """
        )
    )
    command = [sys.executable, "-W", "error", tmp_path / "program.py", server.url, method]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    kinds = [one["event_type"] for request in server.requests for one in request.events]
    assert sorted(kinds) == ["parent", "worker0", "worker1", "worker2"]


def export_or_store(request: Request) -> Answer:
    return Answer(404) if request.method == "GET" else store_events(request)


def test_ctrl_c_during_close_still_ends(server: Server) -> None:
    server.gate.clear()
    done = script(
        """
        client = make()
        client.track(EVENT)
        def interrupt():
            while not client._core.stats()[9]:
                pass
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt).start()
        try:
            client.close(20)
        except KeyboardInterrupt:
            print("interrupted")
        """,
        server.url,
    )
    assert done.stdout == "interrupted\n"
    server.gate.set()


def test_asyncio_is_not_imported_before_it_is_needed() -> None:
    script("sys.exit('asyncio' in sys.modules or 'tidewheel._emulator' in sys.modules)", "-")


def test_the_lock_of_the_interpreter_is_asked_for() -> None:
    """A free-threaded interpreter turns its lock on for a module that does not decline it."""
    declined = b"Py_MOD_GIL_NOT_USED"
    binding = Path(__file__).parents[2] / "bindings" / "python"
    sources = list(binding.rglob("*.[ch]"))
    assert sources
    assert not [source for source in sources if declined in source.read_bytes()]
    script("assert getattr(sys, '_is_gil_enabled', lambda: True)()", "-")


def test_the_module_may_be_loaded_again() -> None:
    """Module state belongs to the module object: a second one works beside the first."""
    script(
        """
        first = tidewheel._core
        one = make()
        del sys.modules["tidewheel._core"]
        import importlib
        second = importlib.import_module("tidewheel._core")
        assert second is not first and second.Client is not first.Client
        assert second.loads(b'{"a":[1,null]}') == first.loads(b'{"a":[1,null]}')
        two = second.Client({"api_key": "0123456789abcdef"}, None, True)
        try:
            two.flush(first.Queue())
        except TypeError as error:
            assert "Queue" in str(error)
        else:
            sys.exit("a foreign queue was taken")
        """,
        "http://127.0.0.1:1",
    )


def test_a_subinterpreter_works_or_refuses_clearly(server: Server) -> None:
    script(
        """
        import _xxsubinterpreters as interpreters
        code = '''if True:
            import sys
            sys.path[:] = %r
            import tidewheel
            client = tidewheel.Client("0123456789abcdef", base_url=%r)
            client.track({"event_type": "sub", "user_id": "user-1"})
            assert client.flush().stored == 1
            client.close()
            assert tidewheel._core.loads(b"[1]") == [1]
        ''' % (sys.path, sys.argv[1])
        for _ in range(3):
            one = interpreters.create()
            interpreters.run_string(one, code)
            interpreters.destroy(one)
        client = make()
        client.track(EVENT)
        assert client.flush().stored == 1
        """,
        server.url,
    )
    kinds = [one["event_type"] for request in server.requests for one in request.events]
    assert kinds == ["sub"] * 3 + ["e"]


def test_answers_are_kept_apart(server: Server, make_client: MakeClient) -> None:
    """Many clients in a process share nothing."""
    server.answer = lambda request: Answer(
        200, b'{"cohorts":[{"id":"%s","name":"n"}]}' % request.headers["user-agent"].encode()
    )
    clients = [make_client(server.url, user_agent=f"agent-{number}") for number in range(10)]
    for number, client in enumerate(clients):
        (cohort,) = client.cohorts.list()
        assert cohort.id == f"agent-{number}"
