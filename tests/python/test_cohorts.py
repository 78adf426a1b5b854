# SPDX-License-Identifier: MIT
"""Cohorts: uploaded, listed, downloaded by polling, changed; also by the answers of a script."""

from __future__ import annotations

import gzip
import json
import select
from collections.abc import Callable
from typing import Any

import pytest

import tidewheel

from .conftest import Answer, MakeClient, Request, Server, json_answer

OWNER = "owner@example.com"
USERS = [f"user-{number:04}" for number in range(300)]


def known_users(client: tidewheel.Client) -> None:
    for user in USERS:
        client.track({"event_type": "e", "user_id": user, "user_properties": {"tier": user[-1]}})
    assert client.flush().stored == len(USERS)


def upload(client: tidewheel.Client, emulator: tidewheel.Emulator, **more: Any) -> str:
    options = {"name": "Buyers", "ids": USERS, "app_id": emulator.app_id, "owner": OWNER, **more}
    uploaded = client.cohorts.upload(**options)
    assert uploaded.cohort_id is not None
    return uploaded.cohort_id


def test_a_cohort_goes_up_and_comes_down(
    emulator: tidewheel.Emulator, make_client: MakeClient
) -> None:
    client = tidewheel.Client(
        emulator.api_key, emulator.secret_key, base_url=emulator.url, poll_first=0.01
    )
    known_users(client)
    uploaded = client.cohorts.upload(
        name="Buyers", ids=iter([*USERS, "nobody-1"]), app_id=emulator.app_id, owner=OWNER
    )
    assert (uploaded.matched, uploaded.total) == (300, 301)
    assert uploaded.invalid_ids_sample == ("nobody-1",)
    cohort_id = uploaded.cohort_id
    assert cohort_id is not None

    (cohort,) = client.cohorts.list()
    assert (cohort.id, cohort.name, cohort.size, cohort.published) == (
        cohort_id, "Buyers", 300, True,
    )  # fmt: skip

    job = client.cohorts.download(cohort_id)
    assert sorted(job.ids()) == USERS
    assert job.done
    assert job.progress().request_id
    again = client.cohorts.download(cohort_id, request_id=job.progress().request_id)
    assert sorted(again.ids()) == USERS
    rows = list(client.cohorts.download(cohort_id, props=["tier"]))
    assert {row["user_id"]: row["tier"] for row in rows} == {user: user[-1] for user in USERS}
    assert all(row["amplitude_id"].isdigit() for row in rows)
    numbers = list(client.cohorts.download(cohort_id).ids("amplitude_id"))
    assert sorted(numbers) == sorted(row["amplitude_id"] for row in rows)

    updated = client.cohorts.update(cohort_id, add=["nobody-2"], remove=USERS[:100])
    assert updated == tidewheel.CohortUpdate(cohort_id, ("nobody-2",), ())
    assert sorted(client.cohorts.download(cohort_id).ids()) == USERS[100:]
    client.cohorts.update(cohort, add=[int(n) for n in numbers[:1]], id_type="BY_ID")
    assert sorted(client.cohorts.download(cohort).ids())[1:] == USERS[100:]
    with pytest.raises(tidewheel.ValidationError, match="id was missing"):
        client.cohorts.download("")
    upload(client, emulator, existing_cohort_id=cohort_id, ids=USERS[:3])
    assert sorted(client.cohorts.download(cohort_id).ids()) == USERS[:3]
    client.close()


@pytest.mark.parametrize("switch", [{"cohort_redirect": "always"}, {"cohort_encoding": "raw"}])
def test_files_come_by_redirect_and_unannounced_gzip(
    emulator: tidewheel.Emulator, live: tidewheel.Client, switch: dict[str, Any]
) -> None:
    emulator.switch(**switch)
    known_users(live)
    cohort_id = upload(live, emulator)
    assert sorted(live.cohorts.download(cohort_id).ids()) == USERS


def test_a_job_that_fails_is_an_error(emulator: tidewheel.Emulator, live: tidewheel.Client) -> None:
    known_users(live)
    cohort_id = upload(live, emulator)
    emulator.switch(job_status="failed")
    with pytest.raises(tidewheel.JobError):
        list(live.cohorts.download(cohort_id))
    emulator.switch(job_status="never")
    job = live.cohorts.download(cohort_id, timeout=0.3)
    with pytest.raises(tidewheel.DeadlineError):
        list(job)
    with pytest.raises(tidewheel.ApiError) as caught:
        list(live.cohorts.download("nonesuch"))
    assert caught.value.http_status == 404


# ---- scripted answers ---------------------------------------------------------------------------


def script(csv: bytes, polls: int = 1) -> Callable[[Request], Answer]:
    """Answers request, `polls` times "running", and the file."""
    left = [polls]

    def answer(request: Request) -> Answer:
        if request.path.startswith("/api/5/cohorts/request/c1"):
            return json_answer({"request_id": "r1", "cohort_id": "c1"}, 202)
        body = {"request_id": "r1", "cohort_id": "c1", "async_status": "JOB INPROGRESS"}
        if request.path.startswith("/api/5/cohorts/request-status/r1"):
            left[0] -= 1
            if left[0] >= 0:
                return json_answer(body, 202)
            return json_answer({**body, "async_status": "JOB COMPLETED"})
        assert request.path == "/api/5/cohorts/request/r1/file"
        return Answer(200, csv, {"content-type": "text/csv"})

    return answer


@pytest.fixture
def fast(server: Server, make_client: MakeClient) -> tidewheel.Client:
    return make_client(server.url, poll_first=0.001, poll_max=0.002)


