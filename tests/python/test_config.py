# SPDX-License-Identifier: MIT
"""What a client is given is checked when it is made, with the rule named."""

from __future__ import annotations

import copy
import datetime as dt
import pathlib
import pickle
from typing import Any

import pytest

import tidewheel

from .conftest import API_KEY, SECRET_KEY, Server


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"flush_intervall": 1}, ["flush_intervall", "flush_interval"]),
        ({"api_key": ""}, ["api_key"]),
        ({"api_key": "key\n1234567"}, ["api_key", "control"]),
        ({"secret_key": "se\x7fcret"}, ["secret_key", "control"]),
        ({"secret_key": "se\0cret"}, ["secret_key", "control"]),
        ({"region": "mars"}, ["region", "us", "eu"]),
        ({"base_url": "http://example.com"}, ["base_url", "https"]),
        ({"base_url": "ftp://example.com"}, ["base_url"]),
        ({"batch_events": 0}, ["batch_events"]),
        ({"batch_events": 2001}, ["batch_events", "2000"]),
        ({"batch_events": 1.5}, ["batch_events"]),
        ({"batch_events": "many"}, ["batch_events"]),
        ({"timeout": -1}, ["timeout"]),
        ({"timeout": float("nan")}, ["timeout"]),
        ({"timeout": True}, ["timeout"]),
        ({"on_queue_full": "explode"}, ["on_queue_full", "drop_oldest"]),
        ({"ca_file": "/nowhere/at/all.pem"}, ["ca_file"]),
    ],
)
def test_a_bad_option_is_refused_at_once(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(tidewheel.ConfigError) as caught:
        tidewheel.Client(**{"api_key": API_KEY, "secret_key": SECRET_KEY, **options})
    text = str(caught.value)
    assert caught.value.code == "config"
    assert not [word for word in words if word not in text], text
    assert SECRET_KEY not in text


def test_the_api_key_is_required() -> None:
    with pytest.raises(tidewheel.ConfigError, match="api_key"):
        tidewheel.Client(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        tidewheel.Client()  # type: ignore[call-arg]


@pytest.mark.parametrize("value", [b"bytes", [1], object(), dt.timedelta(seconds=1)])
def test_an_option_of_a_type_none_takes_is_misuse(value: object) -> None:
    with pytest.raises(TypeError, match="timeout"):
        tidewheel.Client(API_KEY, timeout=value)


def test_an_integer_beyond_64_bits_is_misuse() -> None:
    with pytest.raises(ValueError, match="queue_bytes"):
        tidewheel.Client(API_KEY, queue_bytes=2**64)


def test_paths_are_text(tmp_path: pathlib.Path) -> None:
    with pytest.raises(tidewheel.ConfigError, match="ca_file"):
        tidewheel.Client(API_KEY, ca_file=tmp_path / "missing.pem")


def test_the_table_lists_every_option_of_the_constructor() -> None:
    options = {option.name: option for option in tidewheel.options()}
    assert {"api_key", "secret_key", "region", "base_url", "timeout"} <= set(options)
    assert options["api_key"].type == "secret"
    assert options["timeout"].type == "seconds"
    for option in options.values():
        assert option.doc.endswith(".")


def test_the_endpoint_table_names_each_endpoint_once() -> None:
    rows = tidewheel.endpoints()
    assert len({row.name for row in rows}) == len(rows) >= 26
    assert {row.access for row in rows} <= {"read", "write", "both"}


@pytest.mark.parametrize("show", [repr, str, lambda client: str(client.describe())])
def test_secrets_are_never_shown(show: Any) -> None:
    with tidewheel.Client(API_KEY, SECRET_KEY, proxy="http://me:geheim@127.0.0.1:1") as client:
        text = show(client)
    assert "Client" in text or "region" in text
    for secret in (API_KEY, SECRET_KEY, "geheim"):
        assert secret not in text


def test_a_client_cannot_be_copied_or_pickled(client: tidewheel.Client) -> None:
    export = client.export("20260101T00", "20260101T00")
    for thing in (client, client._core, export, iter(export)):
        for make in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                make(thing)
    export.close()


def test_types_of_the_core_are_final_and_only_made_by_it() -> None:
    from tidewheel import _core

    for name in ("Client", "Queue", "Job", "Lines", "Records"):
        kind = getattr(_core, name)
        with pytest.raises(TypeError):
            type("Sub", (kind,), {})
        with pytest.raises(TypeError):
            kind.extra = 1
    for name in ("Job", "Lines", "Records"):
        with pytest.raises(TypeError):
            getattr(_core, name)()


def test_nothing_is_sent_by_making_a_client(server: Server, client: tidewheel.Client) -> None:
    assert client.stats() == tidewheel.Stats(*[0] * 11, paused=False, filtered=0, dup_insert_id=0)
    client.close()
    assert server.requests == []


WINDOWS = [
    ("20260102T00", "20260101T23", "end"),
    ("20250101T00", "20260101T00", "365"),
    ("2026-01-32", "20260101T00", "start"),
    ("20260230T00", "20260301T00", "start"),
    ("20260101T24", "20260102T00", "start"),
    ("20260101T00", "20260101T00\0", "null"),
    ("", "20260101T00", "start"),
]


@pytest.mark.parametrize(("start", "end", "word"), WINDOWS)
def test_a_bad_window_is_refused_at_once(
    server: Server, client: tidewheel.Client, start: str, end: str, word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        client.export(start, end)
    assert server.requests == []


def test_a_naive_datetime_is_refused(client: tidewheel.Client) -> None:
    naive = dt.datetime(2026, 1, 1)  # noqa: DTZ001 -- what is being tested
    with pytest.raises(tidewheel.ValidationError, match="time zone") as caught:
        client.export(dt.date(2026, 1, 1), naive)
    assert caught.value.field == "end"
    with pytest.raises(TypeError):
        client.export(20260101, dt.date(2026, 1, 1))  # type: ignore[arg-type]


def test_fields_are_a_list_of_names(client: tidewheel.Client) -> None:
    for fields in ("event_type", [1]):
        with pytest.raises(TypeError):
            client.export("20260101T00", "20260101T00", fields=fields)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="empty"):
        client.export("20260101T00", "20260101T00", fields=[])
    with pytest.raises(ValueError, match="raw"):
        client.export("20260101T00", "20260101T00", fields=["a"], raw=True)
