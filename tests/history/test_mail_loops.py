"""Two programs that answer each other: a customer's absence notice, and an agent's that answers every message."""

from collections.abc import Iterator

import pytest

from history.db import Store
from history.mail.addresses import make_reply_addresses
from history.mail.limits import MailLimits
from history.mail.tables import OutboxItem
from history.times import MINUTE_MS
from tests.history.post import ADDRESSES, PASSED, Post
from tests.history.scene import Scene
from tests.history.test_mail_unread import looks, time_passes

STEP_MS = 5 * MINUTE_MS
STEPS_A_DAY = 288
AWAY_A_DAY = MailLimits().away_in_chat

SENT = "UPDATE outbox_item SET state = 'sent', done_ms = created_ms WHERE id = ?"
EARLIER = "UPDATE mail_inbound SET received_ms = received_ms - ?"


class Programs:
    """Both of them, in one chat. The customer's says `mark` of itself, if anything."""

    def __init__(self, scene: Scene, mark: str) -> None:
        self.scene, self.mark = scene, mark
        self.post = Post(scene)
        self.mailed: list[str] = []

    def play(self, steps: int) -> None:
        for _ in range(steps):
            time_passes(self.scene, STEP_MS)
            self.scene.writer.write(lambda t: t.driver.run(EARLIER, STEP_MS))
            looks(self.scene)
            for item in self.scene.items():
                if item.state == "ready":
                    self.arrives(item)

    def arrives(self, item: OutboxItem) -> None:
        """The mail is answered by the customer's program; if that is a message, the agent's answers it."""
        self.scene.writer.write(lambda t: t.driver.run(SENT, item.id))
        self.mailed.append(item.id)
        address = self.scene.writer.write(lambda t: make_reply_addresses(t, ADDRESSES, [item.id])[0])
        number = len(self.mailed)
        raw = self.post.answer(f"I am away until Monday ({number}).", number=number, headers=self.mark or PASSED)
        if self.post.comes(raw, to=address) == "answer":
            self.scene.says(self.scene.agent, f"Thank you! How can I help? ({number})")


@pytest.fixture
def limited(store: Store) -> Iterator[Scene]:
    """A chat with the usual limits, whose customer's address is proven: to others even less is sent."""
    scene = Scene(store, limits=MailLimits())
    scene.start()
    scene.proves_address()
    scene.says(scene.agent, "How can I help?")
    yield scene
    scene.stop()


def test_two_programs_that_answer_each_other_are_soon_tired(limited: Scene) -> None:
    """The notice does not say that a program has written it: nobody can tell, and nothing may be lost."""
    programs = Programs(limited, "")
    programs.play(STEPS_A_DAY - 1)
    assert len(programs.mailed) == AWAY_A_DAY
    assert len(programs.post.messages()) == AWAY_A_DAY


def test_a_program_that_says_what_it_is_ends_the_loop_at_once(limited: Scene) -> None:
    programs = Programs(limited, "Auto-Submitted: auto-replied")
    programs.play(STEPS_A_DAY // 4)
    assert len(programs.mailed) == 1
    assert programs.post.messages() == []
