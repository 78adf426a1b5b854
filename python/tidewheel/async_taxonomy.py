# SPDX-License-Identifier: MIT
"""Taxonomy for programs with an event loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from ._calls import AsyncArea, nothing, one, rows
from .errors import TidewheelError
from .jobs import AsyncCall, AsyncJob
from .tracking_plan import (
    EVENT_PROPERTIES,
    PLAN,
    STATE,
    Created,
    EventCategory,
    EventCategoryList,
    EventFields,
    EventProperty,
    EventPropertyFields,
    EventPropertyList,
    EventType,
    EventTypeList,
    GroupProperty,
    GroupPropertyList,
    OverrideScope,
    Plan,
    PlanDiff,
    PropertyFields,
    UserProperty,
    UserPropertyList,
    body,
    changes_of,
    check_all,
    checked,
    compare,
    document,
    failed,
)

__all__ = [
    "AsyncCategories",
    "AsyncEventProperties",
    "AsyncEvents",
    "AsyncGroupProperties",
    "AsyncTaxonomy",
    "AsyncUserProperties",
]


class AsyncEvents(AsyncArea):
    """`client.taxonomy.events` of an AsyncClient: see Events."""

    __slots__ = ()

    def list(self, *, show_deleted: bool = False) -> AsyncJob[EventTypeList]:
        """All event types of the tracking plan; see Events.list."""
        return self._call("taxonomy.events", rows(EventType), show_deleted=show_deleted)

    def get(self, event_type: str) -> AsyncJob[EventType]:
        """One event type; see Events.get."""
        return self._call("taxonomy.event", one(EventType), event_type=event_type)

    def create(
        self, event_type: str, *, exist_ok: bool = False, **fields: Unpack[EventFields]
    ) -> AsyncJob[Created]:
        """Add an event type to the plan; see Events.create."""
        return self._call(
            "taxonomy.event_create",
            one(Created),
            event_type=event_type,
            exist_ok=exist_ok,
            **fields,
        )

    def update(
        self,
        event_type: str,
        *,
        new_name: str | None = None,
        display_name: str | None = None,
        **fields: Unpack[EventFields],
    ) -> AsyncJob[None]:
        """Change the fields of an event type that are given; see Events.update."""
        return self._call(
            "taxonomy.event_update",
            nothing,
            event_type=event_type,
            new_name=new_name,
            display_name=display_name,
            **fields,
        )

    def delete(self, event_type: str) -> AsyncJob[None]:
        """Delete an event type; see Events.delete."""
        return self._call("taxonomy.event_delete", nothing, event_type=event_type)

    def restore(self, event_type: str) -> AsyncJob[None]:
        """Undo a deletion; see Events.restore."""
        return self._call("taxonomy.event_restore", nothing, event_type=event_type)


class AsyncEventProperties(AsyncArea):
    """`client.taxonomy.event_properties` of an AsyncClient: see EventProperties."""

    __slots__ = ()

    def list(self, event_type: str | None = None) -> AsyncJob[EventPropertyList]:
        """All event properties of the tracking plan; see EventProperties.list."""
        return self._call("taxonomy.event_properties", rows(EventProperty), event_type=event_type)

    def get(self, event_property: str, event_type: str | None = None) -> AsyncJob[EventProperty]:
        """One event property; see EventProperties.get."""
        return self._call(
            "taxonomy.event_property",
            one(EventProperty),
            event_property=event_property,
            event_type=event_type,
        )

    def create(
        self,
        event_property: str,
        *,
        event_type: str | None = None,
        exist_ok: bool = False,
        **fields: Unpack[EventPropertyFields],
    ) -> AsyncJob[Created]:
        """Add an event property to the plan; see EventProperties.create."""
        return self._call(
            "taxonomy.event_property_create",
            one(Created),
            event_property=event_property,
            event_type=event_type,
            exist_ok=exist_ok,
            **fields,
        )

    def update(
        self,
        event_property: str,
        *,
        event_type: str | None = None,
        override_scope: OverrideScope | None = None,
        new_name: str | None = None,
        **fields: Unpack[EventPropertyFields],
    ) -> AsyncJob[None]:
        """Change the fields of an event property that are given; see EventProperties.update."""
        return self._call(
            "taxonomy.event_property_update",
            nothing,
            event_property=event_property,
            event_type=event_type,
            override_scope=override_scope,
            new_name=new_name,
            **fields,
        )

    def delete(self, event_property: str, event_type: str | None = None) -> AsyncJob[None]:
        """Delete an event property; see EventProperties.delete."""
        return self._call(
            "taxonomy.event_property_delete",
            nothing,
            event_property=event_property,
            event_type=event_type,
        )

    def restore(self, event_property: str, event_type: str | None = None) -> AsyncJob[None]:
        """Undo a deletion; see EventProperties.restore."""
        return self._call(
            "taxonomy.event_property_restore",
            nothing,
            event_property=event_property,
            event_type=event_type,
        )

    def all(self) -> AsyncJob[EventPropertyList]:
        """The properties of all events, and the shared ones; see EventProperties.all."""
        core = self._client.taxonomy_pull(EVENT_PROPERTIES, self._bridge.queue)
        return AsyncCall(core, self._bridge, rows(EventProperty))


class AsyncUserProperties(AsyncArea):
    """`client.taxonomy.user_properties` of an AsyncClient: see UserProperties."""

    __slots__ = ()

    def list(self, *, show_deleted: bool = False) -> AsyncJob[UserPropertyList]:
        """All user properties of the tracking plan; see UserProperties.list."""
        return self._call("taxonomy.user_properties", rows(UserProperty), show_deleted=show_deleted)

    def get(self, user_property: str, *, show_deleted: bool = False) -> AsyncJob[UserProperty]:
        """One user property; see UserProperties.get."""
        return self._call(
            "taxonomy.user_property",
            one(UserProperty),
            user_property=user_property,
            show_deleted=show_deleted,
        )

    def create(
        self, user_property: str, *, exist_ok: bool = False, **fields: Unpack[PropertyFields]
    ) -> AsyncJob[Created]:
        """Add a user property to the plan; see UserProperties.create."""
        return self._call(
            "taxonomy.user_property_create",
            one(Created),
            user_property=user_property,
            exist_ok=exist_ok,
            **fields,
        )

    def update(
        self, user_property: str, *, new_name: str | None = None, **fields: Unpack[PropertyFields]
    ) -> AsyncJob[None]:
        """Change the fields of a user property that are given; see UserProperties.update."""
        return self._call(
            "taxonomy.user_property_update",
            nothing,
            user_property=user_property,
            new_name=new_name,
            **fields,
        )

    def delete(self, user_property: str) -> AsyncJob[None]:
        """Delete a user property; see UserProperties.delete."""
        return self._call("taxonomy.user_property_delete", nothing, user_property=user_property)

    def restore(self, user_property: str) -> AsyncJob[None]:
        """Undo a deletion; see UserProperties.restore."""
        return self._call("taxonomy.user_property_restore", nothing, user_property=user_property)


class AsyncGroupProperties(AsyncArea):
    """`client.taxonomy.group_properties` of an AsyncClient: see GroupProperties."""

    __slots__ = ()

    def list(self, group_type: str | None = None) -> AsyncJob[GroupPropertyList]:
        """All group properties of the tracking plan; see GroupProperties.list."""
        return self._call("taxonomy.group_properties", rows(GroupProperty), group_type=group_type)

    def get(self, group_property: str, group_type: str | None = None) -> AsyncJob[GroupProperty]:
        """One group property; see GroupProperties.get."""
        return self._call(
            "taxonomy.group_property",
            one(GroupProperty),
            group_property=group_property,
            group_type=group_type,
        )

    def create(
        self,
        group_property: str,
        *,
        group_type: str | None = None,
        exist_ok: bool = False,
        **fields: Unpack[PropertyFields],
    ) -> AsyncJob[Created]:
        """Add a group property to the plan; see GroupProperties.create."""
        return self._call(
            "taxonomy.group_property_create",
            one(Created),
            group_property=group_property,
            group_type=group_type,
            exist_ok=exist_ok,
            **fields,
        )

    def update(
        self,
        group_property: str,
        *,
        group_type: str | None = None,
        override_scope: OverrideScope | None = None,
        new_name: str | None = None,
        **fields: Unpack[PropertyFields],
    ) -> AsyncJob[None]:
        """Change the fields of a group property that are given; see GroupProperties.update."""
        return self._call(
            "taxonomy.group_property_update",
            nothing,
            group_property=group_property,
            group_type=group_type,
            override_scope=override_scope,
            new_name=new_name,
            **fields,
        )


class AsyncCategories(AsyncArea):
    """`client.taxonomy.categories` of an AsyncClient: see Categories."""

    __slots__ = ()

    def list(self) -> AsyncJob[EventCategoryList]:
        """All categories of events; see Categories.list."""
        return self._call("taxonomy.categories", rows(EventCategory))

    def get(self, category_name: str) -> AsyncJob[EventCategory]:
        """One category, by its name; see Categories.get."""
        return self._call("taxonomy.category", one(EventCategory), category_name=category_name)

    def create(self, category_name: str, *, exist_ok: bool = False) -> AsyncJob[Created]:
        """Add a category; see Categories.create."""
        return self._call(
            "taxonomy.category_create",
            one(Created),
            category_name=category_name,
            exist_ok=exist_ok,
        )

    async def update(self, category: str | int, new_name: str) -> None:
        """Give a category another name; see Categories.update."""
        await self._call(
            "taxonomy.category_update",
            nothing,
            category_id=await self._id(category),
            new_name=new_name,
        )

    async def delete(self, category: str | int) -> None:
        """Delete a category; see Categories.delete."""
        await self._call("taxonomy.category_delete", nothing, category_id=await self._id(category))

    async def _id(self, category: str | int) -> int:
        return category if isinstance(category, int) else (await self.get(category)).id


class AsyncTaxonomy(AsyncArea):
    """`client.taxonomy` of an AsyncClient: the same names and arguments as Taxonomy."""

    __slots__ = ()

    @property
    def categories(self) -> AsyncCategories:
        """Categories of events."""
        return AsyncCategories(self._client, self._bridge)

    @property
    def events(self) -> AsyncEvents:
        """Types of events."""
        return AsyncEvents(self._client, self._bridge)

    @property
    def event_properties(self) -> AsyncEventProperties:
        """Properties of events."""
        return AsyncEventProperties(self._client, self._bridge)

    @property
    def user_properties(self) -> AsyncUserProperties:
        """Properties of users."""
        return AsyncUserProperties(self._client, self._bridge)

    @property
    def group_properties(self) -> AsyncGroupProperties:
        """Properties of groups."""
        return AsyncGroupProperties(self._client, self._bridge)

    def pull(self) -> AsyncJob[Plan]:
        """The whole tracking plan as one JSON document; see Taxonomy.pull."""
        core = self._client.taxonomy_pull(PLAN, self._bridge.queue)
        return AsyncJob(core, self._bridge, document)

    async def plan(self, changes: Mapping[str, Any], *, delete: bool = False) -> PlanDiff:
        """Compare a document with the project's plan; see Taxonomy.plan."""
        text = checked(changes)
        core = self._client.taxonomy_pull(STATE, self._bridge.queue)
        return compare(await AsyncJob(core, self._bridge, body), text, delete)

    async def apply(self, diff: PlanDiff) -> None:
        """Make the changes of a diff, one after the other; see Taxonomy.apply."""
        changes = changes_of(diff)
        check_all(self._client, changes)
        for done, change in enumerate(changes):
            try:
                await self._call(change.endpoint, nothing, **change.arguments)
            except TidewheelError as error:
                failed(error, diff, done)
                raise
