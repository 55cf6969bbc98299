"""How the process is doing."""

from __future__ import annotations

from marshmallow import Schema, fields


class HealthSchema(Schema):
    status = fields.String(required=True, metadata={"enum": ["ok"]})


class ChecksSchema(Schema):
    database = fields.String(required=True)
    broker = fields.String(required=True)
    recovery = fields.String(required=True)


class ReadinessSchema(Schema):
    """`ok`, or what is wrong, of each part."""

    status = fields.String(required=True, metadata={"enum": ["ready"]})
    checks = fields.Nested(ChecksSchema, required=True)
