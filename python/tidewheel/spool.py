# SPDX-License-Identifier: MIT
"""Spool folders: what is in them, sending it, throwing it away."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from . import _core
from .results import Report

__all__ = ["SpoolProject", "SpoolReport", "drain", "inspect", "purge"]

Path = str | os.PathLike[str]


class SpoolProject(NamedTuple):
    """What a spool folder holds of one project; the same fields count for a whole folder.

    Attributes:
        project: The hash in the names of its files.
        lanes: Processes that have files there.
        live: Of these the ones that are running.
        segments: Files of events.
        bytes: Their size.
        events: Events that wait.
        sent: Of these the ones that were tried at least once.
        uncertain: Events kept apart; see Client.resend_uncertain.
        lost: Events that damage made unreadable.
        torn: Files whose last bytes are no event.
        unreadable: Files that could not be read, or are of a later version.
        quarantined: Damaged files that were set aside as *.bad.
        oldest: When the oldest event was accepted, in ms since 1970; None where there is none.
        newest: The same of the newest.
    """

    project: str
    lanes: int
    live: int
    segments: int
    bytes: int
    events: int
    sent: int
    uncertain: int
    lost: int
    torn: int
    unreadable: int
    quarantined: int
    oldest: int | None
    newest: int | None


class SpoolReport(NamedTuple):
    """What a spool folder holds.

    Attributes:
        path: Of the folder.
        projects: What it holds of each project.
        lanes: As in SpoolProject, of all projects; so are the fields that follow.
        foreign: Names in the folder that are not tidewheel's.
    """

    path: str
    projects: tuple[SpoolProject, ...]
    lanes: int
    live: int
    segments: int
    bytes: int
    events: int
    sent: int
    uncertain: int
    lost: int
    torn: int
    unreadable: int
    quarantined: int
    oldest: int | None
    newest: int | None
    foreign: int


def inspect(path: Path) -> SpoolReport:
    """Count what a spool folder holds. Only reads; other processes may use the folder meanwhile.

    Raises:
        ConfigError: The folder is not there, or must not be used.
    """
    found: dict[str, Any] = _core.spool_inspect(os.fspath(path))
    found["projects"] = tuple(SpoolProject(**project) for project in found["projects"])
    return SpoolReport(**found)


def purge(path: Path, older_than: float = 0.0) -> int:
    """Throw away the events that ended processes left in a spool folder, uncertain ones too.

    What running processes hold stays, and so do files that are not tidewheel's.

    Args:
        path: Of the folder.
        older_than: Seconds; events that were accepted later stay. With 0 the damaged files that
            were set aside go as well.

    Returns:
        How many events there were.

    Raises:
        ConfigError: The folder is not there, or must not be used.
    """
    return _core.spool_purge(os.fspath(path), older_than)


def drain(path: Path, api_key: str, *, timeout: float = 30.0, **options: Any) -> Report:
    """Send what ended processes left in a spool folder, and wait for what becomes of it.

    Args:
        path: Of the folder.
        api_key: Of the project whose events are sent.
        timeout: Seconds to wait at most.
        **options: Of the client that sends them; see Client.

    Raises:
        ConfigError: The folder is not there, or must not be used.
        TidewheelError: The server refuses all events; they are kept.
    """
    from .client import Client

    _core.spool_check(os.fspath(path))
    with Client(api_key, spool=path, **options) as client:
        return client.drain(timeout)
