# SPDX-License-Identifier: MIT
"""The emulator's MCP server: both eras, OAuth without a browser, tools over what is stored."""

from __future__ import annotations

import base64
import decimal
import gzip
import hashlib
import json
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from emulator_api import Api, Reply

    from tidewheel.emulator import Emulator

MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
# Amplitude's page on the MCP server, read 2026-11-27.
DOCUMENTED = [
    "search",
    "get_from_url",
    "get_context",
    "get_charts",
    "get_dashboard",
    "get_cohorts",
    "get_experiments",
    "get_event_properties",
    "get_session_replays",
    "get_users",
    "query_chart",
    "query_charts",
    "query_dataset",
    "query_experiment",
    "save_chart_edits",
    "create_chart",
    "create_dashboard",
    "create_notebook",
    "create_experiment",
    "create_cohort",
    "get_feedback_insights",
    "get_feedback_comments",
    "get_feedback_mentions",
    "get_feedback_sources",
]


def message(method: str, params: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}, **more}


def post(api: Api, body: Any, token: str | None = None, **headers: str) -> Reply:
    headers.setdefault("Authorization", f"Bearer {token or api.emu.mcp_token}")
    return api.call("POST", "/mcp", json.dumps(body), **headers)


def modern(api: Api, method: str, params: dict[str, Any] | None = None, **headers: str) -> Reply:
    params = {**(params or {}), "_meta": META}
    headers.setdefault("MCP_Protocol_Version", MODERN)
    headers.setdefault("Mcp_Method", method)
    if "name" in params:
        headers.setdefault("Mcp_Name", params["name"])
    return post(api, message(method, params), **headers)


def tool(api: Api, name: str, /, **arguments: Any) -> Any:
    reply = modern(api, "tools/call", {"name": name, "arguments": arguments})
    assert reply.status == 200
    result = reply.json["result"]
    assert result["resultType"] == "complete"
    (part,) = result["content"]
    if result["isError"]:
        return part["text"]
    assert json.loads(part["text"]) == result["structuredContent"]
    return result["structuredContent"]


def error(reply: Reply, status: int, code: int) -> dict[str, Any]:
    assert reply.status == status
    found: dict[str, Any] = reply.json["error"]
    assert found["code"] == code
    return found


def test_the_documented_tools_are_listed(api: Api) -> None:
    result = modern(api, "tools/list").json["result"]
    assert [tool["name"] for tool in result["tools"]] == DOCUMENTED
    assert "nextCursor" not in result
    assert all(tool["inputSchema"]["type"] == "object" for tool in result["tools"])


def test_the_list_has_pages(api: Api, emu: Emulator) -> None:
    emu.switch(mcp_page=10)
    names: list[str] = []
    params: dict[str, Any] = {}
    for size in (10, 10, 4):
        result = modern(api, "tools/list", params).json["result"]
        assert len(result["tools"]) == size
        names += [tool["name"] for tool in result["tools"]]
        params = {"cursor": result.get("nextCursor")}
    assert names == DOCUMENTED
    assert params == {"cursor": None}
    for cursor in ("x", "page-", "page-0", "page-1e9", 7):
        error(modern(api, "tools/list", {"cursor": cursor}), 400, -32602)


def test_an_unauthenticated_call_is_told_where_to_go(api: Api, emu: Emulator) -> None:
    reply = api.call("POST", "/mcp", "{}")
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == (
        'Bearer realm="OAuth", '
        f'resource_metadata="{emu.url}/.well-known/oauth-protected-resource", '
        'error="invalid_request", error_description="Missing authorization header"'
    )
    for wrong in ("Bearer emu-other", "Basic eDp5", "Bearer", "x"):
        reply = api.call("POST", "/mcp", "{}", Authorization=wrong)
        assert reply.status == 401
        assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]


def test_metadata_is_at_the_root_alone(api: Api, emu: Emulator) -> None:
    resource = api.call("GET", "/.well-known/oauth-protected-resource").json
    assert resource == {
        "resource": emu.url,
        "authorization_servers": [emu.url],
        "scopes_supported": ["mcp:read", "mcp:write", "offline_access"],
    }
    assert api.call("GET", "/.well-known/oauth-protected-resource/mcp").status == 404
    server = api.call("GET", "/.well-known/oauth-authorization-server").json
    assert server["authorization_endpoint"] == emu.url + "/authorize"
    assert server["token_endpoint"] == emu.url + "/token"
    assert server["registration_endpoint"] == emu.url + "/register"
    assert server["code_challenge_methods_supported"] == ["S256"]
    assert server["grant_types_supported"] == ["authorization_code", "refresh_token"]
    assert server["token_endpoint_auth_methods_supported"] == ["client_secret_post", "none"]


