"""The API's description as a file, for whoever reads it without running anything.

python -m api.description > docs/openapi.json
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

from flask import Flask

from api import BLUEPRINTS
from api.openapi import init_openapi


def description() -> dict[str, Any]:
    """What a running API serves at /openapi.json."""
    app = Flask(__name__, static_folder=None)
    api = init_openapi(app, version("alertops"))
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    with app.app_context():
        described: dict[str, Any] = api.spec.to_dict()
    return described


def page() -> str:
    """The file, as it is committed."""
    return json.dumps(description(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
