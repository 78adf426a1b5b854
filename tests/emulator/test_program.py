# SPDX-License-Identifier: MIT
"""The executable and the store file."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from emulator_api import Api, event

from tidewheel.emulator import Emulator


@contextlib.contextmanager
def running(program: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    command = [program, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process, SimpleNamespace(**json.loads(process.stdout.readline()))
        finally:
            process.kill()


def test_it_prints_one_line_and_ends_on_a_signal(program: str) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with running(program, "--api-key", "emu-k", "--app-id", "7") as (process, info):
            assert (info.api_key, info.app_id) == ("emu-k", 7)
            api = Api(info)
            assert api.upload(event(1)).status == 200
            process.send_signal(number)
            assert process.wait(10) == 0
            api.connection.close()


def test_it_ends_with_standard_input(program: str) -> None:
    with running(program, "--exit-with-stdin") as (process, _info):
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    "arguments",
    [["--listen", "0.0.0.0:80"], ["--api-key", "real"], ["--store", "/nowhere/at/all"], ["--what"]],
)
def test_bad_arguments_end_with_one_line(program: str, arguments: list[str]) -> None:
    done = subprocess.run([program, *arguments], capture_output=True, timeout=20, check=False)
    assert done.returncode in (1, 2)
    assert done.stdout == b""
    assert done.stderr


def test_the_time_zone_is_an_argument(program: str) -> None:
    arguments = [program, "--exit-with-stdin", "--time-zone", "Asia/Kolkata"]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, text=True, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        info = json.loads(process.stdout.readline())
        headers = {"X-Emulator-Token": info["control_token"]}
        connection = http.client.HTTPConnection(info["control_url"].removeprefix("http://"))
        connection.request("GET", "/", headers=headers)
        assert json.loads(connection.getresponse().read())["time_zone"] == "Asia/Kolkata"
        connection.close()
        assert process.stdin is not None
        process.stdin.close()
    assert process.returncode == 0
    result = subprocess.run([program, "--time-zone", "No/Where"], capture_output=True, text=True)
    assert result.returncode == 1
    assert "time_zone was refused" in result.stderr


def test_a_killed_emulator_leaves_a_good_store(program: str, tmp_path: pathlib.Path) -> None:
    store = str(tmp_path / "store.db")
    one = event(1, insert_id="i-1", user_properties={"tier": "gold"})
    with running(program, "--store", store) as (process, info):
        api = Api(info)
        api.upload(one, event(2, groups={"org": "1"}))
        process.kill()
        api.connection.close()
    with Emulator(store) as emu:
        api = Api(emu)
        assert api.upload(one, event(1, event_type="later")).status == 200
        rows = api.rows()
        api.connection.close()
    assert [row["event_type"] for row in rows] == ["Basket Opened", "Basket Opened", "later"]
    assert rows[2]["amplitude_id"] == rows[0]["amplitude_id"]
    assert rows[2]["user_properties"] == {"tier": "gold"}


def test_everything_but_jobs_survives_a_restart(tmp_path: pathlib.Path) -> None:
    store = str(tmp_path / "store.db")
    with Emulator(store) as emu:
        api = Api(emu)
        api.upload(event(1, insert_id="i-1", price=1, app_version="1.0", session_id=1767225600000))
        api.upload({"device_id": "device-1", "event_type": "anonymous"})
        api.upload(event(2, device_id="device-1", event_type="named"))
        api.form("/identify", {"user_id": "user-0001", "country": "Chile"})
        group = {"group_type": "org", "group_value": "1", "group_properties": {"a": 1}}
        api.form("/groupidentify", group)
        body = {"name": "n", "app_id": emu.app_id, "id_type": "BY_USER_ID", "ids": ["user-0001"]}
        body |= {"owner": "ana@shop.test", "published": True}
        made = api.post("/api/3/cohorts/upload", body).json["cohortId"]
        listed = api.get("/api/3/cohorts").body
        before = api.rows()
        api.connection.close()
    with Emulator(store) as emu:
        api = Api(emu)
        assert api.rows() == before
        assert api.get("/api/3/cohorts").body == listed
        assert api.get(f"/api/3/cohorts/{made}").json["user_ids"] == ["user-0001"]
        emu.advance(7 * 86400 - 600)
        api.upload(event(1, insert_id="i-1"), event(1, event_type="later", groups={"org": "1"}))
        rows = api.rows()
        assert [row["event_type"] for row in rows[len(before) :]] == ["later"], "i-1 is remembered"
        last = rows[-1]
        assert (last["paying"], last["start_version"], last["country"]) == (True, "1.0", "Chile")
        assert last["group_properties"] == {"org": {"1": {"a": 1}}}
        assert last["amplitude_id"] == before[0]["amplitude_id"]
        assert before[1]["amplitude_id"] == before[2]["amplitude_id"]
        emu.advance(1200)
        api.upload(event(1, insert_id="i-1"))
        assert len(api.rows()) == len(rows) + 1, "the window ended"
        api.connection.close()


def test_a_store_belongs_to_one_project(tmp_path: pathlib.Path) -> None:
    store = str(tmp_path / "store.db")
    Emulator(store, app_id=1).close()
    with pytest.raises(ValueError, match="belonged to app id 1, not 2"):
        Emulator(store, app_id=2)


def test_a_store_is_open_once_only(program: str, tmp_path: pathlib.Path) -> None:
    store = str(tmp_path / "store.db")
    with running(program, "--store", store) as (process, _info):
        with pytest.raises(ValueError, match="database is locked"):
            Emulator(store)
        process.terminate()
        assert process.wait(10) == 0
    Emulator(store).close()


def test_the_demo_seed_is_the_same_every_time() -> None:
    counts = []
    for _ in range(2):
        with Emulator(seed="demo") as emu:
            api = Api(emu)
            rows = api.rows()
            cohorts = api.get("/api/3/cohorts").json["cohorts"]
            plan = api.get("/api/2/taxonomy/event").json["data"]
            charts = [
                api.get(f"/api/3/chart/{chart}/csv").json["data"]
                for chart in ("visitors", "conversion", "comeback")
            ]
            path = "/v1/userprofile?user_id=customer-007&get_propensity=&prediction_id=will-buy"
            profile = api.call("GET", path, Authorization=f"Api-Key {emu.secret_key}").json
            counts.append(
                (
                    [(r["event_type"], r["device_id"], r["event_properties"]) for r in rows],
                    [(c["name"], c["size"]) for c in cohorts],
                    plan,
                    charts,
                    profile["userData"]["propensity"],
                )
            )
            api.connection.close()
    assert counts[0] == counts[1]
    events, sizes, plan, charts, propensity = counts[0]
    assert len(events) > 8000, "those of the last 30 days"
    assert len(sizes) == 2
    states = {row["event_type"]: row["is_active"] for row in plan}
    assert states["Heartbeat Sent"] is False
    assert {"Gift Wrapped", "Review Written"} <= set(states)
    visitors, conversion, comeback = charts
    assert all(f'"\t{name}",' in visitors for name in ("Web", "iOS", "Android"))
    steps = [int(n.strip('"')) for n in conversion.splitlines()[3].split(",")[1:]]
    assert steps == sorted(steps, reverse=True)
    assert steps[0] > steps[1] > steps[2] > 0
    assert len(comeback.splitlines()) > 28
    assert propensity > 0


def test_closing_ends_calls_in_progress() -> None:
    emu = Emulator()
    emu.faults({"when": "after_commit", "do": {"stall_ms": 10**9}})
    api = Api(emu)
    api.connection.request("GET", "/api/3/cohorts", headers=api.basic)
    while not emu._control("GET", "/faults")[0]["used"]:
        pass
    emu.close()
    emu.close()
    with pytest.raises(ValueError, match="closed"):
        emu.journal()
    api.connection.close()


def test_closing_ends_a_half_read_export() -> None:
    emu = Emulator()
    api = Api(emu)
    for first in range(0, 30_000, 2000):
        noise = {"noise": f"{first * 7919:x}" * 40}
        events = [event(first + n, event_properties={**noise, "n": n}) for n in range(2000)]
        assert api.upload(*events, path="/batch").status == 200
    window = api.around_now()
    query = f"start={window['start']}&end={window['end']}"
    api.connection.request("GET", f"/api/2/export?{query}", headers=api.basic)
    response = api.connection.getresponse()
    assert response.read(4) == b"PK\x03\x04"
    started = time.monotonic()
    emu.close()
    assert time.monotonic() - started < 2
    response.close()
    api.connection.close()


def test_an_emulator_belongs_to_the_process_that_started_it(emu: Emulator) -> None:
    child = os.fork()
    if child == 0:
        try:
            emu.journal()
        except ValueError:
            emu.close()
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    api = Api(emu)
    assert api.upload(event(1)).status == 200
    api.connection.close()


def test_a_store_of_another_layout_is_refused(tmp_path: pathlib.Path) -> None:
    store = tmp_path / "store.db"
    with contextlib.closing(sqlite3.connect(store)) as db:
        db.execute("CREATE TABLE events(seq INTEGER PRIMARY KEY)")
    with pytest.raises(ValueError, match="written by another version of the emulator"):
        Emulator(str(store))
    store.write_bytes(b"no database" * 100)
    with pytest.raises(ValueError, match="could not be opened"):
        Emulator(str(store))
