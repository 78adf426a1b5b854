# SPDX-License-Identifier: MIT
"""Generated calls of every path: never a crash, never a 5xx, a body in the area's envelope.

What fills the store here is generated as well, so that the queries in between meet odd events.
"""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from emulator_api import Api, Reply
from generated import TREES, examples, mostly, queries
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidewheel.emulator import Emulator

NOW_MS = int(time.time() * 1000)
ODD = st.one_of(TREES, st.text(max_size=12), st.integers(-(2**70), 2**70), st.floats())
IDS = mostly(
    st.sampled_from(["user-0001", "user-0002", "device-01", "902117000001", "null", "a", "", "  "]),
    ODD,
)
NAMES = mostly(
    st.sampled_from(["A", "B", "color", "gp:tier", "grp:seats", "org id", "a/b", "x" * 1100]),
    st.text(max_size=6),
)
KEYS = st.sampled_from(
    ["color", "$price", "$quantity", "$revenue", "$set", "$add", "$unset", "tier", "", "\u0000é"]
)
OBJECTS = mostly(st.dictionaries(KEYS, ODD, max_size=3))
OPERATIONS = mostly(
    st.one_of(
        OBJECTS,
        st.dictionaries(
            st.sampled_from(
                ["$set", "$setOnce", "$add", "$append", "$prepend", "$unset", "$preInsert",
                 "$postInsert", "$remove", "$clearAll", "tier"]
            ),
            mostly(st.dictionaries(st.sampled_from(["tier", "n", "list"]), ODD, max_size=2)),
            max_size=3,
        ),
    )
)  # fmt: skip
GROUPS = mostly(
    st.dictionaries(NAMES, st.one_of(IDS, st.lists(IDS, max_size=12)), max_size=6),
)
INGESTED = mostly(
    st.fixed_dictionaries(
        {"event_type": mostly(st.sampled_from(["A", "B", "$identify", "$groupidentify"]), ODD)},
        optional={
            "user_id": IDS,
            "device_id": IDS,
            "time": mostly(st.integers(NOW_MS - 10**9, NOW_MS), ODD),
            "session_id": mostly(st.integers(-1, 5), ODD),
            "insert_id": mostly(st.sampled_from(["i1", "i2"]), ODD),
            "event_properties": OBJECTS,
            "user_properties": OPERATIONS,
            "groups": GROUPS,
            "group_properties": OPERATIONS,
            "price": ODD, "quantity": ODD, "revenue": ODD, "country": ODD, "os_name": ODD,
            "language": ODD, "app_version": ODD, "location_lat": ODD, "ip": ODD, "plan": ODD,
            "$skip_user_properties_sync": ODD, "event_id": ODD,
        },
    )
)  # fmt: skip


def form(fields: dict[str, str]) -> tuple[str, dict[str, str]]:
    return urllib.parse.urlencode(fields, errors="surrogatepass"), {
        "Content_Type": "application/x-www-form-urlencoded"
    }


Call = tuple[str, str, str | None, dict[str, str]]  # method, path, body, headers
KEY = "emu-api-key"


@st.composite
def uploads(draw: Any) -> Call:
    body = {"api_key": draw(mostly(st.just(KEY), ODD)), "events": draw(mostly(st.lists(INGESTED)))}
    if draw(st.booleans()):
        body["options"] = draw(mostly(st.fixed_dictionaries({"min_id_length": ODD})))
    if draw(st.booleans()):
        body["client_upload_time"] = draw(ODD)
    return "POST", draw(st.sampled_from(["/2/httpapi", "/batch"])), json.dumps(body), {}


@st.composite
def identifications(draw: Any) -> Call:
    group = draw(st.booleans())
    keys = ("group_type", "group_value") if group else ("user_id", "device_id")
    one = st.fixed_dictionaries(
        {keys[0]: IDS},
        optional={
            keys[1]: IDS,
            "group_properties" if group else "user_properties": OPERATIONS,
            "groups": GROUPS, "paying": ODD, "country": ODD, "device_model": ODD, "language": ODD,
        },
    )  # fmt: skip
    value = json.dumps(draw(mostly(st.one_of(one, st.lists(one, max_size=3)))))
    fields = {"api_key": KEY, "identification": value, "options": json.dumps(draw(ODD))}
    body, headers = form(fields)
    return "POST", "/groupidentify" if group else "/identify", body, headers


@st.composite
def cohort_writes(draw: Any) -> Call:
    if draw(st.booleans()):
        fields: dict[str, Any] = {
            "name": mostly(st.just("c")), "app_id": mostly(st.just(501177)),
            "id_type": mostly(st.sampled_from(["BY_AMP_ID", "BY_USER_ID"])),
            "ids": mostly(st.lists(IDS, min_size=1, max_size=3)),
            "owner": mostly(st.just("a@b.c")), "published": mostly(st.booleans()),
            "cg": mostly(st.just("org id")), "skip_save": mostly(st.booleans()),
            "skip_invalid_ids": mostly(st.booleans()),
            "existing_cohort_id": mostly(st.sampled_from(["seeded", "c1"])),
        }  # fmt: skip
        path = "/api/3/cohorts/upload"
    else:
        operation = st.fixed_dictionaries(
            {
                "ids": mostly(st.lists(IDS, min_size=1, max_size=3)),
                "id_type": mostly(st.sampled_from(["BY_ID", "BY_NAME"])),
                "operation": mostly(st.sampled_from(["ADD", "REMOVE"])),
            }
        )
        fields = {
            "cohort_id": mostly(st.sampled_from(["seeded", "c1"])),
            "count_group": mostly(st.sampled_from(["User", "org id"])),
            "memberships": mostly(st.lists(operation, min_size=1, max_size=3)),
            "skip_invalid_ids": mostly(st.booleans()),
        }
        path = "/api/3/cohorts/membership"
    left_out = draw(st.sets(st.sampled_from(sorted(fields)), max_size=4))
    body = {name: draw(value) for name, value in fields.items() if name not in left_out}
    return (
        "POST",
        path,
        json.dumps(draw(mostly(st.just(body)))),
        {"Content_Type": "application/json"},
    )


