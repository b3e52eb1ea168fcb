"""What each kind of mail says, and to whom it says less."""

from dataclasses import replace

import pytest

from history.mail.compose import compose
from history.mail.letter import Letter
from history.mail.receive.cutting import cut, ours
from history.mail.samples import SAMPLES, sample
from history.sentences import CODES, language_of
from tests.history.mail_server import part_of, read


def parts_of(letter: Letter) -> tuple[str, str]:
    mail = read(compose(letter))
    return part_of(mail, "plain"), part_of(mail, "html")


def test_an_update_says_that_it_takes_the_place_of_the_mail_before() -> None:
    for part in parts_of(sample("updated", "en")):
        assert "Updated copy: this mail takes the place of the one before." in part
    assert "Updated copy" not in parts_of(sample("transcript", "en"))[0]


def test_an_away_mail_is_about_the_news_and_little_before() -> None:
    text, html = parts_of(sample("away", "en"))
    assert read(compose(sample("away", "en")))["Subject"] == "Marlow & Finch: new answer in your chat"
    for part in (text, html):
        assert "While you were away, an answer arrived." in part
        assert "dented" in part and "follow the parcel" in part and "By Thursday" in part
        assert "My lamp arrived" not in part
        assert part.index("When will it be here?") < part.index("New since you were last here")
        assert part.index("New since you were last here") < part.rindex("By Thursday")


def test_where_an_answer_can_be_written_the_mail_says_so() -> None:
    answerable, silent = sample("away", "en"), replace(sample("away", "en"), reply_address="")
    assert parts_of(answerable)[0].startswith("Write your answer above this line\n────────\n\n")
    for part in parts_of(answerable):
        assert "Or simply reply to this mail." in part and "are not read" not in part
    for part in parts_of(silent):
        assert "above this line" not in part and "simply reply" not in part
        assert "Answers to this mail are not read. Please use “Continue this chat” instead." in part


def test_a_transcript_marks_what_was_not_read_before() -> None:
    text, _ = parts_of(replace(sample("transcript", "en"), new_since=8))
    before, after = text.split("New since you were last here")
    assert "My lamp arrived" in before and "By Thursday" in after


def test_an_address_that_nothing_proves_gets_no_word_of_the_customers() -> None:
    letter = sample("unproven", "en")
    for part in parts_of(letter):
        for word in ("cracked", "dented", "Alex", "When will it be here"):
            # the agent's own words may say the name
            assert word not in part.replace("Hi Alex", "")
        assert "I am sorry to read that" in part
        assert "nobody has confirmed yet that this address is yours" in part
        assert "everything that was said" not in part
        assert part.count("What you wrote here stands in the chat") == 3


@pytest.mark.parametrize("kind", ["transcript", "away", "unproven"])
def test_the_footer_says_why_who_and_whom_to_tell(kind: str) -> None:
    letter = sample(kind, "en")
    for part in parts_of(letter):
        assert "because you chatted with Marlow" in part and letter.recipient in part
        assert "This was not you? Please tell chat@example.com." in part
        assert letter.privacy_url in part and "12 Mill Lane" in part


@pytest.mark.parametrize("code", CODES)
def test_a_mail_that_asks_for_a_word_tells_nothing_of_the_chat(code: str) -> None:
    letter = sample("confirm", code)
    for part in parts_of(letter):
        assert language_of(letter.locale).say("confirm_button") in part
        assert letter.transcript.customer not in part and "20261184" not in part and "Mira" not in part


def test_mails_of_a_chat_are_one_thread_with_a_root_that_is_never_sent() -> None:
    ids = [f"<mail{number}@example.com>" for number in range(30)]
    mail = read(compose(replace(sample("transcript", "en"), references=("<chat.root@example.com>", *ids))))
    assert str(mail["References"]).split() == ["<chat.root@example.com>", *ids[-11:]]
    assert mail["In-Reply-To"] == ids[-1]
    assert mail["Reply-To"] == sample("transcript", "en").reply_address


def test_only_mails_that_nobody_asked_for_can_be_ended() -> None:
    for name in SAMPLES:
        mail = read(compose(sample(name, "en")))
        if name == "away":
            assert mail["List-Unsubscribe"] == "<https://chat.example.com/mute/Jm5zR2tYb0x1>"
            assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        else:
            assert mail["List-Unsubscribe"] is None


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", SAMPLES)
def test_every_mail_speaks_its_language_and_has_a_short_subject(name: str, code: str) -> None:
    letter = sample(name, code)
    text, html = parts_of(letter)
    language = language_of(letter.locale)
    assert f'<html lang="{language.tag}" dir="{language.direction}">' in html
    assert 0 < len(letter.subject) <= 60
    assert letter.say("title") in text
    assert "4111" not in text + html and "٤١١١" not in text + html


def test_addresses_of_the_team_are_links_and_those_of_customers_are_not() -> None:
    _, html = parts_of(sample("transcript", "en"))
    assert '<a class="brand" href="https://parcels.example.com/track/20261184"' in html
    letter = sample("transcript", "en")
    theirs = replace(letter.transcript.entries[0], data={"text": "https://evil.example.com"})
    html = parts_of(replace(letter, transcript=replace(letter.transcript, entries=(theirs,))))[1]
    assert "https://evil.example.com" in html
    assert 'href="https://evil' not in html


@pytest.mark.parametrize("code", CODES)
def test_an_answer_above_the_line_is_all_that_is_new_in_it(code: str) -> None:
    letter = sample("away", code)
    markers = [language_of(each).say("away_marker") for each in CODES]
    for quote in ("> ", ""):
        quoted = "".join(f"{quote}{line}\n" for line in parts_of(letter)[0].splitlines())
        assert cut(f"Yes, please!\n\n{quoted}", ours((), (), markers)).text == "Yes, please!"
