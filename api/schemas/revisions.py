"""Revisions of a flow, and what is different between two of them."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from alertops.escalation.flow import MAX_REVISIONS
from api.fields import Instant, QueryNumber
from api.schemas.flows import NodeInput
from api.schemas.pages import LimitQuery, NumberCursor

# A value of a flow or node, as it stands there: whatever kind it is of.
_ANY_VALUE = {"anyOf": [{"type": kind} for kind in ("string", "number", "object")]}


class RevisionQuery(LimitQuery):
    after = NumberCursor(data_key="cursor")


class RevisionSchema(Schema):
    revision = fields.Integer(attribute="number", required=True)
    author_id = fields.UUID(
        required=True, allow_none=True, metadata={"description": "None: the account was deleted."}
    )
    created_at = Instant(required=True)


class RevisionPageSchema(Schema):
    items = fields.List(fields.Nested(RevisionSchema), required=True)
    next_cursor = NumberCursor(attribute="next", required=True, allow_none=True)


class FrozenNodeSchema(NodeInput):
    """A node as a revision froze it."""

    id = fields.UUID(required=True)


class ShownRevisionSchema(RevisionSchema):
    name = fields.String(attribute="definition.name", required=True)
    description = fields.String(attribute="definition.description", required=True)
    repeat = fields.Integer(attribute="definition.repeat", required=True)
    nodes = fields.List(fields.Nested(FrozenNodeSchema), attribute="definition.nodes", required=True)


class DiffQuery(Schema):
    to = QueryNumber(
        validate=validate.Range(1, MAX_REVISIONS),
        metadata={"description": "The revision to compare with; without it, the newest."},
    )


class ChangeSchema(Schema):
    """A value that is another one now, at this JSON pointer into the flow or the node."""

    pointer = fields.String(required=True)
    before = fields.Raw(required=True, metadata=_ANY_VALUE)
    after = fields.Raw(required=True, metadata=_ANY_VALUE)


class PlacedNodeSchema(Schema):
    position = fields.Integer(required=True)
    node = fields.Nested(FrozenNodeSchema, required=True)


class MovedNodeSchema(Schema):
    """A node that stands in another order among those that both revisions have."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    before = fields.Integer(required=True, metadata={"description": "Position, counted from 0."})
    after = fields.Integer(required=True, metadata={"description": "Position, counted from 0."})


class ChangedNodeSchema(Schema):
    id = fields.UUID(required=True)
    name = fields.String(required=True)
    changes = fields.List(fields.Nested(ChangeSchema), required=True)


class NodesDiffSchema(Schema):
    added = fields.List(fields.Nested(PlacedNodeSchema), required=True)
    removed = fields.List(fields.Nested(PlacedNodeSchema), required=True)
    moved = fields.List(fields.Nested(MovedNodeSchema), required=True)
    changed = fields.List(fields.Nested(ChangedNodeSchema), required=True)


class DiffSchema(Schema):
    before = fields.Nested(RevisionSchema, required=True)
    after = fields.Nested(RevisionSchema, required=True)
    changes = fields.List(
        fields.Nested(ChangeSchema),
        attribute="diff.changes",
        required=True,
        metadata={"description": "Of the flow itself."},
    )
    nodes = fields.Nested(NodesDiffSchema, attribute="diff", required=True)
