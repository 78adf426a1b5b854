# SPDX-License-Identifier: MIT
"""Each code of the core is an exception with all that is known about it."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

import tidewheel
from tidewheel import _core, errors

from .conftest import Answer, Server, json_answer

HEADER = Path(__file__).resolve().parents[2] / "core/include/tidewheel/common.h"


def test_each_code_of_the_enum_has_a_class_of_its_own() -> None:
    names = re.findall(r"^    TW_E_(\w+) =\s+-\d+", HEADER.read_text(), re.MULTILINE)
    classes = _core.error_classes()
    assert len(names) == len(classes) >= 17
    assert None not in classes.values()
    assert len(set(classes.values())) == len(classes)


def test_each_exception_belongs_to_a_code() -> None:
    raised = set(_core.error_classes().values())
    for name in errors.__all__:
        kind = getattr(errors, name)
        assert getattr(tidewheel, name) is kind
        assert issubclass(kind, tidewheel.TidewheelError)
        assert kind in raised or kind is tidewheel.TidewheelError


def test_built_in_bases() -> None:
    assert issubclass(tidewheel.ValidationError, ValueError)
    assert issubclass(tidewheel.DeadlineError, TimeoutError)
    assert issubclass(tidewheel.ServerError, tidewheel.ApiError)


def test_an_exception_survives_pickling() -> None:
    error = tidewheel.RateLimitError(
        "slow down", code="rate_limited", http_status=429, retry_after=1.5, retriable=True
    )
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is tidewheel.RateLimitError
    assert again.args == error.args
    assert vars(again) == vars(error)


ANSWERS = [
    (400, tidewheel.ApiError, "http", False),
    (401, tidewheel.AuthError, "auth", False),
    (403, tidewheel.AuthError, "auth", False),
    (404, tidewheel.ApiError, "http", False),
    (409, tidewheel.ApiError, "http", False),
    (413, tidewheel.PayloadTooLargeError, "too_large", False),
]


@pytest.mark.parametrize(("status", "kind", "code", "retriable"), ANSWERS)
def test_an_answer_becomes_its_exception(
    server: Server,
    client: tidewheel.Client,
    status: int,
    kind: type[tidewheel.TidewheelError],
    code: str,
    retriable: bool,
) -> None:
    details = {"error": {"http_code": status, "type": "unspecified", "message": "No such luck"}}
    server.answer = lambda request: json_answer(details, status)
    with pytest.raises(kind) as caught:
        client.cohorts.list()
    error = caught.value
    assert type(error) is kind
    assert (error.code, error.http_status, error.retriable) == (code, status, retriable)
    assert error.stored == "no"


def test_an_answer_that_is_not_json_is_a_protocol_error(
    server: Server, client: tidewheel.Client
) -> None:
    server.answer = lambda request: Answer(200, b"<html>log in</html>")
    with pytest.raises(tidewheel.ProtocolError):
        client.cohorts.list()


@pytest.mark.parametrize("body", [{}, [], {"cohorts": 1}, {"cohorts": [1]}, {"cohorts": [{}]}])
def test_json_that_is_not_as_documented_is_a_protocol_error(
    server: Server, client: tidewheel.Client, body: object
) -> None:
    server.answer = lambda request: json_answer(body)
    with pytest.raises(tidewheel.ProtocolError):
        client.cohorts.list()
