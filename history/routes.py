"""HTTP for the record: chats, events, messages, actions, transcripts (protocol 5). The same rules as on the socket."""

from collections.abc import Callable

from flask import Blueprint, Response, request

from history.access import Viewer, chats_of, check_agent, place_in
from history.agents import colleagues
from history.chats import Act, Send
from history.content import check_action, check_message, check_message_id, check_optional_id, check_stream
from history.db import Driver, Store
from history.errors import Conflict, Forbidden, Invalid, NotFound
from history.events import event_json
from history.journal import PAGE_LIMIT, Ack, ack_fields, read_after, read_before
from history.models import INTERNAL, PUBLIC
from history.state import chat_state, queues
from history.times import now_ms, rfc3339
from history.transcript import Transcript, load_transcript
from history.transcript_formats import as_html, as_json, as_text
from history.transcript_pdf import as_pdf
from history.writer import Writer
from history.wsgi import json_answer, number_argument, problem, read_body

CHATS_LIMIT = 50
WHERE_THE_CUSTOMER_IS = (
    "SELECT u.locale, u.time_zone FROM customer u JOIN chat c ON c.customer_id = u.id WHERE c.pk = ?"
)
FORMATS = {
    "text": "text/plain; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "pdf": "application/pdf",
}


def make_blueprint(
    store: Store, writer: Writer, brand: str, identify: Callable[[], Viewer], check_pace: Callable[[Viewer], None]
) -> Blueprint:
    """`identify` tells who asks, or raises Unauthorized; `check_pace` raises RateLimited for who writes too quickly."""
    blueprint = Blueprint("history", __name__, url_prefix="/api/v1")

    @blueprint.get("/chats")
    def list_chats() -> Response:
        viewer = identify()
        before = number_argument("cursor")
        with store.reading() as driver:
            found = chats_of(driver, viewer, before or now_ms() + 1, CHATS_LIMIT)
            items = [chat_state(driver, pk, viewer.role, now_ms()) for pk, _, _ in found]
        more = found[-1][2] if len(found) == CHATS_LIMIT else None
        return json_answer({"items": items, "next": None if more is None else str(more)})

    @blueprint.get("/chats/<chat>")
    def show_chat(chat: str) -> Response:
        viewer = identify()
        with store.reading() as driver:
            place = place_in(driver, viewer, chat)
            return json_answer(chat_state(driver, place.chat_pk, place.role, now_ms()))

    @blueprint.get("/chats/<chat>/events")
    def show_events(chat: str) -> Response:
        viewer = identify()
        stream, after, before, limit = page_arguments()
        with store.reading() as driver:
            place = place_in(driver, viewer, chat)
            if stream == INTERNAL and viewer.role != "agent":
                raise Forbidden("Only agents read notes")
            return json_answer(events_page(driver, place.chat_pk, stream, after, before, limit))

    @blueprint.post("/chats/<chat>/messages")
    def add_message(chat: str) -> Response:
        viewer, body = identify(), read_body()
        stream = check_stream(body.get("stream"))
        with store.reading() as driver:
            place = place_in(driver, viewer, chat)
        command = Send(
            place,
            check_message_id(body.get("id")),
            check_optional_id(body.get("prev")),
            check_message(body.get("data"), note=stream == INTERNAL),
            stream,
            body.get("reopen") is True,
        )
        check_pace(viewer)
        return acked(writer.append(command))

    @blueprint.post("/chats/<chat>/actions")
    def do_action(chat: str) -> Response:
        viewer, body = identify(), read_body()
        id, action, data, expect_rev = check_action(body)
        with store.reading() as driver:
            place = place_in(driver, viewer, chat)
        try:
            return acked(writer.append(Act(place, id, action, data, expect_rev)))
        except Conflict as conflict:
            with store.reading() as driver:
                return problem(conflict, chat_state(driver, place.chat_pk, place.role, now_ms()))

    @blueprint.get("/chats/<chat>/transcript")
    def show_transcript(chat: str) -> Response:
        viewer = identify()
        form = request.args.get("format", "text")
        if form not in FORMATS:
            raise Invalid("`format` must be text, html, json or pdf")
        thread = number_argument("thread")
        with store.reading() as driver:
            place = place_in(driver, viewer, chat)
            transcript = load_transcript(driver, place.chat_pk, thread)
            locale, time_zone = driver.row(WHERE_THE_CUSTOMER_IS, place.chat_pk) or ("en", "UTC")
        if not transcript.entries:
            raise NotFound("There is nothing in this chat yet")
        name = f"chat-{rfc3339(transcript.entries[0].at_ms)[:10]}.{'txt' if form == 'text' else form}"
        return Response(
            rendered(form, transcript, brand, locale, time_zone),
            content_type=FORMATS[form],
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": f'attachment; filename="{name}"',
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            },
        )

    @blueprint.get("/queue")
    def show_queue() -> Response:
        viewer = identify()
        check_agent(viewer)
        with store.reading() as driver:
            return json_answer(queues(driver, [viewer.person_id])[viewer.person_id])

    @blueprint.get("/agents")
    def show_agents() -> Response:
        check_agent(identify())
        with store.reading() as driver:
            return json_answer({"items": colleagues(driver, now_ms()), "next": None})

    return blueprint


def rendered(form: str, transcript: Transcript, brand: str, locale: str, time_zone: str) -> str | bytes:
    """The transcript in one of FORMATS."""
    match form:
        case "json":
            return as_json(transcript)
        case "html":
            return as_html(transcript, brand, locale, time_zone)
        case "pdf":
            return as_pdf(transcript, brand, locale, time_zone)
    return as_text(transcript, brand, locale, time_zone)


def page_arguments() -> tuple[int, int | None, int | None, int]:
    """stream, after, before and limit of a request for events; the newest ones if neither bound is given."""
    stream = check_stream(request.args.get("stream"))
    after, before = number_argument("after"), number_argument("before")
    if after is not None and before is not None:
        raise Invalid("Give one of `after` and `before`")
    limit = number_argument("limit")
    return (
        stream,
        after,
        before,
        max(1, min(PAGE_LIMIT if limit is None else limit, PAGE_LIMIT)),
    )


def events_page(driver: Driver, chat_pk: int, stream: int, after: int | None, before: int | None, limit: int) -> str:
    """A page of events as JSON text, with where the stream stands."""
    columns = "head, hash, floor" if stream == PUBLIC else "internal_head, internal_hash, 0"
    row = driver.row(f"SELECT {columns} FROM chat WHERE pk = ?", chat_pk)  # noqa: S608
    assert row is not None, "the caller has looked the chat up"
    head, hash, floor = row
    if after is not None:
        events = read_after(driver, chat_pk, stream, after, limit)
        more = bool(events) and events[-1].seq < head
    else:
        events = read_before(driver, chat_pk, stream, head + 1 if before is None else before, limit)
        more = bool(events) and events[0].seq > floor + 1
    return (
        f'{{"items":[{",".join(map(event_json, events))}],"more":{"true" if more else "false"},'
        f'"floor":{floor},"head":{head},"hash":"{hash}"}}'
    )


def acked(ack: Ack) -> Response:
    return json_answer(ack_fields(ack), 200 if ack.duplicate else 201)
