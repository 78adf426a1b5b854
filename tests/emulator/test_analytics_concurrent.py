# SPDX-License-Identifier: MIT
"""Queries beside uploads and resets; for what happens at the critical moment see test_view.c."""

from __future__ import annotations

import concurrent.futures
import threading

from analytics_api import at, collapsed, event, row, segmentation, send
from emulator_api import Api

from tidewheel.emulator import Emulator


def test_queries_see_whole_uploads_only(emu: Emulator) -> None:
    """Each upload holds one row of ten users: totals are a multiple of ten at any moment."""
    emu.switch(cost_limits=False, throttle=False)
    stop = threading.Event()

    def ask() -> int:
        api, asked = Api(emu), 0
        while not stop.is_set() or asked == 0:
            data = segmentation(api, event("_all"), "0301", "0302", m="totals", g="user_id")
            counts = collapsed(data)
            assert sum(counts) % 10 == 0
            assert len(set(counts)) <= 1
            asked += 1
        api.connection.close()
        return asked

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        api = Api(emu)
        send(api, *[row(f"{n:04d}", "Look", "03-01 10:00") for n in range(10)])
        askers = [pool.submit(ask) for _ in range(2)]
        for i in range(20):
            when = at("03-01 11:00") + i
            send(api, *[row(f"{n:04d}", f"Type {i}", when, **{f"k{i}": i}) for n in range(10)])
        stop.set()
        assert all(asker.result() for asker in askers)
        assert collapsed(segmentation(api, event("_all"), "0301", "0302", m="totals")) == [210]
        api.connection.close()


def test_resets_during_queries_leave_whole_answers(emu: Emulator) -> None:
    """Types and values get new numbers after a reset: a picture of before must not meet them."""
    emu.switch(cost_limits=False, throttle=False, unknown_names="accept")
    stop = threading.Event()

    def ask() -> None:
        api = Api(emu)
        while not stop.is_set():
            data = segmentation(api, event("_all", by="kind"), "0301", "0301", m="totals")
            assert all(total == 50 for total in collapsed(data)), data
            names = [label[1][:4] for label in data["seriesLabels"]]
            assert names in ([], ["even"] * len(names), ["odd "] * len(names))
        api.connection.close()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        askers = [pool.submit(ask) for _ in range(2)]
        api = Api(emu)
        for turn in range(15):
            kind = f"{'odd ' if turn % 2 else 'even'}"
            for part in range(4):
                label = f"{kind}{part}"
                send(
                    api,
                    *[
                        row(f"{n:04d}", f"T{turn} {n}", "03-01 10:00", kind=label)
                        for n in range(50)
                    ],
                )
            emu.reset()
        stop.set()
        for asker in askers:
            asker.result()
        api.connection.close()


def test_a_reset_forgets_all_rows(api: Api) -> None:
    send(api, row("0001", "Look", "03-01 10:00", kind="x"))
    assert collapsed(segmentation(api, event("Look", by="kind"), "0301", "0301")) == [1]
    api.emu.reset()
    assert segmentation(api, event("_all"), "0301", "0301")["series"] == []
    send(api, row("0002", "Other", "03-01 10:00", sort="y"))
    data = segmentation(api, event("Other", by="sort"), "0301", "0301")
    assert data["seriesLabels"] == [[0, "y"]]


def test_a_file_answers_the_same_after_a_restart(tmp_path: object) -> None:
    store, answers = f"{tmp_path}/store.db", []
    for first in (True, False):
        with Emulator(store=store) as emu:
            api = Api(emu)
            if first:
                send(
                    api,
                    {"device_id": "device-0001", "event_type": "Look", "time": at("03-01 09:00")},
                    row("0001", "Buy", "03-01 10:00", country="Norway", revenue=3, k=[1, "a"]),
                )
                identification = {"user_id": "user-0001", "user_properties": {"tier": "gold"}}
                assert api.form("/identify", identification).status == 200
                send(api, row("0001", "Buy", "03-02 10:00", k=None, quantity=2, price=4))
            answers.append(
                [
                    segmentation(api, event("_all", by="k"), "0301", "0302"),
                    segmentation(api, event("Buy"), "0301", "0302", g="gp:tier", g2="paying"),
                    segmentation(api, event("revenue_amount"), "0301", "0302", m="sums"),
                ]
            )
            api.connection.close()
    assert answers[0] == answers[1]
    assert answers[0][2]["series"] == [[3, 8]]
    assert answers[0][1]["seriesLabels"] == [["(none)", "true"], ["gold", "true"]]
