# SPDX-License-Identifier: MIT
"""A server that breaks the rules of HTTP, TCP and TLS, in front of a well-behaved one.

A request is passed to the upstream server (an emulator) and the rude thing is done before or
after that, so the emulator's ledger stays the truth about what was stored. After `count` rude
things it passes everything on unharmed.

As a program: ``rude.py --profile NAME --upstream URL [--count N]`` prints one JSON line with
``url`` and ``ca`` (a file, for the TLS profiles), and ends with its standard input.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import http.client
import json
import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

HEADER_END = b"\r\n\r\n"


class Request(NamedTuple):
    head: bytes
    body: bytes


class Answer(NamedTuple):
    status: int
    body: bytes

    def whole(self, *headers: str, length: int | None = None) -> bytes:
        size = len(self.body) if length is None else length
        lines = [f"HTTP/1.1 {self.status} OK", "Content-Type: application/json"]
        lines += [*headers, f"Content-Length: {size}", "", ""]
        return "\r\n".join(lines).encode() + self.body


class Line:
    """One connection: reads requests, passes them on, writes bytes."""

    def __init__(self, server: Rude, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.pending = b""
        self.served = 0

    def read(self) -> Request | None:
        while HEADER_END not in self.pending:
            part = self.sock.recv(65536)
            if not part:
                return None
            self.pending += part
        head, _, rest = self.pending.partition(HEADER_END)
        size = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                size = int(line[15:])
            if line.startswith(b"expect:"):
                self.server.expected += 1
        while len(rest) < size:
            part = self.sock.recv(65536)
            if not part:
                return None
            rest += part
        self.pending = rest[size:]
        self.server.requests += 1
        return Request(head, rest[:size])

    def read_only(self, size: int) -> None:
        """Takes in so many bytes of a request and leaves the others where they are."""
        while size > 0:
            part = self.sock.recv(min(size, 4096))
            if not part:
                return
            size -= len(part)

    def pass_on(self, request: Request) -> Answer:
        host = self.server.upstream.removeprefix("http://")
        upstream = http.client.HTTPConnection(host, timeout=20)
        first, *lines = request.head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        headers["Host"] = host
        upstream.request(method, path, request.body, headers)
        response = upstream.getresponse()
        answer = Answer(response.status, response.read())
        upstream.close()
        return answer

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes, seconds: float = 0.02) -> None:
        """One byte at a time, until the other side has had enough."""
        for i in range(len(data)):
            self.send(data[i : i + 1])
            if self.server.ended.wait(seconds):
                return

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def serve(self) -> None:
        """Well-behaved until the other side leaves."""
        while request := self.read():
            self.send(self.pass_on(request).whole())
            self.served += 1


Behaviour = Callable[[Line], None]
BEHAVIOURS: dict[str, Behaviour] = {}


def before(name: str) -> Callable[[Behaviour], Behaviour]:
    """Rude before the request reached the server behind."""

    def add(behaviour: Behaviour) -> Behaviour:
        BEHAVIOURS[name] = behaviour
        return behaviour

    return add


def after(name: str, bend: Callable[[Line, Answer], None]) -> None:
    """Rude in the answer to a request that the server behind has stored."""

    def behaviour(line: Line) -> None:
        request = line.read()
        if request is not None:
            bend(line, line.pass_on(request))

    BEHAVIOURS[name] = behaviour


@before("silence")
def silence(line: Line) -> None:
    line.read()
    line.server.ended.wait(60)


@before("stop_reading")
def stop_reading(line: Line) -> None:
    line.read_only(512)
    line.server.ended.wait(60)


@before("reset_at_once")
def reset_at_once(line: Line) -> None:
    line.reset()


for k in (1, 100, 1000):

    @before(f"reset_at_{k}")
    def reset_at(line: Line, k: int = k) -> None:
        line.read_only(k)
        line.reset()


@before("second_dies")
def second_dies(line: Line) -> None:
    """The second request of a connection is stored, and the connection reset."""
    request = line.read()
    if request is not None:
        line.send(line.pass_on(request).whole())
        request = line.read()
    if request is not None:
        line.pass_on(request)
        line.reset()


@before("idle_close")
def idle_close(line: Line) -> None:
    """Closed as soon as the answer is out, without a word in it."""
    request = line.read()
    if request is not None:
        line.send(line.pass_on(request).whole())


@before("proxy_407")
def proxy_407(line: Line) -> None:
    line.read()
    line.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


@before("proxy_502")
def proxy_502(line: Line) -> None:
    line.read()
    line.send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 13\r\n\r\n<html></html>")


@before("not_http")
def not_http(line: Line) -> None:
    line.read()
    line.send(b"220 mail.test ESMTP ready\r\n")


def endless(line: Line, start: bytes, part: bytes) -> None:
    line.send(start)
    while not line.server.ended.is_set():
        line.send(part)


def repeated(text: bytes) -> bytes:
    return text * (65536 // len(text))


after("answer_reset", lambda line, answer: line.reset())
for k in (0, 1, 12, 40, 120):
    after(f"half_answer_{k}", lambda line, answer, k=k: line.send(answer.whole()[:k]))
after("drip", lambda line, answer: line.drip(answer.whole()))
after("header_drip", lambda line, answer: line.drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 999))
after(
    "endless_headers",
    lambda line, answer: endless(line, b"HTTP/1.1 200 OK\r\n", repeated(b"X-Filler: abc\r\n")),
)
after(
    "long_header",
    lambda line, answer: line.send(answer.whole("X-Long: " + "x" * 1_000_000)),
)
after("nul_header", lambda line, answer: line.send(answer.whole("X-Nul: a\0b")))
after("cl_too_large", lambda line, answer: line.send(answer.whole(length=len(answer.body) + 9)))
after("cl_too_small", lambda line, answer: line.send(answer.whole(length=len(answer.body) - 9)))
after("cl_negative", lambda line, answer: line.send(answer.whole(length=-1)))
after("cl_twice", lambda line, answer: line.send(answer.whole("Content-Length: 7")))
after("cl_huge", lambda line, answer: line.send(answer.whole(length=10**30)))
after(
    "cl_and_chunked",
    lambda line, answer: line.send(answer.whole("Transfer-Encoding: chunked")),
)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
after("chunk_no_size", lambda line, answer: line.send(CHUNKED + b"no size\r\n" + answer.body))
after("chunk_huge", lambda line, answer: line.send(CHUNKED + b"f" * 40 + b"\r\n" + answer.body))
after(
    "chunk_cut",
    lambda line, answer: line.send(CHUNKED + f"{len(answer.body):x}\r\n".encode() + answer.body),
)
after(
    "chunk_endless",
    lambda line, answer: endless(line, CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
)
after(
    "body_endless",
    lambda line, answer: endless(line, b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536),
)


def bomb(line: Line, answer: Answer) -> None:
    packed = gzip.compress(bytes(50_000_000))
    line.send(Answer(200, packed).whole("Content-Encoding: gzip"))


def informational(line: Line, answer: Answer) -> None:
    """Not rude but rare: many interim answers, then the real one."""
    for _ in range(20):
        line.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
    line.send(answer.whole())


def trailers(line: Line, answer: Answer) -> None:
    """Not rude but rare: small chunks with extensions, and trailers."""
    data = CHUNKED
    for at in range(0, len(answer.body), 3):
        part = answer.body[at : at + 3]
        data += f"{len(part):X};name=value\r\n".encode() + part + b"\r\n"
    line.send(data + b"0\r\nX-Trailer: yes\r\n\r\n")


after("gzip_bomb", bomb)
after("informational", informational)
after("trailers", trailers)

# ---- TLS ----------------------------------------------------------------------------------------

TLS = (
    "tls_ok",
    "tls_wrong_host",
    "tls_unknown_ca",
    "tls_expired",
    "tls_not_yet",
    "tls_self_signed",
    "tls_old",
    "tls_cut",
    "tls_plain",
)


class Certificates:
    """A certificate authority and a server certificate, made when asked for."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def openssl(self, *arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=60
        )

    def authority(self, name: str) -> str:
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        files = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
        self.openssl("req", "-x509", *key, *files, "-subj", f"/CN={name}", "-days", "2")
        return str(self.folder / f"{name}.pem")

    def server(self, signer: str, profile: str) -> str:
        """Key and certificate of 127.0.0.1, in one file."""
        alt = "IP:127.0.0.1,DNS:two-addresses.test"
        if profile == "tls_wrong_host":
            alt = "DNS:elsewhere.test"
        (self.folder / "alt").write_text(f"subjectAltName={alt}\n")
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        self.openssl("req", *key, "-keyout", "s.key", "-out", "s.csr", "-subj", "/CN=127.0.0.1")
        now = int(time.time())
        first, last = {
            "tls_expired": (now - 200_000, now - 100_000),
            "tls_not_yet": (now + 100_000, now + 200_000),
        }.get(profile, (now - 3600, now + 86400))
        self.sign(signer, first, last)
        both = self.folder / "server.pem"
        both.write_text((self.folder / "s.key").read_text() + (self.folder / "s.pem").read_text())
        return str(both)

    def sign(self, signer: str, first: int, last: int) -> None:
        """`openssl ca` alone takes both ends of the time of validity."""
        (self.folder / "index").write_text("")
        (self.folder / "serial").write_text("01\n")
        (self.folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=a\n[a]\ndatabase=index\nserial=serial\nnew_certs_dir=.\n"
            "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
        )
        span = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(at)) for at in (first, last)]
        self.openssl(
            *("ca", "-batch", "-config", "ca.cnf", "-keyfile", f"{signer}.key"),
            *("-cert", f"{signer}.pem", "-in", "s.csr", "-out", "s.pem", "-notext"),
            *("-startdate", span[0], "-enddate", span[1], "-extfile", "alt"),
        )


