# SPDX-License-Identifier: MIT
"""/api/2/export: shape of the archive and of a row, windows, exact values."""

from __future__ import annotations

import base64
import datetime
import json
import locale
import pathlib
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from emulator_api import Api, event

from tidewheel.emulator import Emulator

NO_DATA = (
    b'{"error": {"http_code": 404, "type": "unspecified", "message": "Unspecified Error", '
    b'"metadata": {"details": "Raw data files were not found."}}}'
)

# The keys of a row as seen on the live service, in byte order.
KEYS = [
    "$insert_id",
    "$insert_key",
    "$schema",
    "adid",
    "amplitude_attribution_ids",
    "amplitude_event_type",
    "amplitude_id",
    "app",
    "city",
    "client_event_time",
    "client_upload_time",
    "country",
    "data",
    "data_type",
    "device_brand",
    "device_carrier",
    "device_family",
    "device_id",
    "device_manufacturer",
    "device_model",
    "device_type",
    "dma",
    "event_id",
    "event_properties",
    "event_time",
    "event_type",
    "global_user_properties",
    "group_properties",
    "groups",
    "idfa",
    "ip_address",
    "is_attribution_event",
    "language",
    "library",
    "location_lat",
    "location_lng",
    "os_name",
    "os_version",
    "partner_id",
    "paying",
    "plan",
    "platform",
    "processed_time",
    "region",
    "sample_rate",
    "server_received_time",
    "server_upload_time",
    "session_id",
    "source_id",
    "start_version",
    "user_creation_time",
    "user_id",
    "user_properties",
    "uuid",
    "version_name",
]


def test_rows_have_the_live_keys_in_order(api: Api) -> None:
    api.upload(event(1), event(2, platform="Web", event_properties={"a": [1, {"b": None}]}))
    lines = api.lines()
    assert len(lines) == 2
    for line in lines:
        assert line.endswith(b"}\n")
        pairs = json.loads(line, object_pairs_hook=list)
        assert [key for key, _ in pairs] == KEYS
        assert json.dumps(json.loads(line), separators=(",", ":"), ensure_ascii=False) == (
            line.decode().rstrip("\n")
        )


def test_archive_layout(api: Api) -> None:
    api.upload(event(1))
    reply = api.get("/api/2/export", **api.around_now())
    assert reply.headers["Content-Type"] == "application/zip"
    (entry,) = api.archive().infolist()
    name = rf"{api.emu.app_id}/{api.emu.app_id}_\d{{4}}-\d\d-\d\d_(0|[1-9]\d?)#0\.json\.gz"
    assert re.fullmatch(name, entry.filename)
    assert entry.compress_type == 0
    assert entry.flag_bits == 0x0008
    assert (entry.create_system, entry.extract_version) == (3, 20)
    assert reply.body[14:26] == bytes(12), "checksum and sizes stand in the data descriptor"


def test_hours_are_members_and_windows_include_both_ends(emu: Emulator, api: Api) -> None:
    for n in range(3):
        api.upload(event(n))
        emu.advance(3600)
    names = api.archive().namelist()
    assert len(names) == 3
    hours = re.findall(r"_(\d+)-(\d+)-(\d+)_(\d+)#0", "".join(names))
    texts = [f"{y}{m}{d}T{int(h):02d}" for y, m, d, h in hours]
    assert api.get("/api/2/export", start=texts[1], end=texts[1]).status == 200
    reply = api.get("/api/2/export", start=texts[0], end=texts[1])
    assert reply.body.count(b"PK\x01\x02") == 2


def test_members_can_be_split(emu: Emulator, api: Api) -> None:
    emu.switch(export_rows_per_file=100)
    api.upload(*[event(n) for n in range(250)])
    archive = api.archive()
    assert [name.split("#")[1] for name in archive.namelist()] == [
        "0.json.gz",
        "1.json.gz",
        "2.json.gz",
    ]
    # Both headers of each member say which version is needed to extract it: 2.0.
    whole = api.get("/api/2/export", **api.around_now()).body
    assert [entry.extract_version for entry in archive.infolist()] == [20] * 3
    offsets = [entry.header_offset for entry in archive.infolist()]
    assert [whole[at : at + 6] for at in offsets] == [b"PK\x03\x04\x14\x00"] * 3
    assert sorted(row["user_id"] for row in api.rows()) == [f"user-{n:04d}" for n in range(250)]


def test_numbers_and_strings_come_back_as_sent(api: Api) -> None:
    text = (
        '{"big":9007199254740993,"huge":123456789012345678901234567890,"exp":1e15,"z":-0.0,'
        '"tiny":5e-324,"nul":"a\\u0000b","half":"\\ud800","emoji":"\U0001f30a","é":[1.50,[]]}'
    )
    body = (
        f'{{"api_key":"{api.emu.api_key}","events":[{{"user_id":"user-1",'
        f'"event_type":"a\\u0000b","event_properties": {text}}}]}}'
    )
    assert api.call("POST", "/2/httpapi", body.encode()).status == 200
    (line,) = api.lines()
    assert text.encode() in line
    assert json.loads(line)["event_type"] == "a\0b"


