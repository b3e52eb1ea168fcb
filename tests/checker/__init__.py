"""The history checker: compares all that the drivers saw with what the database holds, and names each broken promise.

`check(record, dump)` returns sentences that begin with the number of the invariant (I1, I2, …); none is as it should
be. It believes the dump only, never the server's claims, and computes hashes by itself from the words of protocol 3.3.
"""

from collections.abc import Callable

from tests.checker import copies, log, service, telling
from tests.checker.lines import CANONICAL, Violations, hash_after
from tests.dump import Dump
from tests.record import Line

__all__ = ["CANONICAL", "INVARIANTS", "check", "hash_after"]

INVARIANTS: dict[str, Callable[[list[Line], Dump], Violations]] = {
    "I1": log.acked_is_kept,
    "I2": log.ids_are_unique,
    "I3": log.chains_hold,
    "I4": copies.all_see_the_same,
    "I5": copies.everything_comes_in_order,
    "I6": log.order_of_composing,
    "I7": log.previous_is_there,
    "I8": copies.all_have_everything,
    "I9": log.nothing_from_nowhere,
    "I10": copies.own_writes_are_seen,
    "I11": telling.heads_never_fall,
    "I12": telling.marks_only_rise,
    "I13": telling.states_follow_from_the_log,
    "I14": telling.one_agent_is_in_charge,
    "I15": log.closed_is_closed,
    "I16": telling.none_sees_what_is_not_theirs,
    "I17": telling.no_reset_without_a_cause,
    "I18": service.bounds_hold,
    "I19": service.nobody_is_locked_out,
    "I20": service.faults_came_as_planned,
}


def check(record: list[Line], dump: Dump) -> list[str]:
    """Every broken promise in the chats that the record tells of."""
    own = dump.of({line["chat"] for line in record if "chat" in line})
    return [f"{number}: {sentence}" for number, invariant in INVARIANTS.items() for sentence in invariant(record, own)]
