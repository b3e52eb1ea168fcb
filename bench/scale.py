"""How much is measured: in full for figures that are shown, in short to see that the bench still works."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """The size of each measurement."""

    syncs: int
    single_inserts: int
    pairs: int
    talk_s: float
    resumes: int
    mass_sockets: int
    memory_sockets: int
    idle_sockets: int
    http_requests: int
    dialogues: int
    queries_of_a_kind: int
    indexed_messages: int
    engines: tuple[str, ...]
    long_events: int
    long_resumes: int
    stalled_events: int
    big_frames: int
    tiny_frames: int
    letter_rounds: int
    mail_answers: int
    mails: int
    due_mails: int


FULL = Scale(
    syncs=500,
    single_inserts=2_000,
    pairs=50,
    talk_s=10.0,
    resumes=200,
    mass_sockets=2_000,
    memory_sockets=1_000,
    idle_sockets=2_000,
    http_requests=1_000,
    dialogues=2_000,
    queries_of_a_kind=50,
    indexed_messages=100_000,
    engines=("Whoosh", "PostgreSQL", "tantivy"),
    long_events=100_000,
    long_resumes=200,
    stalled_events=20_000,
    big_frames=4_000,
    tiny_frames=1_000_000,
    letter_rounds=100,
    mail_answers=1_000,
    mails=2_000,
    due_mails=600,
)

QUICK = Scale(
    syncs=100,
    single_inserts=300,
    pairs=50,
    talk_s=2.0,
    resumes=20,
    mass_sockets=200,
    memory_sockets=200,
    idle_sockets=200,
    http_requests=200,
    dialogues=100,
    queries_of_a_kind=10,
    indexed_messages=5_000,
    engines=("Whoosh", "PostgreSQL", "tantivy"),
    long_events=2_000,
    long_resumes=20,
    stalled_events=4_000,
    big_frames=400,
    tiny_frames=50_000,
    letter_rounds=20,
    mail_answers=100,
    mails=200,
    due_mails=30,
)
