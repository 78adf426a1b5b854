# SPDX-License-Identifier: MIT
"""User profile: the get_* switches, seeds of the control port, credentials, the minute's limit."""

from __future__ import annotations

import pathlib
import time
from typing import Any

import pytest
from emulator_api import Api, Reply, event

from tidewheel.emulator import Emulator

PATH = "/v1/userprofile"
UNKNOWN = {"error": "User id and device id not seen before"}
RECOMMENDATION = {
    "rec_id": "r1",
    "child_rec_id": "r1-b",
    "items": ["chair", "lamp"],
    "is_control": False,
    "recommendation_source": "model-x",
    "last_updated": 1772352000,
}


def ask(api: Api, **query: object) -> Reply:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    key = f"Api-Key {api.emu.secret_key}"
    return api.call("GET", f"{PATH}?{text}", Authorization=key)


def data(api: Api, **query: object) -> Any:
    reply = ask(api, user_id="u-7781", **query)
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == "application/json"
    assert list(reply.json) == ["userData"]
    return reply.json["userData"]


@pytest.fixture
def user(api: Api) -> dict[str, Any]:
    """The user of the documented sample."""
    api.upload(
        event(
            user_id="u-7781",
            device_id="dev-42",
            user_properties={"tier": "gold", "visits": 7},
        )
    )
    return {"recommendations": None, "user_id": "u-7781", "device_id": "dev-42"}


def test_nothing_comes_unasked(api: Api, user: dict[str, Any]) -> None:
    bare = {**user, "amp_props": None, "cohort_ids": None}
    assert data(api) == bare
    assert list(data(api)) == list(bare)
    assert data(api, get_amp_props="false", get_recs="no") == bare
    assert ask(api, device_id="dev-42").json == {"userData": bare}
    assert ask(api, user_id="nobody", device_id="dev-42").json == {"userData": bare}


def test_own_properties(api: Api, user: dict[str, Any]) -> None:
    today = time.strftime("%Y-%m-%d", time.gmtime())
    api.form("/identify", {"user_id": "u-7781", "user_properties": {"visits": 8}})
    assert data(api, get_amp_props="true")["amp_props"] == {
        "tier": "gold",
        "visits": 8,
        "library": "http/2.0",
        "first_used": today,
        "last_used": today,
    }
    api.form("/identify", {"user_id": "user-idle", "user_properties": {}})
    assert ask(api, user_id="user-idle", get_amp_props="true").json["userData"] == {
        **user,
        "user_id": "user-idle",
        "device_id": None,
        "amp_props": {},
        "cohort_ids": None,
    }


def test_computations_are_texts(api: Api, emu: Emulator, user: dict[str, Any]) -> None:
    emu.profile("u-7781", computations={"ltv-30d": 81.5, "segment": "warm", "tier": "from ours"})
    emu.profile(computations={"ltv-30d": 0, "churned": "no"})
    own = {"ltv-30d": "81.5", "segment": "warm", "tier": "from ours"}
    assert data(api, get_computations="true")["amp_props"] == {**own, "churned": "no"}
    named = data(api, get_computations="true", comp_id="churned,ltv-30d,nothing")
    assert named["amp_props"] == {"churned": "no", "ltv-30d": "81.5", "nothing": None}
    assert data(api, comp_id="segment")["amp_props"] == {"segment": "warm"}
    both = data(api, get_computations="true", get_amp_props="true")["amp_props"]
    assert (both["ltv-30d"], both["visits"], both["tier"]) == ("81.5", 7, "from ours")
    assert data(api, get_amp_props="true")["amp_props"]["tier"] == "gold"


