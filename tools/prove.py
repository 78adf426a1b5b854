# SPDX-License-Identifier: MIT
"""Runs the steps of the ladder and writes down what they found, with date, commit and time.

Usage: tools/prove [STEP...]; without names all. The figures are what the tests print; nothing is
written down of a step that failed but its failure.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "evidence" / "reliability.md"
LADDER = os.environ.get("TIDEWHEEL_LADDER", "T1")
PYTEST = (".venv/bin/python", "-m", "pytest", "-q", "-s", "-rs")


class Step(NamedTuple):
    """One rung: what it shows, how it runs, and which lines of its output are figures."""

    name: str
    shows: str
    command: tuple[str, ...]
    figures: str = r"^\d+ (?:passed|failed).*"
    env: dict[str, str] = {}  # noqa: RUF012 -- never written


STEPS = (
    Step(
        "oracle",
        "The ledger checker catches every lie",
        (*PYTEST, "tests/faults/test_ledger.py"),
    ),
    Step(
        "faults",
        "Every fault of the table, in C, Python, Lua 5.4 and LuaJIT, in memory, fast and durable: "
        "the ledger balances (P1, P3, P4) and the row's own outcome holds",
        (*PYTEST, "tests/faults/test_table.py"),
    ),
    Step(
        "disk",
        "Spools between processes: damage, locks, age, keys, six processes at once",
        (*PYTEST, "tests/faults/test_disk.py"),
    ),
    Step(
        "kills",
        "`kill -9` at random, at each change of the disk, at each system call (P1, P4)",
        (*PYTEST, "tests/faults/test_kill.py"),
        r"^.*\b(?:kills|points|killed at|passed|failed|SKIPPED)\b.*",
    ),
    Step(
        "process",
        "Forks, exits, signals, odd moments (P15, P16)",
        (*PYTEST, "tests/faults/test_process.py", "tests/faults/test_ends.py"),
    ),
    Step(
        "nginx",
        "nginx: reloads, killed workers and an upgrade under load (F19)",
        (*PYTEST, "tests/faults/test_nginx.py"),
        r"^(?:nginx: |\d+ (?:passed|failed|skipped)|SKIPPED).*",
    ),
    Step(
        "gunicorn",
        "gunicorn: workers recycled and reloaded under load; each event arrives, and once (F05)",
        (*PYTEST, "tests/faults/test_gunicorn.py"),
    ),
    Step("time", "Clocks that jump (P19)", (*PYTEST, "tests/faults/test_time.py")),
    Step(
        "power",
        "Power cut after each change of the disk, in eight ways (P2); mutants must break",
        ("build/dev/core_test_spool_crash",),
        r"^(?:\d+ states|mutant .*)|^\[  (?:PASSED|FAILED)  \].*",
        {"TW_SPOOL_STATES": {"T0": "40", "T1": "240"}.get(LADDER, "1000")},
    ),
    Step(
        "damage",
        "Random damage to the files of a spool: the count of lost records is exact (P20)",
        ("build/dev/core_test_spool_damage",),
        r"^\d+ records lost.*|^\[  (?:PASSED|FAILED)  \].*",
        {"TW_SPOOL_MUTATIONS": {"T0": "10000", "T1": "100000"}.get(LADDER, "1000000")},
    ),
    Step(
        "mutants",
        "Bugs of other clients, put into ours: a named test catches each",
        ("tools/mutants",),
        r"^(?:killed|SURVIVED) .*",
    ),
    Step(
        "official",
        "The official SDK beside ours: [its own page](official-sdk.md)",
        ("tools/bench", "faults"),
        r"^(?:ok|FAILED) .*",
    ),
)


def run(step: Step) -> dict[str, object]:
    """Runs a step with its output shown, and keeps the lines that are figures."""
    print(f"\n=== {step.name}: {step.shows}", flush=True)
    began = time.monotonic()
    env = {**os.environ, "TIDEWHEEL_LADDER": LADDER, **step.env}
    lines = []
    with subprocess.Popen(
        step.command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if re.match(step.figures, line):
                lines.append(" ".join(line.split()))
    return {
        "name": step.name,
        "ok": process.returncode == 0,
        "figures": lines,
        "seconds": time.monotonic() - began,
    }


def git(*command: str) -> str:
    done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def page(results: dict[str, dict[str, object]]) -> str:
    lines = [
        "# What was proven, with figures",
        "",
        "Written by `make prove`; not edited by hand. A step alone: `tools/prove STEP`.",
        "",
        "Ladder T0 is what `make test` runs: each fault in two modes, in one language each, 200 "
        "kills, 14 points of each scenario. T1 is all of them, and longer; T2 longer still.",
        "",
    ]
    for step in STEPS:
        got = results.get(step.name)
        if got is None:
            continue
        lines += [
            f"## {step.name}: {'ok' if got['ok'] else 'FAILED'}",
            "",
            f"{step.shows}.",
            "",
            f"`{' '.join(step.command)}`, ladder {got['ladder']}, {got['date']}, commit "
            f"`{got['commit']}`, {got['seconds']:.0f} s, {got['machine']}.",
            "",
            "```",
            *(got["figures"] if isinstance(got["figures"], list) else []),
            "```",
            "",
        ]
    return "\n".join(lines)


def main() -> None:
    store = ROOT / "build" / "evidence.json"
    wanted = sys.argv[1:]
    unknown = set(wanted) - {step.name for step in STEPS}
    if unknown:
        sys.exit(f"there is no step {', '.join(sorted(unknown))}")
    failed = []
    for step in STEPS:
        if wanted and step.name not in wanted:
            continue
        got = run(step)
        got["ladder"] = LADDER
        got["date"] = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
        changed = " with changes" if git("status", "--porcelain", "--", "core", "tests") else ""
        got["commit"] = git("rev-parse", "--short", "HEAD") + changed
        got["machine"] = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
        # Read anew: steps may run side by side.
        results = json.loads(store.read_text()) if store.exists() else {}
        results[step.name] = got
        store.write_text(json.dumps(results, indent=1) + "\n")
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page(results))
        if not got["ok"]:
            failed.append(step.name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
    print(f"\nwritten: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
