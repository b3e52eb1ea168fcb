"""Whoever comes back before others have noticed the leaving has never been away, as people do who poll."""

from resume.live.presence import LEASE_S, RENEW_S, Presence

ANN, CHAT = "p_ann", (1, "chat")


def here(now: float) -> Presence:
    """Ann has come, and everybody knows."""
    presence = Presence(renewed=now)
    presence.arrive(ANN, CHAT)
    assert presence.due(now) == ({ANN}, {ANN: CHAT})
    return presence


def test_coming_back_soon_renews_the_lease_and_tells_nobody() -> None:
    presence = here(now=1000)
    for moment in range(1001, 1100, 10):
        presence.leave(ANN, moment)
        presence.arrive(ANN, CHAT)
        keys, changed = presence.due(moment)
        assert ANN in keys
        assert changed == {}


def test_coming_back_when_others_may_have_noticed_is_told() -> None:
    presence = here(now=1000)
    presence.leave(ANN, 1001)
    presence.arrive(ANN, CHAT)
    assert presence.due(1001 + LEASE_S - RENEW_S + 1)[1] == {ANN: CHAT}


def test_who_stays_away_is_told_when_the_lease_has_run_out() -> None:
    presence = here(now=1000)
    presence.leave(ANN, 1001)
    assert presence.due(1001 + LEASE_S)[1] == {}
    assert presence.due(1001 + LEASE_S + 1)[1] == {ANN: CHAT}


def test_a_visit_between_two_looks_counts_however_often_it_happens() -> None:
    presence = Presence(renewed=1000)
    for _ in range(3):
        presence.arrive(ANN, CHAT)
        presence.leave(ANN, 1000)
    assert presence.due(1001) == ({ANN}, {ANN: CHAT})


def test_agents_come_and_go_without_a_chat() -> None:
    presence = Presence(renewed=1000)
    presence.arrive("ada", None)
    assert presence.due(1000) == ({"ada"}, {"ada": None})
    presence.leave("ada", 1001)
    assert presence.due(1001 + LEASE_S + 1)[1] == {"ada": None}
