"""GET /api/v1/search (protocol 5). Knows HTTP; what is searched and shown is decided in `finding.py`."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, request

from history.access import Viewer
from history.db import Store
from history.times import now_ms
from search.engine import Engine
from search.finding import find


def make_blueprint(store: Store, engine: Engine, identify: Callable[[], Viewer]) -> Blueprint:
    """The route, for whoever `identify` says is asking; it raises Unauthorized for nobody."""
    blueprint = Blueprint("search", __name__, url_prefix="/api/v1")

    @blueprint.get("/search")
    def search() -> dict[str, Any]:
        return find(store, engine, identify(), request.args, now_ms())

    return blueprint
