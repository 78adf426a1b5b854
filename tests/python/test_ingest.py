# SPDX-License-Identifier: MIT
"""Events: what is queued is sent once, counted, and never lost in silence."""

from __future__ import annotations

import contextlib
import gc
import json
import threading
import time
import warnings
from typing import Any

import pytest

import tidewheel

from .conftest import (
    API_KEY,
    Answer,
    MakeClient,
    Server,
    json_answer,
    sent_events,
    store_events,
)


def event(number: int = 0) -> dict[str, Any]:
    return {"event_type": "e", "user_id": f"user-{number}", "event_properties": {"n": number}}


def test_events_reach_the_emulator_once(
    live: tidewheel.Client, emulator: tidewheel.Emulator
) -> None:
    for number in range(3000):
        live.track(event(number))
    report = live.flush()
    assert report == tidewheel.Report(3000, 3000, 0, 0, 0, 0, 0)
    assert report.complete
    events = sent_events(emulator)
    assert [sent["event_properties"]["n"] for sent in events] == list(range(3000))
    assert len({sent["insert_id"] for sent in events}) == 3000
    stats = live.stats()
    assert (stats.accepted, stats.stored, stats.waiting, stats.waiting_bytes) == (3000, 3000, 0, 0)
    assert stats.requests == 3


def test_identify_carries_all_operations(server: Server, client: tidewheel.Client) -> None:
    client.identify(
        user_id="user-1",
        set={"plan": "gold"},
        set_once={"first": 1},
        add={"visits": -1.5},
        append={"tags": ["a"]},
        prepend={"tags2": "b"},
        unset=["old", "older"],
        pre_insert={"l": 1},
        post_insert={"m": 2},
        remove={"n": "x"},
        groups={"company": ["A", "B"]},
        time=1767225600123,
    )
    client.identify(device_id="device-1", clear_all=True)
    client.flush()
    first, second = server.requests[0].events
    assert first.pop("insert_id")
    assert first == {
        "event_type": "$identify",
        "user_id": "user-1",
        "groups": {"company": ["A", "B"]},
        "time": 1767225600123,
        "user_properties": {
            "$unset": {"old": "-", "older": "-"},
            "$set": {"plan": "gold"},
            "$setOnce": {"first": 1},
            "$add": {"visits": -1.5},
            "$append": {"tags": ["a"]},
            "$prepend": {"tags2": "b"},
            "$preInsert": {"l": 1},
            "$postInsert": {"m": 2},
            "$remove": {"n": "x"},
        },
    }
    assert second["user_properties"] == {"$clearAll": "-"}
    assert second["device_id"] == "device-1"


def test_group_identify_and_revenue(server: Server, client: tidewheel.Client) -> None:
    client.group_identify("company", "Acme", user_id="user-1", set={"size": 10}, unset=["old"])
    client.revenue(
        user_id="user-1",
        price=9.5,
        quantity=2,
        product_id="sku-1",
        revenue_type="purchase",
        currency="EUR",
        event_properties={"colour": "red"},
        insert_id="order-1",
    )
    client.flush()
    group, revenue = server.requests[0].events
    assert group["event_type"] == "$groupidentify"
    assert group["groups"] == {"company": "Acme"}
    assert group["group_properties"] == {"$unset": {"old": "-"}, "$set": {"size": 10}}
    del revenue["time"]
    assert revenue == {
        "event_type": "revenue_amount",
        "user_id": "user-1",
        "price": 9.5,
        "quantity": 2,
        "productId": "sku-1",
        "revenueType": "purchase",
        "currency": "EUR",
        "event_properties": {"colour": "red"},
        "insert_id": "order-1",
    }


def test_misuse_of_the_builders(client: tidewheel.Client) -> None:
    with pytest.raises(TypeError, match="unset"):
        client.identify(user_id="user-1", unset="name")
    with pytest.raises(tidewheel.ValidationError, match="user_id"):
        client.revenue(price=1)
    with pytest.raises(tidewheel.ValidationError) as caught:
        client.identify(user_id="user-1", add={"visits": "many"})  # type: ignore[dict-item]
    assert caught.value.field == "user_properties.$add.visits"


def test_a_full_queue_refuses(server: Server, make_client: MakeClient) -> None:
    server.gate.clear()
    client = make_client(server.url, queue_events=5)
    for number in range(5):
        client.track(event(number))
    with pytest.raises(tidewheel.QueueFullError) as caught:
        client.track(event())
    assert caught.value.retriable
    assert client.stats().refused == 1
    server.gate.set()
    assert client.flush().stored == 5
    client.track(event())


