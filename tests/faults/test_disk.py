# SPDX-License-Identifier: MIT
"""What happens to the files of a spool between two processes (E05 to E14, C14, C15)."""

from __future__ import annotations

import glob
import json
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Any

import kit
import ledger
import pytest

import tidewheel

DEAD = "http://127.0.0.1:1"
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
HOUR = 3600


class Place:
    """An emulator, a folder, and drivers that take turns with one spool."""

    def __init__(self, emulator: tidewheel.Emulator, folder: pathlib.Path) -> None:
        self.emulator = emulator
        self.folder = folder
        self.spool = folder / "spool"
        self.next = 0
        self.reports: list[ledger.Report] = []

    def case(self, events: int, url: str | None, **more: Any) -> dict[str, Any]:
        options = kit.OPTIONS | {"spool": self.spool, "spool_mode": "durable"}
        first, self.next = self.next, self.next + events
        return {
            "url": url or self.emulator.url,
            "api_key": self.emulator.api_key,
            "run": "disk",
            "first": first,
            "events": events,
            "users": 20,
            "notes": self.folder / "notes",
            "flush": 0.1 if url == DEAD else 20,
            "close": 0,
            "drain": 1,
            **{f"option.{name}": value for name, value in options.items()},
            **more,
        }

    def drive(self, language: str, events: int, url: str | None = None, **env: str) -> Any:
        outcome = kit.drive(language, self.case(events, url), **env)
        assert outcome.code == 0, outcome.errors
        self.reports.append(outcome.report)
        return outcome.said["stats"]

    def world(self) -> ledger.World:
        return ledger.World(
            ledger.read_notes(self.folder / "notes"),
            self.reports,
            list(self.emulator.ledger()),
            kit.exported(self.emulator),
        )

    def files(self, pattern: str) -> list[pathlib.Path]:
        return sorted(self.spool.glob(pattern))


@pytest.fixture
def place(tmp_path: pathlib.Path) -> Iterator[Place]:
    with tidewheel.Emulator(throttle=False) as emulator:
        yield Place(emulator, tmp_path)


@pytest.mark.parametrize("language", kit.LANGUAGES)
def test_what_one_process_leaves_the_next_one_sends(place: Place, language: str) -> None:
    for _ in range(3):
        assert place.drive(language, 50, DEAD)["waiting"] >= 50
    stats = place.drive(language, 10)
    assert (stats["recovered"], stats["stored"], stats["waiting"]) == (150, 160, 0)
    assert ledger.check(place.world()) == []
    assert place.files("*.seg") + place.files("*.ack") == [], "what is done leaves no file"


@pytest.mark.parametrize("language", kit.LANGUAGES)
def test_a_disk_that_cannot_read_costs_nothing_later(place: Place, language: str) -> None:
    place.drive(language, 50, DEAD)
    env = {"LD_PRELOAD": str(kit.shim()), "TW_SHIM": "pread:error=EIO:count=0"}
    stats = kit.drive(language, place.case(0, None), **env).said["stats"]
    assert stats["stored"] == 0
    place.drive(language, 0)
    assert {a["insert_id"] for a in place.emulator.ledger() if a["committed"] == 1} == {
        f"disk-{n}" for n in range(50)
    }


@pytest.mark.parametrize("language", kit.LANGUAGES)
def test_a_file_that_cannot_be_read_keeps_no_other_back(place: Place, language: str) -> None:
    """Of two the notes and the records of the first one read fail."""
    for _ in range(2):
        place.drive(language, 50, DEAD)
    env = {"LD_PRELOAD": str(kit.shim()), "TW_SHIM": "pread:error=EIO:count=2"}
    stats = kit.drive(language, place.case(0, None), **env).said["stats"]
    assert (stats["recovered"], stats["stored"], stats["lost"]) == (50, 50, 0)
    place.drive(language, 0)
    assert {a["insert_id"] for a in place.emulator.ledger() if a["committed"] == 1} == {
        f"disk-{n}" for n in range(100)
    }


@pytest.mark.parametrize("language", kit.LANGUAGES)
def test_what_is_not_ours_stays_and_what_is_there_twice_is_sent_once(
    place: Place, language: str
) -> None:
    place.drive(language, 50, DEAD)
    (segment,) = place.files("*.seg")
    head, project, lane, first = segment.stem.split("-")
    strangers = [
        f"copy of {segment.name}",
        f"tw2-{project}-{lane}-{first}.seg",
        f"{head}-{'0' * len(project)}-{lane}-{first}.seg",
    ]
    other_lane = f"{head}-{project}-{int(lane, 16) + 1:0{len(lane)}x}-{first}.seg"
    for name in (*strangers, other_lane):
        (place.spool / name).write_bytes(segment.read_bytes())
    (place.spool / "folder").mkdir()
    (place.spool / "link").symlink_to("/etc/passwd")
    before = {name: (place.spool / name).read_bytes() for name in strangers}
    stats = place.drive(language, 10)
    assert (stats["recovered"], stats["stored"], stats["waiting"]) == (50, 60, 0)
    assert ledger.check(place.world()) == []
    assert {name: (place.spool / name).read_bytes() for name in strangers} == before
    assert (place.spool / "folder").is_dir()
    assert (place.spool / "link").is_symlink()
    assert segment not in place.files("*.seg")


