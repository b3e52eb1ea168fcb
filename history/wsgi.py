"""What the HTTP doors of all rooms share: bodies, numbers and ids from a request, and errors as problem documents."""

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from history.content import check_seq
from history.errors import Forbidden, Invalid, StillhereError
from history.sentences import CODES, Language, language_of
from history.times import new_id

log = logging.getLogger("stillhere.http")

PLAIN_CODES = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "not_found",
    413: "too_big",
    429: "rate",
}


def json_answer(value: Any, status: int = 200) -> Response:
    """`value` as JSON. What people said is nobody else's to keep, so nothing is cached."""
    body = value if isinstance(value, str) else orjson.dumps(value)
    return Response(body, status, mimetype="application/json", headers={"Cache-Control": "no-store"})


def read_body() -> Mapping[str, Any]:
    """The request's JSON object. Raises Invalid."""
    try:
        body = orjson.loads(request.get_data(cache=False) or b"{}")
    except ValueError as error:
        raise Invalid("The body must be JSON") from error
    if not isinstance(body, dict):
        raise Invalid("The body must be a JSON object")
    return body


def number_argument(name: str) -> int | None:
    """A whole number of the query string; null if it is absent. Raises Invalid."""
    text = request.args.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Invalid(f"`{name}` must be a whole number")
    return check_seq(int(text), name)


def reader_language() -> Language:
    """The language that the browser asks for; English if we speak none of them."""
    asked_for = request.accept_languages.values()
    return language_of(next((tag for tag in asked_for if tag.partition("-")[0].lower() in CODES), "en"))


def check_same_origin() -> None:
    """A browser's cookie changes things, and opens sockets, only from our own pages. Raises Forbidden."""
    reads = request.method in ("GET", "HEAD", "OPTIONS") and not request.headers.get("Upgrade")
    if not reads and urlsplit(request.headers.get("Origin", "")).netloc != request.host:
        raise Forbidden("This must come from one of our own pages")


def problem(error: StillhereError, state: Any = None) -> Response:
    """An error as a problem document (RFC 9457)."""
    body: dict[str, Any] = {
        "type": f"urn:stillhere:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
    }
    body |= {key: error.extra[key] for key in ("after_ms", "need", "id") if key in error.extra}
    if state is not None:
        body["state"] = state
    headers = {"Cache-Control": "no-store"}
    if "after_ms" in error.extra:
        headers["Retry-After"] = str(-(-int(error.extra["after_ms"]) // 1000))
    return Response(orjson.dumps(body), error.status, headers, content_type="application/problem+json")


class Refusal(StillhereError):
    """What Flask or Werkzeug refused by themselves, in the words of our errors."""

    def __init__(self, error: HTTPException) -> None:
        super().__init__(error.description or error.name)
        self.status = error.code or 500
        self.code = PLAIN_CODES.get(self.status, "invalid")
        self.title = error.name


def answer_errors(app: Flask) -> None:
    """Makes every refusal a problem document, and hides what went wrong behind an id that the log has too."""

    @app.errorhandler(StillhereError)
    def refuse(error: StillhereError) -> Response:
        return problem(error)

    @app.errorhandler(HTTPException)
    def refuse_plainly(error: HTTPException) -> Response | HTTPException:
        if error.response is not None or (error.code or 500) < 400:
            return error
        return problem(Refusal(error))

    @app.errorhandler(Exception)
    def hide(error: Exception) -> Response:
        id = new_id()
        log.exception("a request failed (%s)", id, exc_info=error)
        return problem(StillhereError(f"Something went wrong; our log has it under {id}", id=id))
