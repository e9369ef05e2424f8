"""The Chromium on this machine, if there is one."""

import os
import shutil
import subprocess
from functools import cache

# The one without windows first: it needs a third less of the processor.
NAMES = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
# The link in a mail has a name under .localhost, which browsers resolve and some resolvers do not.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.localhost 127.0.0.1",
)


@cache
def find_chromium() -> str | None:
    """The path of a working Chromium or Chrome; the variable CHROMIUM overrides the system's."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    found = (shutil.which(name) for name in NAMES)
    return next((path for path in found if path and _starts(path)), None)


def _starts(path: str) -> bool:
    # On Ubuntu, a program of this name may only print which package to install.
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and any(
        character.isdigit() for character in done.stdout.decode("ascii", "ignore")
    )
