"""The table of who may do what: `python -m api.permissions > docs/permissions.md`.

It is made from the one that is asked (`alertops.services.access.permissions`), and from what the routes say.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

from flask import Flask

from alertops.models.api_key import Scope
from alertops.services.access.permissions import ORDER, PERMISSIONS, Action, role_may
from api import BLUEPRINTS
from api.blueprints import PREFIX
from api.openapi import NumberConverter

_HEAD = """# Who may do what

Made by `python -m api.permissions > docs/permissions.md`, from the table that the API asks
(`alertops/services/access/permissions.py`) and from what each route permits. Do not edit.

Whoever is not in the team gets 404 on every route, as if it did not exist. Whoever is, and may not, gets 403.
"""


def permissions_page() -> str:
    """The page, as it is committed."""
    lines = [_HEAD, *_actions(), "", "## Routes", "", *_routes()]
    return "\n".join(lines) + "\n"


def _actions() -> Iterator[str]:
    yield f"| action | | {' | '.join(ORDER)} | key with scope |"
    yield f"|---|---|{'---|' * len(ORDER)}---|"
    for action, rule in PERMISSIONS.items():
        roles = " | ".join("yes" if role_may(role, action) else "" for role in ORDER)
        scopes = ", ".join(f"`{scope}`" for scope in Scope if scope in rule.scopes)
        yield f"| `{action}` | {rule.words} | {roles} | {scopes or 'none'} |"


def _routes() -> Iterator[str]:
    yield "| route | action | at times also |"
    yield "|---|---|---|"
    for path, method, view in sorted(_views(), key=lambda found: found[:2]):
        also = ", ".join(f"`{action}`" for action in view["permits_at_times"])
        action: Action = view["permits"]
        yield f"| `{method} {path}` | `{action}` | {also} |"


def _views() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and attributes of each view that permits something."""
    app = Flask(__name__, static_folder=None)
    app.url_map.converters["number"] = NumberConverter
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    for rule in app.url_map.iter_rules():
        view = vars(app.view_functions[rule.endpoint])
        if "permits" in view:
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule).removeprefix(PREFIX)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield path, method, view


if __name__ == "__main__":
    sys.stdout.write(permissions_page())
