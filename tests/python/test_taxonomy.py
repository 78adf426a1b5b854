# SPDX-License-Identifier: MIT
"""The tracking plan: entries, and the plan as one document."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

import tidewheel

from .conftest import API_KEY, SECRET_KEY, Answer, Request, Server, json_answer

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "tracking_plan.py"

EVENT = {
    "event_type": "Cart Viewed",
    "category": {"name": "Shop"},
    "description": None,
    "display_name": None,
    "is_active": True,
    "is_hidden_from_dropdowns": False,
    "is_hidden_from_persona_results": False,
    "is_hidden_from_pathfinder": False,
    "is_hidden_from_timeline": False,
    "tags": ["web"],
    "owner": None,
}
METHOD = {
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


def data(value: Any) -> Answer:
    return json_answer({"success": True, "data": value})


def refusal(message: str, status: int) -> Answer:
    return json_answer({"success": False, "errors": [{"message": message}]}, status)


def form(request: Request) -> dict[str, list[str]]:
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    return parse_qs(request.body.decode(), keep_blank_values=True, strict_parsing=True)


def test_entries_are_read(server: Server, client: tidewheel.Client) -> None:
    server.answer = lambda _: data([EVENT])
    (event,) = client.taxonomy.events.list(show_deleted=True)
    assert event.category == "Shop"
    assert event.description == ""
    assert event.tags == ("web",)
    assert not event.deleted
    assert event.data == EVENT
    assert server.requests[-1].path == "/api/2/taxonomy/event?showDeleted=true"
    server.answer = lambda _: data(METHOD)
    found = client.taxonomy.event_properties.get("method", "Checkout Done")
    assert found.enum_values == ("card", "iban")
    assert found.is_required
    assert server.requests[-1].path == (
        "/api/2/taxonomy/event-property/method?event_type=Checkout%20Done"
    )
    server.answer = lambda _: data([{"id": 412, "name": "Shop"}])
    assert [(c.id, c.name) for c in client.taxonomy.categories.list()] == [(412, "Shop")]


def test_writes_are_forms(server: Server, client: tidewheel.Client) -> None:
    server.answer = lambda _: json_answer({"success": True})
    made = client.taxonomy.events.create(
        "Cart Viewed", category="Shop", tags=["web", "app"], is_active=False, owner=None
    )
    assert made == tidewheel.Created(existed=False)
    assert form(server.requests[-1]) == {
        "event_type": ["Cart Viewed"],
        "category": ["Shop"],
        "is_active": ["false"],
        "tags": ["web,app"],
    }
    client.taxonomy.events.update("Cart Viewed", new_name="Cart seen", description="", tags=())
    assert server.requests[-1].method == "PUT"
    assert unquote(server.requests[-1].path).endswith("/event/Cart Viewed")
    assert form(server.requests[-1]) == {
        "new_event_type": ["Cart seen"],
        "description": [""],
        "tags": [""],
    }
    client.taxonomy.event_properties.delete("method", "Checkout Done")
    assert server.requests[-1].method == "DELETE"
    assert form(server.requests[-1]) == {"event_type": ["Checkout Done"]}
    client.taxonomy.user_properties.restore("tier")
    assert server.requests[-1].path == "/api/2/taxonomy/user-property/gp%3Atier/restore"


def test_categories_are_found_by_name(server: Server, client: tidewheel.Client) -> None:
    def answer(request: Request) -> Answer:
        if request.method == "GET":
            return data({"id": 412, "name": "Shop"})
        return json_answer({"success": True})

    server.answer = answer
    client.taxonomy.categories.update("Shop", "Store")
    client.taxonomy.categories.delete(7)
    assert [(r.method, r.path) for r in server.requests] == [
        ("GET", "/api/2/taxonomy/category/Shop"),
        ("PUT", "/api/2/taxonomy/category/412"),
        ("DELETE", "/api/2/taxonomy/category/7"),
    ]


def test_what_exists_is_success_on_request(server: Server, client: tidewheel.Client) -> None:
    text = 'Attempted to add an event property, "method", that already exists.'
    server.answer = lambda _: refusal(text, 409)
    with pytest.raises(tidewheel.ApiError, match="already exists") as caught:
        client.taxonomy.event_properties.create("method")
    assert caught.value.http_status == 409
    made = client.taxonomy.event_properties.create("method", exist_ok=True)
    assert made.existed
    server.answer = lambda _: json_answer({"success": False}, 409)
    assert client.taxonomy.user_properties.create("tier", exist_ok=True).existed


def test_a_write_that_may_have_been_done_is_not_repeated(
    server: Server, client: tidewheel.Client
) -> None:
    server.answer = lambda _: Answer(500, b"")
    with pytest.raises(tidewheel.ServerError) as caught:
        client.taxonomy.events.create("a")
    assert caught.value.stored == "maybe"
    assert len(server.requests) == 1


def test_refusals_in_a_success_are_errors(server: Server, client: tidewheel.Client) -> None:
    server.answer = lambda _: json_answer({"success": False})
    with pytest.raises(tidewheel.ApiError, match="refusal"):
        client.taxonomy.user_properties.update("tier", description="x")


# ---- the plan as a document


class Project:
    """A project's plan as the API shows it, in memory."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {"Cart Viewed": EVENT}
        self.properties: dict[tuple[str, str], dict[str, Any]] = {}
        self.made: list[str] = []
        self.fail_at: int | None = None

    def answer(self, request: Request) -> Answer:
        url = urlsplit(request.path)
        path = unquote(url.path).removeprefix("/api/2/taxonomy/")
        if request.method != "GET":
            if self.fail_at == len(self.made):
                return refusal("not now", 409)
            self.made.append(f"{request.method} {path} {unquote(request.body.decode())}")
            return json_answer({"success": True})
        if path == "event":
            return data(list(self.events.values()))
        if path == "event-property" and url.query:
            (event,) = parse_qs(url.query)["event_type"]
            return data([METHOD | {"event_type": event}])
        return data([])


