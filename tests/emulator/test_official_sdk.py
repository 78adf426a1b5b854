# SPDX-License-Identifier: MIT
"""The official Python SDK works with nothing changed but its server URL."""

from __future__ import annotations

from typing import Any

import pytest
from emulator_api import Api

from tidewheel.emulator import Emulator

amplitude = pytest.importorskip("amplitude", reason="amplitude-analytics is not installed")


def run(emu: Emulator, api_key: str, path: str) -> list[tuple[int, str]]:
    told: list[tuple[int, str]] = []

    def callback(_event: Any, code: int, message: str | None = None) -> None:
        told.append((code, str(message)))

    config = amplitude.Config(server_url=emu.url + path, flush_queue_size=20, callback=callback)
    client = amplitude.Amplitude(api_key, config)
    for n in range(45):
        client.track(
            amplitude.BaseEvent("Sdk Event", user_id="sdk-user", event_properties={"n": n})
        )
    identify = amplitude.Identify()
    identify.set("tier", "gold")
    identify.add("n", 3)
    client.identify(identify, amplitude.EventOptions(user_id="sdk-user"))
    revenue = amplitude.Revenue(price=3.99, quantity=3, product_id="p-1")
    client.revenue(revenue, amplitude.EventOptions(user_id="sdk-user"))
    for flushed in client.flush():
        if flushed:
            flushed.result()
    client.shutdown()
    return told


@pytest.mark.parametrize("path", ["/2/httpapi", "/batch"])
def test_events_identifies_and_revenue_arrive(emu: Emulator, api: Api, path: str) -> None:
    told = run(emu, emu.api_key, path)
    assert told == [(200, "Event sent successfully.")] * 47
    rows = api.rows()
    assert sorted(
        r["event_properties"]["n"] for r in rows if r["event_type"] == "Sdk Event"
    ) == list(range(45))
    (sale,) = [row for row in rows if row["event_type"] == "revenue_amount"]
    assert sale["event_properties"] == {"$price": 3.99, "$quantity": 3, "$productId": "p-1"}
    assert sale["user_properties"] == {"tier": "gold", "n": 3}
    assert sale["library"].startswith("amplitude-python/")