def test_a_full_queue_blocks_until_there_is_room(server: Server, make_client: MakeClient) -> None:
    server.gate.clear()
    client = make_client(server.url, queue_events=2, on_queue_full="block", flush_interval=0)
    client.track(event(0))
    client.track(event(1))
    opener = threading.Thread(target=lambda: (server.arrived.acquire(), server.gate.set()))
    opener.start()
    for number in range(2, 10):
        client.track(event(number))
    opener.join()
    assert client.flush().complete
    assert client.stats().stored == 10


def test_a_full_queue_blocks_no_longer_than_told(server: Server, make_client: MakeClient) -> None:
    server.gate.clear()
    client = make_client(server.url, queue_events=1, on_queue_full="block", block_timeout=0.01)
    client.track(event(0))
    with pytest.raises(tidewheel.QueueFullError):
        client.track(event(1))


def test_the_oldest_makes_way(server: Server, make_client: MakeClient) -> None:
    client = make_client(
        server.url, queue_events=3, on_queue_full="drop_oldest", flush_interval=3600
    )
    for number in range(5):
        client.track(event(number))
    report = client.flush()
    assert (report.stored, client.stats().dropped) == (3, 2)
    numbers = [sent["event_properties"]["n"] for sent in server.requests[0].events]
    assert numbers == [2, 3, 4]


def test_what_the_server_rejects_is_counted(server: Server, client: tidewheel.Client) -> None:
    def answer(request: Any) -> Answer:
        bad = [i for i, one in enumerate(request.events) if one["event_properties"]["n"] == 1]
        if not bad:
            return json_answer({"code": 200, "events_ingested": len(request.events)})
        return json_answer(
            {"code": 400, "error": "Invalid", "events_with_invalid_fields": {"time": bad}}, 400
        )

    server.answer = answer
    for number in range(3):
        client.track(event(number))
    report = client.flush()
    assert (report.stored, report.rejected) == (2, 1)
    assert report.complete
    (rejection,) = client.rejected()
    assert rejection.event["event_properties"] == {"n": 1}
    assert rejection.event["insert_id"]
    assert rejection[1:4] == ("Invalid", "time", 400)
    assert rejection.raw in server.requests[0].body
    assert json.loads(rejection.raw) == rejection.event
    assert list(client.rejected()) == []


def test_a_refused_key_pauses_and_keeps(server: Server, client: tidewheel.Client) -> None:
    server.answer = lambda _: json_answer({"code": 400, "error": "Invalid API key: x"}, 400)
    client.track(event())
    with pytest.raises(tidewheel.AuthError, match="Invalid API key"):
        client.flush()
    assert client.stats().paused
    assert client.stats().waiting == 1


def test_why_nothing_goes_out_is_told(server: Server, client: tidewheel.Client) -> None:
    stats = client.stats()
    assert (stats.last_error, stats.last_error_time, stats.oldest_age) == (None, None, 0.0)
    headers = {"Location": "https://login.example.com/here?secret=1"}
    server.answer = lambda _: Answer(302, b"", headers)
    before = time.time()
    client.track(event())
    client.flush(timeout=0.01)
    while (stats := client.stats()).last_error is None:
        time.sleep(0.001)
    assert isinstance(stats.last_error, tidewheel.TidewheelError)
    assert stats.last_error.http_status == 302
    assert "login.example.com" in str(stats.last_error)
    assert "secret" not in str(stats.last_error)
    assert stats.last_error_time is not None
    assert before - 1 < stats.last_error_time < time.time() + 1
    assert stats.oldest_age > 0
    server.answer = store_events
    assert client.flush().stored == 1
    stats = client.stats()
    assert (stats.last_error, stats.last_error_time, stats.oldest_age) == (None, None, 0.0)
    assert (stats.held, stats.rejections_missed, stats.clock_suspect) == (0, 0, 0)


def test_a_throttled_user_is_held(server: Server, client: tidewheel.Client) -> None:
    throttled = {"code": 429, "throttled_users": {"user-1": 31}}
    server.answer = lambda _: json_answer(throttled, 429)
    client.track(event(1))
    client.flush(timeout=0.01)
    while client.stats().held == 0:
        time.sleep(0.001)
    assert client.stats().waiting == 1