# ---- OAuth --------------------------------------------------------------------------------

REDIRECT = "http://127.0.0.1:9/back"
VERIFIER = "v" * 43


def registered(api: Api, method: str = "none") -> dict[str, Any]:
    body = {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": method}
    reply = api.call("POST", "/register", json.dumps(body))
    assert reply.status == 201
    found: dict[str, Any] = reply.json
    return found


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def agreed(api: Api, client: dict[str, Any], **more: str) -> dict[str, str]:
    """What comes back to the redirect URI."""
    query = {
        "response_type": "code",
        "client_id": client["client_id"],
        "redirect_uri": REDIRECT,
        "code_challenge": challenge(VERIFIER),
        "code_challenge_method": "S256",
        "state": "a b/&",
        **more,
    }
    reply = api.call("GET", "/authorize?" + urllib.parse.urlencode(query))
    assert reply.status == 302
    where, _, rest = reply.headers["Location"].partition("?")
    assert where == REDIRECT
    return dict(urllib.parse.parse_qsl(rest))


def tokens(api: Api, **form: str) -> Reply:
    return api.call("POST", "/token", urllib.parse.urlencode(form))


def code_form(client: dict[str, Any]) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": client["client_id"],
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }


def exchange(api: Api, client: dict[str, Any], code: str, **more: str) -> Reply:
    return tokens(api, **{**code_form(client), "code": code, **more})


def test_a_code_becomes_a_token_that_ends_and_is_refreshed(api: Api, emu: Emulator) -> None:
    client = registered(api)
    back = agreed(api, client)
    assert back["state"] == "a b/&"
    given = exchange(api, client, back["code"]).json
    assert given["token_type"] == "Bearer"
    assert given["expires_in"] == 3600
    assert post(api, message("initialize"), given["access_token"]).status == 200
    emu.advance(3601)
    assert post(api, message("initialize"), given["access_token"]).status == 401
    again = tokens(
        api,
        grant_type="refresh_token",
        client_id=client["client_id"],
        refresh_token=given["refresh_token"],
    ).json
    assert post(api, message("initialize"), again["access_token"]).status == 200


def test_a_code_counts_once_and_for_its_client_alone(api: Api, emu: Emulator) -> None:
    client, other = registered(api), registered(api)
    code = agreed(api, client)["code"]
    for wrong in (
        {"code_verifier": "w" * 43},
        {"redirect_uri": REDIRECT + "2"},
        {"client_id": other["client_id"]},
        {"code": code[:-1] + ("0" if code[-1] != "0" else "1")},
        {"code": "emu-code"},
    ):
        reply = exchange(api, client, **({"code": code} | wrong))
        assert (reply.status, reply.json["error"]) == (400, "invalid_grant"), wrong
    assert exchange(api, client, code).status == 200
    assert exchange(api, client, code).status == 400
    late = agreed(api, client)["code"]
    emu.advance(61)
    assert exchange(api, client, late).status == 400


def test_a_used_code_stays_used_until_it_has_expired(api: Api) -> None:
    client = registered(api)
    codes = [agreed(api, client)["code"] for _ in range(70)]
    for code in codes:
        assert exchange(api, client, code).status == 200
    for code in codes:
        assert exchange(api, client, code).json["error"] == "invalid_grant"


def compress(state: list[int], block: bytes) -> list[int]:
    """One block of SHA-256 (FIPS 180-4), from any state on."""

    def rotated(x: int, n: int) -> int:
        return (x >> n | x << (32 - n)) & 0xFFFFFFFF

    primes = [n for n in range(2, 312) if all(n % d for d in range(2, n))]
    words = [int.from_bytes(block[i : i + 4], "big") for i in range(0, 64, 4)]
    a, b, c, d, e, f, g, h = state
    for i, prime in enumerate(primes):
        if i >= 16:
            x, y = words[i - 15], words[i - 2]
            low = rotated(x, 7) ^ rotated(x, 18) ^ x >> 3
            high = rotated(y, 17) ^ rotated(y, 19) ^ y >> 10
            words.append((words[i - 16] + low + words[i - 7] + high) & 0xFFFFFFFF)
        with decimal.localcontext(prec=40):
            root = decimal.Decimal(prime) ** (decimal.Decimal(1) / 3)
            k = int((root % 1) * 2**32)
        mixed = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
        one = h + mixed + ((e & f) ^ (~e & g)) + k + words[i]
        mixed = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
        two = mixed + ((a & b) ^ (a & c) ^ (b & c))
        a, b, c, d, e, f, g, h = (one + two) & 0xFFFFFFFF, a, b, c, (d + one) & 0xFFFFFFFF, e, f, g
    return [
        (old + new) & 0xFFFFFFFF for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)
    ]


