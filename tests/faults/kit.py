# SPDX-License-Identifier: MIT
"""Runs one fault against one driver, then asks the oracle."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime
import gzip
import http.client
import io
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import tomllib
import urllib.parse
import zipfile
from collections.abc import Iterator
from typing import Any

import ledger
import rude

import tidewheel

ROOT = pathlib.Path(__file__).parents[2]
HERE = pathlib.Path(__file__).parent
BUILD = pathlib.Path(os.environ.get("TIDEWHEEL_BUILD", ROOT / "build" / "release"))
LANGUAGES = ("c", "python", "lua5.4", "luajit")
MODES = ("memory", "fast", "durable")

# Quick enough that a fault and its repair take less than a second. Nothing is sent before the flush
# or a full request, so that each row knows what is in a request.
OPTIONS = {
    "flush_interval": 30,
    "backoff_first": 0.01,
    "backoff_max": 0.05,
    "connect_timeout": 1,
    "timeout": 5,
}


def table() -> list[dict[str, Any]]:
    """The rows of table.toml, each with all its keys."""
    with (HERE / "table.toml").open("rb") as file:
        return list(tomllib.load(file)["fault"])


def command(language: str) -> list[str]:
    if language == "c":
        return [str(BUILD / "fault-driver")]
    if language == "python":
        return [sys.executable, str(HERE / "drivers" / "driver.py")]
    return [language, str(HERE / "drivers" / "driver.lua")]


def environment(language: str, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LUA_", "TIDEWHEEL_"))}
    if language.startswith("lua"):
        abi = "5.4" if language == "lua5.4" else "5.1"
        kept["LUA_PATH"] = f"{ROOT}/lua/?.lua;{ROOT}/lua/?/init.lua;;"
        kept["LUA_CPATH"] = f"{BUILD}/lua/{abi}/?.so;;"
    return kept | more


def case_text(case: dict[str, Any]) -> str:
    return "".join(f"{name}\t{value}\n" for name, value in case.items())


@dataclasses.dataclass
class Outcome:
    """What a driver told at its end; empty when it was killed."""

    code: int
    said: dict[str, Any]
    errors: str
    seconds: float

    @property
    def report(self) -> ledger.Report:
        ends = [(event_id, state) for event_id, state, _ in self.said["ends"]]
        carriers = {event_id: carrier for event_id, _, carrier in self.said["ends"] if carrier}
        return ledger.Report(self.said["stats"], self.said["rejected"], ends, carriers)


def drive(language: str, case: dict[str, Any], **env: str) -> Outcome:
    """Runs a driver to its end."""
    began = time.monotonic()
    done = subprocess.run(
        command(language),
        input=case_text(case),
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(language, **env),
    )
    said = json.loads(done.stdout) if done.returncode == 0 else {}
    return Outcome(done.returncode, said, done.stderr, time.monotonic() - began)


def start(language: str, case: dict[str, Any], **env: str) -> subprocess.Popen[str]:
    """Starts a driver that somebody is going to kill."""
    process = subprocess.Popen(
        command(language),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(language, **env),
    )
    assert process.stdin is not None
    process.stdin.write(case_text(case))
    process.stdin.close()
    process.stdin = None  # so that communicate() leaves it alone
    return process


def exported(emulator: tidewheel.Emulator) -> dict[str, str]:
    """The stored events: text by insert_id, read back through the export."""
    pair = f"{emulator.api_key}:{emulator.secret_key}".encode()
    day = 86400
    window = {
        "start": time.strftime("%Y%m%dT%H", time.gmtime(time.time() - day)),
        "end": time.strftime("%Y%m%dT%H", time.gmtime(time.time() + day)),
    }
    connection = http.client.HTTPConnection(emulator.url.removeprefix("http://"), timeout=60)
    with contextlib.closing(connection):
        connection.request(
            "GET",
            "/api/2/export?" + urllib.parse.urlencode(window),
            headers={"Authorization": "Basic " + base64.b64encode(pair).decode()},
        )
        response = connection.getresponse()
        body = response.read()
    if response.status == 404:
        return {}
    archive = zipfile.ZipFile(io.BytesIO(body))
    lines = (
        line
        for name in archive.namelist()
        for line in gzip.decompress(archive.read(name)).splitlines()
    )
    rows = map(json.loads, lines)
    return {row["$insert_id"]: row["event_properties"]["text"] for row in rows}


@contextlib.contextmanager
def staged(row: dict[str, Any]) -> Iterator[tuple[tidewheel.Emulator, rude.Rude | None]]:
    """The server side of a fault."""
    with contextlib.ExitStack() as stack:
        emulator = stack.enter_context(tidewheel.Emulator(**row.get("switches", {})))
        front = None
        if "rude" in row:
            front = rude.Rude(row["rude"], emulator.url, row.get("rude_count"))
            stack.enter_context(front)
        emulator.faults(*row.get("plan", []))
        emulator.silence(*row.get("silence", []))
        if "door_ms" in row:
            emulator.listen(False)
            opener = threading.Timer(row["door_ms"] / 1000, emulator.listen)
            opener.start()
            stack.callback(opener.join)
        if "heal_ms" in row and front is not None:
            healer = threading.Timer(row["heal_ms"] / 1000, front.heal)
            healer.start()
            stack.callback(healer.join)
        yield emulator, front


def run_row(row: dict[str, Any], language: str, mode: str, folder: pathlib.Path) -> list[str]:
    """Carries a row of the table out; the list of what went wrong."""
    with staged(row) as (emulator, front):
        url = front.url if front else emulator.url
        case = {
            "url": row.get("url", url).format(port=url.rpartition(":")[2]),
            "api_key": emulator.api_key,
            "run": row["id"],
            "first": 0,
            "events": row.get("events", 100),
            "users": row.get("users", 20),
            "devices": int(row.get("devices", False)),
            "identify": int(row.get("identify", False)),
            "changes": int(row.get("changes", False)),
            "notes": folder / "notes",
            "flush": row.get("flush_s", 10),
            "close": row.get("close_s", 0),
        }
        options = OPTIONS | row.get("options", {})
        if front is not None and front.ca is not None:
            options["ca_file"] = front.ca
        if front is not None and row.get("front_is_proxy"):
            options["proxy"] = front.url
        if mode != "memory":
            options |= {"spool": folder / "spool", "spool_mode": mode}
        case |= {f"option.{name}": value for name, value in options.items()}
        env = {name: value.format(shim=shim()) for name, value in row.get("env", {}).items()}
        if "TW_SHIM" in env:
            env["TW_SHIM_LOG"] = str(folder / "shim-log")
        outcome = drive(language, case, **env)
        if outcome.code != 0:
            return [f"the driver ended with {outcome.code}: {outcome.errors}"]
        unmet = unharmed(row, emulator, front)
        emulator.faults()
        # Counted before the export below asks for more.
        uploads = sum(entry["method"] == "POST" for entry in emulator.journal())
        world = ledger.World(
            notes=ledger.read_notes(folder / "notes"),
            reports=[outcome.report],
            accounts=list(emulator.ledger()),
            contents=(None if row.get("identify") or row.get("changes") else exported(emulator)),
            spooled=None if mode != "memory" else set(),
            persistent=mode != "memory",
        )
        problems = ledger.check(world) if mode == "memory" else []
        problems += expectations(row, mode, outcome, uploads, front)
        problems += undone(env.get("TW_SHIM", ""), folder / "shim-log") + unmet
        if mode != "memory":
            problems += heal(language, case, emulator, world)
        if row.get("changes"):
            problems += changed(emulator, world.notes, case["users"])
        return problems


def expectations(
    row: dict[str, Any], mode: str, outcome: Outcome, uploads: int, front: rude.Rude | None
) -> list[str]:
    """What the row says beyond the promises that hold for every row."""
    expect, stats, found = row.get("expect", {}), outcome.said["stats"], []
    stored = expect.get("stored", stats["accepted"] - stats["merged"] - expect.get("rejected", 0))
    events = row.get("events", 100)
    accepted = expect.get("accepted", events)
    if isinstance(accepted, dict):
        accepted = accepted[mode]

    def compare(name: str, seen: object, wanted: object) -> None:
        if seen != wanted:
            found.append(f"{name} was {seen}, not {wanted} ({outcome.said})")

    if accepted == "some":
        compare("some accepted", 0 < stats["accepted"] < events, True)
    else:
        compare("accepted", stats["accepted"], accepted)
    refused = events - stats["accepted"]
    refusals = {"queue_full": refused} if refused else {}
    compare("refusals", outcome.said["refusals"], refusals)
    # Closing does not wait for what a spool keeps anyhow.
    if not (expect.get("in_time") is False and mode != "memory"):
        compare("stored", stats["stored"], stored)
    compare("rejected", stats["rejected"], expect.get("rejected", 0))
    flush = expect.get("flush", "ok")
    if outcome.said["flush"] not in flush.split("|"):
        compare("flush", outcome.said["flush"], flush)
    if stats["merged"] < expect.get("merged_least", 0):
        found.append(f"only {stats['merged']} were merged")
    if "uncertain" in expect:
        compare("uncertain", stats["uncertain"], expect["uncertain"])
    if "paused" in expect:
        compare("paused", bool(stats["paused"]), expect["paused"])
    if stats["clock_suspect"] < expect.get("clock_suspect_least", 0):
        found.append(f"only {stats['clock_suspect']} events had a clock that was not set")
    if uploads > expect.get("requests_most", 100):
        found.append(f"{uploads} requests were made")
    limit = row.get("flush_s", 10) + row.get("close_s", 0) + 3
    if mode == "durable":  # one sync after the other before that: a slow disk does 200 a second
        limit += row.get("events", 100) / 200
    if outcome.seconds > limit:
        found.append(f"the driver took {outcome.seconds:.1f} s, not {limit}")
    if front is not None:
        if front.expected:
            found.append("an Expect header was sent")
        if front.connections > expect.get("connections_most", 100):
            found.append(f"{front.connections} connections were made")
    return found


def undone(rules: str, log: pathlib.Path) -> list[str]:
    """A fault that never came about proves nothing."""
    done = log.read_text().split() if log.exists() else []
    calls = [rule.partition(":")[0] for rule in rules.split(";") if rule]
    return [f"no {call} was made to fail" for call in calls if call not in done]


def unharmed(
    row: dict[str, Any], emulator: tidewheel.Emulator, front: rude.Rude | None
) -> list[str]:
    """Of the server's part, what no request has met."""
    done = [entry["used"] for entry in emulator._control("GET", "/faults")]
    found = [f"fault {at} of the plan was never done" for at, times in enumerate(done) if not times]
    if front is not None and not (front.connections or row["rude"] == "never_accept"):
        found.append("nobody came to the rude server")
    if front is not None and row.get("rude_count") and front.left == row["rude_count"]:
        found.append("the rude server had no occasion")
    return found


