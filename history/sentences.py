"""Every sentence that transcripts and mails say by themselves, by language. Pure.

Looked up by the renderers, never by name of a template, so that a language is added here and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass

ENGLISH = {
    "title": "Chat with {brand}",
    "customer": "Customer",
    "you": "You",
    "joined": "{name} joined",
    "left": "{name} left",
    "passed": "{name} passed the chat on",
    "closed": "{name} closed the chat",
    "closed_idle": "Closed after a while without messages",
    "idle": "Are you still there? This chat ends soon if it stays quiet. You can go on with it at any time.",
    "reopened": "{name} reopened the chat",
    "rated": "{name} rated the chat {score} of 5",
    "removed": "This message was removed",
    "file": "File: {name} ({size})",
    "part": "Part {number}, {date}",
    "clocks": "The clocks changed: times are now in {zone}",
    "omitted": "{count} messages stand in the attached file {file}",
    "people": "With {names}",
    "zone": "Times in {zone}",
    "empty": "Nothing was written",
    "mail_subject": "Your chat with {brand}, {date}",
    "mail_title": "Your chat with {brand}",
    "mail_purpose": "Here is everything that was said, to keep. You can go on where you stopped, on any device.",
    "mail_purpose_parts": "Here is your whole chat, with its newest part of {date}. "
    "You can go on where you stopped, on any device.",
    "mail_button": "Continue this chat",
    "mail_link": "This link is for you alone. It opens your chat once, on any device, until {date}.",
    "mail_why": "You get this mail because you chatted with {brand} and gave the address {recipient}.",
    "mail_no_reply": "Answers to this mail are not read. Please use “{button}” instead.",
}


@dataclass(frozen=True, slots=True)
class Language:
    """A language that we speak. `direction` is ltr or rtl."""

    code: str
    direction: str
    sentences: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        return self.sentences[key].format_map(values)


LANGUAGES = {"en": Language("en", "ltr", ENGLISH)}


def language_of(locale: str) -> Language:
    """The language for a locale such as `de-AT`; English where we do not speak it."""
    return LANGUAGES.get(locale.replace("_", "-").split("-")[0].lower(), LANGUAGES["en"])
