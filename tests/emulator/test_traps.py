# SPDX-License-Identifier: MIT
"""Readings of contradictory documents that no other file of these tests looks at."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from analytics_api import collapsed, event, row, segmentation, send, where

if TYPE_CHECKING:
    from emulator_api import Api


def test_a_misspelt_option_is_ignored(api: Api) -> None:
    short = {"user_id": "abc", "event_type": "x"}
    assert api.upload(short, options={"min_user_length": 1}).status == 400
    assert api.upload(short, options={"min_id_length": 1}).status == 200


def test_a_time_in_seconds_lands_in_1970(api: Api) -> None:
    assert api.upload({"user_id": "user-1", "event_type": "x", "time": 1772352000}).status == 200
    assert [r["event_time"] for r in api.rows()] == ["1970-01-21 12:19:12.000000"]


@pytest.mark.parametrize("path", ["/2/httpapi", "/batch"])
def test_both_ways_in_take_the_newer_fields(api: Api, path: str) -> None:
    newer = {"currency": "EUR", "user_agent": "UA", "android_app_set_id": "id"}
    sent = {"user_id": "user-1", "event_type": "x", "price": 2, **newer}
    assert api.upload(sent, path=path).status == 200
    assert api.rows()[0]["event_properties"]["$currency"] == "EUR"


def test_second_events_and_groups_may_repeat_the_first_name(api: Api) -> None:
    send(api, row("0001", "A", "03-01 10:00", country="Norway"), row("0002", "B", "03-01 11:00"))
    pair = [event("A"), event("B")]
    for query in ({"e": pair}, {"e": pair[0], "e2": pair[1]}):
        reply = api.get("/api/2/events/segmentation", start="20260301", end="20260301", **query)
        assert reply.json["data"]["series"] == [[1], [1]]
    for groups in ({"g": ["country", "user_id"]}, {"g": "country", "g2": "user_id"}):
        data = segmentation(api, event("A"), "0301", "0301", **groups)
        assert data["seriesLabels"] == [["Norway", "user-0001"]]


@pytest.mark.parametrize("name", ["DMA", "dma"])
def test_the_market_area_is_written_either_way(api: Api, name: str) -> None:
    sent: dict[str, Any] = {**row("0001", "A", "03-01 10:00"), "dma": "Oslo"}
    send(api, sent)
    assert segmentation(api, event("A"), "0301", "0301", g=name)["seriesLabels"] == ["Oslo"]


def test_a_user_filter_inside_an_event_counts(api: Api) -> None:
    send(api, row("0001", "A", "03-01 10:00", country="Norway"), row("0002", "A", "03-01 11:00"))
    document = event("A", where("country", "is", "Norway", kind="user"))
    assert collapsed(segmentation(api, document, "0301", "0301")) == [1]


def test_an_upload_of_a_cohort_takes_the_project_as_text(api: Api) -> None:
    send(api, row("0001", "A", "03-01 10:00"))
    body = {
        "name": "c",
        "app_id": str(api.emu.app_id),
        "id_type": "BY_USER_ID",
        "ids": ["user-0001"],
        "owner": "a@b.c",
        "published": True,
    }
    assert "cohortId" in api.post("/api/3/cohorts/upload", body).json
    api.emu.switch(upload_id_key="cohort_id")
    assert "cohort_id" in api.post("/api/3/cohorts/upload", body).json
    assert api.post("/api/3/cohorts/upload", {**body, "id_type": "BY_ID"}).status == 400


@pytest.mark.parametrize("paying", ["true", True])
def test_paying_is_a_text_or_a_boolean(api: Api, paying: object) -> None:
    assert api.form("/identify", {"user_id": "user-0001", "paying": paying}).status == 200
    send(api, row("0001", "A", "03-01 10:00"))
    assert json.dumps(api.rows()[0]["paying"]) == "true"
