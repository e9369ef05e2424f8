"""Fault injection: calls that fail, hang or break off, wherever in the pipeline they are made.

Every call of everything (Lambdas, the state machine's tasks, the local SageMaker and its jobs) passes through
this layer of the embedded AWS, so a rule reaches it. `POST /_mpg/faults` takes a JSON list of rules, which
replaces the current ones; `GET` shows the rules and how often each has matched, and with
`?rule=0&applied=2&wait=9` waits until the first of them has applied twice, or for nine seconds. A rule has

| field | meaning |
|---|---|
| `operation` | `sagemaker:CreateTransformJob`; `*` matches anything, as in `s3:*` |
| `containing` | text that the call must have in its path, query or body |
| `from`, `times` | the first affected call (1 is the first of all) and their number; null: all from then on |
| `error`, `status`, `message` | the answer, in the service's own protocol; the status has a default |
| `done` | true: the call is executed even though its answer is the error |
| `drop` | the connection breaks `before` or `after` the call is executed |
| `delay` | seconds before that, after the call if it is executed; replacing the rules ends the delay |

The first matching rule decides, and later rules do not see the call. A rule without `error`,
`delay` and `drop` changes nothing: it only watches, and keeps what it saw in `requests`.

`POST /_mpg/quotas` takes the account's quotas, as `SageMaker(quotas=...)` does, and `POST /_mpg/reclaim` the
`training_job` whose spot instance is taken away, and for how many `seconds`. `POST /_mpg/kill` takes the
`job` and the `host` (`algo-2`) whose program is killed, or with `children` true only what that has started.
From outside, each path contains the token of the pages: `/_mpg/<token>/faults`.
"""

import asyncio
import json
import os
import re
import socket
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from local.embedded.asgi import Application, answer, read_body, replay
from local.embedded.operations import Request, failure
from local.sagemaker import ServiceError

# A client with this in its User-Agent only observes: no rule counts or matches its calls.
ONLOOKER = "mpg-onlooker"
_KEPT_REQUESTS = 5_000
_KEPT_CHARACTERS = 500
_WAITING = re.compile(rb"rule=(\d{1,4})&applied=(\d{1,4})&wait=(\d)")
# How often a wait for a rule looks whether it has applied.
_LOOK_SECONDS = 0.01


