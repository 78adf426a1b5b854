# SPDX-License-Identifier: MIT
"""The same 500 calls from Python and Lua: the same bytes, the same refusals."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import tidewheel
from tidewheel import Event, Segment

from .conftest import API_KEY, SECRET_KEY, Answer, Request, Server, json_answer
from .query_grammar import Grammar

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("TIDEWHEEL_BUILD", "build/release")
CALLS = 500
POSITIONAL = ("events", "start_event", "return_event", "chart_id", "property")


def empty(request: Request) -> Answer:
    """An answer without anything in it."""
    path = request.path.split("?")[0]
    if path.startswith("/api/2/taxonomy/"):
        return json_answer({"success": True, "data": []})
    if path.startswith("/v1/userprofile"):
        return json_answer({"userData": {}})
    if path == "/api/2/usersearch":
        return json_answer({"type": "nomatch", "matches": []})
    if path.startswith("/api/3/chart/"):
        return json_answer({"data": ""})
    return json_answer({"data": [] if path in ("/api/2/funnels", "/api/2/events/list") else {}})


def build(value: Any) -> Any:
    """Builders where the grammar has them."""
    if isinstance(value, list):
        return [build(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "event" in value:
        event = Event(value["event"])
        for name, *arguments in value["do"]:
            type_ = arguments[3] if name == "where" and len(arguments) == 4 else None
            event = (
                event.where(*arguments[:3], type=type_) if name == "where" else event.by(*arguments)
            )
        return event
    if "segment" in value:
        segment = Segment()
        for name, *arguments in value["segment"]:
            if name == "performed":
                segment = segment.performed(build(arguments[0]), **arguments[1])
            else:
                segment = getattr(segment, name)(*arguments)
        return segment
    return {name: build(one) for name, one in value.items()}


def from_python(server: Server, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every call from Python; what became of each."""
    outcomes: list[dict[str, Any]] = []
    with tidewheel.Client(API_KEY, SECRET_KEY, base_url=server.url) as client:
        for call in calls:
            arguments = build(call["arguments"])
            if call["method"] == "call":
                method, positional = client.call, [call["endpoint"]]
            else:
                method = getattr(client.analytics, call["method"])
                positional = [arguments.pop(name) for name in POSITIONAL if name in arguments]
            try:
                method(*positional, **arguments)
                outcomes.append({"ok": True})
            except tidewheel.TidewheelError as error:
                outcomes.append({"code": error.code, "message": str(error), "field": error.field})
            except TypeError:  # a name that the method does not have
                outcomes.append({"unknown": True})
    return outcomes


def from_lua(
    server: Server, calls: list[dict[str, Any]], interpreter: str, abi: str, path: Path
) -> list[dict[str, Any]]:
    """The same from Lua."""
    path.write_text(json.dumps(calls))
    script = ROOT / "tests" / "lua" / "run_queries.lua"
    done = subprocess.run(
        [interpreter, script, path, server.url, API_KEY, SECRET_KEY],
        env=os.environ
        | {
            "LUA_PATH": f"{ROOT}/lua/?.lua;{ROOT}/lua/?/init.lua;;",
            "LUA_CPATH": f"{BUILD}/lua/{abi}/?.so;;",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("interpreter", "abi"), [("lua5.4", "5.4"), ("luajit", "5.1")])
def test_both_languages_ask_in_the_same_bytes(
    server: Server, interpreter: str, abi: str, tmp_path: Path
) -> None:
    server.answer = empty
    calls = Grammar(20261127).calls(CALLS)
    python = from_python(server, calls)
    ours = [(one.method, one.path, one.body) for one in server.requests]
    server.requests.clear()
    lua = from_lua(server, calls, interpreter, abi, tmp_path / "calls.json")
    theirs = [(one.method, one.path, one.body) for one in server.requests]
    assert len(python) == len(lua) == CALLS
    for call, mine, other in zip(calls, python, lua, strict=True):
        if "unknown" in mine:
            assert "has no argument" in other["message"], call
        else:
            assert mine == {"field": None, **other} if "message" in other else mine == other, call
    assert theirs == ours
    # Most of the grammar is right, and some of it is not.
    assert CALLS * 3 // 5 < sum("ok" in one for one in python) < len(ours) < CALLS


def test_the_grammar_is_seeded() -> None:
    assert Grammar(1).calls(20) == Grammar(1).calls(20) != Grammar(2).calls(20)
