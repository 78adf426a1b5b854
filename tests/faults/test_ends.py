# SPDX-License-Identifier: MIT
"""How long a process takes to end, and a wait to be interrupted (F07, F09, F17)."""

from __future__ import annotations

import contextlib
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator

import kit
import ledger
import pytest

import tidewheel


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A server whose kernel takes connections and requests, and that never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def emulator() -> tidewheel.Emulator:
    with tidewheel.Emulator(throttle=False) as emulator:
        yield emulator


# ---- the end of a process -----------------------------------------------------------------------

EXIT = """
import atexit, os, sys, threading, time
began = []
atexit.register(lambda: print(time.monotonic() - began[0]))  # the last one: first in, last out
import tidewheel
URL, KEY, FOLDER = sys.argv[1:]
EVENT = {"event_type": "e", "user_id": "user-1"}
def make(**options):
    return tidewheel.Client(KEY, "emu-secret", base_url=URL, backoff_first=0.01, **options)
atexit.register(lambda: began.append(time.monotonic()))  # the first one
"""


def once_within(limit: float, measure: Callable[[], float]) -> bool:
    """In one of three tries: what else the machine does is not the library's."""
    return any(measure() < limit for _ in range(3))


def seconds_to_exit(url: str, key: str, folder: pathlib.Path, text: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", EXIT + textwrap.dedent(text), url, key, folder],
        capture_output=True,
        text=True,
        timeout=60,
        env=kit.environment("python"),
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


NOTHING_TO_SEND = {
    "made": "client = make()",
    "flushed": "client = make(); client.track(EVENT); assert client.flush(20).complete",
    "spooled": """
        client = make(spool=FOLDER + "/spool", spool_mode="durable")
        client.track(EVENT)
        assert client.flush(20).complete
        """,
    "a call that hangs": """
        client = make()
        threading.Thread(target=lambda: client.cohorts.list(), daemon=True).start()
        while len(os.listdir("/proc/self/task")) < 3:  # this, the caller's, the client's
            time.sleep(0.001)
        """,
}


@pytest.mark.parametrize("used", NOTHING_TO_SEND)
def test_an_end_with_nothing_to_send_costs_nothing(
    emulator: tidewheel.Emulator, black_hole: str, tmp_path: pathlib.Path, used: str
) -> None:
    url = black_hole if used == "a call that hangs" else emulator.url
    text = NOTHING_TO_SEND[used]
    key = emulator.api_key
    assert once_within(0.05, lambda: seconds_to_exit(url, key, tmp_path, text))


@pytest.mark.parametrize("clients", [1, 5])
@pytest.mark.parametrize("mode", ["memory", "fast"])
@pytest.mark.parametrize("where", ["silent", "dead"])
def test_an_end_with_queued_events_takes_two_seconds_at_most(
    black_hole: str, tmp_path: pathlib.Path, where: str, mode: str, clients: int
) -> None:
    """All clients together; half a second is for all that is not waiting (P6)."""
    spool = 'spool=f"{FOLDER}/spool{i}"' if mode == "fast" else ""
    text = f"""
        clients = [make({spool}) for i in range({clients})]
        for client in clients:
            client.track(EVENT)
        """
    url = black_hole if where == "silent" else "http://127.0.0.1:1"
    assert once_within(2.5, lambda: seconds_to_exit(url, "emu-key", tmp_path, text))


LUA_ENDS = {
    "at its last line": "",
    "by an error": 'error "the end"',
    "by os.exit": "os.exit(0)",
    "by os.exit and lua_close": "os.exit(0, true)",
}


@pytest.mark.parametrize("language", ["lua5.4", "luajit"])
@pytest.mark.parametrize("end", LUA_ENDS)
def test_the_end_of_a_lua_state_keeps_what_is_spooled(
    emulator: tidewheel.Emulator,
    black_hole: str,
    tmp_path: pathlib.Path,
    end: str,
    language: str,
) -> None:
    """A request is under way, jobs and callbacks are open: it waits for none of them."""
    (tmp_path / "end.lua").write_text(
        f"""
        local tw = require "tidewheel"
        local notes = assert(io.open({str(tmp_path / "notes")!r}, "a"))
        notes:setvbuf "no"
        local client = assert(tw.new {{
          api_key = {emulator.api_key!r}, secret_key = {emulator.secret_key!r},
          base_url = {black_hole!r}, spool = {str(tmp_path / "spool")!r}, flush_interval = 0.001,
          on_outcome = function() print "called" end,
        }})
        for n = 0, 99 do
          local id = "lua-" .. n
          notes:write("call " .. id .. "\\n")
          assert(client:track {{
            event_type = "e", user_id = "user-1", insert_id = id,
            event_properties = {{ text = ("%s:%d"):format(id, n * n) }},
          }})
          notes:write("ok " .. id .. "\\n")
        end
        KEEP = {{
          client:flush_start(function() print "called" end), client:flush_start(),
          client:export {{ start = "20260101T00", stop = "20260101T01" }},
          client.cohorts:list_start(),
        }}
        while client:stats().requests == 0 do end
        {LUA_ENDS[end]}
        """
    )
    began = time.monotonic()
    done = subprocess.run(
        [language, str(tmp_path / "end.lua")],
        capture_output=True,
        text=True,
        timeout=60,
        env=kit.environment(language),
    )
    assert time.monotonic() - began < 2  # the request alone would take 30
    assert (done.returncode, done.stdout) == (int(end == "by an error"), ""), done.stderr
    case = {
        "url": emulator.url,
        "api_key": emulator.api_key,
        "run": "none",
        "first": 0,
        "events": 0,
        "users": 1,
        "notes": tmp_path / "notes",
        "flush": 20,
        "close": 0,
        "drain": 1,
        "option.spool": tmp_path / "spool",
    }
    assert kit.drive(language, case).said["stats"]["stored"] == 100
    world = ledger.World(
        ledger.read_notes(tmp_path / "notes"),
        [],
        list(emulator.ledger()),
        kit.exported(emulator),
        killed=True,
    )
    assert ledger.check(world) == []


# ---- Ctrl-C -------------------------------------------------------------------------------------

PYTHON_WAITS = {
    "flush": "client.flush(30)",
    "drain": "client.drain(30)",
    "close": "client.close(30)",
    "track": "while True: client.track(EVENT)",
    "track_many": "client.track_many(EVENT for _ in range(9))",
    "export": "next(client.export('20260101T00', '20260101T01'))",
    "download": "next(client.cohorts.download('c1'))",
    "list": "client.cohorts.list()",
}
LUA_WAITS = {
    "flush": "client:flush(30)",
    "drain": "client:drain(30)",
    "close": "client:close(30)",
    "track": "while true do client:track(EVENT) end",
    "track_many": "client:track_many { EVENT, EVENT, EVENT }",
    "export": "client:export{ start = '20260101T00', stop = '20260101T01' }()",
    "download": "client.cohorts:download('c1'):ids()()",
    "list": "client.cohorts:list()",
    "wait": "client.cohorts:list_start():wait(30)",
}

PYTHON_INTERRUPTED = """
import sys, time, tidewheel
EVENT = {{"event_type": "e", "user_id": "user-1"}}
for _ in range(9):
    client = tidewheel.Client("emu-key", "emu-secret", base_url=sys.argv[1], timeout=60,
        queue_events=1, on_queue_full="block", block_timeout=60, flush_interval=0)
    client.track(EVENT)
    try:
        print("ready", flush=True)
        {wait}
    except KeyboardInterrupt:
        print(time.monotonic(), flush=True)
    client.close(0)
"""
LUA_INTERRUPTED = """
local tw = require "tidewheel"
io.stdout:setvbuf "no"
local EVENT = {{ event_type = "e", user_id = "user-1" }}
local client = assert(tw.new {{ api_key = "emu-key", secret_key = "emu-secret", base_url = arg[1],
  timeout = 60, queue_events = 1, on_queue_full = "block", block_timeout = 60,
  flush_interval = 0 }})
assert(client:track(EVENT))
print "ready"
local ok, err = pcall(function() {wait} end)
print(("%.6f"):format(tw.clock()))
assert(not ok and tostring(err):find "interrupted!", err)
client:close(0)
"""


def sleeping(pid: int) -> bool:
    """Whether the main thread waits for something."""
    return pathlib.Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(") ")[2][0] == "S"


def interrupt(process: subprocess.Popen[str]) -> float:
    """Ctrl-C once it waits; the seconds until the program had it."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    seen = 0
    while seen < 20:  # not a lock on its way there
        assert process.poll() is None
        seen = seen + 1 if sleeping(process.pid) else 0
        time.sleep(0.0005)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    return float(process.stdout.readline()) - began


@contextlib.contextmanager
def running(command: list[str], language: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=kit.environment(language),
    )
    with process:
        try:
            yield process
            _, errors = process.communicate(timeout=20)
            assert process.returncode == 0, errors
        finally:
            process.kill()


CTRL_C_SECONDS = 0.01


@pytest.mark.parametrize("wait", PYTHON_WAITS)
def test_ctrl_c_in_python(black_hole: str, wait: str) -> None:
    """The median of nine: a wait that looks now and then would need half of that on average."""
    text = PYTHON_INTERRUPTED.format(wait=PYTHON_WAITS[wait])

    def measure() -> float:
        with running([sys.executable, "-c", text, black_hole], "python") as process:
            return statistics.median(interrupt(process) for _ in range(9))

    assert once_within(CTRL_C_SECONDS, measure)


@pytest.mark.parametrize("language", ["lua5.4", "luajit"])
@pytest.mark.parametrize("wait", LUA_WAITS)
def test_ctrl_c_in_lua(black_hole: str, tmp_path: pathlib.Path, language: str, wait: str) -> None:
    (tmp_path / "wait.lua").write_text(LUA_INTERRUPTED.format(wait=LUA_WAITS[wait]))

    def measure() -> float:  # the interpreter takes one Ctrl-C; the next one would kill it
        with running([language, str(tmp_path / "wait.lua"), black_hole], language) as process:
            return interrupt(process)

    assert once_within(CTRL_C_SECONDS, lambda: statistics.median(measure() for _ in range(9)))
