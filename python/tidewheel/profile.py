# SPDX-License-Identifier: MIT
"""The profile of one user, for servers that personalise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from ._calls import Area, AsyncArea, row
from .jobs import AsyncJob

__all__ = ["AsyncProfile", "Profile", "Propensity", "Recommendation", "UserProfile"]

RecommendationType = Literal["model", "random"]
PropensityType = Literal["score", "pct"]


class Recommendation(NamedTuple):
    """What is recommended to a user.

    Attributes:
        rec_id: Id of the recommendation.
        child_rec_id: Usually the same.
        items: The recommended items, best first.
        is_control: Serve the default experience.
        recommendation_source: Name of the model.
        last_updated: Seconds since 1970.
        data: The whole object as it came.
    """

    rec_id: str
    child_rec_id: str | None
    items: tuple[str, ...]
    is_control: bool
    recommendation_source: str | None
    last_updated: int | None
    data: Mapping[str, Any]


class Propensity(NamedTuple):
    """How likely a user does something.

    Attributes:
        prediction_id: Id of the prediction.
        propensity: The score (0 to 1) or percentile (0 to 100).
        propensity_type: Which of the two, as the server says it; it may say "score" for both.
        data: The whole object as it came.
    """

    prediction_id: str
    propensity: float | None
    propensity_type: str | None
    data: Mapping[str, Any]


class UserProfile(NamedTuple):
    """The profile of a user; what was not asked for is None.

    Attributes:
        user_id: Id of the user.
        device_id: Id of the device.
        properties: User properties, and computations by their name, which come as texts.
        cohort_ids: Cohorts that are synced to the User Profile API and have the user.
        propensity: Of the one prediction that was asked for.
        recommendations: One for each id.
        propensities: One for each prediction.
        data: The whole userData as it came.
    """

    user_id: str | None
    device_id: str | None
    properties: Mapping[str, Any] | None
    cohort_ids: tuple[str, ...] | None
    propensity: float | None
    recommendations: tuple[Recommendation, ...] | None
    propensities: tuple[Propensity, ...] | None
    data: Mapping[str, Any]


def _profile(answer: dict[str, Any]) -> UserProfile:
    members = dict(answer)
    for name, cls in (("recommendations", Recommendation), ("propensities", Propensity)):
        if members[name] is not None:
            members[name] = [row(cls, one) for one in members[name]]
    return row(UserProfile, members)


def _listed(ids: bool | Iterable[str] | None) -> Any:
    """Ids of any iterable as a list; one str, or what is no list, stays, to be refused."""
    return list(ids) if isinstance(ids, Iterable) and not isinstance(ids, str) else ids


class Profile(Area):
    """`client.profile`: the User Profile API.

    It is not served in the EU: there every call is refused before anything is sent. Limit: 600
    calls a minute and organisation (Amplitude User Profile API docs, read 2026-11-27).
    """

    __slots__ = ()

    def get(
        self,
        *,
        user_id: str | None = None,
        device_id: str | None = None,
        properties: bool = False,
        cohorts: bool = False,
        recommendations: Iterable[str] | None = None,
        recommendation_type: RecommendationType | None = None,
        computations: bool | Iterable[str] | None = None,
        predictions: Iterable[str] | None = None,
        propensity_type: PropensityType | None = None,
    ) -> UserProfile:
        """The profile of a user: the parts that are asked for, in one call.

        Args:
            user_id: Whose profile; or device_id.
            device_id: Whose profile; or user_id.
            properties: All user properties.
            cohorts: Ids of the cohorts synced to the API.
            recommendations: Ids of recommendations.
            recommendation_type: Instead of what the control setting says.
            computations: Ids of computations, or True for all that are enabled. Their values are
                among the properties; those of unknown ids are None.
            predictions: Ids of predictions.
            propensity_type: The raw "score", or "pct" for the percentile.

        Raises:
            ConfigError: The client's region is the EU.
            ValidationError: Neither user_id nor device_id was given, or a value breaks a rule.
            AuthError: The secret key was refused.
            ApiError: The user and the device have never been seen.
            RateLimitError: More than 600 calls a minute.
        """
        return self._call(
            "profile.get",
            _profile,
            user_id=user_id,
            device_id=device_id,
            properties=properties,
            cohorts=cohorts,
            recommendations=_listed(recommendations),
            recommendation_type=recommendation_type,
            computations=_listed(computations),
            predictions=_listed(predictions),
            propensity_type=propensity_type,
        )


class AsyncProfile(AsyncArea):
    """`client.profile` of an AsyncClient: the same names and arguments as Profile."""

    __slots__ = ()

    def get(
        self,
        *,
        user_id: str | None = None,
        device_id: str | None = None,
        properties: bool = False,
        cohorts: bool = False,
        recommendations: Iterable[str] | None = None,
        recommendation_type: RecommendationType | None = None,
        computations: bool | Iterable[str] | None = None,
        predictions: Iterable[str] | None = None,
        propensity_type: PropensityType | None = None,
    ) -> AsyncJob[UserProfile]:
        """The profile of a user; see Profile.get."""
        return self._call(
            "profile.get",
            _profile,
            user_id=user_id,
            device_id=device_id,
            properties=properties,
            cohorts=cohorts,
            recommendations=_listed(recommendations),
            recommendation_type=recommendation_type,
            computations=_listed(computations),
            predictions=_listed(predictions),
            propensity_type=propensity_type,
        )