def extended(digest: str, length: int, more: bytes) -> tuple[bytes, str]:
    """What stands behind a text of this length and hash, and the hash of both together."""

    def padding(n: int) -> bytes:
        return b"\x80" + bytes((55 - n) % 64) + (n * 8).to_bytes(8, "big")

    between = padding(length)
    total = length + len(between)
    rest = more + padding(total + len(more))
    state = [int(digest[i : i + 8], 16) for i in range(0, 64, 8)]
    for at in range(0, len(rest), 64):
        state = compress(state, rest[at : at + 64])
    return between, "".join(f"{word:08x}" for word in state)


def test_a_signature_cannot_be_extended() -> None:
    """The helper above does what its name says."""
    between, forged = extended(hashlib.sha256(b"known").hexdigest(), 5, b" and more")
    assert forged == hashlib.sha256(b"known" + between + b" and more").hexdigest()


def test_a_code_is_no_use_without_its_verifier(api: Api) -> None:
    """Whoever reads a code on its way can neither use it nor make it one for a verifier of his:
    the hash of a secret and a text could be gone on from (length extension)."""
    client = registered(api)
    code = agreed(api, client)["code"]
    *parts, signature = code.split("-")[1:]
    bound = f"{client['client_id']} {REDIRECT} {challenge(VERIFIER)}"
    known = "".join(part + "\0" for part in [*parts, bound]).encode()
    secret_size = 32
    thief = "t" * 43
    behind = f" {challenge(thief)}\0".encode()
    between, forged = extended(signature, secret_size + len(known), behind)
    form = {
        "grant_type": "authorization_code",
        "client_id": client["client_id"],
        "redirect_uri": REDIRECT.encode() + f" {challenge(VERIFIER)}\0".encode() + between,
        "code": code.replace(signature, forged),
        "code_verifier": thief,
    }
    reply = api.call("POST", "/token", urllib.parse.urlencode(form))
    assert (reply.status, reply.json["error"]) == (400, "invalid_grant")
    assert exchange(api, client, code).status == 200


def refreshed(api: Api, client: dict[str, Any], token: str) -> Reply:
    return tokens(
        api, grant_type="refresh_token", client_id=client["client_id"], refresh_token=token
    )


def works(api: Api, token: str) -> bool:
    status = post(api, message("initialize"), token).status
    assert status in (200, 401)
    return status == 200


def test_a_refresh_token_counts_once(api: Api) -> None:
    """One that comes again was stolen, by the first or by the second: both lose the grant."""
    client, other = registered(api), registered(api)
    first = exchange(api, client, agreed(api, client)["code"]).json
    second = refreshed(api, client, first["refresh_token"]).json
    assert second["refresh_token"] != first["refresh_token"]
    assert refreshed(api, other, second["refresh_token"]).status == 400
    assert works(api, first["access_token"])
    assert works(api, second["access_token"])
    untouched = exchange(api, client, agreed(api, client)["code"]).json
    again = refreshed(api, client, first["refresh_token"])
    assert (again.status, again.json["error"]) == (400, "invalid_grant")
    assert refreshed(api, client, second["refresh_token"]).json["error"] == "invalid_grant"
    assert not works(api, first["access_token"])
    assert not works(api, second["access_token"])
    assert works(api, untouched["access_token"])
    assert refreshed(api, client, untouched["refresh_token"]).status == 200


def test_a_code_used_twice_takes_its_tokens_along(api: Api) -> None:
    client = registered(api)
    code = agreed(api, client)["code"]
    given = exchange(api, client, code).json
    assert exchange(api, client, code).status == 400
    assert not works(api, given["access_token"])
    assert refreshed(api, client, given["refresh_token"]).status == 400