@pytest.mark.parametrize("language", kit.LANGUAGES)
@pytest.mark.parametrize("keep", [0.01, 0.3, 0.6, 0.99])
def test_a_torn_tail_costs_no_accepted_event(place: Place, keep: float, language: str) -> None:
    """A process is killed, and of the last record it was writing only a part is there."""
    process = kit.start(language, place.case(50, DEAD, flush=30))
    notes = place.folder / "notes"
    while not notes.exists() or notes.read_text().count("ok ") < 50:
        assert process.poll() is None
    process.kill()
    process.communicate()
    (segment,) = place.files("*.seg")
    data = segment.read_bytes().rstrip(b"\0")
    last = data.rindex(b"\xf9\xc1\xfe\xd7")
    segment.write_bytes(data[: last + max(1, int((len(data) - last) * keep))])
    stats = place.drive(language, 0)
    stored = {a["insert_id"] for a in place.emulator.ledger() if a["committed"]}
    assert stored == {f"disk-{n}" for n in range(49)}
    assert stats["waiting"] == 0


@pytest.mark.parametrize("language", kit.LANGUAGES)
def test_a_flipped_bit_costs_one_event_and_is_counted(place: Place, language: str) -> None:
    place.drive(language, 50, DEAD)
    (segment,) = place.files("*.seg")
    data = bytearray(segment.read_bytes())
    at = data.index(b'"disk-17"')
    data[at + 2] ^= 1
    segment.write_bytes(data)
    stats = place.drive(language, 0)
    assert (stats["stored"], stats["lost"], stats["waiting"]) == (49, 1, 0)
    stored = {a["insert_id"] for a in place.emulator.ledger() if a["committed"]}
    assert stored == {f"disk-{n}" for n in range(50)} - {"disk-17"}


def test_processes_share_a_spool(place: Place) -> None:
    """Six at once, against a server that fails half of the time."""
    place.emulator.faults(
        {"when": "before_commit", "match": {"prob": 0.2}, "do": {"status": 503}},
        {"when": "after_commit", "match": {"prob": 0.2}, "do": {"close": "rst"}},
    )
    started = []
    for language in ("c", "c", "c", "python", "lua5.4", "luajit"):
        case = place.case(200, None, **{"option.batch_events": 20, "option.flush_interval": 0.01})
        started.append(kit.start(language, case))
    for process in started:
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        place.reports.append(kit.Outcome(0, json.loads(out), errors, 0).report)
    place.emulator.faults()
    place.drive("c", 0)
    world = place.world()
    assert len(world.notes.accepted) == 1200
    assert ledger.check(world) == []


def refused(place: Place, language: str, **env: str) -> str:
    outcome = kit.drive(language, place.case(1, None), **env)
    assert outcome.code != 0
    return outcome.errors


@pytest.mark.parametrize("language", kit.LANGUAGES)
def test_a_folder_without_locks_is_refused(place: Place, language: str) -> None:
    env = {"LD_PRELOAD": str(kit.shim()), "TW_SHIM": "flock:error=ENOLCK:count=0"}
    assert "lock" in refused(place, language, **env)


@pytest.mark.parametrize("language", kit.LANGUAGES)
def test_an_unsafe_folder_is_refused(place: Place, language: str) -> None:
    place.spool.mkdir(mode=0o700)
    place.spool.chmod(0o777)
    assert "spool" in refused(place, language)
    place.spool.rmdir()
    (place.folder / "elsewhere").mkdir(mode=0o700)
    place.spool.symlink_to(place.folder / "elsewhere")
    assert "spool" in refused(place, language)


@pytest.mark.skipif(not FAKETIME, reason="the Debian package libfaketime is not installed")
@pytest.mark.parametrize(("age", "sent"), [(6 * 24 + 19, True), (6 * 24 + 21, False)])
def test_what_is_older_than_the_servers_memory_is_not_sent_again(
    place: Place, age: int, sent: bool
) -> None:
    """The first attempt was stored, its answer lost. After seven days the server forgets it."""
    place.emulator.faults({"when": "after_commit", "do": {"close": "rst"}})
    kit.drive("c", place.case(50, None, flush=0.3))
    place.emulator.faults()
    before = len(place.emulator.journal())
    assert before > 0
    env = {"LD_PRELOAD": FAKETIME[0], "FAKETIME": f"+{age}h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    stats = kit.drive("c", place.case(0, None), **env).said["stats"]
    requests = len(place.emulator.journal()) - before
    accounts = list(place.emulator.ledger())
    assert [a["committed"] for a in accounts] == [1] * 50
    assert (stats["stored"], stats["uncertain"], requests) == ((50, 0, 1) if sent else (0, 50, 0))


def test_another_key_leaves_the_events_alone(place: Place) -> None:
    place.drive("c", 50, DEAD)
    with tidewheel.Emulator(api_key="emu-another-key") as other:
        case = place.case(0, other.url) | {"api_key": other.api_key}
        stats = kit.drive("c", case).said["stats"]
        assert stats["recovered"] == 0
        assert list(other.ledger()) == []
    place.drive("c", 0)
    assert ledger.check(place.world()) == []


def test_no_file_holds_a_credential(place: Place) -> None:
    place.drive("python", 50, DEAD)
    found = subprocess.run(
        ["grep", "-r", "-a", "-c", place.emulator.api_key, str(place.spool)],
        capture_output=True,
        text=True,
    )
    assert all(line.endswith(":0") for line in found.stdout.splitlines())
    assert oct(place.spool.stat().st_mode & 0o777) == "0o700"
    assert {oct(p.stat().st_mode & 0o777) for p in place.spool.iterdir()} == {"0o600"}