@st.composite
def reads(draw: Any) -> Call:
    path = draw(
        st.sampled_from(
            ["/api/2/usersearch", "/api/2/useractivity", "/api/2/events/list", "/api/2/realtime",
             "/api/3/cohorts", "/api/3/cohorts/seeded", "/api/3/cohorts/usage", "/api/2/export",
             "/api/5/cohorts/request/seeded", "/api/5/cohorts/request-status/x",
             "/api/5/cohorts/request/x/file", "/api/3/chart/generated/csv",
             "/api/3/chart/generated/query"]
        )
    )  # fmt: skip
    values = st.sampled_from(
        ["902117000001", "user-0001", "user", "-1", "0", "1", "5", "9" * 30, "", "latest", "seeded",
         "earliest", "x", "true", "color", "tier", "20260301T00", "20261231T23", "é\u0000"]
    )  # fmt: skip
    names = st.sampled_from(
        ["user", "offset", "limit", "direction", "i", "includeSyncInfo", "cohortIds", "props",
         "propKeys", "start", "end", "lastComputed"]
    )  # fmt: skip
    pairs = draw(st.lists(st.tuples(names, values), max_size=5))
    return "GET", f"{path}?{urllib.parse.urlencode(pairs)}", None, {}


@st.composite
def plans(draw: Any) -> Call:
    kind = draw(
        st.sampled_from(["event", "event-property", "user-property", "group-property", "category"])
    )
    path, method = f"/api/2/taxonomy/{kind}", draw(st.sampled_from(["GET", "POST"]))
    if draw(st.booleans()):
        path += "/" + urllib.parse.quote(draw(NAMES), safe="", errors="surrogatepass")
        method = draw(st.sampled_from(["GET", "PUT", "DELETE", "POST"]))
        path += "/restore" if method == "POST" else ""
    names = st.sampled_from(
        ["event_type", "new_event_type", "category", "description", "display_name", "is_active",
         "tags", "event_property", "user_property", "group_property", "group_type", "type", "regex",
         "enum_values", "is_array_type", "is_required", "is_hidden", "classifications",
         "overrideScope", "new_event_property_value", "new_user_property_value", "category_name",
         "new_group_property_value", "is_hidden_from_dropdowns", "showDeleted"]
    )  # fmt: skip
    values = st.one_of(
        NAMES, st.sampled_from(["true", "false", "", "string", "enum", "PII", "override", "shared"])
    )
    body, headers = form(draw(st.dictionaries(names, values, max_size=6)))
    return method, path, body, headers


@pytest.fixture(scope="module")
def shared() -> Iterator[Api]:
    with Emulator(cost_limits=False, limits=False, throttle=False, job_ms=0) as emu:
        assert emu.api_key == KEY
        api = Api(emu)
        events = [
            {
                "event_type": "AB"[n % 2], "user_id": f"user-{n % 7:04d}", "insert_id": f"row-{n}",
                "event_properties": {"color": n}, "user_properties": {"tier": "gold"},
                "groups": {"org id": "15"}, "country": "Norway",
            }
            for n in range(50)
        ]  # fmt: skip
        api.upload(*events)
        api.form("/groupidentify", {"group_type": "org id", "group_value": "15"})
        yield api
        api.connection.close()


def is_in_its_envelope(path: str, reply: Reply) -> bool:
    kind = reply.headers.get("Content-Type", "").partition(";")[0]
    if kind not in ("application/json", ""):
        return kind in ("text/html", "text/csv", "application/zip", "text/plain")
    document = json.loads(reply.body, parse_constant=lambda name: pytest.fail(name))
    if path.startswith(("/2/", "/batch")):
        return bool(document["code"] == reply.status)
    if reply.status < 400:
        return isinstance(document, dict)
    if "/taxonomy/" in path:
        return document["success"] is False and all(e["message"] for e in document["errors"])
    return bool(document["error"]["http_code"] == reply.status)


@given(call=st.one_of(uploads(), identifications(), cohort_writes(), reads(), plans()))
@settings(max_examples=examples(500), deadline=None, suppress_health_check=list(HealthCheck))
def test_any_call_is_answered_or_refused(shared: Api, call: Call) -> None:
    method, path, body, headers = call
    basic = shared.basic if path.startswith("/api/") else {}
    reply = shared.call(method, path, body, **headers, **basic)
    assert reply.status < 500, reply.body
    assert is_in_its_envelope(path, reply), reply.body


@given(query=queries())
@settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
def test_any_chart_is_drawn_or_refused(
    shared: Api, query: tuple[str, list[tuple[str, str]]]
) -> None:
    """Whatever was saved as a chart; the odd events of the other test may be there or not."""
    path, pairs = query
    shared.emu._control(
        "POST",
        "/charts",
        {
            "id": "generated",
            "name": "Chart \u0000é",
            "query": f"{path}?{urllib.parse.urlencode(pairs)}",
        },
    )
    for form_of in ("csv", "query"):
        reply = shared.get(f"/api/3/chart/generated/{form_of}")
        reversed_bracket = reply.status == 500 and path.endswith("retention")
        assert reply.status in (200, 400, 404) or reversed_bracket, reply.body
        assert is_in_its_envelope("/api/3/chart", reply)
