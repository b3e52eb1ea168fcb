"""The soak of mail, in short: the same workers, sink and judge, with fewer of everything.

Claims, fences and outcomes of several mails share commits, which makes none of them weaker: each is one conditional
UPDATE of its own row, a body goes out only after the commit that its fence is in, and what a lost commit would have
recorded is in doubt after the lease, as if it had been alone.
"""

from pathlib import Path

from tests.soak_mail.run import Scale, soak

SHORT = Scale(mails=100, kills=5, reopens=150, faults=0.15)


def test_no_mail_is_lost_or_doubled_or_sent_after_a_reopen(database_url: str, tmp_path: Path) -> None:
    report = soak(tmp_path, database_url, SHORT, seed=7)
    assert report.violations == []
    assert report.kills > 0
    assert report.states["cancelled"] > 0
