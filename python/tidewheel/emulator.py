# SPDX-License-Identifier: MIT
"""A local stand-in for the Amplitude API, running inside this process.

Example:
    >>> with Emulator() as emu:
    ...     print(emu.url, emu.api_key)
"""

from __future__ import annotations

import json
import urllib.parse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from tidewheel import _emulator

__all__ = ["Emulator"]

_MISSING = (
    "tidewheel was built without its emulator: install the Debian packages "
    "libmicrohttpd-dev, libsqlite3-dev, libarchive-dev and zlib1g-dev, then build again with "
    "pip install --force-reinstall --no-cache-dir --no-binary tidewheel tidewheel"
)


def _load() -> type[_emulator.Emulator]:
    try:
        from tidewheel import _emulator
    except ImportError as error:
        raise ImportError(_MISSING, name="tidewheel._emulator") from error
    return _emulator.Emulator


class Emulator:
    """One running emulator with its own project, keys and ports.

    All of ingestion, dashboard and profile hosts are served on ``url``.

    Args:
        store: file of the store, or ``":memory:"``.
        api_key: key of the project; must start with ``emu``.
        secret_key: its secret; must start with ``emu``.
        app_id: id of the project.
        seed: ``"demo"`` fills an empty store with a small generated project.
        listen: address of the API, loopback only; port 0 takes a free one.
        time_zone: IANA name of the project's zone, which rules the dates of analytics.
        mcp_token: an access token for the MCP server; must start with ``emu``.
        **switches: behaviour switches, as for :meth:`switch`.

    Raises:
        ImportError: the package was built without the emulator's libraries.
        ValueError: an argument or a switch was refused.
    """

    def __init__(
        self,
        store: str = ":memory:",
        *,
        api_key: str | None = None,
        secret_key: str | None = None,
        app_id: int | None = None,
        seed: str | None = None,
        listen: str | None = None,
        time_zone: str = "UTC",
        mcp_token: str | None = None,
        **switches: bool | int | str,
    ) -> None:
        self._core = _load()(
            store=str(store),
            api_key=api_key,
            secret_key=secret_key,
            app_id=app_id or 0,
            seed=seed,
            listen=listen,
            time_zone=time_zone,
            mcp_token=mcp_token,
        )
        self.url: str = self._core.url
        self.control_url: str = self._core.control_url
        self.control_token: str = self._core.control_token
        self.storage_url: str = self._core.storage_url
        self.api_key: str = self._core.api_key
        self.secret_key: str = self._core.secret_key
        self.mcp_token: str = self._core.mcp_token
        self.app_id: int = self._core.app_id
        if switches:
            try:
                self.switch(**switches)
            except ValueError:
                self.close()
                raise

    def __enter__(self) -> Emulator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._core.closed else self.url
        return f"<tidewheel.Emulator {state}>"

    def _control(self, method: str, path: str, body: object = None) -> Any:
        data = b"" if body is None else json.dumps(body).encode()
        status, reply = self._core.control(method, path, data)
        answer = json.loads(reply)
        if status != 200:
            raise ValueError(answer["error"])
        return answer

    def journal(self, after: int = 0) -> list[dict[str, Any]]:
        """Requests answered so far, oldest first.

        Args:
            after: leaves out entries up to this ``id``.

        Returns:
            One dict per request: method, path, query, headers, body (base64), status,
            connection, and the fate of each of its events.
        """
        entries: list[dict[str, Any]] = self._control("GET", f"/journal?after={after}")["entries"]
        return entries

    def ledger(self, page: int = 10_000) -> Iterator[dict[str, Any]]:
        """What became of each ``insert_id``, in the order of first receipt.

        Made page by page, so that a million of them need little memory here.

        Args:
            page: entries fetched at once, up to 100,000.

        Yields:
            Dicts of ``insert_id``; the counts ``received``, ``committed``, ``duplicate``,
            ``applied`` (its property operations changed something) and ``variants`` (receipts
            whose bytes differed from the first); ``body_hash`` of the event as first received;
            ``first_ms`` and ``commit_ms`` (None while not stored).
        """
        at = 0
        while True:
            answer = self._control("GET", f"/ledger?from={at}&limit={page}")
            yield from answer["entries"]
            if answer["next"] >= answer["total"]:
                return
            at = answer["next"]

    def meters(self) -> dict[str, Any]:
        """Rates and limits as the emulator itself measured them, refused or not.

        Returns:
            ``v2``, ``batch``, ``identify`` (``events``, ``peak_eps`` of one id, ``excess``,
            ``refused``), ``daily``, ``updates``, ``rest``, ``downloads``, and ``log``: the first
            256 excesses with time, meter, id and count.
        """
        meters: dict[str, Any] = self._control("GET", "/meters")
        return meters

    def silence(self, *device_ids: str) -> None:
        """Replaces the silenced devices, whose events are refused; without arguments none is."""
        self._control("POST", "/silenced", list(device_ids))

    def listen(self, on: bool = True) -> None:
        """Opens or closes the API's port; while it is closed new connections are refused."""
        self._control("POST", "/listener", {"open": bool(on)})

    def profile(
        self,
        user_id: str | None = None,
        *,
        device_id: str | None = None,
        recommendations: list[dict[str, Any]] | None = None,
        computations: dict[str, float | str] | None = None,
        predictions: dict[str, dict[str, float]] | None = None,
        synced_cohorts: list[str] | None = None,
    ) -> None:
        """Seeds what the user profile of a user holds besides its properties.

        Replaces an earlier seed of the same user.

        Args:
            user_id: a user with events; without it and ``device_id`` the seed is everybody's.
            device_id: names the user by a device instead.
            recommendations: dicts of ``rec_id``, ``items`` and optionally ``child_rec_id``,
                ``is_control``, ``recommendation_source``, ``last_updated`` (epoch seconds).
            computations: values by computation id.
            predictions: by prediction id ``score`` (0 to 1), ``pct`` (0 to 100), or both.
            synced_cohorts: ids of cohorts that profiles name; everybody's seed only.

        Raises:
            ValueError: something of it was malformed, or the user is unknown.
        """
        seed = {
            "user_id": user_id,
            "device_id": device_id,
            "recommendations": recommendations,
            "computations": computations,
            "predictions": predictions,
            "synced_cohorts": synced_cohorts,
        }
        self._control("POST", "/profiles", {k: v for k, v in seed.items() if v is not None})

    def mark(self, event_type: str, **marks: bool) -> None:
        """Marks an event type as the service's user interface can: ``blocked``, ``transformed``."""
        self._control("POST", "/plan", {"event_type": event_type, **marks})

    def reset(self) -> None:
        """Forgets events, users, cohorts, jobs, limits, journal, ledger and meters.

        Nothing of a request that began before is stored afterwards: its connection is closed.
        """
        self._control("POST", "/reset")

    def switches(self) -> dict[str, bool | int | str]:
        """All switches and their values."""
        values: dict[str, bool | int | str] = self._control("GET", "/switches")
        return values

    def switch(self, **switches: bool | int | str) -> None:
        """Sets behaviour switches, all or (when one is refused) none."""
        self._control("POST", "/switches", switches)

    def faults(self, *plan: dict[str, Any]) -> None:
        """Replaces the fault plan; without arguments removes it."""
        self._control("POST", "/faults", list(plan))

    def chart(self, chart_id: str, path: str, *, name: str = "", **query: object) -> None:
        """Saves a query under a chart id, for ``/api/3/chart/{chart_id}/csv``.

        Args:
            chart_id: letters, digits, ``-`` and ``_``.
            path: an analytics endpoint such as ``/api/2/events/segmentation``.
            name: title of the chart.
            **query: its parameters; dicts, and lists other than of texts or dicts to
                repeat, are sent as JSON.
        """
        pairs: list[tuple[str, str]] = []
        for key, value in query.items():
            repeated = isinstance(value, list) and all(isinstance(v, str | dict) for v in value)
            for item in value if repeated and isinstance(value, list) else [value]:
                pairs.append((key, item if isinstance(item, str) else json.dumps(item)))
        text = f"{path}?{urllib.parse.urlencode(pairs)}"
        self._control("POST", "/charts", {"id": chart_id, "name": name, "query": text})

    def advance(self, seconds: float) -> None:
        """Moves the emulator's clock; stalls and jobs that end meanwhile end now."""
        self._control("POST", "/clock", {"advance_ms": round(seconds * 1000)})

    def close(self) -> None:
        """Ends every connection and the store. May be called again."""
        self._core.close()
