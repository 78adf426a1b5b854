# SPDX-License-Identifier: MIT
"""The oracle: joins what drivers noted, what clients reported and what the emulator recorded.

Three records with independent writers. A driver notes each id before the call and again after
acceptance; the client tells counts, rejections and what its spool still holds; the emulator
keeps, for each ``insert_id``, what it received and stored. `check` proves from them that

- P1: no accepted event is missing,
- P3: each accepted event ended in exactly one state, and the client told the truth about it,
- P4: none was stored twice, and every repetition had the same bytes.

A merged event ends with the one that carries its operations: it counts as that does.
"""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Iterable
from typing import Any

GIVEN_UP = ("uncertain", "expired", "dropped", "lost")
STATES = ("stored", "rejected", *GIVEN_UP, "merged", "waiting")
KEPT_REJECTIONS = 1000  # a client keeps the newest so many


@dataclasses.dataclass
class Notes:
    """What the drivers noted, in order."""

    calls: list[str] = dataclasses.field(default_factory=list)
    accepted: list[str] = dataclasses.field(default_factory=list)
    refused: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Report:
    """What one process said at its end."""

    stats: dict[str, int]
    rejected: list[str] = dataclasses.field(default_factory=list)
    ends: list[tuple[str, str]] | None = None  # id and state; None: only the counts are known
    carriers: dict[str, str] = dataclasses.field(default_factory=dict)  # of the merged ones


@dataclasses.dataclass
class World:
    """All that is known after a test."""

    notes: Notes
    reports: list[Report]
    accounts: list[dict[str, Any]]  # the emulator's ledger
    contents: dict[str, str] | None = None  # stored text by id, where it was exported
    spooled: set[str] | None = dataclasses.field(default_factory=set)  # None: not looked at
    killed: bool = False  # a process died without a report
    persistent: bool = True  # the client kept events on disk


def read_notes(*paths: pathlib.Path) -> Notes:
    """Reads "call ID", "ok ID", "no ID" lines; half a last line was never written."""
    notes = Notes()
    lists = {"call": notes.calls, "ok": notes.accepted, "no": notes.refused}
    for path in paths:
        text = path.read_text()
        for line in text[: text.rfind("\n") + 1].splitlines():
            kind, _, event_id = line.partition(" ")
            lists[kind].append(event_id)
    return notes


def content_of(event_id: str) -> str:
    """The text every driver puts into the event of this id ("run-NUMBER")."""
    return f"{event_id}:{int(event_id.rpartition('-')[2]) ** 2}"


def twice(ids: Iterable[str]) -> list[str]:
    return [event_id for event_id, n in collections.Counter(ids).items() if n > 1]


def check(world: World) -> list[str]:
    """All contradictions, as lines; an empty list is the proof."""
    found = [*check_notes(world.notes), *check_accounts(world)]
    found += check_fates(world)
    for report in world.reports:
        found += check_report(report)
    if not world.killed:
        found += check_sums(world)
    return found


def check_notes(notes: Notes) -> list[str]:
    called, accepted, refused = map(set, (notes.calls, notes.accepted, notes.refused))
    return [
        *(f"driver: {i} was called twice" for i in twice(notes.calls)),
        *(f"driver: {i} was accepted twice" for i in twice(notes.accepted)),
        *(f"driver: {i} was accepted without a call" for i in accepted - called),
        *(f"driver: {i} was accepted and refused" for i in accepted & refused),
    ]


def check_accounts(world: World) -> list[str]:
    called, refused = set(world.notes.calls), set(world.notes.refused)
    found = [
        f"emulator: {i} has two accounts" for i in twice(a["insert_id"] for a in world.accounts)
    ]
    for account in world.accounts:
        i = account["insert_id"]
        if i not in called:
            found.append(f"P3: {i} was sent although nobody tracked it")
        if i in refused:
            found.append(f"P3: {i} was refused at the call and sent all the same")
        if account["committed"] > 1:
            found.append(f"P4: {i} was stored {account['committed']} times")
        if account["variants"]:
            found.append(f"P4: {i} was sent again with other bytes")
        if account["applied"] > account["committed"]:
            found.append(f"P4: the operations of {i} were applied more often than it was stored")
        if account["committed"] + account["duplicate"] > account["received"]:
            found.append(f"emulator: {i} was stored more often than received")
    if world.contents is not None:
        stored = {a["insert_id"] for a in world.accounts if a["committed"]}
        found += [f"emulator: {i} is not in the export" for i in stored - world.contents.keys()]
        found += [f"emulator: {i} is in the export alone" for i in world.contents.keys() - stored]
        for i, text in world.contents.items():
            if i in called and text != content_of(i):
                found.append(f"P3: the content of {i} is not what was tracked")
    return found


def leftover(world: World) -> set[str]:
    """Accepted events that no one has: neither stored, nor rejected, nor on disk."""
    stored = {a["insert_id"] for a in world.accounts if a["committed"]}
    rejected = {i for report in world.reports for i in report.rejected}
    return set(world.notes.accepted) - stored - rejected - (world.spooled or set())


