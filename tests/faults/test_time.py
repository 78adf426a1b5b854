# SPDX-License-Identifier: MIT
"""Clocks that jump (L01 to L03), made by libfaketime under each driver."""

from __future__ import annotations

import glob
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import kit
import pytest

FOUND = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
# "lua5.4" stands for both Luas: the clock is the core's.
LANGUAGES = ("c", "python", "lua5.4")

pytestmark = pytest.mark.skipif(not FOUND, reason="the Debian package libfaketime is not installed")


class Clock:
    """The time a driver sees; `jump` changes it while the driver runs."""

    def __init__(self, folder: pathlib.Path, at: str) -> None:
        self.file = folder / "faketime"
        self.jump(at)
        self.env = {
            "LD_PRELOAD": FOUND[0],
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
        }

    def jump(self, to: str) -> None:
        self.file.write_text(to + "\n")


@pytest.fixture
def flapping() -> dict[str, Any]:
    """Ten small requests, several of which fail once: back-offs run while the clock jumps.

    Each third fails, not each second: the clock may jump while a request is stored, which then has
    timed out. The next attempt would fail, and so would the third, after another batch was stored:
    the client would take this batch for one that breaks the server, and halve it five times.
    """
    return {
        "id": "L01",
        "events": 100,
        "options": {"batch_events": 10, "backoff_first": 0.1, "backoff_max": 0.2},
        "plan": [{"when": "before_commit", "match": {"every": 3}, "do": {"status": 503}}],
        "expect": {"requests_most": 20},
    }


def jumping(clock: Clock, *jumps: str) -> Iterator[threading.Timer]:
    for i, jump in enumerate(jumps):
        timer = threading.Timer(0.3 + 0.2 * i, clock.jump, (jump,))
        timer.start()
        yield timer


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mode", kit.MODES)
def test_the_wall_clock_jumps(
    flapping: dict[str, Any], language: str, mode: str, tmp_path: pathlib.Path
) -> None:
    clock = Clock(tmp_path, "+0")
    env = clock.env | {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    timers = list(jumping(clock, "+1h", "-1h", "+1y", "-1y"))
    problems = kit.run_row(flapping | {"env": env}, language, mode, tmp_path)
    for timer in timers:
        timer.join()
    assert problems == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mode", kit.MODES)
def test_a_clock_before_2010(
    flapping: dict[str, Any], language: str, mode: str, tmp_path: pathlib.Path
) -> None:
    clock = Clock(tmp_path, "@2005-01-01 00:00:00")
    env = clock.env | {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    timers = list(jumping(clock, "+0"))
    row = flapping | {"env": env, "expect": flapping["expect"] | {"clock_suspect_least": 1}}
    problems = kit.run_row(row, language, mode, tmp_path)
    for timer in timers:
        timer.join()
    assert problems == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mode", kit.MODES)
def test_eight_hours_asleep(
    flapping: dict[str, Any], language: str, mode: str, tmp_path: pathlib.Path
) -> None:
    """Both clocks go on by eight hours at once: timers fire once, and no burst follows."""
    clock = Clock(tmp_path, "+0")
    timers = list(jumping(clock, "+8h"))
    # What had a deadline is over after eight hours, so the flush ends early: close goes on.
    expect = flapping["expect"] | {"flush": "ok|timeout", "in_time": False}
    row = flapping | {"env": clock.env, "close_s": 20, "expect": expect}
    problems = kit.run_row(row, language, mode, tmp_path)
    for timer in timers:
        timer.join()
    assert problems == []