def test_rows_are_exact(server: Server, fast: tidewheel.Client) -> None:
    csv = '"amplitude_id","user_id","say ""what"""\r\n"1","é","a,b\nc"\r\n"2","",""\r\n'
    server.answer = script(csv.encode())
    assert list(fast.cohorts.download("c1", props=True)) == [
        {"amplitude_id": "1", "user_id": "é", 'say "what"': "a,b\nc"},
        {"amplitude_id": "2", "user_id": "", 'say "what"': ""},
    ]
    assert "props=1" in server.requests[0].path
    server.answer = script(gzip.compress(csv.encode()))
    assert list(fast.cohorts.download("c1").ids()) == ["é"]


def test_group_cohorts_have_group_values(server: Server, fast: tidewheel.Client) -> None:
    server.answer = script(b'"\tgroup_value"\n"\tAcme"\n"\tBolt"\n')
    assert list(fast.cohorts.download("c1").ids()) == ["Acme", "Bolt"]


@pytest.mark.parametrize(
    "csv",
    [
        b'"amplitude_id","user_id"\n"1"\n',
        b'"amplitude_id","user_id"\n"1","x',
        b'"user_id"\n"\xff"\n',
    ],
)
def test_a_malformed_file_is_an_error(server: Server, fast: tidewheel.Client, csv: bytes) -> None:
    server.answer = script(csv)
    with pytest.raises(tidewheel.ProtocolError):
        list(fast.cohorts.download("c1"))


def test_columns_are_chosen_before_reading(server: Server, fast: tidewheel.Client) -> None:
    server.answer = script(b'"user_id"\n"a"\n"b"\n')
    with pytest.raises(KeyError, match="nope"):
        list(fast.cohorts.download("c1").ids("nope"))
    job = fast.cohorts.download("c1")
    assert next(job) == {"user_id": "a"}
    with pytest.raises(ValueError, match="already"):
        job.ids()
    assert list(job) == [{"user_id": "b"}]


def test_the_poll_can_be_waited_for_without_blocking(
    server: Server, fast: tidewheel.Client
) -> None:
    server.answer = script(b'"user_id"\n"a"\n', polls=5)
    server.gate.clear()
    job = fast.cohorts.download("c1")
    assert not job.done
    assert not job.wait(0)
    server.gate.set()
    ids = job.ids()
    got = []
    while True:
        ready, _, _ = select.select([job.fileno()], [], [], 20)
        assert ready
        batch = job._job.batch(False)
        if batch == []:
            break
        got += batch or []
    assert got == ["a"]
    assert list(ids) == []
    assert job.progress().requests == 8


def test_cancelling_and_closing(server: Server, fast: tidewheel.Client) -> None:
    server.gate.clear()
    job = fast.cohorts.download("c1")
    job.cancel()
    with pytest.raises(tidewheel.CanceledError):
        list(job)
    with fast.cohorts.download("c1") as other:
        assert not other.done
    assert other.done
    assert list(other) == []


@pytest.mark.parametrize("ids", ["user-1", b"user-1", 5])
def test_ids_are_an_iterable(client: tidewheel.Client, ids: Any) -> None:
    with pytest.raises(TypeError):
        client.cohorts.upload(name="n", ids=ids, app_id=1, owner=OWNER)


@pytest.mark.parametrize(
    ("ids", "rule"),
    [
        ([1.5], r"ids\[0\] was of type float"),
        (["a", 2, None], r"ids\[2\] was of type NoneType"),
        (iter(["a", True]), r"ids\[1\] was of type bool"),
    ],
)
def test_ids_are_texts_or_numbers(client: tidewheel.Client, ids: Any, rule: str) -> None:
    with pytest.raises(TypeError, match=rule + ": ids are str or int"):
        client.cohorts.upload(name="n", ids=ids, app_id=1, owner=OWNER)


@pytest.mark.parametrize("ids", [["a", ""], ["a", "a\nb"], ["ok", "\ud800"]])
def test_bad_ids_are_refused(server: Server, client: tidewheel.Client, ids: Any) -> None:
    with pytest.raises(tidewheel.ValidationError) as caught:
        client.cohorts.upload(name="n", ids=ids, app_id=1, owner=OWNER)
    assert caught.value.field == "ids[1]"
    assert caught.value.index == 1
    assert server.requests == []


def test_an_exception_of_the_iterable_passes(server: Server, client: tidewheel.Client) -> None:
    def ids() -> Any:
        yield "user-1"
        raise LookupError("source")

    with pytest.raises(LookupError, match="source"):
        client.cohorts.upload(name="n", ids=ids(), app_id=1, owner=OWNER)
    assert server.requests == []


def test_an_upload_says_what_it_was_told_to(server: Server, client: tidewheel.Client) -> None:
    server.answer = lambda request: json_answer({"cohort_id": "c9", "metadata": {}})
    uploaded = client.cohorts.upload(
        name="VIP", ids=[1, "2"], app_id=7, owner=OWNER, id_type="BY_AMP_ID", published=False,
        group="company", skip_invalid_ids=False,
    )  # fmt: skip
    assert uploaded.cohort_id == "c9"
    assert json.loads(server.requests[0].body) == {
        "name": "VIP", "app_id": 7, "id_type": "BY_AMP_ID", "ids": ["1", "2"], "owner": OWNER,
        "published": False, "cg": "company", "skip_invalid_ids": False,
    }  # fmt: skip


def test_an_update_needs_something_to_do(client: tidewheel.Client) -> None:
    with pytest.raises(ValueError, match="neither"):
        client.cohorts.update("c1")
    with pytest.raises(TypeError, match="props"):
        client.cohorts.download("c1", props="tier")
