# SPDX-License-Identifier: MIT
"""Identify events that are sent as one mean what they meant one by one."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import sys
import threading
from typing import Any

import pytest
from conftest import sent_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tidewheel

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "faults"))
import ledger

USERS = ("user-a", "user-b", None)
DEVICES = ("device-1", "device-2", None)
PROPERTIES = ("p", "q", "r")
WHO = st.tuples(st.sampled_from(USERS), st.sampled_from(DEVICES)).filter(any)
VALUE = st.one_of(st.integers(0, 3), st.sampled_from(["x", "", None, [], [1], {}]))
OPERATIONS = st.dictionaries(
    st.sampled_from(["set", "set", "set_once", "set_once", "add", "append", "unset"]),
    st.dictionaries(st.sampled_from(PROPERTIES), VALUE, min_size=1, max_size=2),
    min_size=1,
    max_size=2,
)
STEPS = st.lists(
    st.tuples(WHO, st.one_of(OPERATIONS, OPERATIONS, st.none())), min_size=2, max_size=30
)


def ids(who: tuple[str | None, str | None]) -> dict[str, str]:
    return {
        key: value
        for key, value in zip(("user_id", "device_id"), who, strict=True)
        if value is not None
    }


def change(client: tidewheel.Client, number: int, who: dict[str, str], changes: Any) -> None:
    told: dict[str, Any] = {}
    for name, values in changes.items():
        if name == "unset":
            told[name] = list(values)
        elif name == "add":
            told[name] = {key: v if isinstance(v, int) else 1 for key, v in values.items()}
        else:
            told[name] = values
    client.identify(**who, insert_id=f"run-{number}", **told)


def tell(client: tidewheel.Client, steps: list[Any]) -> None:
    for number, (who, changes) in enumerate(steps):
        if changes is None:
            client.track({"event_type": "seen", **ids(who), "insert_id": f"run-{number}"})
        else:
            change(client, number, ids(who), changes)
    # What everybody has in the end.
    for number, (user, device) in enumerate((u, d) for u in USERS for d in DEVICES if u or d):
        client.track(
            {"event_type": "last", **ids((user, device)), "insert_id": f"run-{1000 + number}"}
        )


def rows(emulator: tidewheel.Emulator) -> dict[str, Any]:
    """The user properties that each ordinary event shows."""
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    with tidewheel.Client(emulator.api_key, emulator.secret_key, base_url=emulator.url) as reader:
        events = list(reader.export(now - day, now + day))
    return {
        event["$insert_id"]: event["user_properties"]
        for event in events
        if event["event_type"] in ("seen", "last")
    }


def live(
    emulator: tidewheel.Emulator, steps: list[Any], **options: Any
) -> tuple[dict[str, Any], tidewheel.Stats, list[tidewheel.Outcome], int]:
    emulator.reset()
    client = tidewheel.Client(
        emulator.api_key, base_url=emulator.url, flush_interval=600, outcomes=True, **options
    )
    with contextlib.closing(client):
        tell(client, steps)
        report = client.flush(30)
        assert report.complete
        ends = list(client.outcomes())
        return rows(emulator), client.stats(), ends, len(sent_events(emulator))


@pytest.fixture(scope="module")
def kept() -> Any:
    with tidewheel.Emulator(job_ms=20) as emulator:
        yield emulator


@pytest.mark.parametrize("mode", ["memory", "fast"])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_one_event_means_what_many_meant(
    kept: tidewheel.Emulator, tmp_path: pathlib.Path, mode: str, steps: list[Any]
) -> None:
    options: dict[str, Any] = {"spool": str(tmp_path)} if mode == "fast" else {}
    plain, _, _, all_sent = live(kept, steps, **options)
    merged, stats, ends, sent = live(kept, steps, coalesce_identify=True, **options)
    assert merged == plain
    assert sent == all_sent - stats.merged
    world = ledger.World(
        notes=ledger.Notes([end.insert_id for end in ends], [end.insert_id for end in ends], []),
        reports=[
            ledger.Report(
                stats._asdict(),
                [],
                [(end.insert_id, end.state) for end in ends],
                {end.insert_id: end.reason for end in ends if end.state == "merged"},
            )
        ],
        accounts=list(kept.ledger()),
    )
    assert ledger.check(world) == []


def test_a_burst_of_changes_is_one_event(kept: tidewheel.Emulator) -> None:
    steps = [(("user-a", "device-1"), {"set": {"p": n, "q": -n}}) for n in range(100)]
    merged, stats, ends, sent = live(kept, steps, coalesce_identify=True)
    assert (stats.merged, sent) == (99, stats.accepted - 99)
    assert merged["run-1000"] == {"p": 99, "q": -99}
    assert ends[0] == tidewheel.Outcome("run-0", "merged", "run-99", 0)


def test_track_many_merges_in_every_mode(kept: tidewheel.Emulator, tmp_path: pathlib.Path) -> None:
    many = [
        {
            "event_type": "$identify",
            "user_id": f"user-{n % 3}",
            "user_properties": {"$set": {"n": n}},
        }
        for n in range(90)
    ]
    for options in ({}, {"spool": str(tmp_path), "spool_mode": "durable"}):
        kept.reset()
        with tidewheel.Client(
            kept.api_key, base_url=kept.url, coalesce_identify=True, flush_interval=600, **options
        ) as client:
            client.track_many(many)
            assert client.flush(30).merged == 87
            report = client.close()
            assert (report.accepted, report.stored, report.merged) == (90, 3, 87)
        found = [event["user_properties"] for event in sent_events(kept)]
        assert found == [{"$set": {"n": n}} for n in (87, 88, 89)]


@pytest.mark.parametrize("interval", [0.02, 600])
@pytest.mark.parametrize("mode", ["memory", "fast", "durable"])
def test_threads_do_not_get_between(
    kept: tidewheel.Emulator, tmp_path: pathlib.Path, mode: str, interval: float
) -> None:
    """Each thread has a property of a user of two, which its events must show as it was set.

    And it has a user of its own, whose changes nothing keeps apart unless they are sent meanwhile.
    """
    options = {} if mode == "memory" else {"spool": str(tmp_path), "spool_mode": mode}
    kept.reset()
    rounds = 60

    with tidewheel.Client(
        kept.api_key, base_url=kept.url, coalesce_identify=True, flush_interval=interval, **options
    ) as client:

        def work(thread: int) -> None:
            user = f"user-{thread // 2}"
            for n in range(rounds):
                number = thread * rounds + n
                client.identify(user_id=f"own-{thread}", set={"n": n})
                for _ in range(2):
                    client.identify(user_id=user, set={f"t{thread}": n, "shared": number})
                if n % 3 == 0:
                    client.track(
                        {"event_type": "seen", "user_id": user, "insert_id": f"{thread}-{n}"}
                    )

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.flush(30).complete
        if interval == 600:
            assert client.stats().merged >= 4 * (rounds - 1)
        for thread in range(4):
            client.track({"event_type": "last", "user_id": f"own-{thread}"})
        assert client.flush(30).complete
    shown = rows(kept)
    for thread in range(4):
        for n in range(0, rounds, 3):
            assert shown.pop(f"{thread}-{n}")[f"t{thread}"] == n
    assert list(shown.values()) == [{"n": rounds - 1}] * 4
