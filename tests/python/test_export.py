# SPDX-License-Identifier: MIT
"""An export is whole or an error; it can be left early, shared by nobody, read in many ways."""

from __future__ import annotations

import datetime as dt
import gc
import threading
from typing import Any

import pytest

import tidewheel

from .conftest import Answer, Server, archive, json_answer

WINDOW = ("20261101T00", "20261101T05")


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "uuid": f"u-{n}",
            "event_type": "é",
            "n": n,
            "big": 2**63 + n,
            "event_properties": {"p": [n]},
        }
        for n in range(first, first + count)
    ]


def serve(server: Server, data: bytes, status: int = 200) -> None:
    server.answer = lambda request: Answer(status, data, {"content-type": "application/zip"})


def test_events_come_in_order_and_exact(server: Server, client: tidewheel.Client) -> None:
    serve(server, archive(rows(1000), [], rows(500, 1000)))
    assert list(client.export(*WINDOW)) == rows(1500)
    (request,) = server.requests
    assert request.path == "/api/2/export?start=20261101T00&end=20261101T05"


def test_batches_fields_and_raw(server: Server, client: tidewheel.Client) -> None:
    serve(server, archive(rows(3000)))
    batches = list(client.export(*WINDOW).batches())
    assert [row for batch in batches for row in batch] == rows(3000)
    some = list(client.export(*WINDOW, fields=["n", "uuid", "absent", "n"]))
    assert some == [{"uuid": f"u-{n}", "n": n} for n in range(3000)]
    raw = list(client.export(*WINDOW, raw=True))
    assert raw[7].startswith(b'{"uuid": "u-7"')
    assert len(raw) == 3000


def test_no_data_is_an_empty_export(server: Server, client: tidewheel.Client) -> None:
    server.answer = lambda request: json_answer({"error": "none"}, 404)
    assert list(client.export(*WINDOW)) == []


