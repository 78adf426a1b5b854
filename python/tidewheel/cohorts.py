# SPDX-License-Identifier: MIT
"""Behavioural cohorts: list, download, upload, membership."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from . import _core
from .errors import ProtocolError
from .jobs import AsyncJob, AsyncStream, Job, Reply, Stream

if TYPE_CHECKING:
    from ._bridge import Bridge

__all__ = [
    "AsyncCohorts",
    "AsyncDownload",
    "Cohort",
    "CohortUpdate",
    "CohortUpload",
    "Cohorts",
    "Download",
]

Row = dict[str, str]
Ids = Iterable[str | int]
UploadIdType = Literal["BY_AMP_ID", "BY_USER_ID"]
UpdateIdType = Literal["BY_ID", "BY_NAME"]


class Cohort(NamedTuple):
    """A cohort as the list shows it.

    Attributes:
        id: Its id, for download and update.
        name: Its name.
        size: Number of members when it was last computed; None where the list has none.
        published: Whether it is discoverable.
        last_computed: Seconds since 1970, None where it never was.
        data: The whole documented row.
    """

    id: str
    name: str
    size: int | None
    published: bool
    last_computed: int | None
    data: Mapping[str, Any]


CohortList = list[Cohort]  # two classes below have a method called list


class CohortUpload(NamedTuple):
    """The answer to an upload.

    Attributes:
        cohort_id: Id of the cohort; None where nothing was saved.
        matched: Ids the project knows.
        total: Ids received by the server.
        invalid_ids_sample: Some of those it does not know.
        data: The whole documented answer.
    """

    cohort_id: str | None
    matched: int
    total: int
    invalid_ids_sample: tuple[str, ...]
    data: Mapping[str, Any]


class CohortUpdate(NamedTuple):
    """The answer to an update.

    Attributes:
        cohort_id: Id of the cohort.
        skipped_add: Ids to add that the project does not know.
        skipped_remove: Ids to remove that it does not know.
    """

    cohort_id: str
    skipped_add: tuple[str, ...]
    skipped_remove: tuple[str, ...]


def _body(reply: Reply) -> dict[str, Any]:
    body = _core.loads(reply[1]) if reply is not None else None
    if not isinstance(body, dict):
        raise ProtocolError("the answer was not a JSON object", code="protocol")
    return body


def _cohort(row: dict[str, Any]) -> Cohort:
    return Cohort(
        id=str(row["id"]),
        name=row["name"],
        size=row.get("size"),
        published=bool(row.get("published")),
        last_computed=row.get("lastComputed"),
        data=row,
    )


def _id(cohort: Cohort | str) -> str:
    return cohort.id if isinstance(cohort, Cohort) else cohort


def _listed(reply: Reply) -> list[Cohort]:
    try:
        return [_cohort(row) for row in _body(reply)["cohorts"]]
    except (KeyError, TypeError) as error:
        raise ProtocolError("the list of cohorts was not as documented", code="protocol") from error


def _uploaded(reply: Reply) -> CohortUpload:
    body = _body(reply)
    # Both spellings are documented (Behavioral Cohorts API docs, read 2026-11-23).
    cohort_id = body.get("cohortId", body.get("cohort_id"))
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    return CohortUpload(
        cohort_id=None if cohort_id is None else str(cohort_id),
        matched=metadata.get("matched", 0),
        total=metadata.get("totals", 0),
        invalid_ids_sample=tuple(metadata.get("invalid_ids_sample", ())),
        data=body,
    )


def _skipped(reply: Reply) -> tuple[str, ...]:
    try:
        results = _body(reply)["memberships_result"]
        return tuple(str(one) for result in results for one in result["skipped_ids"])
    except (KeyError, TypeError) as error:
        raise ProtocolError("the answer was not as documented", code="protocol") from error


class Download(Stream):
    """A cohort on its way: request, poll, file, all in the background.

    Iterate it for rows, or `ids()` for the ids alone. It can be waited for without a thread:
    `done`, `fileno()`, `wait()`, `progress()`, `cancel()`. As a context manager it ends when left.
    """

    __slots__ = ()
    _job: _core.Records

    def __iter__(self) -> Iterator[Row]:
        """Rows: column name to text, all columns."""
        return self._job

    def __next__(self) -> Row:
        row: Row = next(self._job)
        return row

    def ids(self, column: str | None = None) -> Iterator[str]:
        """The ids alone, empty ones left out.

        Args:
            column: Column to take, such as "amplitude_id"; None for the user id (or the group
                value in the file of a group cohort). Anonymous users have no user id.

        Raises:
            ValueError: Rows have been read already.
            KeyError: While iterating: the file has no such column.
        """
        self._job.select(column)
        return self._job


class AsyncDownload(AsyncStream):
    """A cohort on its way, in an event loop.

    `async for row in job`, `async for id in job.ids()`, or await either for the whole list.
    Cancelling the task that waits cancels the download.
    """

    __slots__ = ()
    _job: _core.Records

    def ids(self, column: str | None = None) -> AsyncDownload:
        """This download, giving ids instead of rows; see Download.ids."""
        self._job.select(column)
        return self

    def __await__(self) -> Generator[Any, None, list[Any]]:
        return self._all().__await__()

    async def _all(self) -> list[Any]:
        return [value async for value in self]


class _Starters:
    """What both kinds of clients start, apart from how they wait."""

    __slots__ = ("_client",)

    def __init__(self, client: _core.Client) -> None:
        self._client = client

    def _download(
        self,
        cohort_id: Cohort | str,
        props: bool | Iterable[str],
        request_id: str | None,
        timeout: float | None,
        queue: _core.Queue | None,
    ) -> _core.Records:
        if isinstance(props, str):
            raise TypeError("props must be a bool or a list of names, not one str")
        keys = None if isinstance(props, bool) else tuple(props)
        wanted = props if isinstance(props, bool) else bool(keys)
        return self._client.cohort_download(
            _id(cohort_id), wanted, keys or None, request_id, timeout, queue
        )


class Cohorts(_Starters):
    """`client.cohorts`."""

    __slots__ = ()

    def list(self, *, include_sync_info: bool = False) -> CohortList:
        """All discoverable cohorts of the project.

        Args:
            include_sync_info: Ask for what is synced to where as well (in `data`).

        Raises:
            AuthError: The key pair was refused.
        """
        return Job(self._client.cohort_list(include_sync_info, None), _listed).result()

    def download(
        self,
        cohort_id: Cohort | str,
        *,
        props: bool | Iterable[str] = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Download:
        """Start the download of a cohort's members.

        Limits: 60 requests in 10 minutes and 4 at a time, 500 a month (Amplitude Behavioral
        Cohorts API docs, read 2026-11-23).

        Args:
            cohort_id: A cohort of the list, or its id.
            props: True for all user properties, or the names of those wanted.
            request_id: Go on with this request (`progress().request_id` of an earlier
                download) instead of making one; it is good for 7 days.
            timeout: Seconds for the whole, None for the client's option.

        Returns:
            A handle at once; the work goes on in the background.
        """
        return Download(self._download(cohort_id, props, request_id, timeout, None))

    def upload(
        self,
        *,
        name: str,
        ids: Ids,
        app_id: int,
        owner: str,
        id_type: UploadIdType = "BY_USER_ID",
        published: bool = True,
        group: str | None = None,
        existing_cohort_id: str | None = None,
        skip_save: bool = False,
        skip_invalid_ids: bool = True,
    ) -> CohortUpload:
        """Upload ids as a new cohort, or as the new contents of an existing one.

        More than 100,000 ids travel in several requests (100,000 ids a request and 2 million a
        cohort: Amplitude Behavioral Cohorts API docs, read 2026-11-23). A new cohort is not
        asked for twice: when the connection breaks, the error's `stored` says "maybe".

        Args:
            name: Name of the cohort.
            ids: User ids, or Amplitude ids with id_type="BY_AMP_ID".
            app_id: Number of the project.
            owner: Login e-mail of the owner.
            id_type: What the ids are.
            published: Whether the cohort is discoverable.
            group: Group type, for a cohort of groups.
            existing_cohort_id: Replace the contents of this cohort.
            skip_save: Only check the ids.
            skip_invalid_ids: False: fail if one id is not known to the project.

        Raises:
            ValidationError: An id is empty or holds control characters.
            ApiError: The server refused.
        """
        core = self._client.cohort_upload(
            ids, name, app_id, owner, id_type, published, group, existing_cohort_id,
            skip_save, skip_invalid_ids, None,
        )  # fmt: skip
        return Job(core, _uploaded).result()

    def update(
        self,
        cohort_id: Cohort | str,
        *,
        add: Ids | None = None,
        remove: Ids | None = None,
        id_type: UpdateIdType = "BY_NAME",
        skip_invalid_ids: bool = True,
    ) -> CohortUpdate:
        """Add members to a cohort and remove others; adding comes first.

        Args:
            cohort_id: A cohort of the list, or its id.
            add: Ids to add.
            remove: Ids to remove.
            id_type: "BY_NAME" for user ids, "BY_ID" for Amplitude ids.
            skip_invalid_ids: False: change nothing if one id is not known to the project.

        Raises:
            ValueError: Neither add nor remove was given.
            ApiError: The server refused.
        """
        skipped: dict[str, tuple[str, ...]] = {"ADD": (), "REMOVE": ()}
        for operation, ids in _changes(add, remove):
            core = self._client.cohort_update(
                _id(cohort_id), ids, id_type, operation, skip_invalid_ids, None
            )
            skipped[operation] = Job(core, _skipped).result()
        return CohortUpdate(_id(cohort_id), skipped["ADD"], skipped["REMOVE"])


def _changes(add: Ids | None, remove: Ids | None) -> Iterator[tuple[str, Ids]]:
    if add is None and remove is None:
        raise ValueError("neither add nor remove was given")
    if add is not None:
        yield "ADD", add
    if remove is not None:
        yield "REMOVE", remove


class AsyncCohorts(_Starters):
    """`client.cohorts` of an AsyncClient: the same names and arguments as Cohorts."""

    __slots__ = ("_bridge",)

    def __init__(self, client: _core.Client, bridge: Bridge) -> None:
        super().__init__(client)
        self._bridge = bridge

    def list(self, *, include_sync_info: bool = False) -> AsyncJob[CohortList]:
        """All discoverable cohorts of the project; see Cohorts.list."""
        core = self._client.cohort_list(include_sync_info, self._bridge.queue)
        return AsyncJob(core, self._bridge, _listed)

    def download(
        self,
        cohort_id: Cohort | str,
        *,
        props: bool | Iterable[str] = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> AsyncDownload:
        """Start the download of a cohort's members; see Cohorts.download."""
        core = self._download(cohort_id, props, request_id, timeout, self._bridge.queue)
        return AsyncDownload(core, self._bridge)

    def upload(
        self,
        *,
        name: str,
        ids: Ids,
        app_id: int,
        owner: str,
        id_type: UploadIdType = "BY_USER_ID",
        published: bool = True,
        group: str | None = None,
        existing_cohort_id: str | None = None,
        skip_save: bool = False,
        skip_invalid_ids: bool = True,
    ) -> AsyncJob[CohortUpload]:
        """Upload ids as a cohort; see Cohorts.upload."""
        core = self._client.cohort_upload(
            ids, name, app_id, owner, id_type, published, group, existing_cohort_id,
            skip_save, skip_invalid_ids, self._bridge.queue,
        )  # fmt: skip
        return AsyncJob(core, self._bridge, _uploaded)

    async def update(
        self,
        cohort_id: Cohort | str,
        *,
        add: Ids | None = None,
        remove: Ids | None = None,
        id_type: UpdateIdType = "BY_NAME",
        skip_invalid_ids: bool = True,
    ) -> CohortUpdate:
        """Add members to a cohort and remove others; see Cohorts.update."""
        skipped: dict[str, tuple[str, ...]] = {"ADD": (), "REMOVE": ()}
        for operation, ids in _changes(add, remove):
            core = self._client.cohort_update(
                _id(cohort_id), ids, id_type, operation, skip_invalid_ids, self._bridge.queue
            )
            skipped[operation] = await AsyncJob(core, self._bridge, _skipped)
        return CohortUpdate(_id(cohort_id), skipped["ADD"], skipped["REMOVE"])