def test_lists_are_immutable_and_give_dicts(server: Server, client: tidewheel.Client) -> None:
    server.answer = Project().answer
    events = client.taxonomy.events.list()
    assert isinstance(events, tuple)
    (row,) = events.to_dicts()
    assert list(row) == [name for name in tidewheel.EventType._fields if name != "data"]
    assert row["event_type"] == "Cart Viewed"
    properties = client.taxonomy.event_properties.all()
    assert properties.to_dicts()[0]["enum_values"] == ("card", "iban")


def test_a_plan_round_trips(server: Server, client: tidewheel.Client) -> None:
    project = Project()
    server.answer = project.answer
    plan = client.taxonomy.pull()
    assert plan["events"]["Cart Viewed"]["category"] == "Shop"
    assert plan["events"]["Cart Viewed"]["properties"]["method"]["enum_values"] == ["card", "iban"]
    kept = json.loads(json.dumps(plan))
    diff = client.taxonomy.plan(kept, delete=True)
    assert not diff
    assert str(diff) == "nothing to change"
    assert not project.made


def test_changes_are_shown_then_made(server: Server, client: tidewheel.Client) -> None:
    project = Project()
    server.answer = project.answer
    plan = client.taxonomy.pull()
    plan["events"]["Cart Viewed"]["description"] = "Cart page shown"
    plan["events"]["Paid"] = {"tags": ["web"], "display_name": "Paid!"}
    diff = client.taxonomy.plan(plan)
    assert str(diff).splitlines() == [
        '~ event "Cart Viewed": description nothing -> "Cart page shown"',
        '+ event "Paid": tags ["web"]',
        '! event "Paid": display_name can be set once it was ingested',
    ]
    assert diff.cost == 4
    assert not project.made
    client.taxonomy.apply(diff)
    assert project.made == [
        "PUT event/Cart Viewed description=Cart page shown",
        "POST event event_type=Paid&tags=web",
    ]


def test_a_failed_change_says_how_far_it_came(server: Server, client: tidewheel.Client) -> None:
    project = Project()
    server.answer = project.answer
    diff = client.taxonomy.plan({"events": {"a": {}, "b": {}, "c": {}}})
    project.fail_at = 1
    with pytest.raises(tidewheel.ApiError, match="not now") as caught:
        client.taxonomy.apply(diff)
    assert caught.value.__notes__ == ['1 of 3 changes were made; this one failed: + event "b"']


def test_a_bad_plan_names_the_place(server: Server, client: tidewheel.Client) -> None:
    server.answer = Project().answer
    with pytest.raises(tidewheel.ValidationError, match="no such field") as caught:
        client.taxonomy.plan({"events": {"a": {"desc": ""}}})
    assert caught.value.field == "events.a.desc"
    with pytest.raises(ValueError, match="JSON compliant"):
        client.taxonomy.plan({"events": {"a": {"description": float("nan")}}})
    assert not server.requests


