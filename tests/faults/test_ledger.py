# SPDX-License-Identifier: MIT
"""The oracle itself: it passes a true record and catches every one of these lies."""

from __future__ import annotations

import copy
import pathlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from ledger import Notes, Report, World, check, content_of, read_notes

SOURCE = pathlib.Path(__file__).with_name("ledger.py")


def account(event_id: str, committed: int = 1, **more: int) -> dict[str, Any]:
    counts = {"received": 2, "committed": committed, "duplicate": committed, "applied": 0}
    return {"insert_id": event_id, "variants": 0, **counts, **more}


def truth() -> World:
    """102 calls: 90 stored, 3 rejected, 2 refused, 3 on disk, 1 expired, 1 uncertain, 2 merged."""
    ids = [f"run-{n}" for n in range(102)]
    stored, rejected, refused, spooled = ids[:90], ids[90:93], ids[93:95], ids[95:98]
    stats = {
        "accepted": 100,
        "stored": 89,  # the answer to one of the 90 was lost
        "rejected": 3,
        "uncertain": 2,
        "expired": 1,
        "dropped": 0,
        "merged": 2,
        "waiting": 3,
    }
    return World(
        notes=Notes(ids[:], [i for i in ids if i not in refused], refused),
        reports=[
            Report(
                stats,
                rejected,
                [
                    *((i, "stored") for i in ids[:89]),
                    *((i, "rejected") for i in rejected),
                    *((ids[89], "uncertain"), (ids[98], "expired"), (ids[99], "uncertain")),
                    *((i, "merged") for i in ids[100:]),
                ],
                {ids[100]: ids[1], ids[101]: ids[1]},
            )
        ],
        accounts=[account(i) for i in stored]
        + [account(i, 0) for i in rejected]
        + [account(ids[99], 0)],
        contents={i: content_of(i) for i in stored},
        spooled=set(spooled),
    )


def lose_one(w: World) -> None:
    w.accounts.pop(7)
    assert w.contents is not None
    w.contents.pop("run-7")


def never_commit(w: World) -> None:
    w.accounts[7].update(committed=0, duplicate=0)
    assert w.contents is not None
    w.contents.pop("run-7")


def swap_two_contents(w: World) -> None:
    assert w.contents is not None
    w.contents["run-3"], w.contents["run-4"] = w.contents["run-4"], w.contents["run-3"]


def change_a_byte(w: World) -> None:
    assert w.contents is not None
    w.contents["run-5"] = w.contents["run-5"][:-1] + "x"


def cut_a_text(w: World) -> None:
    assert w.contents is not None
    w.contents["run-5"] = w.contents["run-5"][:-1]


def hide_from_the_export(w: World) -> None:
    assert w.contents is not None
    w.contents.pop("run-8")


def stats(**change: int) -> Callable[[World], None]:
    def lie(w: World) -> None:
        for name, by in change.items():
            w.reports[0].stats[name] += by

    return lie


def ends(changed: tuple[str, str]) -> Callable[[World], None]:
    """One event is told another end, and the counts fit."""

    def lie(w: World) -> None:
        report = w.reports[0]
        assert report.ends is not None
        (old,) = [state for i, state in report.ends if i == changed[0]]
        report.ends = [changed if i == changed[0] else (i, state) for i, state in report.ends]
        report.stats[old] -= 1
        report.stats[changed[1]] += 1

    return lie


def export_a_stranger(w: World) -> None:
    assert w.contents is not None
    w.contents["run-93"] = content_of("run-93")


def reject_a_stranger(w: World) -> None:
    w.reports[0].rejected[0] = "other-1"


