# SPDX-License-Identifier: MIT
"""Puts each bug of tests/faults/mutants.toml into a copy of the tree: its test must fail.

Usage: tools/mutants [NAME...]. Prints one line for each; ends with 1 when a mutant survived.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COPY = ROOT / "build" / "mutants"


def run(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=COPY, capture_output=True, text=True, env={**os.environ, **env}
    )


def copy_tree() -> None:
    """What git knows, as it is now; the build folder of the last time is kept.

    The time of a copy is that of the copying: with the original's, what was built of a mutant would
    look newer.
    """
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, names):
        here, there = ROOT / name, COPY / name
        if here.is_file() and not (there.is_file() and filecmp.cmp(here, there, shallow=False)):
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(here, there)


def build(target: str) -> None:
    if not (COPY / "build" / "dev" / "build.ninja").exists():
        done = run("cmake", "--preset", "dev", "-DTW_BUILD_LUA=OFF")
        assert done.returncode == 0, done.stderr
    done = run("cmake", "--build", "build/dev", "--target", target, "fault-shim")
    assert done.returncode == 0, done.stdout + done.stderr


def complaint(mutant: dict[str, Any]) -> str:
    """What the test of a mutant says of what was built; nothing where it passes."""
    if "test" in mutant:
        ctest = ("ctest", "--test-dir", "build/dev", "--output-on-failure")
        done = run(*ctest, "-R", f"^{mutant['test']}$")
        return done.stdout + done.stderr if done.returncode else ""
    name = f"tests/faults/test_table.py::test_fault[{mutant['row']}-c-{mutant['mode']}]"
    python = str(ROOT / ".venv" / "bin" / "python")
    build_folder = str(COPY / "build" / "dev")
    done = run(
        *(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", name),
        TIDEWHEEL_LADDER="T1",
        TIDEWHEEL_BUILD=build_folder,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout if done.returncode else ""


def killed(mutant: dict[str, Any]) -> bool:
    path = COPY / mutant["file"]
    text = path.read_text()
    find, replace = (mutant[key].removeprefix("\n") for key in ("find", "replace"))
    assert text.count(find) == 1, f"{mutant['name']}: {mutant['file']} has changed"
    build(mutant["target"])
    assert not complaint(mutant), f"{mutant['name']}: the test fails without the mutant"
    try:
        path.write_text(text.replace(find, replace))
        build(mutant["target"])
        said = complaint(mutant)
        assert not said or mutant["because"] in said, f"{mutant['name']}: not for its fault: {said}"
        return said != ""
    finally:
        path.write_text(text)


def main() -> None:
    with (ROOT / "tests" / "faults" / "mutants.toml").open("rb") as file:
        mutants = tomllib.load(file)["mutant"]
    wanted = [m for m in mutants if m["name"] in sys.argv[1:] or not sys.argv[1:]]
    COPY.mkdir(parents=True, exist_ok=True)
    copy_tree()
    results = []
    for mutant in wanted:
        dead = killed(mutant)
        by = mutant.get("test") or f"row {mutant['row']} in C, {mutant['mode']}"
        results.append({"name": mutant["name"], "killed": dead, "by": by, "story": mutant["story"]})
        print(f"{'killed' if dead else 'SURVIVED':8} {mutant['name']} by {by}", flush=True)
    (ROOT / "build" / "mutants.json").write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(not all(result["killed"] for result in results))


if __name__ == "__main__":
    main()
