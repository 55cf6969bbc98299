"""Subscriptions: machines that are told what happens to executions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from alertops.models import Subscription
from alertops.services.access.door import find_subscription, find_team
from alertops.services.access.permissions import Action
from alertops.services.pages import Page, Place, subscriptions_of
from alertops.services.subscriptions.change_subscription import change_subscription, delete_subscription
from alertops.services.subscriptions.make_subscription import make_subscription
from api.asking import asking
from api.blueprints import TeamBlueprint
from api.extensions import session
from api.schemas.pages import PageQuery
from api.schemas.subscriptions import (
    SubscriptionChange,
    SubscriptionInput,
    SubscriptionPageSchema,
    SubscriptionSchema,
)

blueprint = TeamBlueprint(
    "subscriptions", __name__, description="Subscriptions: machines that are told what happens to executions"
)


@blueprint.post("/teams/<uuid:team_id>/subscriptions")
@blueprint.permits(Action.MANAGE_SUBSCRIPTIONS)
@blueprint.arguments(SubscriptionInput)
@blueprint.response(201, SubscriptionSchema)
def create(wanted: dict[str, Any], team_id: UUID) -> tuple[Subscription, int, dict[str, str]]:
    """Subscribe a machine: it is told what happens to the team's executions from now on."""
    made = make_subscription(session(), asking(), team_id, **wanted)
    return made, 201, {"Location": url_for("subscriptions.show", subscription_id=made.id)}


@blueprint.get("/teams/<uuid:team_id>/subscriptions")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, SubscriptionPageSchema)
def list_subscriptions(page: dict[str, Any], team_id: UUID) -> Page[Subscription, Place]:
    """List a team's subscriptions, newest first, and how each of them goes."""
    team = find_team(session(), asking(), team_id)
    return subscriptions_of(session(), team.id, **page)


@blueprint.get("/subscriptions/<uuid:subscription_id>")
@blueprint.permits(Action.VIEW)
@blueprint.response(200, SubscriptionSchema)
def show(subscription_id: UUID) -> Subscription:
    """Show a subscription, and how it goes."""
    return find_subscription(session(), asking(), subscription_id)


@blueprint.patch("/subscriptions/<uuid:subscription_id>")
@blueprint.permits(Action.MANAGE_SUBSCRIPTIONS)
@blueprint.arguments(SubscriptionChange)
@blueprint.response(200, SubscriptionSchema)
def change(changes: dict[str, Any], subscription_id: UUID) -> Subscription:
    """Change a subscription. While it is disabled nothing is kept for it, and what waits is dropped."""
    return change_subscription(session(), asking(), subscription_id, changes)


@blueprint.delete("/subscriptions/<uuid:subscription_id>")
@blueprint.permits(Action.MANAGE_SUBSCRIPTIONS)
@blueprint.response(204)
def delete(subscription_id: UUID) -> None:
    """Delete a subscription: it is told nothing more, and what waits for it is dropped."""
    delete_subscription(session(), asking(), subscription_id)
