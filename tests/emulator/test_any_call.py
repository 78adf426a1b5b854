# SPDX-License-Identifier: MIT
"""Calls put together at random: no 5xx, and every body is JSON without a key twice."""

from __future__ import annotations

import json
import random
import urllib.parse
from typing import Any

import pytest
from emulator_api import Api, event

from tidewheel.emulator import Emulator

NAMES = ["Met", "Planned", "product", "gp:tier", "tier", "grp:seats", "company", "group_id"]
NAMES += ["device_id", "", "a/b", "ä☃", "x" * 1100, 'q"\\', "%00", "e\x00f", "New"]
VALUES = ["true", "false", "maybe", "", "string", "enum", "number", "any", "PII", "PII,SENSITIVE"]
VALUES += [",,", "Buying", "1", "9" * 30, "override", "shared", "a,b", "^x$", "ä\x01"]
FIELDS = ["event_type", "category", "description", "display_name", "is_active", "tags", "owner"]
FIELDS += ["is_hidden_from_dropdowns", "new_event_type", "event_property", "user_property"]
FIELDS += ["group_property", "group_type", "type", "regex", "enum_values", "is_array_type"]
FIELDS += ["is_required", "is_hidden", "classifications", "overrideScope", "showDeleted"]
FIELDS += ["new_event_property_value", "new_user_property_value", "category_name"]
KINDS = ["event", "event-property", "user-property", "group-property", "category"]
IDS = ["902117000000", "902117000001", "0", "-1", "x", "user-0001", "user-0", "device-1", "9" * 18]
FLAGS = ["get_recs", "get_amp_props", "get_cohort_ids", "get_computations", "get_propensity"]
LISTS = ["rec_id", "comp_id", "prediction_id"]

Call = tuple[str, str, str, dict[str, str]]  # method, path, body, headers


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def fields(dice: random.Random) -> str:
    chosen = dice.sample(FIELDS, dice.randint(0, 6))
    return urllib.parse.urlencode({f: dice.choice(dice.choice([NAMES, VALUES])) for f in chosen})


def taxonomy(dice: random.Random, api: Api) -> Call:
    path = f"/api/2/taxonomy/{dice.choice(KINDS)}"
    if dice.random() < 0.6:
        path += "/" + urllib.parse.quote(dice.choice([*NAMES, "1", "2"]), safe="")
        method = dice.choice(["GET", "PUT", "DELETE"])
        if dice.random() < 0.3:
            path, method = f"{path}/restore", "POST"
    else:
        method = dice.choice(["GET", "POST"])
    if dice.random() < 0.3:
        path += "?" + fields(dice)
    return method, path, fields(dice), api.basic


def lookup(dice: random.Random, api: Api) -> Call:
    values = [*IDS, "latest", "earliest", "7", *NAMES]
    names = [n for n in ("user", "offset", "limit", "direction") if dice.random() < 0.6]
    query = urllib.parse.urlencode({name: dice.choice(values) for name in names})
    path = dice.choice(["usersearch", "useractivity"])
    return "GET", f"/api/2/{path}?{query}", "", api.basic


def profile(dice: random.Random, api: Api) -> Call:
    query = {"user_id": dice.choice(IDS)}
    query |= {flag: dice.choice(["true", "", "false", "x"]) for flag in FLAGS}
    query |= {name: dice.choice(["a", "a,b", ",,b", "", "nothing"]) for name in LISTS}
    query |= {"rec_type": dice.choice(["", "random", "model", "x"])}
    path = "/v1/userprofile?" + urllib.parse.urlencode(query)
    return "GET", path, "", {"Authorization": f"Api-Key {api.emu.secret_key}"}


@pytest.mark.parametrize("seed", range(5))
def test_calls_at_random(emu: Emulator, api: Api, seed: int) -> None:
    dice = random.Random(seed)
    emu.switch(limits=False)
    properties = {"event_properties": {"product": "chair"}, "user_properties": {"tier": "gold"}}
    api.upload(event(1, event_type="Met", device_id="device-1", **properties))
    api.upload(event(2, groups={"company": "north"}))
    emu.profile(
        recommendations=[{"rec_id": "a", "items": ["chair"]}],
        computations={"a": 1, "tier": "x"},
        predictions={"a": {"score": 0.5}, "b": {"pct": 5}},
    )
    statuses = set()
    for _ in range(300):
        method, path, body, headers = dice.choice([taxonomy, taxonomy, lookup, profile])(dice, api)
        reply = api.call(method, path, body or None, **headers)
        assert reply.status < 500, (method, path, body, reply.body)
        json.loads(reply.body, object_pairs_hook=unique)
        statuses.add(reply.status)
    assert {200, 400, 404, 409} <= statuses
    for kind in KINDS:
        assert api.get(f"/api/2/taxonomy/{kind}").json["success"] is True
