# SPDX-License-Identifier: MIT
"""Builders of events and segments."""

import datetime as dt

import pytest

import tidewheel
from tidewheel import ANY_ACTIVE_EVENT, Cohort, Event, Segment
from tidewheel.questions import listed, segments


def test_an_event_reads_like_the_question() -> None:
    event = Event("purchase").where("price", ">", 10).where("gp:tier", "is", ["gold", None])
    assert event.by("country", "size")._as_json() == {
        "event_type": "purchase",
        "filters": [
            {"subprop_key": "price", "subprop_op": ">", "subprop_value": [10]},
            {"subprop_key": "gp:tier", "subprop_op": "is", "subprop_value": ["gold", None]},
        ],
        "group_by": [{"value": "country"}, {"value": "size"}],
    }
    typed = Event("a").where("city", "is", "Oslo", type="event").by("city", type="event")
    assert typed._as_json() == {
        "event_type": "a",
        "filters": [
            {
                "subprop_type": "event",
                "subprop_key": "city",
                "subprop_op": "is",
                "subprop_value": ["Oslo"],
            }
        ],
        "group_by": [{"type": "event", "value": "city"}],
    }  # fmt: skip
    assert Event(ANY_ACTIVE_EVENT)._as_json() == {"event_type": "_active"}


def test_builders_never_change() -> None:
    base = Event("a").where("x", "is", 1)
    one, other = base.where("y", "is", 2), base.by("z")
    assert base == Event("a").where("x", "is", 1)
    assert hash(base) == hash(Event("a").where("x", "is", 1))
    assert len({base, one, other}) == 3
    assert base != Segment()
    everybody = Segment()
    assert everybody.where("country", "is", "Norway") != everybody == Segment()


def test_repr_is_the_expression() -> None:
    for event in (
        Event("a b"),
        Event("a").where("price", ">", [10]).by("country", ),
        Event("a").where("n", "is", ["x", 2], type="user").by("m", type="event"),
    ):  # fmt: skip
        assert eval(repr(event)) == event
    assert "Norway" in repr(Segment().where("country", "is", "Norway"))


def test_segments() -> None:
    segment = (
        Segment()
        .where("country", "in", ("Norway", "Chile"))
        .performed(Event("buy").where("price", ">", 5), at_least=2, within_days=30)
        .in_cohort("abc")
        .not_in_cohort("d", "e")
    )
    assert segment._as_json() == [
        {"prop": "country", "op": "in", "values": ["Norway", "Chile"]},
        {
            "type": "event",
            "event_type": "buy",
            "filters": [{"subprop_key": "price", "subprop_op": ">", "subprop_value": [5]}],
            "op": ">=",
            "value": 2,
            "time_type": "forEachInterval",
            "time_value": 30,
        },
        {"prop": "userdata_cohort", "op": "is", "values": ["abc"]},
        {"prop": "userdata_cohort", "op": "is not", "values": ["d", "e"]},
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, (">=", 1, "allTime")),
        ({"at_most": 3}, ("<=", 3, "allTime")),
        ({"exactly": 0, "time_type": "currentInterval"}, ("=", 0, "currentInterval")),
        ({"more_than": 3, "within_days": 7}, (">", 3, "forEachInterval")),
        ({"less_than": 3, "within_days": 7, "time_type": "rolling"}, ("<", 3, "rolling")),
    ],
)
def test_who_performed(arguments: dict[str, object], expected: tuple[object, ...]) -> None:
    (condition,) = Segment().performed("buy", **arguments)._as_json()  # type: ignore[arg-type]
    assert (condition["op"], condition["value"], condition["time_type"]) == expected
    assert condition.get("time_value") == arguments.get("within_days")


def test_who_performed_takes_raw_json() -> None:
    document = {"event_type": "buy", "filters": []}
    text = '{"event_type":"buy","filters":[]}'
    assert Segment().performed(text, at_least=2) == Segment().performed(document, at_least=2)
    with pytest.raises(tidewheel.ValidationError, match="not JSON") as caught:
        Segment().not_performed('{"event_type":')
    assert caught.value.field == "event"
    for more in ({"op": "=", "value": 0}, {"time_type": "rolling"}, {"time_value": 3}):
        with pytest.raises(TypeError, match="a whole condition is no event"):
            Segment().performed({**document, **more})


def test_who_did_not_and_two_counts() -> None:
    (condition,) = Segment().not_performed({"event_type": "buy"}, within_days=3)._as_json()
    assert (condition["op"], condition["value"], condition["time_value"]) == ("=", 0, 3)
    with pytest.raises(TypeError, match="at_least and exactly"):
        Segment().performed("buy", at_least=1, exactly=2)


def test_a_date_is_no_value_of_a_property() -> None:
    day = dt.date(2026, 3, 1)
    with pytest.raises(TypeError, match="the text that the events have"):
        Event("buy").where("day", "is", day)
    with pytest.raises(TypeError, match="the text that the events have"):
        Segment().where("gp:born", "is", ["2026-03-01", day])


def test_one_stands_for_a_list_of_one() -> None:
    cohort = Cohort("c-1", "Gold", 2, True, None, {})
    condition = {"prop": "country", "op": "is", "values": ["Norway"]}
    assert listed(None) is None
    assert listed("a") == ["a"]
    assert listed(Event("a")) == [Event("a")]
    assert listed({"event_type": "a"}) == [{"event_type": "a"}]
    assert listed(("a", "b")) == ["a", "b"]
    assert (listed(5), segments(5)) == (5, 5)
    assert segments(None) is None
    assert segments(Segment()) == [Segment()]
    assert segments(cohort) == [Segment().in_cohort("c-1")]
    assert segments([cohort, Segment()]) == [Segment().in_cohort(cohort), Segment()]
    assert segments([condition]) == [[condition]]
    assert segments([[condition], []]) == [[condition], []]
    assert segments([]) == []
    assert segments(condition) == [[condition]]
    text = '[{"prop":"country","op":"is","values":["Norway"]}]'
    assert segments(text) == [text]
    assert segments([text, Segment()]) == [text, Segment()]


def test_exported() -> None:
    assert (tidewheel.ANY_EVENT, tidewheel.NEW_USERS) == ("_all", "_new")
