"""A check: the assumption, the command that shows it by hand, and the finding."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

Verdict = Literal["ok", "differs", "cannot tell"]
# A job that runs for a minute waits up to five for its instance.
JOB_SECONDS = 1200.0
_LONGEST_PAUSE = 10.0


class CannotTell(Exception):
    """The check says nothing about the assumption; the text explains why."""


@dataclass(frozen=True)
class Seen:
    """What the check found in the account, and whether it is as assumed."""

    verdict: Verdict
    text: str

    @classmethod
    def that(cls, is_so: bool, text: str) -> "Seen":
        """As assumed, or not."""
        return cls("ok" if is_so else "differs", text)


@dataclass(frozen=True)
class Account:
    """The account of the credentials. `made` are the outputs of the preflight's own stack."""

    region: str
    made: Mapping[str, str] = field(default_factory=dict)

    def client(self, service: str, role_arn: str = "") -> Any:
        """A client of the caller, or of a role of the preflight's stack that the caller may assume."""
        new_client: Any = boto3.client
        config = Config(retries={"mode": "standard", "total_max_attempts": 3})
        credentials = self._credentials(role_arn) if role_arn else {}
        return new_client(service, region_name=self.region, config=config, **credentials)

    def _credentials(self, role_arn: str) -> dict[str, str]:
        sts = self.client("sts")

        def assumed() -> Any:
            try:
                return sts.assume_role(RoleArn=role_arn, RoleSessionName="preflight")["Credentials"]
            except ClientError as error:
                if code_of(error) == "AccessDenied":  # a new role takes some seconds to propagate
                    return None
                raise

        found = until(assumed, 60, f"may not assume {role_arn}")
        return {
            "aws_access_key_id": found["AccessKeyId"],
            "aws_secret_access_key": found["SecretAccessKey"],
            "aws_session_token": found["SessionToken"],
        }


@dataclass(frozen=True)
class Check:
    """An assumption, the command that shows it by hand, and the function that checks it."""

    assumption: str
    command: str
    look: Callable[[Account], Seen]

    def perform(self, account: Account) -> Seen:
        """The finding; an error that the check does not provoke itself counts as `cannot tell`."""
        try:
            return self.look(account)
        except CannotTell as reason:
            return Seen("cannot tell", str(reason))
        except (ClientError, BotoCoreError) as error:
            return Seen("cannot tell", " ".join(str(error).split())[:300])


def code_of(error: ClientError) -> str:
    """The service's own error code."""
    return str(error.response.get("Error", {}).get("Code", ""))


def until(found: Callable[[], Any], seconds: float, otherwise: str) -> Any:
    """The first true value that `found` returns. Raises CannotTell when the time is up."""
    deadline, pause = time.monotonic() + seconds, 0.2
    while not (value := found()):
        if time.monotonic() > deadline:
            raise CannotTell(f"{otherwise}, for {seconds:.0f} s")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return value