def test_a_refresh_token_expires(api: Api, emu: Emulator) -> None:
    client = registered(api)
    given = exchange(api, client, agreed(api, client)["code"]).json
    for _ in range(2):  # each one lives anew
        emu.advance(2592000 - 60)
        given = refreshed(api, client, given["refresh_token"]).json
        assert works(api, given["access_token"])
    emu.advance(2592000)
    reply = refreshed(api, client, given["refresh_token"])
    assert (reply.status, reply.json["error"]) == (400, "invalid_grant")
    emu.switch(mcp_refresh_s=10)
    given = exchange(api, client, agreed(api, client)["code"]).json
    emu.advance(11)
    assert refreshed(api, client, given["refresh_token"]).status == 400
    assert works(api, given["access_token"])


def test_a_token_that_allows_nothing_is_told_so(api: Api) -> None:
    client = registered(api)
    given = exchange(api, client, agreed(api, client, scope="offline_access")["code"]).json
    assert given["scope"] == "offline_access"
    reply = modern(api, "tools/list", Authorization=f"Bearer {given['access_token']}")
    assert reply.status == 403
    assert 'error="insufficient_scope"' in reply.headers["WWW-Authenticate"]
    assert 'scope="mcp:read"' in reply.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/back\r\nX-Made: up",
        "http://127.0.0.1/back\nX",
        "http://127.0.0.1/\x00back",
        "http://127.0.0.1/\x7fback",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\u00e9",
        "http://127.0.0.1/back#part",
        "/only/a/path",
        "127.0.0.1:80/back",
        "://127.0.0.1/",
        'http://127.0.0.1/"quoted"',
        "http://127.0.0.1/{a}",
        "http://127.0.0.1/" + "x" * 16384,
        "http:",
        "",
    ],
)
def test_a_redirect_uri_fits_in_a_header(api: Api, uri: str) -> None:
    for uris in ([uri], [REDIRECT, uri]):
        reply = api.call("POST", "/register", json.dumps({"redirect_uris": uris}))
        assert (reply.status, reply.json["error"]) == (400, "invalid_redirect_uri")
    good = [REDIRECT, "com.example.app:/back", "https://x.example/?a=b&c=%0D%0A"]
    assert api.call("POST", "/register", json.dumps({"redirect_uris": good})).status == 201


def test_scopes_limit_a_token(api: Api) -> None:
    client = registered(api)
    given = exchange(api, client, agreed(api, client, scope="mcp:read")["code"]).json
    assert "refresh_token" not in given
    call = {"name": "create_chart", "arguments": {}}
    bearer = f"Bearer {given['access_token']}"
    assert modern(api, "tools/list", Authorization=bearer).status == 200
    reply = modern(api, "tools/call", call, Authorization=bearer)
    assert reply.status == 403
    assert 'error="insufficient_scope"' in reply.headers["WWW-Authenticate"]


def test_scopes_are_named_as_given(api: Api) -> None:
    """A list of scopes has one blank between two, and no other (RFC 6749, 3.3)."""
    client = registered(api)
    for asked, given in (
        ("mcp:read", "mcp:read"),
        ("mcp:write mcp:read", "mcp:read mcp:write"),
        ("offline_access something_else mcp:write", "mcp:write offline_access"),
        ("", "mcp:read mcp:write offline_access"),
    ):
        code = agreed(api, client, scope=asked)["code"]
        assert exchange(api, client, code).json["scope"] == given


def test_a_refresh_may_ask_for_less(api: Api) -> None:
    client = registered(api)
    scope = "mcp:read offline_access"
    given = exchange(api, client, agreed(api, client, scope=scope)["code"]).json

    def refresh(token: str, asked: str) -> Reply:
        form = {"grant_type": "refresh_token", "client_id": client["client_id"]}
        return tokens(api, **form, refresh_token=token, scope=asked)

    for wider in ("mcp:write", "mcp:read mcp:write", "everything"):
        reply = refresh(given["refresh_token"], wider)
        assert (reply.status, reply.json["error"]) == (400, "invalid_scope")
    less = refresh(given["refresh_token"], "mcp:read").json
    assert less["scope"] == "mcp:read"
    assert works(api, less["access_token"])
    nothing = refresh(less["refresh_token"], "offline_access").json
    bearer = f"Bearer {nothing['access_token']}"
    assert modern(api, "tools/list", Authorization=bearer).status == 403
    assert refresh(nothing["refresh_token"], "").json["scope"] == scope


