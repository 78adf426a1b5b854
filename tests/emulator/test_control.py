# SPDX-License-Identifier: MIT
"""The control port, loopback rules, limits of concurrency, the fault plan."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import json
import os
import socket
import urllib.parse
from typing import Any

import pytest
from emulator_api import Api, Reply, event

from tidewheel.emulator import Emulator


def control(emu: Emulator, method: str, path: str, body: str = "", **headers: str) -> Reply:
    connection = http.client.HTTPConnection(emu.control_url.removeprefix("http://"), timeout=20)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Reply(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def token(emu: Emulator) -> dict[str, str]:
    return {"X-Emulator-Token": emu.control_token}


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "192.168.0.1:80", "[::]:0", "example.com:1", "x"])
def test_only_loopback_is_listened_on(listen: str) -> None:
    with pytest.raises(ValueError, match=r"only 127\.0\.0\.1, ::1 and localhost"):
        Emulator(listen=listen)


@pytest.mark.parametrize("key", ["", "key", "Emu-x", "a" * 32, "emu-\n"])
def test_keys_must_look_like_the_emulators(key: str) -> None:
    with pytest.raises(ValueError, match="keys of the emulator start with"):
        Emulator(api_key=key)
    with pytest.raises(ValueError, match="keys of the emulator start with"):
        Emulator(secret_key=key)


def test_unknown_switches_are_refused() -> None:
    with pytest.raises(ValueError, match='there was no switch "index_list"'):
        Emulator(index_list="all")
    with pytest.raises(ValueError, match="expected one of all"):
        Emulator(index_lists="some")


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "127.0.0.1.evil.test",
        "localhost:80.evil.test",
        "localhost.evil.test",
        "10.0.0.1",
        "",
    ],
)
def test_a_foreign_host_is_refused(api: Api, host: str) -> None:
    assert api.call("GET", "/api/3/cohorts", Host=host).status in (400, 421)


def test_the_control_port_wants_its_token_and_no_origin(emu: Emulator, api: Api) -> None:
    assert api.call("GET", "/journal", **token(emu)).status == 400, "not on the API's port"
    assert control(emu, "GET", "/clock").status == 403
    for wrong in ("", "0" * 64, emu.control_token[:-1], emu.control_token + "0"):
        assert control(emu, "GET", "/clock", **{"X-Emulator-Token": wrong}).status == 403
    assert control(emu, "GET", "/clock", **token(emu)).status == 200
    assert control(emu, "GET", "/clock", **token(emu), Origin="http://localhost").status == 403
    assert control(emu, "GET", "/nowhere", **token(emu)).status == 404


def test_control_over_http(emu: Emulator, api: Api) -> None:
    def post(path: str, body: str) -> Reply:
        return control(emu, "POST", path, body, **token(emu))

    assert post("/switches", '{"job_ms": 5}').status == 200
    assert json.loads(control(emu, "GET", "/switches", **token(emu)).body)["job_ms"] == 5
    assert post("/switches", '{"job_ms": -1}').status == 400
    assert post("/switches", "{").status == 400
    assert post("/switches", '{"job_ms": 9223372036854775807}').status == 400
    assert post("/clock", '{"advance_ms": 9223372036854775807}').status == 400
    assert post("/clock", '{"offset_ms": -9223372036854775807}').status == 400
    assert post("/clock", '{"offset_ms": -2000000000000}').status == 400, "before 1970"
    before = control(emu, "GET", "/clock", **token(emu)).json["now_ms"]
    assert post("/clock", '{"advance_ms": 5000}').json["now_ms"] >= before + 5000
    api.upload(event(1))
    assert post("/reset", "").status == 200
    assert api.get("/api/2/export", **api.around_now()).status == 404
    assert emu.journal()[0]["path"] == "/api/2/export"


@pytest.mark.parametrize("path", ["/2/httpapi", "/identify"])
def test_a_reset_stores_nothing_that_began_before(emu: Emulator, api: Api, path: str) -> None:
    """Whoever starts anew finds nothing of what was still on its way, however late it is."""
    emu.faults({"when": "before_commit", "match": {"path": path}, "do": {"stall_ms": 10**9}})
    one = event(1, event_type="$identify", user_properties={"$set": {"late": True}})
    body = json.dumps({"api_key": emu.api_key, "events": [{**one, "insert_id": "late"}]})
    if path == "/identify":
        one.pop("event_type")
        pair = {"api_key": emu.api_key, "identification": json.dumps([one])}
        body = urllib.parse.urlencode(pair)
    form = "application/x-www-form-urlencoded"
    kind = {"Content-Type": form if path == "/identify" else "application/json"}
    api.connection.request("POST", path, body, kind)
    while not json.loads(control(emu, "GET", "/faults", **token(emu)).body)[0]["used"]:
        pass
    emu.reset()
    emu.faults()
    emu.advance(10**6)
    with pytest.raises(ConnectionError):
        api.connection.getresponse()
    assert list(emu.ledger()) == []
    assert emu.journal() == []
    api.connection.close()
    assert api.get("/api/2/usersearch", user="user-0001").json["matches"] == []


def test_the_journal_records_requests_but_no_credential(emu: Emulator, api: Api) -> None:
    api.upload(event(1, insert_id="i-1"))
    api.get("/api/3/cohorts", includeSyncInfo="true")
    first, second = emu.journal()
    body = base64.b64decode(first["body_base64"])
    assert json.loads(body)["events"][0]["insert_id"] == "i-1"
    assert first["body_sha256"] == hashlib.sha256(body).hexdigest()
    assert (first["method"], first["path"], first["status"]) == ("POST", "/2/httpapi", 200)
    assert first["headers"]["content-type"] == "application/json"
    assert (second["query"], second["authorization"]) == ("includeSyncInfo=true", True)
    assert first["connection"] == second["connection"]
    text = json.dumps([first, second])
    assert emu.secret_key not in text
    assert api.basic["Authorization"].split()[1] not in text
    assert emu.journal(after=second["id"]) == []


def test_a_foreign_key_is_never_recorded(emu: Emulator, api: Api) -> None:
    real = "0123456789abcdef0123456789abcdef"
    api.call("POST", "/2/httpapi", json.dumps({"api_key": real, "events": [event(1)]}))
    api.call("GET", f"/identify?api_key={real}&identification=%7B%22user_id%22%3A%22user-1%22%7D")
    api.form("/identify", {"user_id": "user-1"}, api_key=real)
    assert real not in json.dumps(emu.journal())
    decoded = [base64.b64decode(entry["body_base64"] or "") for entry in emu.journal()]
    assert decoded == [b"", b"", b""]


def test_a_foreign_key_beside_ours_is_not_recorded_either(emu: Emulator, api: Api) -> None:
    real = "0123456789abcdef0123456789abcdef"
    body = json.dumps({"api_key": emu.api_key, "events": [event(1)]})
    assert api.call("POST", f"/2/httpapi?api_key={real}", body).status == 200
    mixed = json.dumps({"api_key": real, "events": [event(1, user_id=emu.api_key)]})
    assert api.call("POST", "/batch", mixed).status == 400
    assert api.call("POST", "/batch", f'{{"api_key":"{real}","x":"{emu.api_key}"').status == 400
    assert api.call("POST", "/nowhere", f"api_key={emu.api_key}{real}").status == 400
    wrong = {"Authorization": "Basic " + base64.b64encode(f"{real}:{real}".encode()).decode()}
    assert api.call("GET", f"/api/3/cohorts?x={emu.api_key}&y={real}", **wrong).status == 403
    texts = [e["path"] + str(e["query"]) for e in emu.journal()]
    texts += [base64.b64decode(e["body_base64"] or "").decode() for e in emu.journal()]
    assert len(texts) == 10
    assert real not in "".join(texts)
    assert base64.b64decode(emu.journal()[0]["body_base64"]).decode() == body


def test_an_overlong_address_is_414_and_a_large_header_431(api: Api) -> None:
    query = "api_key=" + api.emu.api_key + "&identification=" + "x" * 65536
    reply = api.call("GET", f"/identify?{query}")
    assert (reply.status, reply.headers["Content-Type"]) == (414, "text/html;charset=utf-8")
    assert api.call("GET", "/api/3/cohorts", X_Large="x" * 65536).status == 431


def test_the_journal_is_bounded(emu: Emulator, api: Api) -> None:
    emu.switch(journal_entries=10)
    for n in range(25):
        api.upload(event(n))
    entries = emu.journal()
    assert [entry["id"] for entry in entries] == list(range(16, 26))
    emu.switch(journal=False)
    api.upload(event(1))
    assert len(emu.journal()) == 10


def test_more_than_five_calls_at_once_are_429(emu: Emulator) -> None:
    match = {"path": "/api/3/cohorts"}
    emu.faults({"when": "mid_response@1", "match": match, "do": {"stall_ms": 10**9}})
    others = [Api(emu) for _ in range(5)]
    answers = []
    for other in others:
        other.connection.request("GET", "/api/3/cohorts", headers=other.basic)
        answers.append(other.connection.getresponse())
    probe = Api(emu)
    reply = probe.get("/api/2/export", start="20260101T00", end="20260101T00")
    assert reply.status == 429
    assert reply.details == "Too Many Requests: Exceeded concurrent limit"
    for other, answer in zip(others, answers, strict=True):
        assert json.loads(other.rest(answer)) == {"cohorts": []}
    assert probe.get("/api/2/export", start="20260101T00", end="20260101T00").status == 404
    for other in [*others, probe]:
        other.connection.close()


def committed(emu: Emulator) -> int:
    api = Api(emu)
    reply = api.get("/api/2/export", **api.around_now())
    rows = len(api.rows()) if reply.status == 200 else 0
    api.connection.close()
    return rows


@pytest.mark.parametrize(("when", "stored"), [("before_commit", 0), ("after_commit", 1)])
@pytest.mark.parametrize("close", ["rst", "fin"])
def test_breaking_around_the_commit(emu: Emulator, when: str, stored: int, close: str) -> None:
    emu.faults({"when": when, "match": {"path": "/2/httpapi"}, "do": {"close": close}, "count": 1})
    api = Api(emu)
    broken = ConnectionResetError if close == "rst" else http.client.RemoteDisconnected
    with pytest.raises(broken):
        api.upload(event(1, insert_id="i-1"))
    api.connection.close()
    assert committed(emu) == stored
    assert api.upload(event(1, insert_id="i-1")).status == 200
    assert committed(emu) == 1
    entry = emu.journal()[0]
    assert (entry["status"], entry["fault"]) == (0, 0)
    assert [e["insert_id"] for e in entry["events"]] == ["i-1"]
    assert entry["events"][0]["committed"] is (stored == 1)
    api.connection.close()


@pytest.mark.parametrize(("when", "stored"), [("before_commit", 0), ("after_commit", 1)])
def test_another_answer_around_the_commit(emu: Emulator, api: Api, when: str, stored: int) -> None:
    answer = {"status": 503, "body": "<html>", "headers": {"Retry-After": "7"}}
    emu.faults({"when": when, "do": answer, "count": 1})
    reply = api.upload(event(1))
    assert (reply.status, reply.body, reply.headers["Retry-After"]) == (503, b"<html>", "7")
    assert committed(emu) == stored


def test_before_read_and_mid_body(emu: Emulator) -> None:
    emu.faults({"when": "before_read", "do": {"status": 502, "body": "no"}, "count": 1})
    api = Api(emu)
    assert api.upload(event(1)).status == 502
    emu.faults({"when": "mid_body@100", "do": {"close": "rst"}, "count": 1})
    with pytest.raises((ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)):
        api.upload(*[event(n) for n in range(1000)])
    api.connection.close()
    assert committed(emu) == 0


def test_mid_response_truncates(emu: Emulator, api: Api) -> None:
    emu.faults({"when": "mid_response@10", "do": {"close": "fin"}, "count": 2})
    with pytest.raises(http.client.IncompleteRead) as caught:
        api.upload(event(1))
    assert caught.value.partial == b'{"code":20'
    api.connection.close()
    with pytest.raises(http.client.IncompleteRead):
        api.get("/api/2/export", **api.around_now())
    api.connection.close()


def test_raw_bytes_and_keepalive(emu: Emulator, api: Api) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"
    do = {"raw_base64": base64.b64encode(raw).decode()}
    emu.faults({"when": "after_commit", "do": do, "count": 1})
    with pytest.raises(http.client.IncompleteRead):
        api.upload(event(1))
    api.connection.close()
    emu.faults({"when": "keepalive", "do": {"close": "fin"}, "count": 1})
    assert api.upload(event(1)).status == 200
    assert api.connection.sock.recv(1) == b""
    api.connection.close()


def test_refused_at_accept(emu: Emulator) -> None:
    emu.faults({"when": "accept", "do": {"close": "rst"}, "count": 1})
    host, port = emu.url.removeprefix("http://").split(":")
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection((host, int(port)), timeout=20) as s,
    ):
        s.recv(1)
    assert committed(emu) == 0


def test_matching(emu: Emulator, api: Api) -> None:
    plan = [
        {"when": "after_commit", "match": {"path": "/batch", "nth": 2}, "do": {"status": 501}},
        {"when": "after_commit", "match": {"method": "GET"}, "do": {"status": 502}},
        {"when": "after_commit", "match": {"path": "/2/*", "every": 3}, "do": {"status": 503}},
        {"when": "after_commit", "match": {"key": "emu-api-key", "prob": 0}, "do": {"status": 504}},
    ]
    emu.faults(*plan)
    assert [api.upload(event(1), path="/batch").status for _ in range(3)] == [200, 501, 200]
    assert [api.upload(event(1)).status for _ in range(6)] == [200, 200, 503, 200, 200, 503]
    assert api.get("/api/3/cohorts").status == 502
    assert [entry["used"] for entry in emu._control("GET", "/faults")] == [1, 1, 2, 0]
    emu.faults()
    assert api.get("/api/3/cohorts").status == 200


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"when": "later", "do": {}},
        {"when": "after_commit@5", "do": {}},
        {"when": "after_commit"},
        {"when": "after_commit", "do": {"status": 99}},
        {"when": "after_commit", "do": {"close": "now"}},
        {"when": "after_commit", "do": {}, "match": {"verb": "GET"}},
        {"when": "after_commit", "do": {}, "count": 0},
        {"when": "after_commit", "do": {"wrong_cl": 0}},
        {"when": "before_read", "do": {"wrong_cl": 1}},
        {"when": "mid_response@1", "do": {"chunk_error": True}},
        {"when": "after_commit", "do": {"redirect": ""}},
        {"when": "after_commit", "do": {"gzip_bomb": 10**12}},
        {"when": "accept", "do": {"close_listener": -1}},
        {"when": "accept", "do": {"status": 503}},
        {"when": "mid_body@1", "do": {"status": 503}},
        {"when": "keepalive", "do": {"redirect": "/x"}},
        {"when": "keepalive", "do": {"stall_ms": 1}},
        {"when": "after_commit", "do": {"body": "x"}},
        {"when": "after_commit", "do": {"headers": {"Retry-After": "1"}}},
        {"when": "after_commit", "do": {"trickle_bps": 1}},
        {"when": "mid_response@1", "do": {"raw_base64": "eA=="}},
        {"when": "mid_response@1", "do": {"refuse": 1}},
    ],
)
def test_a_bad_plan_is_refused(emu: Emulator, fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="fault 0 had"):
        emu.faults(fault)


@pytest.mark.parametrize("body", ["{}", '{"event_type":""}', '{"event_type":1}', "no"])
def test_marks_of_the_plan_need_an_event_type(emu: Emulator, body: str) -> None:
    assert control(emu, "POST", "/plan", body, **token(emu)).status == 400


@pytest.mark.parametrize("add", [5, -5, -1000])
@pytest.mark.parametrize(("when", "stored"), [("before_commit", 0), ("after_commit", 1)])
def test_a_wrong_content_length(emu: Emulator, add: int, when: str, stored: int) -> None:
    emu.faults({"when": when, "do": {"wrong_cl": add}, "count": 1})
    host, port = emu.url.removeprefix("http://").split(":")
    body = json.dumps({"api_key": emu.api_key, "events": [event(1)]})
    with socket.create_connection((host, int(port)), timeout=20) as s:
        s.sendall(f"POST /batch HTTP/1.1\r\nHost: {host}\r\n".encode())
        s.sendall(f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        reply = b""
        while part := s.recv(65536):
            reply += part
    head, _, rest = reply.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(rest) + add}".encode() in head
    assert committed(emu) == stored


def test_a_broken_chunk(emu: Emulator, api: Api) -> None:
    emu.faults({"when": "after_commit", "do": {"chunk_error": True}, "count": 1})
    with pytest.raises(http.client.IncompleteRead) as caught:
        api.upload(event(1))
    assert caught.value.partial.startswith(b'{"code":200')
    api.connection.close()


def test_a_redirect_and_a_gzip_bomb(emu: Emulator, api: Api) -> None:
    target = "http://127.0.0.1:1/x?secret=1"
    emu.faults({"when": "before_commit", "do": {"redirect": target}, "count": 1})
    reply = api.upload(event(1))
    assert (reply.status, reply.headers["Location"]) == (302, target)
    emu.faults({"when": "before_commit", "do": {"redirect": target, "status": 308}, "count": 1})
    assert api.upload(event(1)).status == 308
    emu.faults({"when": "before_commit", "do": {"gzip_bomb": 10**8}, "count": 1})
    reply = api.upload(event(1))
    assert (reply.status, reply.headers["Content-Encoding"]) == (200, "gzip")
    assert len(reply.body) < 200_000
    assert gzip.decompress(reply.body) == bytes(10**8)


def test_a_fault_sends_all_its_headers(emu: Emulator, api: Api) -> None:
    headers = {f"X-Part-{n}": str(n) for n in range(40)}
    emu.faults({"when": "after_commit", "do": {"status": 503, "headers": headers}})
    reply = api.upload(event(1))
    assert reply.status == 503
    assert {name: reply.headers.get(name) for name in headers} == headers


def connect(emu: Emulator) -> socket.socket:
    host, port = emu.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def test_the_port_can_be_closed_while_connections_go_on(emu: Emulator, api: Api) -> None:
    for _ in range(3):
        assert api.upload(event(1)).status == 200
        emu.listen(False)
        with pytest.raises(ConnectionRefusedError):
            connect(emu)
        assert api.upload(event(1)).status == 200, "on the connection that was open"
        emu.listen()
        connect(emu).close()
    assert emu._control("GET", "/listener") == {"open": True}


def test_a_port_that_is_closed_often_leaves_nothing_behind(emu: Emulator) -> None:
    """Each opened port has a thread of its own, which goes when its connections have ended."""
    threads = len(os.listdir("/proc/self/task"))
    for _ in range(40):
        api = Api(emu)
        assert api.upload(event(1)).status == 200
        emu.listen(False)
        api.connection.close()
        emu.listen()
    assert len(os.listdir("/proc/self/task")) < threads + 20


@pytest.mark.parametrize("action", ["close_listener", "refuse"])
def test_a_fault_closes_the_port_for_a_while(emu: Emulator, api: Api, action: str) -> None:
    upload = {"path": "/2/httpapi"}
    emu.faults({"match": upload, "when": "after_commit", "do": {action: 3_600_000}, "count": 2})
    for _ in range(2):
        if action == "refuse":
            with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
                api.upload(event(1))
        else:
            assert api.upload(event(1)).status == 200
        api.connection.close()
        with pytest.raises(ConnectionRefusedError):
            connect(emu)
        emu.advance(3600)
        while not emu._control("GET", "/listener")["open"]:
            pass
        # A whole call: a connection not yet accepted would meet the next fault.
        assert api.call("GET", "/").status == 400
        api.connection.close()
    emu.faults({"when": "accept", "do": {"close_listener": 10**9, "close": "rst"}, "count": 1})
    # The reset may come before or after the handshake has been seen here.
    with pytest.raises(ConnectionResetError), connect(emu) as s:
        s.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(emu)
