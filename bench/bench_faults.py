# SPDX-License-Identifier: MIT
"""What the official SDK and ours do with 200 events when server, network or process fail.

Run by ``make bench`` (or ``tools/bench faults``); writes docs/evidence/official-sdk.md and
build/bench/faults.json. Each row runs in a process of its own against an emulator, whose ledger
says what was stored; what the caller was told is counted in the process.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from harness import OUT, ROOT, version_of

import tidewheel

EVENTS, QUEUED, FAULTS = 200, 50, 3
SDKS = ("official", "tidewheel", "tidewheel, spool")
PAGE = ROOT / "docs" / "evidence" / "official-sdk.md"


def plan(when: str, count: int | None = FAULTS, **do: Any) -> list[dict[str, Any]]:
    fault = {"when": when, "match": {"method": "POST"}, "do": do}
    return [fault | ({"count": count} if count else {})]


# What a redirected GET meets: a friendly page that says 200.
LANDING = {"when": "before_commit", "match": {"method": "GET", "path": "/elsewhere"},
           "do": {"status": 200, "body": '{"code":200}'}}  # fmt: skip

ROWS: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("no fault", "track", []),
    ("reset before the server stored anything", "track", plan("before_commit", close="rst")),
    ("200 with an HTML body (captive portal)", "track",
     plan("before_commit", status=200, body="<html>log in</html>")),
    ("200 with JSON that is no object", "track", plan("before_commit", status=200, body="[]")),
    ("302 to another path", "track", [*plan("before_commit", redirect="/elsewhere"), LANDING]),
    ("reset after the server stored", "track", plan("after_commit", close="rst")),
    ("truncated 200", "track", plan("mid_response@9", close="fin")),
    ("three 503s", "track", plan("before_commit", status=503)),
    ("503 for 12 seconds", "outage", plan("before_commit", None, status=503)),
    ("kill -9 with 50 queued, then a new process", "kill", []),
    ("exit without a flush, 50 queued", "exit", []),
    ("fork with 50 queued, both sides flush", "fork", []),
]  # fmt: skip


# ---- inside the process that is measured -------------------------------------------------------


class Official:
    """amplitude-analytics as its documentation shows it, but for smaller and quicker batches."""

    def __init__(self, url: str, key: str, spool: str) -> None:
        from amplitude import Amplitude, BaseEvent, Config

        self.event = BaseEvent
        self.told_stored = self.told_failed = 0
        self.client = Amplitude(
            key,
            Config(
                server_url=url + "/2/httpapi",
                flush_queue_size=20,
                flush_interval_millis=100,
                callback=self.called,
            ),
        )

    def called(self, event: Any, code: int, message: str | None = None) -> None:
        if code == 200:
            self.told_stored += 1
        else:
            self.told_failed += 1

    def track(self, n: int) -> None:
        self.client.track(self.event("bench", user_id=f"user-{n:05d}", event_properties={"n": n}))

    def flush(self) -> None:
        self.client.flush()

    def settle(self, seconds: float, expected: int) -> dict[str, int]:
        """Waits until everything was told, or the time is up: what it was not told by then, it
        never is."""
        end = time.monotonic() + seconds
        self.client.flush()
        while time.monotonic() < end and self.told_stored + self.told_failed < expected:
            time.sleep(0.05)
        return {"told_stored": self.told_stored, "told_failed": self.told_failed}


class Ours:
    """tidewheel with the same batches and a first back-off as short."""

    def __init__(self, url: str, key: str, spool: str) -> None:
        options: dict[str, Any] = {"spool": spool} if spool else {}
        self.client = tidewheel.Client(
            key, base_url=url, batch_events=20, flush_interval=0.1, backoff_first=0.1, **options
        )

    def track(self, n: int) -> None:
        self.client.track(
            {"event_type": "bench", "user_id": f"user-{n:05d}", "event_properties": {"n": n}}
        )

    def flush(self) -> None:
        self.client.flush(20)

    def settle(self, seconds: float, expected: int) -> dict[str, int]:
        stats = self.client.drain(seconds)
        failed = stats.rejected + stats.uncertain + stats.expired + stats.dropped + stats.waiting
        return {"told_stored": stats.stored, "told_failed": failed}


kept: list[Official | Ours] = []  # as a program keeps its client: until the interpreter ends


def work(sdk: str, kind: str, url: str, key: str, spool: str) -> None:
    client: Official | Ours = (Official if sdk == "official" else Ours)(url, key, spool)
    kept.append(client)
    if kind == "recover":
        print(json.dumps(client.settle(10, 0)), flush=True)
        os._exit(0)
    queued = EVENTS if kind in ("track", "outage") else QUEUED
    hung = False
    for n in range(queued):
        client.track(n)
    if kind == "kill":
        print("ready", flush=True)
        signal.pause()
    if kind == "exit":
        print(json.dumps({"told_stored": 0, "told_failed": 0}), flush=True)
        return  # the interpreter's own end
    if kind == "fork":
        pid = os.fork()
        if pid == 0:
            signal.alarm(5)  # instead of a hang
            try:
                client.flush()
                time.sleep(1)
            except tidewheel.TidewheelError:
                pass  # told that the client is the parent's
            os._exit(0)
        hung = os.waitpid(pid, 0)[1] != 0
    print(json.dumps({**client.settle(30, queued), "hung": hung}), flush=True)
    os._exit(0)


# ---- outside ------------------------------------------------------------------------------------


def start(sdk: str, kind: str, emulator: tidewheel.Emulator, spool: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--work", sdk, kind, emulator.url, emulator.api_key, spool]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def measure(sdk: str, kind: str, faults: list[dict[str, Any]]) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory() as folder,
        tidewheel.Emulator(throttle=False) as emulator,
    ):
        spool = os.path.join(folder, "spool") if sdk.endswith("spool") else ""
        emulator.faults(*faults)
        healer = threading.Timer(12, emulator.faults)
        if kind == "outage":
            healer.start()
        process = start(sdk, kind, emulator, spool)
        assert process.stdout is not None
        line = process.stdout.readline()
        began = time.monotonic()
        if kind == "kill":
            process.kill()
            process.wait()
            process = start(sdk, "recover", emulator, spool)
            assert process.stdout is not None
            line = process.stdout.readline()
        process.wait(60)
        seconds = time.monotonic() - began
        process.stdout.close()
        healer.cancel()
        accounts = list(emulator.ledger())
        return {
            "sdk": sdk,
            "queued": EVENTS if kind in ("track", "outage") else QUEUED,
            "stored": sum(a["committed"] for a in accounts),
            "sent_again": sum(a["received"] - 1 for a in accounts),
            "exit_s": seconds,
            **json.loads(line or "{}"),
        }


def words(kind: str, got: dict[str, Any]) -> str:
    """One cell of the table."""
    lost = got["queued"] - got["stored"]
    parts = [f"{got['stored']} stored"]
    if lost:
        parts[0] += f", **{lost} lost**"
    if kind == "exit":
        return f"{parts[0]}, exit took {got['exit_s']:.1f} s"
    if kind == "kill":
        return parts[0]
    told_stored, told_failed = got.get("told_stored", 0), got.get("told_failed", 0)
    untold = got["queued"] - told_stored - told_failed
    if untold > 0:
        parts.append(f"**{untold} never told**")
    if told_stored > got["stored"]:
        parts.append(f"**{told_stored - got['stored']} told stored that are not**")
    if told_failed:
        parts.append(f"{told_failed} told failed")
    if kind == "fork" and got["sent_again"]:
        parts.append(f"{got['sent_again']} sent twice")
    if got.get("hung"):
        parts.append("**the child hung**")
    return ", ".join(parts)


def page(results: list[tuple[str, str, list[dict[str, Any]]]], seconds: float) -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    lines = [
        "# The official SDK beside ours, fault by fault",
        "",
        f"`tools/bench faults` on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit "
        f"`{commit}`, {seconds:.0f} s, Python {platform.python_version()}, amplitude-analytics "
        f"{version_of('amplitude-analytics')}.",
        "",
        f"{EVENTS} events in requests of 20 (the last three rows {QUEUED}) to the emulator on "
        f"loopback; the first {FAULTS} requests meet the fault, then the server is healthy. "
        "Stored is what the emulator's ledger says. One run for each cell; the official SDK's "
        "figures vary a little between runs. Both send after 0.1 s; our first back-off is 0.1 s, "
        "as theirs is. What is told after 30 s counts as never told.",
        "",
        "| fault | amplitude-analytics | tidewheel, in memory | tidewheel, with a spool |",
        "|---|---|---|---|",
    ]
    for title, kind, cells in results:
        lines.append("| " + " | ".join([title, *(words(kind, got) for got in cells)]) + " |")
    lines += ["", "Made by `bench/bench_faults.py`; not edited by hand.", ""]
    return "\n".join(lines)


def main() -> None:
    if sys.argv[1:2] == ["--work"]:
        work(*sys.argv[2:])
        return
    began = time.monotonic()
    results = []
    for title, kind, faults in ROWS:
        cells = [measure(sdk, kind, faults) for sdk in SDKS]
        results.append((title, kind, cells))
        print(title, *(words(kind, got) for got in cells), sep="\n    ", flush=True)
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(results, time.monotonic() - began))
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "faults.json").write_text(json.dumps(results, indent=1) + "\n")
    worst = [
        got for _, kind, cells in results for got in cells[1:] if got["stored"] < got["queued"]
    ]
    # In memory, kill -9 takes what was queued: that is what the spool is for.
    if any(got["sdk"] != "tidewheel" for got in worst) or len(worst) > 1:
        raise SystemExit(f"events were lost: {worst}")


if __name__ == "__main__":
    main()
