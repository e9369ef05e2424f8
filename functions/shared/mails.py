"""One mail to everyone who subscribed to an SNS topic."""

from dataclasses import dataclass

from shared.aws import client
from shared.text import ascii_only, one_line


@dataclass(frozen=True)
class Mail:
    """A mail. The subject is made fit for SNS when it is sent: one line of ASCII, under 100 characters."""

    subject: str
    text: str


def send(mail: Mail, topic_arn: str) -> None:
    """Publish the mail on the topic."""
    client("sns").publish(TopicArn=topic_arn, Subject=fit_subject(mail.subject), Message=mail.text)


def fit_subject(subject: str) -> str:
    """SNS refuses a subject that is not ASCII, has a line break or reaches 100 characters."""
    return ascii_only(one_line(subject, 200))[:99].strip() or "(no subject)"


def facts_block(rows: list[tuple[str, str]]) -> str:
    """Lines of `name: value` with the values below each other; rows without a value are left out."""
    shown = [(name, value) for name, value in rows if value]
    width = max((len(name) for name, _ in shown), default=0) + 2
    return "\n".join(f"{name + ':':<{width}} {value}" for name, value in shown)


def paragraphs(*parts: str) -> str:
    """The parts that are not empty, with an empty line between them."""
    return "\n\n".join(part for part in parts if part) + "\n"
