# SPDX-License-Identifier: MIT
"""Every endpoint answers its documented errors in the envelope of its area, and in no other."""

from __future__ import annotations

import base64
import dataclasses
import json
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from emulator_api import Api, Reply, event

from tidewheel.emulator import Emulator

FORM = "application/x-www-form-urlencoded"
TAXONOMY = "/api/2/taxonomy"
UPLOAD = {
    "name": "Buyers",
    "id_type": "BY_USER_ID",
    "ids": ["user-0001"],
    "owner": "ana@shop.test",
    "published": True,
}
MEMBERSHIP = {
    "cohort_id": "c1",
    "memberships": [{"ids": ["user-0001"], "id_type": "BY_NAME", "operation": "ADD"}],
}

# --- the envelopes ---


def ingestion(reply: Reply) -> str:
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json["code"] == reply.status
    assert list(reply.json)[:2] == ["code", "error"]
    assert None not in reply.json.values()
    return str(reply.json["error"])


def text(reply: Reply) -> str:
    """identify and groupidentify: plain text, but for the 429 of the ingestion endpoints."""
    if reply.status == 429:
        return ingestion(reply)
    assert reply.headers["Content-Type"] == "text/html;charset=utf-8"
    assert not reply.body.startswith(b"{")
    return reply.body.decode()


def dashboard(reply: Reply) -> str:
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    assert list(reply.json) == ["error"]
    error = reply.json["error"]
    assert next(iter(error)) == "http_code"
    assert error["http_code"] == reply.status
    if error["type"] == "invalid":
        if error["message"] == "Invalid chart definition":
            return str(error["metadata"]["details"])
        return str(error["message"])
    assert list(error) == ["http_code", "type", "message", "metadata"]
    assert error["type"] == "unspecified"
    assert error["message"] == "Unspecified Error"
    assert list(error["metadata"]) == ["details"]
    return str(error["metadata"]["details"])


def taxonomy(reply: Reply) -> str:
    assert reply.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert list(reply.json) == ["success", "errors"]
    assert reply.json["success"] is False
    (error,) = reply.json["errors"]
    assert list(error) == ["message"]
    return str(error["message"])


def profile(reply: Reply) -> str:
    if reply.status == 404 and not reply.body:
        return ""
    assert reply.headers["Content-Type"] == "application/json"
    assert list(reply.json) == ["error"]
    return str(reply.json["error"])


# --- the endpoints ---


@dataclasses.dataclass(frozen=True)
class Row:
    """One endpoint: its number in the reference, and what makes a good call of it."""

    number: str
    method: str
    path: str
    envelope: Callable[[Reply], str]
    query: dict[str, Any] = dataclasses.field(default_factory=dict)
    body: str = ""  # %(key)s and %(app)d are filled in
    kind: str = "application/json"

    @property
    def basic(self) -> bool:
        return self.envelope in (dashboard, taxonomy)


EVENTS = '{"api_key":"%(key)s","events":[{"event_type":"e","user_id":"user-0001"}]}'
IDENTITY = urllib.parse.quote('{"user_id":"user-0001","user_properties":{"a":1}}')
GROUP = urllib.parse.quote('{"group_type":"org","group_value":"1","group_properties":{"a":1}}')
DAYS = {"start": "20260301", "end": "20260302"}
TWO_EVENTS: dict[str, Any] = {"e": ['{"event_type":"_active"}'] * 2, **DAYS}
ONE_EVENT = {"e": '{"event_type":"_active"}', **DAYS}

