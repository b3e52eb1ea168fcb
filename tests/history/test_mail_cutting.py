"""What is cut from answers: the corpus in `replies/`, and single rules."""

import pytest

from history.mail.receive.cutting import Cut, cut, ours
from history.mail.receive.html_text import text_of_html
from history.mail.receive.reading import MOST_TEXT_BYTES
from tests.history.replies import ADDRESS, BRAND, MARKER, OURS, REPLY_ADDRESS, Reply, replies

WE = ours((ADDRESS, REPLY_ADDRESS, "https://chat.marlow.example/link"), (BRAND,), (MARKER,))

EXACT_SHARE = 0.97


def cut_of(reply: Reply) -> Cut:
    if not reply.is_html:
        return cut(reply.text, WE)
    text, is_whole = text_of_html(reply.text)
    done = cut(text, WE)
    return Cut(done.text, done.is_whole and is_whole)


@pytest.mark.parametrize("reply", replies("tuned"), ids=lambda reply: reply.name)
def test_what_was_said_is_found(reply: Reply) -> None:
    assert cut_of(reply).text == reply.said


def test_of_the_held_out_answers_nearly_all_are_found_to_the_letter() -> None:
    cases = replies("heldout")
    missed = {reply.name: cut_of(reply).text for reply in cases if cut_of(reply).text != reply.said}
    assert len(cases) >= 150
    assert len(missed) <= len(cases) * (1 - EXACT_SHARE), missed


def test_nothing_of_what_we_wrote_comes_back_into_the_chat() -> None:
    history = {line.strip() for text in OURS.values() for line in text.split("\n")} - {""}
    for reply in [*replies("tuned"), *replies("heldout")]:
        again = {line.lstrip("> ").strip() for line in cut_of(reply).text.split("\n")} & history
        assert not again, (reply.name, again)


def test_nobodys_words_are_lost_without_a_sign_that_there_was_more() -> None:
    for reply in [*replies("tuned"), *replies("heldout")]:
        done = cut_of(reply)
        kept = set(reply.said.split()) <= set(done.text.split())
        assert kept or not done.is_whole, reply.name


def test_an_answer_without_anything_else_is_whole() -> None:
    assert cut("Green.\n\n\nAlex  \n", WE) == Cut("Green.\n\nAlex", is_whole=True)
    assert not cut("Green.\n-- \nAlex", WE).is_whole


@pytest.mark.parametrize(
    "text",
    [
        "--\nAlex",
        "> not yours\nbut mine",
        "Dear Marlow & Finch,\nthe lid came at 10:30:\n- green\n- new",
        "Mine is the iPhone 12.\n\nIt was sent with the iPhone, was it not?",
        "From: Hull\nTo: Norwich\nWeight: 2 kg",
        "info@marlow.example 10:10 23.11.2026:\n> chat@marlow.example.net and other.chat@marlow.example are not theirs",
        "Marlow & Finchley is another shop at 10:10 on 23.11.2026:\n> as they say",
    ],
)
def test_own_words_stay(text: str) -> None:
    assert cut(text, WE) == Cut(text.strip(), is_whole=True)


@pytest.mark.parametrize(
    "line",
    [
        f"a: b\n{BRAND} 10:10 23.11.2026\n",
        "a: b\n",
        "x:\n\n",
        "> x\n\n",
        f"> {BRAND}\n\n",
        "-----\n\n",
        "!" * 79 + "\n",
    ],
)
def test_what_is_made_to_take_for_ever_takes_no_time(line: str) -> None:
    assert len(cut(line * (MOST_TEXT_BYTES // len(line)), WE).text) < MOST_TEXT_BYTES