@dataclass
class Rule:
    """A rule as in the table above, and its matches so far."""

    operation: str
    containing: str = ""
    first: int = 1
    times: int | None = 1
    error: str = ""
    status: int | None = None
    message: str = "This fault was injected."
    done: bool = False
    delay: float = 0.0
    drop: Literal["", "before", "after"] = ""
    seen: int = 0
    applied: int = 0
    requests: list[str] = field(default_factory=list)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Rule":
        """Read a rule. Raises ValueError for an unknown field."""
        fields = {"first" if name == "from" else name: value for name, value in given.items()}
        settable = set(cls.__dataclass_fields__) - {"seen", "applied", "requests"}
        if unknown := set(fields) - settable:
            raise ValueError(f"A rule cannot have {', '.join(sorted(unknown))}.")
        if fields.get("drop", "") not in ("", "before", "after"):
            raise ValueError(f"A connection drops before or after, not {fields['drop']}.")
        return cls(**fields)

    @property
    def only_watches(self) -> bool:
        return not (self.error or self.delay or self.drop)

    def meets(self, operation: str, text: str) -> bool:
        """Whether the rule matches this call; counts the match."""
        if not fnmatchcase(operation, self.operation) or self.containing not in text:
            return False
        self.seen += 1
        if self.only_watches and len(self.requests) < _KEPT_REQUESTS:
            self.requests.append(f"{operation} {text[:_KEPT_CHARACTERS]}")
        return self.first <= self.seen and (self.times is None or self.seen < self.first + self.times)

    def as_json(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        fields["from"] = fields.pop("first")
        return fields


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._replaced = asyncio.Event()

    def as_json(self) -> list[dict[str, Any]]:
        return [rule.as_json() for rule in self.rules]

    def take(self, given: Any) -> None:
        """Replace the rules; calls that an old rule delays continue. Raises if these are no rules."""
        self.rules = [Rule.from_json(entry) for entry in given]
        self._replaced.set()
        self._replaced = asyncio.Event()

    def rule_for(self, request: Request) -> Rule | None:
        """The rule that applies to a call."""
        operation, text = request.operation, request.text
        if not operation or ONLOOKER in request.headers.get("user-agent", ""):
            return None
        for rule in self.rules:
            if rule.meets(operation, text):
                if not rule.only_watches:
                    return rule
                rule.applied += 1
        return None

    async def until_applied(self, rule: int, times: int, seconds: float) -> None:
        """Wait until a rule has applied that many times, but no longer than so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not any(
            each.applied >= times for each in self.rules[rule : rule + 1]
        ):
            await asyncio.sleep(_LOOK_SECONDS)

    async def wait(self, seconds: float) -> None:
        """Wait, but no longer than the current rules are in force."""
        if not seconds:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._replaced.wait(), seconds)


@dataclass(frozen=True)
class Door:
    """One of the paths under /_mpg/, which shows and accepts JSON."""

    show: Callable[[], Any]
    take: Callable[[Any], None]


def with_faults(
    aws: Application,
    quotas: dict[str, int],
    reclaim: Callable[[str, float], None],
    kill: Callable[[str, str, bool], None],
) -> Application:
    """`aws` with injected faults, and with the paths for the rules, `quotas`, `reclaim` and `kill`."""
    faults = Faults()
    doors = {
        "/_mpg/faults": Door(faults.as_json, faults.take),
        "/_mpg/quotas": Door(lambda: dict(quotas), lambda given: _replace(quotas, given)),
        "/_mpg/reclaim": Door(
            lambda: None, lambda given: reclaim(str(given["training_job"]), float(given["seconds"]))
        ),
        "/_mpg/kill": Door(
            lambda: None,
            lambda given: kill(str(given["job"]), str(given["host"]), bool(given.get("children"))),
        ),
    }

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await aws(scope, receive, send)
        elif door := doors.get(scope["path"]):
            if asked := _WAITING.fullmatch(scope["query_string"]):
                await faults.until_applied(*map(int, asked.groups()))
            await _control(door, scope, await read_body(receive), send)
        elif not faults.rules:
            await aws(scope, receive, send)
        else:
            await _with_rules(faults, aws, scope, receive, send)

    return application


async def _with_rules(faults: Faults, aws: Application, scope: Any, receive: Any, send: Any) -> None:
    body = await read_body(receive)
    request = _request(scope, body)
    rule = faults.rule_for(request)
    if rule is None:
        await aws(scope, replay(body, receive), send)
        return
    if rule.done or rule.drop == "after":
        await aws(scope, replay(body, receive), _swallow)
    rule.applied += 1
    await faults.wait(rule.delay)
    if rule.drop:
        _cut(scope)
    elif rule.error:
        await answer(send, *failure(request, rule.error, rule.message, rule.status))
    else:
        await aws(scope, replay(body, receive), send)


def _request(scope: Any, body: bytes) -> Request:
    return Request(
        method=scope["method"],
        path=unquote(scope["raw_path"].decode("latin-1")),
        query=scope["query_string"].decode("latin-1"),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
    )


async def _swallow(message: Any) -> None:
    """A `send` that drops the response."""


def _cut(scope: Any) -> None:
    """Break the connection of a request, without an answer.

    ASGI cannot express this, so the connection is found among this process's sockets by its two addresses.
    This process's calls to itself have none; to end one without an answer is enough.
    """
    ends = (tuple(scope["server"]), tuple(scope["client"]))
    for descriptor in Path("/dev/fd").iterdir():
        with suppress(OSError):
            number = int(descriptor.name)
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            with socket.socket(fileno=os.dup(number)) as found:
                if (found.getsockname(), found.getpeername()) == ends:
                    found.shutdown(socket.SHUT_RDWR)


async def _control(door: Door, scope: Any, body: bytes, send: Any) -> None:
    # The answer to POST is the previous state: the last chance to learn about the old rules.
    before = door.show()
    try:
        if scope["method"] == "POST":
            _check_type(scope)
            door.take(json.loads(body))
    except (ValueError, TypeError, AttributeError, KeyError, ServiceError) as problem:
        await answer(send, 400, {"content-type": "text/plain"}, f"{problem}\n".encode())
    else:
        await answer(send, 200, {"content-type": "application/json"}, json.dumps(before).encode())


def _check_type(scope: Any) -> None:
    # A web page cannot send this type to another site without a preflight request, which is never granted.
    if (b"content-type", b"application/json") not in scope["headers"]:
        raise ValueError("The content type must be application/json.")


def _replace(quotas: dict[str, int], given: Mapping[str, Any]) -> None:
    numbers = {str(name): int(number) for name, number in given.items()}
    quotas.clear()
    quotas.update(numbers)
