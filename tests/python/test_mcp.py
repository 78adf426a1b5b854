# SPDX-License-Identifier: MIT
"""The MCP server through the client, against the emulator in all its ways of speaking."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import operator
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tidewheel

from .conftest import API_KEY, SECRET_KEY, Answer, MakeClient, Request, Server, forks

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "mcp.json").read_text())
TOKEN = "emu-token-canary-0123456789"
CHART = {
    "id": "c1",
    "name": "Buyers",
    "query": "/api/2/events/segmentation?e=%7B%22event_type%22%3A%22buy%22%7D"
    "&start=20260301&end=20260301",
}


@pytest.fixture
def emu() -> Iterator[tidewheel.Emulator]:
    with tidewheel.Emulator(mcp_token=TOKEN) as emulator:
        yield emulator


def options(emu: tidewheel.Emulator, token: str | None = TOKEN) -> dict[str, Any]:
    return {
        "api_key": emu.api_key,
        "secret_key": emu.secret_key,
        "base_url": emu.url,
        "mcp_token": token,
    }


@pytest.fixture
def client(emu: tidewheel.Emulator) -> Iterator[tidewheel.Client]:
    with tidewheel.Client(**options(emu)) as made:
        yield made


def wire(emu: tidewheel.Emulator) -> list[tuple[str, int]]:
    return [(entry["method"], entry["status"]) for entry in emu.journal()]


@pytest.mark.parametrize("era", ["both", "modern", "legacy"])
@pytest.mark.parametrize("reply", ["json", "stream"])
def test_tools_and_calls(
    emu: tidewheel.Emulator, client: tidewheel.Client, era: str, reply: str
) -> None:
    emu.switch(mcp_era=era, mcp_reply=reply, mcp_page=10)
    tools = client.mcp.tools()
    assert len(tools) == 24
    assert tools[0].name == "search"
    assert tools[10].input_schema["required"] == ["chart_id"]
    assert tools[10].annotations == {"readOnlyHint": True}
    assert tools[10].data["inputSchema"] == tools[10].input_schema
    client.track(
        {"event_type": "buy", "user_id": "user-ada", "time": 1772352000000, "insert_id": "1"}
    )
    client.flush()
    assert client.mcp.call("create_chart", CHART).structured_content == {"chart_id": "c1"}
    result = client.mcp.call("query_chart", {"chart_id": "c1"}, timeout=30)
    assert not result.is_error
    assert result.structured_content["answer"]["data"]["series"] == [[1]]
    assert json.loads(result.text) == result.structured_content
    assert result.data["structuredContent"] == result.structured_content


def test_the_handshake_is_made_once(emu: tidewheel.Emulator, client: tidewheel.Client) -> None:
    emu.switch(mcp_era="legacy")
    for _ in range(3):
        client.mcp.tools()
    assert wire(emu) == [("POST", 400), ("POST", 200), ("POST", 202)] + [("POST", 200)] * 3


def test_a_failing_tool_is_a_result(client: tidewheel.Client) -> None:
    result = client.mcp.call("query_chart", {"chart_id": "none"})
    assert result.is_error
    assert result.text == "There is no chart of this id."
    assert result.structured_content is None


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_refusals_are_rpc_errors(
    emu: tidewheel.Emulator, client: tidewheel.Client, era: str
) -> None:
    emu.switch(mcp_era=era)
    with pytest.raises(tidewheel.RpcError, match="no_such_tool") as caught:
        client.mcp.call("no_such_tool")
    assert caught.value.rpc_code == -32602
    assert caught.value.stored == "no"
    assert caught.value.code == "rpc"
    with pytest.raises(tidewheel.RpcError) as caught:
        client.mcp.request("resources/list")
    assert caught.value.rpc_code == -32601


def test_raw_requests(client: tidewheel.Client, emu: tidewheel.Emulator) -> None:
    assert client.mcp.request("server/discover")["supportedVersions"] == ["2026-07-28"]
    emu.switch(mcp_page=5)
    page = client.mcp.request("tools/list", {"cursor": "page-20", "_meta": {"progressToken": 7}})
    assert [tool["name"] for tool in page["tools"]][-1] == "get_feedback_sources"
    reply = client.call("mcp.call", name="get_context", arguments={})
    assert reply["is_error"] is False


def test_without_a_token_nothing_is_sent(emu: tidewheel.Emulator) -> None:
    with tidewheel.Client(**options(emu, None)) as client:
        with pytest.raises(tidewheel.ConfigError) as caught:
            client.mcp.tools()
        assert caught.value.field == "mcp_token"
        assert wire(emu) == []
        client.mcp.set_token(TOKEN)
        assert len(client.mcp.tools()) == 24
        client.mcp.set_token(None)
        with pytest.raises(tidewheel.ConfigError):
            client.mcp.call("get_context")


def test_an_error_does_not_hold_a_secret_that_is_no_text(client: tidewheel.Client) -> None:
    with pytest.raises(tidewheel.ConfigError, match="mcp_token was refused") as caught:
        client.mcp.set_token(TOKEN + "\udc80")
    texts = [repr(caught.value), repr(vars(caught.value)), repr(caught.value.__context__)]
    for option in ("mcp_token", "secret_key", "api_key"):
        options = {"api_key": "emu", "secret_key": "emu", option: TOKEN + "\udc80"}
        with pytest.raises(ValueError, match=f"option {option} held a lone surrogate") as caught:
            tidewheel.Client(**options)
        texts += [repr(caught.value), repr(caught.value.__context__)]
    assert TOKEN not in "".join(texts)


def filled(value: Any) -> Any:
    """A value of the vectors."""
    if isinstance(value, dict) and "repeat" in value:
        return value["repeat"] * value["times"]
    if isinstance(value, dict):
        return {name: filled(one) for name, one in value.items()}
    return value


@pytest.mark.parametrize("index", range(len(VECTORS["tokens"])))
def test_texts_that_are_no_tokens(client: tidewheel.Client, index: int) -> None:
    token = filled(VECTORS["tokens"][index])
    with pytest.raises(tidewheel.ConfigError) as caught:
        client.mcp.set_token(token)
    assert caught.value.field == "mcp_token"
    with pytest.raises(tidewheel.ConfigError) as caught:
        tidewheel.Client(api_key="emu", mcp_token=token)
    assert caught.value.field == "mcp_token"
    assert len(client.mcp.tools()) == 24  # the old one counts on


@pytest.mark.parametrize("case", VECTORS["refused"], ids=operator.itemgetter("name"))
def test_what_is_refused(
    emu: tidewheel.Emulator, client: tidewheel.Client, case: dict[str, Any]
) -> None:
    with pytest.raises(tidewheel.TidewheelError) as caught:
        client.call(case["endpoint"], **filled(case["arguments"]))
    assert caught.value.code == case["error"]["code"]
    assert caught.value.field == case["error"]["field"]
    assert case["error"]["rule"] in str(caught.value)
    assert caught.value.stored == "no"
    assert wire(emu) == []


def test_a_refused_token_tells_where_to_go(
    emu: tidewheel.Emulator, client: tidewheel.Client
) -> None:
    client.mcp.set_token("emu-wrong-token-canary")
    with pytest.raises(tidewheel.AuthError) as caught:
        client.mcp.tools()
    error = caught.value
    assert error.http_status == 401
    assert error.resource_metadata == emu.url + "/.well-known/oauth-protected-resource"
    assert "expired" in str(error)
    assert len(wire(emu)) == 1  # a wrong token is not tried as an older version
    client.mcp.set_token(TOKEN)
    assert len(client.mcp.tools()) == 24


def test_an_expired_session_is_made_anew(emu: tidewheel.Emulator, client: tidewheel.Client) -> None:
    emu.switch(mcp_era="legacy")
    client.mcp.tools()
    with tidewheel.Client(**options(emu)) as other:  # 64 sessions are kept
        for _ in range(64):
            other.mcp.set_token(TOKEN)
            other.mcp.request("ping")
    assert len(client.mcp.tools()) == 24


@pytest.mark.parametrize("arguments", [[1], "text", 7])
def test_arguments_are_an_object(client: tidewheel.Client, arguments: Any) -> None:
    with pytest.raises(tidewheel.ValidationError) as caught:
        client.mcp.call("get_context", arguments)
    assert caught.value.field == "arguments"


def test_the_token_is_seen_nowhere(
    emu: tidewheel.Emulator, client: tidewheel.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client.mcp.tools()
    texts = [
        repr(client),
        repr(client.mcp),
        json.dumps(client.describe()),
        json.dumps(emu.journal()),
    ]
    assert client.describe()["options"]["mcp_token"] == "***"
    for name in (f"x {TOKEN}", "y"):
        with pytest.raises(tidewheel.RpcError) as caught:
            client.mcp.call(name)
        texts.append(str(caught.value))
    assert TOKEN not in "".join(texts) + caplog.text


def test_the_token_goes_to_the_mcp_host_alone(server: Server, make_client: MakeClient) -> None:
    server.answer = lambda _: Answer(200, b'{"data":{}}')
    client = make_client(server.url, mcp_token=TOKEN, mcp_url="http://127.0.0.1:1")
    client.track({"event_type": "a", "user_id": "user-ada"})
    client.raw("users.search", query={"user": "x"})
    with pytest.raises(tidewheel.TransportError):
        client.mcp.tools()
    assert len(server.requests) >= 1
    assert all(TOKEN not in str(request) for request in server.requests)


def test_a_server_that_echoes_the_token(server: Server, make_client: MakeClient) -> None:
    body = json.dumps({"error": "invalid_token", "error_description": f"bad: {TOKEN}"}).encode()
    challenge = f'Bearer resource_metadata="https://x.example/{TOKEN}"'
    server.answer = lambda _: Answer(401, body, {"WWW-Authenticate": challenge})
    client = make_client(server.url, mcp_token=TOKEN)
    with pytest.raises(tidewheel.AuthError) as caught:
        client.mcp.tools()
    assert TOKEN not in str(caught.value)
    assert caught.value.resource_metadata == "https://x.example/***"
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert API_KEY not in str(server.requests)
    assert SECRET_KEY not in str(server.requests)


def modern(answer: Callable[[dict[str, Any]], Answer]) -> Callable[[Request], Answer]:
    """A server of the new era: `answer` makes the answers to what is no probe."""

    def made(request: Request) -> Answer:
        body = json.loads(request.body)
        if body["method"] == "server/discover":
            return result(body, {"supportedVersions": ["2026-07-28"]})
        return answer(body)

    return made


def result(body: dict[str, Any], value: Any) -> Answer:
    text = json.dumps({"jsonrpc": "2.0", "id": body["id"], "result": value})
    return Answer(200, text.encode(), {"Content-Type": "application/json"})


@pytest.mark.parametrize("status", [404, 422, 502, 503])
def test_a_tool_is_called_once(server: Server, make_client: MakeClient, status: int) -> None:
    calls = []

    def answer(body: dict[str, Any]) -> Answer:
        calls.append(body)
        return Answer(status)

    server.answer = modern(answer)
    client = make_client(server.url, mcp_token=TOKEN)
    with pytest.raises(tidewheel.TidewheelError) as caught:
        client.mcp.call("create_chart", {})
    assert caught.value.stored == ("maybe" if status >= 500 else "no")
    assert [body["method"] for body in calls] == ["tools/call"]


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_an_answer_that_is_too_long(server: Server, make_client: MakeClient, kind: str) -> None:
    long = b"x" * (65 << 20)

    def answer(body: dict[str, Any]) -> Answer:
        text = json.dumps({"jsonrpc": "2.0", "id": body["id"], "result": {"content": [], "x": ""}})
        data = text.encode().replace(b'""', b'"' + long + b'"')
        return Answer(200, b"data: " + data + b"\n\n", {"Content-Type": kind})

    server.answer = modern(answer)
    client = make_client(server.url, mcp_token=TOKEN)
    with pytest.raises(tidewheel.ProtocolError, match="longer than 67108864 bytes"):
        client.mcp.call("t")


def test_the_timeout_is_for_all_pages(server: Server, make_client: MakeClient) -> None:
    pages = itertools.count()
    over = threading.Event()

    def answer(body: dict[str, Any]) -> Answer:
        if next(pages) == 2:
            over.wait(30)
        return result(body, {"tools": [], "nextCursor": str(body["id"])})

    server.answer = modern(answer)
    client = make_client(server.url, mcp_token=TOKEN)
    try:
        with pytest.raises(tidewheel.DeadlineError, match=r"longer than 0\.5 seconds"):
            client.mcp.tools(timeout=0.5)
    finally:
        over.set()


def test_parts_without_text(server: Server, make_client: MakeClient) -> None:
    parts = [{"type": "text"}, {"type": "text", "text": 7}, {"type": "text", "text": "a"}, {}]
    server.answer = modern(lambda body: result(body, {"content": parts}))
    client = make_client(server.url, mcp_token=TOKEN)
    got = client.mcp.call("t")
    assert got.text == "a"
    assert list(got.content) == parts


def test_input_that_is_asked_for(server: Server, make_client: MakeClient) -> None:
    asked = {"resultType": "input_required", "inputRequests": {"a": {}}, "requestState": "s"}
    server.answer = modern(lambda body: result(body, asked))
    client = make_client(server.url, mcp_token=TOKEN)
    with pytest.raises(tidewheel.ProtocolError, match="input_required") as caught:
        client.mcp.call("t")
    assert caught.value.stored == "maybe"
    assert client.mcp.request("tools/call", {"name": "t"}) == asked


def test_async(emu: tidewheel.Emulator) -> None:
    async def main() -> None:
        async with tidewheel.AsyncClient(**options(emu, None)) as client:
            client.mcp.set_token(TOKEN)
            assert len(await client.mcp.tools()) == 24
            results = await asyncio.gather(
                *(client.mcp.call("query_chart", {"chart_id": str(n)}) for n in range(20))
            )
            assert all(result.is_error for result in results)
            found = await client.mcp.request("server/discover")
            assert found["capabilities"] == {"tools": {}}

    asyncio.run(main())


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_calls_that_begin_together_ask_once(emu: tidewheel.Emulator, era: str) -> None:
    emu.switch(mcp_era=era)

    async def main() -> None:
        async with tidewheel.AsyncClient(**options(emu)) as client:
            lists = await asyncio.gather(*(client.mcp.tools() for _ in range(20)))
            assert [len(tools) for tools in lists] == [24] * 20

    asyncio.run(main())
    before = {"modern": [200], "legacy": [400, 200, 202]}[era]
    assert wire(emu) == [("POST", status) for status in before + [200] * 20]


@forks
def test_a_forked_child_has_the_token(client: tidewheel.Client) -> None:
    client.mcp.set_token(TOKEN)
    assert len(client.mcp.tools()) == 24
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if len(client.mcp.tools()) == 24 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(client.mcp.tools()) == 24
