# SPDX-License-Identifier: MIT
"""Taxonomy: the tracking plan, entry by entry and as one document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from . import _core
from ._calls import Area, nothing, one, rows
from .errors import TidewheelError
from .jobs import Call, Job
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
    "Categories",
    "EventProperties",
    "Events",
    "GroupProperties",
    "Taxonomy",
    "UserProperties",
]


class Events(Area):
    """`client.taxonomy.events`."""

    __slots__ = ()

    def list(self, *, show_deleted: bool = False) -> EventTypeList:
        """All event types of the tracking plan; hidden ones are not listed.

        Args:
            show_deleted: Deleted ones as well.
        """
        return self._call("taxonomy.events", rows(EventType), show_deleted=show_deleted)

    def get(self, event_type: str) -> EventType:
        """One event type.

        Args:
            event_type: Its name.

        Raises:
            ApiError: There is none of that name.
        """
        return self._call("taxonomy.event", one(EventType), event_type=event_type)

    def create(
        self, event_type: str, *, exist_ok: bool = False, **fields: Unpack[EventFields]
    ) -> Created:
        """Add an event type to the plan.

        Args:
            event_type: Its name.
            exist_ok: That it exists already is success. The call is then repeated like one that
                reads; without, it is repeated only when it certainly did nothing. A deleted one
                counts as existing: restore it.
            **fields: See EventFields.

        Raises:
            ApiError: It exists already (status 409), or was refused.
        """
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
    ) -> None:
        """Change the fields of an event type that are given.

        Args:
            event_type: Its name.
            new_name: The name it is given.
            display_name: The name that people see; only of ingested events.
            **fields: See EventFields; None leaves a field alone, "" empties it.

        Raises:
            ValidationError: Nothing to change was given, or a value breaks a rule.
            ApiError: It was refused; 409 where it is not in the plan.
        """
        self._call(
            "taxonomy.event_update",
            nothing,
            event_type=event_type,
            new_name=new_name,
            display_name=display_name,
            **fields,
        )

    def delete(self, event_type: str) -> None:
        """Delete an event type; what was only planned is gone then.

        Args:
            event_type: Its name.
        """
        self._call("taxonomy.event_delete", nothing, event_type=event_type)

    def restore(self, event_type: str) -> None:
        """Undo a deletion.

        Args:
            event_type: Its name.
        """
        self._call("taxonomy.event_restore", nothing, event_type=event_type)


class EventProperties(Area):
    """`client.taxonomy.event_properties`."""

    __slots__ = ()

    def list(self, event_type: str | None = None) -> EventPropertyList:
        """All event properties of the tracking plan; hidden ones are not listed.

        Args:
            event_type: Those of this event; None for the shared ones.
        """
        return self._call("taxonomy.event_properties", rows(EventProperty), event_type=event_type)

    def get(self, event_property: str, event_type: str | None = None) -> EventProperty:
        """One event property.

        Args:
            event_property: Its name.
            event_type: As this event has it; None for the shared one.

        Raises:
            ApiError: There is none of that name.
        """
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
    ) -> Created:
        """Add an event property to the plan.

        Args:
            event_property: Its name.
            event_type: Make it for this event; None for a shared one.
            exist_ok: That it exists already is success. The call is then repeated like one that
                reads; without, it is repeated only when it certainly did nothing. A deleted one
                counts as existing: restore it.
            **fields: See EventPropertyFields.

        Raises:
            ApiError: It exists already (status 409), or was refused.
        """
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
    ) -> None:
        """Change the fields of an event property that are given.

        Args:
            event_property: Its name.
            event_type: As this event has it; None for the shared one.
            override_scope: With event_type: "override" changes or makes the override; "shared"
                drops it and changes the shared property; None changes the override if there is
                one, else the shared property.
            new_name: The name it is given.
            **fields: See EventPropertyFields; None leaves a field alone, "" empties it.

        Raises:
            ValidationError: Nothing to change was given, or a value breaks a rule.
            ApiError: It was refused; 409 where it is not in the plan.
        """
        self._call(
            "taxonomy.event_property_update",
            nothing,
            event_property=event_property,
            event_type=event_type,
            override_scope=override_scope,
            new_name=new_name,
            **fields,
        )

    def delete(self, event_property: str, event_type: str | None = None) -> None:
        """Delete an event property; what was only planned is gone then.

        Args:
            event_property: Its name.
            event_type: Take it from this event; None for the shared one.
        """
        self._call(
            "taxonomy.event_property_delete",
            nothing,
            event_property=event_property,
            event_type=event_type,
        )

    def restore(self, event_property: str, event_type: str | None = None) -> None:
        """Undo a deletion.

        Args:
            event_property: Its name.
            event_type: Of this event; None for the shared one.
        """
        self._call(
            "taxonomy.event_property_restore",
            nothing,
            event_property=event_property,
            event_type=event_type,
        )

    def all(self) -> EventPropertyList:
        """The properties of all events, and the shared ones: each list is a call, four at a time.

        Raises:
            TidewheelError: One of the calls failed.
        """
        core = self._client.taxonomy_pull(EVENT_PROPERTIES, None)
        return Call(core, rows(EventProperty)).result()


class UserProperties(Area):
    """`client.taxonomy.user_properties`."""

    __slots__ = ()

    def list(self, *, show_deleted: bool = False) -> UserPropertyList:
        """All user properties of the tracking plan; hidden ones are not listed.

        Args:
            show_deleted: Deleted ones as well.
        """
        return self._call("taxonomy.user_properties", rows(UserProperty), show_deleted=show_deleted)

    def get(self, user_property: str, *, show_deleted: bool = False) -> UserProperty:
        """One user property.

        Args:
            user_property: Its name.
            show_deleted: Also where it was deleted.

        Raises:
            ApiError: There is none of that name.
        """
        return self._call(
            "taxonomy.user_property",
            one(UserProperty),
            user_property=user_property,
            show_deleted=show_deleted,
        )

    def create(
        self, user_property: str, *, exist_ok: bool = False, **fields: Unpack[PropertyFields]
    ) -> Created:
        """Add a user property to the plan.

        Args:
            user_property: Its name.
            exist_ok: That it exists already is success. The call is then repeated like one that
                reads; without, it is repeated only when it certainly did nothing. A deleted one
                counts as existing: restore it.
            **fields: See PropertyFields.

        Raises:
            ApiError: It exists already (status 409), or was refused.
        """
        return self._call(
            "taxonomy.user_property_create",
            one(Created),
            user_property=user_property,
            exist_ok=exist_ok,
            **fields,
        )

    def update(
        self, user_property: str, *, new_name: str | None = None, **fields: Unpack[PropertyFields]
    ) -> None:
        """Change the fields of a user property that are given.

        Args:
            user_property: Its name.
            new_name: The name it is given.
            **fields: See PropertyFields; None leaves a field alone, "" empties it.

        Raises:
            ValidationError: Nothing to change was given, or a value breaks a rule.
            ApiError: It was refused; 409 where it is not in the plan.
        """
        self._call(
            "taxonomy.user_property_update",
            nothing,
            user_property=user_property,
            new_name=new_name,
            **fields,
        )

    def delete(self, user_property: str) -> None:
        """Delete a user property; what was only planned is gone then.

        Args:
            user_property: Its name.
        """
        self._call("taxonomy.user_property_delete", nothing, user_property=user_property)

    def restore(self, user_property: str) -> None:
        """Undo a deletion.

        Args:
            user_property: Its name.
        """
        self._call("taxonomy.user_property_restore", nothing, user_property=user_property)


class GroupProperties(Area):
    """`client.taxonomy.group_properties`."""

    __slots__ = ()

    def list(self, group_type: str | None = None) -> GroupPropertyList:
        """All group properties of the tracking plan; hidden ones are not listed.

        Args:
            group_type: Those of this type of groups; None for the shared ones.
        """
        return self._call("taxonomy.group_properties", rows(GroupProperty), group_type=group_type)

    def get(self, group_property: str, group_type: str | None = None) -> GroupProperty:
        """One group property.

        Args:
            group_property: Its name.
            group_type: As this type of groups has it; None for the shared one.

        Raises:
            ApiError: There is none of that name.
        """
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
    ) -> Created:
        """Add a group property to the plan.

        Args:
            group_property: Its name.
            group_type: Make it for this type of groups; None for a shared one.
            exist_ok: That it exists already is success. The call is then repeated like one that
                reads; without, it is repeated only when it certainly did nothing. A deleted one
                counts as existing: restore it.
            **fields: See PropertyFields.

        Raises:
            ApiError: It exists already (status 409), or was refused.
        """
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
    ) -> None:
        """Change the fields of a group property that are given.

        Args:
            group_property: Its name.
            group_type: As this type of groups has it; None for the shared one.
            override_scope: With group_type: "override" changes or makes the override; "shared"
                drops it and changes the shared property; None changes the override if there is
                one, else the shared property.
            new_name: The name it is given.
            **fields: See PropertyFields; None leaves a field alone, "" empties it.

        Raises:
            ValidationError: Nothing to change was given, or a value breaks a rule.
            ApiError: It was refused; 409 where it is not in the plan.
        """
        self._call(
            "taxonomy.group_property_update",
            nothing,
            group_property=group_property,
            group_type=group_type,
            override_scope=override_scope,
            new_name=new_name,
            **fields,
        )


class Categories(Area):
    """`client.taxonomy.categories`."""

    __slots__ = ()

    def list(self) -> EventCategoryList:
        """All categories of events."""
        return self._call("taxonomy.categories", rows(EventCategory))

    def get(self, category_name: str) -> EventCategory:
        """One category, by its name.

        Raises:
            ApiError: There is none of that name.
        """
        return self._call("taxonomy.category", one(EventCategory), category_name=category_name)

    def create(self, category_name: str, *, exist_ok: bool = False) -> Created:
        """Add a category.

        Args:
            category_name: Its name.
            exist_ok: That it exists already is success.
        """
        return self._call(
            "taxonomy.category_create",
            one(Created),
            category_name=category_name,
            exist_ok=exist_ok,
        )

    def update(self, category: str | int, new_name: str) -> None:
        """Give a category another name.

        Args:
            category: Its name, which costs a look-up, or its id.
            new_name: The name it is given.
        """
        self._call(
            "taxonomy.category_update",
            nothing,
            category_id=self._id(category),
            new_name=new_name,
        )

    def delete(self, category: str | int) -> None:
        """Delete a category.

        Args:
            category: Its name, which costs a look-up, or its id.
        """
        self._call("taxonomy.category_delete", nothing, category_id=self._id(category))

    def _id(self, category: str | int) -> int:
        return category if isinstance(category, int) else (self.get(category)).id


class Taxonomy(Area):
    """`client.taxonomy`: the tracking plan, entry by entry and as one document.

    Limits: cost 7,200 an hour and 4 at once, where reading costs 1 and writing 2. Without the API
    in one's plan every call is a 404 (Amplitude Taxonomy API docs, read 2026-11-27).
    """

    __slots__ = ("categories", "event_properties", "events", "group_properties", "user_properties")

    categories: Categories
    """Categories of events."""
    events: Events
    """Types of events."""
    event_properties: EventProperties
    """Properties of events."""
    user_properties: UserProperties
    """Properties of users."""
    group_properties: GroupProperties
    """Properties of groups."""

    def __init__(self, client: _core.Client) -> None:
        super().__init__(client)
        self.categories = Categories(client)
        self.events = Events(client)
        self.event_properties = EventProperties(client)
        self.user_properties = UserProperties(client)
        self.group_properties = GroupProperties(client)

    def pull(self) -> Plan:
        """The whole tracking plan as one JSON document, to be kept in version control.

        Names are sorted, so that a difference of two documents is one of the plans. It is read
        in as many calls as there are events and five, four at a time; docs/taxonomy.md describes
        the document.

        Raises:
            TidewheelError: One of the calls failed.
        """
        return Job(self._client.taxonomy_pull(PLAN, None), document).result()

    def plan(self, changes: Mapping[str, Any], *, delete: bool = False) -> PlanDiff:
        """Compare a document, or a part of one, with the project's plan; nothing is changed.

        Args:
            changes: What is wanted. Entries and fields that it does not mention stay as they are.
            delete: Delete the entries that its sections do not mention.

        Returns:
            The changes to be made: print them, then give them to apply().

        Raises:
            ValidationError: The document is not one, or holds a value that the API does not know;
                `field` names the place. Nothing was sent.
            TidewheelError: Reading the project's plan failed.
        """
        text = checked(changes)
        state = Job(self._client.taxonomy_pull(STATE, None), body).result()
        return compare(state, text, delete)

    def apply(self, diff: PlanDiff) -> None:
        """Make the changes of a diff, one after the other.

        Args:
            diff: What plan() found.

        Raises:
            TypeError: It is not what plan() found.
            ValidationError: A change would be refused: all are checked before the first is made.
            TidewheelError: A change failed. Those before it were made, as a note of the error
                says; plan() again shows what is left.
        """
        changes = changes_of(diff)
        check_all(self._client, changes)
        for done, change in enumerate(changes):
            try:
                self._call(change.endpoint, nothing, **change.arguments)
            except TidewheelError as error:
                failed(error, diff, done)
                raise
