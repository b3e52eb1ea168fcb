"""The soak of mail, in short: the same workers, sink and judge, with fewer of everything."""

from pathlib import Path

from tests.soak_mail.run import Scale, soak

SHORT = Scale(mails=100, kills=5, reopens=150, faults=0.15)


def test_no_mail_is_lost_or_doubled_or_sent_after_a_reopen(database_url: str, tmp_path: Path) -> None:
    report = soak(tmp_path, database_url, SHORT, seed=7)
    assert report.violations == []
    assert report.kills > 0
    assert report.states["cancelled"] > 0