BAD_VALUES: list[tuple[dict[str, Any], str, str]] = [
    ({"events": {"a": {"tags": ["b,c"]}}}, "events.a.tags[0]", "comma"),
    ({"events": {"a": {"is_active": "yes"}}}, "events.a.is_active", "neither true nor false"),
    (
        {"events": {"a": {"properties": {"p": {"type": "nubmer"}}}}},
        "events.a.properties.p.type",
        "number, boolean",
    ),
    ({"user_properties": {"t": {"type": "enum", "regex": "x"}}}, "user_properties.t.regex", "type"),
    ({"event_properties": {"p": {"description": 3}}}, "event_properties.p.description", "text"),
    ({"categories": [""]}, "categories.category_name", "empty"),
]


@pytest.mark.parametrize(("plan", "field", "rule"), BAD_VALUES)
def test_a_bad_value_is_refused_before_anything_is_sent(
    server: Server, client: tidewheel.Client, plan: dict[str, Any], field: str, rule: str
) -> None:
    server.answer = Project().answer
    with pytest.raises(tidewheel.ValidationError, match=rule) as caught:
        client.taxonomy.plan(plan)
    assert caught.value.field == field
    assert not server.requests


def test_no_change_is_made_where_one_would_be_refused(
    server: Server, client: tidewheel.Client
) -> None:
    project = Project()
    server.answer = project.answer
    diff = client.taxonomy.plan({"events": {"a": {}, "b": {}}})
    bad = diff.changes[1]._replace(arguments={"event_type": "b", "tags": "x"})
    diff = diff._replace(changes=(diff.changes[0], bad))
    with pytest.raises(tidewheel.ValidationError, match="tags") as caught:
        client.taxonomy.apply(diff)
    assert caught.value.__notes__ == ['no change was made; this one was refused: + event "b"']
    assert not project.made


def test_flags_and_types_go_back_to_their_defaults(live: tidewheel.Client) -> None:
    ours = live.taxonomy
    ours.events.create("a", is_active=False)
    ours.user_properties.create("tier", type="string")
    diff = ours.plan(
        {"events": {"a": {"is_active": None}}, "user_properties": {"tier": {"type": ""}}}
    )
    assert str(diff).splitlines() == [
        '~ event "a": is_active false -> true',
        '~ user property "gp:tier": type "string" -> "any"',
    ]
    ours.apply(diff)
    assert ours.events.get("a").is_active
    assert ours.user_properties.get("tier").type == "any"


def test_all_event_properties_four_at_a_time(server: Server, client: tidewheel.Client) -> None:
    project = Project()
    project.events = {f"e{i}": EVENT | {"event_type": f"e{i}"} for i in range(20)}
    server.answer = project.answer
    found = client.taxonomy.event_properties.all()
    assert [p.event_type for p in found] == [f"e{i}" for i in range(20)]
    assert found[0].enum_values == ("card", "iban")
    assert len(server.requests) == 22


def test_everything_is_awaited_too(server: Server) -> None:
    project = Project()
    server.answer = project.answer

    async def main() -> None:
        async with tidewheel.AsyncClient(API_KEY, SECRET_KEY, base_url=server.url) as client:
            taxonomy = client.taxonomy
            (event,) = await taxonomy.events.list()
            assert event.event_type == "Cart Viewed"
            assert len(await taxonomy.event_properties.all()) == 1
            assert (await taxonomy.categories.create("New")).existed is False
            plan = await taxonomy.pull()
            plan["events"]["b"] = {}
            diff = await taxonomy.plan(plan)
            await taxonomy.apply(diff)
            assert project.made[-1] == "POST event event_type=b"

    asyncio.run(main())


@pytest.mark.parametrize("diff", [{}, None, [], "x", ({}, [], 0)])
def test_what_is_applied_is_what_plan_gave(client: tidewheel.Client, diff: Any) -> None:
    with pytest.raises(TypeError, match=f"apply takes what plan gave, not {type(diff).__name__}"):
        client.taxonomy.apply(diff)

    async def main() -> None:
        async with tidewheel.AsyncClient("emu") as other:
            with pytest.raises(TypeError, match="apply takes what plan gave"):
                await other.taxonomy.apply(diff)

    asyncio.run(main())


# ---- against the emulator