ROWS = [
    Row("1", "POST", "/2/httpapi", ingestion, body=EVENTS),
    Row("2", "POST", "/batch", ingestion, body=EVENTS),
    Row(
        "3", "POST", "/identify", text, body=f"api_key=%(key)s&identification={IDENTITY}", kind=FORM
    ),
    Row(
        "4",
        "POST",
        "/groupidentify",
        text,
        body=f"api_key=%(key)s&identification={GROUP}",
        kind=FORM,
    ),
    Row("5", "GET", "/api/2/users", dashboard, DAYS),
    Row("6", "GET", "/api/2/events/list", dashboard),
    Row("7", "GET", "/api/2/events/segmentation", dashboard, ONE_EVENT),
    Row("8", "GET", "/api/2/funnels", dashboard, TWO_EVENTS),
    Row(
        "9",
        "GET",
        "/api/2/retention",
        dashboard,
        {"se": ONE_EVENT["e"], "re": ONE_EVENT["e"], **DAYS},
    ),
    Row("10", "GET", "/api/2/realtime", dashboard),
    Row("11", "GET", "/api/2/revenue/ltv", dashboard, DAYS),
    Row("12", "GET", "/api/3/chart/abc123/csv", dashboard),
    Row("13", "GET", "/api/2/usersearch", dashboard, {"user": "user-0001"}),
    Row("14", "GET", "/api/2/useractivity", dashboard, {"user": "902117000001"}),
    Row("15", "GET", "/api/2/export", dashboard, {"start": "20260301T00", "end": "20260301T00"}),
    Row("16", "GET", "/api/3/cohorts", dashboard),
    Row("17", "GET", "/api/5/cohorts/request/c1", dashboard),
    Row("17a", "GET", "/api/5/cohorts/request-status/r1", dashboard),
    Row("17b", "GET", "/api/5/cohorts/request/r1/file", dashboard),
    Row("18", "POST", "/api/3/cohorts/upload", dashboard, body=json.dumps(UPLOAD)),
    Row("19", "POST", "/api/3/cohorts/membership", dashboard, body=json.dumps(MEMBERSHIP)),
    Row("20", "GET", f"{TAXONOMY}/event", taxonomy),
    Row("21", "POST", f"{TAXONOMY}/event", taxonomy, body="event_type=e", kind=FORM),
    Row("22", "PUT", f"{TAXONOMY}/event/e", taxonomy, body="description=d", kind=FORM),
    Row("23", "GET", f"{TAXONOMY}/event-property", taxonomy),
    Row("24", "POST", f"{TAXONOMY}/user-property", taxonomy, body="user_property=p", kind=FORM),
    Row("25", "GET", "/v1/userprofile", profile, {"user_id": "user-0001"}),
]
BY_NUMBER = {row.number: row for row in ROWS}


def name(row: Row) -> str:
    return f"{row.number} {row.method} {row.path}"


def call(
    api: Api,
    row: Row,
    *,
    method: str | None = None,
    query: dict[str, Any] | None = None,
    body: str | bytes | None = None,
    key: str | None = None,
    authorization: str | None = None,
) -> Reply:
    emu = api.emu
    asked = urllib.parse.urlencode(row.query if query is None else query, doseq=True)
    if body is None:
        body = row.body.replace("%(key)s", emu.api_key if key is None else key)
    headers = {"Content_Type": row.kind}
    if authorization is None and row.basic:
        authorization = api.basic["Authorization"]
    elif authorization is None and row.envelope is profile:
        authorization = f"Api-Key {emu.secret_key}"
    if authorization:
        headers["Authorization"] = authorization
    path = f"{row.path}?{asked}" if asked else row.path
    return api.call(method or row.method, path, body or None, **headers)


