# SPDX-License-Identifier: MIT
"""Python and Lua have the same names, arguments, defaults and results where they can."""

import dataclasses
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

import tidewheel
from tidewheel import async_taxonomy, profile, taxonomy, tracking_plan, users
from tidewheel.client import CLOSE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "lua" / "tidewheel" / "library"
ANNOTATIONS = "\n".join(path.read_text() for path in sorted(LIBRARY.glob("*.d.lua")))

# What only one language has, and why. An entry that is no longer true fails as well.
LUA_ONLY = {
    "Client": {
        "fd": "AsyncClient does this with its loop",
        "update": "AsyncClient does this with its loop",
        "outcome": "outcomes() is the iterator over these",
        "rejection": "rejected() is the iterator over these",
    },
    "Export": {
        "drop_null": "in Lua null is a value of its own, in the way of `if event.city then`",
        "block_bytes": "for tuning",
        "ready_blocks": "for tuning",
        "max_line_bytes": "for tuning",
    },
}
RENAMED = {"stop": "end"}  # `end` is a keyword of Lua


def lua_class(name: str) -> dict[str, tuple[bool, str]]:
    """Field name to (optional, comment) of a class of the annotations, inherited ones too."""
    found = re.search(
        rf"^---@class tidewheel\.{name}(?:: tidewheel\.(\w+))?\n((?:---@field .*\n)*)",
        ANNOTATIONS,
        re.M,
    )
    assert found, f"the annotations have no class {name}"
    fields = lua_class(found[1]) if found[1] else {}
    for field, optional, rest in re.findall(r"---@field (\w+)(\??) (.*)", found[2]):
        fields[RENAMED.get(field, field)] = (bool(optional), rest)
    return fields


def lua_methods(name: str) -> set[str]:
    return set(re.findall(rf"^function {name}:(\w+)\(", ANNOTATIONS, re.M))


def public(cls: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(cls, callable) if not name.startswith("_")}


def parameters_of(method: Any) -> list[tuple[str, Any]]:
    return [(p.name, p.default) for p in inspect.signature(method).parameters.values()]


def without(names: set[str], section: str) -> set[str]:
    """The names that both languages must have."""
    only = set(LUA_ONLY.get(section, {}))
    assert only <= names, f"{only - names} is not there any more"
    return names - only


AREAS: dict[str, tuple[type, type]] = {
    "Analytics": (tidewheel.Analytics, tidewheel.AsyncAnalytics),
    "Cohorts": (tidewheel.Cohorts, tidewheel.AsyncCohorts),
    "Profile": (profile.Profile, profile.AsyncProfile),
    "UserLookup": (users.Users, users.AsyncUsers),
    "Activity": (users.Activity, users.AsyncActivity),
    "Taxonomy": (taxonomy.Taxonomy, async_taxonomy.AsyncTaxonomy),
    "Events": (taxonomy.Events, async_taxonomy.AsyncEvents),
    "EventProperties": (taxonomy.EventProperties, async_taxonomy.AsyncEventProperties),
    "UserProperties": (taxonomy.UserProperties, async_taxonomy.AsyncUserProperties),
    "GroupProperties": (taxonomy.GroupProperties, async_taxonomy.AsyncGroupProperties),
    "Categories": (taxonomy.Categories, async_taxonomy.AsyncCategories),
}


def test_methods() -> None:
    for lua, python in [("Client", tidewheel.Client)] + [(n, a[0]) for n, a in AREAS.items()]:
        names = {name for name in lua_methods(lua) if not name.endswith("_start")}
        assert without(names, lua) == public(python)
    # What is begun without waiting in Lua is awaited in Python.
    started = {name.removesuffix("_start") for name in lua_methods("Client") if "_start" in name}
    assert started <= public(tidewheel.AsyncClient)
    for lua, (python, awaited) in AREAS.items():
        started = {name.removesuffix("_start") for name in lua_methods(lua) if "_start" in name}
        assert started <= public(awaited)
        assert public(awaited) == public(python)
        for name in public(python):
            assert parameters_of(getattr(awaited, name)) == parameters_of(getattr(python, name))