def check_fates(world: World) -> list[str]:
    stored = {a["insert_id"] for a in world.accounts if a["committed"]}
    rejected = [i for report in world.reports for i in report.rejected]
    called = set(world.notes.calls)
    found = [f"P3: {i} was reported as rejected twice" for i in twice(rejected)]
    found += [f"P3: {i} was rejected although nobody tracked it" for i in set(rejected) - called]
    found += [f"P3: {i} was told rejected and is stored" for i in stored & set(rejected)]
    spooled = world.spooled or set()
    found += [f"P3: {i} was told rejected and is in the spool" for i in spooled & set(rejected)]
    found += [f"P3: {i} is in the spool although nobody tracked it" for i in spooled - called]
    missing = leftover(world)
    told = sum(r.stats.get(s, 0) for r in world.reports for s in (*GIVEN_UP, "merged"))
    if all(r.ends is not None for r in world.reports):
        ends = [end for r in world.reports for end in r.ends or []]
        found += check_ends(world, ends, stored)
        found += check_merged(world, dict(ends), stored)
        missing -= {event_id for event_id, state in ends if state in (*GIVEN_UP, "merged")}
        told = sum(r.stats.get("lost", 0) for r in world.reports)  # the disk kept not even the id
    if len(missing) > told and (world.persistent or not world.killed):
        some = ", ".join(sorted(missing)[:3])
        found.append(f"P1: {len(missing)} accepted events are missing, {told} were told ({some})")
    return found


def check_ends(world: World, ends: list[tuple[str, str]], stored: set[str]) -> list[str]:
    """Each event that ended was told of once, and truly."""
    found = [f"P3: two ends were told of {i}" for i in twice(i for i, _ in ends)]
    called = set(world.notes.calls)
    for i, state in ends:
        if i not in called:
            found.append(f"P3: {i} was told {state} although nobody tracked it")
        if state == "stored" and i not in stored:
            found.append(f"P3: {i} was told stored and is not")
        if state in ("expired", "dropped", "rejected") and i in stored:
            found.append(f"P3: {i} was told {state} and is stored")
    return found


def check_merged(world: World, ends: dict[str, str], stored: set[str]) -> list[str]:
    """What is merged was not sent, and its carrier is an event that was, or still will be."""
    found = []
    carriers = {i: carrier for r in world.reports for i, carrier in r.carriers.items()}
    called = set(world.notes.calls)
    for i, state in ends.items():
        if (state == "merged") != (i in carriers):
            found.append(f"P3: {i} was told {state}, its carrier is {carriers.get(i)}")
            continue
        if state != "merged":
            continue
        carrier = carriers[i]
        if i in stored:
            found.append(f"P3: {i} was told merged and is stored")
        if carrier not in called:
            found.append(f"P3: {carrier}, which was to carry {i}, was not tracked")
        if ends.get(carrier) == "merged":
            found.append(f"P3: {carrier}, which was to carry {i}, is carried itself")
        kept = carrier in (world.spooled or set()) or ends.get(carrier) in ("rejected", *GIVEN_UP)
        if carrier not in stored and not kept and not world.killed:
            found.append(f"P1: the operations of {i} are missing, as is {carrier}")
    return found


def check_report(report: Report) -> list[str]:
    stats, found = report.stats, []
    if stats["accepted"] + stats.get("recovered", 0) != sum(stats.get(s, 0) for s in STATES):
        found.append(f"P3: the sum of {stats} is not what was accepted")
    if report.ends is not None:
        ends = collections.Counter(state for _, state in report.ends)
        # What an earlier process set aside as uncertain, and told of, is counted again.
        again = min(stats.get("recovered", 0), stats["uncertain"] - ends["uncertain"])
        ends["uncertain"] += max(0, again)
        found += [
            f"P3: {stats.get(state, 0)} {state}, {ends[state]} named"
            for state in ("stored", "rejected", "uncertain", "expired", "dropped", "merged")
            if stats.get(state, 0) != ends[state]
        ]
    if len(report.rejected) != min(stats["rejected"], KEPT_REJECTIONS):
        found.append(f"P3: {stats['rejected']} rejected, {len(report.rejected)} named")
    return found


def check_sums(world: World) -> list[str]:
    keys = ("accepted", "recovered", *STATES)
    total = {key: sum(r.stats.get(key, 0) for r in world.reports) for key in keys}
    total["waiting"] -= total["recovered"]  # left by one process, found by the next
    stored = {a["insert_id"] for a in world.accounts if a["committed"]}
    mine = stored & set(world.notes.accepted)
    found = []
    if total["accepted"] != len(world.notes.accepted):
        found.append(f"P3: accepted {total['accepted']}, noted {len(world.notes.accepted)}")
    if total["stored"] > len(mine):
        found.append(f"P3: {total['stored']} were told stored, {len(mine)} are")
    if len(mine) > total["stored"] + total["uncertain"] + total["waiting"]:
        found.append(f"P3: {len(mine)} are stored, some were told to have ended otherwise: {total}")
    if world.spooled is not None and total["waiting"] != len(world.spooled):
        found.append(f"P3: {total['waiting']} were told waiting, {len(world.spooled)} are on disk")
    return found
