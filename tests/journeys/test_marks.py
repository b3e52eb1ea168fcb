"""Reading marks of a person with several devices: whatever comes late, twice or from nowhere, they only rise."""

from random import Random

from tests.checker import check
from tests.dump import read_dump
from tests.people import Agent, Customer, Person
from tests.record import Record
from tests.servers import Server

SEED = 23
WORDS = 10

Two = tuple[Server, Server]


def scene(doors: Two, record: Record) -> tuple[Customer, Customer, Agent]:
    """Ann's laptop and her phone, each at another server, and Robin, who has written to her."""
    here, there = doors
    laptop = Customer(record, "Ann").starts(here, "Hello")
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(laptop.chat)
    for number in range(WORDS):
        robin.writes(f"Word {number}")
    robin.settles()
    laptop.catches_up(robin.copy.high)
    return laptop, laptop.on_another_device().comes_back(there), robin


def stored(doors: Two, person: Person) -> tuple[int, int]:
    """The person's marks (read, delivered), once all that this device has told is stored."""
    person.says("This comes behind my marks")
    people = read_dump(doors[0].database_url).participants
    return next((one["read"], one["delivered"]) for one in people if one["id"] == person.me)


def all_is_well(doors: Two, record: Record, *people: Person) -> None:
    dump = read_dump(doors[0].database_url)
    for person in people:
        person.catches_up(dump.head(person.chat))
    assert check(record.lines, dump) == []


def test_the_device_that_has_read_more_decides(doors: Two, record: Record) -> None:
    laptop, phone, robin = scene(doors, record)
    phone.reads(8)
    robin.sees_read(laptop, 8)
    laptop.reads(3)
    assert stored(doors, laptop) == (8, 8)
    robin.sees("This comes behind my marks")
    assert robin.copy.marks[laptop.me][0] == 8
    all_is_well(doors, record, laptop, phone, robin)


def test_what_was_read_without_a_network_changes_nothing_when_it_comes_late(doors: Two, record: Record) -> None:
    laptop, phone, robin = scene(doors, record)
    laptop.vanishes()
    phone.reads()
    robin.sees_read(phone, phone.copy.high)
    latest = phone.copy.high
    laptop.comes_back()
    for seq in (1, 5, 2, 5):
        laptop.reads(seq)
    laptop.tells(type="pong", n=0, have={laptop.chat: 4})
    assert stored(doors, laptop) == (latest, latest)
    all_is_well(doors, record, laptop, phone, robin)


def test_nobody_has_read_what_was_not_written_yet(doors: Two, record: Record) -> None:
    laptop, phone, robin = scene(doors, record)
    head = laptop.copy.high
    laptop.tells(type="pong", n=0, have={laptop.chat: 2**53 - 1})
    assert stored(doors, laptop) == (0, head)
    laptop.reads(2**53 - 1)
    assert stored(doors, laptop) == (head + 1, head + 1)
    robin.says("One more")
    laptop.sees("One more")
    assert stored(doors, phone) == (head + 1, head + 1)
    all_is_well(doors, record, laptop, phone, robin)


def test_what_was_read_was_delivered(doors: Two, record: Record) -> None:
    laptop, phone, robin = scene(doors, record)
    laptop.reads(6)
    assert stored(doors, laptop) == (6, 6)
    phone.catches_up(laptop.copy.high)
    phone.confirms()
    assert stored(doors, phone) == (6, laptop.copy.high)
    all_is_well(doors, record, laptop, phone, robin)


def test_marks_in_any_order_from_everywhere_end_at_the_highest(doors: Two, record: Record) -> None:
    laptop, phone, robin = scene(doors, record)
    chance = Random(SEED)
    for _ in range(200):
        device = chance.choice((laptop, phone))
        device.reads(chance.randint(0, WORDS) or 1)
        if chance.random() < 0.3:
            device.tells(type="pong", n=0, have={device.chat: chance.randint(0, WORDS + 1)})
    laptop.reads(WORDS + 1)
    robin.sees_read(laptop, WORDS + 1)
    for device in (laptop, phone):
        assert stored(doors, device)[0] == WORDS + 1
    all_is_well(doors, record, laptop, phone, robin)


def test_marks_stand_while_the_place_in_the_queue_changes(doors: Two, record: Record) -> None:
    ben, ann = (Customer(record, name).starts(doors[0], f"I am {name}") for name in ("Ben", "Ann"))
    ann.says("Is anybody there?")
    ann.reads()
    ann.sees_read(ann, ann.copy.high)
    place = ann.copy.state["queue"]["position"]
    ben.closes()
    ann.until(lambda: ann.copy.state["queue"]["position"] < place, "a better place")
    assert ann.copy.marks[ann.me] == (ann.copy.high, ann.copy.high)
    all_is_well(doors, record, ann, ben)


def test_who_only_looks_on_leaves_no_mark(doors: Two, record: Record) -> None:
    laptop, _, robin = scene(doors, record)
    cleo = Agent(record, "Cleo").signs_in(doors[0])
    cleo.enters(laptop.chat)
    cleo.reads()
    cleo.confirms()
    cleo.notes("I am reading along")
    assert cleo.me not in {one["id"] for one in read_dump(doors[0].database_url).participants}
    all_is_well(doors, record, laptop, robin, cleo)