def test_recommendations(api: Api, emu: Emulator, user: dict[str, Any]) -> None:
    emu.profile("u-7781", recommendations=[RECOMMENDATION])
    emu.profile(recommendations=[{"rec_id": "r2", "items": []}, {"rec_id": "r1", "items": ["x"]}])
    assert data(api, get_recs="true", rec_id="r1")["recommendations"] == [RECOMMENDATION]
    first, second = data(api, get_recs="true", rec_id="r2,nothing,r1")["recommendations"]
    assert first["rec_id"] == first["child_rec_id"] == "r2"
    assert (first["items"], first["is_control"]) == ([], False)
    assert isinstance(first["recommendation_source"], str)
    assert isinstance(first["last_updated"], int)
    assert second == RECOMMENDATION
    for kind, control in (("random", True), ("model", False)):
        (one,) = data(api, get_recs="true", rec_id="r1", rec_type=kind)["recommendations"]
        assert one == {**RECOMMENDATION, "is_control": control}
    assert data(api, rec_id="r1")["recommendations"] is None


def test_predictions(api: Api, emu: Emulator, user: dict[str, Any]) -> None:
    emu.profile("u-7781", predictions={"p1": {"score": 0.83, "pct": 97}, "p2": {"score": 0.1}})
    emu.profile(predictions={"p1": {"score": 0.5}, "p3": {"pct": 5}})

    def entry(prediction: str, value: float, kind: str = "score") -> dict[str, Any]:
        return {"prop": value, "pred_id": prediction, "prop_type": kind}

    one = data(api, get_propensity="true", prediction_id="p1")
    assert (one["propensity"], one["propensities"]) == (0.83, [entry("p1", 0.83)])
    # The docs send the switch without a value.
    one = data(api, get_propensity="", prediction_id="p1", propensity_type="pct")
    assert (one["propensity"], one["propensities"]) == (97, [entry("p1", 97, "pct")])
    two = data(api, get_propensity="", prediction_id="p1,p2")
    assert (two["propensity"], two["propensities"]) == (
        None,
        [entry("p1", 0.83), entry("p2", 0.1)],
    )
    pct = data(api, get_propensity="", prediction_id="p1,p3", propensity_type="pct")
    assert pct["propensities"] == [entry("p1", 97, "pct"), entry("p3", 5, "pct")]
    every = data(api, get_propensity="true")
    assert [p["pred_id"] for p in every["propensities"]] == ["p1", "p2"]
    none = data(api, get_propensity="true", prediction_id="p9")
    assert (none["propensity"], none["propensities"]) == (None, [])
    assert "propensity" not in data(api, prediction_id="p1")


def test_cohorts_that_are_synced(api: Api, emu: Emulator, user: dict[str, Any]) -> None:
    api.upload(event(1))
    ids = []
    for members in (["u-7781"], ["user-0001"], ["u-7781", "user-0001"]):
        body = {
            "name": "Buyers",
            "app_id": emu.app_id,
            "id_type": "BY_USER_ID",
            "ids": members,
            "owner": "ana@shop.test",
            "published": True,
        }
        ids.append(api.post("/api/3/cohorts/upload", body).json["cohortId"])
    assert data(api, get_cohort_ids="true")["cohort_ids"] == []
    emu.profile(synced_cohorts=[ids[1], ids[2]])
    assert data(api, get_cohort_ids="true")["cohort_ids"] == [ids[2]]
    emu.switch(profile_cohorts="all")
    assert data(api, get_cohort_ids="true")["cohort_ids"] == [ids[0], ids[2]]


def test_seeds_are_replaced_kept_and_removed(tmp_path: pathlib.Path) -> None:
    store = str(tmp_path / "store")
    with Emulator(store=store) as emu:
        api = Api(emu)
        api.upload(event(user_id="u-7781", device_id="dev-42"))
        emu.profile("u-7781", computations={"a": 1})
        emu.profile(device_id="dev-42", computations={"b": 2})
        api.connection.close()
    with Emulator(store=store) as emu:
        api = Api(emu)
        assert data(api, get_computations="true")["amp_props"] == {"b": "2"}
        emu._control("DELETE", "/profiles")
        assert data(api, get_computations="true")["amp_props"] == {}
        emu.profile(computations={"c": 3})
        emu.reset()
        api.upload(event(user_id="u-7781"))
        assert data(api, get_computations="true")["amp_props"] == {}
        api.connection.close()


