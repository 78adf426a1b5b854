# SPDX-License-Identifier: MIT
"""Cohorts: list, upload, membership, and the three steps of a download."""

from __future__ import annotations

import csv
import gzip
import http.client
import io
import re
import urllib.parse
from typing import Any

import pytest
from emulator_api import Api, Reply, event

from tidewheel.emulator import Emulator

ROW_KEYS = [
    "appId",
    "archived",
    "definition",
    "description",
    "finished",
    "id",
    "name",
    "published",
    "type",
    "lastMod",
    "createdAt",
    "lastComputed",
    "hidden",
    "metadata",
    "view_count",
    "popularity",
    "last_viewed",
    "chart_id",
    "edit_id",
    "is_predictive",
    "is_official_content",
    "location_id",
    "shortcut_ids",
    "per_app_metadata",
    "cohort_definition_type",
    "cohort_output_type",
    "is_generated_content",
    "owners",
    "viewers",
    "size",
]


@pytest.fixture
def users(api: Api) -> list[str]:
    names = [f"user-{n:04d}" for n in range(5)]
    api.upload(*[event(n, user_properties={"tier": f"t{n}"}) for n in range(5)])
    return names


def upload(api: Api, ids: list[str], **keys: Any) -> Reply:
    body = {
        "name": "Buyers",
        "app_id": api.emu.app_id,
        "id_type": "BY_USER_ID",
        "ids": ids,
        "owner": "ana@shop.test",
        "published": True,
        **keys,
    }
    return api.post("/api/3/cohorts/upload", {k: v for k, v in body.items() if v != "absent"})


def make(api: Api, ids: list[str], **keys: Any) -> str:
    reply = upload(api, ids, **keys)
    assert reply.status == 200, reply.body
    return str(reply.json["cohortId"])


def request(api: Api, cohort: str, **query: object) -> str:
    reply = api.get(f"/api/5/cohorts/request/{cohort}", **query)
    assert reply.status == 202, reply.body
    assert reply.json["cohort_id"] == cohort
    return str(reply.json["request_id"])


def file(api: Api, cohort: str, **query: object) -> list[list[str]]:
    job = request(api, cohort, **query)
    api.emu.advance(1)
    reply = api.get(f"/api/5/cohorts/request/{job}/file")
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == "text/csv"
    assert reply.headers["Content-Encoding"] == "gzip"
    text = gzip.decompress(reply.body).decode()
    rows = list(csv.reader(io.StringIO(text)))
    assert all(
        re.fullmatch(r'"([^"]|"")*"(,"([^"]|"")*")*', line) for line in text.split("\n")[:-1]
    )
    return rows


def members(api: Api, cohort: str) -> list[str]:
    return [row[1] for row in file(api, cohort)[1:]]


def test_list_shows_published_cohorts_with_all_keys(api: Api, users: list[str]) -> None:
    shown = make(api, users)
    hidden = make(api, users, published=False)
    reply = api.get("/api/3/cohorts")
    assert reply.headers["Content-Type"] == "application/json; charset=UTF-8"
    (row,) = reply.json["cohorts"]
    assert list(row) == ROW_KEYS
    assert (row["id"], row["size"], row["owners"]) == (shown, 5, ["ana@shop.test"])
    assert row["createdAt"] < 1 << 33, "seconds"
    assert (
        api.get("/api/3/cohorts", includeSyncInfo="true").json["cohorts"][0]["syncMetadata"] == []
    )
    other = make(api, users)
    picked = api.get("/api/3/cohorts", cohortIds=f"{other},zzz").json["cohorts"]
    assert [row["id"] for row in picked] == [other]
    assert api.get(f"/api/5/cohorts/request/{hidden}").details == "Cohort not found"
    one = api.get(f"/api/3/cohorts/{shown}").json
    assert one["user_ids"] == users
    assert len(one["amplitude_ids"]) == 5


def test_upload_counts_and_samples(api: Api, users: list[str]) -> None:
    reply = upload(api, [*users, "u-x"])
    assert reply.json["metadata"] == {"matched": 5, "totals": 6, "invalid_ids_sample": ["u-x"]}
    assert members(api, reply.json["cohortId"]) == users
    strict = upload(api, [*users, "u-x"], skip_invalid_ids=False)
    assert strict.json == {
        "error": {
            "http_code": 400,
            "type": "invalid",
            "message": "Invalid ids",
            "metadata": {"invalid_ids": ["u-x"]},
        }
    }
    assert upload(api, ["u-x"]).json["metadata"]["matched"] == 0
    dry = upload(api, users, skip_save=True)
    assert dry.json["cohortId"] is None
    assert len(api.get("/api/3/cohorts").json["cohorts"]) == 2


