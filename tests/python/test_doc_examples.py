# SPDX-License-Identifier: MIT
"""The examples of the pages run as they stand, in both languages."""

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import tidewheel

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("analytics", "users", "profile", "taxonomy", "export")

PRELUDE = """local tw = require "tidewheel"
local client = assert(tw.new{
  api_key = os.getenv "API_KEY", secret_key = os.getenv "SECRET_KEY", base_url = os.getenv "URL" })
"""


def examples(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    found = re.findall(rf"```{language}\n(.*?)```", text, re.S)
    assert found, f"{page} has no {language} example"
    return found


@pytest.fixture(scope="module")
def project() -> Iterator[tidewheel.Emulator]:
    """A project in which what the pages speak of is there."""
    with tidewheel.Emulator() as emu:
        emu_client = tidewheel.Client(emu.api_key, emu.secret_key, base_url=emu.url)
        with emu_client as client:
            for event_type in ("purchase", "visit"):
                client.track(
                    {
                        "event_type": event_type,
                        "user_id": "u-7781",
                        "country": "Chile",
                        "event_properties": {"price": 12},
                        "user_properties": {"tier": "gold"},
                    }
                )
            assert client.flush().stored == 2
        emu.profile(
            recommendations=[{"rec_id": one, "items": ["a"]} for one in ("r1", "r2")],
            predictions={"p1": {"score": 0.4, "pct": 60.0}},
        )
        yield emu


def test_docstring_examples(project: tidewheel.Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tidewheel.Client

    def client(*keys: str) -> tidewheel.Client:
        assert len(keys) == 2
        return made(project.api_key, project.secret_key, base_url=project.url)

    monkeypatch.setattr(tidewheel, "Client", client)
    names = [f"tidewheel.{one.name}" for one in pkgutil.iter_modules(tidewheel.__path__)]
    modules = [importlib.import_module(name) for name in ("tidewheel", *sorted(names))]
    found = 0
    for module in modules:
        for test in doctest.DocTestFinder(exclude_empty=True).find(module):
            names_there = vars(module) | {"Client": client}
            for example in test.examples:
                exec(compile(example.source, test.name, "single"), names_there)
                found += 1
    assert found >= 6


@pytest.mark.parametrize("page", PAGES)
def test_python_examples(page: str, project: tidewheel.Emulator) -> None:
    with tidewheel.Client(project.api_key, project.secret_key, base_url=project.url) as client:
        for code in examples(page, "python"):
            exec(compile(code, f"{page}.md", "exec"), {"client": client})


@pytest.mark.parametrize(("interpreter", "abi"), [("lua5.4", "5.4"), ("luajit", "5.1")])
@pytest.mark.parametrize("page", PAGES)
def test_lua_examples(
    page: str, interpreter: str, abi: str, project: tidewheel.Emulator, tmp_path: Path
) -> None:
    script = tmp_path / "example.lua"
    for code in examples(page, "lua"):
        script.write_text(f"{PRELUDE}{code}\nclient:close()\n")
        done = subprocess.run(
            [interpreter, str(script)],
            env=os.environ
            | {
                "API_KEY": project.api_key,
                "SECRET_KEY": project.secret_key,
                "URL": project.url,
                "LUA_PATH": f"{ROOT}/lua/?.lua;{ROOT}/lua/?/init.lua;;",
                "LUA_CPATH": f"{ROOT}/build/release/lua/{abi}/?.so;;",
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
