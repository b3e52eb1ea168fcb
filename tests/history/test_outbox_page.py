"""The local outbox page: what it shows, and to whom."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from history.mail.samples import SAMPLES, chats
from history.mail.send import Files
from history.outbox_page import make_blueprint
from tests.history.conftest import StartWorker
from tests.history.scene import ADDRESS, Scene, states, wait_until


@pytest.fixture
def browser(scene: Scene, files: Files) -> FlaskClient:
    app = Flask(__name__)
    app.register_blueprint(make_blueprint(scene.store, files.folder))
    return app.test_client()


@pytest.fixture
def mail(scene: Scene, files: Files, start_worker: StartWorker) -> str:
    scene.closed_chat()
    start_worker(files)
    wait_until(lambda: states(scene) == ["sent"])
    (file,) = files.folder.glob("*.eml")
    return file.name


def test_the_list_shows_what_waits_and_what_went_out(scene: Scene, mail: str, browser: FlaskClient) -> None:
    page = browser.get("/outbox").text
    assert f'href="/outbox/{mail}"' in page
    assert ADDRESS in page and "Your chat with Acme" in page and "sent" in page


def test_a_mail_has_its_parts_and_its_source(mail: str, browser: FlaskClient) -> None:
    assert f'src="/outbox/{mail}/html"' in browser.get(f"/outbox/{mail}").text
    assert "Here I am" in browser.get(f"/outbox/{mail}?view=text").text
    assert "Auto-Submitted: auto-generated" in browser.get(f"/outbox/{mail}?view=source").text
    assert browser.get(f"/outbox/{mail}?view=soul").status_code == 404


def test_the_mail_itself_runs_nothing_and_opens_links_beside(mail: str, browser: FlaskClient) -> None:
    answer = browser.get(f"/outbox/{mail}/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert '<head><base target="_blank">' in answer.text
    assert "https://chat.example.com/r#secret" in answer.text


def test_samples_show_every_kind_in_every_language(browser: FlaskClient) -> None:
    links = re.findall(r'href="(/outbox/sample-[^"]+)"', browser.get("/outbox/samples").text)
    assert len(links) == len(SAMPLES) * len(chats()) == 42
    for link in links:
        assert browser.get(link).status_code == 200
    assert "متابعة هذه المحادثة" in browser.get("/outbox/sample-away-ar.eml/html").text
    assert browser.get("/outbox/sample-love-en.eml").status_code == 404


@pytest.mark.parametrize(
    "visitor",
    [
        {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}},
        {"headers": {"X-Forwarded-For": "127.0.0.1"}},
        {"headers": {"Host": "rebound.example.com"}},
    ],
)
def test_nobody_else_sees_that_it_is_there(mail: str, browser: FlaskClient, visitor: dict[str, dict[str, str]]) -> None:
    for path in ("/outbox", f"/outbox/{mail}", f"/outbox/{mail}/html", "/outbox/outbox.css", "/outbox/samples"):
        assert browser.get(path, **visitor).status_code == 404


@pytest.mark.parametrize("name", ["..%2frecord.db", "x.eml", "..", "20261122T000000Z-0.eml"])
def test_only_mails_of_the_folder_are_shown(browser: FlaskClient, name: str) -> None:
    assert browser.get(f"/outbox/{name}").status_code == 404
