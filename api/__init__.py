"""The HTTP edge: Flask. A request becomes one call of a service, and what comes back becomes JSON.

    config.py       environment -> ApiSettings, and Flask's configuration
    blueprints.py   strict arguments on every route, a token on all but the public ones
    body.py         the body: a JSON object that can be stored, or named faults
    fields.py       fields that do not coerce
    preconditions.py  ETags, and which version a change was made for
    schemas/        what goes in and out
    views/          one blueprint per noun
    tokens.py       who is calling; client.py is from where; asking.py is for what
    errors.py       errors -> RFC 9457 problems; problems.py is what those look like
    once.py         what is sent again is not done again
    outbox.py       what subscribers are told of, and nothing else follows from
    openapi.py      the description, and the pages to read it
    answer_words.py what the page that a mail links to says; templates/ is how it looks
    permissions.py  the table of who may do what, for the documentation
    readiness.py    is this process of use?
    metrics.py      a scrape; exposition.py has the names of the figures
    questions.py    asking a server that may hang
    tracing.py      requests as spans
    wsgi.py         the composition root, for gunicorn

What a caller may see is decided in one place, `alertops.services.access.door`; a view only asks it.
"""

from __future__ import annotations

from importlib.metadata import version

from flask import Flask

from alertops.answer_links import AnswerLinks
from alertops.secret_box import SecretBox
from alertops.services.access.once import KeyTakenError
from alertops.services.accounts.limits import Limits
from alertops.services.dispatch import Publisher
from alertops.services.measure import QueueReader
from api.access_log import init_access_log
from api.client import init_client
from api.config import ApiSettings, flask_config
from api.errors import register_error_handlers
from api.extensions import init_extensions
from api.metrics import init_metrics
from api.once import taken
from api.openapi import init_openapi
from api.outbox import init_outbox
from api.readiness import init_readiness
from api.tokens import init_tokens
from api.tracing import init_tracing
from api.views import (
    answer_page,
    api_keys,
    audit,
    auth,
    contact_methods,
    destinations,
    executions,
    flows,
    gone_webhooks,
    health,
    heartbeats,
    integrations,
    invitations,
    maintenance,
    me,
    members,
    metrics,
    nodes,
    operations,
    outsiders,
    preview,
    received_invitations,
    revisions,
    sessions,
    subscriptions,
    teams,
    webhook_secrets,
)
from api.views.intake import pagerduty, pings, webhooks

# One blueprint for each noun, in the order of the description.
BLUEPRINTS = (
    auth.blueprint,
    sessions.blueprint,
    me.blueprint,
    contact_methods.blueprint,
    teams.blueprint,
    teams.own,
    members.blueprint,
    api_keys.blueprint,
    webhook_secrets.blueprint,
    gone_webhooks.blueprint,
    audit.blueprint,
    flows.blueprint,
    nodes.blueprint,
    revisions.blueprint,
    preview.blueprint,
    executions.blueprint,
    operations.blueprint,
    maintenance.blueprint,
    integrations.blueprint,
    heartbeats.blueprint,
    destinations.blueprint,
    subscriptions.blueprint,
    pagerduty.blueprint,
    webhooks.blueprint,
    pings.blueprint,
    invitations.blueprint,
    received_invitations.blueprint,
    received_invitations.own,
    outsiders.blueprint,
    outsiders.addressed,
    health.blueprint,
    metrics.blueprint,
)


def create_app(settings: ApiSettings, publisher: Publisher, queues: QueueReader) -> Flask:
    """The application. Nothing connects before a request.

    `publisher` is how wake-ups reach the broker, `queues` how its queues are asked of it.
    """
    app = Flask(__name__, static_folder=None)
    app.config.from_mapping(flask_config(settings))
    init_tracing(app)
    init_access_log(app)
    init_client(app, settings.trusted_proxies)
    init_extensions(
        app,
        publisher,
        Limits(settings.signing_keys.secret_for("limits")),
        AnswerLinks(settings.core.public_url, settings.core.link_keys),
        SecretBox(settings.core.secrets_keys),
    )
    init_outbox(app)
    init_tokens(app, settings.signing_keys)
    init_readiness(app, settings.core)
    init_metrics(app, settings.core, queues, version("alertops"))
    register_error_handlers(app)
    app.register_error_handler(KeyTakenError, taken)
    api = init_openapi(app, version("alertops"))
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    # For people with a browser, and no part of the API's description.
    app.register_blueprint(answer_page.blueprint)
    return app
