"""The embedded AWS for every test that needs it: one process per pytest worker, on a free port."""

import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from local.cli.project import CACHE
from local.embedded.access import ROOT_ACCESS_KEY, pages, read_secret

ROOT = Path(__file__).parents[1]
# As `auto_mpg.evaluate` sets it, which may be imported after XGBoost here.
os.environ.setdefault("OMP_NUM_THREADS", "1")
REGION = "us-east-1"
# Only what will never come is given up, however busy the machine is.
START_SECONDS = 180.0
PATIENCE_SECONDS = 180.0

# Examples are small; a slow one only means that the machine was busy.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
# For an overnight run: pytest --hypothesis-profile=thorough -k ...
settings.register_profile("thorough", parent=settings.get_profile("unhurried"), max_examples=10_000)


# What is imported and collected stays to the end: it is not looked through for garbage again and again.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    # The SDK makes many objects that stay; with Python's own threshold, they would be looked through again and again.
    gc.set_threshold(50_000)
    gc.enable()


def pytest_sessionfinish() -> None:
    # Otherwise pytest looks through everything five times before it ends, for exceptions in finalizers.
    gc.collect()
    gc.freeze()


def pytest_configure() -> None:
    # A shell makes background processes ignore these signals, and children inherit that; tests send them.
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


# What one worker does, because its tests share a deployment, which takes as long as many tests; or because it takes
# long by itself. It starts in this order, the longest first, so that no worker is left with it while the others have
# nothing to do. A file belongs to the most exact of these; one that belongs to none is given to any worker.
_LONGEST_FIRST = (
    "tests/faults/trials/",
    # Two deployments, since with one its worker would end last.
    "tests/faults/",
    "tests/e2e/",
    "tests/integration/iam/",
    "tests/integration/test_deploy.py",
    "tests/e2e/test_interrupts.py",
    "tests/integration/test_preflight.py",
    "tests/integration/events/",
    "tests/web/",
    "tests/faults/test_killed.py",
    "tests/e2e/test_new_workload.py",
    "tests/integration/test_destroy.py",
    "tests/integration/cluster/",
    "tests/integration/test_workload_jobs.py",
    "tests/e2e/test_web_pages_in_chromium.py",
)


def _group(nodeid: str) -> str:
    """The entry that a test's file belongs to, or the file."""
    file = nodeid.partition("::")[0]
    return max((start for start in _LONGEST_FIRST if file.startswith(start)), key=len, default=file)


class GroupPerWorker(LoadFileScheduling):  # type: ignore[misc]
    """Gives a worker a file or a group of files at a time: their tests share what was set up for them."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupPerWorker:
    return GroupPerWorker(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    group = _group(nodeid)
    return _LONGEST_FIRST.index(group) if group in _LONGEST_FIRST else len(_LONGEST_FIRST)


@dataclass(frozen=True)
class Aws:
    """A running embedded AWS."""

    port: int
    folder: Path

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @cached_property
    def secret(self) -> str:
        """The secret access key of the account's root."""
        return read_secret(self.folder)

    @property
    def pages(self) -> str:
        """The address below which the mailbox and the like are."""
        return self.endpoint_url + pages(self.secret)

    def inject(self, rules: Any, content_type: str = "application/json") -> Any:
        """Set the rules of faults (local/embedded/faults.py); returns the previous ones with their matches."""
        body = json.dumps(rules).encode()
        request = urllib.request.Request(f"{self.pages}faults", body, {"Content-Type": content_type})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which a process talks to it."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": ROOT_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client, made once for each service and `config`, which is botocore's."""
        key = f"{service} {config}"
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                endpoint_url=self.endpoint_url,
                region_name=REGION,
                aws_access_key_id=ROOT_ACCESS_KEY,
                aws_secret_access_key=self.secret,
                config=Config(retries={"total_max_attempts": 1}, **config),
            )
        return self._clients[key]


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    running = Aws(port=free_port(), folder=tmp_path_factory.mktemp("embedded"))
    command = [
        sys.executable,
        "-m",
        "local.embedded",
        "--port",
        str(running.port),
        "--folder",
        str(running.folder),
        "--cache",
        str(CACHE),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert read_line(process).startswith("ready "), (running.folder / "embedded.log").read_text()
        for name in ("job", "test"):
            make_role(running, name)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=60)


def make_role(aws: Aws, name: str) -> None:
    """A role that every service may assume and that may do everything, for tests that are not about permissions."""
    services = [f"{service}.amazonaws.com" for service in ("lambda", "sagemaker", "states")]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam = aws.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
    iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=_policy(everything))


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def free_port() -> int:
    """A free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_line(process: "subprocess.Popen[str]", seconds: float = START_SECONDS) -> str:
    """The next line of the process's output, empty if it ended or printed nothing in time."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(seconds) else ""


def eventually(found: Any, seconds: float = PATIENCE_SECONDS) -> Any:
    """Call `found` until it returns something true, and return that; fails when the time is up."""
    for _ in looks(seconds):
        if value := found():
            return value
    raise AssertionError(f"nothing came within {seconds} seconds")


def eventually_none(left: Any, seconds: float = PATIENCE_SECONDS) -> None:
    """Call `left` until it returns nothing; shows what is left when the time is up."""
    found = None
    for _ in looks(seconds):
        if not (found := left()):
            return
    raise AssertionError(f"{found!r} was left after {seconds} seconds")


def looks(seconds: float) -> Iterator[None]:
    """A moment to look, again and again until the time is over: soon at first, then twice a second."""
    deadline, pause = time.monotonic() + seconds, 0.02
    while time.monotonic() < deadline:
        yield
        time.sleep(pause)
        pause = min(1.5 * pause, 0.5)