def test_upload_replaces(api: Api, users: list[str]) -> None:
    cohort = make(api, users)
    assert make(api, users[:2], existing_cohort_id=cohort) == cohort
    assert members(api, cohort) == users[:2]
    amplitude_id = file(api, cohort)[1][0]
    make(api, [amplitude_id], id_type="BY_AMP_ID", existing_cohort_id=cohort)
    assert members(api, cohort) == users[:1]
    assert make(api, [], existing_cohort_id=cohort) == cohort
    assert members(api, cohort) == []
    reply = upload(api, users, existing_cohort_id="zzz")
    assert reply.json["error"] == {
        "http_code": 404,
        "type": "invalid",
        "message": "Cohort not found",
        "metadata": {"cohort_id": "zzz"},
    }


@pytest.mark.parametrize(
    ("keys", "message", "field"),
    [
        ({"owner": "absent"}, "Missing required field: owner", "owner"),
        ({"name": None}, "Missing required field: name", "name"),
        ({"id_type": "BY_ID"}, "Invalid value for id_type", "id_type"),
        ({"app_id": 1}, "Invalid value for app_id", "app_id"),
        ({"owner": "ana"}, "Invalid value for owner", "owner"),
        ({"published": "true"}, "Invalid value for published", "published"),
        ({"ids": "user-1"}, "Invalid value for ids", "ids"),
        ({"ids": ["user-0001", 5]}, "Invalid value for ids", "ids"),
        ({"ids": [None]}, "Invalid value for ids", "ids"),
        ({"cg": "org id"}, "Invalid value for cg", "cg"),
        ({"cg": 5}, "Invalid value for cg", "cg"),
        ({"app_id": 501177.5}, "Invalid value for app_id", "app_id"),
        ({"app_id": "501177x"}, "Invalid value for app_id", "app_id"),
        ({"skip_save": "yes"}, "Invalid value for skip_save", "skip_save"),
        ({"skip_invalid_ids": 1}, "Invalid value for skip_invalid_ids", "skip_invalid_ids"),
        ({"existing_cohort_id": 5}, "Invalid value for existing_cohort_id", "existing_cohort_id"),
        ({"ids": []}, "ids must not be empty", "ids"),
    ],
)
def test_upload_errors(api: Api, keys: dict[str, Any], message: str, field: str) -> None:
    reply = upload(api, **{"ids": ["user-0001"], **keys})
    assert reply.status == 400
    assert reply.json["error"] == {
        "http_code": 400,
        "type": "invalid",
        "message": message,
        "metadata": {"field": field},
    }


def test_upload_limits_and_leniency(api: Api, users: list[str]) -> None:
    assert upload(api, users, app_id=str(api.emu.app_id)).status == 200
    assert upload(api, ["x"] * 100_000).json["metadata"]["totals"] == 100_000
    assert upload(api, ["x"] * 100_001).json["error"]["message"] == "Too many ids"
    reply = api.call("POST", "/api/3/cohorts/upload", "{", **api.basic)
    assert reply.json["error"]["message"] == "Invalid JSON"


def change(api: Api, cohort: str, *operations: tuple[list[str], str, str], **keys: Any) -> Reply:
    memberships = [
        {"ids": ids, "id_type": id_type, "operation": operation}
        for ids, id_type, operation in operations
    ]
    body = {"cohort_id": cohort, "memberships": memberships, **keys}
    return api.post("/api/3/cohorts/membership", body)


def test_membership_adds_and_removes_in_order(api: Api, users: list[str]) -> None:
    cohort = make(api, users[:2])
    amplitude_id = file(api, cohort)[1][0]
    reply = change(
        api,
        cohort,
        (["user-0003", "u-x"], "BY_NAME", "ADD"),
        ([amplitude_id], "BY_ID", "REMOVE"),
    )
    assert reply.json == {
        "cohort_id": cohort,
        "memberships_result": [
            {"skipped_ids": ["u-x"], "id_type": "BY_NAME", "operation": "ADD"},
            {"skipped_ids": [], "id_type": "BY_ID", "operation": "REMOVE"},
        ],
    }
    assert members(api, cohort) == ["user-0001", "user-0003"]
    strict = change(api, cohort, (["user-0004", "u-x"], "BY_NAME", "ADD"), skip_invalid_ids=False)
    assert strict.status == 400
    assert strict.json["error"]["code"] == 1400
    assert strict.json["error"]["metadata"]["memberships_result"][0]["skipped_ids"] == ["u-x"]
    assert members(api, cohort) == ["user-0001", "user-0003"]


