"""The embedded AWS as a client sees it."""

import http.client
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from deploy.problems import Trouble
from local.cli.instance import AWS_FOLDER, Note
from local.embedded.access import ROOT_ACCESS_KEY, pages, read_secret

REGION = "us-east-1"
STACK = "mpg-local"
# As long as the SDK's clients wait.
ANSWER_SECONDS = 60


@dataclass(frozen=True)
class Mail:
    """A message as the embedded AWS's mailbox keeps it: one per recipient."""

    id: str
    sent_at: datetime
    to: str
    topic: str
    subject: str
    text: str

    def is_about(self, mark: str) -> bool:
        """Whether it contains this, other than as the earlier run whose results were reused."""
        lines = [line for line in self.text.splitlines() if not line.startswith("Reused:")]
        return any(mark in line for line in [self.subject, *lines])


@dataclass(frozen=True)
class Endpoint:
    """An embedded AWS on this machine."""

    port: int
    secret: str
    """The secret access key of the account's root."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def page(self) -> str:
        """The page with the mailbox and the executions, for a browser."""
        return f"http://localhost:{self.port}{pages(self.secret)}"

    def variables(self) -> dict[str, str]:
        """The variables with which the AWS CLI and every SDK talk to it, and to nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ROOT_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            # For TestState, whose host would be sync-127.0.0.1.
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        }

    def environment(self) -> dict[str, str]:
        """This process's environment, with every trace of a real AWS account replaced."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        no_proxy = ",".join(filter(None, [kept.get("NO_PROXY"), "127.0.0.1", "localhost"]))
        return {
            **kept,
            **self.variables(),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
        }

    def client(self, service: str) -> Any:
        """A boto3 client, made once for each service."""
        return _client(self, service)

    def mails(self, after: int = 0, wait: int = 0) -> list[Mail]:
        """Everything in the mailbox after so many mails, oldest first.

        If there is none, it waits so many seconds for one, 9 at most.
        """
        return [_mail(entry) for entry in self._page(f"mails?after={after}&wait={wait}")]

    def notes(self) -> list[str]:
        """What the local SageMaker has said about this machine, oldest first."""
        return [str(note) for note in self._page("notes")]

    def _page(self, name: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", f"{pages(self.secret)}{name}")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


def endpoint_of(note: Note) -> Endpoint | None:
    """The embedded AWS of the running `mpg up`, once the application is deployed to it."""
    return None if note.port is None else Endpoint(note.port, read_secret(Path(note.work) / AWS_FOLDER))


@contextmanager
def connected(endpoint: Endpoint, log: Callable[[], str] = str) -> Iterator[None]:
    """Turns a broken connection into Trouble, with the text that `log` returns."""
    from botocore.exceptions import HTTPClientError

    try:
        yield
    except (HTTPClientError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        way_out = "If it was stopped, start it again; if not, its output above may say why."
        raise Trouble(
            f"The embedded AWS at {endpoint.url} stopped answering: {error}", way_out, log()
        ) from error


def _mail(entry: dict[str, Any]) -> Mail:
    fields = {name: entry[name] for name in Mail.__dataclass_fields__}
    return Mail(**{**fields, "sent_at": datetime.fromisoformat(entry["sent_at"])})


@cache
def _session() -> Any:
    import boto3

    from local.sagemaker.models import new_session

    return boto3.Session(botocore_session=new_session())


@cache
def _client(endpoint: Endpoint, service: str) -> Any:
    # A third of a second to import: only commands that talk to AWS pay for it.
    from botocore.config import Config

    return _session().client(
        service,
        endpoint_url=endpoint.url,
        region_name=REGION,
        aws_access_key_id=ROOT_ACCESS_KEY,
        aws_secret_access_key=endpoint.secret,
        config=Config(proxies={}, retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
    )