# What is told of the lie, and the lie.
LIES: dict[str, tuple[str, Callable[[World], object]]] = {
    "a stored event vanished": ("P1: 1 accepted events are missing", lose_one),
    "an event that was received was never stored": ("told stored and is not", never_commit),
    "an event was stored twice": (
        "was stored 2 times",
        lambda w: w.accounts[7].update(committed=2, received=3),
    ),
    "an event was sent again with a byte changed": (
        "sent again with other bytes",
        lambda w: w.accounts[7].update(variants=1),
    ),
    "two contents were swapped": ("is not what was tracked", swap_two_contents),
    "a byte of the stored text changed": ("is not what was tracked", change_a_byte),
    "the stored text was cut": ("is not what was tracked", cut_a_text),
    "a stored event is not in the export": ("is not in the export", hide_from_the_export),
    "an operation was applied twice": (
        "applied more often",
        lambda w: w.accounts[7].update(applied=2),
    ),
    "an event came from nowhere": (
        "was sent although nobody tracked it",
        lambda w: w.accounts.append(account("run-1000", 0)),
    ),
    "an account is there twice": (
        "has two accounts",
        lambda w: w.accounts.append(dict(w.accounts[3])),
    ),
    "more stored than received": (
        "stored more often than received",
        lambda w: w.accounts[3].update(received=1),
    ),
    "a refused event was sent": (
        "refused at the call and sent",
        lambda w: w.accounts.append(account("run-93", 0)),
    ),
    "a rejection was told twice": (
        "reported as rejected twice",
        lambda w: w.reports[0].rejected.append("run-90"),
    ),
    "a rejection was not told": ("3 rejected, 2 named", lambda w: w.reports[0].rejected.pop()),
    "the wrong event was blamed": (
        "told rejected and is stored",
        lambda w: w.reports[0].rejected.__setitem__(0, "run-12"),
    ),
    "a rejected event stayed on disk": (
        "told rejected and is in the spool",
        lambda w: (w.spooled or set()).add("run-91"),
    ),
    "an event vanished from the disk": (
        "3 were told waiting, 2 are on disk",
        lambda w: (w.spooled or set()).discard("run-95"),
    ),
    "the spool holds a stranger": (
        "in the spool although nobody tracked it",
        lambda w: (w.spooled or set()).add("other-1"),
    ),
    "one more told stored": ("91 were told stored, 90 are", stats(stored=2, uncertain=-2)),
    "an end that nobody named": ("named", stats(stored=-1, expired=1)),
    "a stored one told expired": ("told expired and is stored", ends(("run-7", "expired"))),
    "one that is not stored told stored": ("told stored and is not", ends(("run-99", "stored"))),
    "an end told twice": (
        "two ends were told",
        lambda w: w.reports[0].ends.append(("run-7", "stored")),
    ),
    "a merged one is stored": ("its carrier is None", ends(("run-7", "merged"))),
    "a stored one that was merged": (
        "told merged and is stored",
        lambda w: w.accounts.append(account("run-100")),
    ),
    "a merged one has no carrier": (
        "its carrier is None",
        lambda w: w.reports[0].carriers.pop("run-100"),
    ),
    "the carrier is carried": (
        "is carried itself",
        lambda w: w.reports[0].carriers.update({"run-100": "run-101"}),
    ),
    "the carrier is a stranger": (
        "was not tracked",
        lambda w: w.reports[0].carriers.update({"run-100": "other-1"}),
    ),
    "the carrier vanished": (
        "the operations of run-100 are missing",
        lambda w: w.reports[0].carriers.update({"run-100": "run-93"}),
    ),
    "one more told merged": ("3 merged, 2 named", stats(merged=1, expired=-1)),
    "the end of a stranger": (
        "told stored although nobody tracked it",
        lambda w: w.reports[0].ends.append(("other-7", "stored")),
    ),
    "an end that was not told": ("2 merged, 1 named", lambda w: w.reports[0].ends.pop()),
    "one accepted too few": ("accepted 99, noted 100", stats(accepted=-1, expired=-1)),
    "the sum does not add up": ("is not what was accepted", stats(waiting=1)),
    "one told waiting that is not": (
        "4 were told waiting, 3 are on disk",
        stats(waiting=1, uncertain=-1),
    ),
    "a call noted twice": ("was called twice", lambda w: w.notes.calls.append("run-1")),
    "accepted twice": ("was accepted twice", lambda w: w.notes.accepted.append("run-1")),
    "accepted without a call": ("accepted without a call", lambda w: w.notes.calls.remove("run-1")),
    "accepted and refused": ("accepted and refused", lambda w: w.notes.refused.append("run-1")),
    "an acceptance forgotten": (
        "accepted 100, noted 99",
        lambda w: w.notes.accepted.remove("run-1"),
    ),
    "the export knows one that was never stored": ("in the export alone", export_a_stranger),
    "a stranger was rejected": ("rejected although nobody tracked it", reject_a_stranger),
    "stored ones told expired": (
        "some were told to have ended otherwise",
        stats(stored=-9, expired=9),
    ),
    "more rejected than named": ("4 rejected, 3 named", stats(rejected=1, uncertain=-1)),
}


def test_the_truth_passes() -> None:
    assert check(truth()) == []


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_caught(lie: str) -> None:
    world = truth()
    before = copy.deepcopy(world)
    what, tell = LIES[lie]
    tell(world)
    assert world != before, "the lie changed nothing"
    assert [line for line in check(world) if what in line] != []


def test_every_check_has_a_lie() -> None:
    """Each line that the oracle can write is the one that some lie is caught by."""
    patterns = re.findall(r'f"((?:P\d|driver|emulator): [^"]*)"', SOURCE.read_text())
    assert len(patterns) > 30
    for pattern in patterns:
        line = re.compile("(.*)".join(map(re.escape, re.split(r"{[^}]*}", pattern))))
        assert any(
            what in found and line.fullmatch(found)
            for what, tell in LIES.values()
            for found in lines_about(tell)
        ), pattern


def lines_about(tell: Callable[[World], object]) -> list[str]:
    world = truth()
    tell(world)
    return check(world)


def test_a_killed_process_may_leave_no_report_but_no_event_behind() -> None:
    world = truth()
    world.killed = True
    world.reports = []
    assert [line for line in check(world) if line.startswith("P1")] != []
    world.persistent = False
    assert check(world) == [], "memory mode promises nothing after a kill"


def test_counts_alone_are_checked_where_no_ids_are_told() -> None:
    world = truth()
    world.reports[0].ends = None
    assert check(world) == []
    for lie in (lose_one, never_commit):
        world = truth()
        world.reports[0].ends = None
        world.reports[0].stats.update(uncertain=1, stored=90)
        assert check(world) == []
        lie(world)
        assert [line for line in check(world) if line.startswith("P1")] != []


def test_half_a_line_was_never_written(tmp_path: pathlib.Path) -> None:
    notes = tmp_path / "notes"
    notes.write_text("call a-1\nok a-1\ncall a-2\nno a-2\ncall a-3\nok a-")
    assert read_notes(notes) == Notes(["a-1", "a-2", "a-3"], ["a-1"], ["a-2"])
