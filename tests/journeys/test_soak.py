"""The soak in its short form, on both databases; the long one is `make soak`."""

from pathlib import Path

from tests.soak.run import Scale, soak

SHORT = Scale(messages=3000, fault_every=150, words=40, customers=12, agents=3)
SEED = 7


def test_people_write_through_kills_cuts_and_lost_hints(database_url: str, tmp_path: Path) -> None:
    report = soak(tmp_path, database_url, SHORT, SEED)
    assert report.violations == []
    assert report.messages >= SHORT.messages
    assert report.faults["kill"] >= 2
    assert report.faults["cut"] >= 2