def test_who_is_throttled_is_nobody_we_know(server: Server, client: tidewheel.Client) -> None:
    throttled = {"code": 429, "throttled_users": {"somebody": 31}}
    server.answer = lambda _: json_answer(throttled, 429)
    client.track(event(1))
    client.flush(timeout=0.01)
    end = time.monotonic() + 20
    while (stats := client.stats()).last_error is None and time.monotonic() < end:
        time.sleep(0.001)
    assert isinstance(stats.last_error, tidewheel.RateLimitError)
    assert stats.waiting == 1


def test_a_throttled_group_is_held(server: Server, client: tidewheel.Client) -> None:
    throttled = {"code": 429, "throttled_users": {}, "throttled_events": [0]}
    server.answer = lambda _: json_answer(throttled, 429)
    client.group_identify("company", "acme", set={"seats": 4})
    client.flush(timeout=0.01)
    while (stats := client.stats()).held == 0 and stats.requests < 10:
        time.sleep(0.001)
    assert (stats.held, stats.requests) == (1, 1)


def test_a_flush_that_runs_out_of_time_reports(server: Server, client: tidewheel.Client) -> None:
    server.gate.clear()
    client.track(event())
    report = client.flush(timeout=0.01)
    assert (report.waiting, report.complete) == (1, False)
    server.gate.set()
    assert client.flush().stored == 1


def test_a_flush_reports_all_that_was_before_it(server: Server, make_client: MakeClient) -> None:
    client = make_client(server.url, flush_interval=0)
    client.track(event(0))
    while not client.stats().stored:  # sent before anybody asked
        server.arrived.acquire(timeout=0.01)
    assert client.flush() == tidewheel.Report(1, 1, 0, 0, 0, 0, 0)
    server.gate.clear()
    client.track(event(1))
    flush = client._core.flush(None)
    client.track(event(2))
    assert flush.report() == (2, 1, 0, 0, 0, 0, 1, 0, 0, 0)
    server.gate.set()
    assert flush.wait(20)
    assert flush.report() == (2, 2, 0, 0, 0, 0, 0, 0, 0, 0)
    assert client.flush().stored == 3
    with pytest.raises(TypeError, match="no flush"):
        client._core.cohort_list(False, None).report()