@pytest.mark.parametrize("keep", [0, 1, 30, 0.3, 0.9, -1])
def test_a_cut_archive_is_an_error(server: Server, client: tidewheel.Client, keep: float) -> None:
    data = archive(rows(2000), rows(2000))
    serve(server, data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(tidewheel.ProtocolError):
        list(client.export(*WINDOW))


def test_a_broken_connection_is_an_error(server: Server, client: tidewheel.Client) -> None:
    data = archive(rows(2000))
    server.answer = lambda request: Answer(200, data, cut=len(data) // 2)
    with pytest.raises(tidewheel.TidewheelError) as caught:
        list(client.export(*WINDOW))
    assert caught.value.code in ("network", "protocol")


def test_a_flipped_byte_is_an_error(server: Server, client: tidewheel.Client) -> None:
    data = bytearray(archive(rows(2000)))
    data[len(data) // 2] ^= 1
    serve(server, bytes(data))
    with pytest.raises(tidewheel.ProtocolError):
        list(client.export(*WINDOW))


def test_a_line_that_is_not_json_is_an_error_with_its_number(
    server: Server, client: tidewheel.Client
) -> None:
    good = archive(rows(3))
    serve(server, archive(rows(3), [{"a": float("nan")}]))
    export = client.export(*WINDOW)
    with pytest.raises(tidewheel.ProtocolError) as caught:
        list(export)
    assert caught.value.index == 3
    assert list(export) == []
    serve(server, good)
    assert len(list(client.export(*WINDOW))) == 3


def test_after_the_end_there_is_nothing(server: Server, client: tidewheel.Client) -> None:
    serve(server, archive(rows(2)))
    export = client.export(*WINDOW)
    assert [next(export)["n"], next(export)["n"]] == [0, 1]
    for _ in range(3):
        with pytest.raises(StopIteration):
            next(export)
    assert export.done
    assert list(export.batches()) == []
    progress = export.progress()
    assert progress.requests == 1
    assert progress.bytes_received > 0


def test_leaving_early_frees_the_connection(server: Server, client: tidewheel.Client) -> None:
    serve(server, archive(*[rows(4000, n) for n in range(6)]))
    with client.export(*WINDOW) as export:
        for row in export:
            assert row["n"] == 0
            break
    assert list(export) == []
    assert export.progress().phase == "closed"
    for row in client.export(*WINDOW):
        assert row["n"] == 0
        break
    gc.collect()
    # The client goes on working, with nothing left over to close.
    assert len(list(client.export(*WINDOW))) == 24_000


def test_cancelling_ends_in_an_error(server: Server, client: tidewheel.Client) -> None:
    server.gate.clear()
    export = client.export(*WINDOW)
    assert server.arrived.acquire(timeout=20)
    assert not export.wait(0)
    export.cancel()
    with pytest.raises(tidewheel.CanceledError):
        next(export)


def test_closing_the_client_ends_an_export(server: Server, client: tidewheel.Client) -> None:
    server.gate.clear()
    export = client.export(*WINDOW)
    assert server.arrived.acquire(timeout=20)
    client.close(0)
    with pytest.raises(tidewheel.ClosedError):
        list(export)


def test_an_export_outlives_the_name_of_its_client(server: Server) -> None:
    serve(server, archive(rows(10)))
    export = tidewheel.Client("0123456789abcdef", "s", base_url=server.url).export(*WINDOW)
    gc.collect()
    assert len(list(export)) == 10


def free(export: tidewheel.Export) -> bool:
    try:
        export.wait(0)
    except RuntimeError:
        return False
    return True


def test_two_threads_cannot_read_one_export(server: Server, client: tidewheel.Client) -> None:
    server.gate.clear()
    serve(server, archive(rows(1)))
    export = client.export(*WINDOW)
    assert server.arrived.acquire(timeout=20)
    got: list[Any] = []
    waiting = threading.Thread(target=lambda: got.extend(export))
    waiting.start()
    while free(export):  # until the other thread waits
        pass
    with pytest.raises(RuntimeError, match="another thread"):
        export.close()
    server.gate.set()
    waiting.join()
    assert got == rows(1)


HOURS = [
    (dt.date(2026, 11, 1), dt.date(2026, 11, 2), "start=20261101T00&end=20261102T23"),
    (
        dt.datetime(2026, 11, 1, 10, 59, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=-3))),
        "start=20261101T10&end=20261101T15",
    ),
    ("20261101T07", dt.date(2026, 11, 1), "start=20261101T07&end=20261101T23"),
    ("2026-11-01", "2026-11-02", "start=20261101T00&end=20261102T23"),
    ("20261101", "20261101", "start=20261101T00&end=20261101T23"),
    ("2026-11-01T05", "20261102T06", "start=20261101T05&end=20261102T06"),
]


@pytest.mark.parametrize(("start", "end", "query"), HOURS)
def test_hours_are_utc_and_dates_are_whole_days(
    server: Server, client: tidewheel.Client, start: Any, end: Any, query: str
) -> None:
    serve(server, archive(rows(1)))
    list(client.export(start, end))
    assert server.requests[0].path.endswith("?" + query)


def test_what_was_sent_comes_back(live: tidewheel.Client) -> None:
    for number in range(2500):
        live.track(
            {
                "event_type": "bought",
                "user_id": f"user-{number % 50}",
                "time": 1767225600000 + number,
                "event_properties": {"n": number, "text": "é\n", "share": number / 7},
            }
        )
    assert live.flush().complete
    today = dt.datetime.now(dt.UTC)
    window = (today - dt.timedelta(hours=1), today + dt.timedelta(hours=1))
    got = {row["event_properties"]["n"]: row for row in live.export(*window)}
    assert sorted(got) == list(range(2500))
    assert got[7]["event_properties"] == {"n": 7, "text": "é\n", "share": 1.0}
    assert got[7]["user_id"] == "user-7"
    some = next(iter(live.export(*window, fields=["user_id", "event_type"])))
    assert set(some) == {"user_id", "event_type"}
