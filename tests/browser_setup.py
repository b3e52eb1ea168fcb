"""Makes a browser available for the tests: `python -m tests.browser_setup`, called by `make test`.

Takes a Chromium that is there; where there is none and the system's packages may be installed, installs Debian's
`chromium`. Otherwise it says loudly what will be skipped. It never fails: the other tests need no browser.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_browser() -> str | None:
    """The path of a browser that the tests can drive; null if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def install() -> None:
    """Debian's package, if we may: as root, or with a sudo that asks for nothing."""
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    apt_get = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o=Dpkg::Use-Pty=0"]
    packages = ["install", "-y", "--no-install-recommends", "chromium"]
    for arguments in (["update"], packages):
        if subprocess.run([*apt_get, *arguments], stdout=subprocess.DEVNULL).returncode:
            return


def main() -> None:
    if find_browser() is None and shutil.which("apt-get") and (os.geteuid() == 0 or shutil.which("sudo")):
        print("No browser is here: installing Debian's package `chromium` for the tests")
        install()
    if find_browser() is None:
        print(
            f"\n*** NO BROWSER ({', '.join(NAMES)}): the tests marked `browser` WILL BE SKIPPED ***\n", file=sys.stderr
        )


if __name__ == "__main__":
    main()
