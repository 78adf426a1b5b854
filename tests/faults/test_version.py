# SPDX-License-Identifier: MIT
"""The version of HTTP: 1.1 alone is offered, so that no fault of HTTP/2 can happen (A17)."""

from __future__ import annotations

import pathlib
import socket
import ssl
import threading

import rude

import tidewheel


def serve_one(listener: socket.socket, context: ssl.SSLContext, seen: list[bytes | str]) -> None:
    """Takes one request; notes the version agreed on and the first line of the request."""
    plain, _ = listener.accept()
    with context.wrap_socket(plain, server_side=True) as connection:
        seen.append(connection.selected_alpn_protocol() or "")
        seen.append(connection.recv(65536).split(b"\r\n")[0])
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def test_no_other_version_is_offered(tmp_path: pathlib.Path) -> None:
    """The server would rather speak HTTP/2."""
    context, trusted = rude.tls_context(tmp_path, "tls_ok")
    context.set_alpn_protocols(["h2", "http/1.1"])
    seen: list[bytes | str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_one, args=(listener, context, seen))
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        options = {"base_url": url, "ca_file": trusted, "connect_timeout": 20, "timeout": 20}
        with tidewheel.Client("emuapikey0123456", "emusecretkey9876", **options) as client:
            client.raw("cohorts.list")
        thread.join()
    assert seen == ["http/1.1", b"GET /api/3/cohorts HTTP/1.1"]