def test_what_is_missing_in_a_token_request(api: Api) -> None:
    client = registered(api)
    code = agreed(api, client)["code"]
    form = {**code_form(client), "code": code}
    for name in ("grant_type", "code", "redirect_uri", "code_verifier"):
        reply = tokens(api, **{**form, name: ""})
        assert (reply.status, reply.json["error"]) == (400, "invalid_request"), name
    reply = refreshed(api, client, "")
    assert (reply.status, reply.json["error"]) == (400, "invalid_request")
    assert exchange(api, client, code).status == 200


@pytest.mark.parametrize("verifier", ["short", "v" * 129, "v" * 42 + "+"])
def test_a_verifier_is_of_the_form_that_the_standard_has(api: Api, verifier: str) -> None:
    client = registered(api)
    code = agreed(api, client, code_challenge=challenge(verifier))["code"]
    reply = exchange(api, client, code, code_verifier=verifier)
    assert (reply.status, reply.json["error"]) == (400, "invalid_grant")


def test_a_used_code_does_not_come_back_with_the_clock(api: Api, emu: Emulator) -> None:
    emu.switch(mcp_refresh_s=1, mcp_token_s=1)
    client = registered(api)
    code, unused = (agreed(api, client)["code"] for _ in range(2))
    assert exchange(api, client, code).status == 200
    emu.advance(120)
    assert exchange(api, client, agreed(api, client)["code"]).status == 200
    emu.advance(-120)
    assert exchange(api, client, code).json["error"] == "invalid_grant"
    assert exchange(api, client, unused).status == 200
    assert exchange(api, client, agreed(api, client)["code"]).status == 200


def test_other_methods_of_the_sign_in(api: Api) -> None:
    for method, path in (("GET", "/token"), ("GET", "/register"), ("POST", "/authorize")):
        reply = api.call(method, path)
        assert (reply.status, reply.body) == (405, b"")


def test_a_confidential_client_needs_its_secret(api: Api) -> None:
    client = registered(api, "client_secret_post")
    code = agreed(api, client)["code"]
    assert exchange(api, client, code).status == 401
    assert exchange(api, client, code, client_secret=client["client_secret"]).status == 200


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "+" * 43}, "invalid_request"),
        ({"code_challenge": "c" * 129}, "invalid_request"),
        ({"scope": "everything"}, "invalid_scope"),
    ],
)
def test_bad_authorization_requests(api: Api, change: dict[str, str], answer: str) -> None:
    assert agreed(api, registered(api), **change)["error"] == answer


def test_unknown_clients_are_not_redirected(api: Api) -> None:
    assert api.call("GET", "/authorize?client_id=x&redirect_uri=http://evil").status == 400
    for body in ("", "[]", "{}", '{"redirect_uris":[]}', '{"redirect_uris":[1]}'):
        assert api.call("POST", "/register", body).status == 400
    assert tokens(api, grant_type="refresh_token", client_id="x").status == 401
    client = registered(api)["client_id"]
    assert tokens(api, grant_type="password", client_id=client).status == 400


def test_tokens_are_not_recorded(api: Api, emu: Emulator) -> None:
    client = registered(api)
    given = exchange(api, client, agreed(api, client)["code"]).json
    post(api, message("initialize"), given["access_token"])
    text = json.dumps(emu.journal())
    assert given["access_token"] not in text
    assert base64.b64encode(given["refresh_token"].encode()).decode() not in text
    assert VERIFIER not in text


# ---- 2026-07-28 ---------------------------------------------------------------------------


def test_headers_repeat_the_body(api: Api) -> None:
    call = {"name": "get_context"}
    assert modern(api, "tools/call", call).status == 200
    encoded = "=?base64?" + base64.b64encode(b"get_context").decode() + "?="
    assert modern(api, "tools/call", call, Mcp_Name=encoded).status == 200
    for wrong in (
        {"Mcp_Name": "get_users"},
        {"Mcp_Method": "tools/list"},
        {"MCP_Protocol_Version": "2025-11-25"},
    ):
        error(modern(api, "tools/call", call, **wrong), 400, -32020)
    body = message("tools/list", {"_meta": META})
    error(post(api, body, MCP_Protocol_Version=MODERN), 400, -32020)


