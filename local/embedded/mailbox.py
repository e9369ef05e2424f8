"""The mails that SNS would have sent to the e-mail subscribers of its topics."""

import asyncio
import itertools
import re
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

# The address of a Lambda Function URL on AWS, which the embedded Lambda uses as well.
_FUNCTION_URL = re.compile(r"https://([a-z0-9]{32})\.lambda-url\.([a-z0-9-]+)\.on\.aws/")
# SNS's subject for a message without one.
_DEFAULT_SUBJECT = "AWS Notification Message"
# Mails come from any thread; looking for them costs less than a client's next request.
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Mail:
    """One mail to one address."""

    id: str
    sent_at: str
    to: str
    topic: str
    subject: str
    text: str


def on_this_machine(text: str, port: int) -> str:
    """The text with its links to Function URLs pointing at this port of this machine."""
    return _FUNCTION_URL.sub(rf"http://\1.lambda-url.\2.localhost:{port}/", text)


class Mailbox:
    """Keeps mails, oldest first, and points their links to Function URLs at `port` of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._mails: list[Mail] = []
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def deliver(self, *, to: str, topic_arn: str, subject: str, text: str) -> None:
        """Put a mail into the box, with links that work on this machine."""
        with self._lock:
            self._mails.append(
                Mail(
                    id=str(next(self._ids)),
                    sent_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                    to=to,
                    topic=topic_arn.rsplit(":", 1)[-1],
                    subject=subject or _DEFAULT_SUBJECT,
                    text=on_this_machine(text, self._port),
                )
            )

    def mails(self, after: int = 0) -> list[dict[str, Any]]:
        """Every mail after the one with this id (0: all) as a JSON object, oldest first."""
        with self._lock:
            return [asdict(mail) for mail in self._mails[after:]]

    async def new_mails(self, after: int, seconds: float) -> list[dict[str, Any]]:
        """The mails after this one, as soon as there are any; none if none comes within these seconds."""
        deadline = time.monotonic() + seconds
        while not (found := self.mails(after)) and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
        return found