def test_membership_errors(emu: Emulator, api: Api, users: list[str]) -> None:
    cohort = make(api, users)
    cases = [
        (change(api, "zzz", (users, "BY_NAME", "ADD")), 404, "Cohort not found"),
        (change(api, cohort, (users, "BY_USER_ID", "ADD")), 400, "Invalid value for id_type"),
        (change(api, cohort, (users, "BY_AMP_ID", "ADD")), 400, "Invalid value for id_type"),
        (change(api, cohort, (users, "BY_NAME", "SET")), 400, "Invalid value for operation"),
        (change(api, cohort), 400, "memberships must not be empty"),
        (change(api, cohort, ([], "BY_NAME", "ADD")), 400, "memberships must not be empty"),
        (change(api, cohort, (["x"] * 100_001, "BY_NAME", "ADD")), 400, "Too many ids"),
        (
            change(api, cohort, (users, "BY_NAME", "ADD"), count_group="org"),
            400,
            "count_group does not match the cohort",
        ),
        (
            change(api, cohort, (users, "BY_NAME", "ADD"), count_group=5),
            400,
            "Invalid value for count_group",
        ),
        (
            change(api, cohort, (users, "BY_NAME", "ADD"), skip_invalid_ids="no"),
            400,
            "Invalid value for skip_invalid_ids",
        ),
        (
            api.post("/api/3/cohorts/membership", {"cohort_id": cohort, "memberships": [5]}),
            400,
            "Missing required field: ids",
        ),
        (
            api.post("/api/3/cohorts/membership", {"cohort_id": cohort}),
            400,
            "Missing required field: memberships",
        ),
    ]
    for reply, status, message in cases:
        assert (reply.status, reply.json["error"]["message"]) == (status, message)
        assert reply.json["error"]["code"] == 1000 + status
        assert "metadata" not in reply.json["error"]
    emu.switch(membership_by_amp_id=True)
    assert change(api, cohort, (users, "BY_AMP_ID", "ADD")).status == 200


def test_a_second_membership_update_meanwhile_is_429(
    emu: Emulator, api: Api, users: list[str]
) -> None:
    emu.switch(cohort_write_ms=5000)
    cohort, other = make(api, users), make(api, users)
    assert change(api, cohort, (users, "BY_NAME", "ADD")).status == 200
    reply = change(api, cohort, (users, "BY_NAME", "REMOVE"))
    assert (reply.status, reply.json["error"]["code"]) == (429, 1429)
    assert change(api, other, (users, "BY_NAME", "ADD")).status == 200
    emu.advance(6)
    assert change(api, cohort, (users, "BY_NAME", "REMOVE")).status == 200


def test_status_goes_from_202_to_200(emu: Emulator, api: Api, users: list[str]) -> None:
    emu.switch(job_ms=60_000)
    job = request(api, make(api, users))
    path = f"/api/5/cohorts/request-status/{job}"
    running = api.get(path)
    assert (running.status, running.json["async_status"]) == (202, "JOB INPROGRESS")
    early = api.get(f"/api/5/cohorts/request/{job}/file")
    assert (early.status, early.details) == (400, "Request is not completed")
    emu.advance(61)
    done = api.get(path)
    assert (done.status, done.json["async_status"]) == (200, "JOB COMPLETED")
    emu.switch(job_status="failed")
    assert api.get(path).json["async_status"] == "JOB FAILED"
    emu.switch(job_status="http_500")
    assert api.get(path).status == 500
    emu.switch(job_status="never")
    assert api.get(path).status == 202
    emu.advance(8 * 86400)
    assert (api.get(path).status, api.get(path).details) == (404, "Request not found")


def test_jobs_whose_link_has_ended_are_dropped(emu: Emulator, api: Api, users: list[str]) -> None:
    """Seen by a clock set back: the link would live again if the job had been kept."""
    emu.switch(job_ms=0)
    cohort = make(api, users)
    old, young = request(api, cohort), ""
    for _ in range(2):
        emu.advance(4 * 86400)
        young = young or request(api, cohort)
    request(api, cohort)
    emu._control("POST", "/clock", {"offset_ms": 0})
    statuses = [api.get(f"/api/5/cohorts/request-status/{job}").status for job in (old, young)]
    assert statuses == [404, 202]


def test_file_columns(api: Api, users: list[str]) -> None:
    api.upload({"device_id": "device-77", "event_type": "x"})
    api.form("/identify", {"user_id": users[0], "user_properties": {"odd": 'a"b,c', "n": 1.50}})
    cohort = make(api, users[:2])
    assert file(api, cohort)[0] == ["amplitude_id", "user_id"]
    picked = file(api, cohort, props=1, propKeys=["tier", "nowhere"])
    assert picked[0] == ["amplitude_id", "user_id", "tier", "nowhere"]
    assert [row[1:] for row in picked[1:]] == [["user-0000", "t0", ""], ["user-0001", "t1", ""]]
    every = file(api, cohort, props=1)
    assert every[0][2:] == ["tier", "odd", "n"]
    assert every[1][2:] == ["t0", 'a"b,c', "1.5"]
    assert api.get(f"/api/5/cohorts/request/{cohort}", props="yes").details == (
        "Argument props must be an int"
    )


