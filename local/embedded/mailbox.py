"""The mails that SNS would have sent to the e-mail subscribers of its topics."""

import itertools
import re
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

# The address of a Lambda Function URL on AWS, as the embedded Lambda hands it out as well.
_FUNCTION_URL = re.compile(r"https://([a-z0-9]{32})\.lambda-url\.([a-z0-9-]+)\.on\.aws/")
# What SNS writes when a message has no subject.
_DEFAULT_SUBJECT = "AWS Notification Message"


@dataclass(frozen=True)
class Mail:
    """One mail to one address."""

    id: str
    sent_at: str
    to: str
    topic: str
    subject: str
    text: str


class Mailbox:
    """Keeps mails, oldest first, their links to Function URLs led to `port` of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._mails: list[Mail] = []
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def deliver(self, *, to: str, topic_arn: str, subject: str, text: str) -> None:
        """Put a mail into the box, its links made to work on this machine."""
        with self._lock:
            self._mails.append(
                Mail(
                    id=str(next(self._ids)),
                    sent_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                    to=to,
                    topic=topic_arn.rsplit(":", 1)[-1],
                    subject=subject or _DEFAULT_SUBJECT,
                    text=_FUNCTION_URL.sub(rf"http://\1.lambda-url.\2.localhost:{self._port}/", text),
                )
            )

    def mails(self, after: int = 0) -> list[dict[str, Any]]:
        """Every mail after the one with this id (0: all) as a JSON object, oldest first."""
        with self._lock:
            return [asdict(mail) for mail in self._mails[after:]]