def test_event_fields_reach_their_columns(api: Api) -> None:
    columns = {
        "platform": "Web",
        "os_name": "Linux",
        "os_version": "6.1",
        "device_brand": "b",
        "device_manufacturer": "m",
        "device_model": "x",
        "country": "Chile",
        "region": "r",
        "city": "c",
        "dma": "d",
        "location_lat": -33.04,
        "location_lng": -71.6,
        "event_id": 7,
        "session_id": 1767225600000,
        "library": "my/1",
        "partner_id": "p",
        "start_version": "0.9",
    }
    renamed = {"carrier": "k", "app_version": "1.2", "language": "en-US", "ip": "1.2.3.4"}
    dropped = {"idfa": "i", "adid": "a"}
    plan = {"branch": "main", "version": "2", "other": 1}
    api.upload(event(1, **columns, **renamed, **dropped, plan=plan, insert_id="i-1"))
    (row,) = api.rows()
    assert {key: row[key] for key in columns} == columns
    assert (row["device_carrier"], row["version_name"]) == ("k", "1.2")
    assert (row["language"], row["ip_address"]) == ("English", "1.2.3.4")
    assert (row["idfa"], row["adid"]) == (None, None)
    assert row["plan"] == {"branch": "main", "version": "2"}
    assert row["$insert_id"] == "i-1"
    assert row["app"] == api.emu.app_id
    assert row["data"]["path"] == "/2/httpapi"


def test_defaults_of_a_bare_event(api: Api) -> None:
    api.upload(event(1))
    (row,) = api.rows()
    assert row["session_id"] == -1
    assert row["library"] == "http/2.0"
    assert row["client_event_time"] == row["event_time"] == row["server_upload_time"]
    assert row["client_upload_time"] == row["server_received_time"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}000", row["processed_time"])
    assert row["device_id"][14] == "5", "a version 5 UUID of the user id"
    api.upload(event(1))
    assert api.rows()[1]["device_id"] == row["device_id"]


def test_clock_skew_of_a_minute_or_more_is_corrected(api: Api) -> None:
    upload = api.upload(event(1, time=1000), client_upload_time="1970-01-01T00:00:02.000Z").json
    api.upload(event(2, time=1767225600123))
    first, second = api.rows()
    shift = upload["server_upload_time"] - 2000
    assert first["client_event_time"] == "1970-01-01 00:00:01.000000"
    assert first["client_upload_time"] == "1970-01-01 00:00:02.000000"
    received = datetime.datetime.fromisoformat(first["server_received_time"])
    corrected = datetime.datetime.fromisoformat(first["event_time"])
    assert received - corrected == datetime.timedelta(seconds=1)
    assert shift > 60000
    assert second["event_time"] == "2026-01-01 00:00:00.123000"


@pytest.mark.parametrize(("behind", "shift"), [(50, 0), (-50, 0), (3600, 3600), (-3600, -3600)])
def test_a_small_skew_of_the_clock_is_left_alone(api: Api, behind: int, shift: int) -> None:
    now = json.loads(api.emu._core.control("GET", "/clock")[1])["now_ms"] / 1000
    sent = datetime.datetime.fromtimestamp(now - behind, datetime.UTC).isoformat()
    api.upload(event(1, time=1767225600000), client_upload_time=sent)
    (row,) = api.rows()
    moved = datetime.datetime.fromisoformat(row["event_time"] + "Z").timestamp() - 1767225600
    assert abs(moved - shift) < 9, "the time between the clock and the upload"
    assert shift or moved == 0
    assert row["client_event_time"] == "2026-01-01 00:00:00.000000"


def test_half_a_surrogate_pair_makes_no_broken_line(api: Api) -> None:
    text = r'"half \ud800 \udfff\u0041"'
    body = f'{{"api_key":"{api.emu.api_key}","events":[{{"user_id":{text},"event_type":{text}}}]}}'
    assert api.call("POST", "/2/httpapi", body).status == 200
    (line,) = api.lines()
    row = json.loads(line.decode())
    assert row["user_id"] == row["event_type"] == "half \ud800 \udfffA"


def test_user_properties_are_those_of_the_moment(api: Api) -> None:
    api.upload(event(1, user_properties={"tier": "gold"}))
    api.upload(event(1, event_type="second"))
    api.upload(event(1, event_type="third", user_properties={"tier": "iron", "n": 1}))
    skip = {"$skip_user_properties_sync": True}
    api.upload(event(1, event_type="fourth", user_properties={"own": 1}, **skip))
    api.upload(event(1, event_type="fifth", **skip), event(1, event_type="sixth"))
    assert [row["user_properties"] for row in api.rows()] == [
        {"tier": "gold"},
        {"tier": "gold"},
        {"tier": "iron", "n": 1},
        {"own": 1},
        {},
        {"tier": "iron", "n": 1},
    ]