def tls_context(folder: pathlib.Path, profile: str) -> tuple[ssl.SSLContext, str]:
    """The server's side of a profile, and the file with the authority to trust."""
    made = Certificates(folder)
    trusted = made.authority("trusted")
    signer = "trusted"
    if profile == "tls_unknown_ca":
        made.authority("unknown")
        signer = "unknown"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if profile == "tls_self_signed":
        made.authority("self")
        both = folder / "server.pem"
        both.write_text((folder / "self.key").read_text() + (folder / "self.pem").read_text())
        context.load_cert_chain(both)
    else:
        context.load_cert_chain(made.server(signer, profile))
    if profile == "tls_old":
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore"):  # being out of date is the point
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context, trusted


# ---- the server ---------------------------------------------------------------------------------


class Rude:
    """One listening socket, a thread for each connection.

    Args:
        profile: A name of BEHAVIOURS or TLS, or "never_accept".
        upstream: The server behind.
        count: Rude things done before everything is passed on unharmed; None: without end.

    Attributes:
        url: Where it listens.
        ca: File with the authority that a client has to trust, None without TLS.
        connections, requests, expected: How many came; the last with an Expect header.
    """

    def __init__(self, profile: str, upstream: str, count: int | None = None) -> None:
        if profile not in (*BEHAVIOURS, *TLS, "never_accept"):
            raise ValueError(f"there is no profile {profile}")
        self.profile = profile
        self.upstream = upstream
        self.left = count
        self.connections = self.requests = self.expected = 0
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.folder = tempfile.TemporaryDirectory(prefix="tidewheel-rude-")
        self.context: ssl.SSLContext | None = None
        self.ca: str | None = None
        if profile in TLS:
            self.context, self.ca = tls_context(pathlib.Path(self.folder.name), profile)
        self.fillers: list[socket.socket] = []
        self.open_lines: set[socket.socket] = set()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if profile == "stop_reading":
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"
        self.thread: threading.Thread | None = None
        if profile == "never_accept":
            self.fill_backlog()
        else:
            self.listener.listen(128)
            self.start()

    def start(self) -> None:
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def fill_backlog(self) -> None:
        """Own connections take every place, so that further handshakes get no answer."""
        self.listener.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self.port))
            self.fillers.append(filler)

    def heal(self) -> None:
        """From now on everything is passed on unharmed."""
        with self.lock:
            self.left = 0
        for filler in self.fillers:
            filler.close()
        if self.profile == "never_accept" and self.thread is None:
            self.listener.listen(128)
            self.start()

    def rude_now(self) -> bool:
        with self.lock:
            if self.left is None:
                return True
            self.left -= 1
            return self.left >= 0

    def accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.attend, args=(sock,), daemon=True).start()

    def attend(self, sock: socket.socket) -> None:
        self.open_lines.add(sock)
        # What a client does to us is its own affair.
        with (
            contextlib.suppress(OSError, http.client.HTTPException, ValueError),
            contextlib.closing(sock),
        ):
            self.treat(sock, self.rude_now())
        self.open_lines.discard(sock)

    def treat(self, sock: socket.socket, rude: bool) -> None:
        if self.profile == "tls_cut" and rude:
            sock.recv(100)
        elif self.profile == "tls_plain" and rude:
            sock.recv(65536)
            sock.sendall(Answer(200, b"{}").whole())
        elif self.context is not None:
            with self.context.wrap_socket(sock, server_side=True) as wrapped:
                Line(self, wrapped).serve()
        elif rude:
            BEHAVIOURS[self.profile](Line(self, sock))
        else:
            Line(self, sock).serve()

    def close(self) -> None:
        self.ended.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in (*self.open_lines, *self.fillers):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for filler in self.fillers:
            filler.close()
        if self.thread is not None:
            self.thread.join()
        self.folder.cleanup()

    def __enter__(self) -> Rude:
        return self

    def __exit__(self, *unused: Any) -> None:
        self.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", required=True)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--count", type=int)
    given = parser.parse_args()
    with Rude(given.profile, given.upstream, given.count) as server:
        print(json.dumps({"url": server.url, "ca": server.ca}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
