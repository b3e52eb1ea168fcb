"""Makes available what the tests need beside Python's packages: `python -m tests.set_up`, called by `make test`.

Programs and fonts come from Debian's packages, where they may be installed; judges of mails and pages from npm, pinned
in `judges/`. What cannot be had is said loudly, and the tests that need it are skipped by name. It never fails itself:
most tests need nothing of this.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

JUDGES = Path(__file__).parent / "judges"
LOCK, INSTALLED = JUDGES / "package-lock.json", JUDGES / "node_modules" / "installed-lock.json"
FONTS = "/usr/share/fonts/truetype/noto"
PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
"""Daemons stand where only root looks."""


@dataclass(frozen=True)
class Need:
    """Something that tests need: all of these programs or files, which these packages bring. `a|b` is one of both."""

    name: str
    parts: tuple[str, ...]
    packages: tuple[str, ...]

    def is_here(self) -> bool:
        return all(map(find, self.parts))


BROWSER = Need("A BROWSER", ("chromium|chromium-browser|google-chrome",), ("chromium",))
SPAMASSASSIN = Need("SPAMASSASSIN", ("spamd", "spamc"), ("spamassassin", "spamd", "spamc"))
SIGNATURES = Need(
    "SIGNATURES IN SPAMASSASSIN",
    ("/usr/share/perl5/Mail/DKIM/Verifier.pm", "/usr/share/perl5/Mail/SPF.pm"),
    ("libmail-dkim-perl", "libmail-spf-perl"),
)
DNSMASQ = Need("A NAME SERVER", ("dnsmasq",), ("dnsmasq-base",))
RSPAMD = Need("RSPAMD", ("rspamd",), ("rspamd",))
MBLAZE = Need("MBLAZE", ("mshow", "mthread"), ("mblaze",))
TIDY = Need("TIDY", ("tidy",), ("tidy",))
NOTMUCH = Need("NOTMUCH", ("notmuch",), ("notmuch",))
POST_OFFICE = Need(
    "A POST OFFICE",
    ("postfix", "dovecot", "swaks", "/usr/lib/dovecot/lmtp", "/usr/lib/dovecot/imap"),
    ("postfix", "dovecot-lmtpd", "dovecot-imapd", "swaks"),
)
STRACE = Need("STRACE", ("strace",), ("strace",))
POPPLER = Need("POPPLER", ("pdftotext", "pdftoppm"), ("poppler-utils",))
NOTO = Need(
    "FONTS",
    (f"{FONTS}/NotoNaskhArabic-Regular.ttf", f"{FONTS}/NotoColorEmoji.ttf", "/usr/share/fonts/opentype/noto"),
    ("fonts-noto-core", "fonts-noto-color-emoji", "fonts-noto-cjk"),
)
NPM = Need("NPM", ("npm",), ("npm",))
MAIL_JUDGES = (SPAMASSASSIN, SIGNATURES, RSPAMD, DNSMASQ, MBLAZE, NOTMUCH, TIDY)
NEEDS = (BROWSER, STRACE, *MAIL_JUDGES, POST_OFFICE, POPPLER, NOTO, NPM)


def find(part: str) -> str | None:
    """Where a program or a file is; null if it is not here."""
    if part.startswith("/"):
        return part if Path(part).exists() else None
    return next(filter(None, (shutil.which(name, path=PLACES) for name in part.split("|"))), None)


def wanted(need: Need) -> str:
    """Where the need's first part is. Skips the test that asks, loudly, if the need is not here."""
    if not need.is_here():
        pytest.skip(f"NO {need.name}: Debian has {' and '.join(need.packages)}")
    path = find(need.parts[0])
    assert path
    return path


def judges() -> Path:
    """The folder of npm's packages. Skips the test that asks if they are not here."""
    modules = JUDGES / "node_modules"
    if not have_judges():
        pytest.skip("NO JUDGES: npm could not install tests/judges")
    return modules


def have_judges() -> bool:
    """Whether what is installed is what the lock file says."""
    return INSTALLED.exists() and INSTALLED.read_bytes() == LOCK.read_bytes()


def install_programs(needs: list[Need]) -> None:
    """Debian's packages, if we may: as root, or with a sudo that asks for nothing."""
    packages = [package for need in needs for package in need.packages]
    if not packages or not shutil.which("apt-get") or not (os.geteuid() == 0 or shutil.which("sudo")):
        return
    print(f"Installing Debian's packages for the tests: {', '.join(packages)}")
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    apt_get = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o=Dpkg::Use-Pty=0"]
    install = [*apt_get, "install", "-y", "--no-install-recommends"]
    subprocess.run([*apt_get, "update"], stdout=subprocess.DEVNULL)
    if subprocess.run([*install, *packages], stdout=subprocess.DEVNULL).returncode:
        for need in needs:  # one that cannot be had keeps no other away
            subprocess.run([*install, *need.packages], stdout=subprocess.DEVNULL)


def install_judges() -> None:
    npm = find("npm")
    if npm is None:
        return
    print("Installing npm's packages for the tests: tests/judges")
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run(install, cwd=JUDGES, stdout=subprocess.DEVNULL).returncode == 0:
        INSTALLED.write_bytes(LOCK.read_bytes())


def main() -> None:
    missing = [need for need in NEEDS if not need.is_here()]
    install_programs(missing)
    if not have_judges():
        install_judges()
    lost = [need.name for need in missing if not need.is_here()] + ["JUDGES"] * (not have_judges())
    for name in lost:
        print(f"\n*** NO {name}: the tests that need it WILL BE SKIPPED ***", file=sys.stderr)


if __name__ == "__main__":
    main()