def test_a_plan_goes_from_one_project_to_another(live: tidewheel.Client) -> None:
    ours = live.taxonomy
    ours.categories.create("Shop")
    ours.events.create("Cart Viewed", category="Shop", tags=["web", "app"])
    ours.event_properties.create("price", type="number", classifications=["REVENUE"])
    ours.event_properties.create(
        "method", event_type="Cart Viewed", type="enum", enum_values=["card", "iban"]
    )
    ours.event_properties.create("price", event_type="Cart Viewed", description="in euros")
    ours.user_properties.create("tier", type="string", regex="^g")
    ours.group_properties.create("seats", type="number")
    plan = ours.pull()
    assert plan["categories"] == ["Shop"]
    assert plan["events"]["Cart Viewed"]["properties"]["method"]["enum_values"] == ["card", "iban"]
    assert not ours.plan(plan, delete=True)
    with (
        tidewheel.Emulator() as other,
        tidewheel.Client(other.api_key, other.secret_key, base_url=other.url) as client,
    ):
        theirs = client.taxonomy
        diff = theirs.plan(plan)
        assert {change.action for change in diff.changes} == {"create"}
        theirs.apply(diff)
        assert theirs.pull() == plan
        assert str(theirs.plan(plan, delete=True)) == "nothing to change"
        # And everything away again.
        empty = {"categories": [], "events": {}, "event_properties": {}, "user_properties": {}}
        theirs.apply(theirs.plan(empty, delete=True))
        assert theirs.events.list() == ()
        assert theirs.categories.list() == ()


def test_the_life_of_an_event_type(live: tidewheel.Client) -> None:
    events = live.taxonomy.events
    assert not events.create("a", exist_ok=True).existed
    assert events.create("a", exist_ok=True).existed
    with pytest.raises(tidewheel.ApiError) as caught:
        events.create("a")
    assert caught.value.http_status == 409
    live.track({"event_type": "a", "user_id": "user-1"})
    assert live.flush().stored == 1
    events.update("a", display_name="A thing", description="seen")
    assert events.get("a").display_name == "A thing"
    events.delete("a")
    assert events.list() == ()
    assert [event.deleted for event in events.list(show_deleted=True)] == [True]
    diff = live.taxonomy.plan({"events": {"a": {"description": "back"}}})
    assert [change.action for change in diff.changes] == ["restore", "update"]
    live.taxonomy.apply(diff)
    assert events.get("a").description == "back"
    with pytest.raises(tidewheel.ApiError, match="Not found"):
        events.get("nonesuch")


def test_user_and_event_properties_end_and_return(live: tidewheel.Client) -> None:
    live.identify(user_id="user-1", set={"tier": "gold"})
    live.track({"event_type": "a", "user_id": "user-1", "event_properties": {"p": 1}})
    assert live.flush().stored == 2
    users = live.taxonomy.user_properties
    users.update("tier", description="level")
    assert users.get("gp:tier").description == "level"
    users.delete("tier")
    with pytest.raises(tidewheel.ApiError) as caught:
        users.get("nonesuch")
    assert caught.value.http_status == 404
    assert users.get("tier", show_deleted=True).deleted
    users.restore("tier")
    assert users.get("user_id").user_property == "user_id"
    properties = live.taxonomy.event_properties
    assert "p" in [found.event_property for found in properties.all()]


def test_groups_may_be_missing(live: tidewheel.Client, emulator: tidewheel.Emulator) -> None:
    emulator.switch(accounts=False)
    assert live.taxonomy.pull()["group_properties"] == {}
    emulator.switch(taxonomy="not_found")
    with pytest.raises(tidewheel.ApiError) as caught:
        live.taxonomy.pull()
    assert caught.value.http_status == 404


def test_the_example_keeps_a_plan_in_a_file(
    live: tidewheel.Client, emulator: tidewheel.Emulator, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, EXAMPLE, command, plan],
            env=os.environ
            | {
                "AMPLITUDE_API_KEY": emulator.api_key,
                "AMPLITUDE_SECRET_KEY": emulator.secret_key,
                "TIDEWHEEL_URL": emulator.url,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )

    live.taxonomy.events.create("a")
    assert run("pull").returncode == 0
    assert run("diff").stdout == "nothing to change\n"
    plan.write_text(plan.read_text().replace('"description": ""', '"description": "new"', 1))
    shown = run("diff")
    assert shown.returncode == 1
    assert shown.stdout == '~ event "a": description nothing -> "new"\n'
    assert run("apply").returncode == 0
    assert live.taxonomy.events.get("a").description == "new"