@pytest.mark.parametrize(
    ("keys", "revenue"),
    [
        ({"price": 19.99}, "19.99"),
        ({"price": 19.99, "quantity": 3}, "59.97"),
        ({"price": 0.1, "quantity": 3, "revenue": 7}, "0.3"),
        ({"price": -5, "quantity": 2}, "-10"),
        ({"revenue": 12.5}, "12.5"),
        ({"price": 1e3, "quantity": 2}, "2000"),
        ({"price": 1.5e300, "quantity": 1e300}, None),
    ],
)
def test_revenue_travels_in_the_properties(
    api: Api, keys: dict[str, Any], revenue: str | None
) -> None:
    api.upload(event(1, **keys, productId="p-1", event_properties={"a": 1}))
    properties = json.loads(api.lines()[0], parse_float=str, parse_int=str)["event_properties"]
    assert properties["$revenue"] == revenue
    assert properties["$productId"] == "p-1"
    assert properties["a"] == "1"


def test_long_strings_are_cut(api: Api) -> None:
    api.upload(event(1, event_properties={"long": "é" * 1025, "fits": "x" * 1024}))
    properties = api.rows()[0]["event_properties"]
    assert properties == {"long": "é" * 1024, "fits": "x" * 1024}


def test_groups_beyond_the_limits_are_not_tracked(api: Api) -> None:
    groups = {f"type {n}": [str(v) for v in range(12)] for n in range(7)}
    api.upload(event(1, groups=groups))
    kept = api.rows()[0]["groups"]
    assert list(kept) == [f"type {n}" for n in range(5)]
    assert all(values == [str(v) for v in range(10)] for values in kept.values())


@pytest.mark.parametrize(
    ("query", "details"),
    [
        ({}, "Missing argument start"),
        ({"start": "20260101T00"}, "Missing argument end"),
        ({"start": "20260101", "end": "20260101T00"}, "Invalid start date"),
        ({"start": "2026-01-01T0", "end": "20260101T00"}, "Invalid start date"),
        ({"start": "20260101T00", "end": "20260101T24"}, "Invalid end date"),
        ({"start": "20260101T00", "end": "20260230T00"}, "Invalid end date"),
        ({"start": "20260102T00", "end": "20260101T00"}, "Start must not be after end"),
        ({"start": "20250101T00", "end": "20260101T00"}, "Date range exceeds 365 days"),
    ],
)
def test_bad_windows(api: Api, query: dict[str, str], details: str) -> None:
    reply = api.get("/api/2/export", **query)
    assert (reply.status, reply.details) == (400, details)
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"


def test_no_data_size_and_lag(emu: Emulator, api: Api) -> None:
    window = api.around_now()
    reply = api.get("/api/2/export", **window)
    assert (reply.status, reply.body) == (404, NO_DATA)
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    api.upload(event(1))
    emu.switch(export_max_bytes=10)
    reply = api.get("/api/2/export", **window)
    assert (reply.status, reply.details) == (400, "Export size is too large")
    emu.switch(export_max_bytes=1 << 32, export_lag_hours=2)
    assert api.get("/api/2/export", **window).status == 404
    emu.advance(3 * 3600)
    assert api.get("/api/2/export", **window).status == 200
    emu.switch(export_lag_hours=0, export_body="html")
    assert api.get("/api/2/export", **window).body.startswith(b"<html>")


@pytest.mark.parametrize(
    ("pair", "details"),
    [
        (None, "Invalid API Key"),
        ("emu-other:emu-secret-key", "Invalid API Key"),
        ("emu-api-key:wrong", "Invalid API/Secret Key combination"),
        ("emu-api-key", "Invalid API Key"),
    ],
)
def test_bad_credentials_are_403(api: Api, pair: str | None, details: str) -> None:
    header = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()} if pair else {}
    reply = api.call("GET", "/api/2/export?start=20260101T00&end=20260101T00", **header)
    assert (reply.status, reply.details) == (403, details)
    assert api.call("GET", "/api/3/cohorts", **header).details == details


@pytest.fixture
def decimal_comma(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A locale that writes 0,5; compiled here, as few machines have one."""
    command = ["localedef", "-c", "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")]
    subprocess.run(command, check=False, capture_output=True)
    monkeypatch.setenv("LOCPATH", str(tmp_path))
    before = locale.setlocale(locale.LC_NUMERIC)
    locale.setlocale(locale.LC_NUMERIC, "de_DE.UTF-8")
    assert locale.localeconv()["decimal_point"] == ","
    yield
    locale.setlocale(locale.LC_NUMERIC, before)


@pytest.mark.usefixtures("decimal_comma")
def test_no_locale_changes_a_number(api: Api) -> None:
    api.upload(event(1, price=1.5e-9, quantity=2.5e3, user_properties={"n": 0.5}))
    api.upload(event(1, event_type="$identify", user_properties={"$add": {"n": 0.25}}))
    api.upload(event(1))
    first, second = api.rows()
    assert first["event_properties"]["$revenue"] == 1.5e-9 * 2.5e3
    assert second["user_properties"] == {"n": 0.75}