def basic(key: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()


# --- credentials ---


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_wrong_credentials(api: Api, emu: Emulator, row: Row) -> None:
    def said(status: int, **how: Any) -> str:
        reply = call(api, row, **how)
        assert reply.status == status, reply.body
        return (dashboard if row.basic else row.envelope)(reply)

    if row.basic:
        unknown = "Invalid API Key"
        for given in ("Bearer x", "Basic !", basic("emu-other", emu.secret_key), basic("", "")):
            assert said(403, authorization=given) == unknown
        path = row.path + "?" + urllib.parse.urlencode(row.query, doseq=True)
        bare = api.call(row.method, path, row.body or None, Content_Type=row.kind)
        assert (bare.status, dashboard(bare)) == (403, unknown)
        wrong = basic(emu.api_key, "emu-wrong")
        assert said(403, authorization=wrong) == "Invalid API/Secret Key combination"
    elif row.envelope is profile:
        missing = "Missing Api-Key in Authorization header"
        assert said(401, authorization=basic(emu.api_key, emu.secret_key)) == missing
        assert said(401, authorization="Api-Key emu-wrong") == "Invalid Api-Key"
    elif row.envelope is text:
        assert said(400, key="emu-other") == "invalid_api_key"
        assert said(400, body=row.body.replace("api_key=%(key)s&", "")) == "invalid_api_key"
    else:
        assert said(400, key="emu-other") == "Invalid API key: emu-other"
        reply = call(api, row, body='{"events":[]}')
        assert (reply.status, reply.json) == (
            400,
            {"code": 400, "error": "Request missing required field", "missing_field": "api_key"},
        )


# --- errors of the request ---

# Row, status, text, and what is wrong with the call.
CASES: list[tuple[str, int, str, dict[str, Any]]] = [
    ("1", 400, "Invalid JSON request body", {"body": "{"}),
    ("1", 413, "Payload too large", {"body": b" " * (1024 * 1024 + 1)}),
    ("2", 400, "Invalid JSON request body", {"body": "[1"}),
    ("2", 413, "Payload too large", {"body": b" " * (20 * 1024 * 1024 + 1)}),
    ("3", 400, "missing_event", {"body": "api_key=emu-api-key"}),
    ("3", 400, "missing_event", {"body": "api_key=emu-api-key&identification=%5B%5D"}),
    ("4", 400, "missing_event", {"body": "api_key=emu-api-key&identification=x"}),
    ("5", 400, "Missing required parameter start", {"query": {}}),
    ("5", 400, "Invalid parameter start", {"query": {**DAYS, "start": "2026-03-01"}}),
    (
        "5",
        400,
        "Invalid date range: end was before start",
        {"query": {"start": "20260302", "end": "20260301"}},
    ),
    ("7", 400, "Missing required parameter e", {"query": DAYS}),
    ("7", 400, "Invalid parameter e: not JSON", {"query": {**DAYS, "e": "{"}}),
    ("7", 400, "Invalid event type Nothing", {"query": {**DAYS, "e": '{"event_type":"Nothing"}'}}),
    ("8", 400, "Missing required parameter e", {"query": DAYS}),
    ("9", 400, "Missing required parameter se", {"query": DAYS}),
    (
        "9",
        400,
        "Invalid retention method.",
        {"query": {**DAYS, "se": ONE_EVENT["e"], "re": ONE_EVENT["e"], "rm": "n-day"}},
    ),
    ("10", 400, "Invalid parameter i", {"query": {"i": "10"}}),
    ("11", 400, "Missing required parameter start", {"query": {}}),
    ("12", 404, "Chart not found", {}),
    ("13", 400, "Missing argument user", {"query": {}}),
    ("14", 400, "Missing argument user", {"query": {}}),
    ("14", 400, "Argument user must be an int", {"query": {"user": "u-7781"}}),
    ("15", 400, "Missing argument start", {"query": {}}),
    ("15", 400, "Invalid start date", {"query": {"start": "20260301", "end": "20260301T00"}}),
    (
        "15",
        400,
        "Start must not be after end",
        {"query": {"start": "20260301T01", "end": "20260301T00"}},
    ),
    (
        "15",
        400,
        "Date range exceeds 365 days",
        {"query": {"start": "20250101T00", "end": "20260301T00"}},
    ),
    ("15", 404, "Raw data files were not found.", {}),
    ("17", 404, "Cohort not found", {}),
    ("17a", 404, "Request not found", {}),
    ("17b", 404, "Request not found", {}),
    ("18", 400, "Invalid JSON", {"body": "{"}),
    ("18", 400, "Missing required field: app_id", {}),
    ("19", 400, "Missing required field: cohort_id", {"body": "{}"}),
    ("19", 404, "Cohort not found", {}),
    ("21", 400, "Missing required field: event_type", {"body": "description=d"}),
    (
        "22",
        409,
        'Attempted to change the event description for event "e", but the event is not in schema.',
        {},
    ),
    ("24", 400, "Missing required field: user_property", {"body": "type=any"}),
    ("25", 200, "User id and device id not seen before", {}),
    ("25", 400, "Missing user_id or device_id", {"query": {}}),
]


@pytest.mark.parametrize(("number", "status", "said", "how"), CASES)
def test_refused_requests(
    api: Api, number: str, status: int, said: str, how: dict[str, Any]
) -> None:
    row = BY_NUMBER[number]
    reply = call(api, row, **how)
    assert reply.status == status, reply.body
    assert row.envelope(reply) == said


@pytest.mark.parametrize(("path", "status"), [("event", 409), ("user-property", 409)])
def test_what_exists_already_is_a_conflict(api: Api, path: str, status: int) -> None:
    row = BY_NUMBER["21" if path == "event" else "24"]
    assert call(api, row).json == {"success": True}
    reply = call(api, row)
    assert reply.status == status
    assert "that already exists." in taxonomy(reply)


def test_plans_and_years_answer_taxonomy_with_403_or_404(api: Api, emu: Emulator) -> None:
    for switch, status in (("not_found", 404), ("forbidden", 403)):
        emu.switch(taxonomy=switch)
        for number in ("20", "21", "22", "23", "24"):
            reply = call(api, BY_NUMBER[number])
            assert reply.status == status
            taxonomy(reply)


def test_an_upload_with_invalid_ids_names_them(api: Api, emu: Emulator) -> None:
    body = {**UPLOAD, "app_id": emu.app_id, "skip_invalid_ids": False}
    reply = call(api, BY_NUMBER["18"], body=json.dumps(body))
    assert (reply.status, dashboard(reply)) == (400, "Invalid ids")
    assert reply.json["error"]["metadata"] == {"invalid_ids": ["user-0001"]}


# --- limits ---


def test_throttled_ids_are_429(api: Api, emu: Emulator) -> None:
    emu.switch(eps_v2=1, eps_batch=1)
    for number in ("1", "2"):
        row = BY_NUMBER[number]
        crowd = {"api_key": emu.api_key, "events": [event(1)] * 31}
        call(api, row, body=json.dumps(crowd))
        reply = call(api, row, body=json.dumps(crowd))
        assert reply.status == 429, reply.body
        assert ingestion(reply) == "Too many requests for some devices and users"


LIMITED = {
    "users": ("users_per_hour", 1, ["13", "14"], "Exceeded hourly limit"),
    "taxonomy reads": (
        "taxonomy_per_hour",
        1,
        ["20", "23"],
        "Exceeded rate limit with query of cost 1",
    ),
    "taxonomy writes": (
        "taxonomy_per_hour",
        2,
        ["21", "22", "24"],
        "Exceeded rate limit with query of cost 2",
    ),
    "downloads": ("downloads_per_10min", 1, ["17"], "Exceeded cohort download limit"),
}


@pytest.mark.parametrize("budget", LIMITED)
def test_budgets_that_are_spent_are_429(api: Api, emu: Emulator, budget: str) -> None:
    switch, size, numbers, said = LIMITED[budget]
    api.upload(event(1))
    upload = {**UPLOAD, "app_id": emu.app_id}
    cohort = api.post("/api/3/cohorts/upload", upload).json["cohortId"]
    emu.switch(**{switch: size})
    rows = [
        dataclasses.replace(row, path=row.path.replace("c1", cohort))
        for row in (BY_NUMBER[number] for number in numbers)
    ]
    call(api, rows[0])
    for row in rows:
        reply = call(api, row)
        assert reply.status == 429, reply.body
        assert row.envelope(reply) == f"Too Many Requests: {said}"
        assert "Retry-After" not in reply.headers
    emu.advance(3600)
    assert call(api, rows[0]).status != 429


@pytest.mark.parametrize("number", ["5", "7", "8", "9", "11"])
def test_queries_beyond_the_cost_of_an_hour_are_429(api: Api, emu: Emulator, number: str) -> None:
    emu.switch(cost_per_hour=1)
    reply = call(api, BY_NUMBER[number])
    assert reply.status == 429, reply.body
    said, cost = dashboard(reply).rsplit(" ", 1)
    assert said == "Too Many Requests: Exceeded rate limit with query of cost"
    assert int(cost) > 1


def test_the_minute_of_profiles_is_429(api: Api, emu: Emulator) -> None:
    emu.switch(profiles_per_minute=1)
    call(api, BY_NUMBER["25"])
    reply = call(api, BY_NUMBER["25"])
    assert reply.status == 429
    assert profile(reply).startswith("Number of requests per minute exceeds system limit.")


@pytest.mark.parametrize("row", [row for row in ROWS if row.basic], ids=name)
def test_too_many_at_once_are_429(api: Api, emu: Emulator, row: Row) -> None:
    """One answer hangs in each area; a second call of any of its endpoints is refused."""
    emu.switch(rest_concurrency=1, users_concurrency=1, taxonomy_concurrency=2)
    holder = "21" if row.envelope is taxonomy else "16"
    holder = "13" if row.number in ("13", "14") else holder
    other = Api(emu)
    emu.faults({"when": "mid_response@1", "match": {}, "do": {"stall_ms": 10**9}})
    held = BY_NUMBER[holder]
    query = urllib.parse.urlencode(held.query)
    other.connection.request(
        held.method,
        f"{held.path}?{query}",
        held.body or None,
        {**api.basic, "Content-Type": held.kind},
    )
    answer = other.connection.getresponse()
    emu.faults()
    reply = call(api, row)
    assert reply.status == 429, reply.body
    assert row.envelope(reply) == "Too Many Requests: Exceeded concurrent limit"
    other.rest(answer)
    other.connection.close()


# --- paths and methods ---


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_another_method_is_refused_in_the_envelope_of_the_area(api: Api, row: Row) -> None:
    reply = call(api, row, method="PATCH")
    if row.basic:
        assert (reply.status, row.envelope(reply)) == (405, "Method Not Allowed")
    elif row.envelope is profile:
        assert (reply.status, reply.body) == (405, b"")
    else:
        assert (reply.status, ingestion(reply)) == (400, "Invalid request path")


@pytest.mark.parametrize(
    ("path", "envelope"),
    [("/api/2/nothing", dashboard), (f"{TAXONOMY}/nothing", taxonomy), ("/api/9", dashboard)],
)
def test_unknown_paths(api: Api, path: str, envelope: Callable[[Reply], str]) -> None:
    reply = api.get(path)
    assert (reply.status, envelope(reply)) == (404, "Not Found")


def test_unknown_paths_of_the_other_hosts(api: Api) -> None:
    reply = api.call("GET", "/v1/nothing")
    assert (reply.status, reply.body) == (404, b"")
    reply = api.call("POST", "/httpapi", b"{}")
    assert (reply.status, ingestion(reply)) == (400, "Invalid request path")
