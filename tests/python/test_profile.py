# SPDX-License-Identifier: MIT
"""Profiles of users."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest

import tidewheel

from .conftest import API_KEY, SECRET_KEY, Answer, MakeClient, Server, json_answer

DATA = {
    "recommendations": [
        {
            "rec_id": "r1",
            "child_rec_id": "r1",
            "items": ["chair", "lamp"],
            "is_control": False,
            "recommendation_source": "model",
            "last_updated": 1772352000,
        }
    ],
    "user_id": "u-7781",
    "device_id": "dev-42",
    "amp_props": {"tier": "gold", "visits": 7, "ltv-30d": "81.5"},
    "cohort_ids": ["c4t8w1"],
    "propensity": None,
    "propensities": [{"prop": 83, "pred_id": "p1", "prop_type": "pct"}],
}


def test_all_that_can_be_asked_for(server: Server, client: tidewheel.Client) -> None:
    server.answer = lambda _: json_answer({"userData": DATA})
    profile = client.profile.get(
        user_id="u-7781",
        properties=True,
        cohorts=True,
        recommendations=["r1", "r2"],
        recommendation_type="model",
        computations=("ltv-30d",),
        predictions=["p1", "p2"],
        propensity_type="pct",
    )
    request = server.requests[0]
    assert request.headers["authorization"] == f"Api-Key {SECRET_KEY}"
    assert urlsplit(request.path).path == "/v1/userprofile"
    assert parse_qs(urlsplit(request.path).query) == {
        "user_id": ["u-7781"],
        "get_amp_props": ["true"],
        "get_cohort_ids": ["true"],
        "get_recs": ["true"],
        "rec_id": ["r1,r2"],
        "rec_type": ["model"],
        "get_computations": ["true"],
        "comp_id": ["ltv-30d"],
        "get_propensity": ["true"],
        "prediction_id": ["p1,p2"],
        "propensity_type": ["pct"],
    }
    assert profile.properties == DATA["amp_props"]
    assert profile.cohort_ids == ("c4t8w1",)
    assert profile.recommendations is not None
    assert profile.recommendations[0].items == ("chair", "lamp")
    assert profile.propensities is not None
    assert profile.propensities[0].propensity == 83
    assert profile.data == DATA


def test_what_was_not_asked_for_is_none(server: Server, client: tidewheel.Client) -> None:
    server.answer = lambda _: json_answer({"userData": {"user_id": None, "device_id": "d"}})
    profile = client.profile.get(device_id="d", computations=True)
    assert server.requests[0].path == "/v1/userprofile?device_id=d&get_computations=true"
    assert profile[:7] == (None, "d", None, None, None, None, None)


@pytest.mark.parametrize(
    ("answer", "error", "status"),
    [
        (json_answer({"error": "User id and device id not seen before"}), tidewheel.ApiError, 200),
        (json_answer({"error": "User id and device id not seen before"}, 400), tidewheel.ApiError,
         400),
        (json_answer({"error": "Invalid Api-Key"}, 401), tidewheel.AuthError, 401),
        (Answer(404, b""), tidewheel.ApiError, 404),
        (json_answer({"error": "Number of requests per minute exceeds system limit. Contact Support"
                               " if you need this limit raised"}), tidewheel.RateLimitError, 200),
    ],
)  # fmt: skip
def test_refusals(
    server: Server,
    client: tidewheel.Client,
    answer: Answer,
    error: type[tidewheel.TidewheelError],
    status: int,
) -> None:
    server.answer = lambda _: answer
    with pytest.raises(error) as caught:
        client.profile.get(user_id="u")
    assert caught.value.http_status == status
    assert SECRET_KEY not in str(caught.value)


def test_refused_before_anything_is_sent(server: Server, make_client: MakeClient) -> None:
    client = make_client(server.url)
    with pytest.raises(tidewheel.ValidationError, match="one of them is needed"):
        client.profile.get()
    with pytest.raises(tidewheel.ValidationError, match="without recommendations"):
        client.profile.get(user_id="u", recommendation_type="random")
    for ids in ("r1", 5):
        with pytest.raises(tidewheel.ValidationError, match="not a list") as caught:
            client.profile.get(user_id="u", recommendations=ids)  # type: ignore[arg-type]
        assert caught.value.field == "recommendations"
    with pytest.raises(tidewheel.ConfigError, match="eu"):
        make_client(server.url, region="eu").profile.get(user_id="u")
    assert not server.requests


def test_profiles_are_awaited(server: Server) -> None:
    server.answer = lambda _: json_answer({"userData": DATA})

    async def main() -> None:
        async with tidewheel.AsyncClient(API_KEY, SECRET_KEY, base_url=server.url) as client:
            assert (await client.profile.get(user_id="u")).user_id == "u-7781"

    asyncio.run(main())


def test_profiles_of_the_emulator(live: tidewheel.Client, emulator: tidewheel.Emulator) -> None:
    live.identify(user_id="u-7781", device_id="dev-42", set={"tier": "gold"})
    assert live.flush().stored == 1
    emulator.profile(
        user_id="u-7781",
        recommendations=[{"rec_id": "r1", "items": ["chair", "lamp"], "is_control": False}],
        computations={"ltv-30d": 81.5},
        predictions={"p1": {"score": 0.83, "pct": 97}, "p2": {"score": 0.1, "pct": 5}},
    )
    profile = live.profile.get(
        user_id="u-7781",
        properties=True,
        recommendations=["r1"],
        computations=True,
        predictions=["p1"],
        propensity_type="pct",
    )
    assert profile.properties is not None
    assert profile.properties["tier"] == "gold"
    assert float(profile.properties["ltv-30d"]) == 81.5
    assert profile.recommendations is not None
    assert profile.recommendations[0].items == ("chair", "lamp")
    assert profile.propensity == 97
    both = live.profile.get(user_id="u-7781", predictions=["p1", "p2"])
    assert both.propensity is None
    assert both.propensities is not None
    assert {p.prediction_id: p.propensity for p in both.propensities} == {"p1": 0.83, "p2": 0.1}
    with pytest.raises(tidewheel.ApiError, match="not seen before"):
        live.profile.get(user_id="stranger")