def test_encodings(emu: Emulator, api: Api, users: list[str]) -> None:
    job = request(api, make(api, users))
    emu.advance(1)
    path = f"/api/5/cohorts/request/{job}/file"
    emu.switch(cohort_encoding="raw")
    raw = api.get(path)
    assert "Content-Encoding" not in raw.headers
    assert raw.body[:2] == b"\x1f\x8b"
    emu.switch(cohort_encoding="plain")
    assert api.get(path).body.startswith(b'"amplitude_id","user_id"\n')


def test_a_large_file_is_redirected(emu: Emulator, api: Api, users: list[str]) -> None:
    emu.switch(cohort_redirect="always")
    job = request(api, make(api, users))
    emu.advance(1)
    path = f"/api/5/cohorts/request/{job}/file"
    reply = api.get(path)
    assert (reply.status, reply.body) == (302, b"")
    link = reply.headers["Location"]
    assert link.startswith(emu.storage_url)
    assert fetch(link).status == 200
    refused = fetch(link, **api.basic)
    assert (refused.status, b"InvalidArgument" in refused.body) == (400, True)
    assert fetch(link.replace("signature=", "signature=0")).status == 403
    assert fetch(re.sub(r"expires=\d", "expires=9", link)).status == 403
    emu.advance(61)
    expired = fetch(link)
    assert (expired.status, b"expired" in expired.body) == (403, True)
    assert fetch(api.get(path).headers["Location"]).status == 200


def fetch(url: str, **headers: str) -> Reply:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        response = connection.getresponse()
        return Reply(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def test_a_big_cohort_streams(emu: Emulator, api: Api) -> None:
    emu.switch(cohort_unknown_users="create")
    names = [f"customer-{n:06d}" for n in range(60_000)]
    cohort = make(api, names)
    job = request(api, cohort)
    emu.advance(1)
    reply = api.get(f"/api/5/cohorts/request/{job}/file")
    assert reply.status == 302, "above the inline size"
    rows = gzip.decompress(fetch(reply.headers["Location"]).body).decode().splitlines()
    assert [row.split('"')[3] for row in rows[1:]] == names


def test_group_cohorts(api: Api) -> None:
    for n in ("15", "007"):
        item = {"group_type": "org id", "group_value": n, "group_properties": {"a": 1}}
        api.form("/groupidentify", item)
    cohort = make(api, ["15", "007", "99"], cg="org id")
    rows = file(api, cohort)
    assert [[cell.strip() for cell in row] for row in rows] == [["group_value"], ["007"], ["15"]]
    assert rows[1][0].startswith("\t")
    row = api.get("/api/3/cohorts").json["cohorts"][0]
    assert row["definition"]["countGroup"]["name"] == "org id"
    change(api, cohort, (["007"], "BY_NAME", "REMOVE"), count_group="org id")
    assert len(file(api, cohort)) == 2
    api.upload(event(1))
    assert make(api, ["007", "user-0001"], existing_cohort_id=cohort) == cohort
    assert [row[0].strip() for row in file(api, cohort)] == ["group_value", "007"]
    make(api, ["user-0001"], existing_cohort_id=cohort, cg="User")
    assert members(api, cohort) == ["user-0001"]
    make(api, ["15"], existing_cohort_id=cohort, cg="org id")
    assert [row[0].strip() for row in file(api, cohort)] == ["group_value", "15"]


def test_download_limits(emu: Emulator, api: Api, users: list[str]) -> None:
    cohort = make(api, users)
    path = f"/api/5/cohorts/request/{cohort}"
    emu.switch(job_ms=60_000)
    for _ in range(4):
        request(api, cohort)
    reply = api.get(path)
    details = "Too Many Requests: Exceeded cohort download limit"
    assert (reply.status, reply.details) == (429, details)
    emu.switch(job_ms=0)
    emu.advance(61)
    for _ in range(56):
        request(api, cohort)
    assert api.get(path).status == 429
    emu.advance(600)
    for _ in range(60):
        request(api, cohort)
    assert api.get(path).status == 429
    emu.switch(downloads_per_10min=1000)
    for _ in range(500 - 120):
        request(api, cohort)
    usage = api.get("/api/3/cohorts/usage").json["rest_download"]
    assert (usage["limit"], usage["usage"]) == (500, 500)
    assert api.get(path).status == 429
    emu.advance(31 * 86400)
    assert api.get(path).status == 202
