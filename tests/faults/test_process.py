# SPDX-License-Identifier: MIT
"""Forks, exits, signals and odd moments (F03 to F10), each proven by the ledger."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import textwrap

import kit
import ledger
import pytest

import tidewheel

ROUNDS = {"T0": 50, "T1": 300, "T2": 1000}[os.environ.get("TIDEWHEEL_LADDER", "T0")]

BEGIN = """
import atexit, json, os, signal, sys, threading, time
import tidewheel
URL, KEY, NOTES, ROUNDS = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])

def make(**options):
    return tidewheel.Client(KEY, base_url=URL, flush_interval=0.01, backoff_first=0.01, **options)

notes = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

def track(client, run, n):
    event_id = f"{run}-{n}"
    event = {
        "event_type": "fault",
        "user_id": f"user-{n % 50:05d}",
        "insert_id": event_id,
        "event_properties": {"text": f"{event_id}:{n * n}"},
    }
    os.write(notes, f"call {event_id}\\n".encode())
    try:
        client.track(event)
    except tidewheel.TidewheelError:
        os.write(notes, f"no {event_id}\\n".encode())
        return False
    os.write(notes, f"ok {event_id}\\n".encode())
    return True

def wait_for(pid):
    got, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)
"""


def execute(emulator: tidewheel.Emulator, folder: pathlib.Path, text: str, rounds: int) -> None:
    """Runs a script to its end."""
    program = textwrap.dedent(BEGIN) + textwrap.dedent(text)
    arguments = [emulator.url, emulator.api_key, folder / "notes", str(rounds)]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        env=kit.environment("python"),
    )
    assert done.returncode == 0, done.stderr


def run(
    emulator: tidewheel.Emulator, folder: pathlib.Path, text: str, rounds: int = ROUNDS
) -> None:
    """Runs a script; then the ledger must balance, and all accepted events be stored."""
    execute(emulator, folder, text, rounds)
    notes = ledger.read_notes(folder / "notes")
    accounts = list(emulator.ledger())
    world = ledger.World(notes, [], accounts, kit.exported(emulator), killed=True)
    assert ledger.check(world) == []
    # Exactly once on the wire, too: no child sent what its parent had queued.
    assert [a["insert_id"] for a in accounts if a["received"] != 1] == []


@pytest.fixture
def emulator() -> tidewheel.Emulator:
    with tidewheel.Emulator(throttle=False) as emulator:
        yield emulator


def test_children_that_end_send_nothing(
    emulator: tidewheel.Emulator, tmp_path: pathlib.Path
) -> None:
    emulator.faults({"when": "before_commit", "do": {"stall_ms": 300}, "count": 1})
    run(
        emulator,
        tmp_path,
        """
        client = make()
        for n in range(100):
            track(client, "parent", n)
        for i in range(ROUNDS):
            pid = os.fork()
            if pid == 0:
                os.close(2)
                if i % 4 == 0:
                    os._exit(0)
                if i % 4 == 1:
                    sys.exit(0)
                if i % 4 == 2:
                    del client
                    raise RuntimeError("a child ends badly")
                os.execv("/bin/sh", ["sh", "-c", "! ls -l /proc/self/fd | grep -E 'socket|anon_'"])
            assert wait_for(pid) == (1 if i % 4 == 2 else 0), i
        report = client.flush(20)
        assert report.stored == 100, report
        client.close(5)
        """,
    )
    assert len({entry["connection"] for entry in emulator.journal()}) <= 2


def test_forks_while_threads_track(emulator: tidewheel.Emulator, tmp_path: pathlib.Path) -> None:
    run(
        emulator,
        tmp_path,
        """
        client = make()
        over = threading.Event()

        def busy(number):
            n = 0
            while not over.is_set() and n < 5000:
                track(client, f"thread{number}", n)
                n += 1

        threads = [threading.Thread(target=busy, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for i in range(ROUNDS):
            pid = os.fork()
            if pid == 0:
                signal.alarm(20)  # instead of a hang
                track(client, f"child{i}", 0)
                complete = client.close(10).complete
                own = make()
                track(own, f"own{i}", 0)
                os._exit(not (complete and own.close(10).complete))
            assert wait_for(pid) == 0, i
        over.set()
        for thread in threads:
            thread.join()
        assert client.close(20).complete
        """,
    )


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_multiprocessing(emulator: tidewheel.Emulator, tmp_path: pathlib.Path, method: str) -> None:
    (tmp_path / "worker.py").write_text(
        textwrap.dedent(BEGIN)
        + textwrap.dedent(
            """
            import multiprocessing
            shared = make()  # configured before the fork

            def work(i):
                for n in range(20):
                    track(shared, f"worker{i}", n)
                return os.getpid()

            if __name__ == "__main__":
                context = multiprocessing.get_context(sys.argv[5])
                with context.Pool(4) as pool:
                    assert len(pool.map(work, range(12))) == 12
                    pool.close()
                    pool.join()
                track(shared, "parent", 0)
                assert shared.close(10).complete
            """
        )
    )
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error", tmp_path / "worker.py", emulator.url),
            *(emulator.api_key, tmp_path / "notes", "1", method),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        env=kit.environment("python"),
    )
    assert done.returncode == 0, done.stderr
    world = ledger.World(
        ledger.read_notes(tmp_path / "notes"),
        [],
        list(emulator.ledger()),
        kit.exported(emulator),
        killed=True,
    )
    assert len(world.notes.accepted) == 241
    assert ledger.check(world) == []


@pytest.mark.parametrize("used", ["unused", "used", "spooled"])
def test_prefork(emulator: tidewheel.Emulator, tmp_path: pathlib.Path, used: str) -> None:
    """A client made in the master serves four workers, round after round."""
    run(
        emulator,
        tmp_path,
        f"""
        used = {used!r}
        options = {{"spool": os.path.dirname(NOTES) + "/spool"}} if used == "spooled" else {{}}
        client = make(**options)
        if used != "unused":
            for n in range(50):
                track(client, "master", n)
        for i in range(max(1, ROUNDS // 10)):
            workers = []
            for w in range(4):
                pid = os.fork()
                if pid == 0:
                    signal.alarm(60)
                    for n in range(50):
                        track(client, f"worker{{i}}-{{w}}", n)
                    sys.exit(0)
                workers.append(pid)
            for pid in workers:
                assert wait_for(pid) == 0
        assert client.close(20).complete
        """,
    )


def test_ids_of_children_differ(emulator: tidewheel.Emulator, tmp_path: pathlib.Path) -> None:
    """The ids are the library's own here: one for each event, whichever child made it."""
    execute(
        emulator,
        tmp_path,
        """
        client = make()
        client.track({"event_type": "e", "user_id": "parent"})
        assert client.flush(10).complete
        for i in range(ROUNDS):
            pid = os.fork()
            if pid == 0:
                for _ in range(100):
                    client.track({"event_type": "e", "user_id": f"child-{i}"})
                os._exit(not client.close(10).stored == 100)
            assert wait_for(pid) == 0
        assert client.close(5).complete
        """,
        ROUNDS,
    )
    accounts = list(emulator.ledger())
    assert len(accounts) == 100 * ROUNDS + 1
    assert {account["committed"] for account in accounts} == {1}


def test_a_signal_storm(emulator: tidewheel.Emulator, tmp_path: pathlib.Path) -> None:
    run(
        emulator,
        tmp_path,
        """
        seen = {}

        def handler(number, frame):
            seen[number] = seen.get(number, 0) + 1
            assert threading.current_thread() is threading.main_thread()

        for number in (signal.SIGALRM, signal.SIGPROF, signal.SIGCHLD, signal.SIGUSR1,
                       signal.SIGTERM, signal.SIGQUIT):
            signal.signal(number, handler)
        client = make(batch_events=50)
        track(client, "first", 0)
        client.flush(10)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
        main = os.getpid()
        storm = threading.Thread(target=lambda: [
            os.kill(main, number)
            for _ in range(20 * ROUNDS)
            for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGQUIT, signal.SIGCHLD)
        ])
        storm.start()
        for n in range(2000):
            track(client, "storm", n)
        report = client.flush(30)
        storm.join()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        assert report.stored == 2001, report
        assert seen[signal.SIGALRM] > 10 and seen[signal.SIGUSR1] > 0
        # The library's own thread takes no signal at all.
        for task in os.listdir("/proc/self/task"):
            status = open(f"/proc/self/task/{task}/status").read()
            if "tidewheel" in status.split()[1]:
                blocked = int(status.split("SigBlk:")[1].split()[0], 16)
                for number in seen:
                    assert blocked >> (number - 1) & 1, (number, hex(blocked))
                break
        else:
            raise AssertionError("the thread of the library was not found")
        assert client.close(10).complete
        """,
    )


LUA_STORM = """
local tw = require "tidewheel"
if jit then  -- plain Lua has no handlers but that of Ctrl-C
  local ffi = require "ffi"
  ffi.cdef [[
    typedef void (*handler)(int);
    handler signal(int number, handler handler);
    int siginterrupt(int number, int flag);
    int abs(int);
  ]]
  for number in arg[4]:gmatch "%d+" do
    ffi.C.signal(tonumber(number), ffi.cast("handler", ffi.C.abs))
    ffi.C.siginterrupt(tonumber(number), 1)  -- so that calls of the system end with EINTR
  end
end
io.stdout:setvbuf "no"
local client = assert(tw.new { api_key = arg[2], base_url = arg[1], batch_events = 50,
  flush_interval = 0.01, backoff_first = 0.01, spool = arg[3] .. "/spool" })
local notes = assert(io.open(arg[3] .. "/notes", "a"))
notes:setvbuf "no"
local function track(id, n)
  local text = ("%s:%d"):format(id, n * n)
  notes:write("call " .. id .. "\\n")
  assert(client:track { event_type = "e", user_id = "user-1", insert_id = id,
    event_properties = { text = text } })
  notes:write("ok " .. id .. "\\n")
end
track("first-0", 0)
assert(client:flush(30))
print "ready"
assert(io.read() == "go")
for n = 1, 2000 do
  track("storm-" .. n, n)
end
assert(assert(client:flush(30)).complete)
assert(client:close(30))
"""


@pytest.mark.parametrize("language", ["lua5.4", "luajit"])
def test_a_signal_storm_in_lua(
    emulator: tidewheel.Emulator, tmp_path: pathlib.Path, language: str
) -> None:
    handled = [signal.SIGALRM, signal.SIGPROF, signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM]
    harmless = [signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH]
    storm = handled if language == "luajit" else harmless
    (tmp_path / "storm.lua").write_text(LUA_STORM)
    numbers = " ".join(str(int(number)) for number in storm)
    process = subprocess.Popen(
        [language, tmp_path / "storm.lua", emulator.url, emulator.api_key, tmp_path, numbers],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=kit.environment(language),
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # The library's own thread takes no signal at all.
        tasks = pathlib.Path(f"/proc/{process.pid}/task").iterdir()
        texts = [(task / "status").read_text() for task in tasks]
        (text,) = [text for text in texts if "tidewheel" in text.split()[1]]
        blocked = int(text.split("SigBlk:")[1].split()[0], 16)
        assert [number for number in handled if not blocked >> (number - 1) & 1] == []
        process.stdin.write("go\n")
        process.stdin.flush()
        sent = 0
        while process.poll() is None:
            process.send_signal(storm[sent % len(storm)])
            sent += 1
        assert process.stderr is not None
        assert process.returncode == 0, process.stderr.read()
    assert sent > 100
    notes = ledger.read_notes(tmp_path / "notes")
    accounts = list(emulator.ledger())
    assert len(notes.accepted) == 2001
    world = ledger.World(notes, [], accounts, kit.exported(emulator), killed=True)
    assert ledger.check(world) == []
    assert [a["insert_id"] for a in accounts if a["received"] != 1] == []


def test_tracking_at_odd_moments(emulator: tidewheel.Emulator, tmp_path: pathlib.Path) -> None:
    for i in range(max(1, ROUNDS // 25)):
        folder = tmp_path / str(i)
        folder.mkdir()
        emulator.reset()
        run(
            emulator,
            folder,
            """
            closed = make()
            closed.close()
            assert not track(closed, "closed", 0)
            client = make()

            class Dying:
                def __del__(self):
                    track(client, "del", 0)

            def handler(number, frame):
                track(client, "signal", count.pop())

            count = list(range(500))
            signal.signal(signal.SIGUSR1, handler)
            threading.Thread(
                target=lambda: [os.kill(os.getpid(), signal.SIGUSR1) for _ in range(100)]
            ).start()
            for n in range(1000):
                track(client, "main", n)
            dying = Dying()
            del dying
            left = Dying()  # dies with the interpreter, when the client may be closed already
            atexit.register(lambda: track(client, "atexit", 0))

            def late():
                while True:
                    track(client, "late", late.n)
                    late.n += 1
                    time.sleep(0.0001)

            late.n = 0
            threading.Thread(target=late, daemon=True).start()
            assert client.flush(20).stored >= 1000
            """,
            1,
        )
