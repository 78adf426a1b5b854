# SPDX-License-Identifier: MIT
"""Dicts are read in place only where that was seen to give what Python gives."""

from __future__ import annotations

import ctypes
import json
import os
import random
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tidewheel
from tidewheel import _core

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "bindings" / "python"
# What setup.py builds for one version of Python with the interpreter lock.
KNOWN = (
    (3, 11) <= sys.version_info < (3, 16)
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
    and ".abi3." not in str(_core.__file__)
)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    _core.dicts_in_place(True)


def test_this_python_stores_dicts_as_expected() -> None:
    assert _core.dicts_in_place(True) is KNOWN
    assert _core.dicts_in_place(False) is False
    assert _core.dicts_in_place(True) is KNOWN


def grown_by_chance(chance: random.Random) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for _ in range(chance.randrange(60)):
        turn = chance.random()
        if turn < 0.75 or not made:
            made[f"k{chance.randrange(200)}"] = chance.randrange(100)
        elif turn < 0.9:
            del made[chance.choice(list(made))]
        elif turn < 0.96:
            made.popitem()
        else:
            made = made.copy() if turn < 0.98 else {**made, "nested": made}
    return made


def test_both_ways_write_the_same(client: tidewheel.Client) -> None:
    chance = random.Random(5)
    for _ in range(300):
        event = {
            "event_type": "e",
            "user_id": "user-1",
            "event_properties": grown_by_chance(chance),
        }
        written = []
        for wanted in (True, False):
            _core.dicts_in_place(wanted)
            written.append(client._core.encode_event(event))
        assert written[0] == written[1]
        assert json.dumps(json.loads(written[0])) == json.dumps(event)  # order counts


# ---- layouts that are not this Python's ---------------------------------------------------------


def proven(folder: Path, changes: dict[str, str]) -> bool:
    """What the check says where the layout is another than access.h has it."""
    for name in ("access.h", "dict_check.h", "dict_check.c"):
        text = (HERE / name).read_text()
        if name == "access.h":
            for old, new in changes.items():
                assert text.count(old) == 1, old
                text = text.replace(old, new)
        (folder / name).write_text(text)
    library = folder / "check.so"
    command = [*shlex.split(os.environ.get("CC", "cc")), "-std=c11", "-O1", "-shared", "-fPIC"]
    command += [f"-I{sysconfig.get_path('include')}", f"-I{ROOT / 'core' / 'include'}"]
    environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    subprocess.run([*command, "-o", library, folder / "dict_check.c"], check=True, env=environment)
    return bool(ctypes.PyDLL(str(library)).twpy_dicts_proven())


ROW = "    PyObject *key;\n    PyObject *value;\n} twpy_row"
INDEX = "    uint8_t log2_index_bytes; /* the rows are behind the index */\n"
KIND = "    uint8_t kind;\n"
WRONG: dict[str, dict[str, str]] = {
    "key and value change places": {ROW: "    PyObject *value;\n    PyObject *key;\n} twpy_row"},
    "a row has a hash": {ROW: "    Py_hash_t hash;\n" + ROW},
    "a row has one behind": {
        ROW: "    PyObject *key;\n    PyObject *value;\n    Py_hash_t hash;\n} twpy_row"
    },
    "kind and index change places": {INDEX: "", KIND: KIND + INDEX},
    "a field in front": {"    Py_ssize_t references;\n": "    Py_ssize_t references, more;\n"},
    "a field behind": {"    char index[];": "    Py_ssize_t more;\n    char index[];"},
    "no count of references": {"    Py_ssize_t references;\n": "    uint32_t references;\n"},
    "no version": {"    uint32_t version;\n    Py_ssize_t usable;\n": "    Py_ssize_t usable;\n"}
    | {KIND: KIND + "    uint32_t version;\n    Py_ssize_t more;\n"},
    "counts change places": {
        "    Py_ssize_t usable;\n": "",
        "    char index[];": "    Py_ssize_t usable;\n    char index[];",
    },
    "keys of any type": {"TWPY_ROWS_OF_TEXT = 1": "TWPY_ROWS_OF_TEXT = 0"},
    "shared keys": {"TWPY_ROWS_OF_TEXT = 1": "TWPY_ROWS_OF_TEXT = 2"},
    "all kinds are one": {"rows->kind != TWPY_ROWS_OF_TEXT ||": ""},
    "holes are not seen": {" || rows->count != PyDict_GET_SIZE(dict))": ")"},
    "no table": {"->ma_keys": "->ma_values"},
    "the index has a byte for each slot": {"rows->log2_index_bytes));": "rows->log2_size));"},
}


@pytest.mark.skipif(not KNOWN, reason="this build knows no layout")
def test_the_check_holds_for_what_is_built(tmp_path: Path) -> None:
    assert proven(tmp_path, {})


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_another_layout_is_noticed(tmp_path: Path, changes: dict[str, str]) -> None:
    assert not proven(tmp_path, changes)