@pytest.mark.parametrize(
    "seed",
    [
        {"user_id": "nobody"},
        {"recommendations": [{"rec_id": "r1"}]},
        {"recommendations": [{"rec_id": "r1", "items": [1]}]},
        {"recommendations": {}},
        {"computations": {"a": []}},
        {"predictions": {"p1": 0.5}},
        {"predictions": {"p1": {"score": "high"}}},
        {"synced_cohorts": [1]},
    ],
)
def test_malformed_seeds_are_refused(emu: Emulator, seed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"of a profile was not|for a user that nobody"):
        emu.profile(**seed)


# --- errors ---


def test_an_unknown_user(api: Api, emu: Emulator) -> None:
    for status in (200, 400, 404):
        emu.switch(profile_unknown=str(status))
        reply = ask(api, user_id="nobody", get_amp_props="true")
        assert (reply.status, reply.json) == (status, UNKNOWN)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, "Missing user_id or device_id"),
        ({"user_id": ""}, "Missing user_id or device_id"),
        ({"user_id": "u-7781", "get_recs": "true"}, "Missing rec_id"),
        ({"user_id": "u-7781", "get_recs": "true", "rec_id": ","}, "Missing rec_id"),
        ({"user_id": "u-7781", "rec_type": "best"}, "Invalid rec_type"),
        ({"user_id": "u-7781", "propensity_type": "best"}, "Invalid propensity_type"),
    ],
)
def test_bad_queries(api: Api, query: dict[str, str], text: str) -> None:
    reply = ask(api, **query)
    assert (reply.status, reply.json) == (400, {"error": text})


def test_what_comes_back_is_json(api: Api, user: dict[str, Any]) -> None:
    for query in ({"device_id": "%FF"}, {"comp_id": "a,%C3"}, {"device_id": "%ED%A0%80"}):
        reply = ask(api, user_id="u-7781", **query)
        assert (reply.status, reply.json) == (400, {"error": "Invalid UTF-8"})


def test_credentials(api: Api, emu: Emulator, user: dict[str, Any]) -> None:
    missing = {"error": "Missing Api-Key in Authorization header"}
    path = f"{PATH}?user_id=u-7781"
    for headers in ({}, api.basic, {"Authorization": "Api-Key"}, {"Authorization": "emu"}):
        reply = api.call("GET", path, **headers)
        assert (reply.status, reply.json) == (401, missing)
    for key in ("emu-wrong", emu.api_key):
        reply = api.call("GET", path, Authorization=f"Api-Key {key}")
        assert (reply.status, reply.json) == (401, {"error": "Invalid Api-Key"})


def test_wrong_paths_are_empty(api: Api) -> None:
    for path in ("/v1/userprofiles", "/v1/userprofile/x", "/v1/"):
        reply = api.call("GET", path, Authorization=f"Api-Key {api.emu.secret_key}")
        assert (reply.status, reply.body) == (404, b"")
    assert api.call("POST", PATH, b"{}").status == 405


def test_a_minute_holds_600_requests(api: Api, emu: Emulator, user: dict[str, Any]) -> None:
    for _ in range(599):
        assert ask(api, user_id="nobody").status == 200
    assert data(api) is not None
    reply = ask(api, user_id="u-7781")
    assert (reply.status, reply.json) == (
        429,
        {
            "error": "Number of requests per minute exceeds system limit. Contact Support if you"
            " need this limit raised"
        },
    )
    assert api.call("GET", f"{PATH}?user_id=x", Authorization="Api-Key emu-x").status == 401
    emu.advance(60)
    assert data(api)["user_id"] == "u-7781"
