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


def example(language: str) -> str:
    found = re.findall(rf"<!-- example: {language} -->\n```{language}\n(.*?)```", README, re.S)
    assert len(found) == 1, f"the README has {len(found)} {language} examples"
    return found[0]


def output_of(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_examples_are_short() -> None:
    for language in ("python", "lua"):
        lines = [line for line in example(language).splitlines() if line.strip()]
        assert len(lines) <= 12, f"{language}: {len(lines)} lines"


def test_python_example() -> None:
    printed = output_of([sys.executable, "-W", "error", "-c", example("python")])
    assert printed == "buy user-ada {'price': 9.5}\n"


@pytest.mark.parametrize(("interpreter", "abi"), [("lua5.4", "5.4"), ("luajit", "5.1")])
def test_lua_example(interpreter: str, abi: str, tmp_path: Path) -> None:
    script = tmp_path / "example.lua"
    script.write_text(example("lua"))
    printed = output_of(
        [interpreter, str(script)],
        LUA_PATH=f"{ROOT}/lua/?.lua;{ROOT}/lua/?/init.lua;;",
        LUA_CPATH=f"{ROOT}/build/release/lua/{abi}/?.so;;",
    )
    assert printed == "buy\tuser-ada\t9.5\n"


def test_readme_names_exactly_two_commands() -> None:
    assert re.findall(r"^(make \w+)", README, re.M) == ["make demo", "make test"]
