"""Whose mail it is: a person's, a program's that answers by itself, or a mail server's report about one of ours."""

import pytest

from history.mail.receive.automatic import automatic_because
from history.mail.receive.reading import read_mail
from history.mail.receive.reports import Report, read_report
from tests.history.arrivals import RECIPIENT, SENDER, TOKEN, cases, mail_of


def names(case: tuple[str, str]) -> str:
    return case[0]


@pytest.mark.parametrize("case", cases("automatic.txt"), ids=names)
def test_no_automatic_mail_passes_for_a_persons(case: tuple[str, str]) -> None:
    assert automatic_because(read_mail(mail_of(case[1])), SENDER) is not None


@pytest.mark.parametrize("case", cases("human.txt"), ids=names)
def test_no_person_is_taken_for_a_program(case: tuple[str, str]) -> None:
    mail = read_mail(mail_of(case[1]))
    assert automatic_because(mail, SENDER) is None
    assert read_report(mail, SENDER) is None


def test_there_are_enough_of_each() -> None:
    assert len(cases("automatic.txt")) >= 60 and len(cases("human.txt")) >= 60 and len(cases("reports.txt")) >= 40


@pytest.mark.parametrize("case", cases("reports.txt"), ids=names)
def test_a_report_is_known_for_what_it_is(case: tuple[str, str]) -> None:
    expected = case[0].partition("|")[2].strip()
    report = read_report(read_mail(mail_of(case[1])), "")
    if expected == "none":
        assert report is None
    else:
        assert report is not None
        assert f"{report.kind} {report.status}".strip() == expected


def test_a_report_names_our_mail_in_three_ways() -> None:
    report = read_report(read_mail(mail_of(dict(cases("reports.txt"))["postfix: unknown user | bounce 5.1.1"])), "")
    assert isinstance(report, Report)
    assert (report.tokens, report.recipients) == ((TOKEN,), (RECIPIENT, RECIPIENT))
    assert len(report.message_ids) == 1
    assert report.detail.startswith("550 5.1.1")


def test_words_about_a_bounce_are_no_report_when_a_person_sends_them() -> None:
    for _, source in cases("reports.txt"):
        if "X-Failed-Recipients" not in source and "%%" not in source and "multipart" not in source:
            source = "\n".join(line for line in source.split("\n") if not line.startswith("From:"))
            assert read_report(read_mail(mail_of(source)), SENDER) is None