def heal(
    language: str, case: dict[str, Any], emulator: tidewheel.Emulator, world: ledger.World
) -> list[str]:
    """What a spool still holds is sent by the next process, once the server is well."""
    left = world.reports[0].stats["waiting"]
    case |= {"url": emulator.url, "first": case["events"], "events": 0, "flush": 20, "drain": 1}
    outcome = drive(language, case)
    if outcome.code != 0:
        return [f"the second driver ended with {outcome.code}: {outcome.errors}"]
    world.reports.append(outcome.report)
    world.accounts = list(emulator.ledger())
    if world.contents is not None:
        world.contents = exported(emulator)
    found = []
    if outcome.said["stats"]["waiting"]:
        found.append(f"{outcome.said['stats']['waiting']} of {left} stayed in the spool")
    return found + ledger.check(world)


def changed(emulator: tidewheel.Emulator, notes: ledger.Notes, users: int) -> list[str]:
    """What the users are in the end is what the accepted events, one after the other, make of
    them. An event of which nothing is known, because its process was killed, may count or not.
    """
    texts = [(i, int(i.rpartition("-")[2])) for i in notes.calls if i not in set(notes.refused)]
    accepted = set(notes.accepted)
    found = []
    for user, seen in properties(emulator, {f"user-{n % users:05d}" for _, n in texts}).items():
        mine = [(i, n) for i, n in texts if n % users == int(user[5:])]
        sure = [at for at, (i, _) in enumerate(mine) if i in accepted]
        if not sure:
            continue
        latest, first = seen.get("latest"), seen.get("first")
        if latest not in [n for _, n in mine[sure[-1] :]]:
            found.append(f"P3: latest of {user} is {latest}, not {mine[sure[-1]][1]}")
        if first not in [n for _, n in mine[: sure[0] + 1]]:
            found.append(f"P3: first of {user} is {first}, not {mine[sure[0]][1]}")
        odd = latest is not None and (latest // users + latest % users) % 2
        if seen.get("odd") != (latest if odd else None):
            found.append(f"P3: odd of {user} is {seen.get('odd')}, latest is {latest}")
    return found


def properties(emulator: tidewheel.Emulator, users: set[str]) -> dict[str, dict[str, Any]]:
    """The user properties of each, as one more event shows them."""
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    with tidewheel.Client(emulator.api_key, emulator.secret_key, base_url=emulator.url) as client:
        for user in users:
            client.track({"event_type": "shows", "user_id": user})
        assert client.flush(20).complete
        return {
            event["user_id"]: event["user_properties"]
            for event in client.export(now - day, now + day)
            if event["event_type"] == "shows"
        }


def shim() -> pathlib.Path:
    return BUILD / "libfault-shim.so"
