"""The pages that customers get: the chat in a frame and on its own, the page of links, the loader for other
people's pages, and their scripts and styles. Wired by app.py.

No page looks at a cookie, a token or the database. The page of links speaks the reader's language.
"""

from pathlib import Path

from flask import Blueprint, Response, abort, redirect, render_template, send_from_directory, url_for
from werkzeug.wrappers import Response as AnyResponse

from history.clean import isolated, one_line
from history.wsgi import reader_language

FOLDER = Path(__file__).with_name("widget")

ASSET_TYPES = {".js": "text/javascript", ".css": "text/css"}
"""What `/assets` hands out; templates stay inside."""

OURS = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
}
"""The content security policy of our own pages, but for who may frame them."""

SHOP_POLICY = {"frame-ancestors": "'none'"}
"""The shop plays other people's page, so it says no more than such pages do."""


def make_blueprint(brand: str, frame_ancestors: str, demo: bool) -> Blueprint:
    """The pages for customers of `brand`. `frame_ancestors` says, in CSP's words, who may frame the widget.

    With `demo`, a made-up shop at `/demo` shows the widget in use, and the front page leads there.
    """
    blueprint = Blueprint("pages", __name__, template_folder=str(FOLDER))

    def page(name: str, policy: dict[str, str], **values: object) -> Response:
        html = render_template(f"pages/{name}.html", brand=brand, **values)
        return guarded(Response(html, mimetype="text/html"), policy)

    @blueprint.get("/widget")
    def widget() -> Response:
        return page("chat", OURS | {"frame-ancestors": frame_ancestors}, shape="widget")

    @blueprint.get("/chat")
    def chat() -> Response:
        return page("chat", OURS | {"frame-ancestors": "'none'"}, shape="page")

    @blueprint.get("/link")
    def link() -> Response:
        language = reader_language()
        values = {
            "language": language,
            "say": language.say,
            "shown_brand": isolated(one_line(brand), language.direction),
        }
        response = page("link", OURS | {"frame-ancestors": "'none'"}, **values)
        response.headers["Vary"] = "Accept-Language"
        return response

    @blueprint.get("/widget.js")
    def loader() -> Response:
        response = send_asset("widget.js")
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    @blueprint.get("/assets/<path:path>")
    def asset(path: str) -> Response:
        return send_asset(path)

    @blueprint.get("/")
    def home() -> AnyResponse:
        return redirect(url_for("pages.shop")) if demo else page("home", OURS | {"frame-ancestors": "'none'"})

    if demo:

        @blueprint.get("/demo")
        def shop() -> Response:
            return page("shop", SHOP_POLICY)

    return blueprint


def send_asset(path: str) -> Response:
    """A script or a style of the widget's folder; browsers ask each time whether it has changed (ETag)."""
    kind = next((kind for suffix, kind in ASSET_TYPES.items() if path.endswith(suffix)), None)
    if kind is None:
        abort(404)
    response = send_from_directory(FOLDER, path, mimetype=kind)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def guarded(response: Response, policy: dict[str, str]) -> Response:
    response.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-cache"
    return response
