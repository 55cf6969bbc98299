"""A subscription is changed or deleted: each under the lock of its row, and told.

What was to be delivered and is not yet: a change of the URL holds for it, too; when the subscription is
disabled or deleted it is cancelled as it comes up. Nothing is claimed for it after the commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.models import Subscription
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.access.door import find_subscription
from alertops.services.subscriptions.make_subscription import stored_events, told_of


def change_subscription(
    session: Session, asking: Asking, subscription_id: UUID, changes: Mapping[str, Any]
) -> Subscription:
    """Change what is named, and commit. To enable it forgets why it was disabled."""
    with _locked(session, asking, subscription_id) as subscription:
        before, url = told_of(subscription), subscription.url
        for name, value in changes.items():
            setattr(subscription, name, stored_events(value) if name == "events" else value)
        if changes.get("enabled"):
            subscription.disabled_because = None
        after = told_of(subscription)
        told = {name for name in after if after[name] != before[name]}
        if told or subscription.url != url:
            shown = ({name: said[name] for name in told | {"url"}} for said in (before, after))
            _audit(session, asking, subscription, "subscription.changed", *shown)
        session.flush()
        session.refresh(subscription)
    return subscription


def delete_subscription(session: Session, asking: Asking, subscription_id: UUID) -> None:
    """Delete it and commit."""
    with _locked(session, asking, subscription_id) as subscription:
        session.delete(subscription)
        _audit(session, asking, subscription, "subscription.deleted", told_of(subscription), None)


@contextmanager
def _locked(session: Session, asking: Asking, subscription_id: UUID) -> Iterator[Subscription]:
    """The subscription, locked, for somebody who may do what they ask for; committed at the end.

    The door is asked twice: before the lock, so that strangers hold nobody up, and under it.
    """
    find_subscription(session, asking, subscription_id)
    lock = select(Subscription).where(Subscription.id == subscription_id).with_for_update(key_share=True)
    try:
        session.scalars(lock.execution_options(populate_existing=True)).one_or_none()
        yield find_subscription(session, asking, subscription_id)
    except BaseException:
        session.rollback()  # lets the lock go
        raise
    session.commit()


def _audit(
    session: Session,
    asking: Asking,
    subscription: Subscription,
    action: str,
    *told: dict[str, Any] | None,
) -> None:
    """`told` are what it was before, and what it is now."""
    before, after = told
    audit(session, subscription.team_id, asking.actor, action, subscription.id, before=before, after=after)
