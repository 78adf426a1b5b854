# SPDX-License-Identifier: MIT
"""Plain standard-library client for the emulator: its tests must not lean on our own client."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import gzip
import http.client
import io
import json
import urllib.parse
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidewheel.emulator import Emulator


@dataclasses.dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def details(self) -> str:
        """Text of a Dashboard error."""
        error = self.json["error"]
        assert error["http_code"] == self.status
        assert error["type"] == "unspecified"
        assert error["message"] == "Unspecified Error"
        return str(error["metadata"]["details"])


class Api:
    """One keep-alive connection to an emulator."""

    def __init__(self, emu: Emulator) -> None:
        self.emu = emu
        self.connection = http.client.HTTPConnection(emu.url.removeprefix("http://"), timeout=20)

    @property
    def basic(self) -> dict[str, str]:
        pair = f"{self.emu.api_key}:{self.emu.secret_key}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}

    def call(
        self, method: str, path: str, body: bytes | str | None = None, **headers: str
    ) -> Reply:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, names)
        response = self.connection.getresponse()
        return Reply(response.status, dict(response.getheaders()), response.read())

    def get(self, path: str, **query: object) -> Reply:
        text = urllib.parse.urlencode(query, doseq=True)
        return self.call("GET", f"{path}?{text}" if text else path, **self.basic)

    def post(self, path: str, body: object) -> Reply:
        return self.call("POST", path, json.dumps(body), **self.basic)

    def upload(self, *events: dict[str, Any], path: str = "/2/httpapi", **keys: Any) -> Reply:
        body = {"api_key": self.emu.api_key, "events": list(events), **keys}
        return self.call("POST", path, json.dumps(body), Content_Type="application/json")

    def form(self, path: str, identification: object, **fields: str) -> Reply:
        body = urllib.parse.urlencode(
            {
                "api_key": self.emu.api_key,
                "identification": json.dumps(identification),
                **fields,
            }
        )
        kind = "application/x-www-form-urlencoded"
        return self.call("POST", path, body, Content_Type=kind)

    def rest(self, answer: http.client.HTTPResponse) -> bytes:
        """The rest of a stalled answer whose head has come: one move of the clock ends it."""
        self.emu.advance(10**7)
        return answer.read()

    def around_now(self) -> dict[str, str]:
        """A window of 60 days around the emulator's present."""
        clock = json.loads(self.emu._core.control("GET", "/clock")[1])
        now = datetime.datetime.fromtimestamp(clock["now_ms"] / 1000, datetime.UTC)
        span = datetime.timedelta(days=30)
        return {"start": f"{now - span:%Y%m%dT%H}", "end": f"{now + span:%Y%m%dT%H}"}

    def archive(self) -> zipfile.ZipFile:
        reply = self.get("/api/2/export", **self.around_now())
        assert reply.status == 200, reply.body
        return zipfile.ZipFile(io.BytesIO(reply.body))

    def lines(self) -> list[bytes]:
        archive = self.archive()
        return [
            line
            for name in archive.namelist()
            for line in gzip.decompress(archive.read(name)).splitlines(keepends=True)
        ]

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]


def event(n: int = 0, **keys: Any) -> dict[str, Any]:
    return {"user_id": f"user-{n:04d}", "event_type": "Basket Opened", **keys}
