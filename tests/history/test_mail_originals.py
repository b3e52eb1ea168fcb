"""The mail behind a message: what agents see of it, for how long, and that nobody else does."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from history.access import Viewer
from history.mail.receive.originals import forget_originals, make_blueprint
from history.privacy import erase_chat
from history.times import DAY_MS, now_ms
from history.wsgi import answer_errors
from tests.history.post import FAILED, Post
from tests.history.scene import Scene

AGENT = Viewer("agent", "mira", "Mira")
TEXT = "Dark green.\r\n\r\nOn Mon, 23 Nov 2026 at 10:14, Acme wrote:\r\n> <script>Which?</script>"


@pytest.fixture
def post(scene: Scene) -> Post:
    scene.closed_chat()
    return Post(scene)


def browser(post: Post, viewer: Viewer = AGENT) -> FlaskClient:
    app = Flask(__name__)
    answer_errors(app)
    app.register_blueprint(make_blueprint(post.scene.store, post.receiver, lambda: viewer))
    return app.test_client()


def test_an_agent_sees_all_that_was_written_as_plain_text(post: Post) -> None:
    post.comes(post.answer(TEXT))
    path = f"/desk/mails/{post.messages()[0]['by_mail']['id']}"
    answer = browser(post).get(path)
    assert answer.content_type.startswith("text/plain")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "> <script>Which?</script>" in answer.text and "dmarc=pass" in answer.text
    assert browser(post).get(f"{path}.eml").data == post.answer(TEXT)


def test_a_mail_that_was_held_back_can_be_seen_too(post: Post) -> None:
    post.comes(post.answer(headers=FAILED))
    assert "Green." in browser(post).get(f"/desk/mails/{post.mails()[0].id}").text


def test_for_anybody_else_it_is_not_there(post: Post) -> None:
    post.comes(post.answer())
    customer = Viewer("customer", post.scene.customer.person_id, "Alex")
    assert browser(post, customer).get(f"/desk/mails/{post.mails()[0].id}").status_code == 404
    assert browser(post).get("/desk/mails/nothing").status_code == 404


def test_a_mail_that_was_held_back_is_let_through_once_and_proves_nothing(post: Post) -> None:
    post.comes(post.answer(headers=FAILED))
    path = f"/desk/mails/{post.mails()[0].id}/release"
    customer = Viewer("customer", post.scene.customer.person_id, "Alex")
    assert browser(post, customer).post(path).status_code == 404
    assert (post.messages(), post.status()) == ([], "closed")
    for _ in range(2):
        assert browser(post).post(path).status_code == 200
    (message,) = post.messages()
    assert (message["text"], message["name"], message["by_mail"]["proof"]) == ("Green.", "Alex", "unproven")
    assert post.status() in ("open", "waiting")
    assert post.notes()[1:] == ["Mira let the mail of alex@example.com through."]
    assert post.comes(post.answer(headers=FAILED)) == "duplicate"


def test_a_strangers_mail_that_is_let_through_is_a_strangers(post: Post) -> None:
    post.comes(post.answer(headers=FAILED, sender="kim@example.com"))
    assert browser(post).post(f"/desk/mails/{post.mails()[0].id}/release").status_code == 200
    (message,) = post.messages()
    assert (message["role"], message["by_mail"]["proof"]) == ("system", "stranger")


def test_what_was_not_held_back_cannot_be_let_through(post: Post) -> None:
    post.comes(post.answer())
    before = len(post.messages())
    assert browser(post).post(f"/desk/mails/{post.mails()[0].id}/release").status_code == 200
    assert len(post.messages()) == before
    post.comes(post.answer(TEXT.removeprefix("Dark green."), headers=FAILED, number=2))
    held = next(mail.id for mail in post.mails() if mail.verdict == "quarantined")
    answer = browser(post).post(f"/desk/mails/{held}/release")
    assert (answer.status_code, answer.json["code"]) == (422, "invalid")  # type: ignore[index]
    assert [mail.verdict for mail in post.mails() if mail.id == held] == ["quarantined"]
    assert browser(post).post("/desk/mails/nothing/release").status_code == 404


def test_an_erased_chat_takes_no_mail_that_was_held_back(post: Post) -> None:
    post.comes(post.answer(headers=FAILED))
    held = post.mails()[0].id
    post.scene.writer.write(lambda t: erase_chat(t, post.scene.customer.chat_id))
    assert browser(post).post(f"/desk/mails/{held}/release").status_code in (404, 410)
    assert post.messages() == []


def test_it_is_forgotten_with_its_message_and_after_a_while(post: Post) -> None:
    post.comes(post.answer())
    post.comes(post.answer("Blue.", number=2))
    seqs = [entry.seq for entry in post.scene.transcript().entries if "by_mail" in entry.data]
    post.scene.does(post.scene.agent, "redact", seq=seqs[0])
    first, second = (mail.id for mail in sorted(post.mails(), key=lambda mail: mail.event_seq or 0))
    client = browser(post)
    assert [client.get(f"/desk/mails/{id}").status_code for id in (first, second)] == [404, 200]
    assert post.scene.writer.write(forget_originals) == 1
    due = "UPDATE mail_inbound SET raw_until_ms = ?"
    post.scene.writer.write(lambda t: t.driver.run(due, now_ms() - DAY_MS))
    assert client.get(f"/desk/mails/{second}").status_code == 404
    assert post.scene.writer.write(forget_originals) == 1
    assert [mail.raw for mail in post.mails()] == [None, None]