def test_an_insert_id_given_to_two_events_is_told(
    client: tidewheel.Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.track({**event(1), "insert_id": "order-1"})
    client.track({**event(1), "insert_id": "order-1"})
    client.track({**event(2), "insert_id": "order-1"})
    assert client.stats().dup_insert_id == 0
    client.track({**event(1), "insert_id": "order-1", "price": 1})
    assert client.stats().dup_insert_id == 1
    assert client.flush().stored == 4
    assert client.flush().stored == 4
    (record,) = caplog.records
    assert record.getMessage().startswith("1 events had the insert_id of another event")


def test_one_thread_waits_for_a_job(server: Server, client: tidewheel.Client) -> None:
    server.gate.clear()
    client.track(event())
    job = client._core.flush(None)
    waited: list[bool] = []

    def wait() -> None:
        while not waited:
            with contextlib.suppress(RuntimeError):  # the other thread was just looking
                waited.append(job.wait(20))

    def look() -> None:
        while True:  # until the thread waits
            job.wait(0)

    thread = threading.Thread(target=wait)
    thread.start()
    with pytest.raises(RuntimeError, match="waited for in another thread"):
        look()
    for refused in (job.reply, job.close):
        with pytest.raises(RuntimeError, match="waited for in another thread"):
            refused()
    server.gate.set()
    thread.join()
    assert waited == [True]
    assert job.reply() is None


def test_close_sends_and_then_nothing_is_taken(server: Server, client: tidewheel.Client) -> None:
    client.track(event())
    assert client.close() == tidewheel.Report(1, 1, 0, 0, 0, 0, 0)
    assert client.close() == tidewheel.Report(1, 1, 0, 0, 0, 0, 0)
    for call in (
        lambda: client.track(event()),
        lambda: client.flush(),
        lambda: client.export("20260101T00", "20260101T00"),
        lambda: client.cohorts.list(),
        lambda: client.raw("export"),
    ):
        with pytest.raises(tidewheel.ClosedError):
            call()
    assert client.stats().stored == 1
    assert "ClosedError" not in repr(client)


@pytest.mark.parametrize("seconds", [1e12, 1e300, float("inf")])
def test_any_time_to_close_is_enough(
    server: Server, make_client: MakeClient, seconds: float
) -> None:
    with make_client(server.url, close_timeout=seconds) as client:
        client.track(event())
    assert client.stats().stored == 1
    client = make_client(server.url)
    client.track(event())
    assert client.flush(seconds).stored == 1
    client.track(event())
    assert client.close(seconds).stored == 2


@pytest.mark.parametrize("seconds", [-1, float("-inf"), float("nan"), "5"])
def test_what_is_no_time_is_refused(
    server: Server, make_client: MakeClient, seconds: float
) -> None:
    with pytest.raises(tidewheel.ConfigError, match="0 or more") as caught:
        make_client(server.url, close_timeout=seconds)
    assert caught.value.field == "close_timeout"
    client = make_client(server.url)
    client.track(event())
    wrong = TypeError if isinstance(seconds, str) else ValueError
    for wait in (client.flush, client.drain, client.close):
        with pytest.raises(wrong):
            wait(seconds)
    assert server.requests == []
    assert client.flush().stored == 1


def test_close_without_time_says_what_was_lost(server: Server, client: tidewheel.Client) -> None:
    server.gate.clear()
    client.track(event(0))
    flush = client._core.flush(None)
    assert server.arrived.acquire(timeout=20)
    client.track(event(1))
    report = client.close(0)
    assert (report.uncertain, report.expired) == (1, 1)
    assert flush.done


def test_the_context_manager_closes_and_warns(server: Server) -> None:
    with tidewheel.Client(API_KEY, base_url=server.url) as client:
        client.track(event())
    assert client.stats().stored == 1
    server.gate.clear()

    def leave() -> None:
        with tidewheel.Client(API_KEY, base_url=server.url, close_timeout=0.05) as client:
            client.track(event())
            client._core.flush(None)
            assert server.arrived.acquire(timeout=20)

    with pytest.warns(ResourceWarning, match="0 events were not sent, 1 not confirmed"):
        leave()


def test_a_dropped_client_never_waits_and_warns(server: Server) -> None:
    server.gate.clear()

    def drop() -> None:
        tidewheel.Client(API_KEY, base_url=server.url, flush_interval=3600).track(event())

    with pytest.warns(ResourceWarning, match="1 events unsent"):
        drop()
    assert server.requests == []


def test_a_client_in_a_cycle_is_collected(server: Server) -> None:
    def make() -> int:
        client = tidewheel.Client(API_KEY, base_url=server.url, default=lambda value: client)
        return id(client._core)

    core = make()
    gc.collect()
    assert core not in {id(one) for one in gc.get_objects()}


def test_many_threads_may_track(live: tidewheel.Client, emulator: tidewheel.Emulator) -> None:
    def work(first: int) -> None:
        for number in range(first, first + 500):
            live.track(event(number))

    threads = [threading.Thread(target=work, args=(n * 500,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert live.flush().complete
    assert live.stats().stored == 4000
    numbers = {sent["event_properties"]["n"] for sent in sent_events(emulator)}
    assert numbers == set(range(4000))


def test_raw_calls_pass_the_gate(server: Server, client: tidewheel.Client) -> None:
    server.answer = lambda request: json_answer({"data": [2**70]})
    response = client.raw(
        "analytics.users", query={"start": "20260101", "m": ["a b", "c&d/", 1, True]}
    )
    assert response.status == 200
    assert response.json() == {"data": [2**70]}
    (request,) = server.requests
    assert request.method == "GET"
    assert request.path == "/api/2/users?start=20260101&m=a%20b&m=c%26d%2F&m=1&m=true"
    assert request.headers["authorization"].startswith("Basic ")
    client.raw("taxonomy.event_update", path=["a/b"], body="x=1", content_type="text/plain")
    assert server.requests[-1].path == "/api/2/taxonomy/event/a%2Fb"
    assert server.requests[-1].body == b"x=1"
    for name, path in (("no.such", ()), ("taxonomy.event_update", ("..",))):
        with pytest.raises((tidewheel.TidewheelError, ValueError)):
            client.raw(name, path=path)
    with pytest.raises(TypeError, match="query parameter m"):
        client.raw("analytics.users", query={"m": None})
    with pytest.raises(TypeError, match="path"):
        client.raw("taxonomy.event_update", path="name")
    assert len(server.requests) == 2


def test_nothing_warns_in_ordinary_use(server: Server) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with tidewheel.Client(API_KEY, base_url=server.url) as client:
            client.track(event())
    assert json.loads(server.requests[0].body)["api_key"] == API_KEY


def test_each_event_tells_how_it_ended(server: Server, make_client: MakeClient) -> None:
    told: list[tidewheel.Outcome] = []
    client = make_client(server.url, on_outcome=told.append)
    client.track({**event(0), "insert_id": "id-0"})
    client.flush()
    assert told == [tidewheel.Outcome("id-0", "stored", "", 200)]
    client.track({**event(1), "insert_id": "id-1"})
    server.gate.clear()
    client.close(0)
    server.gate.set()
    assert [(one.insert_id, one.http_status) for one in told[1:]] == [("id-1", 0)]
    assert told[1].state in ("expired", "uncertain")
    assert client.poll() == 0


def test_a_flush_that_fails_tells_how_events_ended(server: Server, make_client: MakeClient) -> None:
    told: list[tidewheel.Outcome] = []
    client = make_client(server.url, on_outcome=told.append, batch_events=1)
    bad_key = json_answer({"code": 400, "error": "Invalid API key"}, 400)
    server.answer = lambda request: (
        bad_key if request.events[0]["insert_id"] == "id-1" else store_events(request)
    )
    for number in range(2):
        client.track({**event(number), "insert_id": f"id-{number}"})
    with pytest.raises(tidewheel.AuthError):
        client.flush()
    assert told == [tidewheel.Outcome("id-0", "stored", "", 200)]


def test_a_callback_that_raises_keeps_no_event_back(
    server: Server, make_client: MakeClient
) -> None:
    told: list[str] = []

    def tell(outcome: tidewheel.Outcome) -> None:
        told.append(outcome.insert_id)
        if outcome.insert_id != "id-1":
            raise LookupError(outcome.insert_id)

    client = make_client(server.url, on_outcome=tell, flush_interval=3600)
    for n in range(3):
        client.track({**event(n), "insert_id": f"id-{n}"})
    with pytest.raises(LookupError, match="id-0"):
        client.flush()
    assert client.stats().stored == 3
    with pytest.raises(LookupError, match="id-2"):
        client.poll()
    assert client.poll() == 0
    assert told == ["id-0", "id-1", "id-2"]
    client.track({**event(1), "insert_id": "id-1"})
    assert client.flush().complete


def test_a_callback_may_use_and_close_the_client(server: Server, make_client: MakeClient) -> None:
    """It runs in the caller's thread, with no lock of the client's held."""
    told: list[str] = []

    def tell(outcome: tidewheel.Outcome) -> None:
        assert threading.current_thread() is threading.main_thread()
        told.append(outcome.insert_id)
        if outcome.insert_id == "id-0":
            client.track({**event(1), "insert_id": "id-1"})
            assert client.flush().stored == 2
        else:
            assert client.close().complete

    client = make_client(server.url, on_outcome=tell, flush_interval=3600)
    client.track({**event(0), "insert_id": "id-0"})
    assert client.flush().complete
    assert told == ["id-0", "id-1"]
    with pytest.raises(tidewheel.ClosedError):
        client.track(event(2))


def test_outcomes_are_taken_one_by_one(server: Server, make_client: MakeClient) -> None:
    refusal = {"code": 400, "error": "no", "events_with_invalid_fields": {"time": [0]}}
    server.answer = lambda request: json_answer(refusal, 400)
    client = make_client(server.url, outcomes=True)
    client.track({**event(0), "insert_id": "id-0"})
    client.flush()
    assert list(client.outcomes()) == [tidewheel.Outcome("id-0", "rejected", "no", 400)]
    assert list(client.outcomes()) == []
    assert client.stats().outcomes_missed == 0
    with pytest.raises(TypeError, match="on_outcome"):
        make_client(server.url, on_outcome=5)


@pytest.mark.parametrize("endpoint", ["httpapi", "batch"])
def test_compressed_requests(
    emulator: tidewheel.Emulator, server: Server, make_client: MakeClient, endpoint: str
) -> None:
    options = {"gzip": True, "ingest_endpoint": endpoint}
    client = make_client(server.url, **options)
    for number in range(100):
        client.track(event(number))
    assert client.flush().stored == 100
    (request,) = server.requests
    assert request.headers["content-encoding"] == "gzip"
    assert len(request.events) == 100
    with tidewheel.Client(emulator.api_key, base_url=emulator.url, **options) as client:
        for number in range(100):
            client.track(event(number))
        assert client.flush().stored == 100
