"""Who may use an embedded AWS: anyone who can read the secret in its folder.

The secret is the account root's secret access key, which changes at each start. The address of the pages
under /_mpg/ is derived from it and does not reveal it.
"""

import hmac
import os
import secrets
from pathlib import Path

ROOT_ACCESS_KEY = "test"


def new_secret() -> str:
    """A secret access key that nobody can guess."""
    return secrets.token_urlsafe(30)


def keep_secret(folder: Path, secret: str) -> None:
    """Write the secret where `read_secret` finds it, readable only by the owner of the folder."""
    path = _file(folder)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret)


def read_secret(folder: Path) -> str:
    """The secret of the embedded AWS that has this folder."""
    return _file(folder).read_text(encoding="ascii")


def pages(secret: str) -> str:
    """The path below which the pages are: /_mpg/<token>/."""
    token = hmac.new(secret.encode(), b"/_mpg/", "sha256").hexdigest()[:32]
    return f"/_mpg/{token}/"


def _file(folder: Path) -> Path:
    return folder / "secret"
