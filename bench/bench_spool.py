# SPDX-License-Identifier: MIT
"""The spool: durable appends beside bare syncs and SQLite, and the opening of a large backlog.

    bench_spool.py [--backlog GIB] [--folder FOLDER] [--rounds N]

All contenders take turns in each round, in one folder; the best turn of each is printed, and ratios
are of turns of the same round, also those to what the disk does with the same bytes and nothing
else. With --backlog as many GiB of segments are written first by a client whose server is away,
opened by another process, and a part of it is sent to the sink.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import harness

EVENT = 1000  # bytes, about
STORED = 1036  # with its frame
PART = 200_000  # events of a backlog that are sent


def build() -> Path:
    """Compiles spool.c against the library of build/release."""
    harness.OUT.mkdir(parents=True, exist_ok=True)
    binary, library = harness.OUT / "spool", harness.ROOT / "build" / "release"
    command = [*os.environ.get("CC", "cc").split(), "-std=gnu11", "-O2", "-o", str(binary)]
    command += [str(harness.ROOT / "bench" / "spool.c"), f"-I{harness.ROOT / 'core' / 'include'}"]
    command += [f"-L{library}", f"-Wl,-rpath,{library}", "-ltidewheel", "-lsqlite3", "-pthread"]
    subprocess.run(command, check=True)
    return binary


class Disk:
    """A folder that is made anew for each turn."""

    def __init__(self, binary: Path, parent: Path) -> None:
        self.binary = binary
        self.folder = parent / "spool"

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)

    def run(self, verb: str, *arguments: object) -> dict[str, Any]:
        command = [self.binary, verb, self.folder, *arguments]
        done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE)
        figures: dict[str, Any] = json.loads(done.stdout)
        return figures


CONTENDERS: dict[str, tuple[Any, ...]] = {
    "bare syncs, 1 event each": ("syncs", EVENT, 2000),
    "bare syncs, 8 events each": ("syncs", 8 * EVENT, 2000),
    "bare syncs, 1,000 events each": ("syncs", 1000 * STORED, 100),
    "the same, new files": ("appends", 1000 * STORED, 100),
    "8 threads that only wake up": ("rounds", 8, 3000),
    "1 thread, single events": ("put", "durable", 1, 1, 2000),
    "8 threads, single events": ("put", "durable", 8, 1, 24_000),
    "8 threads, 10 in a call": ("put", "durable", 8, 10, 80_000),
    "8 threads, 100 in a call": ("put", "durable", 8, 100, 160_000),
    "1 thread, 1,000 in a call": ("put", "durable", 1, 1000, 100_000),
    "2 threads, 1,000 in a call": ("put", "durable", 2, 1000, 200_000),
    "SQLite FULL, WAL, 1,000": ("sqlite", "WAL", 1000, 100_000),
    "SQLite FULL, DELETE, 1,000": ("sqlite", "DELETE", 1000, 100_000),
}


def durable(disk: Disk, rounds: int) -> dict[str, Any]:
    """Events a second of each contender."""
    rates: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    best: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for name, (verb, *arguments) in CONTENDERS.items():
            disk.clear()
            done = disk.run(verb, *arguments)
            rates[name].append(done["events"] / done["seconds"])
            if rates[name][-1] == max(rates[name]):
                best[name] = done
    print(f"\ndurable, events of {EVENT:,} bytes: events/s (of bare syncs: syncs/s)")
    print(f"{'':28} {'best':>9} {'median':>9} {'lowest':>9}   a sync of the best turn was for")
    for name, row in rates.items():
        print(f"{name:28} {max(row):9,.0f} {statistics.median(row):9,.0f} {min(row):9,.0f}", end="")
        turn = best[name]
        print(
            f"   {turn['events'] / max(turn['syncs'], 1):7,.1f} events,"
            f" {turn['sync_s'] / max(turn['syncs'], 1) * 1e6:6,.0f} us,"
            f" {turn['sync_s'] / turn['seconds']:4.0%} of the time"
        )
    ours = rates["1 thread, 1,000 in a call"]
    floor = [1000 * rate for rate in rates["the same, new files"]]
    for name in ("1 thread, 1,000 in a call", *list(CONTENDERS)[-2:]):
        each = [a / b for a, b in zip(rates[name], floor, strict=True)]
        print(
            f"{name}: {statistics.median(each):.2f} ({min(each):.2f}-{max(each):.2f}) of bare syncs"
        )
    singles, sleepers = rates["8 threads, single events"], rates["8 threads that only wake up"]
    each = [a / b for a, b in zip(singles, sleepers, strict=True)]
    print(
        f"8 threads, single events: {statistics.median(each):.2f} ({min(each):.2f}-{max(each):.2f})"
        " of threads that do nothing but sleep, wake up and sync"
    )
    ratios = {}
    for name in ("SQLite FULL, WAL, 1,000", "SQLite FULL, DELETE, 1,000"):
        each = [a / b for a, b in zip(ours, rates[name], strict=True)]
        ratios[name] = each
        print(f"ours x {name}: {statistics.median(each):.2f} ({min(each):.2f}-{max(each):.2f})")
    return {"rates": rates, "best": best, "ratios": ratios}


def backlog(disk: Disk, gib: float) -> dict[str, Any]:
    """A client takes over what a dead one left."""
    disk.clear()
    events = int(gib * 2**30 / EVENT) // 4000 * 4000
    filled = disk.run("put", "fast", 2, 1000, events)
    with harness.sink() as url:
        opened = disk.run("drain", url, PART)
    print(
        f"\nbacklog of {opened['backlog_bytes'] / 2**30:.2f} GiB"
        f", written in {filled['seconds']:.0f} s:"
        f" opened in {opened['open_s'] * 1000:.1f} ms, {opened['stored']:,} events sent in"
        f" {opened['seconds']:.1f} s, peak memory {opened['peak_kib'] / 1024:.1f} MiB"
        f" ({opened['opened_kib'] / 1024:.1f} when open)"
    )
    return {"filled": filled, "opened": opened}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backlog", type=float, default=0, help="GiB; without it no backlog")
    parser.add_argument("--folder", type=Path, default=harness.OUT, help="on the disk to measure")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    binary = build()
    with tempfile.TemporaryDirectory(dir=options.folder) as parent:
        disk = Disk(binary, Path(parent))
        result = {"durable": durable(disk, options.rounds)} if options.rounds else {}
        if options.backlog:
            result["backlog"] = backlog(disk, options.backlog)
    harness.write("spool", result)


if __name__ == "__main__":
    main()
