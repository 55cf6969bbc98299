"""What the timeline says of whom a step told: which recipient came to whom, who was left out, and why."""

from __future__ import annotations

from sqlalchemy.orm import Session

from alertops.escalation.flow import Node
from alertops.services.keys import StepKey
from alertops.services.resolution import Resolution, Why
from alertops.services.timeline import tell

_REFUSED = (Why.STOPPED, Why.UNCONFIRMED)


def tell_resolution(session: Session, key: StepKey, node: Node, resolution: Resolution) -> None:
    """The step has fired; some addresses do not want to be told; and perhaps there is nobody to tell."""
    tell(session, key, "step_fired", node=node.name, recipient=dict(node.recipient), **resolution.as_json())
    for each in resolution.left_out:
        if each.why in _REFUSED:
            tell(session, key, "address_refused", address=each.address, reason=each.why.value)
    if not resolution.targets:
        why = sorted({each.why.value for each in resolution.left_out})
        tell(session, key, "nobody_to_tell", node=node.name, reasons=why)