CALLS = {
    "Identify": tidewheel.Client.identify,
    "GroupIdentify": tidewheel.Client.group_identify,
    "Revenue": tidewheel.Client.revenue,
    "Export": tidewheel.Client.export,
    "Raw": tidewheel.Client.raw,
    "CohortList": tidewheel.Cohorts.list,
    "CohortDownload": tidewheel.Cohorts.download,
    "CohortUpload": tidewheel.Cohorts.upload,
    "CohortUpdate": tidewheel.Cohorts.update,
    "Users": tidewheel.Analytics.users,
    "Segmentation": tidewheel.Analytics.segmentation,
    "FunnelQuery": tidewheel.Analytics.funnel,
    "RetentionQuery": tidewheel.Analytics.retention,
    "RevenueLtv": tidewheel.Analytics.revenue_ltv,
    "Chart": tidewheel.Analytics.chart,
    "SessionLength": tidewheel.Analytics.session_length,
    "Sessions": tidewheel.Analytics.session_average,
    "Composition": tidewheel.Analytics.composition,
    "ActivityOptions": users.Users.activity,
    "ProfileOptions": profile.Profile.get,
    "EventCreate": taxonomy.Events.create,
    "EventUpdate": taxonomy.Events.update,
    "EventPropertyCreate": taxonomy.EventProperties.create,
    "EventPropertyUpdate": taxonomy.EventProperties.update,
    "UserPropertyCreate": taxonomy.UserProperties.create,
    "UserPropertyUpdate": taxonomy.UserProperties.update,
    "GroupPropertyCreate": taxonomy.GroupProperties.create,
    "GroupPropertyUpdate": taxonomy.GroupProperties.update,
    "CategoryCreate": taxonomy.Categories.create,
    "PlanOptions": taxonomy.Taxonomy.plan,
}
# **fields of a TypedDict: its members are options in Lua.
FIELDS = {
    "EventCreate": tracking_plan.EventFields,
    "EventUpdate": tracking_plan.EventFields,
    "EventPropertyCreate": tracking_plan.EventPropertyFields,
    "EventPropertyUpdate": tracking_plan.EventPropertyFields,
    "UserPropertyCreate": tracking_plan.PropertyFields,
    "UserPropertyUpdate": tracking_plan.PropertyFields,
    "GroupPropertyCreate": tracking_plan.PropertyFields,
    "GroupPropertyUpdate": tracking_plan.PropertyFields,
}
POSITIONAL_IN_BOTH = {
    *("self", "endpoint", "cohort_id", "category_name", "changes", "amplitude_id"),
    *("event_property", "user_property", "group_property"),
}


@pytest.mark.parametrize("section", CALLS)
def test_options(section: str) -> None:
    fields = lua_class(section)
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(CALLS[section]).parameters.items()
        if name not in POSITIONAL_IN_BOTH
        and parameter.kind is not parameter.VAR_KEYWORD
        and not (section in ("EventCreate", "EventUpdate") and name == "event_type")
    }
    more = set(FIELDS[section].__annotations__) if section in FIELDS else set()
    assert without(set(fields), section) == set(parameters) | more
    for name, parameter in parameters.items():
        optional, comment = fields[name]
        assert optional == (parameter.default is not parameter.empty), name
        told = re.search(r'default (".*?"|true|false|[0-9.]+)', comment)
        nothing: tuple[Any, ...] = (None, False, (), parameter.empty)
        if told:
            assert json.loads(told[1]) == parameter.default, name
        else:
            assert parameter.default in nothing, f"{name}: the default is not told in Lua"


def test_timeouts() -> None:
    for name, seconds in (
        ("flush", inspect.signature(tidewheel.Client.flush).parameters["timeout"].default),
        ("close", CLOSE_SECONDS),
    ):
        told = re.search(
            r"---@param timeout\? number seconds, default (\d+)\n(?:---.*\n)*"
            rf"function Client:{name}\(",
            ANNOTATIONS,
        )
        assert told, name
        assert float(told[1]) == seconds


@pytest.mark.parametrize(
    ("lua", "python"),
    [
        ("Cohort", tidewheel.Cohort),
        ("CohortUploaded", tidewheel.CohortUpload),
        ("CohortUpdated", tidewheel.CohortUpdate),
        ("Stats", tidewheel.Stats),
        ("Outcome", tidewheel.Outcome),
        ("Rejection", tidewheel.Rejection),
        ("Progress", tidewheel.Progress),
        ("RawReply", tidewheel.Response),
        ("FunnelStep", tidewheel.FunnelStep),
        ("TimeBin", tidewheel.TimeBin),
        ("RetentionCohort", tidewheel.RetentionCohort),
        ("LtvPoint", tidewheel.LtvPoint),
        ("LtvCohort", tidewheel.LtvCohort),
        ("ListedEvent", tidewheel.ListedEvent),
        ("UserMatch", tidewheel.UserMatch),
        ("Location", tidewheel.Location),
        ("ActivityUser", tidewheel.ActivityUser),
        ("ActivityPage", tidewheel.ActivityPage),
        ("UserProfile", tidewheel.UserProfile),
        ("Recommendation", tidewheel.Recommendation),
        ("Propensity", tidewheel.Propensity),
        ("EventType", tidewheel.EventType),
        ("EventCategory", tidewheel.EventCategory),
        ("EventProperty", tidewheel.EventProperty),
        ("UserProperty", tidewheel.UserProperty),
        ("GroupProperty", tidewheel.GroupProperty),
        ("Created", tidewheel.Created),
        ("PlanChange", tidewheel.PlanChange),
        ("PlanDiff", tidewheel.PlanDiff),
    ],
)
def test_results(lua: str, python: Any) -> None:
    assert tuple(lua_class(lua)) == python._fields


def test_the_search() -> None:
    fields = tuple(field.name for field in dataclasses.fields(tidewheel.UserSearch))
    assert tuple(lua_class("UserSearch")) == fields


@pytest.mark.parametrize(
    ("lua", "python"),
    [("Series", tidewheel.Series), ("Funnel", tidewheel.Funnel)],
)
def test_results_with_a_name(lua: str, python: Any) -> None:
    assert tuple(lua_class(lua)) == ("name", *python._fields)


def test_the_report() -> None:
    assert tuple(lua_class("Report")) == (*tidewheel.Report._fields, "complete")


def test_errors() -> None:
    error = tidewheel.TidewheelError("text", code="validation")
    for name in lua_class("Error"):
        assert hasattr(error, name) or name == "message", name
