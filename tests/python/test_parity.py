# SPDX-License-Identifier: MIT
"""The same calls from Python and Lua give the same bytes on the wire."""

import base64
import itertools
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tidewheel

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "vectors" / "calls.json"
BUILD = ROOT / os.environ.get("TIDEWHEEL_BUILD", "build/release")


def call_all(emulator: tidewheel.Emulator) -> None:
    """Every call of the vectors, from Python."""
    values: dict[str, Any] = {"<app_id>": emulator.app_id}
    client = tidewheel.Client(
        emulator.api_key,
        emulator.secret_key,
        base_url=emulator.url,
        mcp_token=emulator.mcp_token,
        poll_first=0.05,
    )

    def filled(value: Any) -> Any:
        if isinstance(value, dict) and "prefix" in value:
            return [f"{value['prefix']}{i}" for i in range(value["first"], value["last"] + 1)]
        return values.get(value, value) if isinstance(value, str) else value

    def upload(**arguments: Any) -> None:
        cohort_id = client.cohorts.upload(**arguments).cohort_id
        values["<cohort_id>"] = cohort_id or values["<cohort_id>"]

    def plan(delete: bool, **document: Any) -> None:
        values["<diff>"] = client.taxonomy.plan(document, delete=delete)

    def named(method: str) -> Callable[..., Any]:
        """A method of the client, or of an area by its path."""
        found: Any = client
        for name in method.split("."):
            found = getattr(found, name)
        return found  # type: ignore[no-any-return]

    run: dict[str, Callable[..., Any]] = {
        "track": lambda **event: client.track(event),
        "track_many": lambda events: client.track_many(events),
        "cohorts.upload": upload,
        "cohorts.download": lambda cohort_id, **how: list(
            client.cohorts.download(cohort_id, **how)
        ),
        "export": lambda start, stop, **how: list(client.export(start, stop, **how)),
        "users.activity": lambda user, **how: list(client.users.activity(user, **how)),
        "taxonomy.plan": plan,
        "taxonomy.apply": lambda: client.taxonomy.apply(values["<diff>"]),
    }
    with client:
        for call in json.loads(VECTORS.read_text())["calls"]:
            positional = [filled(call["positional"])] if "positional" in call else []
            method = run.get(call["method"]) or named(call["method"])
            method(*positional, **{k: filled(v) for k, v in call["arguments"].items()})
            client.flush(10)


def requests(emulator: tidewheel.Emulator) -> list[tuple[str, str, str | None, str | None, bytes]]:
    """What the emulator received, without what it makes up itself: ids of cohorts and requests."""
    seen = []
    for entry in emulator.journal():
        if "request-status" in entry["path"]:
            continue  # how often is asked depends on time
        path = re.sub(r"/cohorts/request/[^/]+", "/cohorts/request/ID", entry["path"])
        body = base64.b64decode(entry["body_base64"] or "")
        body = re.sub(rb'cohort_id":"[^"]+"', b'cohort_id":"ID"', body)
        kind = entry["headers"]["content-type"]
        seen.append((entry["method"], path, entry["query"], kind, body))
    # The lists of a plan are asked for at the same time: which arrives first is left to chance.
    ordered = []
    for together, run in itertools.groupby(
        seen, lambda one: one[0] == "GET" and one[1].startswith("/api/2/taxonomy/")
    ):
        batch = list(run)
        ordered += sorted(batch, key=repr) if together else batch
    return ordered


@pytest.mark.parametrize(("interpreter", "abi"), [("lua5.4", "5.4"), ("luajit", "5.1")])
def test_both_languages_send_the_same_bytes(interpreter: str, abi: str) -> None:
    keys = {"api_key": "emu-parity-key", "secret_key": "emu-parity-secret"}
    keys["mcp_token"] = "emu-parity-token"
    with tidewheel.Emulator(**keys) as ours, tidewheel.Emulator(**keys) as theirs:
        call_all(ours)
        done = subprocess.run(
            [
                *(interpreter, ROOT / "tests" / "lua" / "run_calls.lua", VECTORS, theirs.url),
                *(theirs.api_key, theirs.secret_key, str(theirs.app_id), theirs.mcp_token),
            ],
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
        from_python, from_lua = requests(ours), requests(theirs)
    assert len(from_python) >= len(json.loads(VECTORS.read_text())["calls"])
    for python, lua in zip(from_python, from_lua, strict=True):
        assert lua == python