def test_what_is_wrong_with_a_modern_request(api: Api) -> None:
    error(post(api, "x", MCP_Protocol_Version=MODERN), 400, -32600)
    error(api.call("POST", "/mcp", "{", Authorization=f"Bearer {api.emu.mcp_token}"), 400, -32700)
    good = message("server/discover", {"_meta": META})
    bearer = {"MCP_Protocol_Version": MODERN, "Mcp_Method": "server/discover"}
    assert post(api, good, **bearer).status == 200
    assert post(api, {**good, "id": "one"}, **bearer).json["id"] == "one"
    for wrong in (
        {"jsonrpc": "1.0"},
        {"jsonrpc": 2.0},
        {"jsonrpc": None},
        {"id": None},
        {"id": [1]},
        {"id": True},
        {"params": [META]},
        {"params": None},
        {"method": None},
    ):
        error(post(api, {**good, **wrong}, **bearer), 400, -32600)
    error(post(api, {k: v for k, v in good.items() if k != "jsonrpc"}, **bearer), 400, -32600)
    error(modern(api, "resources/list"), 404, -32601)
    error(modern(api, "initialize"), 404, -32601)
    error(modern(api, "tools/call", {"name": "no_such"}), 200, -32602)
    error(post(api, message("tools/list", {}), MCP_Protocol_Version=MODERN), 400, -32602)
    later = {**META, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    reply = post(
        api,
        message("tools/list", {"_meta": later}),
        MCP_Protocol_Version="2099-01-01",
        Mcp_Method="tools/list",
    )
    data = error(reply, 400, -32022)["data"]
    assert data["requested"] == "2099-01-01"
    assert MODERN in data["supported"]


def test_discovery(api: Api) -> None:
    result = modern(api, "server/discover").json["result"]
    assert result["supportedVersions"] == [MODERN]
    assert result["capabilities"] == {"tools": {}}


def test_a_page_of_another_site_is_refused(api: Api) -> None:
    assert modern(api, "tools/list", Origin="https://evil.example").status == 403
    assert modern(api, "tools/list", Origin="http://localhost:3000").status == 200


def test_other_methods(api: Api, emu: Emulator) -> None:
    bearer = f"Bearer {emu.mcp_token}"
    assert api.call("GET", "/mcp", Authorization=bearer).status == 405
    assert api.call("DELETE", "/mcp", Authorization=bearer).status == 400
    assert api.call("DELETE", "/mcp", Authorization=bearer, Mcp_Session_Id="x").status == 404
    emu.switch(mcp_era="modern")
    assert api.call("DELETE", "/mcp", Authorization=bearer).status == 405
    assert api.call("GET", "/mcp/x").status == 404


def test_answers_may_be_streams(api: Api, emu: Emulator) -> None:
    emu.switch(mcp_reply="stream")
    reply = modern(api, "tools/list", Accept="application/json, text/event-stream")
    assert reply.headers["Content-Type"] == "text/event-stream"
    lines = reply.body.decode().split("\n")
    messages = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    assert messages[0]["method"] == "notifications/message"
    assert len(messages[1]["result"]["tools"]) == 24
    assert "application/json" in modern(api, "tools/list").headers["Content-Type"]


def test_a_body_that_did_not_come_in_whole_is_refused(api: Api, emu: Emulator) -> None:
    client = registered(api)
    code = agreed(api, client)["code"]
    form = {**code_form(client), "code": code}
    bodies = {
        "/register": json.dumps({"redirect_uris": [REDIRECT]}),
        "/token": urllib.parse.urlencode(form),
        "/mcp": json.dumps(message("initialize")),
    }
    for path, text in bodies.items():
        for status, body, coding in (
            (413, gzip.compress(text.encode() + b" " * 26_000_000, 1), "gzip"),
            (400, gzip.compress(text.encode())[:-9], "gzip"),
            (400, text.encode(), "br"),
        ):
            bearer = f"Bearer {emu.mcp_token}"
            reply = api.call("POST", path, body, Content_Encoding=coding, Authorization=bearer)
            assert reply.status == status, path
            assert "error" in reply.json
    assert exchange(api, client, code).status == 200


# ---- the versions before ------------------------------------------------------------------


def test_a_handshake_opens_a_session(api: Api, emu: Emulator) -> None:
    reply = post(api, message("initialize", {"protocolVersion": "2025-06-18"}))
    assert reply.json["result"]["protocolVersion"] == "2025-06-18"
    session = {"Mcp_Session_Id": reply.headers["Mcp-Session-Id"]}
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert post(api, note, **session).status == 202
    result = post(api, message("tools/list"), MCP_Protocol_Version="2025-06-18", **session).json
    assert len(result["result"]["tools"]) == 24
    assert "resultType" not in result["result"]
    assert post(api, message("ping"), **session).json["result"] == {}
    error(post(api, message("nothing"), **session), 200, -32601)
    error(post(api, message("tools/list")), 400, -32000)
    bearer = f"Bearer {emu.mcp_token}"
    assert api.call("DELETE", "/mcp", Authorization=bearer, **session).status == 200
    error(post(api, message("tools/list"), **session), 404, -32001)


def test_an_unknown_version_is_answered_with_ours(api: Api) -> None:
    reply = post(api, message("initialize", {"protocolVersion": "1.0"}))
    assert reply.json["result"]["protocolVersion"] == "2025-11-25"


def test_an_old_server_does_not_know_the_new_way(api: Api, emu: Emulator) -> None:
    emu.switch(mcp_era="legacy")
    error(modern(api, "tools/list"), 400, -32000)
    emu.switch(mcp_era="modern")
    error(post(api, message("initialize")), 400, -32602)


# ---- tools --------------------------------------------------------------------------------


@pytest.fixture
def shop(api: Api, emu: Emulator) -> Api:
    events = [
        {"user_id": f"shopper-{n}", "event_type": "buy", "time": 1772352000000, "insert_id": str(n)}
        for n in range(3)
    ]
    body = json.dumps({"api_key": emu.api_key, "events": events})
    assert api.call("POST", "/2/httpapi", body).status == 200
    return api


QUERY = '/api/2/events/segmentation?e={"event_type":"buy"}&start=20260301&end=20260301'
SAVED = urllib.parse.quote(QUERY, safe="/?=&")


def test_charts_are_saved_found_and_computed(shop: Api) -> None:
    assert tool(shop, "create_chart", id="c1", name="Buyers", query=SAVED) == {"chart_id": "c1"}
    assert [chart["id"] for chart in tool(shop, "get_charts")["charts"]] == ["c1"]
    answer = tool(shop, "query_chart", chart_id="c1")
    assert answer["answer"]["data"]["series"] == [[3]]
    assert tool(shop, "query_dataset", query=SAVED) == answer["answer"]
    both = tool(shop, "query_charts", chart_ids=["c1", "c1"])["charts"]
    assert both == [answer, answer]
    found = tool(shop, "search", query="BUY")["results"]
    assert {"type": "chart", "id": "c1", "name": "Buyers"} in found
    assert {"type": "event", "id": "buy", "name": "buy"} in found
    assert tool(shop, "search", query="nothing like it") == {"results": []}
    url = "https://app.amplitude.com/analytics/org/chart/c1?x=1"
    assert tool(shop, "get_from_url", url=url)["name"] == "Buyers"


def test_reading_tools_answer_as_the_apis_do(shop: Api, emu: Emulator) -> None:
    assert tool(shop, "get_users", user="shopper-1")["matches"][0]["user_id"] == "shopper-1"
    assert tool(shop, "get_cohorts")["cohorts"] == []
    assert tool(shop, "get_event_properties")["data"] == []
    assert tool(shop, "get_context")["project"]["app_id"] == emu.app_id


def test_failing_tools_say_why(shop: Api) -> None:
    assert tool(shop, "query_chart", chart_id="c9") == "There is no chart of this id."
    assert "required" in tool(shop, "query_chart")
    assert "required" in tool(shop, "get_users")
    assert "path of an analytics" in tool(shop, "query_dataset", query="/api/2/nothing")
    assert "nothing of this kind" in tool(shop, "get_dashboard")
    assert "nothing of this kind" in tool(shop, "get_feedback_sources")
    assert "id" in tool(shop, "create_chart", name="x", query=SAVED)
    assert "URLs of charts" in tool(shop, "get_from_url", url="https://x/dashboard/1")


def test_at_most_three_charts_at_once(shop: Api) -> None:
    tool(shop, "create_chart", id="c1", query=SAVED)
    assert "three" in tool(shop, "query_charts", chart_ids=["c1"] * 4)
    assert "no chart" in tool(shop, "query_charts", chart_ids=["c1", "c2"])
