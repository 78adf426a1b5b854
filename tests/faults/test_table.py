# SPDX-License-Identifier: MIT
"""The table of faults against C, Python and Lua, in memory and on disk."""

from __future__ import annotations

import os
import pathlib
import re
import tomllib
import zlib
from typing import Any

import kit
import pytest

FULL = os.environ.get("TIDEWHEEL_LADDER", "T0") != "T0"
ROWS = kit.table()


def chosen(row: dict[str, Any]) -> list[tuple[str, str]]:
    """All combinations in the full ladder, else two modes, in languages that turn by row."""
    modes = row.get("modes", kit.MODES)
    if FULL:
        return [(language, mode) for mode in modes for language in kit.LANGUAGES]
    if row.get("slow"):
        return []
    at = zlib.crc32(row["id"].encode())
    both = [modes[(at + i) % len(modes)] for i in range(min(2, len(modes)))]
    return [(kit.LANGUAGES[(at + i) % 4], mode) for i, mode in enumerate(both)]


CASES = [
    pytest.param(row, language, mode, id=f"{row['id']}-{language}-{mode}")
    for row in ROWS
    if "test" not in row and "left_out" not in row
    for language, mode in chosen(row)
]


@pytest.mark.parametrize(("row", "language", "mode"), CASES)
def test_fault(row: dict[str, Any], language: str, mode: str, tmp_path: pathlib.Path) -> None:
    assert kit.run_row(row, language, mode, tmp_path) == []


LAST = {"A": 18, "B": 15, "C": 19, "E": 20, "F": 21, "L": 5}


def test_every_fault_has_a_row() -> None:
    ids = [row["id"] for row in ROWS]
    assert len(set(ids)) == len(ids)
    wanted = {f"{group}{n:02d}" for group, last in LAST.items() for n in range(1, last + 1)}
    assert {row_id[:3] for row_id in ids} == wanted
    assert all(re.fullmatch(r"[A-FL]\d\d[a-z]?", row_id) for row_id in ids)


def test_tests_that_are_named_exist() -> None:
    for row in ROWS:
        named = row.get("test", [])
        for test in [named] if isinstance(named, str) else named:
            path, _, name = test.partition("::")
            begins = {".py": rf"def {name}\(", ".c": rf"static void {name}\(void"}
            begins[".lua"] = rf'it\(?\s?"{re.escape(name)}"'
            begin = begins[pathlib.Path(path).suffix] if name else ""
            assert re.search(begin, (kit.ROOT / path).read_text()), (row["id"], test)
        assert sum(key in row for key in ("test", "left_out", "plan", "rude", "door_ms")) <= 1


def test_each_mutant_has_its_place() -> None:
    """The full ladder builds them; code that moves on without them is noticed here."""
    with (kit.HERE / "mutants.toml").open("rb") as file:
        mutants = tomllib.load(file)["mutant"]
    assert len(mutants) >= 14
    for mutant in mutants:
        text = (kit.ROOT / mutant["file"]).read_text()
        assert text.count(mutant["find"].removeprefix("\n")) == 1, mutant["name"]
