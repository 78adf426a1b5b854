# SPDX-License-Identifier: MIT
"""Many connections at once: nothing is lost, doubled or half shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from emulator_api import Api, event

from tidewheel.emulator import Emulator

SENDERS, REQUESTS, EVENTS = 5, 12, 40


def test_posting_identifying_and_exporting_side_by_side(emu: Emulator) -> None:
    emu.switch(export_rows_per_file=50)

    def send(api: Api, turn: int) -> None:
        # Every sender sends the same events: all but the first of each are duplicates.
        events = [
            event(n, insert_id=f"{turn}-{n}", user_properties={"turn": turn}) for n in range(EVENTS)
        ]
        assert api.upload(*events, path="/batch").json["events_ingested"] == EVENTS

    def identify(api: Api, turn: int) -> None:
        update = {"user_id": "counter", "user_properties": {"$add": {"n": 1}}, "platform": "Web"}
        assert api.form("/identify", update).body == b"success"
        update = {"group_type": "g", "group_value": "1", "group_properties": {"$add": {"n": 1}}}
        assert api.form("/groupidentify", update).body == b"success", turn

    def export(api: Api, turn: int) -> None:
        reply = api.get("/api/2/export", **api.around_now())
        assert reply.status in (200, 404), (turn, reply.body)
        if reply.status == 200:
            seen = [row["uuid"] for row in map(json.loads, api.lines())]
            assert len(seen) == len(set(seen))

    def repeat(call: Callable[[Api, int], None]) -> None:
        api = Api(emu)
        for turn in range(REQUESTS):
            call(api, turn)
        api.connection.close()

    calls = [send] * SENDERS + [identify] * 2 + [export] * 2
    with ThreadPoolExecutor(len(calls)) as pool:
        list(pool.map(repeat, calls))
    api = Api(emu)
    api.upload({"user_id": "counter", "event_type": "look", "groups": {"g": "1"}})
    rows = api.rows()
    api.connection.close()
    ids = [(row["device_id"], row["$insert_id"]) for row in rows]
    assert len(ids) == len(set(ids)) == REQUESTS * EVENTS + 1
    assert len({row["amplitude_id"] for row in rows}) == EVENTS + 1
    assert rows[-1]["user_properties"] == {"n": 2 * REQUESTS}
    assert rows[-1]["group_properties"] == {"g": {"1": {"n": 2 * REQUESTS}}}
