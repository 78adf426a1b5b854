# SPDX-License-Identifier: MIT
"""kill -9: at random, at each change of the disk, at each system call (E17, P1 and P4)."""

from __future__ import annotations

import os
import pathlib
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import kit
import ledger
import pytest

import tidewheel

LADDER = os.environ.get("TIDEWHEEL_LADDER", "T0")
KILLS = {
    "T0": {"c": 160, "python": 20, "lua5.4": 20},
    "T1": {"c": 2000, "python": 300, "lua5.4": 300},
    "T2": {"c": 10000, "python": 1000, "lua5.4": 1000},
}[LADDER]
POINTS = {"T0": 14, "T1": 10**6, "T2": 10**6}[LADDER]  # of each scenario
LATE_MS = 10**6  # of the emulator's clock
DEAD = "http://127.0.0.1:1"


class Place:
    """An emulator and a spool that outlive the drivers."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.emulator = tidewheel.Emulator(throttle=False, journal=False)

    def renew(self) -> None:
        """Another server, another spool: what a killed driver had sent and the server has not
        looked at yet does not meet the next one, whose events have the same names."""
        self.emulator.close()
        self.emulator = tidewheel.Emulator(throttle=False, journal=False)
        shutil.rmtree(self.folder / "spool", ignore_errors=True)
        for notes in self.folder.glob("notes-*"):
            notes.unlink()

    def case(self, mode: str, first: int, events: int, **more: Any) -> dict[str, Any]:
        options = kit.OPTIONS | {"spool": self.folder / "spool", "spool_mode": mode}
        options |= {"flush_interval": 0.002, "batch_events": 40}
        return {
            "url": self.emulator.url,
            "api_key": self.emulator.api_key,
            "run": "kill",
            "first": first,
            "events": events,
            "users": 500,
            # One file each: a kill may leave half a line, which must be the last of its file.
            "notes": self.folder / f"notes-{first}",
            "flush": 20,
            "close": 0,
            **{f"option.{name}": value for name, value in options.items()},
            **more,
        }

    def drain(self, mode: str = "fast") -> None:
        """The last process: sends all that the killed ones left, then nothing may be there."""
        outcome = kit.drive("c", self.case(mode, 0, 0, drain=1))
        assert outcome.code == 0, outcome.errors
        assert outcome.said["stats"]["waiting"] == 0, outcome.said
        assert [path.name for path in (self.folder / "spool").iterdir()] == []

    def notes(self) -> ledger.Notes:
        return ledger.read_notes(*self.folder.glob("notes-*"))

    def problems(self, contents: bool = True) -> list[str]:
        notes = self.notes()
        stored = kit.exported(self.emulator) if contents else None
        return ledger.check(
            ledger.World(notes, [], list(self.emulator.ledger()), stored, killed=True)
        )


@pytest.fixture
def place(tmp_path: pathlib.Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.emulator.close()


def until(process: subprocess.Popen[str], case: dict[str, Any], accepted: int) -> None:
    """Waits until a driver has accepted so many, however long its disk takes."""
    notes = case["notes"]
    while not notes.exists() or notes.read_bytes().count(b"ok ") < accepted:
        assert process.poll() is None, process.communicate()


@pytest.mark.parametrize("language", KILLS)
@pytest.mark.parametrize("mode", ["fast", "durable"])
def test_random_kills(place: Place, language: str, mode: str) -> None:
    """Each process goes on where the one before was killed; one in four finds a failing server."""
    chance = random.Random(f"{language} {mode}")
    kills = KILLS[language] // 2
    first = 0
    for i in range(kills):
        trouble = [
            {"when": "after_commit", "match": {"prob": 0.3}, "do": {"close": "rst"}},
            {"when": "before_commit", "match": {"prob": 0.3}, "do": {"status": 503}},
        ]
        place.emulator.faults(*(trouble if i % 4 == 0 else []))
        case = place.case(mode, first, 1500)  # the server's ledger has two million
        process = kit.start(language, case)
        until(process, case, 1)
        time.sleep(chance.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        first += 1500
        if i % 40 == 39 or i == kills - 1:  # a full spool would accept nothing
            place.emulator.faults()
            place.drain(mode)
    assert place.problems() == []
    accepted = len(place.notes().accepted)
    assert accepted >= kills
    print(f"\n{language} {mode}: {kills} kills, {accepted} accepted events, 0 missing, 0 twice")


def arrive(place: Place, requests: int) -> None:
    """What the dead had sent comes late, after the next process has sent the same."""
    place.emulator.switch(journal=True)
    place.emulator.advance(LATE_MS / 1000)
    while len(place.emulator.journal()) < requests:
        pass


@pytest.mark.parametrize("mode", ["fast", "durable"])
def test_random_kills_while_changes_are_merged(place: Place, mode: str) -> None:
    """A killed process leaves events with and without their carriers. The next one sends them all,
    and the users are what one change after the other makes of them."""
    chance = random.Random(f"merged {mode}")
    kills = KILLS["c"] // 8
    # Users take turns: the server takes 1,800 changes of one in an hour.
    users = {"fast": 10, "durable": 2}[mode]
    merged = {"changes": 1, "users": users, "option.coalesce_identify": True}
    whole = kit.drive("c", place.case(mode, 0, 30, **merged, **{"option.flush_interval": 30}))
    assert whole.said["stats"]["merged"] > 0, whole
    place.renew()
    accepted = sent = lates = 0
    for i in range(kills):
        late = {"when": "before_commit", "match": {"every": 2}, "do": {"stall_ms": LATE_MS}}
        cut = {"when": "after_commit", "match": {"prob": 0.3}, "do": {"close": "rst"}}
        place.emulator.faults(*[[cut], [late], [], []][i % 4])
        merged["option.flush_interval"] = [0.005, 0.05, 0.5][i % 3]
        case = place.case(mode, 0, 9000, **merged)
        process = kit.start("c", case)
        until(process, case, chance.randint(1, {"fast": 6000, "durable": 200}[mode]))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        used = sum(fault["used"] for fault in place.emulator._control("GET", "/faults"))
        place.emulator.faults()
        place.drain(mode)
        if i % 4 == 1:
            arrive(place, used)
            lates += used
        notes = ledger.read_notes(case["notes"])
        accounts = list(place.emulator.ledger())
        assert [a for a in accounts if a["committed"] > 1 or a["variants"]] == []
        assert kit.changed(place.emulator, notes, users) == []
        accepted += len(notes.accepted)
        sent += sum(account["committed"] for account in accounts)
        place.renew()
    print(
        f"\nmerged, {mode}: {kills} kills, {accepted} accepted changes in {sent} events, "
        f"{lates} requests late: 0 missing, 0 twice, no user other than it should be"
    )


# ---- a kill at every point ----------------------------------------------------------------------


def fresh(place: Place) -> dict[str, Any]:
    """A new spool: accept, send, acknowledge, remove."""
    return place.case("durable", 1000, 20, **{"option.batch_events": 5})


def inherited(place: Place) -> dict[str, Any]:
    """The spool of a dead process is taken over and sent."""
    dead = place.case("durable", 0, 30, url=DEAD, flush=0.05)
    kit.start("c", dead).communicate(timeout=20)
    return place.case("durable", 1000, 5, drain=1)


def failing(place: Place) -> dict[str, Any]:
    """The server fails: marks, repetitions, and a close with events left."""
    place.emulator.faults(
        {"when": "after_commit", "match": {"every": 2}, "do": {"close": "rst"}},
        {"when": "before_commit", "match": {"every": 3}, "do": {"status": 503}},
    )
    return place.case("durable", 1000, 20, flush=0.3, **{"option.batch_events": 5})


SCENARIOS = {"fresh": fresh, "inherited": inherited, "failing": failing}


def calls_of(place: Place, name: str) -> int:
    """How many changes of the disk a scenario makes: the last point at which a kill takes."""
    low, high = 0, 1
    while killed(place, name, high, 1):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if killed(place, name, middle, 1) else (low, middle)
    return low


def killed(place: Place, name: str, nth: int, when: int) -> bool:
    place.renew()
    case = SCENARIOS[name](place)
    env = {"LD_PRELOAD": str(kit.shim()), "TW_SHIM": f"disk:kill={when}:nth={nth}"}
    process = kit.start("c", case, **env)
    process.communicate(timeout=60)
    return process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("when", [1, 2], ids=["before", "after"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_kill_at_every_change_of_the_disk(place: Place, name: str, when: int) -> None:
    count = calls_of(place, name)
    assert count > 10
    points = sorted(
        {1 + i * count // POINTS for i in range(POINTS)}
        if count > POINTS
        else set(range(1, count + 1))
    )
    kills = 0
    for nth in points:
        # Threads take turns in another order each time: a run may make fewer calls.
        if not any(killed(place, name, nth, when) for _ in range(5)):
            continue
        kills += 1
        place.emulator.faults()
        place.drain("durable")
        assert place.problems(contents=False) == [], f"{name}: killed {when} call {nth}"
    assert kills > len(points) // 2
    print(f"\n{name}: {kills} of {count} points, {'before' if when == 1 else 'after'} each")


# ---- with strace: every system call, not only the disk's ----------------------------------------


def ptrace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "true"]
    return subprocess.run(command, capture_output=True).returncode == 0


CALLS = (
    "pwrite64,write,fdatasync,fsync,ftruncate,fallocate,renameat,unlinkat,openat,flock,"
    "close,connect,sendto,recvfrom,poll,futex,clone3,mmap,munmap,fcntl"
)


@pytest.mark.skipif(LADDER == "T0", reason="the full ladder does it (TIDEWHEEL_LADDER=T1)")
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_kill_at_every_system_call(place: Place, name: str) -> None:
    if not ptrace_works():
        pytest.skip("strace is not installed, or this machine does not permit ptrace")
    points = 0
    for call in CALLS.split(","):
        nth = 0
        while True:
            nth += 1 if nth < 40 else 7
            place.renew()
            case = SCENARIOS[name](place)
            inject = f"inject={call}:signal=SIGKILL:when={nth}"
            command = [
                "strace",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                f"trace={call}",
                "-e",
                inject,
            ]
            done = subprocess.run(
                [*command, *kit.command("c")],
                input=kit.case_text(case),
                capture_output=True,
                text=True,
                timeout=60,
                env=kit.environment("c"),
            )
            place.emulator.faults()
            if done.returncode == 0:
                break  # the program ended before its n-th such call
            points += 1
            place.drain("durable")
            assert place.problems(contents=False) == [], f"{name}: killed at {call} {nth}"
    print(f"\n{name}: killed at {points} system calls")
