# SPDX-License-Identifier: MIT
"""Taxonomy: categories, event types, event, user and group properties; limits and switches."""

from __future__ import annotations

import gzip
import json
import pathlib
import urllib.parse
from typing import Any

import pytest
from emulator_api import Api, Reply, event

from tidewheel.emulator import Emulator

BASE = "/api/2/taxonomy"
FORM = "application/x-www-form-urlencoded"


class Plan:
    """Taxonomy calls with their envelope checked."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def send(self, method: str, *parts: str, query: str = "", **fields: object) -> Reply:
        path = "/".join([BASE, *(urllib.parse.quote(part, safe="") for part in parts)])
        text = urllib.parse.urlencode(fields)
        reply = self.api.call(
            method,
            f"{path}?{query}" if query else path,
            text or None,
            **self.api.basic,
            **({"Content_Type": FORM} if text else {}),
        )
        assert reply.headers["Content-Type"] == "application/json; charset=UTF-8"
        return reply

    def get(self, *parts: str, **query: object) -> Any:
        reply = self.send("GET", *parts, query=urllib.parse.urlencode(query))
        assert reply.status == 200, reply.body
        assert list(reply.json) == ["success", "data"]
        assert reply.json["success"] is True
        return reply.json["data"]

    def post(self, *parts: str, **fields: str) -> None:
        self.done(self.send("POST", *parts, **fields))

    def put(self, *parts: str, **fields: str) -> None:
        self.done(self.send("PUT", *parts, **fields))

    def delete(self, *parts: str, **fields: str) -> None:
        self.done(self.send("DELETE", *parts, **fields))

    def done(self, reply: Reply) -> None:
        assert reply.status == 200, reply.body
        assert reply.json == {"success": True}

    def refused(self, status: int, method: str, *parts: str, query: str = "", **f: object) -> str:
        reply = self.send(method, *parts, query=query, **f)
        assert reply.status == status, reply.body
        assert list(reply.json) == ["success", "errors"]
        assert reply.json["success"] is False
        (error,) = reply.json["errors"]
        assert list(error) == ["message"]
        return str(error["message"])


@pytest.fixture
def plan(api: Api) -> Plan:
    return Plan(api)


def names(rows: list[dict[str, Any]], key: str = "event_type") -> list[str]:
    return [row[key] for row in rows]


# --- categories ---


def test_categories(plan: Plan) -> None:
    assert plan.get("category") == []
    plan.post("category", category_name="Shop")
    plan.post("category", category_name="Säle & more")
    shop, sale = plan.get("category")
    assert (shop["name"], sale["name"]) == ("Shop", "Säle & more")
    assert isinstance(shop["id"], int)
    assert plan.get("category", "Säle & more") == sale
    plan.put("category", str(shop["id"]), category_name="Store")
    assert plan.get("category", "Store") == {"id": shop["id"], "name": "Store"}
    plan.delete("category", str(shop["id"]))
    assert plan.get("category") == [sale]
    plan.post("category", category_name="Shop")
    assert plan.get("category", "Shop")["id"] not in (shop["id"], sale["id"])


@pytest.mark.parametrize("name", ["%FF", "a%C3", "%ED%A0%80", "%C0%80"])
def test_text_that_is_no_utf8_is_refused(plan: Plan, api: Api, name: str) -> None:
    """Stored, it would make every list after it a text that is no JSON."""
    form = {**api.basic, "Content_Type": FORM}
    replies = [
        api.call("POST", f"{BASE}/event", f"event_type={name}", **form),
        api.call("POST", f"{BASE}/event", f"event_type=Cart&description={name}", **form),
        api.call("PUT", f"{BASE}/event/{name}", "description=x", **form),
        api.call("GET", f"{BASE}/event-property?event_type={name}", **api.basic),
    ]
    for reply in replies:
        assert reply.status == 400
        assert reply.json == {"success": False, "errors": [{"message": "Invalid UTF-8"}]}
    assert plan.get("event") == []


def test_a_body_that_did_not_come_in_whole_changes_nothing(plan: Plan, api: Api) -> None:
    plan.post("event", event_type="Paid", description="money")
    form = {**api.basic, "Content_Type": FORM}
    for status, body, coding in (
        (413, gzip.compress(b"description=" + b"x" * 26_000_000, 1), "gzip"),
        (400, gzip.compress(b"description=cut")[:-9], "gzip"),
        (400, b"description=unknown", "br"),
    ):
        reply = api.call("PUT", f"{BASE}/event/Paid", body, Content_Encoding=coding, **form)
        assert (reply.status, reply.json["success"]) == (status, False)
    assert plan.get("event", "Paid")["description"] == "money"
    body = gzip.compress(b"description=whole")
    assert (
        api.call("PUT", f"{BASE}/event/Paid", body, Content_Encoding="gzip", **form).status == 200
    )
    assert plan.get("event", "Paid")["description"] == "whole"


def test_refused_categories(plan: Plan) -> None:
    plan.post("category", category_name="Shop")
    plan.post("category", category_name="Store")
    gone = 'Attempted to operate on entity event_category, id "412", that does not exist.'
    assert plan.refused(400, "GET", "category", "Nothing") == "Not found"
    assert plan.refused(409, "PUT", "category", "412", category_name="X") == gone
    assert plan.refused(409, "DELETE", "category", "412") == gone
    # PUT and DELETE take the number, GET the name.
    assert '"Shop"' in plan.refused(409, "DELETE", "category", "Shop")
    again = 'Attempted to add an event category, "Shop", that already exists.'
    assert plan.refused(409, "POST", "category", category_name="Shop") == again
    store = str(plan.get("category", "Store")["id"])
    assert plan.refused(409, "PUT", "category", store, category_name="Shop") == again
    assert plan.refused(400, "POST", "category") == "Missing required field: category_name"


def test_a_category_that_goes_leaves_its_events(plan: Plan) -> None:
    plan.post("category", category_name="Shop")
    plan.post("event", event_type="Cart Viewed", category="Shop")
    plan.delete("category", str(plan.get("category", "Shop")["id"]))
    assert plan.get("event", "Cart Viewed")["category"] is None


# --- event types ---


def test_an_event_type_as_documented(plan: Plan) -> None:
    plan.post("category", category_name="Shop")
    plan.post(
        "event",
        event_type="Cart Viewed",
        category="Shop",
        description="Cart page shown",
        tags="web, shop",
        owner="ana@shop.test",
        is_active="false",
    )
    expected = {
        "event_type": "Cart Viewed",
        "category": {"name": "Shop"},
        "description": "Cart page shown",
        "display_name": None,
        "is_active": False,
        "is_hidden_from_dropdowns": False,
        "is_hidden_from_persona_results": False,
        "is_hidden_from_pathfinder": False,
        "is_hidden_from_timeline": False,
        "tags": ["web", "shop"],
        "owner": "ana@shop.test",
        "deleted": None,
    }
    assert plan.get("event") == [expected]
    assert list(plan.get("event", "Cart Viewed")) == list(expected)
    plan.put("event", "Cart Viewed", description="Seen", is_active="true", owner="", category="")
    changed = {"description": "Seen", "is_active": True, "owner": None, "category": None}
    assert plan.get("event", "Cart Viewed") == {**expected, **changed}
    plan.put("event", "Cart Viewed", new_event_type="Basket / Seen")
    assert names(plan.get("event")) == ["Basket / Seen"]
    assert plan.get("event", "Basket / Seen")["description"] == "Seen"


def test_the_bare_event_type(plan: Plan) -> None:
    plan.post("event", event_type="A")
    row = plan.get("event", "A")
    assert (row["description"], row["tags"], row["is_active"]) == (None, [], True)


def test_refused_event_types(plan: Plan, api: Api) -> None:
    plan.post("event", event_type="Cart Viewed")
    api.upload(event(1, event_type="Met"))
    refused = plan.refused
    assert refused(400, "GET", "event", "Nothing") == "Not found"
    assert refused(400, "POST", "event") == "Missing required field: event_type"
    assert refused(409, "POST", "event", event_type="Cart Viewed") == (
        'Attempted to add an event, "Cart Viewed", that already exists.'
    )
    assert refused(409, "PUT", "event", "Cart Viewed", display_name="Cart") == (
        'Attempted to change the event display name for event "Cart Viewed", but the event is'
        " not in schema."
    )
    assert "not in schema" in refused(409, "PUT", "event", "Nothing", description="x")
    hide = {"is_hidden_from_dropdowns": "true"}
    assert "not in schema" in refused(409, "PUT", "event", "Cart Viewed", **hide)
    assert "not in schema" in refused(409, "POST", "event", event_type="New", **hide)
    assert refused(400, "PUT", "event", "Met", is_active="maybe") == "Invalid value for is_active"
    assert "does not exist" in refused(409, "POST", "event", event_type="New", category="No")
    assert "already exists" in refused(409, "PUT", "event", "Cart Viewed", new_event_type="Met")
    assert names(plan.get("event")) == ["Cart Viewed", "Met"]


def test_ingested_event_types_are_listed_and_can_be_hidden(plan: Plan, api: Api) -> None:
    api.upload(
        event(1, event_type="Unexpected"),
        event(1, event_type="$identify", user_properties={"$set": {"a": 1}}),
    )
    assert names(plan.get("event")) == ["Unexpected"]
    plan.put("event", "Unexpected", display_name="Was Not Planned", is_hidden_from_timeline="true")
    row = plan.get("event", "Unexpected")
    assert (row["display_name"], row["is_hidden_from_timeline"]) == ("Was Not Planned", True)
    plan.put("event", "Unexpected", is_hidden_from_dropdowns="true")
    assert plan.get("event") == []
    assert plan.get("event", "Unexpected")["is_hidden_from_dropdowns"] is True
    plan.put("event", "Unexpected", is_hidden_from_dropdowns="false", display_name="")
    assert plan.get("event")[0]["display_name"] is None
    plan.post("event", event_type="Other")
    api.emu.mark("Other", blocked=True)
    assert names(plan.get("event")) == ["Unexpected"]


def test_deleting_follows_the_state(plan: Plan, api: Api) -> None:
    plan.post("event", event_type="Planned")
    plan.post("event", event_type="Live", description="kept")
    api.upload(event(1, event_type="Live"), event(1, event_type="Unexpected"))
    for name in ("Planned", "Live", "Unexpected"):
        plan.delete("event", name)
        assert plan.refused(409, "DELETE", "event", name) == "Not found"
        assert plan.refused(400, "GET", "event", name) == "Not found"
    assert plan.get("event") == []
    assert [
        (row["event_type"], row["deleted"]) for row in plan.get("event", showDeleted="true")
    ] == [
        ("Live", True),
        ("Unexpected", True),
    ]
    assert "already exists" in plan.refused(409, "POST", "event", event_type="Live")
    plan.post("event", "Live", "restore")
    assert plan.get("event", "Live")["description"] == "kept"
    for name in ("Live", "Planned", "Nothing"):
        assert plan.refused(409, "POST", "event", name, "restore") == "Not found"
    plan.post("event", event_type="Planned")
    api.emu.mark("Planned", transformed=True)
    assert "transformed" in plan.refused(409, "DELETE", "event", "Planned")


# --- event properties ---

CHECKOUT: dict[str, Any] = {
    "event_property": "method",
    "event_type": "Checkout Done",
    "description": "",
    "type": "enum",
    "regex": None,
    "enum_values": "card,iban",
    "is_array_type": False,
    "is_required": True,
    "is_hidden": False,
    "classifications": [],
}


@pytest.fixture
def checkout(plan: Plan) -> Plan:
    plan.post("event", event_type="Checkout Done")
    plan.post("event", event_type="Refund Done")
    return plan


def add_method(plan: Plan, **fields: str) -> None:
    plan.post(
        "event-property",
        event_property="method",
        type="enum",
        enum_values="card,iban",
        is_required="true",
        **fields,
    )


def test_an_event_property_as_documented(checkout: Plan) -> None:
    add_method(checkout, event_type="Checkout Done")
    assert checkout.get("event-property", event_type="Checkout Done") == [CHECKOUT]
    (row,) = checkout.get("event-property", event_type="Checkout Done")
    assert list(row) == list(CHECKOUT)
    shared = {**CHECKOUT, "event_type": None}
    assert checkout.get("event-property") == [shared]
    assert checkout.get("event-property", event_type="Refund Done") == []
    # The single property: by path, by query, with the event in the query or in the body.
    assert checkout.get("event-property", "method") == shared
    assert checkout.get("event-property", event_property="method") == shared
    assert checkout.get("event-property", "method", event_type="Checkout Done") == CHECKOUT
    body = checkout.send("GET", "event-property", "method", event_type="Checkout Done")
    assert body.json["data"] == CHECKOUT
    listed = checkout.send("GET", "event-property", event_type="Checkout Done")
    assert listed.json["data"] == [CHECKOUT]


def test_an_override_is_created_where_another_event_has_it(checkout: Plan) -> None:
    add_method(checkout, event_type="Checkout Done")
    checkout.post(
        "event-property", event_property="method", event_type="Refund Done", type="number"
    )
    get = checkout.get
    assert get("event-property", "method", event_type="Refund Done")["type"] == "number"
    assert get("event-property", "method", event_type="Checkout Done")["type"] == "enum"
    # The first event has no override: it shows what is shared.
    checkout.put("event-property", "method", description="How it was paid")
    assert get("event-property", "method", event_type="Checkout Done")["description"] == (
        "How it was paid"
    )
    assert get("event-property", "method", event_type="Refund Done")["description"] == ""


def test_the_scope_of_an_update(checkout: Plan) -> None:
    add_method(checkout, event_type="Checkout Done")
    put, get = checkout.put, checkout.get
    both = {"event_type": "Checkout Done"}

    def descriptions() -> tuple[str, str]:
        return (
            get("event-property", "method")["description"],
            get("event-property", "method", **both)["description"],
        )

    put("event-property", "method", description="a", **both)  # no override: the shared one
    assert descriptions() == ("a", "a")
    put("event-property", "method", description="b", overrideScope="override", **both)
    assert descriptions() == ("a", "b")
    assert get("event-property", "method", **both)["enum_values"] == "card,iban"
    put("event-property", "method", description="c", **both)  # now there is one
    assert descriptions() == ("a", "c")
    put("event-property", "method", description="d", overrideScope="shared", **both)
    assert descriptions() == ("d", "d")
    put("event-property", "method", description="e", **both)
    assert descriptions() == ("e", "e")


def test_refused_event_properties(checkout: Plan) -> None:
    add_method(checkout, event_type="Checkout Done")
    refused = checkout.refused
    where = {"event_property": "method", "event_type": "Checkout Done"}
    assert refused(409, "POST", "event-property", **where) == (
        'Attempted to add an event property, "method" for event "Checkout Done", that already'
        " exists."
    )
    assert refused(409, "PUT", "event-property", "nothing", description="x") == (
        'Attempted to change the event property description for property "nothing" for event "",'
        " but the property is not in schema."
    )
    assert refused(400, "GET", "event-property", "nothing") == "Not found"
    assert refused(400, "GET", "event-property", "method", query="event_type=Refund%20Done") == (
        "Not found"
    )
    assert "not in schema" in refused(
        409, "POST", "event-property", event_property="m", event_type="Nothing"
    )
    assert "not in schema" in refused(409, "PUT", "event-property", "method", is_hidden="true")
    assert refused(400, "PUT", "event-property", "method", type="text") == "Invalid value for type"
    assert "string" in refused(400, "PUT", "event-property", "method", regex="^a")
    scope = {"overrideScope": "override"}
    assert "event_type" in refused(400, "PUT", "event-property", "method", **scope)
    assert refused(
        400, "PUT", "event-property", "method", event_type="Checkout Done", overrideScope="all"
    ) == ("Invalid value for overrideScope")
    assert "not in schema" in refused(
        409, "PUT", "event-property", "method", event_type="Refund Done", description="x"
    )
    assert refused(
        409,
        "PUT",
        "event-property",
        "method",
        event_type="Checkout Done",
        classifications="PII",
        **scope,
    ) == (
        'Attempted to update classifications for an overridden event property, "method" on event'
        ' "Checkout Done". Call the Update API without the "event_type" parameter to update'
        " classifications of the shared property."
    )
    assert checkout.get("event-property", event_type="Checkout Done") == [CHECKOUT]


def test_shared_event_properties(checkout: Plan) -> None:
    checkout.post(
        "event-property", event_property="price", type="number", classifications="PII,REVENUE"
    )
    row = checkout.get("event-property", "price")
    assert (row["type"], row["classifications"]) == ("number", ["PII", "REVENUE"])
    assert "already exists" in checkout.refused(
        409, "POST", "event-property", event_property="price"
    )
    checkout.put("event-property", "price", new_event_property_value="amount", is_array_type="true")
    assert names(checkout.get("event-property"), "event_property") == ["amount"]
    checkout.post("event-property", event_property="list", is_array_type="true")
    checkout.post("event-property", event_property="free")
    assert checkout.get("event-property", "list")["type"] == "string"
    assert checkout.get("event-property", "free")["type"] == "any"
    assert "already exists" in checkout.refused(
        409, "PUT", "event-property", "free", new_event_property_value="list"
    )


def test_ingested_event_properties(checkout: Plan, api: Api) -> None:
    api.upload(
        event(1, event_type="Checkout Done", event_properties={"method": "card", "price": 3}),
        event(1, event_type="Refund Done", event_properties={"price": 3}),
    )
    get = checkout.get
    assert names(get("event-property"), "event_property") == ["method", "price"]
    at = {"event_type": "Refund Done"}
    assert names(get("event-property", **at), "event_property") == ["price"]
    assert get("event-property", **at)[0]["type"] == "any"
    checkout.put("event-property", "price", is_hidden="true", description="net")
    assert names(get("event-property"), "event_property") == ["method"]
    assert get("event-property", **at) == []
    assert get("event-property", "price", **at)["description"] == "net"


def test_deleting_and_restoring_event_properties(checkout: Plan, api: Api) -> None:
    add_method(checkout, event_type="Checkout Done")
    checkout.post("event-property", event_property="method", event_type="Refund Done")
    checkout.post("event-property", event_property="planned")
    api.upload(event(1, event_type="Checkout Done", event_properties={"method": "card"}))
    at = {"event_type": "Refund Done"}
    # From one event: it has not been met there, so it goes.
    checkout.delete("event-property", "method", **at)
    assert checkout.refused(409, "DELETE", "event-property", "method", **at) == "Not found"
    assert checkout.get("event-property", **at) == []
    # From the plan: met ones are marked, planned ones go.
    checkout.delete("event-property", "method")
    checkout.delete("event-property", "planned")
    assert checkout.get("event-property") == []
    assert checkout.get("event-property", event_type="Checkout Done") == []
    for name in ("method", "planned", "nothing"):
        assert checkout.refused(409, "DELETE", "event-property", name) == "Not found"
    assert "already exists" in checkout.refused(
        409, "POST", "event-property", event_property="method"
    )
    restored = checkout.send("POST", "event-property", "method", "restore")
    assert (restored.status, restored.json) == (200, {"success": True})
    assert checkout.get("event-property", event_type="Checkout Done") == [CHECKOUT]
    for name in ("method", "planned"):
        assert checkout.refused(409, "POST", "event-property", name, "restore") == "Not found"
    checkout.delete("event-property", "method", event_type="Checkout Done")
    assert checkout.get("event-property", event_type="Checkout Done") == []
    assert names(checkout.get("event-property"), "event_property") == ["method"]
    api.emu.switch(property_restore="201")
    restored = checkout.send(
        "POST", "event-property", "method", "restore", event_type="Checkout Done"
    )
    assert restored.status == 201
    assert checkout.get("event-property", event_type="Checkout Done") == [CHECKOUT]


# --- user properties ---

BUILT_INS = [
    "device_id",
    "event_id",
    "amplitude_id",
    "location_lat",
    "location_lng",
    "server_upload_time",
    "session_id",
    "user_id",
    "library",
    "_time",
]


def custom(plan: Plan, **query: object) -> list[str]:
    rows = plan.get("user-property", **query)
    assert names(rows, "user_property")[:10] == BUILT_INS
    return names(rows, "user_property")[10:]


def test_a_user_property_as_documented(plan: Plan) -> None:
    plan.post(
        "user-property",
        user_property="tier",
        description="Level",
        type="string",
        enum_values="gold,silver",
        regex="^[a-z]+$",
        classifications="PII",
    )
    row = {
        "user_property": "gp:tier",
        "description": "Level",
        "type": "string",
        "enum_values": "gold,silver",
        "regex": "^[a-z]+$",
        "is_array_type": False,
        "is_hidden": False,
        "classifications": ["PII"],
        "deleted": False,
    }
    assert plan.get("user-property")[10:] == [row]
    assert list(plan.get("user-property", "gp:tier")) == list(row)
    assert plan.get("user-property", "tier") == row
    plan.put("user-property", "tier", description="", new_user_property_value="level")
    assert custom(plan) == ["gp:level"]
    plan.put("user-property", "gp:level", new_user_property_value="gp:tier", type="any")
    assert plan.get("user-property", "tier")["type"] == "any"
    built_in = plan.get("user-property", "device_id")
    assert (built_in["type"], built_in["description"]) == ("any", "")


def test_no_property_gets_the_name_of_one_of_amplitudes_own(plan: Plan) -> None:
    plan.post("user-property", user_property="tier")
    before = plan.get("user-property")
    text = plan.refused(409, "PUT", "user-property", "tier", new_user_property_value="user_id")
    assert text == 'Attempted to add a user property, "user_id", that already exists.'
    assert plan.get("user-property") == before


def test_refused_user_properties(plan: Plan, api: Api) -> None:
    plan.post("user-property", user_property="tier")
    refused = plan.refused
    assert refused(404, "GET", "user-property", "gp:nothing") == "Not found"
    for name in ("tier", "gp:tier"):
        assert refused(409, "POST", "user-property", user_property=name) == (
            'Attempted to add a user property, "gp:tier", that already exists.'
        )
    assert "not in schema" in refused(409, "PUT", "user-property", "gp:nothing", description="x")
    assert "not in schema" in refused(409, "PUT", "user-property", "tier", is_hidden="true")
    assert "not editable" in refused(409, "PUT", "user-property", "device_id", description="x")
    assert "not editable" in refused(409, "DELETE", "user-property", "device_id")
    assert "already exists" in refused(409, "POST", "user-property", user_property="user_id")
    api.emu.switch(user_property_errors="bare")
    reply = plan.send("POST", "user-property", user_property="tier")
    assert (reply.status, reply.json) == (409, {"success": False})
    assert refused(404, "GET", "user-property", "gp:nothing") == "Not found"


def test_ingested_user_properties(plan: Plan, api: Api) -> None:
    api.upload(event(1, user_properties={"visits": 1, "tier": "gold"}))
    api.form("/identify", {"user_id": "user-0001", "user_properties": {"$append": {"seen": 1}}})
    api.form("/identify", {"user_id": "user-0001", "user_properties": {"$unset": {"visits": "-"}}})
    assert custom(plan) == ["gp:seen", "gp:tier", "gp:visits"]
    plan.put("user-property", "gp:tier", is_hidden="true")
    assert custom(plan) == ["gp:seen", "gp:visits"]
    plan.delete("user-property", "gp:visits")
    plan.delete("user-property", "gp:seen")
    assert plan.refused(404, "GET", "user-property", "gp:seen") == "Not found"
    assert custom(plan) == []
    assert custom(plan, showDeleted="true") == ["gp:seen", "gp:visits"]
    assert plan.get("user-property", "seen", showDeleted="true")["deleted"] is True
    plan.post("user-property", "gp:seen", "restore")
    assert custom(plan) == ["gp:seen"]
    assert plan.refused(409, "POST", "user-property", "gp:seen", "restore") == "Not found"
    plan.post("user-property", user_property="planned")
    plan.delete("user-property", "planned")
    assert plan.refused(409, "DELETE", "user-property", "planned") == "Not found"


# --- group properties ---


@pytest.fixture
def org(plan: Plan, api: Api) -> Plan:
    api.upload(event(1, groups={"org id": "7", "shop": "north"}))
    return plan


def test_a_group_property_as_documented(org: Plan) -> None:
    org.post(
        "group-property",
        group_property="grp:seats",
        group_type="org id",
        description="Paid seats",
        type="number",
    )
    row: dict[str, Any] = {
        "group_type": "org id",
        "group_property": "grp:seats",
        "description": "Paid seats",
        "type": "number",
        "enum_values": None,
        "regex": None,
        "is_array_type": False,
        "is_hidden": False,
        "classifications": [],
    }
    group_id = {**row, "group_property": "group_id", "type": "any", "description": None}
    group_id["group_type"] = None
    assert org.get("group-property", group_type="org id") == [row]
    assert list(org.get("group-property", "grp:seats", group_type="org id")) == list(row)
    assert org.get("group-property") == [group_id, {**row, "group_type": None}]
    assert org.get("group-property", group_type="shop") == []
    body = org.send("GET", "group-property", "grp:seats", group_type="org id")
    assert body.json["data"] == row
    # A bare name is taken as a custom one, as the docs' example sends it.
    org.post("group-property", group_property="plan", group_type="shop")
    assert org.get("group-property", "plan", group_type="shop")["group_property"] == "grp:plan"
    org.put("group-property", "grp:plan", new_group_property_value="grp:level")
    assert names(org.get("group-property", group_type="shop"), "group_property") == ["grp:level"]


def test_refused_group_properties(org: Plan) -> None:
    org.post("group-property", group_property="grp:seats", group_type="org id")
    refused = org.refused
    assert refused(409, "POST", "group-property", group_property="seats", group_type="org id") == (
        'Attempted to add a group property, "grp:seats", that already exists.'
    )
    where = {"group_type": "nobody"}
    assert refused(404, "POST", "group-property", group_property="x", **where) == "Not found"
    assert refused(404, "PUT", "group-property", "grp:seats", **where) == "Not found"
    assert refused(400, "GET", "group-property", "grp:nothing") == "Not found"
    assert "not in schema" in refused(409, "PUT", "group-property", "grp:nothing", type="any")
    assert "not editable" in refused(409, "PUT", "group-property", "group_id", description="x")
    assert "already exists" in refused(
        409, "POST", "group-property", group_property="group_id", description="x"
    )
    override = {"group_type": "org id", "overrideScope": "override"}
    org.put("group-property", "grp:seats", type="number", **override)
    assert refused(
        409, "PUT", "group-property", "grp:seats", group_type="org id", classifications="PII"
    ) == (
        'Attempted to update classifications for an overridden group property, "grp:seats" on'
        ' group type "org id". Call the Update API without the "group_type" parameter to update'
        " classifications of the shared property."
    )
    # Nothing is documented that deletes or restores them.
    assert refused(405, "DELETE", "group-property", "grp:seats") == "Method Not Allowed"
    assert refused(404, "POST", "group-property", "grp:seats", "restore") == "Not Found"


def test_ingested_group_properties(plan: Plan, api: Api) -> None:
    body = {"group_type": "org id", "group_value": "7", "group_properties": {"seats": 5}}
    assert api.form("/groupidentify", body).status == 200
    assert names(plan.get("group-property"), "group_property") == ["group_id", "grp:seats"]
    assert names(plan.get("group-property", group_type="org id"), "group_property") == ["grp:seats"]
    plan.put("group-property", "grp:seats", is_hidden="true")
    assert names(plan.get("group-property"), "group_property") == ["group_id"]


def test_a_project_without_accounts(plan: Plan, api: Api) -> None:
    api.emu.switch(accounts=False)
    off = "Account Properties feature is not enabled."
    assert plan.refused(400, "PUT", "group-property", "grp:seats", type="any") == off
    assert plan.refused(400, "POST", "group-property", group_property="grp:seats") == off
    assert plan.get("group-property") == []
    assert plan.get("group-property", "group_id")["group_type"] is None
    assert plan.refused(400, "GET", "group-property", "grp:seats") == "Not found"


# --- the whole area ---


def test_a_plan_that_lacks_the_api(plan: Plan, emu: Emulator) -> None:
    emu.switch(taxonomy="not_found")
    assert plan.refused(404, "GET", "event") == "Not Found"
    emu.switch(taxonomy="forbidden")
    assert plan.refused(403, "POST", "event", event_type="A") == "Forbidden"
    emu.switch(taxonomy="available")
    assert plan.get("event") == []


def test_a_wrong_key_has_the_dashboard_envelope(api: Api) -> None:
    reply = api.call("GET", f"{BASE}/event", Authorization="Basic ZW11LXg6eQ==")
    assert (reply.status, reply.details) == (403, "Invalid API Key")


def test_wrong_paths_and_methods(plan: Plan) -> None:
    assert plan.refused(404, "GET", "nothing") == "Not Found"
    assert plan.refused(404, "GET", "event", "a", "b") == "Not Found"
    assert plan.refused(405, "PATCH", "event") == "Method Not Allowed"
    assert plan.refused(405, "GET", "event", "a", "restore") == "Method Not Allowed"


def test_the_hour_holds_a_cost_of_7200(plan: Plan, emu: Emulator) -> None:
    emu.switch(taxonomy_per_hour=7)
    for n in range(3):
        plan.post("event", event_type=f"E{n}")
    assert plan.refused(429, "POST", "event", event_type="E4") == (
        "Too Many Requests: Exceeded rate limit with query of cost 2"
    )
    plan.get("event")
    assert plan.refused(429, "GET", "event") == (
        "Too Many Requests: Exceeded rate limit with query of cost 1"
    )
    emu.advance(3600)
    assert names(plan.get("event")) == ["E0", "E1", "E2"]
    assert emu.switches()["taxonomy_per_hour"] == 7
    emu._control("DELETE", "/switches")
    assert emu.switches()["taxonomy_per_hour"] == 7200


@pytest.mark.parametrize(
    ("calls", "fits"),
    [
        (["GET"] * 4, []),
        (["GET"] * 3, ["GET"]),
        (["POST", "POST"], []),
        (["POST", "GET", "GET"], []),
        (["POST"], ["GET", "POST"]),
    ],
)
def test_a_cost_of_four_runs_at_once(
    emu: Emulator, api: Api, plan: Plan, calls: list[str], fits: list[str]
) -> None:
    emu.faults({"when": "mid_response@1", "match": {"every": 1}, "do": {"stall_ms": 10**9}})
    clients = [Api(emu) for _ in calls]
    answers = []
    for client, method in zip(clients, calls, strict=True):
        client.connection.request(method, f"{BASE}/event", headers=api.basic)
        answers.append(client.connection.getresponse())
    emu.faults()
    for method in ("GET", "POST"):
        reply = plan.send(method, "event", event_type=method)
        assert (reply.status != 429) == (method in fits), reply.body
        if reply.status == 429:
            message = reply.json["errors"][0]["message"]
            assert message == "Too Many Requests: Exceeded concurrent limit"
    assert api.get("/api/3/cohorts").status == 200
    for client, answer in zip(clients, answers, strict=True):
        client.rest(answer)
        client.connection.close()


def test_a_plan_survives_a_restart(tmp_path: pathlib.Path) -> None:
    store = str(tmp_path / "store")
    with Emulator(store=store) as emu:
        api = Api(emu)
        plan = Plan(api)
        plan.post("category", category_name="Shop")
        api.upload(event(1, event_type="Met", event_properties={"a": 1}, groups={"org id": "1"}))
        plan.put("event", "Met", category="Shop", is_hidden_from_dropdowns="true")
        plan.post("event-property", event_property="b", event_type="Met")
        plan.post("group-property", group_property="c", group_type="org id")
        before = [
            plan.get("event", "Met"),
            plan.get("event-property", event_type="Met"),
            plan.get("user-property"),
            plan.get("group-property", group_type="org id"),
        ]
        api.connection.close()
    with Emulator(store=store) as emu:
        api = Api(emu)
        plan = Plan(api)
        assert before == [
            plan.get("event", "Met"),
            plan.get("event-property", event_type="Met"),
            plan.get("user-property"),
            plan.get("group-property", group_type="org id"),
        ]
        assert plan.get("event") == []
        plan.delete("event", "Met")  # still known as one that was met: marked, not gone
        assert names(plan.get("event", showDeleted="true")) == []
        plan.post("event", "Met", "restore")
        emu.reset()
        assert plan.get("event-property") == []
        assert plan.get("category") == []
        api.connection.close()


def test_forms_of_a_refused_call_change_nothing(plan: Plan) -> None:
    before = json.dumps(plan.get("event"))
    for _ in range(3):
        plan.refused(409, "PUT", "event", "Nothing", description="x", is_active="false")
    assert json.dumps(plan.get("event")) == before
