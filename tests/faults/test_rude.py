# SPDX-License-Identifier: MIT
"""The rude server is rude in the way its profiles say."""

from __future__ import annotations

import http.client
import json
import pathlib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator

import pytest
import rude

import tidewheel


@pytest.fixture
def emulator() -> Iterator[tidewheel.Emulator]:
    with tidewheel.Emulator() as emulator:
        yield emulator


WHY = {
    "tls_ok": None,
    "tls_wrong_host": "IP address mismatch",
    "tls_unknown_ca": "unable to get local issuer certificate",
    "tls_expired": "certificate has expired",
    "tls_not_yet": "certificate is not yet valid",
    "tls_self_signed": "self-signed certificate",
    "tls_cut": "EOF|reset",
    "tls_plain": "WRONG_VERSION_NUMBER",
    "tls_old": "(?i)protocol|sigalg",
}


@pytest.mark.parametrize("profile", rude.TLS)
def test_a_strict_client_names_what_is_wrong(emulator: tidewheel.Emulator, profile: str) -> None:
    with rude.Rude(profile, emulator.url) as server:
        context = ssl.create_default_context(cafile=server.ca)
        raw = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        if WHY[profile] is None:
            with context.wrap_socket(raw, server_hostname="127.0.0.1") as line:
                line.sendall(b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert line.recv(100).startswith(b"HTTP/1.1 400")
            return
        with pytest.raises((ssl.SSLError, OSError), match=WHY[profile]), raw:
            context.wrap_socket(raw, server_hostname="127.0.0.1")


def upload(server: rude.Rude, emulator: tidewheel.Emulator) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    event = {"event_type": "e", "user_id": "user-1", "insert_id": "i-1"}
    body = json.dumps({"api_key": emulator.api_key, "events": [event]})
    try:
        connection.request("POST", "/2/httpapi", body)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


QUIET = {"silence", "stop_reading", "drip", "header_drip", "body_endless", "chunk_endless"}


@pytest.mark.parametrize("profile", sorted(set(rude.BEHAVIOURS) - QUIET))
def test_it_is_rude_once_and_then_passes_on(emulator: tidewheel.Emulator, profile: str) -> None:
    with rude.Rude(profile, emulator.url, 1) as server:
        try:
            upload(server, emulator)
        except (OSError, http.client.HTTPException, ValueError, OverflowError):
            pass
        assert upload(server, emulator) == 200
        (account,) = emulator.ledger()
        assert account["committed"] == 1


def test_as_a_program(emulator: tidewheel.Emulator) -> None:
    command = [sys.executable, str(pathlib.Path(rude.__file__)), "--upstream", emulator.url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, "--profile", "idle_close"], **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        host = said["url"].removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request("GET", "/nowhere")
        assert connection.getresponse().status == 400
        connection.close()
        process.stdin.close()
        assert process.wait(20) == 0
    refused = subprocess.run([*command, "--profile", "polite"], capture_output=True, text=True)
    assert "there is no profile polite" in refused.stderr
