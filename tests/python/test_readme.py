# SPDX-License-Identifier: MIT
"""The examples of the README run as they stand and print what a reader would expect."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def example(name: str) -> str:
    language = name.split()[0]
    found = re.findall(rf"<!-- example: {name} -->\n```{language}\n(.*?)```", README, re.S)
    assert len(found) == 1, f"the README has {len(found)} {name} examples"
    return found[0]


def output_of(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_examples_are_short() -> None:
    for name in ("python", "lua", "python analytics", "lua analytics"):
        lines = [line for line in example(name).splitlines() if line.strip()]
        assert len(lines) <= 12, f"{name}: {len(lines)} lines"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("python", "buy user-ada {'price': 9.5}\n"), ("python analytics", "(2,)\n")],
)
def test_python_example(name: str, expected: str) -> None:
    assert output_of([sys.executable, "-W", "error", "-c", example(name)]) == expected


@pytest.mark.parametrize(("interpreter", "abi"), [("lua5.4", "5.4"), ("luajit", "5.1")])
@pytest.mark.parametrize(
    ("name", "expected"), [("lua", "buy\tuser-ada\t9.5\n"), ("lua analytics", "2\n")]
)
def test_lua_example(name: str, expected: str, interpreter: str, abi: str, tmp_path: Path) -> None:
    script = tmp_path / "example.lua"
    script.write_text(example(name))
    printed = output_of(
        [interpreter, str(script)],
        LUA_PATH=f"{ROOT}/lua/?.lua;{ROOT}/lua/?/init.lua;;",
        LUA_CPATH=f"{ROOT}/build/release/lua/{abi}/?.so;;",
    )
    assert printed == expected


def test_readme_names_exactly_two_commands() -> None:
    assert re.findall(r"^(make \w+)", README, re.M) == ["make demo", "make test"]
