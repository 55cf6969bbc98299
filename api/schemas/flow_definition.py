"""A flow's whole definition, to be put in place of what it says now."""

from __future__ import annotations

from marshmallow import fields, validate

from alertops.escalation.flow import MAX_NODES
from api.schemas.flows import FlowInput, NodeInput


class DefinedNode(NodeInput):
    id = fields.UUID(metadata={"description": "Of the node that it is; without it, the node is new."})


class FlowDefinition(FlowInput):
    """What is not named is as in a new flow."""

    nodes = fields.List(fields.Nested(DefinedNode), required=True, validate=validate.Length(1, MAX_NODES))
