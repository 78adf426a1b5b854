# SPDX-License-Identifier: MIT
"""What every benchmark shares: contenders in processes of their own, rounds, a table, a JSON file.

A contender is a function of the calling script, named in a dict. Each round runs all of them once,
in turn, each in a fresh interpreter, so that slow drift of the machine meets all alike. Figures are
CPU seconds (user + system, all threads of the process), wall seconds, and peak memory above the
same interpreter just before the work began.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "bench"
ROUNDS = 3


def peak_kib() -> int:
    """VmHWM, in KiB. ru_maxrss would do, but a child inherits its parent's peak through exec."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError("the kernel did not tell VmHWM")


class Meter:
    """Measures what happens between `start` and `stop` in this process."""

    def start(self) -> None:
        self.rss = peak_kib()
        self.usage = resource.getrusage(resource.RUSAGE_SELF)
        self.wall = time.perf_counter()

    def stop(self, **extra: Any) -> dict[str, Any]:
        wall = time.perf_counter() - self.wall
        now = resource.getrusage(resource.RUSAGE_SELF)
        cpu = now.ru_utime + now.ru_stime - self.usage.ru_utime - self.usage.ru_stime
        return {"cpu_s": cpu, "wall_s": wall, "rss_mib": (peak_kib() - self.rss) / 1024, **extra}


def version_of(module: str) -> str:
    from importlib.metadata import version

    return version(module)


@contextlib.contextmanager
def sink(archive: Path | None = None, *, delay_ms: int = 0, port: int = 0) -> Iterator[str]:
    """The C server of sink.c in a process of its own; yields its URL."""
    OUT.mkdir(parents=True, exist_ok=True)
    binary = OUT / "sink"
    source = ROOT / "bench" / "sink.c"
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        compiler = os.environ.get("CC", "cc").split()
        subprocess.run([*compiler, "-O2", "-o", binary, source, "-lz"], check=True)
    command = [str(binary), "--delay-ms", str(delay_ms), "--port", str(port)]
    command += [str(archive)] if archive else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def sink_stats(url: str) -> dict[str, int]:
    with urlopen(url + "/stats") as answer:
        return json.load(answer)


def child(contenders: dict[str, Callable[..., dict[str, Any]]]) -> None:
    """In a child process: runs the contender that is asked for, and ends."""
    if os.environ.get("TIDEWHEEL_CONTENDER"):
        chosen = contenders[os.environ["TIDEWHEEL_CONTENDER"]]
        print(json.dumps(chosen(**json.loads(os.environ["TIDEWHEEL_ARGUMENTS"]))))
        sys.stdout.flush()
        os._exit(0)  # some wait at exit for a server that never answers


def collect(
    contenders: dict[str, Callable[..., dict[str, Any]]],
    arguments: dict[str, Any] | None = None,
    rounds: int = ROUNDS,
    checks: Callable[[str, dict[str, Any]], None] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """What each contender measured, by round."""
    runs: dict[str, list[dict[str, Any]]] = {key: [] for key in contenders}
    for _ in range(rounds):
        for key in contenders:
            environment = os.environ | {
                "TIDEWHEEL_CONTENDER": key,
                "TIDEWHEEL_ARGUMENTS": json.dumps(arguments or {}),
            }
            done = subprocess.run(
                [sys.executable, sys.argv[0]], env=environment, check=True, stdout=subprocess.PIPE
            )
            figures = json.loads(done.stdout.splitlines()[-1])
            if checks:
                checks(key, figures)
            runs[key].append(figures)
    return runs


def run(
    name: str,
    contenders: dict[str, Callable[..., dict[str, Any]]],
    *,
    baseline: str,
    arguments: dict[str, Any] | None = None,
    rounds: int = ROUNDS,
    per: float = 1.0,
    unit: str = "event",
    checks: Callable[[str, dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Runs the contenders or, in a child process, the one that is asked for.

    `per` is the number of units one run handles; `baseline` the contender the ratios refer to.
    """
    child(contenders)
    runs = collect(contenders, arguments, rounds, checks)
    return report(name, runs, baseline=baseline, per=per, unit=unit)


def middle(figures: list[dict[str, Any]], field: str) -> float:
    return statistics.median(f[field] for f in figures)


def write(name: str, result: dict[str, Any]) -> None:
    """Puts a result into build/bench, with the machine it is from."""
    machine = {"python": platform.python_version(), "cores": os.cpu_count()}
    OUT.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"benchmark": name, "machine": machine, **result}, indent=1)
    (OUT / f"{name}.json").write_text(text + "\n")


def report(
    name: str, runs: dict[str, list[dict[str, Any]]], *, baseline: str, per: float, unit: str
) -> dict[str, Any]:
    """Prints medians with ratios and writes build/bench/<name>.json."""
    table = {}
    for key, figures in runs.items():
        medians = {
            field: middle(figures, field)
            for field in ("cpu_s", "wall_s", "rss_mib")
            if field in figures[0]
        }
        # The ratio of the medians, and how far single rounds strayed from it.
        each = [b["cpu_s"] / f["cpu_s"] for f, b in zip(figures, runs[baseline], strict=True)]
        table[key] = medians | {
            "cpu_us_per_unit": medians["cpu_s"] / per * 1e6,
            "units_per_cpu_s": per / medians["cpu_s"],
            "ratio": statistics.median(each),
            "ratio_low": min(each),
            "ratio_high": max(each),
            **{k: v for k, v in figures[0].items() if k not in medians},
        }
    print(f"\n{name}: {per:,.0f} {unit}s, medians of {len(runs[baseline])} rounds")
    print(f"{'':36} {'CPU us/' + unit:>14} {unit + 's/CPU s':>16} {'RSS MiB':>8}  x {baseline}")
    for key, row in table.items():
        print(
            f"{key:36} {row['cpu_us_per_unit']:14.2f} {row['units_per_cpu_s']:16,.0f}"
            f" {row.get('rss_mib', 0):8.1f}  {row['ratio']:.2f}"
            f" ({row['ratio_low']:.2f}-{row['ratio_high']:.2f})"
        )
    result = {"per": per, "unit": unit, "baseline": baseline, "results": table}
    write(name, result)
    return result
