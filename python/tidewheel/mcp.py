# SPDX-License-Identifier: MIT
"""The hosted MCP server: its tools, called as a signed-in user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ._calls import Area, AsyncArea, identity, one, row
from .jobs import AsyncJob

__all__ = ["AsyncMcp", "Mcp", "Tool", "ToolResult"]


class Tool(NamedTuple):
    """A tool that the server offers.

    Attributes:
        name: What call() takes.
        title: Name for people, or None.
        description: What it does, for whoever chooses; written by the server.
        input_schema: JSON schema of its arguments, as it came.
        output_schema: JSON schema of its structured content, or None.
        annotations: Hints of the server about its behaviour, or None.
        data: The whole object as it came.
    """

    name: str
    title: str | None
    description: str | None
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None
    annotations: Mapping[str, Any] | None
    data: Mapping[str, Any]


class ToolResult(NamedTuple):
    """What a tool answered.

    Attributes:
        content: Parts, such as {"type": "text", "text": ...}.
        text: The parts that are text, one after the other on lines of their own.
        structured_content: The same as a JSON value, or None.
        is_error: The tool itself failed; its content says why. It is a result and not an
            exception: the words are meant for whoever chose the tool and its arguments.
        data: The whole result as it came.
    """

    content: tuple[Mapping[str, Any], ...]
    text: str
    structured_content: Any
    is_error: bool
    data: Mapping[str, Any]


def _tools(answer: list[dict[str, Any]]) -> tuple[Tool, ...]:
    return tuple(row(Tool, tool) for tool in answer)


def _result(answer: dict[str, Any]) -> ToolResult:
    structured = answer["structured_content"]  # a list of it stays a list
    return one(ToolResult)(answer)._replace(structured_content=structured)


class Mcp(Area):
    """`client.mcp`: the MCP server that Amplitude hosts. Which tools there are only it knows.

    It takes the OAuth access token of a user (option `mcp_token`), not the keys of the project,
    and lets the user do what the user may do. The server is spoken to as it wants: MCP 2026-07-28,
    or with the handshake of 2025-11-25 and before.
    """

    __slots__ = ()

    def set_token(self, token: str | None) -> None:
        """Use another token from the next call on, in the whole client: tokens expire.

        Args:
            token: The access token alone, without "Bearer"; None for none.

        Raises:
            ConfigError: The text cannot be a token (an empty one neither).
        """
        self._client.set_mcp_token(token)

    def tools(self, *, timeout: float | None = None) -> tuple[Tool, ...]:
        """All tools of the server, whatever number of pages it needs.

        Args:
            timeout: Seconds for all pages together; where None, each request has the option
                dash_timeout.

        Raises:
            ConfigError: The client has no token.
            AuthError: The token was refused, or has expired: `resource_metadata` says where to
                ask for one, where the server does.
            RpcError: The server refused the request.
            DeadlineError: The time was over.
            ProtocolError: The list had no end (a cursor came twice, more than 100 pages), or the
                answer was longer than 64 MiB.
        """
        return self._call("mcp.tools", _tools, timeout=timeout)

    def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> ToolResult:
        """Call a tool. It is sent once: a tool may write, and nobody knows which ones do.

        Args:
            name: As tools() gives it.
            arguments: By the tool's input schema.
            timeout: Seconds for the whole, with a handshake before it; where None, each request
                has the option dash_timeout.

        Returns:
            What it answered, also that it failed (`is_error`).

        Raises:
            ConfigError: The client has no token.
            ValidationError: The arguments are no object, or the timeout is out of its range.
            AuthError: See tools().
            RpcError: The server knows no such tool, or could not read the arguments.
            DeadlineError: The time was over; `stored` says whether the tool may have run.
            ProtocolError: The tool asked for input of a user (input_required), which nobody is
                there to give; or the answer was not as documented. The tool may have run.
        """
        return self._call("mcp.call", _result, name=name, arguments=arguments, timeout=timeout)

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> Any:
        """Any request of the protocol: the `result` of the response, as it came. It is sent once.

        Args:
            method: Such as "server/discover".
            params: What the protocol wants in each request is added.
            timeout: Seconds for the whole, with a handshake before it; where None, each request
                has the option dash_timeout.

        Raises:
            RpcError: The server refused the request, or does not know it; else as call().
        """
        return self._call("mcp.request", identity, method=method, params=params, timeout=timeout)


class AsyncMcp(AsyncArea):
    """`client.mcp` of an AsyncClient: the same names and arguments as Mcp."""

    __slots__ = ()

    def set_token(self, token: str | None) -> None:
        """Use another token from the next call on; see Mcp.set_token."""
        self._client.set_mcp_token(token)

    def tools(self, *, timeout: float | None = None) -> AsyncJob[tuple[Tool, ...]]:
        """All tools of the server; see Mcp.tools."""
        return self._call("mcp.tools", _tools, timeout=timeout)

    def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> AsyncJob[ToolResult]:
        """Call a tool; see Mcp.call."""
        return self._call("mcp.call", _result, name=name, arguments=arguments, timeout=timeout)

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> AsyncJob[Any]:
        """Any request of the protocol; see Mcp.request."""
        return self._call("mcp.request", identity, method=method, params=params, timeout=timeout)
